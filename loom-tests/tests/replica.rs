//! Models of the concurrency of replicas: a replica observes a table's fan-in while producers write to it and views read.

use atomik_core::{Add, TableFanIn, Xor};
use atomik_loom_tests::{Past, Preemptions, bounded_model, check_pasts, join, spawn};
use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};
use loom::thread;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Two threads start a replica on one fan-in. One of them succeeds.
///
/// Rules out: a claim by a load and a store (two replicas would send the same deltas).
#[test]
fn a_fan_in_has_one_replica() {
    loom::model(|| {
        let cluster = ClusterConfig::new("model", 1);
        let local = Arc::new(TableFanIn::<Xor>::new(1));
        let start = |node, cluster: &ClusterConfig, local: &Arc<TableFanIn<Xor>>| {
            Replica::new(cluster, local.clone(), ReplicaId { node, incarnation: 1 }).is_ok()
        };
        let other = {
            let (cluster, local) = (cluster.clone(), local.clone());
            thread::spawn(move || start(2, &cluster, &local))
        };
        let here = start(1, &cluster, &local);
        let there = other.join().unwrap();
        assert_ne!(here, there, "the fan-in has two replicas or none");
    });
}

fn start(node: u64, local: Arc<TableFanIn<Add>>) -> Replica<Add> {
    Replica::new(&ClusterConfig::new("model", 1), local, ReplicaId { node, incarnation: 1 }).unwrap()
}

/// A replica ticks while a producer writes and a view is read and copied. Each delta is merged once. The states of a view
/// move forward and contain each delta once. A reader sees what the writer of a delta did before.
///
/// Rules out: a tick whose reference is not what it read (a delta is merged twice or never); a tick that gives readers
/// the deltas that they have from the fan-in; a view that reads the fan-in without Acquire.
#[test]
fn a_replica_ticks_beside_a_producer_and_a_view() {
    bounded_model(Preemptions { ordinary: 3, deep: Some(4) }, || {
        let local = Arc::new(TableFanIn::<Add>::new(1));
        let (mut producer, past) = (local.producer_owned(), Past::new());
        let mut replica = start(1, local);
        let view = replica.view();
        let writer = spawn(&past, move |past| {
            past.happen();
            producer.accum(0, 0b01);
            producer.accum(0, 0b10);
        });
        let ticking = thread::spawn(move || {
            replica.tick();
            replica
        });
        let reader = thread::spawn(move || {
            let (first, mut second) = (view.read(0), [0]);
            view.snapshot(&mut second);
            let second = second[0];
            assert!(matches!(first, 0 | 0b01 | 0b11) && matches!(second, 0 | 0b01 | 0b11) && first <= second);
            check_pasts(second & 0b01, &[past]);
        });
        join([writer, reader]);
        let mut replica = ticking.join().unwrap();
        replica.tick();
        assert_eq!((replica.merged(), replica.view().read(0)), (&[0b11][..], 0b11));
    });
}

/// The packets of a peer that wrote 0b01 and 0b10, with a tick after each.
fn packets_of_a_peer() -> Vec<Vec<u8>> {
    let packets = Arc::new(Mutex::new(Vec::new()));
    let sent = packets.clone();
    loom::model(move || {
        let local = Arc::new(TableFanIn::new(1));
        let (mut producer, mut replica) = (local.producer_owned(), start(2, local));
        let mut packets = sent.lock().unwrap();
        for delta in [0b01, 0b10] {
            producer.accum(0, delta);
            replica.tick();
            packets.extend(std::iter::from_fn(|| replica.poll_transmit()).map(|(_, packet)| packet));
        }
    });
    let packets = packets.lock().unwrap();
    packets.clone()
}

/// A replica receives two totals of a peer while a local producer writes and a view is read and copied. The states of the
/// view move forward and contain each delta once.
///
/// Rules out: a total that replaces another through a state without either; a total that counts as a delta; a received
/// delta that the replica's own tick takes for a local one.
#[test]
fn packets_are_received_beside_a_producer_and_a_view() {
    let packets = packets_of_a_peer();
    loom::model(move || {
        let local = Arc::new(TableFanIn::new(1));
        let (mut producer, past) = (local.producer_owned(), Past::new());
        let mut replica = start(1, local);
        let view = replica.view();
        let receiving = spawn(&packets, move |packets| {
            for packet in &packets {
                assert_eq!(replica.receive(Duration::ZERO, Peer(2), packet).unwrap().applied, 1);
            }
            replica
        });
        let writer = spawn(&past, move |past| {
            past.happen();
            producer.accum(0, 0b100);
        });
        let reader = thread::spawn(move || {
            let (first, mut second) = (view.read(0), [0]);
            view.snapshot(&mut second);
            let second = second[0];
            assert!(first & second == first && second <= 0b111 && second & 0b11 != 0b10);
            check_pasts(second >> 2, &[past]);
        });
        join([writer, reader]);
        let mut replica = receiving.join().unwrap();
        replica.tick();
        assert_eq!((replica.merged(), replica.view().read(0)), (&[0b111][..], 0b111));
    });
}

/// A replica loads an address that a producer writes to, while a view is read and copied. If the delta came before the
/// LOAD, it is void, and otherwise it counts. A reader sees one of the states in between.
///
/// Rules out: a view that reads or copies the local state before the remote state (after a LOAD over a delta it would see
/// only the delta by which the LOAD arrives).
#[test]
fn a_replica_loads_beside_a_producer_and_a_view() {
    bounded_model(Preemptions { ordinary: 3, deep: None }, || {
        let local = Arc::new(TableFanIn::new(1));
        let (mut producer, mut replica) = (local.producer_owned(), start(1, local.clone()));
        let view = replica.view();
        let writer = thread::spawn(move || producer.accum(0, 1));
        let loading = thread::spawn(move || {
            replica.load(0, 8).unwrap();
            replica
        });
        let reader = thread::spawn(move || {
            let (first, mut second) = (view.read(0), [0]);
            view.snapshot(&mut second);
            let seen = (first, second[0]);
            assert!(matches!(seen, (0, 0 | 1 | 8 | 9) | (1, 1 | 8 | 9) | (8, 8 | 9) | (9, 9)), "{seen:?}");
        });
        join([writer, reader]);
        let mut replica = loading.join().unwrap();
        replica.tick();
        let state = replica.merged()[0];
        assert!(matches!(state, 8 | 9));
        assert_eq!(replica.view().read(0), state);
    });
}
