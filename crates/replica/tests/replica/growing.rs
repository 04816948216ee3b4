//! Tables that grow: by a longer one in the same cluster, and by a new cluster.

use std::sync::Arc;

use atomik_core::{Add, TableFanIn, TableProducer, Xor};
use atomik_replica::{
    ClusterConfig, Event, PacketErrorKind, PacketField, Peer, Recipient, Replica, ReplicaError, ReplicaId,
};

use crate::{NOW, origin, sent};

fn config(len: usize) -> ClusterConfig {
    ClusterConfig::new("growing", len).with_shard_words(64)
}

fn start(len: usize, id: ReplicaId, stored: &[Vec<u8>]) -> (Replica<Add>, TableProducer<'static, Add>) {
    let local = Arc::new(TableFanIn::new(len));
    let producer = local.producer_owned();
    (Replica::restore(&config(len), local, id, stored).unwrap(), producer)
}

/// Stores everything. Returns the shards.
fn stored(replica: &mut Replica<Add>) -> Vec<Vec<u8>> {
    let mut shards = Vec::new();
    while let Some(transaction) = replica.poll_store() {
        replica.stored(transaction.number);
        let parts = transaction.shards.into_iter().flat_map(|shard| shard.parts);
        shards.extend(parts.map(|part| part.bytes));
    }
    shards
}

/// Exchanges packets until there are none.
fn exchange(nodes: &mut [Replica<Add>]) {
    for node in &mut *nodes {
        node.send_version_vector(Recipient::All);
    }
    for _ in 0..8 {
        for from in 0..nodes.len() {
            stored(&mut nodes[from]);
            let packet = sent(&mut nodes[from]);
            for to in (0..nodes.len()).filter(|&to| to != from) {
                nodes[to].receive(NOW, Peer(from as u64), &packet).unwrap();
            }
        }
    }
}

/// Nodes are started again with a longer table one by one, from their stores, while all write.
#[test]
fn nodes_grow_one_by_one() {
    let (short, long) = (128, 300);
    let (mut zero, mut of_zero) = start(short, origin(0), &[]);
    let (one, mut of_one) = start(short, origin(1), &[]);
    of_zero.accum(0, 1);
    of_one.accum(127, 2);
    zero.tick();
    let mut nodes = [zero, one];
    nodes[1].tick();
    exchange(&mut nodes);
    let shards: Vec<Vec<u8>> = {
        // All shards again, as a store has them.
        let [zero, _] = &mut nodes;
        let frames = [(0, 0), (1, 1)].map(|(node, shard)| zero.frame_since(origin(node), shard, 0).unwrap());
        let (mut copy, _) = start(short, origin(9), &[]);
        frames.iter().for_each(|frame| assert_eq!(copy.receive(NOW, Peer(0), frame).unwrap().applied, 1));
        stored(&mut copy)
    };

    // Node 0 grows, and writes old and new addresses.
    let (zero, mut of_zero) = start(long, ReplicaId { node: 0, incarnation: 2 }, &shards);
    assert_eq!((zero.merged()[0], zero.merged()[127]), (1, 2));
    nodes[0] = zero;
    of_zero.accum(0, 10);
    of_zero.accum(128, 20);
    of_zero.accum(299, 30);
    nodes[0].tick();
    of_one.accum(127, 40);
    nodes[1].tick();
    exchange(&mut nodes);
    for node in &nodes {
        assert_eq!((node.merged()[0], node.merged()[127]), (11, 42));
    }
    assert_eq!((nodes[0].merged()[128], nodes[0].merged()[299]), (20, 30));
    let skipped = std::iter::from_fn(|| nodes[1].poll_event()).filter(|event| {
        matches!(event, Event::Skipped { kind: PacketErrorKind::BeyondTable { len: 128, .. }, .. })
    });
    assert!(skipped.count() > 0, "the shorter table says so");
    assert_eq!(std::iter::from_fn(|| nodes[0].poll_event()).count(), 0, "the longer one has nothing to say");

    // Node 1 grows later, even without a store.
    let (one, mut of_one) = start(long, ReplicaId { node: 1, incarnation: 2 }, &[]);
    nodes[1] = one;
    of_one.accum(299, 100);
    nodes[1].tick();
    exchange(&mut nodes);
    assert_eq!(nodes[0].merged(), nodes[1].merged());
    assert_eq!([0, 127, 128, 299].map(|addr| nodes[1].merged()[addr]), [11, 42, 20, 130]);
}

/// Tables of 100 and 110 words have the same last shard.
#[test]
fn a_frame_beyond_the_table_is_skipped_as_a_whole_and_arrives_after_the_table_has_grown() {
    let (mut longer, mut producer) = start(110, origin(1), &[]);
    let (mut shorter, _) = start(100, origin(2), &[]);
    producer.accum(99, 1);
    longer.tick();
    stored(&mut longer);
    assert_eq!(shorter.receive(NOW, Peer(1), &sent(&mut longer)).unwrap().applied, 1);
    producer.accum(99, 1);
    producer.accum(100, 5);
    longer.tick();
    longer.load(99, 8).unwrap();
    stored(&mut longer);
    let received = shorter.receive(NOW, Peer(1), &sent(&mut longer)).unwrap();
    assert_eq!((received.applied, received.beyond_table), (0, 1));
    assert_eq!((shorter.merged()[99], shorter.version(origin(1), 1)), (1, 1), "all of it or nothing");
    // From the store of the shorter one.
    let shards = stored(&mut shorter);
    let (mut grown, _) = start(110, origin(3), &shards);
    assert_eq!(grown.merged()[99], 1);
    let frame = longer.frame_since(origin(1), 1, 1).unwrap();
    assert_eq!(grown.receive(NOW, Peer(1), &frame).unwrap().applied, 1);
    assert_eq!(grown.merged(), longer.merged());
}

#[test]
fn a_table_does_not_shrink() {
    let (mut long, mut producer) = start(300, origin(1), &[]);
    producer.accum(299, 1);
    long.tick();
    let shards = stored(&mut long);
    let local = Arc::new(TableFanIn::<Add>::new(128));
    let refused = Replica::restore(&config(128), local, origin(2), &shards).map(drop).unwrap_err();
    let kind = PacketErrorKind::Invalid { field: PacketField::Shard, index: 0, found: 4 };
    assert_eq!(refused, ReplicaError::StoredPart { index: 0, kind });
}

/// All nodes begin a new cluster with the merged states of the old one, which they agree on. Producers have moved on
/// before.
#[test]
fn a_new_cluster_begins_with_the_merged_states_of_the_old_one() {
    let old = |node| {
        let local = Arc::new(TableFanIn::<Xor>::new(100));
        (Replica::new(&config(100), Arc::clone(&local), origin(node)).unwrap(), local.producer_owned())
    };
    let ((mut one, mut of_one), (mut two, mut of_two)) = (old(1), old(2));
    of_one.accum(3, 0b01);
    of_two.accum(3, 0b10);
    // The producers write to the new, longer tables before there is a replica.
    let locals = [(); 2].map(|()| Arc::new(TableFanIn::<Xor>::new(5_000)));
    locals[0].producer().accum(3, 0b100);
    locals[1].producer().accum(4_999, 1);
    // The last ticks of the old cluster.
    one.tick();
    two.tick();
    let begin = |old: &Replica<Xor>, node: u64| {
        let mut base = old.merged().to_vec();
        base.resize(5_000, 0);
        let next = ClusterConfig::new("growing, second", 5_000).with_base(&base);
        Replica::new(&next, Arc::clone(&locals[node as usize - 1]), origin(node)).unwrap()
    };
    // A node that begins before it agrees with the others is refused, by name.
    let mut early = Replica::new(
        &ClusterConfig::new("growing, second", 5_000).with_base(&[one.merged(), &[0; 4_900]].concat()),
        Arc::new(TableFanIn::<Xor>::new(5_000)),
        origin(3),
    )
    .unwrap();
    early.put(0, 1).unwrap();
    let packets = [sent(&mut one), sent(&mut two)];
    one.receive(NOW, Peer(2), &packets[1]).unwrap();
    two.receive(NOW, Peer(1), &packets[0]).unwrap();
    assert_eq!(one.merged(), two.merged());

    let (mut one, mut two) = (begin(&one, 1), begin(&two, 2));
    let refused = one.receive(NOW, Peer(3), &sent(&mut early)).unwrap_err().kind;
    assert!(matches!(refused, PacketErrorKind::Foreign { field: PacketField::Cluster, .. }), "{refused:?}");
    one.tick();
    two.tick();
    let packets = [sent(&mut one), sent(&mut two)];
    one.receive(NOW, Peer(2), &packets[1]).unwrap();
    two.receive(NOW, Peer(1), &packets[0]).unwrap();
    for node in [&one, &two] {
        assert_eq!((node.merged()[3], node.merged()[4_999], node.origins()), (0b111, 1, 2));
    }
}
