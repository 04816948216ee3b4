//! Models of observers of one state.

use atomik_core::{Add, AtomikContext, Epoch, FanIn, Xor};
use atomik_loom_tests::{Past, Preemptions, bounded_model, check_pasts, join, spawn, spawn_writer};
use loom::thread;
use std::sync::Arc;

/// Each delta is in exactly one epoch: the sum of what the epochs have, where one that is in two would show as a
/// carry, is the sum of the deltas.
fn exactly_once(epochs: &[u64], deltas: u64) {
    assert_eq!(epochs.iter().sum::<u64>(), deltas, "a delta is in two epochs or in none: {epochs:?}");
}

/// An observer's epochs against two writers of one context. Each delta is in exactly one epoch, and the observer sees
/// what the writers of its deltas did before.
///
/// Rules out: an observer that reads the state twice for one SWAP (a delta between the reads is in no epoch); a Relaxed
/// read.
#[test]
fn epochs_of_a_context() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let mut epoch = context.epoch();
        let writers: Vec<_> = (0..2)
            .map(|i| {
                spawn_writer(&pasts[i], &context, move |context| {
                    context.accum(1 << i);
                })
            })
            .collect();
        let first = epoch.swap();
        check_pasts(first.delta, &pasts);
        let second = epoch.swap();
        join(writers);
        exactly_once(&[first.delta, second.delta, epoch.swap().delta], 0b11);
    });
}

/// An observer's epochs against a SWAP(v) and an ACCUM by other threads. To the observer both are deltas, in the order in
/// which they came.
///
/// Rules out: an observer that reads the state twice for one SWAP.
#[test]
fn epochs_across_a_swap_by_someone_else() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let mut epoch = context.epoch();
        let accumulating = spawn(&context, move |context| context.accum(0b01));
        let swapping = spawn(&context, move |context| context.swap(0b100));
        let (first, second) = (epoch.swap(), epoch.swap());
        join([accumulating]);
        let taken = swapping.join().unwrap();
        let last = epoch.swap();
        // Either the ACCUM came first and was taken, or the SWAP.
        let states = if taken == 0b01 { [0, 0b01, 0b100] } else { [0, 0b100, 0b101] };
        let (mut at, mut reference) = (0, 0);
        for checkpoint in [first, second, last] {
            at += states[at..].iter().position(|&state| state == checkpoint.state).expect("it goes forward");
            assert_eq!(checkpoint.delta, reference ^ checkpoint.state);
            reference = checkpoint.state;
        }
        assert_eq!(at, 2);
    });
}

/// An observer's epochs against LOADs by one writer, which are deltas too.
///
/// Rules out: an observer that reads the state twice for one SWAP; a Relaxed LOAD.
#[test]
fn epochs_across_loads_by_someone_else() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let past = Past::new();
        let writer = {
            let (context, past) = (context.clone(), past.clone());
            thread::spawn(move || {
                context.load(0b10);
                past.happen();
                context.load(0b11);
            })
        };
        let observer = spawn(&context, move |context| {
            let mut epoch = Epoch::new(context);
            let epochs = [epoch.reference(), epoch.swap().delta, epoch.swap().delta];
            check_pasts(epoch.reference(), &[past]);
            (epochs, epoch)
        });
        join([writer]);
        let (epochs, mut epoch) = observer.join().unwrap();
        exactly_once(&[epochs[0], epochs[1], epochs[2], epoch.swap().delta], 0b11);
    });
}

/// An observer's epochs against a producer of a fan-in and a thread without a handle: each delta is in exactly
/// one epoch.
///
/// Rules out: two writers of one slot; a Relaxed store in `Producer::accum` or load in `FanIn::read`; a reader
/// that stops before a slot that is in use.
#[test]
fn epochs_of_a_fan_in() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Xor>::new(0));
        let pasts = [Past::new(), Past::new()];
        let mut epoch = Epoch::new(fan_in.clone());
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
        let observing = thread::spawn(move || {
            let (first, second) = (epoch.swap(), epoch.swap());
            check_pasts(second.state, &pasts);
            (epoch, first.delta, second.delta)
        });
        join([producing, accumulating]);
        let (mut epoch, first, second) = observing.join().unwrap();
        exactly_once(&[first, second, epoch.swap().delta], 0b11);
    });
}

/// An observer's epochs while a slot is made, claimed, returned and claimed again: each delta is in exactly one.
///
/// Rules out: a slot that is reset when it is claimed; an epoch that reads the slots twice; a slot found before it is
/// made.
#[test]
fn epochs_while_a_slot_is_used_again() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        let mut epoch = Epoch::new(fan_in.clone());
        let writer = thread::spawn(move || {
            fan_in.producer().accum(0b01);
            fan_in.producer().accum(0b10);
        });
        let observer = thread::spawn(move || {
            let epochs = [epoch.swap().delta, epoch.swap().delta];
            (epochs, epoch)
        });
        join([writer]);
        let (epochs, mut epoch) = observer.join().unwrap();
        exactly_once(&[epochs[0], epochs[1], epoch.swap().delta], 0b11);
    });
}

/// The same while a slot goes from one thread's producer to another's, or each thread has its own slot and the list
/// grows. Bounded.
///
/// Rules out: the same, and two owners of one slot.
#[test]
fn epochs_while_a_slot_is_handed_over() {
    bounded_model(Preemptions { ordinary: 2, deep: Some(3) }, || {
        let fan_in = Arc::new(FanIn::<Add>::new(0));
        drop(fan_in.producer());
        let mut epoch = Epoch::new(fan_in.clone());
        let writers: Vec<_> =
            (0..2).map(|i| spawn(&fan_in, move |fan_in| fan_in.producer_owned().accum(1 << i))).collect();
        let observer = thread::spawn(move || {
            let epochs = [epoch.swap().delta, epoch.swap().delta];
            (epochs, epoch)
        });
        let (epochs, mut epoch) = observer.join().unwrap();
        join(writers);
        exactly_once(&[epochs[0], epochs[1], epoch.swap().delta], 0b11);
    });
}

/// Two observers of one context, in two threads, against a writer of two deltas. Each observer has each delta in
/// exactly one of its epochs, whatever the other one does.
///
/// Rules out: observers that share a reference, or that drain what they read.
#[test]
fn two_observers() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let observers: Vec<_> = (0..2)
            .map(|_| {
                spawn(&context, move |context| {
                    let mut epoch = Epoch::new(context);
                    (epoch.reference(), epoch.swap().delta, epoch)
                })
            })
            .collect();
        context.accum(0b01);
        context.accum(0b10);
        for (start, first, mut epoch) in join(observers) {
            assert_ne!(epoch.reference(), 0b10, "the later delta was seen without the earlier");
            exactly_once(&[start, first, epoch.swap().delta], 0b11);
        }
    });
}

/// An observer in one thread continues from the checkpoint of an observer in another thread, while a writer writes.
///
/// Rules out: a resumed observer that starts from the state instead of the checkpoint (deltas between the two are in no
/// epoch).
#[test]
fn an_observer_is_resumed_elsewhere() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let writer = spawn(&context, move |context| {
            context.accum(0b01);
            context.accum(0b10);
        });
        let observer = spawn(&context, move |context| {
            let mut epoch = context.epoch();
            (epoch.reference(), epoch.swap())
        });
        let (start, checkpoint) = observer.join().unwrap();
        let mut epoch = Epoch::resume(&*context, checkpoint);
        let second = epoch.swap();
        join([writer]);
        exactly_once(&[start, checkpoint.delta, second.delta, epoch.swap().delta], 0b11);
    });
}
