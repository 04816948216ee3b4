//! What a checkpoint saves beside the totals.

use std::io;
use std::ops::Range;

use fan_in_demo::events;
use fan_in_demo::input::Input;
use serde::{Deserialize, Serialize};

/// How far the input has been processed. It is saved as JSON, so that it can be read in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The length of the input, and the digest of its first lines: another input is refused.
    length: u64,
    first_lines: u64,
    /// What is left of the input.
    pub(crate) left: Vec<Range<u64>>,
    /// The XOR of the lines' digests. The table adds, so it can't hold this total.
    pub(crate) digest: u64,
    /// How often a run was started that found a checkpoint.
    pub(crate) restarts: u64,
}

/// The bytes that tell one input from another.
const FIRST: u64 = 64 << 10;

impl Position {
    /// The start of an input.
    pub(crate) fn start(input: &Input) -> io::Result<Self> {
        let mut first_lines = 0u64;
        events::for_each(input, 0..input.line_start(input.len().min(FIRST))?, |event| {
            first_lines = first_lines.rotate_left(1) ^ event.digest;
        })?;
        let everything = 0..input.len();
        Ok(Self { length: input.len(), first_lines, left: vec![everything], digest: 0, restarts: 0 })
    }

    /// A position that was saved.
    pub(crate) fn parse(saved: &[u8], input: &Input) -> io::Result<Self> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let position: Self = serde_json::from_slice(saved)
            .map_err(|error| invalid(format!("the store was not written by this program: {error}")))?;
        let start = Self::start(input)?;
        if (position.length, position.first_lines) != (start.length, start.first_lines) {
            return Err(invalid(format!("the store has checkpoints of another input than {}", input.name())));
        }
        Ok(position)
    }

    /// Divides what is left among some threads.
    pub(crate) fn divide(&self, input: &Input, threads: usize) -> io::Result<Vec<Vec<Range<u64>>>> {
        let total: u64 = self.left.iter().map(|range| range.end - range.start).sum();
        let share = total.div_ceil(threads as u64).max(1);
        let mut shares = vec![Vec::new(); threads];
        let (mut thread, mut room) = (0, share);
        for range in &self.left {
            let mut range = range.clone();
            while !range.is_empty() {
                let last = thread + 1 == threads;
                let end =
                    if last { range.end } else { input.line_start(range.end.min(range.start + room))? };
                let end = end.min(range.end);
                shares[thread].push(range.start..end);
                room = room.saturating_sub(end - range.start);
                range.start = end;
                if room == 0 && !last {
                    (thread, room) = (thread + 1, share);
                }
            }
        }
        Ok(shares)
    }
}
