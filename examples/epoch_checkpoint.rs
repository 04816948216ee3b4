//! Checkpoints of a running count. A checkpointer closes an epoch now and then and stores three words, while the
//! writers never wait for it and other observers are not disturbed. A restart continues from what was stored.
//!
//!     cargo run --release --example epoch_checkpoint
//!
//! Here the checkpoints stay in memory. The crate `atomik-checkpoint` saves them in a file, each in one transaction with
//! the caller's own bytes, so that they outlive the process: see its example `exactly_once`.

use std::thread;
use std::time::Duration;

use atomik_core::{Add, Checkpoint, Epoch, FanIn};

static ORDERS: FanIn<Add> = FanIn::new(0);

const WRITERS: u64 = 3;
const BURSTS: u64 = 10;
const ORDERS_A_BURST: u64 = 50_000;

fn main() {
    let mut checkpointer = ORDERS.epoch();
    let bystander = ORDERS.epoch();
    let mut checkpoints: Vec<Checkpoint> = Vec::new();

    thread::scope(|scope| {
        let writers = [(); WRITERS as usize].map(|()| {
            scope.spawn(|| {
                let mut producer = ORDERS.producer();
                for _ in 0..BURSTS {
                    (0..ORDERS_A_BURST).for_each(|_| producer.accum(1));
                    thread::sleep(Duration::from_millis(1));
                }
            })
        });
        while !writers.iter().all(|writer| writer.is_finished()) {
            thread::sleep(Duration::from_millis(3));
            checkpoints.push(checkpointer.swap());
        }
    });
    // The orders since the last swap, if there are any.
    checkpoints.push(checkpointer.swap());
    for Checkpoint { epoch, state, delta } in &checkpoints {
        println!("epoch {epoch}: {delta:>7} orders, {state:>7} in all");
    }

    // Each order is in exactly one epoch of the checkpointer, and in the one open epoch of the bystander.
    let total: u64 = checkpoints.iter().map(|checkpoint| checkpoint.delta).sum();
    assert_eq!(total, WRITERS * BURSTS * ORDERS_A_BURST);
    assert_eq!(bystander.accumulator(), total);
    println!("all epochs together: {total} orders, as many as were made");

    // A checkpointer that starts again continues from what it stored last. Nothing is counted twice or missed.
    let stored = *checkpoints.last().expect("one epoch was closed after the loop");
    ORDERS.accum(42);
    let next = Epoch::resume(&ORDERS, stored).swap();
    println!("epoch {}: {:>7} orders, after a restart of the checkpointer", next.epoch, next.delta);
    assert_eq!((next.epoch, next.delta), (stored.epoch + 1, 42));

    // When the whole process starts again, the count has to start in the state of the checkpoint.
    let orders = FanIn::<Add>::new(next.state);
    let mut checkpointer = Epoch::resume(&orders, next);
    orders.accum(7);
    let first = checkpointer.swap();
    println!("epoch {}: {:>7} orders, after a restart of the process", first.epoch, first.delta);
    assert_eq!((first.state, first.delta), (total + 42 + 7, 7));
}
