//! The hold on a slot that a producer has, by borrow or by `Arc`.

use core::mem::ManuallyDrop;
use core::ops::Deref;

use alloc::sync::Arc;

/// A fan-in that takes slots back from its producers.
pub(crate) trait ReleaseSlot {
    /// Returns a slot, which the caller must own, by its index.
    fn release_slot(&self, index: usize);
}

/// The hold on one slot of a fan-in, which it keeps alive. Dropped, it returns the slot.
pub(crate) struct Lease<'a, L: ReleaseSlot> {
    pub(crate) index: usize,
    fan_in: ManuallyDrop<FanInRef<'a, L>>,
}

/// A fan-in, borrowed or shared, that a lease keeps alive.
pub(crate) enum FanInRef<'a, L> {
    Borrowed(&'a L),
    Owned(Arc<L>),
}

impl<'a, L: ReleaseSlot> Lease<'a, L> {
    /// Takes hold of the slot with this index, which the caller has just claimed there.
    #[inline]
    pub(crate) fn new(fan_in: FanInRef<'a, L>, index: usize) -> Self {
        Self { index, fan_in: ManuallyDrop::new(fan_in) }
    }
}

impl<L> Deref for FanInRef<'_, L> {
    type Target = L;

    fn deref(&self) -> &L {
        match self {
            Self::Borrowed(fan_in) => fan_in,
            Self::Owned(fan_in) => fan_in,
        }
    }
}

impl<L: ReleaseSlot> Deref for Lease<'_, L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.fan_in
    }
}

impl<L: ReleaseSlot> Drop for Lease<'_, L> {
    // Moves the fields out instead of passing `self` on, and is inlined: so the address of a producer that
    // lives in a loop stays unknown, and its value can live in a register.
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken once; a dropped lease isn't used again.
        let fan_in = unsafe { ManuallyDrop::take(&mut self.fan_in) };
        release(fan_in, self.index);
    }
}

#[inline(never)]
fn release<L: ReleaseSlot>(fan_in: FanInRef<'_, L>, index: usize) {
    fan_in.release_slot(index);
}
