//! Many writers of one state that share nothing among themselves.

mod exclusive_epoch;
mod float;
mod mark;
mod plane;
mod producer;
mod table_fan_in;
mod table_producer;
#[cfg(feature = "std")]
mod thread_planes;
mod up_down;

pub use exclusive_epoch::ExclusiveTableEpoch;
pub use producer::Producer;
pub use table_fan_in::TableFanIn;
pub use table_producer::TableProducer;
pub use up_down::{UpDown, UpDownProducer};

use alloc::sync::Arc;
use core::fmt;

use crossbeam_utils::CachePadded;

use crate::algebra::{Add, Algebra, DisplayWord};
use crate::context::{Context, Source, sealed};
use crate::epoch::Epoch;
#[cfg(feature = "std")]
use crate::slots::growing_list::GrowingList;
use crate::slots::lease::{FanInRef, ReleaseSlot};
use crate::slots::slot_list::SlotList;
#[cfg(feature = "std")]
use crate::slots::thread_index;
use crate::sync::const_fn;

/// A state that many threads change all the time. Each of them writes to a cache line of its own, and readers combine
/// the lines.
///
/// | writer | cost of a delta |
/// |---|---|
/// | [`Producer::accum`], with a handle | one store |
/// | [`FanIn::accum`], without a handle | a thread-local load, a load and a store |
/// | [`Context::accum`](crate::Context::accum), for comparison | one RMW, on a line that all writers share |
///
/// **Consistency.** A [`read`](Self::read) includes every delta that happened before it. Of the deltas that are made
/// at the same time it may include a later one and miss an earlier one. So the state is consistent at quiescence, and
/// every delta is in exactly one epoch of each observer, but reads are not linearizable. Where a state has to be that
/// of one instant, use a single [`Context`](crate::Context).
///
/// **Ordering.** A reader of a state sees what each writer of a delta in it did before that delta.
///
/// **Memory.** A fan-in takes 768 bytes on x86-64, and each slot 128 bytes, a [pair of cache lines]. Slots are in two
/// lists that start with one slot and double. The list for producers has at most twice as many slots as the greatest
/// number of producers that were alive at once. The list for threads without a handle goes by a number that each thread
/// of the process gets at its first [`accum`](Self::accum) on any fan-in: it has at most twice as many slots as the
/// greatest number of such threads that were alive at once, even if only one of them uses this fan-in. So a fan-in with
/// one count in it takes 1.1 KB with glibc's allocator if the thread that made the count was the first of the process
/// to call `accum`, and up to 16 KB more if it was the hundredth. Ten thousand such fan-ins take 11 MB, or 170 MB,
/// where ten thousand [`Context`](crate::Context)s take 80 KB: for many counts that are each written now and then, use
/// a [`TableFanIn`] or a [`Table`](crate::Table).
///
/// **Reads.** A read loads every slot that was ever made, since slots are reused but never freed. It takes a few
/// nanoseconds for up to 16 slots. A fan-in that once had 100,000 producers at the same time keeps 131,072 slots, which
/// are 16 MB, and each read of it takes 0.2 to 5 ms, by where the slots are cached, for as long as the fan-in lives. If
/// so many writers may come at once, as with a producer for each connection or task, use [`accum`](Self::accum), which
/// has a slot for each thread instead.
///
/// `new` is `const`, because the main use in a service is a `static` fan-in. [`docs::threads`](crate::docs::threads)
/// says what to use in global allocators, signal handlers, forked processes, fibers and async tasks.
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
/// [pair of cache lines]: https://docs.rs/crossbeam-utils/latest/crossbeam_utils/struct.CachePadded.html
pub struct FanIn<A: Algebra> {
    /// The initial state, and the deltas of callers that can't have a slot.
    shared: CachePadded<Context<A>>,
    /// Each owned by at most one `Producer`.
    producers: SlotList<Slot<A>>,
    /// Each owned by the live thread whose index it has, if any.
    #[cfg(feature = "std")]
    threads: GrowingList<Slot<A>>,
}

/// A context with one writer, on cache lines of its own.
type Slot<A> = CachePadded<Context<A>>;

impl<A: Algebra> FanIn<A> {
    const_fn! {
        /// Creates a fan-in in state `v`. It allocates nothing, and may be a `static`.
        #[must_use]
        pub const fn new(v: u64) -> Self {
            Self {
                shared: CachePadded::new(Context::new(v)),
                producers: SlotList::new(),
                #[cfg(feature = "std")]
                threads: GrowingList::new(),
            }
        }
    }

    /// A writer with a slot of its own, for as long as the fan-in is borrowed: for scoped threads, and for any thread
    /// if the fan-in is a `static`. Lock-free except for the allocator. Allocates when more producers are alive than
    /// there are slots.
    ///
    /// # Panics
    ///
    /// If 2²⁵ producers are alive.
    #[inline]
    #[must_use]
    pub fn producer(&self) -> Producer<'_, A> {
        Producer::claim(FanInRef::Borrowed(self))
    }

    /// Does what [`producer`](Self::producer) does, for `'static`: the producer keeps the fan-in alive.
    ///
    /// # Panics
    ///
    /// As [`producer`](Self::producer).
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
    /// Release, as [`Producer::accum`]. Wait-free where a 64-bit store is one instruction, except for a thread's first
    /// call on this fan-in, which is lock-free and may allocate. Two kinds of callers share one cell instead, where a
    /// delta is an RMW with the progress of [`Context::accum`](crate::Context::accum):
    ///
    /// - a thread whose thread-locals are being destroyed;
    /// - a global allocator that is called while the thread makes its slot (see [`docs::threads`]).
    ///
    /// Without the feature `std` all callers share that cell.
    ///
    /// Not for signal handlers: a handler that interrupts this function on its own thread may lose a delta, and a first
    /// call allocates, which may deadlock. [`docs::threads`] says what to use there.
    ///
    /// [`docs::threads`]: crate::docs::threads
    #[inline]
    pub fn accum(&self, delta: u64) {
        #[cfg(feature = "std")]
        if let Some(slot) = self.threads.get(thread_index::place()) {
            return slot.accum_alone(delta);
        }
        self.accum_first(delta);
    }

    /// [`accum`](Self::accum) where the calling thread has no slot here yet, or can't have one.
    #[cold]
    #[inline(never)]
    fn accum_first(&self, delta: u64) {
        #[cfg(feature = "std")]
        if let Some(slot) = thread_index::with_place(|place| {
            // Another thread may have made the chunk that the place is in.
            self.threads.get(place).unwrap_or_else(|| self.threads.grow_to(place))
        }) {
            return slot.accum_alone(delta);
        }
        self.shared.accum(delta);
    }

    /// READ: what the initial state and all deltas compose to. Wait-free: loads each slot, Acquire. The
    /// [type](Self)'s docs say which concurrent deltas it may miss, and what a read costs.
    ///
    /// So a gauge that goes up and down may read below zero, as a number near 2⁶⁴, although it never is: of an up and the
    /// down after it, both made during the read, the read may include the down and miss the up. A read can't do that if
    /// ups and downs are in two fan-ins and the downs are read first. [`UpDown`] is that pair.
    #[inline]
    #[must_use]
    pub fn read(&self) -> u64 {
        let compose = |total, slot: &Slot<A>| A::compose(total, slot.read());
        let total = self.producers.list().fold(self.shared.read(), compose);
        #[cfg(feature = "std")]
        let total = self.threads.fold(total, compose);
        total
    }

    /// An observer of this fan-in, with its own epochs.
    #[must_use]
    pub fn epoch(&self) -> Epoch<&Self> {
        Epoch::new(self)
    }
}

impl FanIn<Add> {
    /// READ as a signed number, for a gauge that also goes down: the state modulo 2⁶⁴, taken from −2⁶³ to
    /// 2⁶³ − 1. Everything else is as for [`read`](Self::read): while deltas are made, a gauge that never is below
    /// zero may be read below zero. [`UpDown`] avoids that.
    ///
    /// ```
    /// use atomik_core::{Add, FanIn};
    ///
    /// let balance = FanIn::<Add>::new(0);
    /// balance.accum(40);
    /// balance.accum(42u64.wrapping_neg());
    /// assert_eq!(balance.read_signed(), -2);
    /// assert_eq!(balance.read(), u64::MAX - 1);
    /// ```
    #[inline]
    #[must_use]
    pub fn read_signed(&self) -> i64 {
        self.read().cast_signed()
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
