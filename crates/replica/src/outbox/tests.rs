use super::*;
use crate::frame::Header;
use crate::frame::tests::raw_section;
use crate::replica_id::ReplicaId;
use atomik_core::Xor;

const KEY: ShardKey = ShardKey { origin: ReplicaId { node: 2, incarnation: 1 }, shard: 0 };

#[test]
fn there_is_one_request_and_one_answer_for_each_peer_and_shard_up_to_the_bound() {
    let mut outbox = Outbox::new(1, 2);
    for (peer, version) in [(1, 5), (1, 7), (1, 6), (2, 5), (3, 5), (1, 4)] {
        outbox.queue_request(Peer(peer), KEY, version);
        outbox.queue_answer(Peer(peer), KEY, version);
    }
    let of_peers = |versions: [u64; 2]| {
        BTreeMap::from([1, 2].map(|peer| ((Peer(peer), KEY), versions[peer as usize - 1])))
    };
    assert_eq!(outbox.requests, of_peers([7, 5]));
    assert_eq!(outbox.answers, of_peers([4, 5]));
}

#[test]
fn a_packet_takes_sections_until_it_is_long_enough_and_the_oldest_packet_is_dropped() {
    let mut outbox = Outbox::new(10, 4);
    for (to, bytes) in [(1, 9), (1, 1), (1, 3), (2, 4), (1, 5), (3, 6)] {
        outbox.push_section(Recipient::Peer(Peer(to)), &[0; 9][..bytes]);
    }
    let packets: Vec<_> = outbox.packets.into_iter().map(|(to, packet)| (to, packet.len())).collect();
    assert_eq!(packets, [(1, 3), (2, 4), (1, 5), (3, 6)].map(|(to, len)| (Recipient::Peer(Peer(to)), len)));
}

#[test]
fn only_the_totals_of_a_forgotten_shard_are_removed() {
    let context = FrameContext::new::<Xor>(1);
    let section = |kind, shard: u32, to| {
        let header = Header { kind, origin: KEY.origin, shard, from: 0, to };
        raw_section(context, header, &[[0; 0]; 0], &[])
    };
    let totals = |shard, to| section(SectionKind::Totals, shard, to);
    let others = [totals(1, 5), section(SectionKind::Request, 0, 6), totals(2, 7)];
    let mut outbox = Outbox::new(1, 9);
    let [one, two, three] = &others;
    let mixed = [totals(0, 1), one.clone(), two.clone(), totals(0, 2), three.clone()];
    outbox.push_section(Recipient::All, &mixed.concat());
    outbox.push_section(Recipient::All, &totals(0, 3));
    outbox.forget(KEY, context);
    assert_eq!(outbox.packets, [(Recipient::All, others.concat())]);
}

#[test]
fn answers_that_wait_for_the_store_count_towards_the_bound() {
    let mut outbox = Outbox::new(1, 3);
    outbox.awaiting_store.insert((Peer(1), KEY), 0);
    for peer in 2..9 {
        outbox.queue_answer(Peer(peer), KEY, 0);
    }
    assert_eq!(outbox.answers.len(), 2);
}

#[test]
fn a_transaction_takes_the_answers_from_its_shards_and_no_others() {
    let other = ShardKey { shard: 1, ..KEY };
    let mut outbox = Outbox::new(1, 9);
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
    let mut outbox = Outbox::new(1, 3);
    for peer in [1, 2, 1, 3, 4] {
        outbox.queue_version_vector(Recipient::Peer(Peer(peer)));
        outbox.queue_hello(Recipient::Peer(Peer(peer)));
    }
    assert_eq!((outbox.version_vectors.len(), outbox.hellos.len()), (3, 3));
}
