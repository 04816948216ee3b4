//! A producer's hold on its slot.

use core::mem::ManuallyDrop;
use core::ops::Deref;

use alloc::sync::Arc;

/// A fan-in whose producers return their slots to it.
pub(crate) trait ReleaseSlot {
    /// Returns the slot with this index, which the caller must own.
    fn release_slot(&self, index: usize);
}

/// The hold on one slot of a fan-in. It keeps the fan-in alive, and returns the slot when it is dropped.
pub(crate) struct Lease<'a, L: ReleaseSlot> {
    pub(crate) index: usize,
    fan_in: ManuallyDrop<FanInRef<'a, L>>,
}

/// A fan-in that a lease keeps alive, by a borrow or as a shared owner.
pub(crate) enum FanInRef<'a, L> {
    Borrowed(&'a L),
    Owned(Arc<L>),
}

impl<'a, L: ReleaseSlot> Lease<'a, L> {
    /// Takes over the slot with this index, which the caller has just claimed.
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
    // Inlined, and it moves the fields out instead of passing `self` on. So no other function learns the address of a
    // producer, and the compiler can keep the value of a producer that is used in a loop in a register.
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a dropped lease is not used again, so the fan-in is taken once.
        let fan_in = unsafe { ManuallyDrop::take(&mut self.fan_in) };
        release(fan_in, self.index);
    }
}

#[inline(never)]
fn release<L: ReleaseSlot>(fan_in: FanInRef<'_, L>, index: usize) {
    fan_in.release_slot(index);
}
