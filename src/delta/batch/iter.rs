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
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Next,
        NextBack,
        Nth(usize),
        NthBack(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Next),
            Just(Step::NextBack),
            (0..3usize).prop_map(Step::Nth),
            (0..3usize).prop_map(Step::NthBack),
        ]
    }

    proptest! {
        /// The oracle is the iterator over a vector of the same pairs.
        #[test]
        fn a_batch_iterates_as_a_vector_of_its_pairs(
            deltas in prop::collection::vec(1..u64::MAX, 0..12),
            steps in prop::collection::vec(step(), 0..16),
        ) {
            let pairs: Vec<(u32, u64)> = (0..).step_by(7).zip(deltas).collect();
            let batch: DeltaBatch = pairs.iter().copied().collect();
            let (mut iter, mut expected) = (batch.iter(), pairs.into_iter());
            for step in steps {
                match step {
                    Step::Next => prop_assert_eq!(iter.next(), expected.next()),
                    Step::NextBack => prop_assert_eq!(iter.next_back(), expected.next_back()),
                    Step::Nth(n) => prop_assert_eq!(iter.nth(n), expected.nth(n)),
                    Step::NthBack(n) => prop_assert_eq!(iter.nth_back(n), expected.nth_back(n)),
                }
                prop_assert_eq!(iter.len(), expected.len());
                prop_assert_eq!(iter.clone().collect::<Vec<_>>(), expected.clone().collect::<Vec<_>>());
                let push = |mut all: Vec<(u32, u64)>, pair| {
                    all.push(pair);
                    all
                };
                prop_assert_eq!(iter.clone().fold(Vec::new(), push), expected.clone().fold(Vec::new(), push));
                prop_assert_eq!(iter.clone().rfold(Vec::new(), push), expected.clone().rfold(Vec::new(), push));
                prop_assert_eq!(format!("{iter:?}"), format!("{:?}", expected.as_slice()));
            }
        }
    }
}
