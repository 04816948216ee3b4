use super::*;
use crate::algebra::{Add, Xor};
use crate::context::{AtomikContext, Counter};
use alloc::sync::Arc;
use alloc::vec::Vec;
use proptest::prelude::*;
use std::thread;

#[test]
fn observers_do_not_disturb_one_another() {
    let context = AtomikContext::new(0);
    let (mut one, mut other) = (context.epoch(), context.epoch());
    context.accum(1);
    assert_eq!(one.swap(), Checkpoint { epoch: 0, state: 1, delta: 1 });
    context.accum(2);
    assert_eq!(one.swap(), Checkpoint { epoch: 1, state: 3, delta: 2 });
    assert_eq!(other.swap(), Checkpoint { epoch: 0, state: 3, delta: 3 });
}

#[test]
fn a_load_by_someone_else_is_a_delta() {
    let counter = Counter::new(5);
    let mut epoch = counter.epoch();
    counter.load(3);
    assert_eq!(epoch.swap().delta, 2u64.wrapping_neg());
    assert_eq!(counter.swap(10), 3);
    assert_eq!(epoch.accumulator(), 7);
}

#[test]
fn sources_are_owned_shared_or_borrowed() {
    let context = Arc::new(AtomikContext::new(1));
    let mut shared = Epoch::new(Arc::clone(&context));
    let mut owned = Epoch::new(AtomikContext::new(2));
    let mut boxed = Epoch::new(alloc::boxed::Box::new(AtomikContext::new(4)));
    context.accum(8);
    owned.get_ref().accum(8);
    boxed.get_ref().accum(8);
    assert_eq!([shared.swap().state, owned.swap().state, boxed.swap().state], [9, 10, 12]);
    assert_eq!(owned.into_inner().into_inner(), 10);
}

#[test]
fn resuming_after_the_last_number_starts_at_0() {
    let context = AtomikContext::new(0);
    let last = Checkpoint { epoch: u64::MAX, state: 0, delta: 0 };
    assert_eq!(Epoch::resume(&context, last).number(), 0);
}

fn epochs_partition_the_deltas<A: Algebra>(start: u64, epochs: &[Vec<u64>]) -> Result<(), TestCaseError> {
    let context = Context::<A>::new(start);
    let mut epoch = context.epoch();
    for (number, deltas) in (0..).zip(epochs) {
        let reference = epoch.reference();
        prop_assert!(epoch.is_clean());
        deltas.iter().for_each(|&delta| context.accum(delta));
        let expected = deltas.iter().fold(A::IDENTITY, |a, &b| A::compose(a, b));
        prop_assert_eq!(epoch.accumulator(), expected);
        prop_assert_eq!(epoch.is_clean(), expected == A::IDENTITY);
        let state = A::compose(reference, expected);
        prop_assert_eq!(epoch.swap(), Checkpoint { epoch: number, state, delta: expected });
        prop_assert_eq!((epoch.number(), epoch.reference()), (number + 1, state));
    }
    Ok(())
}

proptest! {
    #[test]
    fn xor_epochs_partition(start: u64, epochs: Vec<Vec<u64>>) {
        epochs_partition_the_deltas::<Xor>(start, &epochs)?;
    }

    #[test]
    fn add_epochs_partition(start: u64, epochs: Vec<Vec<u64>>) {
        epochs_partition_the_deltas::<Add>(start, &epochs)?;
    }
}

#[test]
fn a_restarted_process_continues_from_the_state_of_its_checkpoint() {
    let stored = {
        let counter = Counter::new(0);
        let mut epoch = counter.epoch();
        counter.accum(1_000);
        epoch.swap()
    };
    // Created in that state, or brought into it before the observer resumes.
    let created = Counter::new(stored.state);
    let accumulated = Counter::new(0);
    accumulated.accum(stored.state);
    for counter in [created, accumulated] {
        let mut epoch = Epoch::resume(&counter, stored);
        assert!(epoch.is_clean());
        counter.accum(7);
        assert_eq!(epoch.swap(), Checkpoint { epoch: 1, state: 1_007, delta: 7 });
    }
}

#[test]
fn debug_does_not_read_the_source() {
    /// A source that panics when it is read.
    struct Unreadable;
    impl crate::context::sealed::Sealed for Unreadable {}
    impl Source for Unreadable {
        type Algebra = Add;
        fn read(&self) -> u64 {
            panic!("the source was read");
        }
        fn accum(&self, _: u64) {}
    }
    let epoch = Epoch::resume(Unreadable, Checkpoint { epoch: 6, state: 40, delta: 0 });
    assert_eq!(std::format!("{epoch:?}"), "Epoch { number: 7, reference: 40, .. }");
}

#[test]
fn every_delta_of_running_threads_is_in_one_epoch() {
    let counter = Counter::new(0);
    let mut epoch = counter.epoch();
    let total: u64 = thread::scope(|scope| {
        let writers: Vec<_> =
            (0..3).map(|_| scope.spawn(|| (0..20_000).for_each(|_| counter.accum(1)))).collect();
        let mut total = 0;
        while !writers.iter().all(|writer| writer.is_finished()) {
            total += epoch.swap().delta;
        }
        total
    });
    assert_eq!(total + epoch.swap().delta, 60_000);
}
