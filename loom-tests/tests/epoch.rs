//! Models of observers.

use atomik_core::{AtomikContext, FanIn, Table, Xor};
use atomik_loom_tests::{Past, check_pasts};
use loom::thread;
use std::sync::Arc;

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
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let third = epoch.swap();
        let deltas = [first.delta, second.delta, third.delta];
        assert_eq!(deltas.iter().sum::<u64>(), 0b11, "a delta is in two epochs or in none: {deltas:?}");
    });
}

/// An observer's epochs against two producers of a fan-in: each delta is in exactly one epoch.
///
/// Rules out: two writers of one slot; a Relaxed store in `Producer::accum` or load in `FanIn::read`; a reader
/// that stops before a slot that is in use.
#[test]
fn epochs_of_a_fan_in() {
    loom::model(|| {
        let fan_in = Arc::new(FanIn::<Xor>::new(0));
        let pasts = [Past::new(), Past::new()];
        let writers: Vec<_> = (0..2)
            .map(|i| {
                let (mut producer, past) = (fan_in.producer_owned(), pasts[i].clone());
                thread::spawn(move || {
                    past.happen();
                    producer.accum(1 << i);
                })
            })
            .collect();
        let mut epoch = fan_in.epoch();
        check_pasts(epoch.reference(), &pasts);
        let first = epoch.swap();
        check_pasts(first.state, &pasts);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let second = epoch.swap();
        let start = first.state ^ first.delta;
        let deltas = [start, first.delta, second.delta];
        assert_eq!(deltas.iter().sum::<u64>(), 0b11, "a delta is in two epochs or in none: {deltas:?}");
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
        let writer = {
            let context = context.clone();
            thread::spawn(move || {
                context.accum(0b01);
                context.accum(0b10);
            })
        };
        let observe = |context: &AtomikContext| {
            let mut epoch = context.epoch();
            let start = epoch.reference();
            let deltas = [start, epoch.swap().delta, epoch.swap().delta];
            let state = epoch.reference();
            assert_eq!(deltas.iter().sum::<u64>(), state, "a delta is in two epochs: {deltas:?}");
            assert_ne!(state, 0b10, "the later delta was seen without the earlier");
        };
        let other = {
            let context = context.clone();
            thread::spawn(move || observe(&context))
        };
        observe(&context);
        other.join().unwrap();
        writer.join().unwrap();
        assert_eq!(context.read(), 0b11);
    });
}

/// A table's observer against a writer of two addresses: each delta is in exactly one epoch, and the fence makes
/// the writer's past visible.
///
/// Rules out: a block copied without the Acquire fence after it.
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
        writer.join().unwrap();
        let second = epoch.swap();
        for (addr, delta) in [(0, 0b01), (1, 0b10)] {
            assert_eq!([first.get(addr), second.get(addr)].iter().sum::<u64>(), delta);
        }
    });
}
