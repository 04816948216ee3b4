//! The set of message numbers that came from one sender.

use alloc::collections::BTreeMap;
use core::ops::RangeInclusive;

/// Which message numbers of one sender are accounted for: received, given up, or below the number at which the
/// sender begins.
///
/// Numbers that came out of order are kept as ranges, so the memory depends on the number of gaps and not on the
/// number of messages.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// The lowest number that is not accounted for, apart from an optional 0; 2^32 if there is none.
    next: u64,
    /// Whether 0 is still accepted although the sender is expected to begin at 1.
    optional_zero: bool,
    /// The numbers above `next` that are accounted for: the first and the last number of each range. Ranges neither
    /// overlap nor touch, and none of them contains `next`.
    above: BTreeMap<u32, u32>,
}

/// What [`Received::insert`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insertion {
    /// The number was not accounted for, and now it is.
    New,
    /// The number was accounted for already.
    Known,
    /// The number would open one gap too many, and was not inserted.
    TooManyGaps,
}

impl Received {
    /// The numbers of a sender whose first number is unknown: it is expected to be 1, but 0 is accepted too.
    pub(super) const fn new() -> Self {
        Self { next: 1, optional_zero: true, above: BTreeMap::new() }
    }

    /// The numbers of a sender that begins at `first`: everything below it is accounted for.
    pub(super) fn begin(first: u32) -> Self {
        Self { next: first.into(), optional_zero: false, above: BTreeMap::new() }
    }

    /// The lowest number that is not accounted for.
    pub(super) fn next(&self) -> Option<u32> {
        u32::try_from(self.next).ok()
    }

    /// Inserts a number, unless there are `max_gaps` gaps already and the number would open another.
    pub(super) fn insert(&mut self, number: u32, max_gaps: usize) -> Insertion {
        if self.contains(number) {
            return Insertion::Known;
        }
        // A 0 that is not accounted for is either `next` or the optional one, which is no gap.
        let opens_gap = number != 0 && u64::from(number) != self.next && !self.adjoins(number);
        if opens_gap && self.above.len() >= max_gaps {
            return Insertion::TooManyGaps;
        }
        self.fill(number, number);
        Insertion::New
    }

    /// Fills the gap around `number` and returns its numbers; `None` if the number is accounted for. Above the
    /// greatest number that came, the gap ends at `number`.
    pub(super) fn skip(&mut self, number: u32) -> Option<RangeInclusive<u32>> {
        if self.contains(number) {
            return None;
        }
        if number == 0 && self.optional_zero {
            self.optional_zero = false;
            return Some(0..=0);
        }
        // `number` is not accounted for, so `next` is at most `number` and fits a u32; so do the neighbours below.
        let first = self.range_below(number).map_or(self.next as u32, |(_, last)| last + 1);
        let last = self.above.range(number..).next().map_or(number, |(&next_first, _)| next_first - 1);
        self.fill(first, last);
        Some(first..=last)
    }

    /// The gaps below the greatest number that came, ascending. An optional 0 is no gap.
    pub(super) fn gaps(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        let mut next = self.next;
        self.above.iter().map(move |(&first, &last)| {
            // `next` is below the first number of a range, so it fits a u32.
            let gap = next as u32..=first - 1;
            next = u64::from(last) + 1;
            gap
        })
    }

    fn contains(&self, number: u32) -> bool {
        if number == 0 && self.optional_zero {
            return false;
        }
        u64::from(number) < self.next || self.range_below(number).is_some_and(|(_, last)| number <= last)
    }

    /// The last range that starts at `number` or below.
    fn range_below(&self, number: u32) -> Option<(u32, u32)> {
        self.above.range(..=number).next_back().map(|(&first, &last)| (first, last))
    }

    /// Whether a range ends just below `number` or starts just above it.
    fn adjoins(&self, number: u32) -> bool {
        let above = number.checked_add(1).is_some_and(|above| self.above.contains_key(&above));
        above || self.range_below(number).is_some_and(|(_, last)| last + 1 == number)
    }

    /// Accounts for all of `first..=last`, none of which is accounted for, and joins the ranges on both sides.
    fn fill(&mut self, first: u32, last: u32) {
        if first == 0 && self.optional_zero {
            self.optional_zero = false;
            return;
        }
        let joined = last.checked_add(1).and_then(|above| self.above.remove(&above));
        let last = joined.unwrap_or(last);
        if u64::from(first) == self.next {
            self.next = u64::from(last) + 1;
            return;
        }
        match self.range_below(first) {
            Some((start, end)) if end + 1 == first => self.above.insert(start, last),
            _ => self.above.insert(first, last),
        };
    }
}

#[cfg(test)]
mod tests;
