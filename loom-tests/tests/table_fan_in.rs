//! Models of a table's fan-in: a plane for each writer, made, handed over and read all the while.

use atomik_core::models::{Allocator, end_thread};
use atomik_core::{Add, TableEpoch, TableFanIn, Xor};
use atomik_loom_tests::{Past, Preemptions, bounded_model, check_pasts, join, spawn, spawn_writer};
use loom::thread::{self, JoinHandle};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// A producer makes its plane and writes to it while a reader looks.
fn a_plane_is_made_beside(read: fn(&TableFanIn<Xor>) -> u64) {
    loom::model(move || {
        let table = Arc::new(TableFanIn::<Xor>::new(1));
        let past = Past::new();
        let writer = spawn_writer(&past, &table, move |table| {
            table.producer_owned().accum(0, 1);
        });
        let reader = spawn(&table, move |table| check_pasts(read(&table), &[past]));
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
    bounded_model(Preemptions { ordinary: 3, deep: None }, || {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let past = Past::new();
        let epoch = TableEpoch::new(table.clone());
        let writer = spawn(&past, move |past| {
            table.producer().accum(0, 0b10);
            past.happen();
            table.producer().accum(0, 0b01);
        });
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
        let writer = spawn(&past, move |past| {
            past.happen();
            table.producer_owned().accum(0, 0b01);
        });
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
        let writer = spawn(&table, move |table| {
            table.producer().accum(0, 0b01);
            table.producer().accum(0, 0b10);
        });
        let reader = spawn(&table, move |table| {
            let mut states = [0];
            table.snapshot(&mut states);
            let (first, second) = (states[0], table.read(0));
            assert!(matches!((first, second), (0, 0b00 | 0b01 | 0b11) | (0b01, 0b01 | 0b11) | (0b11, 0b11)));
        });
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
        let other = spawn(&table, move |table| table.producer_owned().accum(0, 0b01));
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
    bounded_model(Preemptions { ordinary: 3, deep: None }, || {
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
        let other = spawn(&table, move |table| table.exclusive_epoch_owned().is_some());
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
                spawn(&table, move |table| {
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

/// Two threads without a handle make their planes at once, beside a reader: it sees what each thread did before the
/// delta that it reads.
///
/// Rules out: a plane that readers do not look at; a plane seen before it is filled with identities; a Relaxed store.
#[test]
fn two_threads_make_their_planes_beside_a_reader() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let pasts = [Past::new(), Past::new()];
        let writers: Vec<_> = (0..2)
            .map(|i| {
                spawn_writer(&pasts[i], &table, move |table| {
                    table.accum(0, 1 << i);
                })
            })
            .collect();
        let reader = spawn(&table, move |table| check_pasts(table.read(0), &pasts));
        join([reader]);
        join(writers);
        assert_eq!(table.read(0), 0b11);
    });
}

/// The same for the third and the fourth thread, which find their planes in a list.
///
/// Rules out: a list that readers do not look at.
#[test]
fn further_threads_make_their_planes_beside_a_reader() {
    bounded_model(Preemptions { ordinary: 3, deep: None }, || {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        // The main thread and one that stays alive have the first two indices.
        table.accum(0, 0b100);
        let (stop, stopped) = loom::sync::mpsc::channel();
        let second = {
            let table = table.clone();
            let (started, has_started) = loom::sync::mpsc::channel();
            let second = thread::spawn(move || {
                table.accum(0, 0b1000);
                started.send(()).unwrap();
                stopped.recv().unwrap();
            });
            has_started.recv().unwrap();
            second
        };
        let past = Past::new();
        let writer = spawn_writer(&past, &table, move |table| {
            table.accum(0, 1);
            table.accum(0, 2);
        });
        let reader = spawn(&table, move |table| {
            let state = table.read(0);
            assert!(state >= 0b1100, "a delta that happened before was not read");
            if state & 0b11 != 0 {
                past.must_have_happened();
            }
        });
        join([writer, reader]);
        stop.send(()).unwrap();
        join([second]);
        assert_eq!(table.read(0), 0b1111);
    });
}

/// A thread ends while another begins, both without a handle: the index goes over and the plane with it, or each
/// thread has its own. A second delta finds the plane by the thread's index alone.
///
/// Rules out: a plane that is reset when a thread takes it over; an index returned without Release or claimed without
/// Acquire (the second thread starts from old totals); threads that share an index.
#[test]
fn a_threads_plane_is_handed_over() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let other = spawn(&table, move |table| {
            table.accum(0, 0b001);
            table.accum(0, 0b010);
        });
        table.accum(0, 0b100);
        join([other]);
        assert_eq!(table.read(0), 0b111);
    });
}

/// The same beside a reader: bounded.
///
/// Rules out: a plane that is reset when a thread takes it over (a reader's state goes backwards).
#[test]
fn a_threads_plane_is_handed_over_while_a_reader_copies() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let writers: Vec<_> = (0..2).map(|i| spawn(&table, move |table| table.accum(0, 1 << i))).collect();
        let reader = spawn(&table, move |table| {
            let (first, mut second) = (table.read(0), [0]);
            table.snapshot(&mut second);
            let second = second[0];
            assert!(first & second == first && second <= 0b11, "{first:#b}, then {second:#b}");
        });
        join([reader]);
        join(writers);
        assert_eq!(table.read(0), 0b11);
    });
}

/// A thread accumulates once more after it returned its index, as the destructor of a thread-local may, while another
/// thread begins, which may get that index.
///
/// Rules out: a thread that goes on using the plane of an index which it returned (two writers of one plane).
#[test]
fn a_thread_accumulates_after_its_end() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let other = spawn(&table, move |table| {
            table.accum(0, 0b001);
            end_thread();
            table.accum(0, 0b010);
        });
        table.accum(0, 0b100);
        join([other]);
        assert_eq!(table.read(0), 0b111);
    });
}

/// Two threads accumulate after their ends and make the plane that such threads share, while a reader looks.
///
/// Rules out: a shared plane that is installed by a load and a store (the deltas in one of two planes are lost); one
/// that is changed by a load and a store; one seen before it is filled with identities.
#[test]
fn threads_accumulate_after_their_ends() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let pasts = [Past::new(), Past::new()];
        let writers = [0, 1].map(|i| {
            spawn_writer(&pasts[i], &table, move |table| {
                end_thread();
                table.accum(0, 1 << i);
            })
        });
        let reader = spawn(&table, move |table| check_pasts(table.read(0), &pasts));
        join([reader]);
        join(writers);
        assert_eq!(table.read(0), 0b11);
    });
}

/// A thread without a handle beside a producer and a reader: each writer has a plane of its own.
///
/// Rules out: a thread that writes to a producer's plane; a Relaxed store.
#[test]
fn accum_without_a_handle_beside_a_producer() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Xor>::new(1));
        let pasts = [Past::new(), Past::new()];
        let producing = {
            let (mut producer, past) = (table.producer_owned(), pasts[0].clone());
            thread::spawn(move || {
                past.happen();
                producer.accum(0, 0b01);
            })
        };
        let accumulating = spawn_writer(&pasts[1], &table, move |table| {
            table.accum(0, 0b10);
        });
        let reading = spawn(&table, move |table| check_pasts(table.read(0), &pasts));
        join([producing, accumulating, reading]);
        assert_eq!(table.read(0), 0b11);
    });
}

/// A thread's plane is made beside an observer that had looked at a producer's plane alone: each delta is in exactly one
/// of its epochs.
///
/// Rules out: a first look that takes the first plane for all; a plane seen before it is made.
#[test]
fn epochs_while_a_threads_plane_is_made() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Add>::new(1));
        let past = Past::new();
        let epoch = TableEpoch::new(table.clone());
        table.producer().accum(0, 0b10);
        let writer = spawn(&past, move |past| {
            past.happen();
            table.accum(0, 0b01);
        });
        assert_eq!(total_of_epochs_beside(writer, epoch, past), 0b11);
    });
}

/// An allocator that accumulates is called while two threads make their planes. Its deltas count, and the threads' too.
///
/// Rules out: a call of the allocator that makes a plane itself, and so calls the allocator without end; deltas to the
/// shared plane that are a load and a store.
#[test]
fn an_allocator_accumulates_while_planes_are_made() {
    bounded_model(Preemptions { ordinary: 3, deep: None }, || {
        let table = Arc::new(TableFanIn::<Add>::new(2));
        let allocations = Rc::new(Cell::new(0));
        let _allocator = {
            let (table, allocations) = (table.clone(), allocations.clone());
            Allocator::install(move || {
                allocations.set(allocations.get() + 1);
                table.accum(1, 1);
            })
        };
        let writers: Vec<_> = (0..2).map(|i| spawn(&table, move |table| table.accum(0, 1 << i))).collect();
        join(writers);
        assert!(allocations.get() >= 2, "two planes were made");
        assert_eq!([table.read(0), table.read(1)], [0b11, allocations.get()]);
    });
}
