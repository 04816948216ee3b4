//! A fan-in for tables: a plane of totals for each writer.

use alloc::sync::Arc;
use core::fmt;

use super::exclusive_epoch::Taken;
use super::plane::{OncePlane, Plane, System};
use super::table_producer::TableProducer;
#[cfg(feature = "std")]
use super::thread_planes::ThreadPlanes;
use crate::algebra::{Add, Algebra};
use crate::context::Context;
use crate::slots::lease::{FanInRef, ReleaseSlot};
use crate::slots::slot_list::SlotList;
#[cfg(feature = "std")]
use crate::slots::thread_index;
use crate::sync::{AtomicU64, Ordering, const_fn, fence};
use crate::table::{COPY_WORDS, SMALL_WORDS, Table, TableEpoch, TableRead, TableSource, Touched, states};

/// A table that many threads change all the time. Each writer has a plane of its own, which is a whole table, and
/// readers combine the planes.
///
/// It is to a table what [`FanIn`](crate::FanIn) is to one state, with the same consistency and ordering at each
/// address. The initial state of every address is the identity.
///
/// | writer | cost of a delta |
/// |---|---|
/// | [`TableProducer::accum`], with a handle | a load and a store |
/// | [`TableFanIn::accum`], without a handle | the same, and a thread-local load and two loads to find the plane |
/// | [`Context::accum`] in a [`Table`], for comparison | one RMW, on lines that all writers share |
///
/// The 65th thread without a handle, and every further one that is alive at the same time, pays for a function call and
/// two more loads.
///
/// **Memory.** A table fan-in takes 1.2 KB on 64-bit targets, and each plane (a shard of the whole table) 8.125 bytes
/// for each address and at most 320 more. There is one plane for each producer, up to the greatest number of producers
/// that were alive at once. There is also one for each thread that calls [`accum`](Self::accum), up to the greatest
/// number of threads without a handle that were alive at once in the process, and one that threads without a plane
/// share, if there ever was such a thread. Planes are reused and never freed while the fan-in lives. If a table is
/// large and its writers are many and rarely write, a shared [`Table`] is smaller.
///
/// **Reads.** A reader loads an address from every plane that was ever made, also from planes whose writers are gone.
///
/// **Observers.** From the first [observer](Self::epoch) on, the writers of a table of more than 512 addresses also mark
/// the block of 64 addresses that they write to, which is one more store for each delta. In a loop that does nothing else
/// a delta takes 0.1 to 0.3 ns more by this, and a quarter to a half more where it waits for memory. For that, a swap
/// reads the marks, and only the blocks that were touched. While nobody observes a table, its writers mark nothing. A
/// writer whose plane is older than the first observer marks from its next delta on, and until then that plane is read
/// as a whole. So create the observer first if some writers are mostly idle.
///
/// ```
/// use atomik_core::{Add, TableFanIn};
///
/// let histogram = TableFanIn::<Add>::new(64);
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let mut producer = histogram.producer();
///             for value in 1..=1_000u64 {
///                 producer.accum(value.ilog2() as usize, 1);
///             }
///         });
///     }
/// });
/// assert_eq!(histogram.read(9), 4 * 489); // 512 to 1,000
/// ```
pub struct TableFanIn<A: Algebra> {
    pub(super) len: usize,
    /// Each owned by at most one `TableProducer`, and made when it is first owned.
    pub(super) producers: SlotList<OncePlane<A>>,
    /// Each made by the first `accum` of its thread.
    #[cfg(feature = "std")]
    pub(super) threads: ThreadPlanes<A>,
    /// For callers that can't have a plane, one RMW for each delta. A global allocator that accumulates needs it while
    /// its thread makes a plane of its own, so its memory does not come from the global allocator.
    pub(super) shared: OncePlane<A, System>,
    pub(super) taken: Taken,
    /// The number of swaps of observers that look for marks.
    swaps: AtomicU64,
}

impl<A: Algebra> TableFanIn<A> {
    const_fn! {
        /// Creates a fan-in for `len` addresses. It allocates nothing yet, and may be a `static`.
        ///
        /// # Panics
        ///
        /// If `len` is more than [`Table::MAX_LEN`].
        #[must_use]
        #[track_caller]
        pub const fn new(len: usize) -> Self {
            assert!(len <= Table::<A>::MAX_LEN, "a table can't be longer than 32-bit addresses reach");
            Self {
                len,
                producers: SlotList::new(),
                #[cfg(feature = "std")]
                threads: ThreadPlanes::new(),
                shared: OncePlane::new(),
                taken: Taken::new(),
                swaps: AtomicU64::new(0),
            }
        }
    }

    /// The number of addresses.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "the length is a choice, not a content")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// A writer with a plane of its own, for as long as the fan-in is borrowed. Lock-free except for the allocator.
    /// Allocates a plane when more producers are alive than ever before.
    ///
    /// # Panics
    ///
    /// If there is no memory for the plane, or if 2²⁵ producers are alive.
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn producer(&self) -> TableProducer<'_, A> {
        TableProducer::claim(FanInRef::Borrowed(self))
    }

    /// Does what [`producer`](Self::producer) does, for `'static`: the producer keeps the fan-in alive.
    ///
    /// # Panics
    ///
    /// As [`producer`](Self::producer).
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn producer_owned(self: &Arc<Self>) -> TableProducer<'static, A> {
        TableProducer::claim(FanInRef::Owned(Arc::clone(self)))
    }

    /// ACCUM without a handle, through a plane of the calling thread: the state at `addr` becomes state ∘ `delta`.
    ///
    /// Release, as [`TableProducer::accum`]. Wait-free where a 64-bit store is one instruction, except for a thread's
    /// first call on this fan-in, which is lock-free and allocates the thread's plane. Three kinds of callers share one
    /// plane instead, where a delta is an RMW with the progress of [`Context::accum`]:
    ///
    /// - a thread whose thread-locals are being destroyed;
    /// - a thread for whose plane there is no memory: each of its deltas first asks the allocator again, so that the
    ///   thread has a plane as soon as there is memory for it;
    /// - a global allocator that is called while the thread makes its plane (see [`docs::threads`]).
    ///
    /// Without the feature `std` all callers share that plane. If there is no memory for that plane either, the first
    /// delta to it ends in [`handle_alloc_error`](alloc::alloc::handle_alloc_error), which aborts the process with `std`
    /// and panics by default without it.
    ///
    /// Not for signal handlers: a handler that interrupts this function on its own thread may lose a delta, and a first
    /// call allocates, which may deadlock. [`docs::threads`] says what to use there.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    ///
    /// ```
    /// use atomik_core::{Add, TableFanIn};
    ///
    /// static RESPONSES: TableFanIn<Add> = TableFanIn::new(600);
    ///
    /// fn respond(status: usize) {
    ///     RESPONSES.accum(status, 1);
    /// }
    ///
    /// std::thread::scope(|scope| {
    ///     for status in [200, 200, 404] {
    ///         scope.spawn(move || respond(status));
    ///     }
    /// });
    /// assert_eq!((RESPONSES.read(200), RESPONSES.read(404)), (2, 1));
    /// ```
    ///
    /// [`docs::threads`]: crate::docs::threads
    #[inline]
    #[track_caller]
    pub fn accum(&self, addr: usize, delta: u64) {
        #[cfg(feature = "std")]
        if self.threads.near().accum_alone(addr, delta) {
            return;
        }
        self.accum_elsewhere(addr, delta);
    }

    /// [`accum`](Self::accum) where the calling thread is not one of the first threads, has no plane here yet or can't
    /// have one, or where `addr` is past the end.
    #[inline(never)]
    #[track_caller]
    fn accum_elsewhere(&self, addr: usize, delta: u64) {
        #[cfg(feature = "std")]
        if self.threads.get().accum_alone(addr, delta) {
            return;
        }
        self.accum_first(addr, delta);
    }

    /// The rest of `accum_elsewhere`, without the other threads that have a plane.
    #[cold]
    #[track_caller]
    fn accum_first(&self, addr: usize, delta: u64) {
        if addr >= self.len {
            past_the_end(addr, self.len);
        }
        #[cfg(feature = "std")]
        if let Some(plane) = self.make_thread_plane()
            && plane.accum_alone(addr, delta)
        {
            return;
        }
        self.shared_plane().accum(addr, delta);
    }

    /// The plane of the calling thread, which is made if it is missing. `None` if the thread can't have one.
    #[cfg(feature = "std")]
    pub(super) fn make_thread_plane(&self) -> Option<Plane<'_, A>> {
        let make = |place| self.threads.get_or_try_make(place, self.len, self.is_observed());
        thread_index::with_place(make)?.ok()
    }

    /// The plane of a producer, which is made if it is missing.
    #[inline(never)]
    #[track_caller]
    pub(super) fn producer_plane(&self, index: usize) -> Plane<'_, A> {
        match self.producers.slot(index).get_or_try_make(self.len, self.is_observed()) {
            Ok(plane) => plane,
            Err(error) => panic!("{error}"),
        }
    }

    /// The plane for callers that can't have one. It is marked from the beginning: a mark of one of its writers does not
    /// tell what another one will do.
    pub(super) fn shared_plane(&self) -> Plane<'_, A> {
        self.shared.get_or_make(self.len, !self.is_small())
    }

    /// Whether observers read all of the table, because looking for marks would take as long.
    fn is_small(&self) -> bool {
        self.len <= SMALL_WORDS
    }

    /// Whether a new plane is to be marked from the beginning.
    fn is_observed(&self) -> bool {
        // Relaxed: a plane that is not marked from the beginning is asked for marks by the observer.
        !self.is_small() && self.swaps.load(Ordering::Relaxed) != 0
    }

    /// READ: what all deltas to `addr` compose to. Wait-free: loads the address in each plane, Acquire.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    #[must_use]
    #[track_caller]
    pub fn read(&self, addr: usize) -> u64 {
        if addr >= self.len {
            past_the_end(addr, self.len);
        }
        self.planes().fold(A::IDENTITY, |total, plane| A::compose(total, plane[addr].read()))
    }

    /// Copies the states of all addresses into `out`. Wait-free, Acquire. The states are not of one instant.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    #[track_caller]
    pub fn snapshot(&self, out: &mut [u64]) {
        assert_eq!(out.len(), self.len, "a snapshot is as long as its table");
        self.copy_states(0, out);
    }

    /// An observer of this table, with its own epochs.
    #[must_use]
    pub fn epoch(&self) -> TableEpoch<&Self> {
        TableEpoch::new(self)
    }

    /// All planes made so far, whoever writes to them.
    pub(super) fn planes(&self) -> impl Iterator<Item = &[Context<A>]> {
        let cells = self.producers.list().iter().flatten();
        #[cfg(feature = "std")]
        let cells = cells.chain(self.threads.iter().map(|(_, cell)| cell));
        let planes = cells.map(OncePlane::get).chain([self.shared.get()]);
        planes.map(Plane::contexts).filter(|plane| !plane.is_empty())
    }
}

impl TableFanIn<Add> {
    /// READ as a signed number, for a gauge that also goes down: the state at `addr` modulo 2⁶⁴, taken from
    /// −2⁶³ to 2⁶³ − 1. Everything else is as for [`read`](Self::read): while deltas are made, a gauge that
    /// never is below zero may be read below zero, as [`FanIn::read`](crate::FanIn::read) explains. To avoid that, keep
    /// the ups and the downs in two tables and read the downs first.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    ///
    /// ```
    /// use atomik_core::{Add, TableFanIn};
    ///
    /// let balances = TableFanIn::<Add>::new(2);
    /// balances.accum(1, 40);
    /// balances.accum(1, 42u64.wrapping_neg());
    /// assert_eq!(balances.read_signed(1), -2);
    /// ```
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn read_signed(&self, addr: usize) -> i64 {
        self.read(addr).cast_signed()
    }
}

/// The lists of planes, in `Touched`.
const PRODUCERS: usize = 0;
#[cfg(feature = "std")]
const THREADS: usize = 1;
const SHARED: usize = 2;

#[cold]
#[track_caller]
pub(super) fn past_the_end(addr: usize, len: usize) -> ! {
    panic!("address {addr} is past the end of a table of {len}")
}

impl<A: Algebra> ReleaseSlot for TableFanIn<A> {
    fn release_slot(&self, index: usize) {
        self.producers.release(index);
    }
}

impl<A: Algebra> TableRead for TableFanIn<A> {
    type Algebra = A;

    fn table_len(&self) -> usize {
        self.len
    }

    #[inline]
    fn read(&self, addr: usize) -> u64 {
        self.read(addr)
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        // Some words of all planes at a time: their sums stay in L1 while each plane is read once.
        for (start, out) in (start..).step_by(COPY_WORDS).zip(out.chunks_mut(COPY_WORDS)) {
            let end = start + out.len();
            let mut planes = self.planes().map(|plane| &plane[start..end]);
            match planes.next() {
                Some(first) => states::copy(first, out),
                None => out.fill(A::IDENTITY),
            }
            for plane in planes {
                states::compose(plane, out);
            }
        }
    }

    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        let mut planes = self.planes();
        match (planes.next(), planes.next()) {
            (Some(plane), None) => states::are_equal(&plane[start..][..states.len()], states),
            _ => false,
        }
    }

    fn look(&self, touched: &mut Touched) {
        if self.is_small() {
            return touched.insert_all();
        }
        // Relaxed: only that no two swaps have the same number matters.
        let swap = self.swaps.fetch_add(1, Ordering::Relaxed) + 1;
        let producers = self.producers.list().iter().flatten().enumerate();
        producers.for_each(|(index, cell)| cell.get().look(touched, PRODUCERS, index, swap));
        #[cfg(feature = "std")]
        self.threads.iter().for_each(|(index, cell)| cell.get().look(touched, THREADS, index, swap));
        self.shared.get().look(touched, SHARED, 0, swap);
        // Acquire: pairs with the Release in `Mark::touch` and `touch_shared`, for all marks that were read above. So the
        // states that are read below have the deltas of these marks.
        fence(Ordering::Acquire);
    }
}

impl<A: Algebra> TableSource for TableFanIn<A> {
    #[inline]
    fn accum(&self, addr: usize, delta: u64) {
        self.accum(addr, delta);
    }
}

impl<A: Algebra> fmt::Debug for TableFanIn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableFanIn").field("len", &self.len).field("planes", &self.planes().count()).finish()
    }
}
