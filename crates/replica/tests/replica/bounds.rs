//! Settings and origins that are refused, bounds that hold, and what errors say.

use std::error::Error;
use std::sync::Arc;

use atomik_core::{Add, TableFanIn, Xor};
use atomik_replica::{
    ClusterConfig, Event, PacketErrorKind, PacketField, Peer, Recipient, Replica, ReplicaError,
};

use crate::{LEN, NOW, cluster, node, origin, sent};

#[test]
fn a_fan_in_has_one_replica_for_its_whole_life() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let first = Replica::new(&cluster(), Arc::clone(&local), origin(1)).unwrap();
    let second = || Replica::new(&cluster(), Arc::clone(&local), origin(2)).err();
    assert_eq!(second(), Some(ReplicaError::SecondReplica));
    drop(first);
    assert_eq!(second(), Some(ReplicaError::SecondReplica));
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let start = |cluster: ClusterConfig| {
        Replica::<Xor>::new(&cluster, Arc::new(TableFanIn::new(LEN)), origin(1)).map(drop)
    };
    let (table, base) = (LEN, 7);
    assert_eq!(start(ClusterConfig::new("a", 5)), Err(ReplicaError::TableLength { table, cluster: 5 }));
    assert_eq!(start(cluster().with_base(&[0; 7])), Err(ReplicaError::BaseLength { base, cluster: LEN }));
    for shard_words in [0, 63, 65, 65_600] {
        let refused = Err(ReplicaError::ShardWords { shard_words });
        assert_eq!(start(cluster().with_shard_words(shard_words)), refused);
    }
    assert_eq!(start(cluster().with_max_waiting(0)), Err(ReplicaError::MaxWaiting));
    let (mut replica, _producer) = node::<Xor>(1);
    let refused = Err(ReplicaError::Address { addr: LEN, len: LEN });
    assert_eq!(replica.put(LEN, 1), refused);
    assert_eq!(replica.load(LEN, 1), refused);
}

#[test]
fn as_many_origins_as_the_bound_allows_converge() {
    const NODES: u64 = 120;
    let bounded = cluster().with_max_origins(NODES as usize);
    let mut nodes: Vec<Replica<Add>> = (0..NODES)
        .map(|node| Replica::new(&bounded, Arc::new(TableFanIn::new(LEN)), origin(node)).unwrap())
        .collect();
    let mut packets = Vec::new();
    for (node, replica) in (0..).zip(&mut nodes) {
        replica.put(node % 7, 1).unwrap();
        replica.put(node, replica.merged()[node] + 1).unwrap();
        packets.push((Peer(node as u64), sent(replica)));
    }
    for replica in &mut nodes {
        for (peer, packet) in &packets {
            replica.receive(NOW, *peer, packet).unwrap();
        }
    }
    let sum = nodes[0].merged().iter().sum::<u64>();
    assert_eq!(sum, 2 * NODES);
    for replica in &nodes {
        assert_eq!((replica.origins(), replica.merged()), (NODES as usize, nodes[0].merged()));
    }
    // One more, which none of them knows.
    let (mut more, mut producer) = node::<Add>(NODES);
    producer.accum(0, 1);
    more.tick();
    let received = nodes[0].receive(NOW, Peer(NODES), &sent(&mut more)).unwrap();
    assert_eq!((received.applied, received.over_bound), (0, 1));
    let kind = PacketErrorKind::TooManyOrigins { origin: origin(NODES), bound: NODES as usize };
    assert_eq!(nodes[0].poll_event(), Some(Event::Skipped { peer: Peer(NODES), kind }));
}

#[test]
fn queues_are_bounded() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let bounded = cluster().with_max_waiting(3).with_packet_len(1);
    let mut one = Replica::new(&bounded, local, origin(1)).unwrap();
    let (mut two, mut producer) = node::<Xor>(2);
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    two.tick();
    sent(&mut two);
    let received = one.receive(NOW, Peer(2), &two.version_vector_packets().concat()).unwrap();
    assert_eq!(received.behind, LEN.div_ceil(64));
    for peer in 0..100 {
        one.send_version_vector(Recipient::Peer(Peer(peer)));
        one.hello(Recipient::Peer(Peer(peer)));
    }
    assert_eq!(std::iter::from_fn(|| one.poll_transmit()).count(), 9);
}

#[test]
fn a_packet_takes_sections_for_one_recipient_until_it_is_long_enough() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let mut producer = local.producer_owned();
    // A frame of a whole shard has a header of 80 bytes and 64 words of 16; the last shard has 40 words.
    let frame = 80 + 64 * 16;
    let mut one = Replica::new(&cluster().with_packet_len(2 * frame), local, origin(1)).unwrap();
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    one.tick();
    let packets: Vec<_> = std::iter::from_fn(|| one.poll_transmit()).collect();
    let mut lens = vec![2 * frame; 7];
    lens.push(frame + 80 + 40 * 16);
    assert!(packets.iter().all(|(to, _)| *to == Recipient::All));
    assert!(packets.iter().map(|(_, packet)| packet.len()).eq(lens.iter().copied()));

    // The same holds for requests, which all fit into one packet, and for answers.
    let mut late = node::<Xor>(2).0;
    late.receive(NOW, Peer(1), &one.version_vector_packets().concat()).unwrap();
    let request = late.poll_transmit().unwrap();
    assert_eq!((request.0, request.1.len()), (Recipient::Peer(Peer(1)), 16 * 80));
    assert_eq!(late.poll_transmit(), None);
    one.receive(NOW, Peer(2), &request.1).unwrap();
    let answers = std::iter::from_fn(|| one.poll_transmit());
    assert!(answers.map(|(_, packet)| packet.len()).eq(lens));

    let recipients = [Recipient::Peer(Peer(1)), Recipient::Peer(Peer(2)), Recipient::All];
    recipients.iter().for_each(|&to| one.send_version_vector(to));
    let mut polled: Vec<_> = std::iter::from_fn(|| one.poll_transmit()).map(|(to, _)| to).collect();
    polled.sort_unstable();
    let mut expected = recipients;
    expected.sort_unstable();
    assert_eq!(polled, expected);
}

#[test]
fn each_error_says_what_was_wrong() {
    let kind = PacketErrorKind::Unsupported { field: PacketField::Format, found: 9 };
    let messages = [
        (
            ReplicaError::TableLength { table: 1, cluster: 2 },
            "the fan-in has 1 addresses, but the cluster's table has 2",
        ),
        (
            ReplicaError::BaseLength { base: 1, cluster: 2 },
            "the initial base has 1 words, but the cluster's table has 2",
        ),
        (
            ReplicaError::ShardWords { shard_words: 63 },
            "a shard can't have 63 words: the size is 16, 32 or a multiple of 64 up to 65536",
        ),
        (ReplicaError::MaxWaiting, "the bound of what may wait to be sent is 0, but has to be 1 or more"),
        (ReplicaError::SecondReplica, "the fan-in has given out its exclusive observer before"),
        (ReplicaError::Address { addr: 5, len: 5 }, "there is no address 5 in a table of 5"),
        (
            ReplicaError::LoadsExhausted { addr: 5 },
            "address 5 was loaded 2^63 - 1 times and can't be loaded again",
        ),
        (
            ReplicaError::StoredPart { index: 3, kind },
            "stored part 3 can't be used: version 9 of the format is not known here",
        ),
        (
            ReplicaError::StoredTwice { origin: origin(0xA), shard: 2 },
            "the store has a part of shard 2 of origin a/1 twice",
        ),
        (
            ReplicaError::StoredIncomplete { origin: origin(0xA), shard: 2 },
            "the store does not have all parts of shard 2 of origin a/1 at one version",
        ),
        (
            ReplicaError::IncarnationReused { id: origin(0xA) },
            "the store has shards of a/1 already: each start needs a new incarnation",
        ),
        (
            ReplicaError::OwnShard { shard: 2 },
            "shard 2 of the replica's own origin can't be fetched from others",
        ),
        (
            ReplicaError::UnknownShard { origin: origin(0xA), shard: 2 },
            "nothing is known about shard 2 of origin a/1",
        ),
    ];
    for (error, message) in messages {
        assert_eq!(error.to_string(), message);
        // Everything is in the message, so there is no source to print once more.
        assert!(error.source().is_none());
    }
}
