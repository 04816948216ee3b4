//! Models of slots: claimed, handed over, read all the while.

use atomik_core::models::{Allocator, end_thread};
use atomik_core::{Add, FanIn, Xor};
use atomik_loom_tests::{Past, Preemptions, bounded_model, check_pasts, join, spawn, spawn_writer};
use loom::thread::{self, JoinHandle};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// A reader that reads twice beside writers of the deltas 1 and 2: what it has seen does not go away.
fn nothing_goes_away_beside(writers: Vec<JoinHandle<()>>, fan_in: &Arc<FanIn<Add>>) {
    let reader = spawn(fan_in, move |fan_in| {
        let (first, second) = (fan_in.read(), fan_in.read());
        assert!(first & second == first && second <= 0b11, "{first:#b}, then {second:#b}");
    });
    join([reader]);
    join(writers);
    assert_eq!(fan_in.read(), 0b11);
}

/// A slot goes from one thread's producer to another's. No delta is lost.
///
/// Rules out: a claim without Acquire or a return without Release (the next owner starts from an old value and
/// wipes a delta out); two owners of one slot.
#[test]
fn a_slot_is_handed_over() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        // The list's first chunk is there already; `a_list_grows` is about its making.
        drop(fan_in.producer());
        let other = spawn(&fan_in, move |fan_in| fan_in.producer_owned().accum(1));
        fan_in.producer().accum(2);
        join([other]);
        assert_eq!(fan_in.read(), 0b11);
    });
}

/// A slot is returned and claimed again while a reader reads twice. No delta that the reader has seen goes away.
///
/// Rules out: a slot that is reset when it is returned or claimed (a reader's state goes backwards).
#[test]
fn a_slot_is_used_again_while_a_reader_reads() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let writer = spawn(&fan_in, move |fan_in| {
            fan_in.producer().accum(0b01);
            fan_in.producer().accum(0b10);
        });
        let reader = spawn(&fan_in, move |fan_in| {
            let (first, second) = (fan_in.read(), fan_in.read());
            assert!(first <= second && second <= 0b11, "{first:#b}, then {second:#b}");
            assert_ne!(second, 0b10, "the later delta was seen without the earlier");
        });
        join([writer, reader]);
        assert_eq!(fan_in.read(), 0b11);
    });
}

/// Both at once, with three threads. Bounded.
///
/// Rules out: a reader's state that goes backwards while a slot changes hands.
#[test]
fn a_slot_is_handed_over_while_a_reader_reads() {
    bounded_model(Preemptions { ordinary: 3, deep: None }, || {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        drop(fan_in.producer());
        let writers: Vec<_> =
            (0..2).map(|i| spawn(&fan_in, move |fan_in| fan_in.producer_owned().accum(1 << i))).collect();
        nothing_goes_away_beside(writers, &fan_in);
    });
}

/// A producer makes the list's first chunk while a reader walks the list.
///
/// Rules out: a chunk installed without Release or found without Acquire (its slots are seen before they are
/// made); a Relaxed store.
#[test]
fn a_list_grows_while_a_reader_reads() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Xor>::new(0));
        let past = Past::new();
        let writer = spawn_writer(&past, &fan_in, move |fan_in| {
            fan_in.producer_owned().accum(1);
        });
        let reader = spawn(&fan_in, move |fan_in| check_pasts(fan_in.read(), &[past]));
        join([writer, reader]);
        assert_eq!(fan_in.read(), 1);
    });
}

/// Two producers find the list empty at once: both grow it, and one chunk stays.
///
/// Rules out: a chunk installed by a load and a store (one producer writes to a chunk that nobody finds).
#[test]
fn two_producers_grow_a_list() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let other = spawn(&fan_in, move |fan_in| {
            let mut producer = fan_in.producer_owned();
            producer.accum(1);
            producer
        });
        let mut here = fan_in.producer();
        here.accum(2);
        let other = other.join().unwrap();
        assert_eq!(fan_in.read(), 3);
        drop((here, other));
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
        let other = spawn(&fan_in, move |fan_in| {
            let mut producer = fan_in.producer_owned();
            producer.accum(2);
            drop(producer);
            fan_in.producer_owned().accum(4);
        });
        drop(here);
        let mut again = fan_in.producer();
        again.accum(8);
        join([other]);
        assert_eq!(fan_in.read(), 15);
    });
}

/// `accum(&self)` beside a producer, with a reader. Each thread has a slot of its own, and a reader that sees a delta
/// sees what its writer did before.
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
        let accumulating = spawn_writer(&pasts[1], &fan_in, move |fan_in| {
            fan_in.accum(0b10);
        });
        let reading = spawn(&fan_in, move |fan_in| check_pasts(fan_in.read(), &pasts));
        join([producing, accumulating, reading]);
        assert_eq!(fan_in.read(), 0b11);
    });
}

/// A thread ends while another begins, both without a handle. Either the index goes over and the slot with it, or each
/// thread has its own. A second delta finds the slot by the thread's index alone.
///
/// Rules out: an index returned without Release or claimed without Acquire (the second thread starts from an
/// old value); an index returned before the thread's last delta; threads that share an index.
#[test]
fn a_threads_slot_is_handed_over() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let other = spawn(&fan_in, move |fan_in| {
            fan_in.accum(0b001);
            fan_in.accum(0b010);
        });
        fan_in.accum(0b100);
        join([other]);
        assert_eq!(fan_in.read(), 0b111);
    });
}

/// The same beside a reader. Bounded.
///
/// Rules out: a thread's slot that is reset when its index goes over (a reader's state goes backwards).
#[test]
fn a_threads_slot_is_handed_over_while_a_reader_reads() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let writers: Vec<_> = (0..2).map(|i| spawn(&fan_in, move |fan_in| fan_in.accum(1 << i))).collect();
        nothing_goes_away_beside(writers, &fan_in);
    });
}

/// A thread accumulates once more after it returned its index, as the destructor of a thread-local may, while another
/// thread begins, which may get that index.
///
/// Rules out: a thread that goes on using the slot of an index which it returned (two writers of one slot).
#[test]
fn a_thread_accumulates_after_its_end() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let other = spawn(&fan_in, move |fan_in| {
            fan_in.accum(0b001);
            end_thread();
            fan_in.accum(0b010);
        });
        fan_in.accum(0b100);
        join([other]);
        assert_eq!(fan_in.read(), 0b111);
    });
}

/// Two threads accumulate after their ends, in the cell that such threads share, while a reader looks.
///
/// Rules out: a cell that is not changed by one RMW; a Relaxed one.
#[test]
fn threads_accumulate_after_their_ends() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let pasts = [Past::new(), Past::new()];
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let (fan_in, past) = (fan_in.clone(), pasts[i].clone());
                thread::spawn(move || {
                    end_thread();
                    past.happen();
                    fan_in.accum(1 << i);
                })
            })
            .collect();
        let reader = spawn(&fan_in, move |fan_in| check_pasts(fan_in.read(), &pasts));
        join([reader]);
        join(writers);
        assert_eq!(fan_in.read(), 0b11);
    });
}

/// Three threads of two deltas each, a producer that was there, one that comes, and a thread without a handle:
/// convergence, bounded.
///
/// Rules out: any loss or doubling of a delta.
#[test]
fn three_threads_converge_on_a_fan_in() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let mut here = fan_in.producer();
        let producing = spawn(&fan_in, move |fan_in| {
            let mut producer = fan_in.producer_owned();
            producer.accum(0b01);
            producer.accum(0b10);
        });
        let accumulating = spawn(&fan_in, move |fan_in| {
            fan_in.accum(0b0100);
            fan_in.accum(0b1000);
        });
        here.accum(0b01_0000);
        here.accum(0b10_0000);
        drop(here);
        join([producing, accumulating]);
        assert_eq!(fan_in.read(), 0b11_1111);
    });
}

/// An allocator that accumulates is called while a thread makes its slot and another claims a producer. Its deltas
/// count, and the threads' too.
///
/// Rules out: a call of the allocator that makes a slot itself, and so calls the allocator without end; deltas to the
/// shared cell that are a load and a store.
#[test]
fn an_allocator_accumulates_while_slots_are_made() {
    const ALLOCATION: u64 = 1 << 32;
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let allocations = Rc::new(Cell::new(0));
        let _allocator = {
            let (fan_in, allocations) = (fan_in.clone(), allocations.clone());
            Allocator::install(move || {
                allocations.set(allocations.get() + 1);
                fan_in.accum(ALLOCATION);
            })
        };
        let accumulating = spawn(&fan_in, move |fan_in| {
            fan_in.accum(0b0001);
            fan_in.accum(0b0010);
        });
        let producing = spawn(&fan_in, move |fan_in| fan_in.producer_owned().accum(0b0100));
        fan_in.accum(0b1000);
        join([accumulating, producing]);
        assert!(allocations.get() >= 3, "two slots and the bits of an index were made");
        assert_eq!(fan_in.read(), 0b1111 + allocations.get() * ALLOCATION);
    });
}
