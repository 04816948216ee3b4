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
mod tests;
