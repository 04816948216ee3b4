//! Observers of one state, each with its own epochs.

use core::fmt;

use crate::algebra::{Algebra, DisplayWord};
use crate::context::{Context, Source};

/// An observer of a state: it holds a reference, and the accumulator is what came since, derived when asked
/// for. [`swap`](Self::swap) is ATOMiK's SWAP: it closes an epoch and takes the state as the next reference.
///
/// Any number of observers watch one state, each with epochs of its own: nobody drains anything, so none
/// takes a delta away from another. **Every delta lands in exactly one epoch of each observer**, because one
/// observer's reads of one word only move forward. A [`Context::load`] or [`Context::swap`] by someone else
/// is to an observer the delta from the old state to the new, like any other.
///
/// `S` is a [`Context`] or a [`FanIn`](crate::FanIn), owned, by reference or in an `Arc`.
///
/// Progress and ordering of all methods that look at the state are those of its `read`: wait-free, Acquire.
///
/// ```
/// use atomik_core::Counter;
///
/// let requests = Counter::new(0);
/// let mut every_second = requests.epoch();
/// let mut every_minute = requests.epoch();
///
/// requests.accum(3);
/// let first = every_second.swap();
/// assert_eq!((first.epoch, first.state, first.delta), (0, 3, 3));
///
/// requests.accum(2);
/// assert_eq!(every_second.swap().delta, 2);
/// assert_eq!(every_minute.swap().delta, 5);
/// assert!(every_second.is_clean());
/// ```
#[derive(Clone)]
pub struct Epoch<S> {
    source: S,
    reference: u64,
    number: u64,
}

/// A closed epoch, as [`Epoch::swap`] returns it: 24 bytes to store, from which [`Epoch::resume`] goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The number of the epoch just closed; an observer's first is 0.
    pub epoch: u64,
    /// The state at the end of the epoch, which is the reference of the next.
    pub state: u64,
    /// What the epoch's deltas compose to: from the reference to the state.
    pub delta: u64,
}

impl<S: Source> Epoch<S> {
    /// Starts to observe a source: its state now is the reference, and epoch 0 is open.
    #[must_use]
    pub fn new(source: S) -> Self {
        let reference = source.read();
        Self { source, reference, number: 0 }
    }

    /// Goes on after a checkpoint: its state is the reference, and the epoch after it is open (after the last
    /// epoch that a `u64` can number comes 0). What happened to the source meanwhile falls into that epoch.
    ///
    /// The swap that made the checkpoint must happen before this, as it does if both are in one thread or the
    /// checkpoint was handed over by a channel, a lock or a file: else this observer may see an older state.
    ///
    /// ```
    /// use atomik_core::{AtomikContext, Epoch};
    ///
    /// let context = AtomikContext::new(1);
    /// let checkpoint = context.epoch().swap();
    /// context.accum(6); // nobody observes
    /// let epoch = Epoch::resume(&context, checkpoint);
    /// assert_eq!((epoch.number(), epoch.accumulator()), (1, 6));
    /// ```
    #[must_use]
    pub fn resume(source: S, checkpoint: Checkpoint) -> Self {
        Self { source, reference: checkpoint.state, number: checkpoint.epoch.wrapping_add(1) }
    }

    /// The state at the start of the open epoch.
    #[must_use]
    pub fn reference(&self) -> u64 {
        self.reference
    }

    /// What came since the start of the epoch: the delta from the reference to the state now.
    #[must_use]
    pub fn accumulator(&self) -> u64 {
        S::Algebra::delta(self.reference, self.read())
    }

    /// Whether the state now equals the reference. Deltas that cancel leave an epoch clean.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.read() == self.reference
    }

    /// The state now.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.source.read()
    }

    /// The number of the open epoch; the first is 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What is observed.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Stops observing and gives the source back.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.source
    }

    /// SWAP: closes the epoch and opens the next. The state itself is left alone.
    ///
    /// One read of the source decides: a delta is in the epoch if that read saw it, else in a later one.
    pub fn swap(&mut self) -> Checkpoint {
        let state = self.read();
        let delta = S::Algebra::delta(self.reference, state);
        let checkpoint = Checkpoint { epoch: self.number, state, delta };
        self.reference = state;
        self.number = self.number.wrapping_add(1);
        checkpoint
    }
}

impl<S: Source> fmt::Debug for Epoch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch")
            .field("number", &self.number)
            .field("reference", &DisplayWord::<S::Algebra>::new(self.reference))
            .field("accumulator", &DisplayWord::<S::Algebra>::new(self.accumulator()))
            .finish()
    }
}

impl<A: Algebra> Context<A> {
    /// An observer of this context, with epochs of its own.
    #[must_use]
    pub fn epoch(&self) -> Epoch<&Self> {
        Epoch::new(self)
    }
}

#[cfg(test)]
mod tests {
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
    fn debug_shows_the_open_epoch() {
        let counter = Counter::new(40);
        let mut epoch = counter.epoch();
        let _ = epoch.swap();
        counter.accum(2);
        assert_eq!(std::format!("{epoch:?}"), "Epoch { number: 1, reference: 40, accumulator: 2 }");
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
}
