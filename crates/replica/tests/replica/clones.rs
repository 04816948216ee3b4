//! Another instance under the own id is noticed, and stops this one.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, TableFanIn, TableProducer};
use atomik_replica::{Event, Peer, Recipient, Replica, ReplicaError, ReplicaId};

use crate::wire::{fix_checksums, sections};
use crate::{LEN, NOW, catch_up, cluster, exchange, node, origin, sent};

fn new_id(node: u64, incarnation: u64) -> ReplicaId {
    ReplicaId { node, incarnation }
}

/// A node starts again under its old id, without a store, and does not listen first.
#[test]
fn a_reused_id_is_noticed_and_stops_until_there_is_a_new_one() {
    let ((mut one, mut producer), (mut two, _b)) = (node::<Add>(1), node::<Add>(2));
    for _ in 0..3 {
        producer.accum(0, 10);
        exchange(&mut one, &mut two);
    }
    assert_eq!(two.version(origin(1), 0), 3);
    drop(one);
    let (mut one, mut producer) = node::<Add>(1);
    let view = one.view();
    producer.accum(1, 1);
    exchange(&mut one, &mut two);
    let cloned = Event::Cloned { shard: 0, found: 3, own: 1, peer: Peer(2) };
    assert_eq!((one.poll_event(), one.is_cloned()), (Some(cloned), true));
    let denied = Event::VersionDenied { origin: origin(1), shard: 0, version: 3, made: 1, peer: Peer(1) };
    assert_eq!(two.poll_event(), Some(denied));

    // From here on, nothing is made or sent under the id, whatever arrives, and nothing is lost.
    for round in 0..5 {
        producer.accum(1, 100);
        assert_eq!(one.tick(), 0);
        assert_eq!(one.put(3, 1), Err(ReplicaError::ClonedIdentity { id: origin(1) }));
        assert_eq!(one.load(3, 1), Err(ReplicaError::ClonedIdentity { id: origin(1) }));
        one.heartbeat(8);
        one.send_version_vector(Recipient::All);
        two.send_version_vector(Recipient::All);
        let packet = sent(&mut one);
        for section in sections(&packet) {
            let is_own = section[16..32] == [[0, 0, 0, 0, 0, 0, 0, 1]; 2].concat();
            // That of merged states is no statement about the own plane. Neither is an empty version vector, which is
            // the answer of a replica that knows nothing.
            assert!(!is_own || matches!(section[5], 9 | 10) || section[56..60] == [0; 4], "{section:?}");
        }
        two.receive(NOW, Peer(1), &packet).unwrap();
        one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
        assert_eq!((two.version(origin(1), 0), view.read(1)), (3, 1 + 100 * (round + 1)));
        assert_eq!(one.frame_since(origin(1), 0, 0), None);
        assert_eq!(one.poll_event(), None, "the event comes once");
    }

    one.renew(2).unwrap();
    assert_eq!((one.id(), one.is_cloned()), (new_id(1, 2), false));
    exchange(&mut one, &mut two);
    assert_eq!(one.merged(), two.merged());
    // What the clone had ticked gave way to what the first instance had made. What was not ticked is all there.
    assert_eq!((two.merged()[0], two.merged()[1]), (30, 500));
    assert!((0..LEN).all(|addr| view.read(addr) == one.merged()[addr]));
    one.put(3, 7).unwrap();
    exchange(&mut one, &mut two);
    assert_eq!(two.merged()[3], 7);
}

#[test]
fn two_instances_that_run_at_once_notice_each_other() {
    let ((mut one, _a), (mut clone, mut producer)) = (node::<Add>(1), node::<Add>(1));
    producer.accum(70, 1);
    clone.tick();
    let received = one.receive(NOW, Peer(2), &sent(&mut clone)).unwrap();
    assert_eq!((received.cloned, received.applied), (1, 0));
    assert_eq!(one.poll_event(), Some(Event::Cloned { shard: 1, found: 1, own: 0, peer: Peer(2) }));
    assert_eq!(one.merged()[70], 0);
    // The other one hears that its version is denied.
    clone.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert!(clone.is_cloned());
    assert_eq!(clone.poll_event(), Some(Event::Cloned { shard: 1, found: 0, own: 1, peer: Peer(1) }));
    let received = one.receive(NOW, Peer(2), &clone.version_vector_packets().concat()).unwrap();
    assert_eq!(received.cloned, 0);
}

#[test]
fn what_waits_to_be_sent_under_a_cloned_id_is_dropped() {
    let start = |incarnation| {
        let none: [&[u8]; 0] = [];
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        let producer = local.producer_owned();
        (Replica::restore(&cluster(), local, new_id(1, incarnation), none).unwrap(), producer)
    };
    let cloned = |replica: &mut Replica<Add>| {
        let (mut clone, mut producer): (_, TableProducer<'static, Add>) = start(1);
        (0..9).for_each(|_| {
            producer.accum(0, 1);
            clone.tick();
        });
        let stored = clone.poll_store().unwrap().number;
        assert!(clone.stored(stored));
        assert_eq!(
            replica.receive(NOW, Peer(9), &clone.version_vector_packets().concat()).unwrap().cloned,
            1
        );
    };
    // Without a store: announcements, answers and a heartbeat, polled or not.
    let (mut one, mut producer) = node::<Add>(1);
    let mut late = node::<Add>(2).0;
    producer.accum(0, 1);
    one.tick();
    late.receive(NOW, Peer(1), &one.version_vector_packets().concat()).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut late)).unwrap();
    assert!(one.poll_transmit().is_some(), "the announcement");
    producer.accum(0, 1);
    one.tick();
    one.heartbeat(4);
    cloned(&mut one);
    late.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(late.version_vector().count(), 0);

    // With a store: what waited for it. The store keeps the versions all the same.
    let (mut one, mut producer) = start(1);
    producer.accum(0, 1);
    one.tick();
    let number = one.poll_store().unwrap().number;
    cloned(&mut one);
    assert!(one.stored(number));
    late.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!(late.version_vector().count(), 0);
    one.renew(7).unwrap();
    one.heartbeat(0);
    // What was asked before is overdue.
    late.receive(NOW + Duration::from_secs(60), Peer(1), &sent(&mut one)).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut late)).unwrap();
    late.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert_eq!((late.version(new_id(1, 1), 0), late.merged()[0]), (1, 1));
}

#[test]
fn a_replica_can_be_renewed_at_any_time_and_in_bounds() {
    let (mut one, mut producer) = node::<Add>(1);
    let mut two = node::<Add>(2).0;
    assert_eq!(one.renew(1), Err(ReplicaError::IncarnationReused { id: origin(1) }));
    one.renew(5).unwrap();
    assert_eq!(one.origins(), 1, "a plane that was never written is not kept");
    producer.accum(0, 1);
    one.tick();
    // The announcement waits, and is not lost.
    one.renew(6).unwrap();
    producer.accum(0, 2);
    exchange(&mut one, &mut two);
    assert_eq!((one.origins(), two.merged()[0]), (2, 3));
    assert_eq!(one.renew(5), Err(ReplicaError::IncarnationReused { id: new_id(1, 5) }));

    let bounded = cluster().with_max_origins(1);
    let mut one = Replica::new(&bounded, Arc::new(TableFanIn::<Add>::new(LEN)), origin(1)).unwrap();
    one.renew(2).unwrap();
    one.put(0, 1).unwrap();
    assert_eq!(one.renew(3), Err(ReplicaError::TooManyOrigins { bound: 1 }));
    assert_eq!((one.id(), one.merged()[0]), (new_id(1, 2), 1));
}

/// A bit of a version flips at one holder. The origin hears of it, and no origin is hidden from anybody.
#[test]
fn a_damaged_version_at_one_holder_hides_no_other_origin_and_is_repaired() {
    let ((mut holder, _a), (mut two, mut producer)) = (node::<Add>(1), node::<Add>(2));
    producer.accum(0, 1);
    two.tick();
    // What another holder with a flipped bit in its version answers.
    let mut frame = sent(&mut two);
    frame[48] ^= 0x40;
    fix_checksums(&mut frame);
    assert_eq!(holder.receive(NOW, Peer(7), &frame).unwrap().applied, 1);
    let (mut five, mut at_five) = node::<Add>(5);
    at_five.accum(1, 7);
    five.tick();
    holder.receive(NOW, Peer(5), &sent(&mut five)).unwrap();
    drop(five);
    producer.accum(0, 100);
    two.tick();
    assert_eq!(holder.receive(NOW, Peer(2), &sent(&mut two)).unwrap().known, 1);

    // The version vector of the holder names origin 5 after origin 2.
    catch_up(&mut two, &mut holder);
    assert_eq!(two.merged()[1], 7);
    let (version, made, shard) = ((1 << 62) + 1, 2, 0);
    let cloned = Event::Cloned { shard, found: version, own: made, peer: Peer(1) };
    assert_eq!(two.poll_event(), Some(cloned));
    // The holder is told, and does not take the later versions for known in silence.
    let denied = Event::VersionDenied { origin: origin(2), shard, version, made, peer: Peer(2) };
    assert_eq!(holder.poll_event(), Some(denied));
    // Under a new id, what comes next is new to everyone.
    two.renew(9).unwrap();
    producer.accum(2, 5);
    two.tick();
    holder.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!(holder.merged()[2], 5);
    // The copy of the old plane is fetched from the one that made it, at its version.
    holder.refetch(origin(2), shard, Peer(2)).unwrap();
    two.receive(NOW, Peer(1), &sent(&mut holder)).unwrap();
    holder.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!((holder.version(origin(2), shard), holder.merged()[0]), (2, 101));
    assert_eq!(holder.merged(), two.merged());
}
