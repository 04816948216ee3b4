//! Many writers, one state, nothing shared between the writers.

mod exclusive_epoch;
mod producer;
mod table;

pub use exclusive_epoch::ExclusiveTableEpoch;
pub use producer::Producer;
pub use table::{TableFanIn, TableProducer};

use alloc::sync::Arc;
use core::fmt;

use crossbeam_utils::CachePadded;

use crate::algebra::{Algebra, DisplayWord};
use crate::context::{Context, Source, sealed};
use crate::epoch::Epoch;
use crate::slots::growing_list::{FIRST_SLOTS, GrowingList};
use crate::slots::lease::{FanInRef, ReleaseSlot};
use crate::slots::slot_list::Slots;
use crate::sync::const_fn;

/// A state that many threads change all the time: each writes to a cache line of its own, and readers
/// combine the lines.
///
/// | writer | cost of a delta |
/// |---|---|
/// | [`Producer::accum`], with a handle | one store |
/// | [`FanIn::accum`], without | a thread-local load, a load and a store |
/// | [`Context::accum`](crate::Context::accum), for comparison | one RMW, on a line that all writers share |
///
/// **Consistency.** Every delta that happened before a [`read`](Self::read) is in it; of those made
/// meanwhile it may have a later one and miss an earlier. So it is consistent at quiescence and every delta
/// is in exactly one epoch of each observer, but it isn't linearizable: where the state has to be that of
/// one instant, use a single [`Context`](crate::Context).
///
/// **Ordering.** Whoever reads a state sees what each writer of a delta in it did before.
///
/// **Memory.** 128 bytes a slot (a [cache line pair]), in two lists that start with 16 slots and double. Slots
/// are used again and never freed. The list for producers grows when more of them are alive at once than ever
/// before. The list for threads without a handle goes by a number that each live thread of the process has from
/// its first [`accum`](Self::accum) on any fan-in: at most 256 bytes times the most of such threads that were
/// alive at once, even if only one of them uses this fan-in.
///
/// `new` is `const`: a `static` fan-in is the main use in a service.
///
/// ```
/// use atomik_core::{Add, FanIn};
///
/// static REQUESTS: FanIn<Add> = FanIn::new(0);
///
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let mut producer = REQUESTS.producer();
///             for _ in 0..1_000 {
///                 producer.accum(1);
///             }
///         });
///     }
/// });
/// assert_eq!(REQUESTS.read(), 4_000);
/// ```
///
/// [cache line pair]: https://docs.rs/crossbeam-utils/latest/crossbeam_utils/struct.CachePadded.html
pub struct FanIn<A: Algebra> {
    /// The initial state, and the deltas of callers that can't have a slot.
    shared: CachePadded<Context<A>>,
    /// Each owned by at most one `Producer`.
    producers: Slots<Slot<A>>,
    /// Each owned by the live thread whose index it has, if any.
    threads: GrowingList<Slot<A>, FIRST_SLOTS>,
}

/// A context with one writer, on lines of its own.
type Slot<A> = CachePadded<Context<A>>;

impl<A: Algebra> FanIn<A> {
    const_fn! {
        /// A fan-in in state `v`. Allocates nothing; usable in a `static`.
        #[must_use]
        pub const fn new(v: u64) -> Self {
            Self {
                shared: CachePadded::new(Context::new(v)),
                producers: Slots::new(),
                threads: GrowingList::new(),
            }
        }
    }

    /// A writer with a slot of its own, for as long as the fan-in is borrowed: for scoped threads, and for
    /// any thread if the fan-in is a `static`. Lock-free; allocates when more producers are alive than
    /// there are slots.
    #[inline]
    #[must_use]
    pub fn producer(&self) -> Producer<'_, A> {
        Producer::claim(FanInRef::Borrowed(self))
    }

    /// [`producer`](Self::producer) for `'static`: it keeps the fan-in alive.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use atomik_core::{Add, FanIn};
    ///
    /// let fan_in = Arc::new(FanIn::<Add>::new(0));
    /// let mut producer = fan_in.producer_owned();
    /// std::thread::spawn(move || producer.accum(42)).join().unwrap();
    /// assert_eq!(fan_in.read(), 42);
    /// ```
    #[inline]
    #[must_use]
    pub fn producer_owned(self: &Arc<Self>) -> Producer<'static, A> {
        Producer::claim(FanInRef::Owned(Arc::clone(self)))
    }

    /// ACCUM without a handle, through a slot of the calling thread: the state becomes state ∘ `delta`.
    ///
    /// Wait-free but for a thread's first call on this fan-in, which is lock-free and may allocate; Release, as
    /// [`Producer::accum`]. At the end of a thread, when its locals are being dropped, and without the feature
    /// `std` the delta is an RMW on one cell that all such callers share, with the progress of
    /// [`Context::accum`](crate::Context::accum).
    ///
    /// Not for signal handlers and global allocators, which could interrupt it half-way: a delta would be
    /// lost. There use a [`Context`](crate::Context).
    #[inline]
    pub fn accum(&self, delta: u64) {
        #[cfg(feature = "std")]
        if let Some(slot) = self.threads.get(crate::slots::thread_index::place()) {
            return slot.accum_alone(delta);
        }
        self.accum_first(delta);
    }

    /// [`accum`](Self::accum) where the calling thread has no slot here yet, or can't have one.
    #[cold]
    fn accum_first(&self, delta: u64) {
        #[cfg(feature = "std")]
        if let Some(place) = crate::slots::thread_index::claim_place() {
            // Other threads may have made the chunk that the place is in.
            let slot = self.threads.get(place).unwrap_or_else(|| self.threads.grow_to(place));
            return slot.accum_alone(delta);
        }
        self.shared.accum(delta);
    }

    /// READ: what the initial state and all deltas compose to. Wait-free; loads each slot, Acquire. See the
    /// [type](Self) for what it may miss.
    #[inline]
    #[must_use]
    pub fn read(&self) -> u64 {
        let compose = |total, slots: &[Slot<A>; FIRST_SLOTS]| {
            slots.iter().fold(total, |total, slot| A::compose(total, slot.read()))
        };
        let total = self.producers.list().fold(self.shared.read(), compose);
        self.threads.fold(total, compose)
    }

    /// An observer of this fan-in, with epochs of its own.
    #[must_use]
    pub fn epoch(&self) -> Epoch<&Self> {
        Epoch::new(self)
    }
}

impl<A: Algebra> ReleaseSlot for FanIn<A> {
    fn release_slot(&self, index: usize) {
        self.producers.release(index);
    }
}

impl<A: Algebra> sealed::Sealed for FanIn<A> {}

impl<A: Algebra> Source for FanIn<A> {
    type Algebra = A;

    fn read(&self) -> u64 {
        self.read()
    }

    fn accum(&self, delta: u64) {
        self.accum(delta);
    }
}

impl<A: Algebra> Default for FanIn<A> {
    fn default() -> Self {
        Self::new(A::IDENTITY)
    }
}

impl<A: Algebra> fmt::Debug for FanIn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FanIn").field(&DisplayWord::<A>::new(self.read())).finish()
    }
}

#[cfg(test)]
mod tests;
