//! The one observer of a table fan-in that hands every delta on.

use core::fmt;

use alloc::sync::Arc;

use super::TableFanIn;
use crate::algebra::Algebra;
use crate::delta::DeltaBatch;
use crate::sync::{AtomicBool, Ordering, const_fn};
use crate::table::{TableEpoch, TableRead};

/// The only observer of its kind that a [`TableFanIn`] ever has: its epochs hold every delta since the fan-in was
/// made, each delta once.
///
/// It is for passing deltas on to something that must get each of them exactly once, such as a replica, a log or an
/// upstream aggregator. Two observers that did so would pass every delta on twice. A fan-in therefore gives this
/// observer out once, and no second time after it was dropped: the new one would start from the beginning again. Any
/// number of ordinary observers ([`TableFanIn::epoch`]) may watch the same fan-in.
///
/// It is a [`TableEpoch`] whose first reference is the identity at every address
/// ([`TableEpoch::from_identity`]), with the same consistency, ordering and cost. It can't be cloned.
///
/// Made by [`TableFanIn::exclusive_epoch`] for as long as a borrow lasts, by
/// [`TableFanIn::exclusive_epoch_owned`] for `'static`.
///
/// ```
/// use std::sync::Arc;
/// use atomik_core::{Add, TableFanIn};
///
/// let table = Arc::new(TableFanIn::<Add>::new(8));
/// table.producer().accum(3, 40);
/// let mut upstream = table.exclusive_epoch_owned().expect("nobody has taken it before");
/// table.producer().accum(3, 2);
///
/// assert!(upstream.swap().iter().eq([(3, 42)])); // from the beginning, not from now
/// assert!(table.exclusive_epoch().is_none());
/// ```
pub struct ExclusiveTableEpoch<S> {
    epoch: TableEpoch<S>,
}

/// Whether a fan-in has given out its exclusive observer.
#[derive(Debug)]
pub(super) struct Taken(AtomicBool);

impl Taken {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self(AtomicBool::new(false))
        }
    }

    /// Whether the caller is the first, and has it now.
    fn take(&self) -> bool {
        // Relaxed: only who comes first matters. It pairs with nothing, because no data is handed over.
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl<A: Algebra> TableFanIn<A> {
    /// The exclusive observer of this table, for as long as the table is borrowed. `None` if it was given out
    /// before, even if it has been dropped since. Wait-free except for the allocator, which every call uses.
    ///
    /// Its first epoch begins with the fan-in itself, so it has the deltas that were made before this call too.
    #[must_use]
    pub fn exclusive_epoch(&self) -> Option<ExclusiveTableEpoch<&Self>> {
        // Made before it is taken: a panic in the allocation leaves it to the next caller.
        let epoch = TableEpoch::from_identity(self);
        self.taken.take().then_some(ExclusiveTableEpoch { epoch })
    }

    /// Does what [`exclusive_epoch`](Self::exclusive_epoch) does, for `'static`: the observer keeps the fan-in alive.
    #[must_use]
    pub fn exclusive_epoch_owned(self: &Arc<Self>) -> Option<ExclusiveTableEpoch<Arc<Self>>> {
        let epoch = TableEpoch::from_identity(Arc::clone(self));
        self.taken.take().then_some(ExclusiveTableEpoch { epoch })
    }
}

impl<S: TableRead> ExclusiveTableEpoch<S> {
    /// The states at the start of the open epoch, by address: what all epochs closed so far compose to.
    #[must_use]
    pub fn reference(&self) -> &[u64] {
        self.epoch.reference()
    }

    /// Whether all states now equal the reference. Stops at the first that does not.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.epoch.is_clean()
    }

    /// The number of the open epoch; the first is 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.epoch.number()
    }

    /// The fan-in that is observed.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        self.epoch.get_ref()
    }

    /// SWAP: closes the epoch, opens the next and returns what changed. The table is left alone.
    #[must_use = "the deltas of a closed epoch can't be had again"]
    pub fn swap(&mut self) -> DeltaBatch<S::Algebra> {
        self.epoch.swap()
    }

    /// [`swap`](Self::swap) into a batch whose memory is used again; what was in it is cleared.
    pub fn swap_into(&mut self, batch: &mut DeltaBatch<S::Algebra>) {
        self.epoch.swap_into(batch);
    }

    /// SWAP at one address, as [`TableEpoch::swap_at`]: returns what changed there, which the open epoch then does not
    /// have.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    #[track_caller]
    #[must_use = "the delta can't be had again"]
    pub fn swap_at(&mut self, addr: usize) -> u64 {
        self.epoch.swap_at(addr)
    }
}

impl<S: TableRead> fmt::Debug for ExclusiveTableEpoch<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExclusiveTableEpoch")
            .field("number", &self.number())
            .field("len", &self.reference().len())
            .finish()
    }
}
