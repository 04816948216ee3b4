//! The ways in which threads can accumulate deltas together: the library's and those of its rivals.
//!
//! All of them do the same job: thread t accumulates the deltas `t << 48 | i` for i from 0 to n - 1, and the
//! total is asserted.

mod library;
mod rivals;

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::measure::pin;

pub use library::{Context, InMemory, InRegister, TableWithoutHandle, WithoutHandle};
pub use rivals::{
    BareStore, Cell, Channel, Contatori, FetchXor, Hytra, ParkingLot, StdMutex, StdRwLock, XorFn,
};

/// A way to accumulate the deltas of several threads.
pub trait Method: Sync + Sized {
    /// The name in tables and plots.
    const NAME: &'static str;

    /// Creates a state of 0 for so many threads.
    fn new(threads: usize) -> Self;

    /// Accumulates the deltas of one thread. Calls `start` when it is ready.
    fn work(&self, thread: usize, deltas: u64, start: impl FnOnce());

    /// The total of all deltas.
    fn total(&mut self) -> u64;

    /// The total that is expected.
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

/// Runs a method on so many threads with so many deltas each, and checks the total. Returns the time from the
/// first thread's start to the last one's end, without the time to create the state and the threads.
///
/// # Panics
///
/// Panics if a delta was lost or counted twice.
#[must_use]
pub fn run<M: Method>(threads: usize, deltas: u64) -> Duration {
    let mut method = M::new(threads);
    let waiting = AtomicUsize::new(threads);
    let times: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let (method, waiting) = (&method, &waiting);
        let work = move |thread| {
            pin(thread);
            let mut started = None;
            method.work(thread, deltas, || {
                together(waiting);
                started = Some(Instant::now());
            });
            (started.expect("each method starts"), Instant::now())
        };
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(method.total(), M::expected(threads, deltas), "{} lost a delta or counted one twice", M::NAME);
    let start = times.iter().map(|time| time.0).min().expect("there is a thread");
    let end = times.iter().map(|time| time.1).max().expect("there is a thread");
    end - start
}

/// Waits for all threads. It spins, since a thread that sleeps would start late.
fn together(waiting: &AtomicUsize) {
    waiting.fetch_sub(1, Ordering::AcqRel);
    let mut spins = 0u32;
    while waiting.load(Ordering::Acquire) != 0 {
        spins += 1;
        // With more threads than cores, the others need time to arrive.
        if spins.is_multiple_of(1 << 10) { thread::yield_now() } else { spin_loop() }
    }
}

/// The deltas of one thread.
fn deltas(thread: usize, n: u64) -> impl Iterator<Item = u64> {
    let high = (thread as u64) << 48;
    (0..n).map(move |i| high | i)
}

/// Implements a method whose threads share one state and make one call for each delta.
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

use shared;
