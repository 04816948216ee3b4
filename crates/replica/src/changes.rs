//! What came from elsewhere since an observer looked last.

use alloc::vec;
use alloc::vec::Vec;

use atomik_core::{Algebra, DeltaBatch, Table};

use crate::block::BLOCK_WORDS;

/// An observer of the remote states. It is told which blocks change, so that it looks at no others.
pub(crate) struct Changes {
    /// The states as they were last reported.
    reported: Vec<u64>,
    /// A bit for each block of the table in which a state may differ from the reported one.
    touched: Vec<u64>,
    /// No block before this word of bits is touched.
    first: usize,
}

/// How many addresses one batch has at most.
const MOST_ADDRESSES: usize = 4_096;

impl Changes {
    /// An observer that has seen these states.
    pub(crate) fn new<A: Algebra>(states: &Table<A>) -> Self {
        let reported = states.iter().map(|state| state.read()).collect();
        let words = states.len().div_ceil(BLOCK_WORDS).div_ceil(64);
        Self { reported, touched: vec![0; words], first: words }
    }

    /// Notes that a state of a block may have changed.
    #[inline]
    pub(crate) fn touch(&mut self, block: usize) {
        self.touched[block / 64] |= 1 << (block % 64);
        self.first = self.first.min(block / 64);
    }

    /// The next deltas from the reported states to these, by address. `None` if there are none.
    pub(crate) fn poll<A: Algebra>(&mut self, states: &Table<A>) -> Option<DeltaBatch<A>> {
        let mut changes = Vec::new();
        while let Some(block) = self.next_touched() {
            let start = block * BLOCK_WORDS;
            let reported = self.reported[start..].iter_mut().take(BLOCK_WORDS);
            for ((addr, reported), state) in (start..).zip(reported).zip(&states[start..]) {
                // Only this thread writes to the table, so it reads what is there.
                let delta = A::delta(*reported, state.read());
                if delta != A::IDENTITY {
                    *reported = A::compose(*reported, delta);
                    changes.push((addr as u32, delta));
                }
            }
            if changes.len() > MOST_ADDRESSES - BLOCK_WORDS {
                break;
            }
        }
        (!changes.is_empty()).then(|| changes.into_iter().collect())
    }

    /// Takes the first touched block out.
    fn next_touched(&mut self) -> Option<usize> {
        while let Some(bits) = self.touched.get_mut(self.first) {
            if *bits != 0 {
                let bit = bits.trailing_zeros() as usize;
                *bits &= *bits - 1;
                return Some(self.first * 64 + bit);
            }
            self.first += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atomik_core::Add;

    #[test]
    fn only_touched_blocks_are_reported_and_each_delta_once() {
        let states: Table<Add> = (0..200).collect();
        let mut changes = Changes::new(&states);
        assert_eq!(changes.poll(&states), None);
        for addr in [199, 3, 70] {
            states[addr].accum(5);
        }
        changes.touch(3);
        changes.touch(0);
        changes.touch(0);
        assert_eq!(changes.poll(&states), Some([(3, 5), (199, 5)].into_iter().collect()));
        assert_eq!(changes.poll(&states), None);
        // What changed and changed back is no change.
        states[3].accum(1);
        changes.touch(0);
        states[3].accum(u64::MAX);
        changes.touch(1);
        assert_eq!(changes.poll(&states), Some([(70, 5)].into_iter().collect()));
    }

    #[test]
    fn batches_are_bounded_and_ascend() {
        let len = 10_000;
        let states = Table::<Add>::new(len);
        let mut changes = Changes::new(&states);
        for addr in 0..len {
            states[addr].accum(1);
            changes.touch(addr / BLOCK_WORDS);
        }
        let batches: Vec<_> = core::iter::from_fn(|| changes.poll(&states)).collect();
        assert!(batches.iter().all(|batch| batch.len() <= MOST_ADDRESSES));
        let addrs: Vec<u32> = batches.iter().flat_map(|batch| batch.addresses().to_vec()).collect();
        assert!(addrs.iter().copied().eq(0..len as u32));
        assert_eq!(batches.len(), len.div_ceil(MOST_ADDRESSES));
    }
}
