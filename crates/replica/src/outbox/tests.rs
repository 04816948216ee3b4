use super::*;
use crate::replica_id::ReplicaId;
use alloc::vec;

const KEY: ShardKey = ShardKey { origin: ReplicaId { node: 2, incarnation: 1 }, shard: 0 };

fn outbox(max_waiting: usize) -> Outbox {
    Outbox::new(&ClusterConfig::new("outbox", 64).with_max_waiting(max_waiting), 64, Duration::ZERO)
}

#[test]
fn there_is_one_answer_for_each_peer_and_shard_up_to_the_bound() {
    let mut outbox = outbox(2);
    for (peer, version) in [(1, 5), (1, 7), (1, 6), (2, 5), (3, 5), (1, 4)] {
        outbox.queue_answer(Peer(peer), KEY, version);
    }
    assert_eq!(outbox.answers, BTreeMap::from([((Peer(1), KEY), 4), ((Peer(2), KEY), 5)]));
}

#[test]
fn answers_that_wait_for_the_store_count_towards_the_bound() {
    let mut outbox = outbox(3);
    outbox.awaiting_store.insert((Peer(1), KEY), 0);
    for peer in 2..9 {
        outbox.queue_answer(Peer(peer), KEY, 0);
    }
    assert_eq!(outbox.answers.len(), 2);
}

#[test]
fn a_transaction_takes_the_answers_from_its_shards_and_no_others() {
    let other = ShardKey { shard: 1, ..KEY };
    let mut outbox = outbox(9);
    outbox.awaiting_store.extend([((Peer(1), KEY), 3), ((Peer(1), other), 4)]);
    outbox.queue_answer(Peer(2), KEY, 5);
    outbox.queue_answer(Peer(2), other, 6);
    let taken = outbox.take_answers(&BTreeSet::from([KEY]));
    assert_eq!(taken, BTreeMap::from([((Peer(1), KEY), 3), ((Peer(2), KEY), 5)]));
    assert_eq!(outbox.answers, BTreeMap::from([((Peer(1), other), 4), ((Peer(2), other), 6)]));
    assert!(outbox.awaiting_store.is_empty());
}

#[test]
fn recipients_of_version_vectors_and_hellos_are_bounded() {
    let mut outbox = outbox(3);
    for peer in [1, 2, 1, 3, 4] {
        let to = Recipient::Peer(Peer(peer));
        outbox.queue_version_vector(to);
        outbox.queue_vector_digest(to);
        outbox.queue_hello(to);
    }
    let queued = [outbox.version_vectors.len(), outbox.vector_digests.len(), outbox.hellos.len()];
    assert_eq!(queued, [3; 3]);
}

/// A shard of the own origin, and one of another.
const OWN: ShardKey = ShardKey { origin: ReplicaId { node: 1, incarnation: 1 }, shard: 0 };

/// Something about each of two shards for each of two peers, in every queue that is by peer or shard.
fn full() -> Outbox {
    let mut outbox = outbox(100);
    for (peer, key) in [(1, KEY), (1, OWN), (2, KEY), (2, OWN)] {
        outbox.queue_answer(Peer(peer), key, 5);
        outbox.awaiting_store.insert((Peer(peer), key), 6);
        outbox.queue_denial(Peer(peer), key, 9);
        outbox.queue_version_vector(Recipient::Peer(Peer(peer)));
        outbox.queue_vector_digest(Recipient::Peer(Peer(peer)));
        outbox.queue_hello(Recipient::Peer(Peer(peer)));
        outbox.queue_refetch(Peer(peer), ShardKey { shard: peer as usize, ..key });
        outbox.mark_dirty(key);
        outbox.versions.insert(key);
        outbox.digests.insert(key);
        let len = if key == OWN { 100 } else { 10 };
        outbox.push_section(key, vec![7; len], core::iter::once(Recipient::Peer(Peer(peer))));
    }
    outbox
}

fn peers<V>(queue: &BTreeMap<(Peer, ShardKey), V>) -> Vec<u64> {
    queue.keys().map(|(peer, _)| peer.0).collect()
}

fn keys<V>(queue: &BTreeMap<(Peer, ShardKey), V>) -> BTreeSet<ShardKey> {
    queue.keys().map(|&(_, key)| key).collect()
}

#[test]
fn what_waits_for_a_peer_goes_with_it_and_nothing_else() {
    let mut outbox = full();
    assert_eq!(outbox.waiting_bytes(), 220);
    outbox.remove_peer(Peer(1));
    for queue in [&outbox.answers, &outbox.awaiting_store, &outbox.denials] {
        assert_eq!(peers(queue), [2, 2]);
    }
    assert!(outbox.refetches.values().eq([&Peer(2); 2]));
    let other = Recipient::Peer(Peer(2));
    assert!(outbox.version_vectors.keys().eq([&other]));
    assert!(outbox.vector_digests.iter().eq([&other]) && outbox.hellos.iter().eq([&other]));
    assert_eq!(outbox.waiting_bytes(), 110);
}

#[test]
fn a_doubtful_shard_leaves_no_answers_and_no_frames() {
    let mut outbox = full();
    let context = FrameContext::new::<atomik_core::Xor>(0xC1);
    let mut packet = Vec::new();
    for (key, kind) in [(KEY, 0), (OWN, 0), (KEY, 1)] {
        if kind == 0 {
            let words = core::iter::once((0, crate::register::Total(1)));
            context.write_totals(&mut packet, key, [0, 1], words, [].iter(), false);
        } else {
            context.write_request(&mut packet, key, 0);
        }
    }
    outbox.packets.write(Recipient::All, |out| out.extend_from_slice(&packet));
    outbox.forget(KEY, context);
    assert_eq!((keys(&outbox.answers), keys(&outbox.awaiting_store)), ([OWN].into(), [OWN].into()));
    assert_eq!(outbox.waiting_bytes(), 200);
    // The frame of the other shard stays, and the request, which promises nothing.
    let (_, left) = outbox.packets.pop().expect("something is left");
    let kinds: Vec<u8> = [5, 5 + 80 + 16].map(|at| left[at]).into();
    assert_eq!((left.len(), kinds), (80 + 16 + 80, Vec::from([1, 3])));
}

#[test]
fn nothing_is_said_under_an_origin_that_was_given_up() {
    let mut outbox = full();
    let context = FrameContext::new::<atomik_core::Xor>(0xC1);
    let mut packet = Vec::new();
    context.write_versions(&mut packet, OWN, [0, 0], [1, 2].into_iter());
    context.write_versions(&mut packet, KEY, [0, 0], [3].into_iter());
    context.write_request(&mut packet, OWN, 0);
    outbox.packets.write(Recipient::All, |out| out.extend_from_slice(&packet));
    outbox.changes_since(0, 0).insert_word(3);
    outbox.forget_origin(OWN.origin, context);
    assert_eq!((keys(&outbox.answers), keys(&outbox.awaiting_store)), ([KEY].into(), [KEY].into()));
    for queue in [&outbox.dirty, &outbox.versions, &outbox.digests] {
        assert!(queue.iter().eq([&KEY]));
    }
    assert!(outbox.changes.is_empty() && outbox.vector_digests.is_empty());
    assert_eq!(outbox.waiting_bytes(), 20);
    let (_, left) = outbox.packets.pop().expect("something is left");
    // The versions of the other origin, and the request.
    let kinds: Vec<u8> = [5, 5 + 80 + 8].map(|at| left[at]).into();
    assert_eq!((left.len(), kinds), (80 + 8 + 80, Vec::from([2, 3])));
}

#[test]
fn denials_are_bounded() {
    let mut outbox = outbox(2);
    (0..5).for_each(|peer| outbox.queue_denial(Peer(peer), OWN, 1));
    assert_eq!(peers(&outbox.denials), [0, 1]);
}
