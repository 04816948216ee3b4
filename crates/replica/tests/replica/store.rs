//! What comes back from a store.

use std::sync::Arc;

use atomik_core::{Add, Algebra, TableFanIn, Xor};
use atomik_replica::{PacketErrorKind, Peer, Replica, ReplicaError, ReplicaId};

use crate::{LEN, cluster, node, origin, sent};

/// A store as a caller writes one: the last bytes of each shard.
type Store = std::collections::BTreeMap<(ReplicaId, usize), Vec<u8>>;

fn write_to<A: Algebra>(store: &mut Store, replica: &mut Replica<A>) -> u64 {
    let transaction = replica.poll_store().unwrap();
    store.extend(transaction.shards.into_iter().map(|shard| ((shard.origin, shard.shard), shard.bytes)));
    transaction.number
}

#[test]
fn nothing_leaves_before_it_is_stored_and_a_restart_has_it() {
    let start = |incarnation, store: &Store| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        let producer = local.producer_owned();
        let origin = ReplicaId { node: 1, incarnation };
        (Replica::restore(&cluster(), local, origin, store.values()).unwrap(), producer)
    };
    let mut store = Store::new();
    let (mut one, mut producer) = start(1, &store);
    let (mut two, _b) = node::<Add>(2);
    producer.accum(4, 5);
    one.tick();
    assert!(one.poll_store().is_some(), "a write that will fail");
    assert_eq!(one.poll_transmit(), None);
    assert_eq!(one.frame_since(one.id(), 0, 0), None);
    assert_eq!(one.version_vector_packet()[68..], [0; 8]);
    let number = write_to(&mut store, &mut one);
    assert_eq!(one.poll_transmit(), None);
    // A version of after the transaction stays, what was of it leaves.
    producer.accum(4, 1);
    one.tick();
    assert!(!one.stored(number - 1) && one.stored(number));
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(two.merged()[4], 5);

    drop(one);
    let (mut again, mut producer) = start(2, &store);
    assert_eq!((again.merged()[4], again.view().read(4)), (5, 5));
    producer.accum(4, 10);
    again.tick();
    let number = write_to(&mut store, &mut again);
    assert!(again.stored(number) && again.poll_store().is_none());
    two.receive(Peer(1), &sent(&mut again)).unwrap();
    assert_eq!((again.merged()[4], two.merged()[4]), (15, 15));

    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let reused = Replica::restore(&cluster(), local, origin(1), store.values()).map(drop);
    let Err(ReplicaError::Stored { error, .. }) = reused else { panic!("{reused:?}") };
    assert_eq!(error.kind, PacketErrorKind::IncarnationReused { origin: origin(1) });
}

/// A replica with an empty store, which node 1 wrote two shards to and node 3 asked for both. One of the states is 1,
/// the other 2.
fn asked_for_what_is_not_stored() -> (Replica<Xor>, Replica<Xor>, Replica<Xor>) {
    let local = Arc::new(TableFanIn::new(LEN));
    let mut two = Replica::restore(&cluster(), local, origin(2), Store::new().values()).unwrap();
    let ((mut one, mut producer), mut three) = (node::<Xor>(1), node::<Xor>(3).0);
    producer.accum(0, 1);
    producer.accum(64, 2);
    one.tick();
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    three.receive(Peer(2), &one.version_vector_packet()).unwrap();
    two.receive(Peer(3), &sent(&mut three)).unwrap();
    assert_eq!(two.poll_transmit(), None);
    (one, two, three)
}

#[test]
fn an_answer_leaves_as_it_was_stored_though_a_later_version_came() {
    let (mut one, mut two, mut three) = asked_for_what_is_not_stored();
    let number = two.poll_store().unwrap().number;
    one.put(0, 5).unwrap();
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(two.merged()[0], 5);
    assert!(two.stored(number));
    three.receive(Peer(2), &sent(&mut two)).unwrap();
    assert_eq!([0, 64].map(|addr| three.merged()[addr]), [1, 2]);
}

#[test]
fn what_is_refetched_was_not_stored() {
    let (mut one, mut two, mut three) = asked_for_what_is_not_stored();
    let number = two.poll_store().unwrap().number;
    two.refetch(origin(1), 0, Peer(1)).unwrap();
    one.receive(Peer(2), &sent(&mut two)).unwrap();
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    assert!(two.stored(number));
    // The same version came again, and nobody knows if its content is what the store was given.
    let again = two.poll_store().unwrap();
    assert_eq!(again.shards.iter().map(|shard| shard.shard).collect::<Vec<_>>(), [0]);
    three.receive(Peer(2), &sent(&mut two)).unwrap();
    assert_eq!([0, 64].map(|addr| three.merged()[addr]), [0, 2]);
}

#[test]
fn what_waits_for_the_store_is_bounded() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let mut producer = local.producer_owned();
    let bounded = cluster().with_max_waiting(3);
    let mut one = Replica::restore(&bounded, local, origin(1), Store::new().values()).unwrap();
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    one.tick();
    let number = one.poll_store().unwrap().number;
    assert!(one.stored(number));
    assert_eq!(sent(&mut one).len(), 3 * (68 + 64 * 16));
}

/// Whichever of the shards comes first.
#[test]
fn a_store_of_as_many_origins_as_the_bound_comes_back() {
    let bounded = cluster().with_max_origins(3);
    let resume = |shards: &[Vec<u8>]| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        Replica::resume(&bounded, local, origin(1), shards)
    };
    let mut one = resume(&[]).unwrap();
    one.put(0, 1).unwrap();
    for other in 2..4 {
        let (mut peer, _producer) = node::<Add>(other);
        peer.put(0, other).unwrap();
        one.receive(Peer(other), &sent(&mut peer)).unwrap();
    }
    let mut shards: Vec<Vec<u8>> =
        one.poll_store().unwrap().shards.into_iter().map(|shard| shard.bytes).collect();
    for _ in 0..shards.len() {
        shards.rotate_left(1);
        let again = resume(&shards).unwrap();
        assert_eq!((again.origins(), again.merged()[0]), (3, 6));
    }
    // The own origin counts without a shard too.
    let anew = Replica::restore(&bounded, Arc::new(TableFanIn::<Add>::new(LEN)), origin(9), &shards);
    let Err(ReplicaError::Stored { index: 2, error }) = anew.map(drop) else { panic!("one more than 3") };
    assert!(matches!(error.kind, PacketErrorKind::TooManyOrigins { bound: 3, .. }));
}

#[test]
fn what_a_store_damaged_is_refused_by_name() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let none: [&[u8]; 0] = [];
    let mut one = Replica::restore(&cluster(), local, origin(1), none).unwrap();
    one.put(999, 5).unwrap();
    one.load(64, 6).unwrap();
    let mut store = Store::new();
    write_to(&mut store, &mut one);
    let restore = |shards: Vec<Vec<u8>>| {
        let local = Arc::new(TableFanIn::<Xor>::new(LEN));
        match Replica::restore(&cluster(), local, origin(2), shards) {
            Ok(replica) => Ok((replica.merged()[999], replica.merged()[64])),
            Err(ReplicaError::Stored { error, .. }) => Err(error.kind),
            Err(other) => panic!("{other}"),
        }
    };
    let shards: Vec<Vec<u8>> = store.into_values().collect();
    assert_eq!(restore(shards.clone()), Ok((5, 6)));
    assert_eq!(
        restore([shards.clone(), shards[..1].to_vec()].concat()),
        Err(PacketErrorKind::StoredTwice { origin: origin(1), shard: 1 })
    );
    for shard in &shards {
        for at in 0..shard.len() {
            let mut damaged = shard.clone();
            damaged[at] ^= 0x10;
            assert!(restore(vec![damaged]).is_err(), "byte {at}");
            assert!(restore(vec![shard[..at].to_vec()]).is_err(), "up to byte {at}");
        }
    }
    // A shard never travels as the store has it.
    let (mut two, _b) = node::<Xor>(2);
    let refused = two.receive(Peer(1), &shards[0]).err().map(|error| error.kind);
    assert_eq!(refused, Some(PacketErrorKind::Kind { found: 6 }));
}
