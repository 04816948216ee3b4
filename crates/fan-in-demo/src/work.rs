//! The two kinds of work that are timed: the whole job, and accumulation alone.

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

/// Accumulation alone, of events that were made beforehand.
pub(crate) struct Replay {
    /// The events of lines from all parts of the input, which are repeated. They fit into a core's own cache, so
    /// that the time to read them doesn't count.
    events: Vec<Event>,
    /// The number of events of each thread.
    shares: Vec<usize>,
    bytes: u64,
}

/// How many places of the input the events come from. Lines at its start may not be typical of the rest.
const PLACES: usize = 16;
/// The bytes to read at each place, rounded up to whole lines.
const BYTES_PER_PLACE: u64 = 64 << 10;
/// The most events of each place: 16 Ki events of 24 bytes in all.
const EVENTS_PER_PLACE: usize = 1 << 10;

/// With fewer events, the time to start the threads would dominate. (A debug build is not worth timing.)
const LEAST_EVENTS: u64 = if cfg!(debug_assertions) { 20_000 } else { 2_000_000 };
/// With more events, the slowest method would take minutes.
const MOST_EVENTS: u64 = 16_000_000;

impl Replay {
    /// Prepares as many events as the input has `lines`, within the bounds above.
    pub(crate) fn new(input: &Input, threads: usize, lines: u64) -> io::Result<Self> {
        let mut events = Vec::with_capacity(PLACES * EVENTS_PER_PLACE);
        for part in input.cut(PLACES)? {
            let end = input.line_start(part.end.min(part.start + BYTES_PER_PLACE))?;
            let most = events.len() + EVENTS_PER_PLACE;
            events::for_each(input, part.start..end, |event| {
                if events.len() < most {
                    events.push(event);
                }
            })?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replayed_events_come_from_all_parts_of_the_input() {
        // The second half has lines of another length.
        let mut bytes = b"short\n".repeat(500_000);
        bytes.extend(b"a line of twenty-two..\n".repeat(bytes.len() / 23));
        let input = Input::with_block(&bytes, 4096);
        let replay = Replay::new(&input, 1, 0).unwrap();
        let long = replay.events.iter().filter(|event| event.bytes == 23).count();
        assert_eq!(replay.events.len(), PLACES * EVENTS_PER_PLACE);
        assert!(long.abs_diff(replay.events.len() / 2) <= EVENTS_PER_PLACE, "{long}");
    }

    #[test]
    fn a_short_input_is_replayed_whole() {
        let input = Input::with_block(b"one\ntwo\nthree", 4);
        let replay = Replay::new(&input, 2, 3).unwrap();
        let bytes: Vec<u64> = replay.events.iter().map(|event| event.bytes).collect();
        assert_eq!(bytes, [4, 4, 5]);
        assert_eq!(replay.shares.iter().sum::<usize>() as u64, LEAST_EVENTS);
    }

    #[test]
    fn an_empty_input_has_nothing_to_replay() {
        let replay = Replay::new(&Input::with_block(b"", 4), 2, 0).unwrap();
        assert_eq!((replay.events.len(), replay.shares), (0, vec![0, 0]));
    }
}
