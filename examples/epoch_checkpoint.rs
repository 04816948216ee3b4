//! Checkpoints of a running count: a checkpointer closes an epoch now and then and keeps 24 bytes, while the
//! writers never wait for it and other observers don't notice.
//!
//!     cargo run --release --example epoch_checkpoint

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
    // What came after the last look, if anything.
    checkpoints.push(checkpointer.swap());
    for Checkpoint { epoch, state, delta } in &checkpoints {
        println!("epoch {epoch}: {delta:>7} orders, {state:>7} in all");
    }

    // Each order is in exactly one epoch, and in the one long epoch of whoever closed none.
    let total: u64 = checkpoints.iter().map(|checkpoint| checkpoint.delta).sum();
    assert_eq!(total, WRITERS * BURSTS * ORDERS_A_BURST);
    assert_eq!(bystander.accumulator(), total);
    println!("all epochs together: {total} orders, as many as were made");

    // A checkpointer that starts anew goes on from what it kept last: nothing is counted twice or missed.
    let kept = *checkpoints.last().expect("one epoch was closed after the loop");
    ORDERS.accum(42);
    let next = Epoch::resume(&ORDERS, kept).swap();
    println!("epoch {}: {:>7} orders, after a restart of the checkpointer", next.epoch, next.delta);
    assert_eq!((next.epoch, next.delta), (kept.epoch + 1, 42));
}
