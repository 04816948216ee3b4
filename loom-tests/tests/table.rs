//! Models of tables: shared ones, and fan-in with a plane for each writer.

use atomik_core::{Add, DeltaBatch, Table, TableEpoch, TableFanIn, Xor};
use atomik_loom_tests::{Past, Preemptions, bounded_model, check_pasts, join};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

/// A table's observer against a writer of two addresses: each delta is in exactly one epoch, and the fence makes
/// the writer's past visible.
///
/// Rules out: a block copied without the Acquire fence after it; a reference that is not the state that the
/// batch led to.
#[test]
fn epochs_of_a_table() {
    loom::model(|| {
        let table = Arc::new(Table::<Xor>::new(2));
        let past = Past::new();
        let mut epoch = table.epoch();
        let writer = {
            let (table, past) = (table.clone(), past.clone());
            thread::spawn(move || {
                table[0].accum(0b01);
                past.happen();
                table[1].accum(0b10);
            })
        };
        let first = epoch.swap();
        if first.get(1) != 0 {
            past.must_have_happened();
        }
        join([writer]);
        let second = epoch.swap();
        for (addr, delta) in [(0, 0b01), (1, 0b10)] {
            assert_eq!([first.get(addr), second.get(addr)].iter().sum::<u64>(), delta);
        }
    });
}

/// A table's observer against a batch and a row of deltas: each delta is in exactly one epoch.
///
/// Rules out: a table epoch that reads twice; a batch that is loaded over the states.
#[test]
fn epochs_of_batches() {
    loom::model(|| {
        let table = Arc::new(Table::<Add>::new(2));
        let mut epoch = TableEpoch::new(table.clone());
        let batch = {
            let table = table.clone();
            thread::spawn(move || table.accum_batch(&DeltaBatch::from_iter([(0, 0b01), (1, 0b01)])).unwrap())
        };
        let row = {
            let table = table.clone();
            thread::spawn(move || table.accum_dense(&[0, 0b10]))
        };
        let observer = thread::spawn(move || (epoch.swap(), epoch));
        join([batch, row]);
        let (first, mut epoch) = observer.join().unwrap();
        let second = epoch.swap();
        for (addr, delta) in [(0, 0b01), (1, 0b11)] {
            assert_eq!(first.get(addr) + second.get(addr), delta);
        }
    });
}

/// A batch against a row of deltas and a snapshot: each delta counts once.
///
/// Rules out: a batch that is loaded over the states; a snapshot that shows a delta without its past.
#[test]
fn batches_of_a_table() {
    loom::model(|| {
        let table = Arc::new(Table::<Xor>::new(2));
        let past = Past::new();
        let writer = {
            let (table, past) = (table.clone(), past.clone());
            thread::spawn(move || {
                past.happen();
                table.accum_batch(&DeltaBatch::from_iter([(0, 0b01), (1, 0b01)])).unwrap();
            })
        };
        let other = {
            let table = table.clone();
            thread::spawn(move || table.accum_dense(&[0, 0b10]))
        };
        let mut states = [0; 2];
        table.snapshot(&mut states);
        if (states[0] | states[1]) & 0b01 != 0 {
            past.must_have_happened();
        }
        join([writer, other]);
        table.snapshot(&mut states);
        assert_eq!(states, [0b01, 0b11]);
    });
}

/// A producer makes its plane and writes to it while a reader looks.
fn a_plane_is_made_beside(read: fn(&TableFanIn<Xor>) -> u64) {
    loom::model(move || {
        let table = Arc::new(TableFanIn::<Xor>::new(1));
        let past = Past::new();
        let writer = {
            let (table, past) = (table.clone(), past.clone());
            thread::spawn(move || {
                past.happen();
                table.producer_owned().accum(0, 1);
            })
        };
        let reader = {
            let table = table.clone();
            thread::spawn(move || check_pasts(read(&table), &[past]))
        };
        join([writer, reader]);
        assert_eq!(table.read(0), 1);
    });
}

/// A plane is made beside a reader of one address.
///
/// Rules out: a plane seen before it is filled with identities (a chunk or a box published without Release or
/// found without Acquire); a Relaxed store.
#[test]
fn a_plane_is_made_beside_a_read() {
    a_plane_is_made_beside(|table| table.read(0));
}

/// A plane is made beside a reader that copies all.
///
/// Rules out: the same, for the other way to read.
#[test]
fn a_plane_is_made_beside_a_snapshot() {
    a_plane_is_made_beside(|table| {
        let mut states = [0];
        table.snapshot(&mut states);
        states[0]
    });
}

/// The composition of an observer's two epochs beside a writer that makes `past`, and of the one after it. (The
/// observer must be spawned after the writer: see README.)
fn total_of_epochs_beside(
    writer: JoinHandle<()>,
    mut epoch: TableEpoch<Arc<TableFanIn<Add>>>,
    past: Past,
) -> u64 {
    let observer = thread::spawn(move || {
        let beside = epoch.swap().get(0) + epoch.swap().get(0);
        check_pasts(beside, &[past]);
        (beside, epoch)
    });
    join([writer]);
    let (beside, mut epoch) = observer.join().unwrap();
    beside + epoch.swap().get(0)
}

/// A plane is made, returned and claimed again beside an observer: each delta is in exactly one of its epochs.
///
/// Rules out: a plane that is reset when it is claimed; a table epoch that reads twice; a plane seen before it is
/// made.
#[test]
fn epochs_while_a_plane_is_used_again() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let past = Past::new();
        let epoch = TableEpoch::new(table.clone());
        let writer = {
            let past = past.clone();
            thread::spawn(move || {
                table.producer().accum(0, 0b10);
                past.happen();
                table.producer().accum(0, 0b01);
            })
        };
        assert_eq!(total_of_epochs_beside(writer, epoch, past), 0b11);
    });
}

/// A second plane is made beside an observer that had looked at one: each delta is in exactly one of its epochs.
///
/// Rules out: a first look that takes the first plane for all; a plane seen before it is made.
#[test]
fn epochs_while_a_second_plane_is_made() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let past = Past::new();
        let epoch = TableEpoch::new(table.clone());
        // Alive to the end, so that the other producer can't have its plane.
        let mut here = table.producer_owned();
        here.accum(0, 0b10);
        let writer = {
            let past = past.clone();
            thread::spawn(move || {
                past.happen();
                table.producer_owned().accum(0, 0b01);
            })
        };
        assert_eq!(total_of_epochs_beside(writer, epoch, past), 0b11);
        drop(here);
    });
}

/// A plane is returned and claimed again while a reader copies all twice: nothing that was seen goes away.
///
/// Rules out: a plane that is reset when it is claimed.
#[test]
fn a_plane_is_used_again_while_a_reader_copies() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let writer = {
            let table = table.clone();
            thread::spawn(move || {
                table.producer().accum(0, 0b01);
                table.producer().accum(0, 0b10);
            })
        };
        let reader = {
            let table = table.clone();
            thread::spawn(move || {
                let mut states = [0];
                table.snapshot(&mut states);
                let (first, second) = (states[0], table.read(0));
                assert!(matches!(
                    (first, second),
                    (0, 0b00 | 0b01 | 0b11) | (0b01, 0b01 | 0b11) | (0b11, 0b11)
                ));
            })
        };
        join([writer, reader]);
        assert_eq!(table.read(0), 0b11);
    });
}

/// Two producers at once, each with a plane: or one after the other, with the same.
///
/// Rules out: two writers of one plane; two planes made for one slot, of which one is lost.
#[test]
fn two_planes_are_claimed() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Xor>::new(1));
        let other = {
            let table = table.clone();
            thread::spawn(move || table.producer_owned().accum(0, 0b01))
        };
        table.producer().accum(0, 0b10);
        join([other]);
        assert_eq!(table.read(0), 0b11);
    });
}

/// An observer of a table fan-in against two producers' stores: each delta is in exactly one epoch.
///
/// Rules out: a table epoch that reads twice; planes composed without the Acquire fence after them.
#[test]
fn epochs_of_a_table_fan_in() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Xor>::new(1));
        let pasts = [Past::new(), Past::new()];
        let mut epoch = TableEpoch::new(table.clone());
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let (mut producer, past) = (table.producer_owned(), pasts[i].clone());
                thread::spawn(move || {
                    past.happen();
                    producer.accum(0, 1 << i);
                })
            })
            .collect();
        let observer = thread::spawn(move || {
            let first = epoch.swap();
            check_pasts(first.get(0), &pasts);
            (first, epoch)
        });
        join(writers);
        let (first, mut epoch) = observer.join().unwrap();
        let second = epoch.swap();
        assert_eq!([first.get(0), second.get(0)].iter().sum::<u64>(), 0b11);
    });
}

/// Two threads ask for the exclusive observer at once: one of them gets it.
///
/// Rules out: a claim made of a load and a store (two observers would pass each delta on).
#[test]
fn the_exclusive_observer_is_given_out_once() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Xor>::new(1));
        let other = {
            let table = table.clone();
            thread::spawn(move || table.exclusive_epoch_owned().is_some())
        };
        let here = table.exclusive_epoch().is_some();
        let there = other.join().unwrap();
        assert_ne!(here, there, "the observer was given to both or to none");
    });
}

/// Three threads of two deltas each to a table fan-in, one of them a producer that was there: convergence, bounded.
///
/// Rules out: any loss or doubling of a delta.
#[test]
fn three_threads_converge_on_a_table_fan_in() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let table = Arc::new(TableFanIn::<Add>::new(2));
        let mut here = table.producer();
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let table = table.clone();
                thread::spawn(move || {
                    let mut producer = table.producer_owned();
                    producer.accum(0, 1 << i);
                    producer.accum(1, 1 << i);
                })
            })
            .collect();
        here.accum(0, 0b100);
        here.accum(1, 0b100);
        drop(here);
        join(writers);
        assert_eq!([table.read(0), table.read(1)], [0b111; 2]);
    });
}
