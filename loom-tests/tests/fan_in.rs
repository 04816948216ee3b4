//! Models of slots: claimed, handed over, read all the while.

use atomik_core::{Add, FanIn, TableFanIn, Xor};
use atomik_loom_tests::{Past, check_pasts};
use loom::thread;
use std::sync::Arc;

/// A slot goes from one producer to another thread's, while a reader reads: nothing is lost, and nothing that
/// was seen goes away.
///
/// Rules out: a claim without Acquire or a return without Release (the next owner starts from an old value and
/// wipes a delta out); a slot that is reset when it is returned (a reader's state goes backwards); two owners
/// of one slot.
#[test]
fn a_slot_is_handed_over_while_a_reader_reads() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let fan_in = fan_in.clone();
                thread::spawn(move || fan_in.producer_owned().accum(1 << i))
            })
            .collect();
        let first = fan_in.read();
        let second = fan_in.read();
        assert!(first & second == first && second <= 0b11, "{first:#b}, then {second:#b}");
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert_eq!(fan_in.read(), 0b11);
    });
}

/// A producer is dropped while another is claimed and a third lives: no slot has two owners, and the list has
/// grown by then.
///
/// Rules out: a claim by load and store; a chunk installed without Release.
#[test]
fn a_producer_is_dropped_while_another_is_claimed() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let mut here = fan_in.producer();
        here.accum(1);
        let other = {
            let fan_in = fan_in.clone();
            thread::spawn(move || {
                let mut producer = fan_in.producer_owned();
                producer.accum(2);
                drop(producer);
                fan_in.producer_owned().accum(4);
            })
        };
        drop(here);
        let mut again = fan_in.producer();
        again.accum(8);
        other.join().unwrap();
        assert_eq!(fan_in.read(), 15);
    });
}

/// `accum(&self)` beside producers, with a reader: each thread has a slot of its own, and whoever sees a delta
/// sees its writer's past.
///
/// Rules out: a thread that writes to a producer's slot; a Relaxed store.
#[test]
fn accum_without_a_handle_beside_a_producer() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Xor>::new(0));
        let pasts = [Past::new(), Past::new()];
        let producing = {
            let (mut producer, past) = (fan_in.producer_owned(), pasts[0].clone());
            thread::spawn(move || {
                past.happen();
                producer.accum(0b01);
            })
        };
        let accumulating = {
            let (fan_in, past) = (fan_in.clone(), pasts[1].clone());
            thread::spawn(move || {
                past.happen();
                fan_in.accum(0b10);
            })
        };
        check_pasts(fan_in.read(), &pasts);
        producing.join().unwrap();
        accumulating.join().unwrap();
        assert_eq!(fan_in.read(), 0b11);
    });
}

/// A thread ends, another begins, both without a handle: the index goes over, and the slot with it.
///
/// Rules out: an index returned without Release or claimed without Acquire (the second thread starts from an
/// old value); an index returned before the thread's last delta.
#[test]
fn a_threads_slot_is_handed_over() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let threads: Vec<_> = (0..2)
            .map(|i| {
                let fan_in = fan_in.clone();
                thread::spawn(move || fan_in.accum(1 << i))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(fan_in.read(), 0b11);
    });
}

/// Two producers of a table, each with a plane, and a reader.
///
/// Rules out: two writers of one plane; a plane seen before it is filled with identities; a Relaxed store.
#[test]
fn planes_of_a_table() {
    loom::model(|| {
        let table = Arc::new(TableFanIn::<Xor>::new(1));
        let pasts = [Past::new(), Past::new()];
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let (table, past) = (table.clone(), pasts[i].clone());
                thread::spawn(move || {
                    past.happen();
                    table.producer_owned().accum(0, 1 << i);
                })
            })
            .collect();
        check_pasts(table.read(0), &pasts);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let mut states = [0];
        table.snapshot(&mut states);
        assert_eq!(states, [0b11]);
    });
}
