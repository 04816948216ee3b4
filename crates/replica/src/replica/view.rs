//! The live states, for readers.

use alloc::sync::Arc;
use core::fmt;

use atomik_core::{Algebra, Table, TableFanIn, TableSource, kernel};

/// How many states are copied at a time: 4 KiB, which stays in L1.
const COPY_WORDS: usize = 512;

/// The live states of a replicated table: what peers sent and what local producers wrote, ticked or not.
///
/// Any number of threads may have a clone. A read combines two states, that of what the replica remote and
/// that of the local fan-in: exact at quiescence; amid changes it may join a later one with an earlier. It
/// only reads: to set a value there is [`Replica::load`](super::Replica::load).
///
/// Wait-free, Acquire: whoever's local delta is in a state read, what it did before is seen.
pub struct View<A: Algebra> {
    remote: Arc<Table<A>>,
    local: Arc<TableFanIn<A>>,
}

impl<A: Algebra> View<A> {
    pub(super) fn new(remote: Arc<Table<A>>, local: Arc<TableFanIn<A>>) -> Self {
        Self { remote, local }
    }

    /// The state at an address.
    ///
    /// # Panics
    ///
    /// If the table has no such address.
    #[must_use]
    pub fn read(&self, addr: usize) -> u64 {
        A::compose(self.remote[addr].read(), self.local.read(addr))
    }

    /// Copies all states to `out`. Wait-free, Acquire, as [`read`](Self::read) of each address; the states are not
    /// of one instant.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    pub fn snapshot(&self, out: &mut [u64]) {
        assert_eq!(out.len(), self.len(), "a snapshot is as long as its table");
        let mut block = [0; COPY_WORDS];
        for (start, out) in (0..).step_by(COPY_WORDS).zip(out.chunks_mut(COPY_WORDS)) {
            // In the order of `read`: a LOAD is remote as the delta from the local state that it found.
            self.remote.copy_states(start, out);
            let local = &mut block[..out.len()];
            self.local.copy_states(start, local);
            kernel::accum::<A>(out, local);
        }
    }

    /// The length of the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.remote.len()
    }

    /// Whether the table has no addresses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<A: Algebra> Clone for View<A> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.remote), Arc::clone(&self.local))
    }
}

impl<A: Algebra> fmt::Debug for View<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("len", &self.len()).finish_non_exhaustive()
    }
}
