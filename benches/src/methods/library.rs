//! The library's methods.

use std::hint::black_box;

use atomik_core::{AtomikContext, FanIn, Producer, TableFanIn, Xor};
use crossbeam::utils::CachePadded;

use super::{Method, deltas, shared};

shared!(
    /// `AtomikContext::accum` on one context.
    Context(CachePadded<AtomikContext>), "Context::accum",
    CachePadded::new(AtomikContext::new(0)), |state, delta| state.accum(delta), |state| state.read()
);
shared!(
    /// `FanIn::accum(&self)`.
    WithoutHandle(FanIn<Xor>), "FanIn::accum", FanIn::new(0), |state, delta| state.accum(delta), |state| state.read()
);

/// `Producer::accum` in a loop that keeps the handle in registers.
#[derive(Debug)]
pub struct InRegister(FanIn<Xor>);

impl Method for InRegister {
    const NAME: &'static str = "Producer::accum";

    fn new(_: usize) -> Self {
        Self(FanIn::new(0))
    }

    fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
        let mut producer = self.0.producer();
        start();
        for delta in deltas(thread, n) {
            producer.accum(delta);
        }
    }

    fn total(&mut self) -> u64 {
        self.0.read()
    }
}

/// `Producer::accum` with the handle in memory, as if it were a field of a larger structure.
#[derive(Debug)]
pub struct InMemory(FanIn<Xor>);

impl Method for InMemory {
    const NAME: &'static str = "Producer::accum, handle in memory";

    fn new(_: usize) -> Self {
        Self(FanIn::new(0))
    }

    fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
        let mut producer = self.0.producer();
        start();
        for delta in deltas(thread, n) {
            black_box::<&mut Producer<'_, Xor>>(&mut producer).accum(delta);
        }
    }

    fn total(&mut self) -> u64 {
        self.0.read()
    }
}

/// `TableFanIn::accum(&self)`, at each address of a small table in turn.
#[derive(Debug)]
pub struct TableWithoutHandle(TableFanIn<Xor>);

/// 4 KiB a thread, which L1 holds easily.
const ADDRESSES: usize = 512;

impl Method for TableWithoutHandle {
    const NAME: &'static str = "TableFanIn::accum";

    fn new(_: usize) -> Self {
        Self(TableFanIn::new(ADDRESSES))
    }

    fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
        start();
        for delta in deltas(thread, n) {
            self.0.accum(delta as usize % ADDRESSES, delta);
        }
    }

    fn total(&mut self) -> u64 {
        let mut words = [0; ADDRESSES];
        self.0.snapshot(&mut words);
        words.iter().fold(0, |total, word| total ^ word)
    }
}
