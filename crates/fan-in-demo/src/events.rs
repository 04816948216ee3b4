//! Splits bytes into lines, and turns each line into an event.

use std::io;
use std::ops::Range;

use memchr::memchr_iter;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::histogram;
use crate::input::Input;

/// What one line adds to the totals, apart from the 1 that it adds to the number of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The length of the line in bytes, including its line end.
    pub bytes: u64,
    /// The bucket of the histogram that the line falls into.
    pub bucket: usize,
    /// XXH3-64 of the line without its line end.
    pub digest: u64,
}

impl Event {
    fn new(length: u64, line_end: u64, digest: u64) -> Self {
        Self { bytes: length + line_end, bucket: histogram::bucket(length), digest }
    }

    /// The event of a whole line that has a line end.
    fn of(line: &[u8]) -> Self {
        Self::new(line.len() as u64, 1, xxh3_64(line))
    }
}

/// A line whose end is in a later block. Its bytes are hashed but not kept, since a line may be larger than
/// memory.
struct OpenLine {
    length: u64,
    hasher: Box<Xxh3>,
}

impl OpenLine {
    fn new() -> Self {
        Self { length: 0, hasher: Box::new(Xxh3::new()) }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.hasher.update(bytes);
    }

    fn event(&self, line_end: u64) -> Event {
        Event::new(self.length, line_end, self.hasher.digest())
    }
}

/// Calls `each` with the event of every line in `range`, which must start and end at a line start, as the
/// ranges of [`Input::cut`] do.
pub fn for_each(input: &Input, mut range: Range<u64>, mut each: impl FnMut(Event)) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut open: Option<OpenLine> = None;
    while !range.is_empty() {
        let block = input.block(range.clone(), &mut buffer)?;
        let mut start = 0;
        for end in memchr_iter(b'\n', block) {
            let line = &block[start..end];
            each(match open.take() {
                None => Event::of(line),
                Some(mut open) => {
                    open.push(line);
                    open.event(1)
                }
            });
            start = end + 1;
        }
        if start < block.len() {
            open.get_or_insert_with(OpenLine::new).push(&block[start..]);
        }
        range.start += block.len() as u64;
    }
    if let Some(last) = open {
        each(last.event(0));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same by the standard library, on the whole input.
    fn naive(bytes: &[u8]) -> Vec<Event> {
        bytes
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| match line.strip_suffix(b"\n") {
                Some(line) => Event::of(line),
                None => Event::new(line.len() as u64, 0, xxh3_64(line)),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_how_the_input_is_cut(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..600),
            parts in 1usize..12,
            block in 1usize..80,
        ) {
            let input = Input::with_block(&bytes, block);
            let mut events = Vec::new();
            for range in input.cut(parts).unwrap() {
                for_each(&input, range, |event| events.push(event)).unwrap();
            }
            prop_assert_eq!(events, naive(&bytes));
        }
    }
}
