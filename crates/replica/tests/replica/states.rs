//! Merged and live states.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atomik_core::{Add, TableFanIn, Xor};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaError};

use crate::{LEN, NOW, cluster, node, origin, sent};

#[test]
fn deltas_from_before_the_replica_are_in_its_first_tick() {
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    local.producer().accum(3, 5);
    let mut replica = Replica::new(&cluster(), local, origin(1)).unwrap();
    assert_eq!((replica.view().read(3), replica.merged()[3]), (5, 0));
    assert_eq!(replica.tick(), 1);
    assert_eq!((replica.view().read(3), replica.merged()[3]), (5, 5));
}

#[test]
fn concurrent_puts_compose_and_one_of_concurrent_loads_wins_everywhere() {
    let ((mut one, _a), (mut two, _b)) = (node::<Add>(1), node::<Add>(2));
    one.put(5, 50).unwrap();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    one.put(5, 7).unwrap();
    two.put(5, 9).unwrap();
    let (first, second) = (sent(&mut one), sent(&mut two));
    two.receive(NOW, Peer(1), &first).unwrap();
    one.receive(NOW, Peer(2), &second).unwrap();
    assert_eq!(one.merged()[5] as i64, -34);
    assert_eq!(two.merged()[5] as i64, -34);

    one.load(5, 7).unwrap();
    two.load(5, 9).unwrap();
    let (first, second) = (sent(&mut one), sent(&mut two));
    two.receive(NOW, Peer(1), &first).unwrap();
    one.receive(NOW, Peer(2), &second).unwrap();
    assert_eq!((one.merged()[5], two.merged()[5]), (9, 9));
    assert_eq!((one.view().read(5), two.view().read(5)), (9, 9));
}

#[test]
fn a_load_takes_the_deltas_of_its_address_and_leaves_the_others_to_the_tick() {
    let (mut one, mut producer) = node::<Add>(1);
    (4..8).for_each(|addr| producer.accum(addr, 100));
    one.load(5, 7).unwrap();
    one.put(6, 8).unwrap();
    assert_eq!(one.merged()[4..8], [0, 7, 8, 0]);
    assert_eq!([4, 5, 6, 7].map(|addr| one.view().read(addr)), [100, 7, 8, 100]);
    assert_eq!(one.tick(), 2);
    assert_eq!(one.merged()[4..8], [100, 7, 8, 100]);
    producer.accum(5, 1);
    assert_eq!((one.tick(), one.merged()[5], one.view().read(5)), (1, 8, 8));
}

#[test]
fn many_addresses_are_loaded_or_none() {
    let ((mut one, mut producer), (mut two, _b)) = (node::<Add>(1), node::<Add>(2));
    producer.accum(3, 100);
    one.load_many(&[(999, 1), (3, 5), (999, 2), (64, 6)]).unwrap();
    one.load_many(&[]).unwrap();
    let versions: Vec<_> = one.version_vector().collect();
    let refused = one.load_many(&[(3, 8), (LEN, 1)]);
    assert_eq!(refused, Err(ReplicaError::Address { addr: LEN, len: LEN }));
    assert!(one.version_vector().eq(versions));
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    for replica in [&one, &two] {
        assert_eq!([3, 64, 999].map(|addr| replica.merged()[addr]), [5, 6, 2]);
    }
}

/// The shortest of some runs.
fn shortest(mut run: impl FnMut()) -> Duration {
    let times = (0..20).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap()
}

/// The measured times are in BENCHMARKS.md: reading everything takes more than a hundred times as long. This allows for
/// builds without optimisation, and for other programs.
#[test]
fn a_tick_of_one_address_takes_a_part_of_the_time_that_reading_the_table_takes() {
    const LEN: usize = 1 << 20;
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let mut one = Replica::new(&ClusterConfig::new("large", LEN), local.clone(), origin(1)).unwrap();
    let mut producer = local.producer();
    (0..LEN).for_each(|addr| producer.accum(addr, 1));
    assert_eq!(one.tick(), LEN);
    let mut addr = 0;
    let tick = shortest(|| {
        addr = (addr + 12_345) % LEN;
        producer.accum(addr, 1);
        assert_eq!(one.tick(), 1);
    });
    let mut states = vec![0; LEN];
    let reading = shortest(|| local.snapshot(&mut states));
    assert_eq!(states, one.merged());
    assert!(tick * 8 < reading, "a tick took {tick:?}, and reading the table {reading:?}");
}

#[test]
fn a_snapshot_of_a_view_has_the_states_that_it_reads() {
    let ((mut one, mut a), (mut two, mut b)) = (node::<Add>(1), node::<Add>(2));
    (0..LEN).for_each(|addr| a.accum(addr, addr as u64));
    one.tick();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    (0..LEN).step_by(3).for_each(|addr| b.accum(addr, 1 << 40));

    let view = two.view();
    let mut copied = vec![u64::MAX; LEN];
    view.snapshot(&mut copied);
    for (addr, &state) in copied.iter().enumerate() {
        let local = if addr % 3 == 0 { 1 << 40 } else { 0 };
        assert_eq!(state, addr as u64 + local, "address {addr}");
        assert_eq!(state, view.read(addr), "address {addr}");
    }
}

#[test]
#[should_panic(expected = "as long as its table")]
fn a_snapshot_of_another_length_panics() {
    node::<Xor>(1).0.view().snapshot(&mut [0; LEN - 1]);
}

/// Two replicas load an address while producers run at full speed. They agree, on a value that the LOADs allow.
#[test]
fn replicas_agree_on_loads_among_running_producers() {
    let ((mut one, mut a), (mut two, mut b)) = (node::<Add>(1), node::<Add>(2));
    std::thread::scope(|scope| {
        for producer in [&mut a, &mut b] {
            scope.spawn(|| (0..200_000).for_each(|_| producer.accum(9, 1)));
        }
        for round in 0..200 {
            let loader = if round % 2 == 0 { &mut one } else { &mut two };
            loader.load(9, 1 << 40).unwrap();
            two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
            one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
        }
    });
    one.tick();
    two.tick();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!(one.merged(), two.merged());
    assert!((1 << 40..=(1 << 40) + 400_000).contains(&one.merged()[9]));
    assert_eq!(one.view().read(9), one.merged()[9]);
    assert_eq!(two.view().read(9), two.merged()[9]);
}

#[test]
fn an_origin_that_never_wrote_has_no_plane() {
    let (mut one, _a) = node::<Xor>(1);
    for other in 2..100 {
        let (mut peer, _producer) = node::<Xor>(other);
        peer.hello(Recipient::All);
        peer.tick();
        one.receive(NOW, Peer(other), &sent(&mut peer)).unwrap();
        let vector = peer.version_vector_packets().concat();
        // A header for the own origin, and a digest.
        assert_eq!(vector.len(), 80 + 88);
        let received = one.receive(NOW, Peer(other), &vector).unwrap();
        assert!(received.version_vector && received.heard_out && received.behind == 0);
    }
    assert_eq!(one.origins(), 1);
}

#[test]
fn debug_shows_ids_and_lengths() {
    let (replica, _producer) = node::<Xor>(0x1A);
    assert_eq!(format!("{replica:?}"), "Replica { id: ReplicaId(1a/1), len: 1000, origins: 1, .. }");
    assert_eq!(format!("{:?}", replica.view()), "View { len: 1000, .. }");
    assert_eq!(replica.id(), origin(0x1A));
    assert_eq!((replica.len(), replica.view().len(), replica.shards()), (LEN, LEN, LEN.div_ceil(64)));
    assert!(!replica.is_empty() && !replica.view().is_empty());
    let nothing =
        Replica::<Xor>::new(&ClusterConfig::new("tests", 0), Arc::new(TableFanIn::new(0)), origin(1));
    let nothing = nothing.unwrap();
    assert!(nothing.is_empty() && nothing.view().is_empty());
    assert_eq!((nothing.shards(), nothing.merged().len()), (0, 0));
}

#[test]
fn changes_are_what_came_from_elsewhere() {
    let ((mut one, mut producer), (mut two, _two)) = (node::<Add>(1), node::<Add>(2));
    two.put(5, 1).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!(one.poll_changes(), None, "nobody observes yet");
    one.observe_changes();
    assert_eq!(one.poll_changes(), None, "what was here before is not reported");

    let report = |replica: &mut Replica<Add>| -> Vec<_> {
        std::iter::from_fn(|| replica.poll_changes())
            .flat_map(|batch| batch.iter().collect::<Vec<_>>())
            .collect()
    };
    producer.accum(5, 10);
    one.tick();
    assert_eq!(report(&mut one), [], "an own tick");
    two.put(999, 7).unwrap();
    two.put(5, 3).unwrap();
    let packet = sent(&mut two);
    one.receive(NOW, Peer(2), &packet).unwrap();
    one.receive(NOW, Peer(2), &packet).unwrap();
    assert_eq!(report(&mut one), [(5, 2), (999, 7)], "several versions as one change, duplicates as none");
    assert_eq!(one.merged()[5], 13);
    one.load(5, 20).unwrap();
    assert_eq!(report(&mut one), [(5, 7)], "a LOAD");
    one.observe_changes();
    two.receive(NOW, Peer(1), &sent(&mut one)).unwrap();
    two.load(5, 0).unwrap();
    one.receive(NOW, Peer(2), &sent(&mut two)).unwrap();
    assert_eq!(report(&mut one), [(5, 20u64.wrapping_neg())]);
    one.observe_changes();
    assert_eq!(report(&mut one), [], "observing once more does nothing");
}
