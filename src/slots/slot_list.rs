//! Slots that have one owner at a time and keep what their last owner left.

use crate::slots::growing_list::{GrowingList, Place};
use crate::slots::index_pool::IndexPool;
use crate::sync::const_fn;

/// A list of slots for owners that come and go. A returned slot keeps its content, and the next owner continues from
/// it. Readers can therefore combine all slots and need not know which of them have an owner.
pub(crate) struct SlotList<T> {
    pool: IndexPool,
    list: GrowingList<T>,
}

impl<T> SlotList<T> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { pool: IndexPool::new(), list: GrowingList::new() }
        }
    }

    /// All slots, with or without an owner.
    #[inline]
    pub(crate) fn list(&self) -> &GrowingList<T> {
        &self.list
    }

    /// Returns the slot with this index, which the caller must own.
    pub(crate) fn release(&self, index: usize) {
        self.pool.release(index);
    }
}

impl<T: Default + Send + Sync> SlotList<T> {
    /// Makes the caller the owner of a free slot. Returns the slot and its index. Lock-free except for the allocator.
    ///
    /// # Panics
    ///
    /// If every slot that a list has room for has an owner. Then the caller owns nothing.
    #[inline(never)]
    pub(crate) fn claim(&self) -> (usize, &T) {
        let index = self.pool.claim();
        if index >= Place::ROOM {
            self.pool.release(index);
            panic!("each of the {} slots has an owner", Place::ROOM);
        }
        (index, self.slot(index))
    }

    /// The slot with this index. Makes it if it is missing. Lock-free except for the allocator.
    pub(crate) fn slot(&self, index: usize) -> &T {
        let place = Place::of(index);
        self.list.get(place).unwrap_or_else(|| self.list.grow_to(place))
    }
}

#[cfg(test)]
mod tests;
