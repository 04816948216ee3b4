//! What waits takes no more memory than the bounds allow: for the store, for peers that ask, and for what peers tell.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, TableFanIn, TableProducer};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId, Timing};

use crate::{HEADER, NOW, fix_checksums, grown};

const NONE: [&[u8]; 0] = [];

/// A replica, with a store or without, and a producer of its fan-in.
fn start(
    cluster: &ClusterConfig,
    len: usize,
    node: u64,
    stores: bool,
) -> (Replica<Add>, TableProducer<'static, Add>) {
    let local = Arc::new(TableFanIn::new(len));
    let producer = local.producer_owned();
    let id = ReplicaId { node, incarnation: 1 };
    let replica =
        if stores { Replica::restore(cluster, local, id, NONE) } else { Replica::new(cluster, local, id) };
    (replica.unwrap(), producer)
}

fn sent(replica: &mut Replica<Add>) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| replica.poll_transmit()).map(|(_, packet)| packet).collect()
}

/// The first section of a packet.
fn first_section(packet: &[u8]) -> Vec<u8> {
    let body = u32::from_be_bytes(packet[68..72].try_into().unwrap()) as usize;
    packet[..HEADER + body].to_vec()
}

#[test]
fn a_replica_takes_what_is_documented_after_its_start_and_after_a_tick_of_everything() {
    const LEN: usize = 1 << 16;
    let a_word = |bytes: usize| bytes as f64 / LEN as f64;
    let cluster = ClusterConfig::new("memory", LEN);
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let mut producer = local.producer_owned();
    let id = ReplicaId { node: 1, incarnation: 1 };
    let (begun, _, replica) = grown(|| Replica::new(&cluster, local, id));
    let mut replica = replica.unwrap();
    (0..LEN).for_each(|addr| producer.accum(addr, 3));
    let (ticked, most, _) = grown(|| replica.tick());
    let (begun, ticked, most) = (a_word(begun), a_word(ticked), a_word(most));
    println!("{begun:.2} bytes a word at the start, {ticked:.2} for a tick of all, {most:.2} meanwhile");
    // Three tables, and the registers' pointers.
    assert!(begun <= 24.5);
    // The own plane, what was seen of the producer's marks, and the bits of what is to be announced. What the tick found
    // is not kept.
    assert!(ticked <= 8.7 + 0.125 + 0.3);
    assert!(most <= 8.7 + 0.125 + 0.3 + 24.0);
    let (announced, most, packets) = grown(|| sent(&mut replica));
    drop(packets);
    println!("{:.2} bytes a word to announce, {:.2} meanwhile", a_word(announced), a_word(most));
    // The packets themselves, whose buffers may be twice as long as what is in them.
    assert!(a_word(most) <= 2.0 * 16.5);
}

#[test]
fn a_store_that_fails_takes_one_frame_a_shard() {
    const LEN: usize = 4_096;
    let timing = Timing::new().with_store_retry(Duration::ZERO);
    let cluster = ClusterConfig::new("disk full", LEN).with_timing(timing);
    let (mut one, mut producer) = start(&cluster, LEN, 1, true);
    let mut fail = |one: &mut Replica<Add>, ticks: usize| {
        for _ in 0..ticks {
            (0..LEN).for_each(|addr| producer.accum(addr, 1));
            one.tick();
            let number = one.poll_store().unwrap().number;
            assert!(one.store_failed(NOW, number));
        }
    };
    fail(&mut one, 3);
    let (more, most, ()) = grown(|| fail(&mut one, 500));
    // The shard for the store, and the frame that is withheld, while they are being written.
    assert!(more < 1_024 && most < 4 * 16 * LEN, "{more} bytes more, {most} at most");
    // Nobody confirms the transactions, and nobody gives them up.
    let (_, most, ()) = grown(|| {
        for _ in 0..500 {
            (0..LEN).step_by(7).for_each(|addr| producer.accum(addr, 1));
            one.tick();
            drop(one.poll_store());
        }
    });
    assert!(most < 4 * 16 * LEN, "{most} bytes");
    // What was written in 500 ticks leaves as one frame, now that the first transaction is confirmed.
    assert!(one.stored(504) && one.poll_store().is_some_and(|transaction| one.stored(transaction.number)));
    let waiting: usize = sent(&mut one).iter().map(Vec::len).sum();
    assert!(waiting <= 2 * (HEADER + 16 * LEN), "{waiting} bytes for a table of 32 KiB");
}

/// Late joiners ask for everything while the store is busy. They get it, each shard once for all of them.
#[test]
fn frames_that_wait_for_the_store_are_bounded_in_bytes() {
    const LEN: usize = 1 << 15;
    const JOINERS: u64 = 32;
    for bound in [1 << 24, 200_000, 0] {
        let cluster = ClusterConfig::new("late", LEN).with_max_withheld(bound);
        let (mut one, mut producer) = start(&cluster, LEN, 1, true);
        (0..LEN).for_each(|addr| producer.accum(addr, 1));
        one.tick();
        let mut joiners: Vec<_> = (0..JOINERS).map(|node| start(&cluster, LEN, 10 + node, false).0).collect();
        let mut twin = start(&cluster, LEN, 1, false);
        (0..LEN).for_each(|addr| twin.1.accum(addr, 1));
        twin.0.tick();
        let told = twin.0.version_vector_packets().concat();
        for (peer, joiner) in (0..).zip(&mut joiners) {
            joiner.receive(NOW, Peer(1), &told).unwrap();
            for request in sent(joiner) {
                one.receive(NOW, Peer(peer), &request).unwrap();
            }
        }
        let (withheld, _, transaction) = grown(|| one.poll_store().map(|transaction| transaction.number));
        println!("{withheld} bytes wait for the store, with a bound of {bound}");
        let frame = HEADER + 16 * 4_096;
        // Vectors may be twice as long as what is in them.
        assert!(withheld <= 2 * (bound.min(2 * 16 * LEN + 16 * HEADER) + frame), "{withheld} bytes");
        // The table keeps changing, and the joiners ask again for what they did not get.
        let mut next = transaction;
        for round in 0..200 {
            producer.accum(round, 1);
            one.tick();
            if let Some(number) = next {
                assert!(one.stored(number));
            }
            let (_, most, ()) = grown(|| {
                while let Some((to, packet)) = one.poll_transmit() {
                    for (peer, joiner) in (0..).zip(&mut joiners) {
                        if to == Recipient::All || to == Recipient::Peer(Peer(peer)) {
                            joiner.receive(NOW, Peer(1), &packet).unwrap();
                        }
                    }
                }
            });
            assert!(most <= JOINERS as usize * 9 * LEN + 8 * frame, "{most} bytes to send");
            for (peer, joiner) in (0..).zip(&mut joiners) {
                for request in sent(joiner) {
                    one.receive(NOW, Peer(peer), &request).unwrap();
                }
            }
            next = one.poll_store().map(|transaction| transaction.number);
        }
        assert!(joiners.iter().all(|joiner| joiner.merged()[LEN - 1] == 1), "with a bound of {bound}");
    }
}

/// Each from a peer of its own: a request, a hello, and a version vector of an origin that nobody knows.
#[test]
fn a_million_made_up_origins_and_peers_that_only_ask_are_bounded() {
    const LEN: usize = 4_096;
    const WAITING: usize = 1_000;
    let cluster = ClusterConfig::new("made up", LEN).with_max_waiting(WAITING).with_max_origins(300);
    for (stores, count) in [(false, 1_000_000_u64), (true, 100_000)] {
        let (mut one, mut producer) = start(&cluster, LEN, 1, stores);
        let (mut other, mut of_other) = start(&cluster, LEN, 2, false);
        producer.accum(0, 1);
        one.tick();
        of_other.accum(0, 1);
        other.tick();
        let mut told = first_section(&other.version_vector_packets()[0]);
        // The own plane comes first, and the section names it.
        assert_eq!(told[24..32], 1_u64.to_be_bytes());
        let mut frame = other.frame_since(other.id(), 0, 0).unwrap();
        other.hello(Recipient::All);
        let hello = sent(&mut other).concat();
        let mut asks = start(&cluster, LEN, 3, false).0;
        let (mut twin, mut of_twin) = start(&cluster, LEN, 1, false);
        of_twin.accum(0, 1);
        twin.tick();
        asks.receive(NOW, Peer(1), &twin.version_vector_packets()[0]).unwrap();
        let request = sent(&mut asks).concat();

        let (frames, _, ()) = grown(|| {
            for origin in 0..1_000_u64 {
                frame[24..32].copy_from_slice(&origin.to_be_bytes());
                fix_checksums(&mut frame);
                one.receive(NOW, Peer(2), &frame).unwrap();
            }
        });
        assert_eq!(one.origins(), 300);
        assert!(
            frames <= 300 * 2_048 + (128 << 10),
            "{frames} bytes for 300 origins of one block, and events"
        );
        let (waiting, _, ()) = grown(|| {
            for made_up in 0..count {
                if made_up % 16 == 0 {
                    // Of the origins that are known, and of others, at versions that are not.
                    told[24..32].copy_from_slice(&(made_up / 1_000).to_be_bytes());
                    told[80..88].copy_from_slice(&(2 + made_up % 3).to_be_bytes());
                    fix_checksums(&mut told);
                }
                for packet in [&told, &request, &hello] {
                    one.receive(NOW, Peer(made_up), packet).unwrap();
                }
            }
        });
        println!("{waiting} bytes wait after {count} packets of each kind");
        // Wanted shards, answers, and recipients of digests and version vectors.
        assert!(waiting <= WAITING * (300 + 80 + 2 * 64) + (128 << 10), "{waiting} bytes");
    }
}
