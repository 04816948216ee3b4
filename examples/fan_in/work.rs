//! The two kinds of work that are timed: the job as a whole, and its accumulation alone.

use std::io;
use std::ops::Range;

use crate::events::{self, Event};
use crate::input::Input;
use crate::race::Work;

/// The whole job: read, split into lines, hash, accumulate.
pub(crate) struct Job<'a> {
    input: &'a Input,
    ranges: Vec<Range<u64>>,
}

impl<'a> Job<'a> {
    pub(crate) fn new(input: &'a Input, threads: usize) -> io::Result<Self> {
        Ok(Self { input, ranges: input.cut(threads)? })
    }
}

impl Work for Job<'_> {
    fn threads(&self) -> usize {
        self.ranges.len()
    }

    fn bytes(&self) -> u64 {
        self.input.len()
    }

    fn share(&self, thread: usize, each: impl FnMut(Event)) -> io::Result<()> {
        events::for_each(self.input, self.ranges[thread].clone(), each)
    }
}

/// Accumulation alone, of events made beforehand.
pub(crate) struct Replay {
    /// Those of the input's first lines, gone over again and again: few enough to stay in a core's own cache, so
    /// that reading them isn't what is timed.
    events: Vec<Event>,
    /// For each thread, how many to hand over.
    shares: Vec<usize>,
    bytes: u64,
}

/// The bytes at the input's start whose lines are replayed.
const HEAD: u64 = 1 << 20;
/// With fewer events, starting the threads would be what is timed ...
const LEAST_EVENTS: u64 = 2_000_000;
/// ... and with more, the slowest method would take minutes.
const MOST_EVENTS: u64 = 16_000_000;

impl Replay {
    /// As many events as the input has `lines`, within the bounds above.
    pub(crate) fn new(input: &Input, threads: usize, lines: u64) -> io::Result<Self> {
        let mut events = Vec::new();
        let head = 0..input.line_start(HEAD.min(input.len()))?;
        events::for_each(input, head, |event| events.push(event))?;
        let count = if events.is_empty() { 0 } else { lines.clamp(LEAST_EVENTS, MOST_EVENTS) as usize };
        let shares = (0..threads).map(|thread| count * (thread + 1) / threads - count * thread / threads);
        let mut replay = Self { events, shares: shares.collect(), bytes: 0 };
        let mut bytes = 0;
        for thread in 0..threads {
            replay.share(thread, |event| bytes += event.bytes)?;
        }
        replay.bytes = bytes;
        Ok(replay)
    }
}

impl Work for Replay {
    fn threads(&self) -> usize {
        self.shares.len()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn share(&self, thread: usize, mut each: impl FnMut(Event)) -> io::Result<()> {
        let mut left = self.shares[thread];
        while left > 0 {
            let events = &self.events[..left.min(self.events.len())];
            events.iter().copied().for_each(&mut each);
            left -= events.len();
        }
        Ok(())
    }
}
