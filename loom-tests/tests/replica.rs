//! Models of what is concurrent about replicas: one watches a table's fan-in, whose producers go on.

use atomik_core::{Add, Cluster, Origin, Replica, TableFanIn, Xor};
use atomik_loom_tests::{Past, check_pasts, join};
use loom::thread;
use std::sync::Arc;

/// Two threads start a replica of one fan-in: one of them gets it.
///
/// Rules out: a claim made of a load and a store (two replicas would send the same deltas twice).
#[test]
fn a_fan_in_has_one_replica() {
    loom::model(|| {
        let cluster = Cluster::new("model", 1);
        let local = Arc::new(TableFanIn::<Xor>::new(1));
        let start = |node, cluster: &Cluster, local: &Arc<TableFanIn<Xor>>| {
            Replica::new(cluster, local.clone(), Origin { node, incarnation: 1 }).is_ok()
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

/// A replica ticks while a producer writes and a view is read: each delta is sealed once, and a view's reader sees
/// the past of what it reads.
///
/// Rules out: a tick whose reference is not what it read (a delta is sealed twice or never); a view that reads
/// the fan-in without Acquire.
#[test]
fn a_replica_ticks_beside_a_producer_and_a_view() {
    loom::model(|| {
        let local = Arc::new(TableFanIn::<Add>::new(1));
        let (mut producer, past) = (local.producer_owned(), Past::new());
        let mut replica =
            Replica::new(&Cluster::new("model", 1), local, Origin { node: 1, incarnation: 1 }).unwrap();
        let view = replica.view();
        let writer = {
            let past = past.clone();
            thread::spawn(move || {
                past.happen();
                producer.accum(0, 0b01);
                producer.accum(0, 0b10);
            })
        };
        let ticking = thread::spawn(move || {
            replica.tick();
            replica
        });
        let reader = thread::spawn(move || check_pasts(view.read(0) & 0b01, &[past]));
        join([writer, reader]);
        let mut replica = ticking.join().unwrap();
        replica.tick();
        assert_eq!(replica.sealed(), [0b11]);
    });
}
