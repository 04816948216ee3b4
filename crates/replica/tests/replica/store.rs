//! Stores: what waits for them, and what comes back from them.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, Algebra, TableFanIn, Xor};
use atomik_replica::{
    ClusterConfig, Event, PacketErrorKind, PacketField, Peer, Recipient, Replica, ReplicaError, ReplicaId,
    StoredShard, Timing, Transaction,
};

use crate::{LEN, NOW, cluster, node, origin, sent};

/// The time at which a replica tries again to store what failed at the time `NOW`.
const RETRY: Duration = Duration::from_secs(1);

/// A store as a program would have it: the last bytes of each part of each shard.
pub(crate) type Store = std::collections::BTreeMap<(ReplicaId, usize, u32), Vec<u8>>;

/// Writes what changed in a shard.
pub(crate) fn write(store: &mut Store, changed: StoredShard) {
    let StoredShard { origin, shard, replaces, covers, parts, .. } = changed;
    if replaces {
        store.retain(|key, _| (key.0, key.1) != (origin, shard));
    }
    store.extend(parts.into_iter().map(|part| ((origin, shard, part.part), part.bytes)));
    if covers {
        let is_earlier = |other: &ReplicaId| other.node == origin.node && *other < origin;
        store.retain(|key, _| key.1 != shard || !is_earlier(&key.0));
    }
}

fn write_to<A: Algebra>(store: &mut Store, replica: &mut Replica<A>) -> u64 {
    let transaction = replica.poll_store().unwrap();
    transaction.shards.into_iter().for_each(|shard| write(store, shard));
    transaction.number
}

#[test]
fn nothing_leaves_before_it_is_stored_and_restarts_find_it() {
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
    let failed = one.poll_store().unwrap().number;
    assert_eq!((one.poll_store(), one.storing(), one.is_stored()), (None, 1, false));
    assert!(one.store_failed(NOW, failed) && !one.store_failed(NOW, failed) && !one.stored(failed));
    assert_eq!((one.poll_transmit(), one.storing(), one.is_stored()), (None, 0, false));
    assert_eq!(one.poll_store(), None, "it is too early to try again");
    one.handle_timeout(RETRY);
    assert_eq!(one.poll_transmit().map(|(to, _)| to), Some(Recipient::All), "a hello");
    assert_eq!(one.frame_since(one.id(), 0, 0), None);
    // The version vector is a header and a digest.
    assert_eq!(one.version_vector_packets().concat().len(), 80 + 88);
    let number = write_to(&mut store, &mut one);
    assert_eq!(one.poll_transmit(), None);
    // What is in the transaction leaves. A later version stays.
    producer.accum(4, 1);
    one.tick();
    assert!(!one.stored(number + 1) && one.stored(number));
    assert!(!one.stored(number), "a transaction is confirmed once");
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(two.merged()[4], 5);

    drop(one);
    let (mut again, mut producer) = start(2, &store);
    assert_eq!((again.merged()[4], again.view().read(4)), (5, 5));
    producer.accum(4, 10);
    again.tick();
    let number = write_to(&mut store, &mut again);
    assert!(again.stored(number) && again.poll_store().is_none() && again.is_stored());
    two.receive(NOW, Peer(1), &sent(&mut again)).unwrap();
    assert_eq!((again.merged()[4], two.merged()[4]), (15, 15));

    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let reused = Replica::restore(&cluster(), local, origin(1), store.values()).map(drop);
    assert_eq!(reused, Err(ReplicaError::IncarnationReused { id: origin(1) }));
}

/// Node 2 has an empty store. It received two shards from node 1, with a state of 1 in one and of 2 in the other, and
/// node 3 has asked it for both.
fn asked_for_what_is_not_stored() -> (Replica<Xor>, Replica<Xor>, Replica<Xor>) {
    let local = Arc::new(TableFanIn::new(LEN));
    let mut two = Replica::restore(&cluster(), local, origin(2), Store::new().values()).unwrap();
    let ((mut one, mut producer), mut three) = (node::<Xor>(1), node::<Xor>(3).0);
    producer.accum(0, 1);
    producer.accum(64, 2);
    one.tick();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    three.receive(NOW, Peer(2), &one.version_vector_packets().concat()).unwrap();
    two.receive(NOW, Peer(3), &sent(&mut three)).unwrap();
    assert_eq!(two.poll_transmit(), None);
    (one, two, three)
}

#[test]
fn an_answer_leaves_as_it_was_stored_although_a_later_version_arrived() {
    let (mut one, mut two, mut three) = asked_for_what_is_not_stored();
    let number = two.poll_store().unwrap().number;
    one.put(0, 5).unwrap();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(two.merged()[0], 5);
    assert!(two.stored(number));
    three.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!([0, 64].map(|addr| three.merged()[addr]), [1, 2]);
}

#[test]
fn a_shard_that_was_refetched_has_to_be_stored_again() {
    let (mut one, mut two, mut three) = asked_for_what_is_not_stored();
    let number = two.poll_store().unwrap().number;
    two.refetch(origin(1), 0, Peer(1)).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert!(two.stored(number));
    // The version is the same as before, but its content may not be what the store was given.
    let again = two.poll_store().unwrap();
    assert_eq!(again.shards.iter().map(|shard| shard.shard).collect::<Vec<_>>(), [0]);
    three.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!([0, 64].map(|addr| three.merged()[addr]), [0, 2]);
}

/// A disk that is slower than the loop: two transactions are in flight all the time.
#[test]
fn a_confirmation_counts_although_later_transactions_began() {
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let mut producer = local.producer_owned();
    let mut one = Replica::restore(&cluster(), local, origin(1), Store::new().values()).unwrap();
    let mut two = node::<Add>(2).0;
    let (mut writing, mut shards) = (std::collections::VecDeque::new(), 0);
    for turn in 0..1_000 {
        // One shard changes all the time, another one once.
        producer.accum(0, 1);
        if turn == 1 {
            producer.accum(64, 1);
        }
        one.tick();
        if let Some(transaction) = one.poll_store() {
            shards += transaction.shards.len();
            writing.push_back(transaction.number);
        }
        if turn % 3 == 2 {
            assert!(writing.pop_front().is_none_or(|number| one.stored(number)));
        }
        two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    }
    assert_eq!(two.merged()[64], 1);
    assert!((990..=1_000).contains(&two.merged()[0]), "{} of 1,000", two.merged()[0]);
    assert!((300..400).contains(&shards), "{shards} shards written");
}

#[test]
fn what_a_failed_transaction_had_is_in_the_next_one() {
    let (mut one, mut two, mut three) = asked_for_what_is_not_stored();
    two.put(130, 4).unwrap();
    let failed = two.poll_store().unwrap();
    // A later version of one of the shards arrives before the failure is known.
    one.put(0, 5).unwrap();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!((two.poll_store(), two.poll_transmit()), (None, None));
    assert!(two.store_failed(NOW, failed.number));
    two.receive(RETRY, Peer(1), &[]).unwrap();
    let again = two.poll_store().unwrap();
    let keys = |transaction: &Transaction| -> Vec<_> {
        transaction.shards.iter().map(|shard| (shard.origin, shard.shard)).collect()
    };
    assert_eq!(keys(&again), keys(&failed));
    assert!(two.stored(again.number) && two.is_stored());
    // The answers and the announcement leave, as if the first write had not been tried.
    let received = three.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!((received.applied, received.gaps), (3, 0));
    assert_eq!([0, 64, 130].map(|addr| three.merged()[addr]), [5, 2, 4]);
}

#[test]
fn a_transaction_has_no_more_shards_than_its_length_allows() {
    // All shards but the last one have the same length.
    let transactions = |bound| {
        let local = Arc::new(TableFanIn::<Xor>::new(LEN));
        let mut producer = local.producer_owned();
        (0..LEN).for_each(|addr| producer.accum(addr, 1));
        let bounded = cluster().with_transaction_len(bound);
        let mut one = Replica::restore(&bounded, local, origin(1), Store::new().values()).unwrap();
        one.tick();
        let transactions: Vec<_> = std::iter::from_fn(|| one.poll_store()).collect();
        assert_eq!(one.storing(), transactions.len());
        transactions.iter().rev().for_each(|transaction| assert!(one.stored(transaction.number)));
        assert!(one.is_stored());
        transactions.into_iter().map(|transaction| transaction.shards).collect::<Vec<_>>()
    };
    let shard: usize = transactions(1)[0][0].parts.iter().map(|part| part.bytes.len()).sum();
    for (bound, most) in [(0, 1), (1, 1), (shard, 1), (shard + 1, 2), (1 << 20, 16)] {
        let shards: Vec<usize> = transactions(bound).iter().map(Vec::len).collect();
        assert!(shards.iter().all(|&shards| shards <= most), "{shards:?}");
        assert_eq!((shards[0], shards.iter().sum::<usize>()), (most, 16));
    }
}

#[test]
fn nothing_is_sent_to_a_peer_that_was_removed() {
    let (_, mut two, mut three) = asked_for_what_is_not_stored();
    // In turn: an answer that waits for the store, one that is withheld, requests, and what the transport asked for.
    let number = two.poll_store().unwrap().number;
    two.receive(NOW, Peer(3), &three.version_vector_packets().concat()).unwrap();
    two.hello(Recipient::Peer(Peer(3)));
    two.send_version_vector(Recipient::Peer(Peer(3)));
    two.remove_peer(Peer(3));
    assert!(two.stored(number));
    assert_eq!(two.poll_transmit(), None);
    // What the peer asks afterwards is answered.
    three.hello(Recipient::All);
    two.receive(NOW, Peer(3), &sent(&mut three)).unwrap();
    assert!(two.poll_transmit().is_some());
}

#[test]
fn sections_that_wait_for_the_store_are_bounded() {
    let local = Arc::new(TableFanIn::<Xor>::new(LEN));
    let mut producer = local.producer_owned();
    // Three frames of shards in which every word changed.
    let bounded = cluster().with_max_withheld(3 * (80 + 64 * 16) + 700);
    let mut one = Replica::restore(&bounded, local, origin(1), Store::new().values()).unwrap();
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    one.tick();
    let number = one.poll_store().unwrap().number;
    assert!(one.stored(number));
    assert_eq!(sent(&mut one).len(), 3 * (80 + 64 * 16));
}

/// The order of the shards makes no difference.
#[test]
fn a_store_with_as_many_origins_as_the_bound_allows_can_be_used() {
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
        one.receive(NOW, Peer(other), &sent(&mut peer)).unwrap();
    }
    let changed = one.poll_store().unwrap().shards;
    let mut shards: Vec<Vec<u8>> =
        changed.into_iter().flat_map(|shard| shard.parts).map(|part| part.bytes).collect();
    for _ in 0..shards.len() {
        shards.rotate_left(1);
        let again = resume(&shards).unwrap();
        assert_eq!((again.origins(), again.merged()[0]), (3, 6));
    }
    // A store never keeps its node from starting: the bound is for what comes from others.
    let mut anew =
        Replica::restore(&bounded, Arc::new(TableFanIn::<Add>::new(LEN)), origin(9), &shards).unwrap();
    assert_eq!((anew.origins(), anew.merged()[0]), (4, 6));
    let (mut peer, _producer) = node::<Add>(8);
    peer.put(0, 1).unwrap();
    assert_eq!(anew.receive(NOW, Peer(8), &sent(&mut peer)).unwrap().over_bound, 1);
}

#[test]
fn damaged_shards_of_a_store_are_refused() {
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
            Err(error) => Err(error),
        }
    };
    let shards: Vec<Vec<u8>> = store.into_values().collect();
    assert_eq!(restore(shards.clone()), Ok((5, 6)));
    assert_eq!(
        restore([shards.clone(), shards[..1].to_vec()].concat()),
        Err(ReplicaError::StoredTwice { origin: origin(1), shard: 1 })
    );
    for part in 0..shards.len() {
        for at in 0..shards[part].len() {
            let mut damaged = shards.clone();
            damaged[part][at] ^= 0x10;
            assert!(restore(damaged.clone()).is_err(), "byte {at} of part {part}");
            damaged[part].truncate(at);
            assert!(restore(damaged).is_err(), "up to byte {at} of part {part}");
        }
    }
    // The form in which a shard is stored is refused in packets.
    let (mut two, _b) = node::<Xor>(2);
    assert_eq!(two.receive(NOW, Peer(1), &shards[0]).map(|received| received.unsupported), Ok(1));
    let kind = PacketErrorKind::Unsupported { field: PacketField::Kind, found: 6 };
    assert_eq!(two.poll_event(), Some(Event::Skipped { peer: Peer(1), kind }));
}

/// What is written follows what changed, and restarts find all of it.
#[test]
fn one_changed_word_writes_its_block_and_no_more() {
    let timing = Timing::new().with_store_retry(Duration::ZERO);
    let cluster = ClusterConfig::new("blocks", 8_192).with_timing(timing);
    let start = |incarnation, store: &Store| {
        let local = Arc::new(TableFanIn::<Add>::new(8_192));
        let producer = local.producer_owned();
        (
            Replica::restore(&cluster, local, ReplicaId { node: 1, incarnation }, store.values()).unwrap(),
            producer,
        )
    };
    let mut store = Store::new();
    let (mut one, mut producer) = start(1, &store);
    (0..8_192).for_each(|addr| producer.accum(addr, 1));
    one.tick();
    let number = write_to(&mut store, &mut one);
    assert!(one.stored(number));
    let mut expected = vec![1; 8_192];
    for round in 0..50 {
        let addr = round * 97 % 8_192;
        producer.accum(addr, 1);
        expected[addr] += 1;
        one.tick();
        let transaction = one.poll_store().unwrap();
        let changed = &transaction.shards[0];
        let len: usize = changed.parts.iter().map(|part| part.bytes.len()).sum();
        assert_eq!((transaction.shards.len(), changed.parts.len(), changed.replaces), (1, 2, false));
        assert_eq!(len, 80 + 16 + 80 + 64 * 8);
        // Each third write fails: what it had is in a later one.
        if round % 3 == 0 {
            assert!(one.store_failed(NOW, transaction.number));
            let number = write_to(&mut store, &mut one);
            assert!(one.stored(number));
        } else {
            transaction.shards.into_iter().for_each(|shard| write(&mut store, shard));
            assert!(one.stored(transaction.number));
        }
        if round % 10 == 9 {
            drop(one);
            (one, producer) = start(2 + round as u64, &store);
            assert_eq!(one.merged(), expected);
            // The plane of the last start is another origin's now. This start adds to a plane of its own.
            (0..8_192).for_each(|addr| producer.accum(addr, 1));
            expected.iter_mut().for_each(|state| *state += 1);
            one.tick();
            let number = write_to(&mut store, &mut one);
            assert!(one.stored(number));
        }
    }
}
