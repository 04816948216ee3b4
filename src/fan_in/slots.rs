//! Slots that are owned one at a time and keep what their last owner left.

use crate::sync::chunks::{Chunks, FIRST_SLOTS, Place};
use crate::sync::claims::Claims;
use crate::sync::const_fn;

/// A list of slots for owners who come and go. A returned slot keeps its content, and the next owner goes
/// on from there; so readers may combine all slots and need not know which are owned.
pub(super) struct Slots<T> {
    claims: Claims,
    list: Chunks<T, FIRST_SLOTS>,
}

impl<T> Slots<T> {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self { claims: Claims::new(), list: Chunks::new() }
        }
    }

    /// All slots, owned or not.
    #[inline]
    pub(super) fn list(&self) -> &Chunks<T, FIRST_SLOTS> {
        &self.list
    }

    /// Returns a slot by its index, which the caller must own.
    pub(super) fn release(&self, index: usize) {
        self.claims.release(index);
    }
}

impl<T: Default + Send + Sync> Slots<T> {
    /// Makes the caller the owner of a free slot, and tells its index. Lock-free but for the allocator.
    #[inline(never)]
    pub(super) fn claim(&self) -> (usize, &T) {
        let index = self.claims.claim();
        (index, self.slot(index))
    }

    /// The slot with this index, which is made if it is missing. Lock-free but for the allocator.
    pub(super) fn slot(&self, index: usize) -> &T {
        let place = Place::of(index);
        self.list.get(place).unwrap_or_else(|| self.list.grow_to(place))
    }
}
