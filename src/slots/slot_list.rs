//! Slots that are owned one at a time and keep what their last owner left.

use crate::slots::growing_list::{FIRST_SLOTS, GrowingList, Place};
use crate::slots::index_pool::IndexPool;
use crate::sync::const_fn;

/// A list of slots for owners who come and go. A returned slot keeps its content, and the next owner goes
/// on from there; so readers may combine all slots and need not know which are owned.
pub(crate) struct Slots<T> {
    claims: IndexPool,
    list: GrowingList<T, FIRST_SLOTS>,
}

impl<T> Slots<T> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { claims: IndexPool::new(), list: GrowingList::new() }
        }
    }

    /// All slots, owned or not.
    #[inline]
    pub(crate) fn list(&self) -> &GrowingList<T, FIRST_SLOTS> {
        &self.list
    }

    /// Returns a slot by its index, which the caller must own.
    pub(crate) fn release(&self, index: usize) {
        self.claims.release(index);
    }
}

impl<T: Default + Send + Sync> Slots<T> {
    /// Makes the caller the owner of a free slot, and tells its index. Lock-free but for the allocator.
    #[inline(never)]
    pub(crate) fn claim(&self) -> (usize, &T) {
        let index = self.claims.claim();
        (index, self.slot(index))
    }

    /// The slot with this index, which is made if it is missing. Lock-free but for the allocator.
    pub(crate) fn slot(&self, index: usize) -> &T {
        let place = Place::of(index);
        self.list.get(place).unwrap_or_else(|| self.list.grow_to(place))
    }
}
