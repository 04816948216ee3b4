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

/// Implements a method whose threads have a producer each.
macro_rules! by_producer {
    ($(#[$doc:meta])* $type:ident, $name:literal, |$producer:ident, $delta:ident| $accum:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $type(FanIn<Xor>);

        impl Method for $type {
            const NAME: &'static str = $name;

            fn new(_: usize) -> Self {
                Self(FanIn::new(0))
            }

            fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
                let mut $producer = self.0.producer();
                start();
                for $delta in deltas(thread, n) {
                    $accum;
                }
            }

            fn total(&mut self) -> u64 {
                self.0.read()
            }
        }
    };
}

by_producer!(
    /// `Producer::accum` in a loop that keeps the handle in registers.
    InRegister, "Producer::accum", |producer, delta| producer.accum(delta)
);
by_producer!(
    /// `Producer::accum` with the handle in memory, as if it were a field of a larger structure.
    InMemory, "Producer::accum, handle in memory",
    |producer, delta| black_box::<&mut Producer<'_, Xor>>(&mut producer).accum(delta)
);

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
