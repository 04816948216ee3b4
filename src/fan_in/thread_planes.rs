//! The planes of threads without a handle.

use super::plane::{OncePlane, Plane};
use crate::algebra::Algebra;
use crate::slots::growing_list::{GrowingList, Place};
use crate::slots::thread_index;
use crate::sync::{AtomicUsize, Ordering, const_fn};
use crate::table::TableAllocError;

/// How many threads find their planes in place. Two in models, so that a third thread finds its plane in the list.
const NEAR: usize = if cfg!(atomik_loom) { 2 } else { 64 };

/// A plane for each thread, found by the thread's index. Each is owned by the live thread that has the index, if any.
///
/// The cells of the first threads stand in an array, because a thread looks its plane up for every delta: by way of a
/// list a delta would take half as long again.
pub(super) struct ThreadPlanes<A: Algebra> {
    near: [OncePlane<A>; NEAR],
    /// The cells of `near` from here on are empty, so that readers need not look at them.
    near_end: AtomicUsize,
    /// The cells of all other threads, each at the place of its thread. The first `NEAR` are not used.
    far: GrowingList<OncePlane<A>>,
}

impl<A: Algebra> ThreadPlanes<A> {
    const_fn! {
        pub(super) const fn new() -> Self {
            #[cfg(not(atomik_loom))]
            let near = [const { OncePlane::new() }; NEAR];
            #[cfg(atomik_loom)]
            let near = core::array::from_fn(|_| OncePlane::new());
            Self { near, near_end: AtomicUsize::new(0), far: GrowingList::new() }
        }
    }

    /// The calling thread's plane. It has no contexts if the thread has no plane here yet, or if it is not one of the
    /// first threads. Wait-free.
    #[inline]
    pub(super) fn near(&self) -> Plane<'_, A> {
        self.near.get(thread_index::place().index()).map_or(Plane::none(), OncePlane::get)
    }

    /// The calling thread's plane, whichever thread it is. It has no contexts if the thread has no plane here yet.
    /// Wait-free.
    pub(super) fn get(&self) -> Plane<'_, A> {
        let place = thread_index::place();
        self.near.get(place.index()).or_else(|| self.far.get(place)).map_or(Plane::none(), OncePlane::get)
    }

    /// Makes the plane at a place if it is missing, as [`OncePlane::get_or_try_make`] does.
    pub(super) fn get_or_try_make(
        &self,
        place: Place,
        len: usize,
        is_marked: bool,
    ) -> Result<Plane<'_, A>, TableAllocError> {
        let Some(near) = self.near.get(place.index()) else {
            // Another thread may have made the chunk that the place is in.
            let far = self.far.get(place).unwrap_or_else(|| self.far.grow_to(place));
            return far.get_or_try_make(len, is_marked);
        };
        let plane = near.get_or_try_make(len, is_marked)?;
        // Relaxed: a reader that must see a delta of this thread happens after it, and so after this. `OncePlane::get`
        // acquires the plane itself.
        self.near_end.fetch_max(place.index() + 1, Ordering::Relaxed);
        Ok(plane)
    }

    /// The cells of all threads, with or without a plane, each with the thread's index. Wait-free.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &OncePlane<A>)> {
        // Relaxed: as in `get_or_try_make`. The end only grows, so an observer does not lose a plane that it has seen.
        let end = self.near_end.load(Ordering::Relaxed);
        self.near[..end].iter().enumerate().chain(self.far.iter().flatten().enumerate().skip(NEAR))
    }
}
