//! What a store gives back after a restart.

use std::fmt;
use std::marker::PhantomData;

use atomik_core::{Algebra, Checkpoint, Table, TableEpoch, TableRead};

/// The last complete checkpoint of a store. It has 8 bytes for each address, and the caller's bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Recovered<A> {
    epoch: u64,
    states: Vec<u64>,
    caller: Vec<u8>,
    algebra: PhantomData<fn() -> A>,
}

impl<A: Algebra> Recovered<A> {
    pub(crate) fn new(epoch: u64, states: Vec<u64>, caller: Vec<u8>) -> Self {
        Self { epoch, states, caller, algebra: PhantomData }
    }

    /// The number of the epoch that the checkpoint closed.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The states, by address.
    #[must_use]
    pub fn states(&self) -> &[u64] {
        &self.states
    }

    /// The caller's own bytes, as they were saved with the states.
    #[must_use]
    pub fn caller(&self) -> &[u8] {
        &self.caller
    }

    /// A new table in these states.
    #[must_use]
    pub fn to_table(&self) -> Table<A> {
        self.states.iter().copied().collect()
    }

    /// An observer that continues the epochs on a source in these states, such as [`to_table`](Self::to_table) or a
    /// fan-in to which they were accumulated. What the source has beyond them is in the first epoch.
    ///
    /// # Panics
    ///
    /// If the source is not as long as the table that was saved.
    #[must_use]
    #[track_caller]
    pub fn resume<S: TableRead<Algebra = A>>(&self, source: S) -> TableEpoch<S> {
        TableEpoch::resume(source, &self.states, self.epoch.wrapping_add(1))
    }

    /// The checkpoint of a single state, as [`save_state`](crate::CheckpointStore::save_state) saved it, for
    /// [`Epoch::resume`](atomik_core::Epoch::resume). Its `delta` is the identity. `None` if a table was saved that has
    /// not exactly one address.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let &[state] = &self.states[..] else { return None };
        Some(Checkpoint { epoch: self.epoch, state, delta: A::IDENTITY })
    }
}

impl<A> fmt::Debug for Recovered<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovered")
            .field("epoch", &self.epoch)
            .field("len", &self.states.len())
            .field("caller", &self.caller)
            .finish()
    }
}
