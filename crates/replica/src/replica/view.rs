//! The live states, for readers.

use alloc::sync::Arc;
use core::fmt;

use atomik_core::{Algebra, Table, TableFanIn, TableRead, kernel};

/// How many states are copied at a time: 4 KiB, which stay in L1.
const COPY_WORDS: usize = 512;

/// A reader of the live states of a replicated table: what peers sent, and what local producers wrote, ticked or not.
///
/// Any number of threads can have a clone. A read composes two states: the remote one, which the replica maintains, and
/// that of the local fan-in. It is exact at quiescence. While states change, it may combine a later state of one with
/// an earlier state of the other. A view can't write; use [`Replica::load`](super::Replica::load) to set a value.
///
/// Wait-free, Acquire: a reader that sees a local producer's delta also sees what the producer did before it.
pub struct View<A: Algebra> {
    remote: Arc<Table<A>>,
    local: Arc<TableFanIn<A>>,
}

impl<A: Algebra> View<A> {
    pub(super) fn new(remote: Arc<Table<A>>, local: Arc<TableFanIn<A>>) -> Self {
        Self { remote, local }
    }

    /// The state of an address.
    ///
    /// # Panics
    ///
    /// If the table has no such address.
    #[must_use]
    #[track_caller]
    pub fn read(&self, addr: usize) -> u64 {
        A::compose(self.remote[addr].read(), self.local.read(addr))
    }

    /// Copies all states to `out`, each as [`read`](Self::read) gives it. The states are not those of one instant.
    /// Wait-free, Acquire.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    #[track_caller]
    pub fn snapshot(&self, out: &mut [u64]) {
        assert_eq!(out.len(), self.len(), "a snapshot is as long as its table");
        let mut block = [0; COPY_WORDS];
        for (start, out) in (0..).step_by(COPY_WORDS).zip(out.chunks_mut(COPY_WORDS)) {
            // The remote states come first, as in `read`: a LOAD arrives as the delta from the local state that it found.
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
