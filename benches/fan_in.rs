//! The ways in which threads can bring deltas together, the library's and its rivals'.
//!
//! Each is timed on the same job: thread t accumulates the deltas `t << 48 | i` for i from 0 to n - 1, and the
//! result must be what they compose to.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use atomik_core::{AtomikContext, FanIn, Producer, Xor};
use contatori::counters::Observable;
use contatori::counters::unsigned::Unsigned;
use crossbeam::atomic::AtomicCell;
use crossbeam::channel;
use crossbeam::utils::CachePadded;
use hytra::TrAcc;

/// One way to bring the deltas of several threads together.
pub trait Method: Sync + Sized {
    /// What the benchmark calls it.
    const NAME: &'static str;

    /// A fresh state, 0, for so many threads.
    fn new(threads: usize) -> Self;

    /// Accumulates one thread's deltas; it calls `start` when it is ready.
    fn work(&self, thread: usize, deltas: u64, start: impl FnOnce());

    /// What all deltas compose to.
    fn total(&mut self) -> u64;

    /// What they should compose to.
    fn expected(threads: usize, deltas: u64) -> u64 {
        (0..threads as u64).fold(0, |total, thread| total ^ xor_of_deltas(thread, deltas))
    }
}

/// The XOR of `thread << 48 | i` for i from 0 to n - 1.
fn xor_of_deltas(thread: u64, n: u64) -> u64 {
    let low = match n % 4 {
        0 => 0,
        1 => n - 1,
        2 => 1,
        _ => n,
    };
    ((n % 2) * (thread << 48)) ^ low
}

/// Runs a method on so many threads and so many deltas each, checks the result, and tells the time from the first
/// thread's start to the last one's end. Making the state and the threads is not in it.
///
/// # Panics
///
/// If a delta was lost or doubled.
#[must_use]
pub fn run<M: Method>(threads: usize, deltas: u64) -> Duration {
    let mut method = M::new(threads);
    let waiting = AtomicUsize::new(threads);
    let times: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let (method, waiting) = (&method, &waiting);
        let work = move |thread| {
            let mut started = None;
            method.work(thread, deltas, || {
                together(waiting);
                started = Some(Instant::now());
            });
            (started.expect("each method starts"), Instant::now())
        };
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        let mine = work(0);
        others.into_iter().map(|other| other.join().unwrap()).chain([mine]).collect()
    });
    assert_eq!(method.total(), M::expected(threads, deltas), "{} lost or doubled a delta", M::NAME);
    let start = times.iter().map(|time| time.0).min().expect("there is a thread");
    let end = times.iter().map(|time| time.1).max().expect("there is a thread");
    end - start
}

/// Waits for all threads; spins, since a thread that was put to sleep would start late.
fn together(waiting: &AtomicUsize) {
    waiting.fetch_sub(1, Ordering::AcqRel);
    let mut spins = 0u32;
    while waiting.load(Ordering::Acquire) != 0 {
        spins += 1;
        // More threads than cores: let the others come.
        if spins.is_multiple_of(1 << 10) { thread::yield_now() } else { spin_loop() }
    }
}

/// One thread's deltas.
fn deltas(thread: usize, n: u64) -> impl Iterator<Item = u64> {
    let high = (thread as u64) << 48;
    (0..n).map(move |i| high | i)
}

/// A method that is a shared state and one call on it.
macro_rules! shared {
    ($(#[$doc:meta])* $type:ident($inner:ty), $name:literal, $new:expr, |$state:ident, $delta:ident| $accum:expr, |$end:ident| $total:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $type($inner);

        impl Method for $type {
            const NAME: &'static str = $name;

            fn new(_: usize) -> Self {
                Self($new)
            }

            fn work(&self, thread: usize, n: u64, start: impl FnOnce()) {
                let $state = &self.0;
                start();
                for $delta in deltas(thread, n) {
                    $accum;
                }
            }

            fn total(&mut self) -> u64 {
                let $end = &mut self.0;
                $total
            }
        }
    };
}

shared!(
    /// `AtomikContext::accum`, all threads on one.
    Context(CachePadded<AtomikContext>), "Context::accum",
    CachePadded::new(AtomikContext::new(0)), |state, delta| state.accum(delta), |state| state.read()
);
shared!(
    /// `FanIn::accum(&self)`.
    WithoutHandle(FanIn<Xor>), "FanIn::accum", FanIn::new(0), |state, delta| state.accum(delta), |state| state.read()
);
shared!(
    /// A bare `fetch_xor`, all threads on one word.
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

/// `Producer::accum` with the handle in memory, as when it is a field of something.
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

/// The roof of a producer: a running value in a register, stored to a padded cell.
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

/// One bounded crossbeam channel into one thread that adds everything up. The time ends when the last delta is
/// in the channel, which holds few.
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
        let sender = self.sender.as_ref().expect("the total is asked for at the end");
        start();
        for delta in deltas(thread, n) {
            sender.send(delta).expect("the aggregator listens until the sender is gone");
        }
    }

    fn total(&mut self) -> u64 {
        self.sender = None;
        let aggregator = self.aggregator.take().expect("the total is asked for once");
        aggregator.join().expect("the aggregator only adds up")
    }
}

/// The crate `hytra`, with XOR: a thread-local slot for each thread.
pub struct Hytra(TrAcc<u64, XorFn>);

/// XOR as a type, so that hytra's call to it is inlined.
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

/// The crate `contatori`: sharded counters, which can only add.
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
