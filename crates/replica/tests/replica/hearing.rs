//! When a peer was heard out.

use std::sync::Arc;

use atomik_core::{Add, TableFanIn, TableProducer};
use atomik_replica::{Peer, Recipient, Replica};

use crate::{LEN, NOW, cluster, node, origin, sent};

/// A replica whose packets have at most 120 bytes, and which wrote to all of its table.
fn writer() -> (Replica<Add>, TableProducer<'static, Add>) {
    let local = Arc::new(TableFanIn::new(LEN));
    let mut producer = local.producer_owned();
    let mut replica = Replica::new(&cluster().with_packet_len(120), local, origin(1)).unwrap();
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    replica.tick();
    drop(sent(&mut replica));
    (replica, producer)
}

#[test]
fn a_heartbeat_and_a_lost_question_do_not_count_as_a_peer_that_was_heard_out() {
    let ((mut one, mut producer), (mut two, _b)) = (writer(), node::<Add>(2));
    one.heartbeat(0);
    drop(sent(&mut one));
    producer.accum(0, 1);
    one.tick();
    one.heartbeat(4);
    let received = two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert!(received.version_vector && !received.heard_out);
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    // Nothing in this heartbeat is new, and yet most of the table is not here.
    producer.accum(1, 1);
    one.tick();
    one.heartbeat(4);
    let received = two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    assert!(received.version_vector && received.behind == 0 && !received.heard_out);
    assert!(two.merged().iter().filter(|state| **state != 0).count() < LEN / 2);
}

/// Passes packets in both directions until none is left. Returns whether `late` heard the other one out.
fn exchange(late: &mut Replica<Add>, one: &mut Replica<Add>) -> bool {
    let mut heard_out = false;
    loop {
        let (from_late, from_one) = (sent(late), sent(one));
        if from_late.is_empty() && from_one.is_empty() {
            return heard_out;
        }
        one.receive(NOW, Peer(2), &from_late).unwrap();
        heard_out |= late.receive(NOW, Peer(1), &from_one).unwrap().heard_out;
    }
}

#[test]
fn a_peer_is_heard_out_when_all_that_it_has_is_here() {
    let ((mut one, _a), (mut late, mut producer)) = (writer(), node::<Add>(2));
    late.hello(Recipient::All);
    assert!(!exchange(&mut late, &mut one), "what it has is only on its way");
    assert_eq!(late.merged(), one.merged());
    late.hello(Recipient::All);
    assert!(exchange(&mut late, &mut one), "the digests are equal");
    // The late one knows more than the other, whose whole version vector is needed then.
    producer.accum(0, 1);
    late.tick();
    drop(sent(&mut late));
    late.hello(Recipient::All);
    assert!(exchange(&mut late, &mut one));
}

#[test]
fn no_section_of_a_version_vector_may_be_missing() {
    let ((mut one, _a), (mut late, mut producer)) = (writer(), node::<Add>(2));
    late.hello(Recipient::All);
    exchange(&mut late, &mut one);
    producer.accum(0, 1);
    late.tick();
    let packets = one.version_vector_packets();
    assert!(packets.len() > 2 && packets.iter().all(|packet| packet.len() <= 120));
    for lost in 0..=packets.len() {
        let rest = packets.iter().enumerate().filter(|(at, _)| *at != lost);
        let heard_out: Vec<bool> =
            rest.map(|(_, packet)| late.receive(NOW, Peer(1), packet).unwrap().heard_out).collect();
        let (last, earlier) = heard_out.split_last().unwrap();
        assert!(!earlier.contains(&true));
        assert_eq!(*last, lost == packets.len(), "{lost} of {}", packets.len());
        // The section of another peer is not the one that is missing.
        if let Some(packet) = packets.get(lost) {
            assert!(!late.receive(NOW, Peer(3 + lost as u64), packet).unwrap().heard_out);
        }
    }
}
