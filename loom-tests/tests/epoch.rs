//! Models of observers of one state.

use atomik_core::{AtomikContext, Epoch, FanIn, Xor};
use atomik_loom_tests::{Past, check_pasts, join};
use loom::thread;
use std::sync::Arc;

/// Each delta is in exactly one epoch: the sum of what the epochs have, where one that is in two would show as a
/// carry, is the sum of the deltas.
fn exactly_once(epochs: &[u64], deltas: u64) {
    assert_eq!(epochs.iter().sum::<u64>(), deltas, "a delta is in two epochs or in none: {epochs:?}");
}

/// An observer's epochs against two writers of one context: each delta is in exactly one epoch, and the
/// observer sees the past of those in it.
///
/// Rules out: an observer that reads the state twice for one SWAP (a delta between the reads falls through); a
/// Relaxed read.
#[test]
fn epochs_of_a_context() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let pasts = [Past::new(), Past::new()];
        let mut epoch = context.epoch();
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let (context, past) = (context.clone(), pasts[i].clone());
                thread::spawn(move || {
                    past.happen();
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
        let accumulating = {
            let (fan_in, past) = (fan_in.clone(), pasts[1].clone());
            thread::spawn(move || {
                past.happen();
                fan_in.accum(0b10);
            })
        };
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

/// Two observers of one context, in two threads, against a writer of two deltas: each has each delta in exactly
/// one of its epochs, whatever the other does.
///
/// Rules out: observers that share a reference, or that drain what they read.
#[test]
fn two_observers() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let observers: Vec<_> = (0..2)
            .map(|_| {
                let context = context.clone();
                thread::spawn(move || {
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

/// An observer goes on from another's checkpoint, in another thread, while a writer writes.
///
/// Rules out: a resumed observer that starts from the state instead of the checkpoint (what came between is in no
/// epoch).
#[test]
fn an_observer_is_resumed_elsewhere() {
    loom::model(|| {
        let context = Arc::new(AtomikContext::new(0));
        let writer = {
            let context = context.clone();
            thread::spawn(move || {
                context.accum(0b01);
                context.accum(0b10);
            })
        };
        let observer = {
            let context = context.clone();
            thread::spawn(move || {
                let mut epoch = context.epoch();
                (epoch.reference(), epoch.swap())
            })
        };
        let (start, checkpoint) = observer.join().unwrap();
        let mut epoch = Epoch::resume(&*context, checkpoint);
        let second = epoch.swap();
        join([writer]);
        exactly_once(&[start, checkpoint.delta, second.delta, epoch.swap().delta], 0b11);
    });
}
