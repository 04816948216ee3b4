//! One refusal stops nothing else.

use std::sync::Arc;

use atomik_core::{Add, TableFanIn, TableProducer, Xor};
use atomik_replica::{Event, PacketErrorKind, PacketField, Peer, Replica};

use crate::wire::{fix_checksums, sections};
use crate::{NOW, cluster, exchange, node, origin, sent};

/// A replica that knows the own origin and two more, at most.
fn bounded(node: u64) -> (Replica<Add>, TableProducer<'static, Add>) {
    let local = Arc::new(TableFanIn::new(crate::LEN));
    let producer = local.producer_owned();
    (Replica::new(&cluster().with_max_origins(3), local, origin(node)).unwrap(), producer)
}

#[test]
fn an_origin_over_the_bound_does_not_hide_the_origins_that_are_known() {
    let ((mut hub, mut at_hub), (mut far, mut at_far)) = (node::<Add>(1), node::<Add>(900));
    let (mut small, _a) = bounded(2);
    at_hub.accum(0, 1);
    at_far.accum(0, 10);
    exchange(&mut far, &mut hub);
    exchange(&mut hub, &mut small);
    assert_eq!(small.merged()[0], 11);
    // The name of the newcomer comes before the one of an origin that is known for long.
    let (mut newcomer, mut at_newcomer) = node::<Add>(500);
    at_newcomer.accum(0, 100_000);
    exchange(&mut newcomer, &mut hub);
    at_far.accum(0, 1_000);
    exchange(&mut far, &mut hub);
    exchange(&mut hub, &mut small);
    assert_eq!((hub.merged()[0], small.merged()[0]), (101_011, 1_011));
    let kind = PacketErrorKind::TooManyOrigins { origin: origin(500), bound: 3 };
    assert_eq!(small.poll_event(), Some(Event::Skipped { peer: Peer(1), kind }));
    assert_eq!(small.poll_event(), None);
}

#[test]
fn sections_that_a_later_version_may_add_are_skipped_and_counted() {
    let (mut one, _a) = node::<Xor>(1);
    one.put(3, 7).unwrap();
    let known = sent(&mut one);
    let (mut two, _b) = node::<Xor>(2);
    let mut packet = Vec::new();
    // A kind that is not known, with a body of its own; a flag; a frame with folds.
    for (at, byte) in [(5, 99), (7, 0x80), (67, 2)] {
        let mut section = known.clone();
        section[at] = byte;
        if at == 67 {
            section[5] = 4; // A digest has no folds.
        }
        section.extend([0xAB; 5]);
        let len = (section.len() - 80) as u32;
        section[68..72].copy_from_slice(&len.to_be_bytes());
        fix_checksums(&mut section);
        packet.extend(section);
    }
    packet.extend(&known);
    let received = two.receive(NOW, Peer(1), &packet).unwrap();
    assert_eq!((received.unsupported, received.applied, two.merged()[3]), (3, 1, 7));
    let unsupported = |field, found| PacketErrorKind::Unsupported { field, found };
    let kinds = [
        unsupported(PacketField::Kind, 99),
        unsupported(PacketField::Reserved, 0x80),
        unsupported(PacketField::Folds, 2),
    ];
    for kind in kinds {
        assert_eq!(two.poll_event(), Some(Event::Skipped { peer: Peer(1), kind }));
    }
}

#[test]
fn damage_ends_a_packet_and_the_error_has_what_came_before_it() {
    let (mut one, _a) = node::<Xor>(1);
    [0, 64, 128].into_iter().for_each(|addr| one.put(addr, 7).unwrap());
    let frames = sections(&sent(&mut one));
    let [first, second, third] = frames.try_into().unwrap();
    let (mut two, _b) = node::<Xor>(2);
    let mut damaged = second.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let packet = [first.clone(), first, damaged, third].concat();
    let error = two.receive(NOW, Peer(1), &packet).unwrap_err();
    assert_eq!((error.received.applied, error.received.known), (1, 1));
    assert_eq!(error.at, 2 * second.len());
    assert!(matches!(error.kind, PacketErrorKind::Checksum { field: PacketField::Body, .. }));
    assert_eq!([0, 64, 128].map(|addr| two.merged()[addr]), [7, 0, 0]);
}
