//! Observers of one state, each with its own epochs.

use core::fmt;

use crate::algebra::{Algebra, DisplayWord};
use crate::context::{Context, Source};

/// An observer of one state. It holds a reference state; its accumulator is the delta from the reference to
/// the present state, which it derives when asked. [`swap`](Self::swap) is ATOMiK's SWAP: it closes the epoch
/// and takes the present state as the reference of the next one.
///
/// Any number of observers can watch one state, each with its own epochs. An observer takes nothing out of the
/// state, so it can't take a delta away from another observer. **Every delta is in exactly one epoch of each
/// observer**, because the reads of one word by one observer only move forward; [`docs::epochs`] has the proof.
/// A [`Context::load`] or [`Context::swap`] is, to an observer, the delta from the old state to the new one.
///
/// `S` is what the observer reads: a [`Context`], a [`FanIn`](crate::FanIn) or one entry of a table
/// ([`TableEntry`](crate::TableEntry)), owned, borrowed or in an `Arc`.
///
/// All methods that read the state have the progress guarantee and the ordering of the source's own `read`:
/// wait-free, Acquire. Formatting an observer with `Debug` shows what the observer holds and does not read the
/// state.
///
/// [`docs::epochs`]: crate::docs::epochs
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

/// A closed epoch, as [`Epoch::swap`] returns it. Three words, so it is easy to store; [`Epoch::resume`]
/// continues from it.
///
/// With the feature `serde` it implements `Serialize` and `Deserialize`.
///
/// # After a restart
///
/// A checkpoint refers to the state of the source that was observed. A process that starts again has a new
/// source, so create that source **in the state of the checkpoint**:
///
/// ```
/// use atomik_core::{Add, Checkpoint, Epoch, FanIn};
///
/// // What the previous process stored last.
/// let checkpoint = Checkpoint { epoch: 8, state: 1_000, delta: 20 };
///
/// let orders = FanIn::<Add>::new(checkpoint.state);
/// let mut epoch = Epoch::resume(&orders, checkpoint);
/// orders.accum(7);
/// assert_eq!(epoch.swap(), Checkpoint { epoch: 9, state: 1_007, delta: 7 });
/// ```
///
/// A `static` is created before any checkpoint can be read. Accumulate the state of the checkpoint into it
/// before you resume:
///
/// ```
/// # use atomik_core::{Add, Checkpoint, Epoch, FanIn};
/// static ORDERS: FanIn<Add> = FanIn::new(0);
///
/// # let checkpoint = Checkpoint { epoch: 8, state: 1_000, delta: 20 };
/// ORDERS.accum(checkpoint.state);
/// let mut epoch = Epoch::resume(&ORDERS, checkpoint);
/// assert_eq!(epoch.swap().delta, 0);
/// ```
///
/// If the new source starts at 0 instead, the next epoch also contains the way from the old state back to 0.
/// On [`Add`](crate::Add) that is a number just below 2⁶⁴.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The number of the epoch just closed. The first epoch of an observer has the number 0.
    pub epoch: u64,
    /// The state at the end of the epoch, which is the reference of the next one.
    pub state: u64,
    /// The delta of the epoch: from its reference to its state.
    pub delta: u64,
}

impl<S: Source> Epoch<S> {
    /// Starts to observe a source. Its present state is the reference, and epoch 0 is open.
    #[must_use]
    pub fn new(source: S) -> Self {
        let reference = source.read();
        Self { source, reference, number: 0 }
    }

    /// Continues from a checkpoint. Its state is the reference, and the epoch after it is open; epoch 0 follows
    /// epoch `u64::MAX`. Everything that happened to the source since the checkpoint is in the open epoch.
    ///
    /// The source must be the one of which the checkpoint was taken, or a new one in the same state: after a
    /// restart, `FanIn::new(checkpoint.state)`. [`Checkpoint`] shows that.
    ///
    /// The swap that returned the checkpoint must happen before this call. It does if both are made by one
    /// thread, or if the checkpoint was passed on through a channel, a lock or a file. Otherwise this observer
    /// could read a state that is older than the checkpoint.
    ///
    /// ```
    /// use atomik_core::{AtomikContext, Epoch};
    ///
    /// let context = AtomikContext::new(1);
    /// let checkpoint = context.epoch().swap();
    /// context.accum(6); // while nobody observes
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

    /// The delta of the open epoch so far: from the reference to the present state.
    #[must_use]
    pub fn accumulator(&self) -> u64 {
        S::Algebra::delta(self.reference, self.read())
    }

    /// Whether the present state equals the reference. Deltas that cancel each other leave an epoch clean.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.read() == self.reference
    }

    /// The present state.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.source.read()
    }

    /// The number of the open epoch. The first one has the number 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The source that is observed.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// Stops observing and returns the source.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.source
    }

    /// SWAP: closes the epoch and opens the next one. The state does not change.
    ///
    /// The source is read once. A delta that this read sees is in the closed epoch, and any other delta is in a
    /// later one.
    #[must_use = "the delta of a closed epoch can't be had again"]
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
            .finish_non_exhaustive()
    }
}

impl<A: Algebra> Context<A> {
    /// An observer of this context, with its own epochs.
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
}
