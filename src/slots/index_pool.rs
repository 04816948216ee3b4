//! Small indices that are claimed, returned and claimed again.

use super::growing_list::{GrowingList, Place};
use crate::sync::{AtomicU64, AtomicUsize, Ordering, const_fn};

/// Hands out indices, each to one owner at a time, always below the largest number of owners that were
/// alive at once: whoever keeps something for each index needs no more room than that.
///
/// `alive` counts the owners, among them those about to claim and those just returning. A bit is set only
/// by someone counted, so of the first `alive` bits one is always free for each owner without an index.
pub(crate) struct IndexPool {
    alive: AtomicUsize,
    /// Bit i of word w: index 64w + i is claimed.
    words: GrowingList<AtomicU64, 1>,
}

impl IndexPool {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { alive: AtomicUsize::new(0), words: GrowingList::new() }
        }
    }

    /// IndexPool a free index. Lock-free: a claim goes round again only when another one got ahead of it.
    ///
    /// What the index's last owner did before it returned the index happens before this returns.
    pub(crate) fn claim(&self) -> usize {
        // Relaxed: a bit that was freed may still look claimed; then the Acquire below goes on.
        let mut alive = self.alive.fetch_add(1, Ordering::Relaxed) + 1;
        loop {
            if let Some(index) = (0..alive.div_ceil(64)).find_map(|word| self.claim_in(word, alive)) {
                return index;
            }
            // Acquire: pairs with the Release in `release`, so that whoever is no longer counted is seen to
            // have freed its bit. An RMW, because a load may return an old count again and again.
            alive = self.alive.fetch_add(0, Ordering::Acquire);
        }
    }

    /// IndexPool the first free index below `end` in a word.
    fn claim_in(&self, word: usize, end: usize) -> Option<usize> {
        let place = Place::of(word);
        let bits = self.words.get(place).unwrap_or_else(|| self.words.grow_to(place));
        // Relaxed: only a hint of where to try.
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

    /// Returns an index, which the caller must own. Wait-free where `fetch_and` is.
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
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::thread;

    #[test]
    fn the_lowest_free_index_is_claimed() {
        let claims = IndexPool::new();
        let first: Vec<usize> = (0..200).map(|_| claims.claim()).collect();
        assert!(first.iter().copied().eq(0..200));
        claims.release(130);
        claims.release(7);
        assert_eq!(claims.claim(), 7);
        assert_eq!(claims.claim(), 130);
        assert_eq!(claims.claim(), 200);
    }

    #[test]
    fn no_index_has_two_owners_and_none_reaches_the_number_of_owners() {
        const THREADS: usize = 8;
        const EACH: usize = 10;
        let claims = IndexPool::new();
        let owned = Mutex::new(HashSet::new());
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mine: Vec<usize> = (0..EACH).map(|_| claims.claim()).collect();
                        for &index in &mine {
                            assert!(index < THREADS * EACH);
                            assert!(owned.lock().unwrap().insert(index), "{index} has two owners");
                        }
                        for &index in &mine {
                            assert!(owned.lock().unwrap().remove(&index));
                            claims.release(index);
                        }
                    }
                });
            }
        });
    }
}
