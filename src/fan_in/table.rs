//! Fan-in for tables: a plane of totals for each writer.

use core::fmt;
use core::ptr::NonNull;

use super::exclusive_epoch::Taken;
use crate::algebra::Algebra;
use crate::context::{Context, sealed::Sealed};
use crate::slots::lease::{FanInRef, Lease, ReleaseSlot};
use crate::slots::once_box::OnceBox;
use crate::slots::slot_list::Slots;
use crate::sync::const_fn;
use crate::table::{COPY_WORDS, Table, TableEpoch, TableSource};
use alloc::sync::Arc;

/// A table that many threads change all the time: each producer writes to a plane of its own, a whole table,
/// and readers combine the planes.
///
/// What [`FanIn`](crate::FanIn) is to one state, with the same promises of consistency and ordering for each
/// address. The initial state of every address is the identity.
///
/// **Memory.** 8 bytes an address for each producer, up to the largest number that was alive at once: planes
/// are used again and never freed. For a large table and many short-lived or rare writers, a shared
/// [`Table`] is smaller.
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
    planes: Slots<OnceBox<Table<A>>>,
    pub(super) taken: Taken,
}

impl<A: Algebra> TableFanIn<A> {
    const_fn! {
        /// A fan-in for `len` addresses. Allocates nothing yet; usable in a `static`.
        ///
        /// # Panics
        ///
        /// If `len` is more than [`Table::MAX_LEN`].
        #[must_use]
        pub const fn new(len: usize) -> Self {
            assert!(len <= Table::<A>::MAX_LEN, "a table can't be longer than 32-bit addresses reach");
            Self { len, planes: Slots::new(), taken: Taken::new() }
        }
    }

    /// How many addresses there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "the length is a choice, not a content")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// A writer with a plane of its own, for as long as the fan-in is borrowed. Lock-free; allocates a plane
    /// when more producers are alive than ever before.
    ///
    /// # Panics
    ///
    /// If memory can't hold the plane.
    #[must_use]
    pub fn producer(&self) -> TableProducer<'_, A> {
        TableProducer::claim(FanInRef::Borrowed(self))
    }

    /// [`producer`](Self::producer) for `'static`: it keeps the fan-in alive.
    #[must_use]
    pub fn producer_owned(self: &Arc<Self>) -> TableProducer<'static, A> {
        TableProducer::claim(FanInRef::Owned(Arc::clone(self)))
    }

    /// READ: what all deltas to `addr` compose to. Wait-free; loads the address in each plane, Acquire.
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

    /// Reads all addresses into `out`. Wait-free, Acquire; the states are not of one instant.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    pub fn snapshot(&self, out: &mut [u64]) {
        assert_eq!(out.len(), self.len, "a snapshot is as long as its table");
        self.copy_states(0, out);
    }

    /// An observer of this table, with epochs of its own.
    #[must_use]
    pub fn epoch(&self) -> TableEpoch<&Self> {
        TableEpoch::new(self)
    }

    /// The planes made so far.
    pub(super) fn planes(&self) -> impl Iterator<Item = &Table<A>> {
        self.planes.list().iter().flatten().filter_map(OnceBox::get)
    }
}

#[cold]
#[track_caller]
fn past_the_end(addr: usize, len: usize) -> ! {
    panic!("address {addr} is past the end of a table of {len}")
}

impl<A: Algebra> ReleaseSlot for TableFanIn<A> {
    fn release_slot(&self, index: usize) {
        self.planes.release(index);
    }
}

impl<A: Algebra> Sealed for TableFanIn<A> {}

impl<A: Algebra> TableSource for TableFanIn<A> {
    type Algebra = A;

    fn table_len(&self) -> usize {
        self.len
    }

    #[inline]
    fn read(&self, addr: usize) -> u64 {
        self.read(addr)
    }

    #[inline]
    fn accum(&self, addr: usize, delta: u64) {
        self.producer().accum(addr, delta);
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        // One pass over all planes together: a block of the sums stays in L1 while each plane is read once.
        for (start, block) in (start..).step_by(COPY_WORDS).zip(out.chunks_mut(COPY_WORDS)) {
            let mut planes = self.planes();
            match planes.next() {
                Some(first) => first.copy_block(start, block),
                None => block.fill(A::IDENTITY),
            }
            for plane in planes {
                plane.compose_block(start, block);
            }
        }
    }

    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        let mut planes = self.planes();
        match (planes.next(), planes.next()) {
            (Some(plane), None) => plane.is_block(start, states),
            _ => false,
        }
    }
}

impl<A: Algebra> fmt::Debug for TableFanIn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableFanIn").field("len", &self.len).field("planes", &self.planes().count()).finish()
    }
}

/// A writer of a [`TableFanIn`] with a plane of its own.
///
/// As [`Producer`](crate::Producer): the only writer of its plane; may be moved to another thread; dropped, it
/// returns the plane with the totals in it.
pub struct TableProducer<'a, A: Algebra> {
    plane: NonNull<[Context<A>]>,
    pub(super) lease: Lease<'a, TableFanIn<A>>,
}

// SAFETY: the plane's `Context`s may be used by any thread, and `lease` keeps them alive and may be sent
// itself.
unsafe impl<A: Algebra> Send for TableProducer<'_, A> {}
// SAFETY: as above; a shared producer can only be looked at.
unsafe impl<A: Algebra> Sync for TableProducer<'_, A> {}

impl<'a, A: Algebra> TableProducer<'a, A> {
    fn claim(fan_in: FanInRef<'a, TableFanIn<A>>) -> Self {
        let (index, _) = fan_in.planes.claim();
        // From here on the slot is returned whatever happens.
        let lease = Lease::new(fan_in, index);
        let plane = lease.planes.slot(index).get_or_init(|| Table::new(lease.len));
        let plane = NonNull::from(&**plane);
        Self { plane, lease }
    }

    /// ACCUM: the state at `addr` becomes state ∘ `delta`. Wait-free: a load and a store, Release.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    #[inline]
    #[track_caller]
    pub fn accum(&mut self, addr: usize, delta: u64) {
        // SAFETY: planes are freed or moved only when their fan-in is dropped, and `lease` keeps that alive.
        let plane = unsafe { self.plane.as_ref() };
        match plane.get(addr) {
            Some(context) => context.accum_alone(delta),
            None => past_the_end(addr, plane.len()),
        }
    }
}

impl<A: Algebra> fmt::Debug for TableProducer<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableProducer")
            .field("plane", &self.lease.index)
            .field("len", &self.lease.len)
            .finish()
    }
}
