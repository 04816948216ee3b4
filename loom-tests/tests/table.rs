//! Models of a table that threads share.

use atomik_core::{Add, DeltaBatch, Table, TableEpoch, Xor};
use atomik_loom_tests::{Past, join, spawn, spawn_writer};
use loom::thread;
use std::sync::Arc;

/// A table's observer against a writer of two addresses. Each delta is in exactly one epoch, and the fence makes visible
/// what the writer did before.
///
/// Rules out: states that are copied without the Acquire fence after them; a reference that is not the state that the
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
        let batch = spawn(&table, move |table| {
            table.accum_batch(&DeltaBatch::from_iter([(0, 0b01), (1, 0b01)])).unwrap()
        });
        let row = spawn(&table, move |table| table.accum_dense(&[0, 0b10]));
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
        let writer = spawn_writer(&past, &table, move |table| {
            table.accum_batch(&DeltaBatch::from_iter([(0, 0b01), (1, 0b01)])).unwrap();
        });
        let other = spawn(&table, move |table| table.accum_dense(&[0, 0b10]));
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
