//! Four ways for many threads to add up totals for one reader: the fan-in and its rivals.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use atomik_core::{Add, FanIn, TableFanIn, Xor};

use crate::events::Event;
use crate::histogram::{BUCKETS, Histogram};

/// The totals that the reader asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// The XOR of the events' digests, which doesn't depend on the order of the lines.
    pub(crate) digest: u64,
    pub(crate) histogram: Histogram,
}

impl Totals {
    const NONE: Self = Self { lines: 0, bytes: 0, digest: 0, histogram: [0; BUCKETS] };

    fn add(&mut self, event: Event) {
        self.lines += 1;
        self.bytes += event.bytes;
        self.digest ^= event.digest;
        self.histogram[event.bucket] += 1;
    }
}

/// A way to accumulate events. An event is in the totals as soon as a writer has accepted it: no method keeps a
/// batch that the reader can't see.
pub(crate) trait Method: Sync {
    const NAME: &'static str;

    fn new() -> Self;

    /// Creates a writer, which accepts the events of one thread.
    fn writer(&self) -> impl FnMut(Event);

    /// Creates an observer, which returns the bytes added since its last call. It may run beside the writers.
    fn observer(&self) -> impl FnMut() -> u64 + Send;

    /// The totals, once all writers are done.
    fn totals(&self) -> Totals;
}

pub(crate) struct FanInTotals {
    lines: FanIn<Add>,
    bytes: FanIn<Add>,
    digest: FanIn<Xor>,
    histogram: TableFanIn<Add>,
}

impl Method for FanInTotals {
    const NAME: &'static str = "fan_in";

    fn new() -> Self {
        Self {
            lines: FanIn::new(0),
            bytes: FanIn::new(0),
            digest: FanIn::new(0),
            histogram: TableFanIn::new(BUCKETS),
        }
    }

    fn writer(&self) -> impl FnMut(Event) {
        let mut lines = self.lines.producer();
        let mut bytes = self.bytes.producer();
        let mut digest = self.digest.producer();
        let mut histogram = self.histogram.producer();
        move |event| {
            lines.accum(1);
            bytes.accum(event.bytes);
            digest.accum(event.digest);
            histogram.accum(event.bucket, 1);
        }
    }

    fn observer(&self) -> impl FnMut() -> u64 + Send {
        let mut epoch = self.bytes.epoch();
        move || epoch.swap().delta
    }

    fn totals(&self) -> Totals {
        let mut histogram = [0; BUCKETS];
        self.histogram.snapshot(&mut histogram);
        Totals { lines: self.lines.read(), bytes: self.bytes.read(), digest: self.digest.read(), histogram }
    }
}

impl Method for Mutex<Totals> {
    const NAME: &'static str = "mutex";

    fn new() -> Self {
        Self::new(Totals::NONE)
    }

    fn writer(&self) -> impl FnMut(Event) {
        |event| self.lock().expect("no writer panics").add(event)
    }

    fn observer(&self) -> impl FnMut() -> u64 + Send {
        since_last(|| self.lock().expect("no writer panics").bytes)
    }

    fn totals(&self) -> Totals {
        self.lock().expect("no writer panics").clone()
    }
}

impl Method for parking_lot::Mutex<Totals> {
    const NAME: &'static str = "parking_lot";

    fn new() -> Self {
        Self::new(Totals::NONE)
    }

    fn writer(&self) -> impl FnMut(Event) {
        |event| self.lock().add(event)
    }

    fn observer(&self) -> impl FnMut() -> u64 + Send {
        since_last(|| self.lock().bytes)
    }

    fn totals(&self) -> Totals {
        self.lock().clone()
    }
}

/// All orderings are Relaxed: while the writers run only sums are read, and joining the writers orders the rest.
pub(crate) struct SharedAtomics {
    lines: AtomicU64,
    bytes: AtomicU64,
    digest: AtomicU64,
    histogram: [AtomicU64; BUCKETS],
}

impl Method for SharedAtomics {
    const NAME: &'static str = "atomic";

    fn new() -> Self {
        Self {
            lines: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            digest: AtomicU64::new(0),
            histogram: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }

    fn writer(&self) -> impl FnMut(Event) {
        |event| {
            self.lines.fetch_add(1, Relaxed);
            self.bytes.fetch_add(event.bytes, Relaxed);
            self.digest.fetch_xor(event.digest, Relaxed);
            self.histogram[event.bucket].fetch_add(1, Relaxed);
        }
    }

    fn observer(&self) -> impl FnMut() -> u64 + Send {
        since_last(|| self.bytes.load(Relaxed))
    }

    fn totals(&self) -> Totals {
        Totals {
            lines: self.lines.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            digest: self.digest.load(Relaxed),
            histogram: self.histogram.each_ref().map(|lines| lines.load(Relaxed)),
        }
    }
}

/// Does by hand what an epoch does: returns how much a total has grown since the last call.
fn since_last(read: impl Fn() -> u64 + Send) -> impl FnMut() -> u64 + Send {
    let mut last = 0;
    move || {
        let total = read();
        total - std::mem::replace(&mut last, total)
    }
}
