//! A small number for each live thread.

use super::growing_list::{FIRST_SLOTS, Place};
use super::index_pool::IndexPool;
use core::cell::Cell;

#[cfg(not(atomik_loom))]
mod statics {
    use super::*;

    pub(super) type PoolRef = &'static IndexPool;

    static POOL: IndexPool = IndexPool::new();

    std::thread_local! {
        /// Has no destructor, so that it can be read at any time in a thread's life.
        static PLACE: Cell<Place<FIRST_SLOTS>> = const { Cell::new(Place::NOWHERE) };
        static INDEX: ThreadIndex = ThreadIndex::claim(&POOL);
    }

    #[inline]
    pub(super) fn place() -> Place<FIRST_SLOTS> {
        PLACE.get()
    }

    pub(super) fn set_place(place: Place<FIRST_SLOTS>) {
        PLACE.set(place);
    }

    pub(super) fn owned_index() -> Option<usize> {
        INDEX.try_with(|owned| owned.index).ok()
    }
}

#[cfg(atomik_loom)]
use loom_statics as statics;

#[cfg(atomik_loom)]
mod loom_statics {
    use super::*;
    use alloc::sync::Arc;
    use core::cell::RefCell;

    /// Shared with the threads, since loom drops statics before the locals of threads that still run.
    pub(super) type PoolRef = Arc<IndexPool>;

    loom::lazy_static! {
        static ref POOL: PoolRef = Arc::new(IndexPool::new());
    }

    loom::thread_local! {
        static PLACE: Cell<Place<FIRST_SLOTS>> = Cell::new(Place::NOWHERE);
        /// `None` after `end_thread`.
        static INDEX: RefCell<Option<ThreadIndex>> = RefCell::new(Some(ThreadIndex::claim(POOL.clone())));
    }

    pub(super) fn place() -> Place<FIRST_SLOTS> {
        PLACE.try_with(Cell::get).unwrap_or(Place::NOWHERE)
    }

    pub(super) fn set_place(place: Place<FIRST_SLOTS>) {
        // Fails only while the thread's locals are being dropped, when nobody asks for the place again.
        let _ = PLACE.try_with(|cell| cell.set(place));
    }

    pub(super) fn owned_index() -> Option<usize> {
        INDEX.try_with(|owned| owned.borrow().as_ref().map(|owned| owned.index)).ok().flatten()
    }

    /// Drops the thread's index while its other locals live, as `std` may: loom takes all of them away at once.
    pub fn end_thread() {
        // Out of the cell first: while the index is being dropped, the thread has none.
        let owned = INDEX.with(RefCell::take);
        drop(owned);
    }
}
#[cfg(atomik_loom)]
pub use statics::end_thread;

/// The calling thread's hold on its index. Its destructor, at the thread's end, returns the index.
struct ThreadIndex {
    index: usize,
    pool: statics::PoolRef,
}

impl ThreadIndex {
    fn claim(pool: statics::PoolRef) -> Self {
        Self { index: pool.claim(), pool }
    }
}

impl Drop for ThreadIndex {
    fn drop(&mut self) {
        statics::set_place(Place::NOWHERE);
        self.pool.release(self.index);
    }
}

/// The place of the calling thread's elements in every list of one element a thread, or
/// [`Place::NOWHERE`] if the thread has no index yet or no more. One plain load.
#[inline]
pub(crate) fn place() -> Place<FIRST_SLOTS> {
    statics::place()
}

/// Gives the calling thread an index if it has none. `None` once the thread's locals are being dropped
/// and its index was returned. Lock-free but for the allocator.
///
/// An index belongs to one live thread at a time, and what its last owner did happens before the next
/// one's first use of it ([`IndexPool`] hands it over).
#[cold]
pub(crate) fn claim_place() -> Option<Place<FIRST_SLOTS>> {
    let place = Place::of(statics::owned_index()?);
    statics::set_place(place);
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::growing_list::GrowingList;
    use crate::sync::AtomicUsize;
    use std::collections::HashSet;
    use std::sync::{Barrier, Mutex};
    use std::thread;

    #[test]
    fn live_threads_have_different_indices() {
        const THREADS: usize = 40;
        let seen = Mutex::new(HashSet::new());
        let all_claimed = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    claim_place().unwrap();
                    let index = statics::owned_index().unwrap();
                    assert!(seen.lock().unwrap().insert(index), "index {index} was given twice");
                    all_claimed.wait();
                });
            }
        });
    }

    #[test]
    fn a_place_is_known_once_it_is_claimed() {
        let list = GrowingList::<AtomicUsize, FIRST_SLOTS>::new();
        let known = || list.get(place()).map(core::ptr::from_ref);
        let claim = || {
            assert_eq!(known(), None);
            let claimed = core::ptr::from_ref(list.grow_to(claim_place().unwrap()));
            assert_eq!(known(), Some(claimed));
        };
        thread::scope(|scope| scope.spawn(claim).join().unwrap());
    }

    #[test]
    fn a_thread_that_ends_returns_its_index() {
        // Other tests have some hundreds of threads meanwhile.
        const THREADS: usize = 4_000;
        for _ in 0..THREADS {
            let index = || claim_place().and_then(|_| statics::owned_index());
            assert!(thread::spawn(index).join().unwrap().unwrap() < THREADS / 2);
        }
    }
}
