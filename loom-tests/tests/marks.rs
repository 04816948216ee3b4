//! Models of the marks by which the observers of a table fan-in find what was touched: set by writers, and replaced by
//! observers.

use atomik_core::models::end_thread;
use atomik_core::{Add, TableEpoch, TableFanIn};
use atomik_loom_tests::{Past, Preemptions, bounded_model, check_pasts, join, spawn_writer};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

type Observer = TableEpoch<Arc<TableFanIn<Add>>>;

/// An observer that swaps beside the writers, which make `pasts`. It must be spawned after them: see README.
fn observe(mut epoch: Observer, pasts: &[Past]) -> JoinHandle<(u64, Observer)> {
    let pasts = pasts.to_vec();
    thread::spawn(move || {
        let first = epoch.swap().get(0);
        check_pasts(first, &pasts);
        (first, epoch)
    })
}

/// After the writers' ends each observer has each delta in exactly one of its epochs.
fn check_epochs(observers: Vec<JoinHandle<(u64, Observer)>>, deltas: u64) {
    for observer in observers {
        let (first, mut epoch) = observer.join().unwrap();
        assert_eq!(first + epoch.swap().get(0), deltas, "after {first:#b}");
    }
}

/// A producer's deltas beside two observers, each with epochs of its own: each delta is in exactly one epoch of each
/// observer, and each observer sees what the producer did before.
///
/// Rules out: a mark that is set before the delta or without Release; an observer that clears a mark, so that the other
/// one does not find it; marks that are read without the Acquire fence after them; one number for two swaps.
#[test]
fn two_observers_beside_a_producer() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let past = Past::new();
        let (one, other) = (TableEpoch::new(table.clone()), TableEpoch::new(table.clone()));
        let (mut producer, writers_past) = (table.producer_owned(), past.clone());
        let writer = thread::spawn(move || {
            writers_past.happen();
            producer.accum(0, 0b01);
            producer.accum(0, 0b10);
        });
        let pasts = [past];
        let observers = vec![observe(one, &pasts), observe(other, &pasts)];
        join([writer]);
        check_epochs(observers, 0b11);
    });
}

/// A producer that had its plane before anyone observed the table, and so does not mark what it touches, beside the
/// observer that asks it to: each delta is in exactly one epoch.
///
/// Rules out: an observer that relies on marks before it has seen one; one that takes the first mark for all that was
/// touched before.
#[test]
fn a_producer_is_asked_for_marks() {
    bounded_model(Preemptions { ordinary: 2, deep: None }, || {
        let table = Arc::new(TableFanIn::<Add>::new(2));
        let (mut producer, past) = (table.producer_owned(), Past::new());
        let writers_past = past.clone();
        let writer = thread::spawn(move || {
            writers_past.happen();
            producer.accum(0, 0b01);
            producer.accum(1, 0b01);
        });
        let observer = thread::spawn(move || {
            let mut epoch = TableEpoch::from_identity(table);
            let first = epoch.swap();
            check_pasts(first.get(0) | first.get(1), &[past]);
            (first, epoch)
        });
        join([writer]);
        let (first, mut epoch) = observer.join().unwrap();
        let second = epoch.swap();
        assert_eq!([0, 1].map(|addr| first.get(addr) + second.get(addr)), [0b01; 2]);
    });
}

/// Two blocks are touched, by a producer and by one whose plane is made meanwhile, beside an observer that starts: each
/// delta is in the states from which it starts or in exactly one epoch.
///
/// Rules out: an observer that looks at the marks after it copied the states; a plane that the observer does not look
/// at because it was made later; a block that is found in one plane and not looked for in the other.
#[test]
fn two_blocks_are_touched_while_a_plane_is_made() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let table = Arc::new(TableFanIn::<Add>::new(2));
        let (mut producer, other) = (table.producer_owned(), table.clone());
        let writers = [
            thread::spawn(move || producer.accum(0, 0b01)),
            thread::spawn(move || other.producer_owned().accum(1, 0b01)),
        ];
        let observer = thread::spawn(move || {
            let mut epoch = TableEpoch::new(table);
            let start = [0, 1].map(|addr| epoch.reference()[addr]);
            (start, epoch.swap(), epoch)
        });
        join(writers);
        let (start, first, mut epoch) = observer.join().unwrap();
        let second = epoch.swap();
        let total = |addr: u32| start[addr as usize] + first.get(addr) + second.get(addr);
        assert_eq!([0, 1].map(total), [0b01; 2]);
    });
}

/// A thread without a handle ends while another begins, and may get its plane, beside an observer: each delta is in
/// exactly one epoch.
///
/// Rules out: threads' planes that the observer does not look at; a mark of the former owner that hides the deltas of
/// the next one.
#[test]
fn a_threads_marks_are_handed_over() {
    bounded_model(Preemptions { ordinary: 1, deep: Some(2) }, || {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let (past, epoch) = (Past::new(), TableEpoch::new(table.clone()));
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let (table, past) = (table.clone(), past.clone());
                thread::spawn(move || {
                    if i == 0 {
                        past.happen();
                    }
                    table.accum(0, 1 << i);
                })
            })
            .collect();
        let observers = vec![observe(epoch, &[past])];
        join(writers);
        check_epochs(observers, 0b11);
    });
}

/// Two threads after their ends, which share a plane and its marks, beside an observer: each delta is in exactly one
/// epoch.
///
/// Rules out: a shared mark that is set by a store (the deltas of the thread that set it before are not seen with it); a
/// shared plane that the observer does not look at.
#[test]
fn threads_that_share_a_plane_share_its_marks() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let table = Arc::new(TableFanIn::<Add>::new(2));
        end_thread();
        table.accum(1, 1);
        let pasts = [Past::new(), Past::new()];
        let epoch = TableEpoch::new(table.clone());
        let writers = [0, 1].map(|i| {
            spawn_writer(&pasts[i], &table, move |table| {
                end_thread();
                table.accum(0, 1 << i);
            })
        });
        let observers = vec![observe(epoch, &pasts)];
        join(writers);
        check_epochs(observers, 0b11);
    });
}
