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
