//! Starts that have ended are folded into the next start of their node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, TableFanIn, TableProducer};
use atomik_replica::{
    ClusterConfig, Event, PacketErrorKind, PacketField, Peer, Recipient, Replica, ReplicaError, ReplicaId,
    Transaction,
};

use crate::store::{Store, write};
use crate::{LEN, NOW, cluster, sent};

const MEMBERS: [u64; 3] = [1, 2, 3];

/// A node: its replica, and a producer of its fan-in.
pub(crate) struct Node(pub(crate) Replica<Add>, pub(crate) TableProducer<'static, Add>);

pub(crate) fn id(node: u64, incarnation: u64) -> ReplicaId {
    ReplicaId { node, incarnation }
}

pub(crate) fn start(node: u64, incarnation: u64) -> Node {
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let producer = local.producer_owned();
    let members = cluster().with_members(MEMBERS);
    Node(Replica::new(&members, local, id(node, incarnation)).unwrap(), producer)
}

pub(crate) fn restored(node: u64, incarnation: u64, store: &Store) -> Node {
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let producer = local.producer_owned();
    let members = cluster().with_members(MEMBERS);
    Node(Replica::restore(&members, local, id(node, incarnation), store.values()).unwrap(), producer)
}

/// Three nodes of which nobody waits.
pub(crate) fn nodes() -> Vec<Node> {
    MEMBERS
        .map(|node| {
            let mut node = start(node, 1);
            node.0.end_wait();
            node
        })
        .into()
}

/// Delivers everything that is sent among these nodes until nothing is, with version vectors and reports before.
pub(crate) fn settle(nodes: &mut [&mut Node]) {
    for node in nodes.iter_mut() {
        node.0.tick();
        node.0.hello(Recipient::All);
        node.0.send_version_vector(Recipient::All);
    }
    for _ in 0..60 {
        let mut quiet = true;
        for from in 0..nodes.len() {
            let packets: Vec<_> = std::iter::from_fn(|| nodes[from].0.poll_transmit()).collect();
            let peer = Peer(nodes[from].0.id().node);
            for (recipient, packet) in packets {
                quiet = false;
                for to in (0..nodes.len()).filter(|&to| to != from) {
                    let other = Peer(nodes[to].0.id().node);
                    if recipient == Recipient::All || recipient == Recipient::Peer(other) {
                        nodes[to].0.receive(NOW, peer, &packet).unwrap();
                    }
                }
            }
        }
        if quiet {
            return;
        }
        nodes.iter_mut().for_each(|node| node.0.heartbeat(0));
    }
    panic!("it does not come to rest");
}

pub(crate) fn settle_all(nodes: &mut [Node]) {
    settle(&mut nodes.iter_mut().collect::<Vec<_>>());
}

/// The origins of the planes of a replica.
pub(crate) fn origins(replica: &Replica<Add>) -> Vec<ReplicaId> {
    let mut origins: Vec<_> = replica.version_vector().map(|(origin, ..)| origin).collect();
    origins.dedup();
    origins
}

#[test]
fn a_start_folds_the_earlier_ones_of_its_node() {
    let mut nodes = nodes();
    for (node, addr) in (0..3).zip([5, 5, 900]) {
        nodes[node].1.accum(addr, 10 + node as u64);
    }
    nodes[1].0.load(7, 70).unwrap();
    settle_all(&mut nodes);
    nodes[0].1.accum(7, 1);
    settle_all(&mut nodes);
    for incarnation in 2..=5 {
        nodes[0] = start(1, incarnation);
        nodes[0].1.accum(5, 100);
        nodes[0].1.accum(7, 2);
        assert!(nodes[0].0.is_waiting());
        settle_all(&mut nodes);
        assert!(!nodes[0].0.is_waiting());
        let folds = incarnation - 1;
        for Node(replica, _) in &nodes {
            assert_eq!(origins(replica), [id(1, incarnation), id(2, 1), id(3, 1)]);
            assert_eq!(replica.merged()[5], 21 + 100 * folds, "start {incarnation}");
            assert_eq!(replica.merged()[900], 12);
            assert_eq!(replica.cover(1, 0), Some(incarnation));
            assert_eq!(replica.claim(1), Some(incarnation));
        }
        let merged: Vec<_> = nodes.iter().map(|node| node.0.merged().to_vec()).collect();
        assert!(merged.iter().all(|states| *states == merged[0]));
        let digests = nodes.each_digest();
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
        assert!(nodes.iter_mut().all(|node| node.0.audit(0) == 0));
    }
}

trait Digests {
    fn each_digest(&self) -> Vec<BTreeMap<(ReplicaId, usize), u64>>;
}

impl Digests for Vec<Node> {
    fn each_digest(&self) -> Vec<BTreeMap<(ReplicaId, usize), u64>> {
        let of = |replica: &Replica<Add>| {
            let keys = replica.version_vector().map(|(origin, shard, _)| (origin, shard));
            keys.map(|(origin, shard)| ((origin, shard), replica.digest(origin, shard).unwrap().digest))
                .collect()
        };
        self.iter().map(|node| of(&node.0)).collect()
    }
}

#[test]
fn nothing_is_folded_until_all_members_have_reported() {
    let mut nodes = nodes();
    nodes[0].1.accum(5, 1);
    settle_all(&mut nodes);
    // The third node has a later version of the first start than the others.
    nodes[0].1.accum(5, 2);
    let [one, two, three] = nodes.as_mut_slice() else { unreachable!() };
    settle(&mut [one, three]);
    *one = start(1, 2);
    one.1.accum(5, 4);
    settle(&mut [one, two]);
    assert_eq!((one.0.merged()[5], one.0.cover(1, 0)), (5, None));
    settle(&mut [one, two, three]);
    for Node(replica, _) in &nodes {
        assert_eq!((replica.merged()[5], replica.cover(1, 0)), (7, Some(2)));
    }
}

#[test]
fn a_version_that_no_member_reported_is_late() {
    let mut nodes = nodes();
    nodes[0].1.accum(5, 1);
    settle_all(&mut nodes);
    nodes[0].1.accum(5, 2);
    nodes[0].0.tick();
    let late = sent(&mut nodes[0].0);
    nodes[0] = start(1, 2);
    settle_all(&mut nodes);
    let before: Vec<_> = nodes.iter().map(|node| node.0.merged().to_vec()).collect();
    for Node(replica, _) in &mut nodes {
        replica.receive(NOW, Peer(9), &late).unwrap();
    }
    // The start is covered everywhere, so the frame is void.
    assert!(nodes.iter().zip(&before).all(|(node, before)| node.0.merged() == before));

    // A start that has ended and is not covered yet: nobody else has heard of this version.
    nodes[1].1.accum(6, 1);
    settle_all(&mut nodes);
    nodes[1].1.accum(6, 2);
    nodes[1].0.tick();
    let late = sent(&mut nodes[1].0);
    let mut next = start(2, 2);
    next.0.hello(Recipient::All);
    nodes[0].0.receive(NOW, Peer(2), &sent(&mut next.0)).unwrap();
    let received = nodes[0].0.receive(NOW, Peer(9), &late).unwrap();
    assert_eq!((received.late, nodes[0].0.merged()[6]), (1, 1));
    let event = Event::Late { origin: id(2, 1), shard: 0, version: 2, peer: Peer(9) };
    assert!(std::iter::from_fn(|| nodes[0].0.poll_event()).any(|found| found == event));
}

#[test]
fn a_start_that_was_overtaken_makes_no_versions_and_goes_on_in_place() {
    let mut nodes = nodes();
    nodes[0].1.accum(5, 1);
    settle_all(&mut nodes);
    let mut second = start(1, 5);
    second.1.accum(5, 10);
    nodes[0].1.accum(5, 100); // never ticked by the first start
    {
        let [_, two, three] = nodes.as_mut_slice() else { unreachable!() };
        settle(&mut [&mut second, two, three]);
    }
    let mut first = nodes.remove(0);
    for other in &mut nodes {
        other.0.send_version_vector(Recipient::All);
        other.0.hello(Recipient::All);
        first.0.receive(NOW, Peer(2), &sent(&mut other.0)).unwrap();
    }
    let superseded = Event::Superseded { by: id(1, 5) };
    assert!(std::iter::from_fn(|| first.0.poll_event()).any(|event| event == superseded));
    assert_eq!(first.0.tick(), 0);
    assert!(first.0.put(5, 3).is_err() && first.0.load(5, 3).is_err());
    assert!(first.0.renew(5).is_err() && first.0.renew(4).is_err());
    // The program goes on under a greater incarnation: nothing that was not ticked is lost.
    first.0.renew(6).unwrap();
    drop(second);
    let [two, three] = nodes.as_mut_slice() else { unreachable!() };
    settle(&mut [&mut first, two, three]);
    settle(&mut [&mut first, two, three]);
    for replica in [&first.0, &two.0, &three.0] {
        assert_eq!((replica.merged()[5], origins(replica)), (111, Vec::from([id(1, 6)])));
    }
}

#[test]
fn a_dropped_member_is_not_asked_and_all_others_are_asked_anew() {
    let mut nodes = nodes();
    nodes[0].1.accum(5, 1);
    settle_all(&mut nodes);
    nodes.truncate(2);
    nodes[0] = start(1, 2);
    nodes[0].1.accum(5, 2);
    settle_all(&mut nodes);
    assert_eq!(nodes[0].0.cover(1, 0), None, "the third member did not report");
    nodes[0].0.set_members([1, 2]);
    assert_eq!(nodes[0].0.cover(1, 0), None, "the second one has to be asked anew");
    settle_all(&mut nodes);
    for Node(replica, _) in &nodes {
        assert_eq!((replica.merged()[5], origins(replica)), (3, Vec::from([id(1, 2)])));
    }
}

#[test]
fn without_members_nothing_is_folded_and_nobody_elses_fold_misses_anything() {
    let mut nodes = nodes();
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let producer = local.producer_owned();
    nodes[2] = Node(Replica::new(&cluster(), local, id(3, 1)).unwrap(), producer);
    nodes[0].1.accum(5, 1);
    settle_all(&mut nodes);
    nodes[0] = start(1, 2);
    nodes[0].1.accum(5, 2);
    settle_all(&mut nodes);
    for Node(replica, _) in &nodes {
        assert_eq!((replica.merged()[5], replica.cover(1, 0)), (3, None));
    }
    assert_eq!(nodes[2].0.claim(1), None);
}

/// Writes everything that waits to a store, as programs do.
pub(crate) fn store_all(store: &mut Store, replica: &mut Replica<Add>) {
    while let Some(Transaction { number, shards }) = replica.poll_store() {
        shards.into_iter().for_each(|shard| write(store, shard));
        assert!(replica.stored(number));
    }
}

#[test]
fn a_store_has_covers_and_claims_and_loses_what_they_cover() {
    let mut stores: Vec<Store> = (0..3).map(|_| Store::new()).collect();
    let mut nodes: Vec<Node> =
        MEMBERS.iter().zip(&stores).map(|(&node, store)| restored(node, 1, store)).collect();
    nodes.iter_mut().for_each(|node| node.0.end_wait());
    let rest = |nodes: &mut Vec<Node>, stores: &mut Vec<Store>| {
        for _ in 0..8 {
            nodes.iter_mut().zip(stores.iter_mut()).for_each(|(node, store)| {
                node.0.tick();
                store_all(store, &mut node.0);
            });
            settle_all(nodes);
            nodes.iter_mut().zip(stores.iter_mut()).for_each(|(node, store)| store_all(store, &mut node.0));
        }
    };
    nodes[0].1.accum(5, 1);
    rest(&mut nodes, &mut stores);
    let old = stores[0].clone();
    for incarnation in 2..5 {
        nodes[0] = restored(1, incarnation, &stores[0]);
        assert!(!nodes[0].0.is_waiting(), "an earlier start was settled");
        nodes[0].1.accum(5, 10);
        rest(&mut nodes, &mut stores);
    }
    for (Node(replica, _), store) in nodes.iter().zip(&stores) {
        assert_eq!((replica.merged()[5], origins(replica)), (31, Vec::from([id(1, 4)])));
        let kept: Vec<_> = store.keys().map(|(origin, ..)| *origin).collect();
        assert!(!kept.iter().any(|origin| origin.node == 1 && origin.incarnation < 4), "{kept:?}");
    }
    // Any older copy will do for a start.
    nodes[0] = restored(1, 9, &old);
    assert_eq!(nodes[0].0.merged()[5], 1);
    nodes[0].1.accum(5, 100);
    let mut store = old;
    stores[0] = std::mem::take(&mut store);
    rest(&mut nodes, &mut stores);
    for Node(replica, _) in &nodes {
        assert_eq!((replica.merged()[5], origins(replica)), (131, Vec::from([id(1, 9)])));
    }
}

#[test]
fn a_report_waits_for_the_store_to_have_its_claims() {
    let store = Store::new();
    let mut one = restored(1, 1, &store);
    one.0.send_version_vector(Recipient::All);
    let kinds =
        |bytes: &[u8]| crate::wire::sections(bytes).iter().map(|section| section[5]).collect::<Vec<_>>();
    assert!(!kinds(&sent(&mut one.0)).contains(&7));
    let Transaction { number, .. } = one.0.poll_store().unwrap();
    assert!(one.0.stored(number));
    assert!(kinds(&sent(&mut one.0)).contains(&7));
}

/// A fold that missed what only memory has here would make it void.
#[test]
fn a_report_waits_for_the_store_to_have_what_is_held_of_ended_starts() {
    let (mut one, mut store) = (start(1, 1), Store::new());
    let mut two = restored(2, 1, &store);
    two.0.end_wait();
    let frame = |one: &mut Node| {
        one.1.accum(5, 1);
        one.0.tick();
        sent(&mut one.0)
    };
    two.0.receive(NOW, Peer(1), &frame(&mut one)).unwrap();
    store_all(&mut store, &mut two.0);
    drop(sent(&mut two.0));
    two.0.receive(NOW, Peer(1), &frame(&mut one)).unwrap();
    let slow = two.0.poll_store().unwrap();
    // Now it hears that the first start has ended, and the store takes that at once.
    let mut next = start(1, 2);
    next.0.hello(Recipient::All);
    two.0.receive(NOW, Peer(1), &sent(&mut next.0)).unwrap();
    store_all(&mut store, &mut two.0);
    let reports = |two: &mut Node| {
        two.0.hello(Recipient::All);
        let sections = crate::wire::sections(&sent(&mut two.0));
        sections.into_iter().filter(|section| section[5] == 7).collect::<Vec<_>>()
    };
    assert_eq!(reports(&mut two), Vec::<Vec<u8>>::new());
    assert!(two.0.stored(slow.number));
    let [report] = reports(&mut two).try_into().unwrap();
    // The last number is the version of the shard.
    assert_eq!(report[report.len() - 8..], 2_u64.to_be_bytes());
}

#[test]
fn a_start_that_waits_takes_no_frames() {
    let mut nodes = nodes();
    nodes[0].1.accum(5, 1);
    nodes[0].0.tick();
    let frame = sent(&mut nodes[0].0);
    let mut next = start(1, 2);
    let received = next.0.receive(NOW, Peer(1), &frame).unwrap();
    assert_eq!((received.waiting, received.applied, next.0.merged()[5]), (true, 0, 0));
    // It writes all the same.
    next.1.accum(5, 2);
    assert_eq!((next.0.tick(), next.0.merged()[5]), (1, 2));
    next.0.end_wait();
    assert!(!next.0.receive(NOW, Peer(1), &frame).unwrap().waiting);
}

#[test]
fn the_wait_ends_after_a_time_or_if_nobody_else_is_a_member() {
    let mut one = start(1, 1);
    one.0.handle_timeout(NOW);
    assert!(one.0.is_waiting());
    one.0.handle_timeout(NOW + Duration::from_secs(3));
    assert!(!one.0.is_waiting());
    one.0.set_members([]);
    let mut alone = start(1, 1);
    alone.0.set_members([1]);
    assert!(!alone.0.is_waiting());
}

#[test]
fn claims_come_back_from_the_store() {
    let mut store = Store::new();
    let mut two = restored(2, 1, &store);
    let mut one = start(1, 7);
    one.0.hello(Recipient::All);
    two.0.receive(NOW, Peer(1), &sent(&mut one.0)).unwrap();
    store_all(&mut store, &mut two.0);
    let two = restored(2, 2, &store);
    assert_eq!((two.0.claim(1), two.0.claim(2), two.0.claim(3)), (Some(7), Some(2), None));
    assert!(two.0.is_waiting(), "it has never been settled");
}

#[test]
fn a_load_of_a_later_start_stays_when_an_earlier_one_is_folded() {
    let mut nodes = nodes();
    nodes[0].0.load(7, 70).unwrap();
    nodes[0].1.accum(7, 1);
    settle_all(&mut nodes);
    nodes[0] = start(1, 2);
    nodes[0].0.end_wait();
    let [one, two, three] = nodes.as_mut_slice() else { unreachable!() };
    settle(&mut [one, two]);
    assert_eq!((one.0.merged()[7], one.0.cover(1, 0)), (71, None));
    one.0.load(7, 80).unwrap();
    one.1.accum(7, 2);
    settle(&mut [one, two, three]);
    for Node(replica, _) in &mut nodes {
        assert_eq!((replica.merged()[7], replica.cover(1, 0), replica.audit(0)), (82, Some(2), 0));
    }
}

#[test]
fn a_report_in_a_quiet_cluster_of_a_hundred_members_is_less_than_a_kibibyte() {
    const SHARDS: usize = 256;
    let cluster = ClusterConfig::new("quiet", SHARDS * 64).with_shard_words(64).with_members(0..100);
    let start = |node| {
        let local = Arc::new(TableFanIn::<Add>::new(SHARDS * 64));
        Replica::new(&cluster, local, id(node, 5)).unwrap()
    };
    let mut one = start(0);
    for node in 1..100 {
        let mut other = start(node);
        other.hello(Recipient::All);
        one.receive(NOW, Peer(node), &sent(&mut other)).unwrap();
    }
    (0..SHARDS).for_each(|shard| one.put(shard * 64, 1).unwrap());
    let reports = |replica: &mut Replica<Add>| {
        replica.send_version_vector(Recipient::All);
        let sections = crate::wire::sections(&sent(replica));
        sections.iter().filter(|section| section[5] == 7).map(Vec::len).sum::<usize>()
    };
    assert_eq!(reports(&mut one), 80 + 8 * (2 + 3 * 100), "the whole one");
    assert_eq!(reports(&mut one), 80, "its number");
}

#[test]
fn no_start_has_the_greatest_incarnation() {
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let refused = Replica::new(&cluster(), local, id(1, u64::MAX)).map(drop);
    assert_eq!(refused, Err(ReplicaError::Incarnation { id: id(1, u64::MAX) }));
    let mut one = start(1, 1);
    assert!(one.0.renew(u64::MAX).is_err());
    one.0.hello(Recipient::All);
    let mut hello = sent(&mut one.0);
    hello.truncate(80);
    hello[24..32].fill(0xFF);
    crate::wire::fix_checksums(&mut hello);
    let kind = start(2, 1).0.receive(NOW, Peer(1), &hello).unwrap_err().kind;
    let found = u64::MAX;
    assert_eq!(kind, PacketErrorKind::Invalid { field: PacketField::OriginId, index: 0, found });
}

/// Nodes start again and again without a store, each time in another order, and write each time.
fn restart(count: u64, starts: u64) {
    let members: Vec<u64> = (1..=count).collect();
    let start = |node, incarnation| {
        let mut node = start(node, incarnation);
        node.0.set_members(members.iter().copied());
        node
    };
    let mut nodes: Vec<Node> = members.iter().map(|&node| start(node, 1)).collect();
    nodes.iter_mut().for_each(|node| node.0.end_wait());
    let (mut random, mut expected) = (1u64, vec![0u64; LEN]);
    for turn in 0..starts {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (at, addr) = ((random >> 60) % count, (random >> 32) as usize % LEN);
        nodes[at as usize] = start(at + 1, turn + 2);
        nodes[at as usize].1.accum(addr, turn);
        expected[addr] += turn;
        settle_all(&mut nodes);
        for Node(replica, _) in &nodes {
            assert!(replica.origins() <= members.len() + 1, "{:?}", origins(replica));
        }
    }
    for Node(replica, _) in &nodes {
        assert_eq!(replica.merged(), expected);
    }
}

#[test]
fn starts_leave_one_plane_for_each_member() {
    restart(3, 200);
}

#[test]
#[ignore = "with optimisations: ci/test.sh"]
fn ten_thousand_starts_leave_one_plane_for_each_member() {
    restart(3, 10_000);
}

#[test]
#[ignore = "with optimisations: ci/test.sh"]
fn a_year_of_hourly_restarts_leaves_one_plane_for_each_member() {
    restart(5, 5 * 365 * 24);
}
