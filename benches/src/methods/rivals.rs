//! The rivals.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;

use contatori::counters::Observable;
use contatori::counters::unsigned::Unsigned;
use crossbeam::atomic::AtomicCell;
use crossbeam::channel;
use crossbeam::utils::CachePadded;
use hytra::TrAcc;

use super::{Method, deltas, shared};

shared!(
    /// A bare `fetch_xor` on one word.
    FetchXor(CachePadded<AtomicU64>), "fetch_xor", CachePadded::default(),
    |state, delta| state.fetch_xor(delta, Ordering::Release), |state| *state.get_mut()
);
shared!(
    /// A standard mutex.
    StdMutex(CachePadded<Mutex<u64>>), "std Mutex", CachePadded::default(),
    |state, delta| *state.lock().unwrap() ^= delta, |state| *state.get_mut().unwrap()
);
shared!(
    /// A `parking_lot` mutex.
    ParkingLot(CachePadded<parking_lot::Mutex<u64>>), "parking_lot Mutex", CachePadded::default(),
    |state, delta| *state.lock() ^= delta, |state| *state.get_mut()
);
shared!(
    /// A standard read-write lock, taken for writing.
    StdRwLock(CachePadded<RwLock<u64>>), "std RwLock", CachePadded::default(),
    |state, delta| *state.write().unwrap() ^= delta, |state| *state.get_mut().unwrap()
);
shared!(
    /// Crossbeam's `AtomicCell`.
    Cell(CachePadded<AtomicCell<u64>>), "AtomicCell", CachePadded::default(),
    |state, delta| state.fetch_xor(delta), |state| state.load()
);

/// The limit of a producer: a running value in a register that is stored to a padded cell.
#[derive(Debug)]
pub struct BareStore(Vec<CachePadded<AtomicU64>>);

impl Method for BareStore {
    const NAME: &'static str = "bare store";

    fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| CachePadded::default()).collect())
    }

    fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
        let slot = &self.0[thread];
        let mut local = 0;
        start();
        for delta in deltas(thread, n) {
            local ^= delta;
            slot.store(local, Ordering::Release);
        }
    }

    fn total(&mut self) -> u64 {
        self.0.iter_mut().fold(0, |total, slot| total ^ *slot.get_mut())
    }
}

/// A bounded crossbeam channel to one thread that accumulates everything. The time ends when the last delta is in
/// the channel, which holds few.
#[derive(Debug)]
pub struct Channel {
    sender: Option<channel::Sender<u64>>,
    aggregator: Option<thread::JoinHandle<u64>>,
}

impl Method for Channel {
    const NAME: &'static str = "crossbeam channel";

    fn new(_: usize) -> Self {
        let (sender, receiver) = channel::bounded(1 << 10);
        let aggregator = thread::spawn(move || receiver.iter().fold(0, |total: u64, delta| total ^ delta));
        Self { sender: Some(sender), aggregator: Some(aggregator) }
    }

    fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
        let sender = self.sender.as_ref().expect("it is taken by `total` alone");
        start();
        for delta in deltas(thread, n) {
            sender.send(delta).expect("the aggregator receives until the sender is dropped");
        }
    }

    fn total(&mut self) -> u64 {
        self.sender = None;
        let aggregator = self.aggregator.take().expect("`total` is called once");
        aggregator.join().expect("the aggregator doesn't panic")
    }
}

/// The crate `hytra` with XOR: a thread-local slot for each thread.
pub struct Hytra(TrAcc<u64, XorFn>);

/// XOR as a type, so that hytra's call of it is inlined.
#[derive(Debug)]
pub struct XorFn;

impl hytra::FnAcc<u64> for XorFn {
    fn call(&self, a: u64, b: u64) -> u64 {
        a ^ b
    }
}

impl std::fmt::Debug for Hytra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hytra").finish_non_exhaustive()
    }
}

impl Method for Hytra {
    const NAME: &'static str = "hytra";

    fn new(_: usize) -> Self {
        Self(TrAcc::new(XorFn, 0))
    }

    fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
        start();
        for delta in deltas(thread, n) {
            self.0.acc(delta);
        }
    }

    fn total(&mut self) -> u64 {
        self.0.get()
    }
}

/// The crate `contatori`: sharded counters. It can only add.
#[derive(Debug)]
pub struct Contatori(Unsigned);

impl Method for Contatori {
    const NAME: &'static str = "contatori";

    fn new(_: usize) -> Self {
        Self(Unsigned::new())
    }

    fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
        start();
        for delta in deltas(thread, n) {
            self.0.add(delta as usize);
        }
    }

    fn total(&mut self) -> u64 {
        self.0.value().as_u64()
    }

    fn expected(threads: usize, n: u64) -> u64 {
        let low = (u128::from(n) * u128::from(n.saturating_sub(1)) / 2) as u64;
        (0..threads as u64)
            .fold(0, |total, thread| total.wrapping_add((thread << 48).wrapping_mul(n)).wrapping_add(low))
    }
}
