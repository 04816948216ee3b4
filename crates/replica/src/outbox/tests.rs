use super::*;
use crate::replica_id::ReplicaId;

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
