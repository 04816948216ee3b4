//! How much is sent, and how long packets are.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, TableFanIn, TableProducer};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, Timing};

use crate::{NOW, cluster, node, origin};

type Node = (Replica<Add>, TableProducer<'static, Add>);

fn start(cluster: &ClusterConfig, len: usize, node: u64) -> Node {
    let local = Arc::new(TableFanIn::new(len));
    let producer = local.producer_owned();
    (Replica::new(cluster, local, origin(node)).unwrap(), producer)
}

/// Carries packets between nodes, which are each other's peers by their indices, until none is left. Returns how many
/// bytes each node received. Packets for which `lost` is true do not arrive.
fn exchange(nodes: &mut [Node], lost: impl Fn(usize, Recipient, usize) -> bool) -> Vec<usize> {
    let mut received = vec![0; nodes.len()];
    loop {
        let mut any = false;
        for from in 0..nodes.len() {
            while let Some((to, packet)) = nodes[from].0.poll_transmit() {
                any = true;
                for at in (0..nodes.len()).filter(|&at| at != from) {
                    let is_for = to == Recipient::All || to == Recipient::Peer(Peer(at as u64));
                    if is_for && !lost(from, to, at) {
                        received[at] += packet.len();
                        nodes[at].0.receive(NOW, Peer(from as u64), &packet).unwrap();
                    }
                }
            }
        }
        if !any {
            return received;
        }
    }
}

#[test]
fn no_packet_is_longer_than_its_bound() {
    const LEN: usize = 40_000;
    const PACKET: usize = 1_200;
    for (shard_words, loads) in [(64, false), (16, true)] {
        let cluster =
            ClusterConfig::new("datagrams", LEN).with_shard_words(shard_words).with_packet_len(PACKET);
        let none: [&[u8]; 0] = [];
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        let mut producer = local.producer_owned();
        let mut stores = Replica::restore(&cluster, local, origin(1), none).unwrap();
        let (mut asks, _) = start(&cluster, LEN, 2);
        let mut lens = Vec::new();
        let mut carry = |from: &mut Replica<Add>, to: &mut Replica<Add>| {
            let mut count = 0;
            while let Some((_, packet)) = from.poll_transmit() {
                lens.push(packet.len());
                count += 1;
                to.receive(NOW, Peer(1), &packet).unwrap();
            }
            count
        };
        if loads {
            // In one full shard, and in one of each hundred addresses.
            (0..16).chain((16..LEN).step_by(5_000)).for_each(|addr| stores.load(addr, 7).unwrap());
        }
        (0..LEN).step_by(3).for_each(|addr| producer.accum(addr, 1));
        stores.tick();
        let confirm = |stores: &mut Replica<Add>| {
            while let Some(transaction) = stores.poll_store() {
                assert!(stores.stored(transaction.number));
            }
        };
        // Answers that wait for the store, announcements, heartbeats, version vectors, requests and answers.
        asks.hello(Recipient::All);
        carry(&mut asks, &mut stores);
        confirm(&mut stores);
        assert!(carry(&mut stores, &mut asks) > 100);
        stores.heartbeat(1_000);
        stores.send_version_vector(Recipient::All);
        carry(&mut stores, &mut asks);
        let (mut late, _) = start(&cluster, LEN, 3);
        late.hello(Recipient::All);
        let mut exchanged = 0;
        while carry(&mut late, &mut stores) + carry(&mut stores, &mut late) > 0 {
            exchanged += 1;
        }
        assert!(exchanged > 1 && late.merged() == stores.merged() && asks.merged() == stores.merged());
        late.heartbeat(1_000);
        carry(&mut late, &mut stores);
        lens.extend(late.version_vector_packets().iter().map(Vec::len));
        let longest = lens.iter().max().unwrap();
        assert!(*longest <= PACKET, "a packet of {longest} bytes with shards of {shard_words}");
        assert!(*longest > PACKET - 200, "packets are filled");
    }
}

/// In a cluster of any size, what a node lacks is sent to it once, although all others tell that they have it.
#[test]
fn one_lost_frame_is_answered_once() {
    for count in [3, 10, 30] {
        let mut nodes: Vec<Node> = (0..count).map(|at| node(at as u64)).collect();
        (0..1_000).for_each(|addr| nodes[0].1.accum(addr, 1));
        nodes[0].0.tick();
        let last = count - 1;
        exchange(&mut nodes, |from, to, at| (from, to, at) == (0, Recipient::All, last));
        assert_eq!(nodes[last].0.merged()[0], 0);
        nodes.iter_mut().for_each(|(replica, _)| replica.heartbeat(0));
        let received = exchange(&mut nodes, |_, _, _| false)[last];
        assert_eq!(nodes[last].0.merged(), nodes[0].0.merged());
        // One copy of the state, and heartbeats of all.
        let state = 16 * 80 + 16 * 1_000;
        let heartbeat = 80 + 16 * 8;
        assert_eq!(received, state + last * heartbeat);
    }
}

#[test]
fn a_joiner_that_says_hello_to_all_gets_the_state_once() {
    let mut nodes: Vec<Node> = (0..11).map(|at| node(at as u64)).collect();
    (0..1_000).for_each(|addr| nodes[0].1.accum(addr, 1));
    nodes[0].0.tick();
    exchange(&mut nodes, |_, _, at| at == 10);
    nodes[10].0.hello(Recipient::All);
    let received = exchange(&mut nodes, |_, _, _| false)[10];
    assert_eq!(nodes[10].0.merged(), nodes[0].0.merged());
    let state = 16 * 80 + 16 * 1_000;
    // Each version vector has a section for the own origin, which never wrote, one for the writer, and one at its end.
    let vectors = 80 + 16 * 8 + 9 * (80 + 80 + 16 * 8) + 10 * (80 + 8);
    assert_eq!(received, state + vectors);
}

#[test]
fn replicas_that_know_the_same_exchange_a_digest() {
    let mut nodes: Vec<Node> = (0..3).map(|at| node(at as u64)).collect();
    for (replica, producer) in &mut nodes {
        (0..1_000).for_each(|addr| producer.accum(addr, 1));
        replica.tick();
    }
    exchange(&mut nodes, |_, _, _| false);
    let digest = 80 + 8;
    nodes[0].0.send_version_vector(Recipient::All);
    assert_eq!(exchange(&mut nodes, |_, _, _| false), [0, digest, digest]);
    nodes[1].0.hello(Recipient::Peer(Peer(2)));
    assert_eq!(exchange(&mut nodes, |_, _, _| false), [0, digest, 80]);
    let received = {
        nodes[0].0.send_version_vector(Recipient::All);
        let (_, packet) = nodes[0].0.poll_transmit().unwrap();
        nodes[1].0.receive(NOW, Peer(0), &packet).unwrap()
    };
    assert!(received.version_vector && received.behind == 0);

    // A difference is found, and what is missing is sent.
    nodes[0].1.accum(7, 1);
    nodes[0].0.tick();
    exchange(&mut nodes, |_, _, at| at == 2);
    assert_ne!(nodes[2].0.merged(), nodes[0].0.merged());
    nodes[1].0.send_version_vector(Recipient::All);
    exchange(&mut nodes, |_, _, _| false);
    assert_eq!(nodes[2].0.merged(), nodes[0].0.merged());
}

#[test]
fn the_next_peer_is_asked_when_the_answer_is_overdue() {
    let off = Duration::ZERO;
    let timing = Timing::new()
        .with_tick(off)
        .with_heartbeat(off)
        .with_version_vector(off)
        .with_listening(off)
        .with_answer(Duration::from_secs(3));
    let (mut one, _) = start(&cluster().with_timing(timing), 1_000, 1);
    one.handle_timeout(Duration::from_secs(10));
    assert_eq!(one.poll_timeout(), None);
    let (mut two, mut producer) = node::<Add>(2);
    producer.accum(0, 1);
    two.tick();
    let told = two.version_vector_packets().concat();
    for peer in [2, 3, 4] {
        one.receive(Duration::from_secs(10), Peer(peer), &told).unwrap();
    }
    let asked = |one: &mut Replica<Add>| {
        std::iter::from_fn(|| one.poll_transmit()).map(|(to, _)| to).collect::<Vec<_>>()
    };
    assert_eq!(asked(&mut one), [Recipient::Peer(Peer(2))]);
    for (now, peer) in [(13, 3), (16, 4)] {
        let now = Duration::from_secs(now);
        assert_eq!(one.poll_timeout(), Some(now));
        one.handle_timeout(now - Duration::from_millis(1));
        assert_eq!(asked(&mut one), []);
        one.handle_timeout(now);
        assert_eq!(asked(&mut one), [Recipient::Peer(Peer(peer))]);
    }
    let frame = two.frame_since(two.id(), 0, 0).unwrap();
    one.receive(Duration::from_secs(17), Peer(4), &frame).unwrap();
    assert_eq!((one.merged()[0], one.poll_timeout()), (1, None));
}

/// A message broker keeps a whole shard in one packet, and gives it to whoever comes.
#[test]
fn a_whole_shard_is_one_packet_for_those_who_can_not_ask() {
    const LEN: usize = 1_000;
    let cluster = ClusterConfig::new("broker", LEN).with_shard_words(256);
    let (mut one, mut producer) = start(&cluster, LEN, 1);
    let broker = Peer(u64::MAX);
    let id = one.id();
    assert!(!one.send_shard(broker, id, 0), "nothing is known of it");
    for addr in [3, 300, 301, 999] {
        producer.accum(addr, addr as u64);
        one.tick();
    }
    one.load(302, 7).unwrap();
    while one.poll_transmit().is_some() {}
    let mut kept = Vec::new();
    for shard in [0, 1, 3] {
        assert!(one.send_shard(broker, id, shard));
    }
    assert!(!one.send_shard(broker, id, 2) && !one.send_shard(broker, origin(9), 0));
    while let Some((to, packet)) = one.poll_transmit() {
        assert_eq!(to, Recipient::Peer(broker));
        for frame in one.frames(&packet) {
            let (header, bytes) = frame.unwrap();
            assert_eq!((header.origin, header.from), (id, 0));
            assert_eq!(header.to, one.version(id, header.shard));
            kept.push((header.shard, bytes.to_vec()));
        }
    }
    assert_eq!(kept.iter().map(|(shard, _)| *shard).collect::<Vec<_>>(), [0, 1, 3]);
    let (mut two, _) = start(&cluster, LEN, 2);
    for (shard, bytes) in kept.iter().rev() {
        let only: Vec<_> = two.frames(bytes).map(|frame| frame.unwrap().0.shard).collect();
        assert_eq!(only, [*shard]);
        assert_eq!(two.receive(NOW, broker, bytes).unwrap().applied, 1);
    }
    assert_eq!(two.merged(), one.merged());
    // What is not a frame is left out, and damage ends it.
    let mut others = two.version_vector_packets().concat();
    assert_eq!(two.frames(&others).count(), 0);
    others.extend_from_slice(&kept[0].1);
    assert_eq!(two.frames(&others).filter(|frame| frame.is_ok()).count(), 1);
    others[8] ^= 1;
    assert!(matches!(two.frames(&others).collect::<Vec<_>>()[..], [Err(_)]));
}

/// With a store, it leaves when the store has it, in the version that the store has.
#[test]
fn a_whole_shard_waits_for_the_store() {
    let cluster = ClusterConfig::new("broker", 100);
    let none: [&[u8]; 0] = [];
    let local = Arc::new(TableFanIn::<Add>::new(100));
    let mut one = Replica::restore(&cluster, Arc::clone(&local), origin(1), none).unwrap();
    let (id, broker) = (one.id(), Peer(u64::MAX));
    let mut producer = local.producer_owned();
    producer.accum(5, 1);
    one.tick();
    assert!(one.send_shard(broker, id, 0));
    let to_broker = |one: &mut Replica<Add>| {
        let packets: Vec<_> = std::iter::from_fn(|| one.poll_transmit()).collect();
        packets.into_iter().filter(|(to, _)| *to == Recipient::Peer(broker)).collect::<Vec<_>>()
    };
    assert_eq!(to_broker(&mut one), []);
    let transaction = one.poll_store().unwrap();
    producer.accum(5, 1);
    one.tick();
    assert_eq!(to_broker(&mut one), []);
    assert!(one.stored(transaction.number));
    let packets = to_broker(&mut one);
    let headers: Vec<_> = packets.iter().flat_map(|(_, packet)| one.frames(packet)).collect();
    assert!(matches!(headers[..], [Ok((header, _))] if (header.from, header.to) == (0, 1)), "{headers:?}");
}
