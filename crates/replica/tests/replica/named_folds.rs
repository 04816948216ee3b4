//! Folds travel by the names of what was folded.

use std::time::Duration;

use atomik_replica::{PacketErrorKind, PacketField, Peer, Received, Recipient, Replica};

use atomik_core::Add;

use crate::folding::{Node, id, nodes, origins, restored, settle, settle_all, start, store_all};
use crate::store::Store;
use crate::wire::{fix_checksums, sections};
use crate::{NOW, node, sent};

/// The kinds of sections that have totals, and that have a fold by name.
const FRAME: u8 = 1;
const NAMED_FOLD: u8 = 8;

fn of_kind(packet: &[u8], kind: u8) -> Vec<Vec<u8>> {
    sections(packet).into_iter().filter(|section| section[5] == kind).collect()
}

/// Nodes with a delta of the first one at address 5, and the next start of that one, which folds what it hears of. Returns
/// what that one sends after its fold.
fn folded() -> (Vec<Node>, Vec<u8>) {
    let mut nodes = nodes();
    nodes[0].1.accum(5, 7);
    settle_all(&mut nodes);
    nodes[0] = start(1, 2);
    let after = fold(&mut nodes, |_| ());
    (nodes, after)
}

/// Lets the first node hear the reports of the others until it folds, and do something before each. Returns what it sends
/// after that.
fn fold(nodes: &mut [Node], mut before: impl FnMut(&mut Node)) -> Vec<u8> {
    let (first, others) = nodes.split_first_mut().unwrap();
    for _ in 0..10 {
        first.0.hello(Recipient::All);
        let packet = sent(&mut first.0);
        if first.0.cover(1, 0).is_some() {
            return packet;
        }
        for other in &mut *others {
            other.0.receive(NOW, Peer(1), &packet).unwrap();
            other.0.send_version_vector(Recipient::All);
            let answer = sent(&mut other.0);
            before(first);
            first.0.receive(NOW, Peer(other.0.id().node), &answer).unwrap();
        }
    }
    panic!("it does not fold");
}

fn receive(replica: &mut Replica<Add>, section: &[u8]) -> Received {
    replica.receive(NOW, Peer(1), section).unwrap()
}

#[test]
fn a_fold_moves_the_names_of_what_was_folded() {
    let (mut nodes, after) = folded();
    assert!(of_kind(&after, FRAME).is_empty());
    let [named] = of_kind(&after, NAMED_FOLD).try_into().unwrap();
    assert_eq!(named.len(), 80 + 24 + 32);
    let digest = nodes[0].0.digest(id(1, 2), 0);
    for Node(replica, _) in &mut nodes[1..] {
        let received = receive(replica, &named);
        assert_eq!((received.applied, received.gaps), (1, 0));
        assert_eq!(origins(replica), [id(1, 2)]);
        assert_eq!((replica.merged()[5], replica.cover(1, 0)), (7, Some(2)));
        assert_eq!(replica.digest(id(1, 2), 0), digest);
        assert_eq!((receive(replica, &named).known, replica.merged()[5], replica.audit(0)), (1, 7, 0));
    }
}

#[test]
fn what_was_to_be_announced_is_announced_before_the_fold() {
    let mut nodes = nodes();
    nodes[0].1.accum(5, 7);
    settle_all(&mut nodes);
    nodes[0] = start(1, 2);
    let mut sum = 0;
    let after = fold(&mut nodes, |first| {
        first.1.accum(6, 10);
        first.0.tick();
        sum += 10;
    });
    assert!(!of_kind(&after, FRAME).is_empty());
    for Node(replica, _) in &mut nodes[1..] {
        let received = receive(replica, &after);
        assert_eq!((received.gaps, replica.merged()[5], replica.merged()[6]), (0, 7, sum));
        assert_eq!(replica.cover(1, 0), Some(2));
    }
}

#[test]
fn a_fold_of_what_is_not_here_is_a_gap() {
    let (mut nodes, after) = folded();
    let [named] = of_kind(&after, NAMED_FOLD).try_into().unwrap();
    // One has no plane of the start that ended, and one has another version of it.
    for has_other_version in [false, true] {
        let mut other = start(3, 2);
        other.0.end_wait();
        let mut section = named.clone();
        if has_other_version {
            settle(&mut [&mut nodes[1], &mut other]);
            section[80 + 23] += 1;
            fix_checksums(&mut section);
        }
        let states = other.0.merged().to_vec();
        let received = receive(&mut other.0, &section);
        assert_eq!((received.gaps, received.applied), (1, 0));
        assert_eq!((other.0.merged(), other.0.cover(1, 0)), (&*states, None));
        // The frame has the whole.
        nodes[0].0.receive(NOW, Peer(3), &sent(&mut other.0)).unwrap();
        let frame = sent(&mut nodes[0].0);
        assert_eq!(of_kind(&frame, FRAME).len(), 1);
        receive(&mut other.0, &frame);
        assert_eq!((other.0.merged()[5], other.0.cover(1, 0)), (7, Some(2)));
    }
}

#[test]
fn a_start_that_the_folding_one_did_not_know_is_void_where_it_is() {
    let (mut nodes, after) = folded();
    let [named] = of_kind(&after, NAMED_FOLD).try_into().unwrap();
    // A node that knows no members takes its frames, whoever has reported them.
    let (replica, producer) = node(4);
    let mut other = Node(replica, producer);
    let mut between = start(1, 0);
    between.1.accum(6, 3);
    between.0.tick();
    settle(&mut [&mut nodes[1], &mut other]);
    receive(&mut other.0, &sent(&mut between.0));
    assert_eq!((other.0.merged()[5], other.0.merged()[6]), (7, 3));
    let received = receive(&mut other.0, &named);
    assert_eq!((received.applied, other.0.merged()[5], other.0.merged()[6]), (1, 7, 0));
    assert_eq!((other.0.audit(0), other.0.view().read(6)), (0, 0));
}

#[test]
fn a_named_fold_that_nobody_writes_is_refused() {
    let (mut nodes, after) = folded();
    let [named] = of_kind(&after, NAMED_FOLD).try_into().unwrap();
    let mut refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut section = named.clone();
        change(&mut section);
        let len = (section.len() - 80) as u32;
        section[68..72].copy_from_slice(&len.to_be_bytes());
        fix_checksums(&mut section);
        let error = nodes[1].0.receive(NOW, Peer(1), &section).unwrap_err();
        assert_eq!(nodes[1].0.cover(1, 0), None);
        error.kind
    };
    let invalid = |field, index, found| PacketErrorKind::Invalid { field, index, found };
    assert_eq!(refused(&|section| section[47] = 5), invalid(PacketField::From, 0, 5));
    assert_eq!(refused(&|section| section[80 + 7] = 2), invalid(PacketField::FoldNode, 0, 2));
    assert_eq!(refused(&|section| section[80 + 15] = 2), invalid(PacketField::FoldEnd, 0, 2));
    assert_eq!(refused(&|section| section[80 + 23] = 0), invalid(PacketField::Words, 0, 0));
    let twice = |section: &mut Vec<u8>| {
        section[59] = 2;
        let name = section[80..104].to_vec();
        section.splice(80..80, name);
    };
    assert_eq!(refused(&twice), invalid(PacketField::FoldEnd, 1, 1));
    let nothing = |section: &mut Vec<u8>| {
        section[59] = 0;
        drop(section.drain(80..104));
    };
    assert_eq!(refused(&nothing), invalid(PacketField::Words, 0, 0));
    let uncovered = |section: &mut Vec<u8>| {
        section[67] = 0;
        section.truncate(104);
    };
    assert_eq!(refused(&uncovered), invalid(PacketField::Folds, 0, 0));
}

/// A transaction has a version from before the fold, and another one that of the fold. Whatever fails, peers get what was
/// announced.
#[test]
fn folds_and_what_came_before_them_survive_stores_that_fail() {
    for fails in 0..8_u8 {
        let fails = |turn: u8| fails & 1 << turn != 0;
        let mut nodes = nodes();
        nodes[0].1.accum(5, 7);
        settle_all(&mut nodes);
        let mut store = Store::new();
        nodes[0] = restored(1, 2, &store);
        nodes[0].1.accum(5, 10);
        nodes[0].0.tick();
        let mut now = NOW;
        let before = nodes[0].0.poll_store().unwrap();
        let reports = |nodes: &mut [Node], now: Duration| {
            for at in [1, 2] {
                let [first, other] = nodes.get_disjoint_mut([0, at]).unwrap();
                other.0.receive(now, Peer(1), &sent(&mut first.0)).unwrap();
                other.0.send_version_vector(Recipient::All);
                other.0.hello(Recipient::All);
                first.0.receive(now, Peer(other.0.id().node), &sent(&mut other.0)).unwrap();
            }
        };
        // The claim is in the transaction, so the others hear of the start by another way.
        for at in [1, 2] {
            let mut same = start(1, 2);
            same.0.hello(Recipient::All);
            nodes[at].0.receive(NOW, Peer(1), &sent(&mut same.0)).unwrap();
        }
        (0..4).for_each(|_| reports(&mut nodes, now));
        assert_eq!(nodes[0].0.cover(1, 0), Some(2));
        let end = |node: &mut Node, number: u64, fails: bool, now: Duration| {
            if fails { node.0.store_failed(now, number) } else { node.0.stored(number) }
        };
        assert!(end(&mut nodes[0], before.number, fails(0), now));
        nodes[0].1.accum(6, 20);
        nodes[0].0.tick();
        for turn in 1..3 {
            now += Duration::from_secs(2);
            nodes[0].0.handle_timeout(now);
            if let Some(transaction) = nodes[0].0.poll_store() {
                assert!(end(&mut nodes[0], transaction.number, fails(turn), now));
            }
        }
        now += Duration::from_secs(2);
        nodes[0].0.handle_timeout(now);
        store_all(&mut store, &mut nodes[0].0);
        let announced = sent(&mut nodes[0].0);
        assert_eq!(of_kind(&announced, NAMED_FOLD).len(), 1);
        for Node(replica, _) in &mut nodes[1..] {
            let received = receive(replica, &announced);
            assert_eq!(
                (received.gaps, replica.merged()[5], replica.merged()[6]),
                (0, 17, 20),
                "{announced:?}"
            );
            assert_eq!((replica.cover(1, 0), replica.audit(0)), (Some(2), 0));
        }
        let digests = nodes.iter().map(|node| node.0.digest(id(1, 2), 0)).collect::<Vec<_>>();
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    }
}
