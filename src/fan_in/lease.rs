//! The hold on a slot that a producer has, by borrow or by `Arc`.

use core::mem::ManuallyDrop;
use core::ops::Deref;

use alloc::sync::Arc;

/// Who lends slots and takes them back.
pub(super) trait Lender {
    /// Takes a slot back by its index.
    fn take_back(&self, index: usize);
}

/// The hold on one slot of a lender, which it keeps alive. Dropped, it returns the slot.
pub(super) struct Lease<'a, L: Lender> {
    pub(super) index: usize,
    home: ManuallyDrop<Home<'a, L>>,
}

/// Keeps a lender alive.
pub(super) enum Home<'a, L> {
    Borrowed(&'a L),
    Owned(Arc<L>),
}

impl<'a, L: Lender> Lease<'a, L> {
    /// Takes hold of the slot with this index, which the caller has just claimed there.
    #[inline]
    pub(super) fn new(home: Home<'a, L>, index: usize) -> Self {
        Self { index, home: ManuallyDrop::new(home) }
    }
}

impl<L> Deref for Home<'_, L> {
    type Target = L;

    fn deref(&self) -> &L {
        match self {
            Self::Borrowed(lender) => lender,
            Self::Owned(lender) => lender,
        }
    }
}

impl<L: Lender> Deref for Lease<'_, L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.home
    }
}

impl<L: Lender> Drop for Lease<'_, L> {
    // Moves the fields out instead of passing `self` on, and is inlined: so the address of a producer that
    // lives in a loop stays unknown, and its value can live in a register.
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken once; a dropped lease isn't used again.
        let home = unsafe { ManuallyDrop::take(&mut self.home) };
        give_back(home, self.index);
    }
}

#[inline(never)]
fn give_back<L: Lender>(home: Home<'_, L>, index: usize) {
    home.take_back(index);
}
