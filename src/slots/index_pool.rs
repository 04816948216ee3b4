//! Small indices that are claimed, returned and claimed again.

use super::growing_list::{GrowingList, Place};
use crate::sync::{AtomicU64, AtomicUsize, Ordering, const_fn};

/// Hands out indices, each to one owner at a time. Every index is below the greatest number of owners that were alive
/// at once, so a list with an element for each index needs no more elements than that.
///
/// `alive` counts the owners, including those that are about to claim and those that are just returning. Only a
/// counted owner sets a bit, so one of the first `alive` bits is free for each owner that has no index yet.
pub(crate) struct IndexPool {
    alive: AtomicUsize,
    /// Bit i of word w is set while index 64w + i is claimed.
    words: GrowingList<AtomicU64>,
}

impl IndexPool {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { alive: AtomicUsize::new(0), words: GrowingList::new() }
        }
    }

    /// Claims the lowest index that it finds free. Lock-free: a claim starts again only if another one was faster.
    ///
    /// Whatever the last owner of the index did before it returned the index happens before this returns.
    pub(crate) fn claim(&self) -> usize {
        // Relaxed: a bit that was freed may still look claimed; then the Acquire below continues the search.
        let mut alive = self.alive.fetch_add(1, Ordering::Relaxed) + 1;
        loop {
            if let Some(index) = (0..alive.div_ceil(64)).find_map(|word| self.claim_in(word, alive)) {
                return index;
            }
            // Acquire: pairs with the Release in `release`: an owner that is no longer counted is seen to have freed
            // its bit. An RMW, because a load may return an old count again and again.
            alive = self.alive.fetch_add(0, Ordering::Acquire);
        }
    }

    /// Claims the first free index in a word that is below `end`.
    fn claim_in(&self, word: usize, end: usize) -> Option<usize> {
        let place = Place::of(word);
        let bits = self.words.get(place).unwrap_or_else(|| self.words.grow_to(place));
        // Relaxed: only a hint where to try first.
        let mut seen = bits.load(Ordering::Relaxed);
        loop {
            let index = word * 64 + seen.trailing_ones() as usize;
            if index >= end.min((word + 1) * 64) {
                return None;
            }
            let bit = 1 << (index % 64);
            // Acquire: pairs with the Release in `release`, to take over what the last owner left.
            let before = bits.fetch_or(bit, Ordering::Acquire);
            if before & bit == 0 {
                return Some(index);
            }
            seen |= before;
        }
    }

    /// Returns an index, which the caller must own. As wait-free as `fetch_and`.
    pub(crate) fn release(&self, index: usize) {
        let bits = self.words.get(Place::of(index / 64)).expect("a claimed index has its word");
        // Release: pairs with the Acquire in `claim_in`, to hand over what belongs to the index.
        let before = bits.fetch_and(!(1 << (index % 64)), Ordering::Release);
        debug_assert_ne!(before & (1 << (index % 64)), 0, "index {index} was not claimed");
        // Release: pairs with the Acquire in `claim`.
        self.alive.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
