//! The iterator over a batch.

use core::fmt;
use core::iter::{Copied, FusedIterator, Zip};
use core::slice;

use super::DeltaBatch;
use crate::algebra::Algebra;

/// An iterator over the changes of a [`DeltaBatch`]: pairs of an address and its delta, in ascending order of
/// address. [`DeltaBatch::iter`] creates it.
#[derive(Clone)]
pub struct DeltaBatchIter<'a> {
    changes: Zip<Copied<slice::Iter<'a, u32>>, Copied<slice::Iter<'a, u64>>>,
}

impl<A: Algebra> DeltaBatch<A> {
    /// Iterates over the changes: pairs of an address and its delta, in ascending order of address.
    #[must_use]
    pub fn iter(&self) -> DeltaBatchIter<'_> {
        DeltaBatchIter { changes: self.addresses().iter().copied().zip(self.deltas().iter().copied()) }
    }
}

impl<'a, A: Algebra> IntoIterator for &'a DeltaBatch<A> {
    type Item = (u32, u64);
    type IntoIter = DeltaBatchIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

// `nth` and the folds are forwarded because the slices' own are faster than the provided ones.

impl Iterator for DeltaBatchIter<'_> {
    type Item = (u32, u64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.changes.next()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.changes.size_hint()
    }

    #[inline]
    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        self.changes.nth(n)
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, f: F) -> B {
        self.changes.fold(init, f)
    }
}

impl DoubleEndedIterator for DeltaBatchIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.changes.next_back()
    }

    #[inline]
    fn nth_back(&mut self, n: usize) -> Option<Self::Item> {
        self.changes.nth_back(n)
    }

    #[inline]
    fn rfold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, f: F) -> B {
        self.changes.rfold(init, f)
    }
}

impl ExactSizeIterator for DeltaBatchIter<'_> {}

impl FusedIterator for DeltaBatchIter<'_> {}

impl fmt::Debug for DeltaBatchIter<'_> {
    /// Shows the changes that are still to come.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests;
