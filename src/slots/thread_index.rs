//! A small number for each live thread, by which every list finds the elements of the calling thread.

use core::cell::Cell;

use super::growing_list::Place;
use super::index_pool::IndexPool;

/// The thread-locals. A thread's [`Place`] is one of:
///
/// - [`Place::NOWHERE`]: the thread has no index, because it has not asked for one yet or has returned it.
/// - [`Place::NOWHERE_YET`]: the thread is inside [`with_place`].
/// - a place that follows from its index.
#[cfg(not(atomik_loom))]
mod locals {
    use super::{Cell, IndexPool, Place, ThreadIndex};

    pub(super) type PoolRef = &'static IndexPool;

    static POOL: IndexPool = IndexPool::new();

    std::thread_local! {
        /// It has no destructor, so it can be used at any time in a thread's life.
        static PLACE: Cell<Place> = const { Cell::new(Place::NOWHERE) };
        static INDEX: ThreadIndex = ThreadIndex::claim(&POOL);
    }

    #[inline]
    pub(super) fn place() -> Place {
        PLACE.get()
    }

    pub(super) fn replace_place(place: Place) -> Place {
        PLACE.replace(place)
    }

    /// The index of the calling thread, claimed if it had none. `None` once its thread-locals are being destroyed.
    pub(super) fn index() -> Option<usize> {
        INDEX.try_with(|index| index.index).ok()
    }
}

#[cfg(atomik_loom)]
mod loom_locals {
    use super::{Cell, IndexPool, Place, ThreadIndex};
    use alloc::sync::Arc;
    use core::cell::RefCell;

    /// Shared with the threads, because loom drops statics before the thread-locals of threads that still run.
    pub(super) type PoolRef = Arc<IndexPool>;

    loom::lazy_static! {
        static ref POOL: PoolRef = Arc::new(IndexPool::new());
    }

    loom::thread_local! {
        static PLACE: Cell<Place> = Cell::new(Place::NOWHERE);
        /// `None` after `end_thread`.
        static INDEX: RefCell<Option<ThreadIndex>> = RefCell::new(Some(ThreadIndex::claim(POOL.clone())));
    }

    pub(super) fn place() -> Place {
        PLACE.try_with(Cell::get).unwrap_or(Place::NOWHERE)
    }

    pub(super) fn replace_place(place: Place) -> Place {
        // Fails only while the thread-locals are being dropped, when there is no place any more.
        PLACE.try_with(|cell| cell.replace(place)).unwrap_or(Place::NOWHERE)
    }

    pub(super) fn index() -> Option<usize> {
        INDEX.try_with(|index| index.borrow().as_ref().map(|index| index.index)).ok().flatten()
    }

    /// Drops the thread's index while its other thread-locals are alive. `std` may do so too, but loom drops all of
    /// them at once.
    pub fn end_thread() {
        // Taken out of its cell first: while the index is being dropped, the thread has none.
        let index = INDEX.with(RefCell::take);
        drop(index);
    }
}
#[cfg(atomik_loom)]
use loom_locals as locals;
#[cfg(atomik_loom)]
pub use loom_locals::end_thread;

/// The calling thread's hold on its index. The destructor, at the thread's end, returns the index.
struct ThreadIndex {
    index: usize,
    pool: locals::PoolRef,
}

impl ThreadIndex {
    fn claim(pool: locals::PoolRef) -> Self {
        Self { index: pool.claim(), pool }
    }
}

impl Drop for ThreadIndex {
    fn drop(&mut self) {
        locals::replace_place(Place::NOWHERE);
        self.pool.release(self.index);
    }
}

/// The place of the calling thread's element in every list of one element for each thread, or a place that no list
/// has. One plain load.
#[inline]
pub(crate) fn place() -> Place {
    locals::place()
}

/// Calls `make` with the calling thread's place, to make there what is missing. Claims an index for the thread if it
/// has none. Lock-free except for the allocator and `make`.
///
/// Returns `None`, without a call, in two cases:
///
/// - The thread has returned its index, because its thread-locals are being destroyed.
/// - The thread is inside this function already. Claiming an index and making an element allocate, so a global
///   allocator that accumulates gets here again. Until the outer call returns, [`place`] leads nowhere and the inner
///   call must do without an element.
///
/// An index belongs to one live thread at a time. Whatever its last owner did happens before the next owner's first
/// use of it ([`IndexPool`] hands it over).
#[cold]
pub(crate) fn with_place<T>(make: impl FnOnce(Place) -> T) -> Option<T> {
    let mut inside = match locals::replace_place(Place::NOWHERE_YET) {
        Place::NOWHERE_YET => return None,
        place => Inside { place },
    };
    if inside.place == Place::NOWHERE {
        inside.place = Place::of(locals::index()?);
    }
    Some(make(inside.place))
}

/// A call of [`with_place`], which ends with the thread at `place` even if it panics.
struct Inside {
    place: Place,
}

impl Drop for Inside {
    fn drop(&mut self) {
        locals::replace_place(self.place);
    }
}

#[cfg(test)]
mod tests;
