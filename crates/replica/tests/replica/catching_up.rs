//! Replicas that missed something get it, and little more.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, TableFanIn, Xor};
use atomik_replica::{ClusterConfig, Event, Peer, Recipient, Replica, ReplicaError};

use crate::wire::sections;
use crate::{LEN, NOW, catch_up, exchange, node, origin, sent};

#[test]
fn a_late_replica_gets_everything_and_a_returning_one_what_changed() {
    let (mut one, mut producer) = node::<Add>(1);
    (0..LEN).for_each(|addr| producer.accum(addr, addr as u64));
    one.tick();
    sent(&mut one);
    let (mut late, _b) = node::<Add>(2);
    let all = catch_up(&mut late, &mut one);
    assert_eq!(late.merged(), one.merged());

    producer.accum(700, 1);
    one.tick();
    sent(&mut one);
    let changed = catch_up(&mut late, &mut one);
    assert_eq!(late.merged()[700], 701);
    // A request, and an answer with one shard of 64 words.
    assert_eq!(changed, 80 + 80 + 64 * 16);
    assert!(changed * 10 < all);

    // A third gets everything from the second, which wrote none of it.
    let (mut third, _c) = node::<Add>(3);
    catch_up(&mut third, &mut late);
    assert_eq!(third.merged(), one.merged());
}

#[test]
fn only_the_changed_blocks_of_a_large_shard_are_sent() {
    let cluster = ClusterConfig::new("large shards", 4_096);
    let start = |node| {
        let local = Arc::new(TableFanIn::<Add>::new(4_096));
        let producer = local.producer_owned();
        (Replica::new(&cluster, local, origin(node)).unwrap(), producer)
    };
    let ((mut one, mut producer), (mut two, _b)) = (start(1), start(2));
    (0..4_096).for_each(|addr| producer.accum(addr, 1));
    one.tick();
    sent(&mut one);
    assert_eq!(catch_up(&mut two, &mut one), 80 + 80 + 16 * 4_096);
    // Fifty versions of three words in two blocks.
    for _ in 0..50 {
        [70, 100, 4_000].into_iter().for_each(|addr| producer.accum(addr, 1));
        one.tick();
        sent(&mut one);
    }
    assert_eq!(catch_up(&mut two, &mut one), 80 + 80 + 2 * 16 * 64);
    assert_eq!(two.merged(), one.merged());
    assert_eq!(catch_up(&mut two, &mut one), 0);
}

#[test]
fn catching_up_continues_where_it_was_interrupted() {
    let (mut one, mut producer) = node::<Add>(1);
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    one.tick();
    sent(&mut one);
    let (mut late, _b) = node::<Add>(2);
    late.receive(NOW, Peer(1), &one.version_vector_packets().concat()).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut late)).unwrap();
    // The answers are a frame for each shard of 64 words. Ten of them arrive, then the link fails.
    let answers = sent(&mut one);
    let frame = 80 + 64 * 16;
    assert_eq!(late.receive(NOW, Peer(1), &answers[..10 * frame]).unwrap().applied, 10);
    assert_ne!(late.merged(), one.merged());

    // Another peer, which has everything from the first, sends the rest, once the answers of the first are overdue.
    let (mut other, _c) = node::<Add>(3);
    catch_up(&mut other, &mut one);
    assert_eq!(catch_up(&mut late, &mut other), 0);
    late.receive(Duration::from_secs(1), Peer(9), &[]).unwrap();
    let moved = catch_up(&mut late, &mut other);
    assert_eq!(late.merged(), one.merged());
    let shards = LEN.div_ceil(64);
    assert_eq!(moved, (shards - 10) * 80 + answers.len() - 10 * frame);
}

#[test]
fn a_lost_announcement_is_seen_as_a_gap_and_requested() {
    let ((mut one, mut producer), (mut two, _b)) = (node::<Xor>(1), node::<Xor>(2));
    producer.accum(0, 1);
    one.tick();
    sent(&mut one);
    producer.accum(1, 2);
    one.tick();
    let received = two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!((received.applied, received.gaps), (0, 1));
    assert_eq!(two.merged()[1], 0);
    let (to, request) = two.poll_transmit().unwrap();
    assert_eq!(to, Recipient::Peer(Peer(1)));
    one.receive(NOW, Peer(2), &request).unwrap();
    let (to, answer) = one.poll_transmit().unwrap();
    assert_eq!(to, Recipient::Peer(Peer(2)));
    two.receive(NOW, Peer(1), &answer).unwrap();
    assert_eq!(two.merged()[..2], [1, 2]);
}

#[test]
fn a_heartbeat_has_a_section_for_each_run_of_shards_that_changed() {
    let (mut one, mut producer) = node::<Xor>(1);
    let heartbeat = |one: &mut Replica<Xor>| {
        one.heartbeat(0);
        std::iter::from_fn(|| one.poll_transmit()).map(|(_, packet)| packet.len()).collect::<Vec<_>>()
    };
    assert_eq!(heartbeat(&mut one), []);
    for changed in [vec![0], vec![0, 1], vec![1, 3], vec![0, 1, 2, 5, 6, 9]] {
        changed.iter().for_each(|shard| producer.accum(64 * shard, 1));
        one.tick();
        let frames = sent(&mut one);
        let runs = changed.chunk_by(|a, b| a + 1 == *b).count();
        assert_eq!(heartbeat(&mut one), [80 * runs + 8 * changed.len()]);
        assert_eq!(heartbeat(&mut one), []);
        assert!(!frames.is_empty());
    }
}

#[test]
fn digests_detect_a_divergence_and_refetching_repairs_it() {
    let ((mut one, mut producer), (mut two, _b)) = (node::<Xor>(1), node::<Xor>(2));
    (0..LEN).for_each(|addr| producer.accum(addr, 1 + addr as u64));
    one.tick();
    let frames = sent(&mut one);
    two.receive(NOW, Peer(1), &frames).unwrap();
    // Another process under the same id makes other content under the same version.
    let (mut twin, mut other) = node::<Xor>(1);
    other.accum(100, 0xBAD);
    twin.tick();
    let (mut three, _c) = node::<Xor>(3);
    three.receive(NOW, Peer(1), &sent(&mut twin)).unwrap();
    catch_up(&mut three, &mut one);
    assert_ne!(three.merged(), one.merged());

    two.heartbeat(two.shards());
    let digests = sent(&mut two);
    // Events that nobody polls are kept up to a bound of 1,024.
    for _ in 0..1_030 {
        three.receive(NOW, Peer(2), &digests).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| three.poll_event()).count(), 1_024);

    three.receive(NOW, Peer(2), &digests).unwrap();
    let event = three.poll_event();
    let Some(Event::Diverged { origin, shard, version, peer, ours, theirs }) = event else {
        panic!("{event:?}");
    };
    assert_eq!((origin, shard, version, peer), (self::origin(1), 1, 1, Peer(2)));
    assert_eq!(Some(ours), three.digest(origin, shard).map(|digest| digest.digest));
    assert_eq!(Some(theirs), two.digest(origin, shard).map(|digest| digest.digest));
    assert_eq!(three.poll_event(), None);

    three.refetch(origin, shard, peer).unwrap();
    let request = sent(&mut three);
    two.receive(NOW, Peer(3), &request).unwrap();
    let answer = sent(&mut two);
    three.receive(NOW, Peer(2), &answer).unwrap();
    assert_eq!(three.merged(), one.merged());
    assert!((0..LEN).all(|addr| three.view().read(addr) == one.merged()[addr]));
    assert_eq!(request.len() + answer.len(), 80 + 80 + 64 * 16);

    assert_eq!(three.refetch(self::origin(3), 0, peer), Err(ReplicaError::OwnShard { shard: 0 }));
    let unknown = ReplicaError::UnknownShard { origin: self::origin(9), shard: 0 };
    assert_eq!(three.refetch(self::origin(9), 0, peer), Err(unknown));
}

#[test]
fn a_shard_that_is_refetched_does_not_leave() {
    let ((mut one, mut producer), (mut two, _b)) = (node::<Xor>(1), node::<Xor>(2));
    [0, 64].into_iter().for_each(|addr| producer.accum(addr, 1));
    one.tick();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    // Both ask for both shards. The answers are written together, and one packet is polled.
    let (mut three, mut four) = (node::<Xor>(3).0, node::<Xor>(4).0);
    for (name, requester) in [(3, &mut three), (4, &mut four)] {
        requester.receive(NOW, Peer(2), &two.version_vector_packets().concat()).unwrap();
        two.receive(NOW, Peer(name), &sent(requester)).unwrap();
    }
    let (to, answer) = two.poll_transmit().unwrap();
    assert_eq!(to, Recipient::Peer(Peer(3)));
    three.receive(NOW, Peer(2), &answer).unwrap();

    two.refetch(origin(1), 0, Peer(1)).unwrap();
    four.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!([0, 64].map(|addr| four.merged()[addr]), [0, 1]);
}

#[test]
fn a_peer_is_awaited_until_it_has_what_was_here() {
    let ((mut one, mut at_one), (mut two, mut at_two)) = (node::<Add>(1), node::<Add>(2));
    at_one.accum(5, 1);
    at_one.accum(900, 1);
    one.tick();
    assert_eq!(one.lacking(Peer(2)), 0, "nobody waits for it");
    one.await_peer(Peer(2));
    assert_eq!(one.lacking(Peer(2)), 2);
    // Its version vector says that it has nothing; then a frame is lost.
    let announced = sections(&sent(&mut one));
    let frames: Vec<&Vec<u8>> = announced.iter().filter(|section| section[5] == 1).collect();
    two.receive(NOW, Peer(1), frames[0]).unwrap();
    one.receive(NOW, Peer(2), &two.version_vector_packets().concat()).unwrap();
    assert_eq!(one.lacking(Peer(2)), 1);
    // What is written later is not awaited, and neither does it hide that the rest arrived.
    at_two.accum(6, 1);
    at_one.accum(5, 1);
    one.tick();
    two.tick();
    two.receive(NOW, Peer(1), frames[1]).unwrap();
    one.receive(NOW, Peer(2), &two.version_vector_packets().concat()).unwrap();
    assert_eq!(one.lacking(Peer(2)), 0);
    // Equal version vectors are told by a digest.
    exchange(&mut one, &mut two);
    one.await_peer(Peer(2));
    assert!(one.lacking(Peer(2)) > 0);
    let asked = sent(&mut one);
    two.receive(NOW, Peer(1), &asked).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!(one.lacking(Peer(2)), 0);
    one.await_peer(Peer(2));
    one.remove_peer(Peer(2));
    assert_eq!(one.lacking(Peer(2)), 0);
}
