//! Each operation in a function of its own, whose machine code `tests/machine_code.rs` reads.
//!
//! A `planted_` function is wrong on purpose: the test must see it.

use atomik_core::{AtomikContext, Counter, FanIn, Producer, TableFanIn, TableProducer, Xor};
use std::sync::atomic::{AtomicU64, Ordering};

#[unsafe(no_mangle)]
pub fn context_load(context: &AtomikContext, v: u64) {
    context.load(v);
}

#[unsafe(no_mangle)]
pub fn context_accum(context: &AtomikContext, delta: u64) {
    context.accum(delta);
}

#[unsafe(no_mangle)]
pub fn context_read(context: &AtomikContext) -> u64 {
    context.read()
}

#[unsafe(no_mangle)]
pub fn context_swap(context: &AtomikContext, v: u64) -> u64 {
    context.swap(v)
}

#[unsafe(no_mangle)]
pub fn context_rollback(context: &AtomikContext, delta: u64) {
    context.rollback(delta);
}

#[unsafe(no_mangle)]
pub fn counter_accum(counter: &Counter, delta: u64) {
    counter.accum(delta);
}

#[unsafe(no_mangle)]
pub fn counter_rollback(counter: &Counter, delta: u64) {
    counter.rollback(delta);
}

#[unsafe(no_mangle)]
pub fn producer_accum(producer: &mut Producer<Xor>, delta: u64) {
    producer.accum(delta);
}

#[unsafe(no_mangle)]
pub fn table_producer_accum(producer: &mut TableProducer<Xor>, addr: usize, delta: u64) {
    producer.accum(addr, delta);
}

#[unsafe(no_mangle)]
pub fn fan_in_accum(fan_in: &FanIn<Xor>, delta: u64) {
    fan_in.accum(delta);
}

#[unsafe(no_mangle)]
pub fn table_fan_in_accum(fan_in: &TableFanIn<Xor>, addr: usize, delta: u64) {
    fan_in.accum(addr, delta);
}

#[unsafe(no_mangle)]
pub fn planted_loop(context: &AtomicU64, delta: u64) -> u64 {
    context.fetch_xor(delta, Ordering::Release)
}

#[unsafe(no_mangle)]
pub fn planted_fence(context: &AtomicU64, v: u64) {
    context.store(v, Ordering::SeqCst);
}
