//! A shard that is fetched again stays until its replacement is here.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, TableFanIn};
use atomik_replica::{Event, Peer, Recipient, Replica, ReplicaId, StoredPart};

use crate::{LEN, NOW, cluster, node, origin, sent};

#[test]
fn what_only_this_replica_has_is_not_lost_if_the_peer_lacks_it() {
    let ((mut one, _a), (mut two, _b), (mut dead, mut producer)) =
        (node::<Add>(1), node::<Add>(2), node::<Add>(3));
    producer.accum(0, 42);
    dead.tick();
    one.receive(NOW, Peer(3), &sent(&mut dead)).unwrap();
    drop(dead);
    one.refetch(origin(3), 0, Peer(2)).unwrap();
    assert_eq!((one.merged()[0], one.view().read(0)), (42, 42));
    // The peer is asked with each heartbeat, and given up after eight.
    for _ in 0..9 {
        two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
        one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
        assert_eq!((one.merged()[0], one.poll_event()), (42, None));
        one.heartbeat(0);
    }
    let failed = Event::RefetchFailed { origin: origin(3), shard: 0, peer: Peer(2) };
    assert_eq!(one.poll_event(), Some(failed));
    one.heartbeat(0);
    assert_eq!((sent(&mut one), one.poll_event()), (vec![], None));
    // Then it is like any other shard, and the peer gets it.
    let later = NOW + Duration::from_secs(60);
    two.receive(later, Peer(1), &one.version_vector_packets().concat()).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!((one.merged()[0], two.merged()[0]), (42, 42));
}

#[test]
fn deltas_that_are_made_meanwhile_count() {
    let ((mut one, mut producer), (mut two, _b), (mut three, _c)) =
        (node::<Add>(1), node::<Add>(2), node::<Add>(3));
    three.load(0, 100).unwrap();
    let packet = sent(&mut three);
    one.receive(NOW, Peer(3), &packet).unwrap();
    two.receive(NOW, Peer(3), &packet).unwrap();
    one.refetch(origin(3), 0, Peer(2)).unwrap();
    let question = sent(&mut one);
    assert_eq!(one.view().read(0), 100);
    producer.accum(0, 5);
    one.tick();
    two.receive(NOW, Peer(1), &question).unwrap();
    assert_eq!(one.receive(NOW, Peer(2), &sent(&mut two)).unwrap().applied, 1);
    assert_eq!((one.merged()[0], one.view().read(0)), (105, 105));
    assert_eq!(one.audit(0), 0);
}

#[test]
fn an_old_frame_and_a_frame_of_another_peer_are_not_the_answer() {
    let ((mut one, _a), (mut two, mut producer)) = (node::<Add>(1), node::<Add>(2));
    producer.accum(0, 1);
    two.tick();
    let old = sent(&mut two);
    producer.accum(0, 1);
    two.tick();
    let frame = two.frame_since(origin(2), 0, 0).unwrap();
    one.receive(NOW, Peer(2), &frame).unwrap();
    one.refetch(origin(2), 0, Peer(2)).unwrap();
    assert_eq!(one.receive(NOW, Peer(2), &old).unwrap().known, 1);
    assert_eq!(one.receive(NOW, Peer(9), &frame).unwrap().known, 1);
    assert_eq!(one.receive(NOW, Peer(2), &frame).unwrap().applied, 1);
    assert_eq!((one.receive(NOW, Peer(2), &frame).unwrap().known, one.merged()[0]), (1, 2));
}

#[test]
fn an_answer_that_is_older_than_what_arrived_since_is_not_taken() {
    let ((mut one, _a), (mut two, mut producer)) = (node::<Add>(1), node::<Add>(2));
    producer.accum(0, 1);
    two.tick();
    let old = sent(&mut two);
    one.receive(NOW, Peer(2), &old).unwrap();
    one.refetch(origin(2), 0, Peer(2)).unwrap();
    producer.accum(0, 1);
    two.tick();
    assert_eq!(one.receive(NOW, Peer(2), &sent(&mut two)).unwrap().applied, 1);
    assert_eq!(one.receive(NOW, Peer(2), &old).unwrap().known, 1);
    assert_eq!((one.version(origin(2), 0), one.merged()[0]), (2, 2));
}

#[test]
fn a_lost_question_is_repeated_and_a_later_answer_is_taken() {
    let ((mut one, _a), (mut two, mut producer)) = (node::<Add>(1), node::<Add>(2));
    producer.accum(0, 1);
    two.tick();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    one.refetch(origin(2), 0, Peer(2)).unwrap();
    drop(sent(&mut one));
    producer.accum(0, 1);
    two.tick();
    drop(sent(&mut two));
    one.heartbeat(0);
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(one.receive(NOW, Peer(2), &sent(&mut two)).unwrap().applied, 1);
    assert_eq!((one.version(origin(2), 0), one.merged()[0], one.audit(0)), (2, 2, 0));
}

/// After a crash between the question and the answer, the store has the old copy. Once the answer came, it has to be
/// stored again.
#[test]
fn the_store_keeps_the_old_copy_until_the_answer_is_stored() {
    let mut store = Vec::new();
    let restore = |incarnation, parts: &[StoredPart]| {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        Replica::restore(
            &cluster(),
            local,
            ReplicaId { node: 9, incarnation },
            parts.iter().map(|part| &part.bytes),
        )
        .unwrap()
    };
    let mut one = restore(1, &store);
    let (mut two, mut producer) = node::<Add>(2);
    producer.accum(0, 42);
    two.tick();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    let transaction = one.poll_store().unwrap();
    store.extend(transaction.shards.into_iter().flat_map(|shard| shard.parts));
    assert!(one.stored(transaction.number));
    one.refetch(origin(2), 0, Peer(2)).unwrap();
    assert_eq!(one.poll_store(), None);
    assert_eq!(restore(2, &store).merged()[0], 42);
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    one.send_version_vector(Recipient::All);
    let again = one.poll_store().unwrap();
    assert_eq!((again.shards[0].version, again.shards[0].replaces), (1, true));
}
