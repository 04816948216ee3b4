//! What comes back from a store.

use std::sync::Arc;

use atomik_core::{Add, Algebra, Origin, Peer, Refusal, Replica, ReplicaError, TableFanIn, Xor};

use crate::{LEN, cluster, node, origin, sent};

/// A store as a caller writes one: the last bytes of each part.
type Store = std::collections::BTreeMap<(Origin, usize), Vec<u8>>;

fn write_to<A: Algebra>(store: &mut Store, replica: &mut Replica<A>) -> u64 {
    let transaction = replica.to_store().unwrap();
    store.extend(transaction.parts.into_iter().map(|part| ((part.origin, part.part), part.bytes)));
    transaction.number
}

#[test]
fn nothing_leaves_before_it_is_stored_and_a_restart_has_it() {
    let start = |incarnation, store: &Store| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        let producer = local.producer_owned();
        let origin = Origin { node: 1, incarnation };
        (Replica::restore(&cluster(), local, origin, store.values()).unwrap(), producer)
    };
    let mut store = Store::new();
    let (mut one, mut producer) = start(1, &store);
    let (mut two, _b) = node::<Add>(2);
    producer.accum(4, 5);
    one.tick();
    assert!(one.to_store().is_some(), "a write that will fail");
    assert_eq!(one.poll_packet(), None);
    assert_eq!(one.since(one.origin(), 0, 0), None);
    assert_eq!(one.vector()[68..], [0; 8]);
    let number = write_to(&mut store, &mut one);
    assert_eq!(one.poll_packet(), None);
    // A version of after the transaction stays, what was of it leaves.
    producer.accum(4, 1);
    one.tick();
    assert!(!one.stored(number - 1) && one.stored(number));
    two.receive(Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(two.sealed()[4], 5);

    drop(one);
    let (mut again, mut producer) = start(2, &store);
    assert_eq!((again.sealed()[4], again.view().read(4)), (5, 5));
    producer.accum(4, 10);
    again.tick();
    let number = write_to(&mut store, &mut again);
    assert!(again.stored(number) && again.to_store().is_none());
    two.receive(Peer(1), &sent(&mut again)).unwrap();
    assert_eq!((again.sealed()[4], two.sealed()[4]), (15, 15));

    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let reused = Replica::restore(&cluster(), local, origin(1), store.values()).map(drop);
    let Err(ReplicaError::Stored { error, .. }) = reused else { panic!("{reused:?}") };
    assert_eq!(error.refusal, Refusal::IncarnationReused { origin: origin(1) });
}

/// Whichever of the parts comes first.
#[test]
fn a_store_of_as_many_origins_as_the_bound_comes_back() {
    let bounded = cluster().with_max_origins(3);
    let resume = |parts: &[Vec<u8>]| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        Replica::resume(&bounded, local, origin(1), parts)
    };
    let mut one = resume(&[]).unwrap();
    one.put(0, 1).unwrap();
    for other in 2..4 {
        let (mut peer, _producer) = node::<Add>(other);
        peer.put(0, other).unwrap();
        one.receive(Peer(other), &sent(&mut peer)).unwrap();
    }
    let mut parts: Vec<Vec<u8>> = one.to_store().unwrap().parts.into_iter().map(|part| part.bytes).collect();
    for _ in 0..parts.len() {
        parts.rotate_left(1);
        let again = resume(&parts).unwrap();
        assert_eq!((again.origins(), again.sealed()[0]), (3, 6));
    }
    // The own origin counts without a part too.
    let anew = Replica::restore(&bounded, Arc::new(TableFanIn::<Add>::new(LEN)), origin(9), &parts);
    let Err(ReplicaError::Stored { index: 2, error }) = anew.map(drop) else { panic!("one more than 3") };
    assert!(matches!(error.refusal, Refusal::TooManyOrigins { bound: 3, .. }));
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
    let restore = |parts: Vec<Vec<u8>>| {
        let local = Arc::new(TableFanIn::<Xor>::new(LEN));
        match Replica::restore(&cluster(), local, origin(2), parts) {
            Ok(replica) => Ok((replica.sealed()[999], replica.sealed()[64])),
            Err(ReplicaError::Stored { error, .. }) => Err(error.refusal),
            Err(other) => panic!("{other}"),
        }
    };
    let parts: Vec<Vec<u8>> = store.into_values().collect();
    assert_eq!(restore(parts.clone()), Ok((5, 6)));
    assert_eq!(
        restore([parts.clone(), parts[..1].to_vec()].concat()),
        Err(Refusal::StoredTwice { origin: origin(1), part: 1 })
    );
    for part in &parts {
        for at in 0..part.len() {
            let mut damaged = part.clone();
            damaged[at] ^= 0x10;
            assert!(restore(vec![damaged]).is_err(), "byte {at}");
            assert!(restore(vec![part[..at].to_vec()]).is_err(), "up to byte {at}");
        }
    }
    // A part never travels as the store has it.
    let (mut two, _b) = node::<Xor>(2);
    let refused = two.receive(Peer(1), &parts[0]).err().map(|error| error.refusal);
    assert_eq!(refused, Some(Refusal::Kind { found: 6 }));
}
