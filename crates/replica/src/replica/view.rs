//! What a replica's states are, and what changed in them.

use alloc::sync::Arc;
use core::fmt;

use atomik_core::{Algebra, DeltaBatch, Table, TableFanIn, TableRead, kernel};

use super::Replica;

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
            // The remote states come first, as in `read`: a LOAD arrives as the delta from the local state that it
            // found.
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

/// Reading, and what changed.
impl<A: Algebra> Replica<A> {
    /// The merged states, by address: the composition of all planes that are known here. They do not contain what local
    /// producers wrote since the last tick; the [`view`](Self::view) does.
    #[must_use]
    pub fn merged(&self) -> &[u64] {
        self.state.merged()
    }

    /// Starts to observe what comes from elsewhere, for [`poll_changes`](Self::poll_changes). From now on, the replica
    /// keeps 8 bytes a word more: the states as they were reported. Calling it again does nothing.
    pub fn observe_changes(&mut self) {
        self.state.observe();
    }

    /// The next addresses whose merged states changed, with the deltas to them, ascending. `None` if there are none, or
    /// if [`observe_changes`](Self::observe_changes) was not called.
    ///
    /// Reported is everything that changed merged states since the last report, except for this replica's own
    /// [ticks](Self::tick): what peers sent, LOADs from here or elsewhere, and repairs. So these deltas and those of this
    /// node's producers add up to what the [`view`](Self::view) shows. The state of an address is
    /// [`merged`](Self::merged)`()[addr]`.
    ///
    /// A batch has at most 4,096 addresses; call until it is `None`. Several changes of an address may be reported as
    /// one, and changes that cancel are not reported. Costs a pass over the blocks of 64 words that changed.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use atomik_core::{Add, TableFanIn};
    /// use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};
    ///
    /// let cluster = ClusterConfig::new("page views", 1_000);
    /// let start = |node| {
    ///     Replica::new(&cluster, Arc::new(TableFanIn::<Add>::new(1_000)), ReplicaId::draw(node)).unwrap()
    /// };
    /// let (mut here, mut there) = (start(1), start(2));
    /// there.observe_changes();
    /// here.put(7, 42)?;
    /// while let Some((_, packet)) = here.poll_transmit() {
    ///     there.receive(Duration::ZERO, Peer(1), &packet)?;
    /// }
    /// let batch = there.poll_changes().expect("an address changed");
    /// assert_eq!(batch.iter().collect::<Vec<_>>(), [(7, 42)]);
    /// assert_eq!(there.poll_changes(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_changes(&mut self) -> Option<DeltaBatch<A>> {
        self.state.poll_changes()
    }

    /// A reader of the live states, for any thread.
    #[must_use]
    pub fn view(&self) -> View<A> {
        View::new(Arc::clone(self.state.remote()), Arc::clone(self.ticks.get_ref()))
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
