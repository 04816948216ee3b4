//! A list that grows by chunks, never moves and never shrinks.

use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ptr;

use crate::sync::{AtomicPtr, Ordering, const_fn};

/// How many slots the first chunk of a slot list has. One under loom, so that models see lists grow.
pub(crate) const FIRST_SLOTS: usize = if cfg!(atomik_loom) { 1 } else { 16 };

/// How many chunks there can be. With a first chunk of 16 that is room for 2³¹ elements.
const CHUNKS: usize = if cfg!(atomik_loom) { 4 } else { 28 };

/// An append-only list: readers walk it and writers grow it without waiting for one another.
///
/// Chunk 0 and chunk 1 have `FIRST` elements (a power of two), each further chunk twice as many as the one
/// before, so that the capacity doubles. GrowingList are made in order: where one is missing, none follows.
pub(crate) struct GrowingList<T, const FIRST: usize> {
    chunks: [AtomicPtr<T>; CHUNKS],
    owns: PhantomData<T>,
}

/// Where an element lies: the number of its chunk and its offset there.
#[derive(Clone, Copy)]
pub(crate) struct Place<const FIRST: usize> {
    chunk: u32,
    /// Less than the length of that chunk, if there is such a chunk.
    offset: u32,
}

impl<const FIRST: usize> Place<FIRST> {
    /// A place in no list: the chunk does not exist.
    #[cfg(any(feature = "std", test))]
    pub(crate) const NOWHERE: Self = Self { chunk: CHUNKS as u32, offset: 0 };

    /// The place of the element with this index.
    pub(crate) fn of(index: usize) -> Self {
        let chunk = (usize::BITS - (index / FIRST).leading_zeros()) as usize;
        let start = if chunk == 0 { 0 } else { chunk_len::<FIRST>(chunk) };
        assert!(chunk < CHUNKS, "a slot list can't hold {index} elements");
        Self { chunk: chunk as u32, offset: (index - start) as u32 }
    }
}

/// The length of a chunk; from chunk 1 on also the index at which it starts.
const fn chunk_len<const FIRST: usize>(chunk: usize) -> usize {
    FIRST << chunk.saturating_sub(1)
}

impl<T, const FIRST: usize> GrowingList<T, FIRST> {
    const_fn! {
        /// An empty list. Allocates nothing.
        pub(crate) const fn new() -> Self {
            #[cfg(not(atomik_loom))]
            let chunks = [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS];
            #[cfg(atomik_loom)]
            let chunks = core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()));
            Self { chunks, owns: PhantomData }
        }
    }

    /// The element at a place, if its chunk has been made. Wait-free.
    #[inline]
    pub(crate) fn get(&self, place: Place<FIRST>) -> Option<&T> {
        // Acquire: pairs with the Release in `grow_to`, so that the elements are seen initialised.
        let first = self.chunks.get(place.chunk as usize)?.load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: a non-null pointer leads to a chunk of `chunk_len(place.chunk)` initialised elements,
        // which is never freed or moved while `self` is borrowed; `Place` keeps `offset` below that.
        Some(unsafe { &*first.add(place.offset as usize) })
    }

    /// The chunks made so far, in order. Wait-free.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[T]> {
        (0..CHUNKS).map_while(|number| self.chunk(number))
    }

    /// Folds over the elements, in groups of `FIRST`. Wait-free.
    ///
    /// Most lists have one chunk, which is a group: it is taken apart from the others, without a loop.
    #[inline]
    pub(crate) fn fold<B>(&self, start: B, each: impl Fn(B, &[T; FIRST]) -> B) -> B {
        let Some(first) = self.chunk(0) else { return start };
        let (groups, _) = first.as_chunks();
        let total = each(start, &groups[0]);
        if self.chunk(1).is_none() { total } else { self.fold_further(total, each) }
    }

    /// The rest of `fold`, from chunk 1 on.
    #[cold]
    #[inline(never)]
    fn fold_further<B>(&self, start: B, each: impl Fn(B, &[T; FIRST]) -> B) -> B {
        self.iter().skip(1).fold(start, |total, chunk| chunk.as_chunks().0.iter().fold(total, &each))
    }

    /// A chunk by its number, if it has been made.
    #[inline]
    fn chunk(&self, number: usize) -> Option<&[T]> {
        // Acquire: pairs with the Release in `grow_to`, as in `get`.
        let first = self.chunks[number].load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: as in `get`: a non-null pointer leads to `chunk_len(number)` initialised elements.
        Some(unsafe { core::slice::from_raw_parts(first, chunk_len::<FIRST>(number)) })
    }
}

impl<T: Default + Send + Sync, const FIRST: usize> GrowingList<T, FIRST> {
    /// The element at a place, whose chunk is made, with those before it, if it is missing. Lock-free but
    /// for the allocator. `place` must not be [`Place::NOWHERE`].
    #[cold]
    pub(crate) fn grow_to(&self, place: Place<FIRST>) -> &T {
        for (number, chunk) in self.chunks.iter().enumerate().take(place.chunk as usize + 1) {
            // Relaxed: only a hint; the exchange below decides, and `get` acquires.
            if !chunk.load(Ordering::Relaxed).is_null() {
                continue;
            }
            let len = chunk_len::<FIRST>(number);
            let made: Box<[T]> = (0..len).map(|_| T::default()).collect();
            let first = Box::into_raw(made).cast::<T>();
            // Release: pairs with the Acquires in `get` and `iter`. A loser needs nothing from the winner
            // here: Relaxed.
            let installed =
                chunk.compare_exchange(ptr::null_mut(), first, Ordering::Release, Ordering::Relaxed);
            if installed.is_err() {
                // SAFETY: made above as a box of `len` elements, and nobody else has seen it.
                drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(first, len)) });
            }
        }
        self.get(place).expect("the chunk was just made")
    }
}

impl<T, const FIRST: usize> Drop for GrowingList<T, FIRST> {
    fn drop(&mut self) {
        for (number, chunk) in self.chunks.iter().enumerate() {
            // Relaxed: `&mut self` means that all other accesses happened before.
            let first = chunk.load(Ordering::Relaxed);
            if first.is_null() {
                break;
            }
            let chunk = ptr::slice_from_raw_parts_mut(first, chunk_len::<FIRST>(number));
            // SAFETY: made by `grow_to` as a box of this length, and freed only here.
            drop(unsafe { Box::from_raw(chunk) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::AtomicUsize;
    use alloc::vec::Vec;

    type List = GrowingList<AtomicUsize, 4>;

    #[test]
    fn places_fill_chunk_after_chunk() {
        let mut next = (0, 0);
        for index in 0..4096 {
            let place = Place::<4>::of(index);
            if next.1 == chunk_len::<4>(next.0) {
                next = (next.0 + 1, 0);
            }
            assert_eq!((place.chunk as usize, place.offset as usize), next, "index {index}");
            next.1 += 1;
        }
    }

    #[test]
    fn elements_stay_where_they_are() {
        let list = List::new();
        assert!(list.get(Place::of(0)).is_none());
        for index in [9, 0, 40, 3] {
            list.grow_to(Place::of(index)).store(index, Ordering::Relaxed);
        }
        for index in [9, 0, 40, 3] {
            assert_eq!(list.get(Place::of(index)).unwrap().load(Ordering::Relaxed), index);
        }
        // Index 40 lies in the fifth chunk: 4, 4, 8, 16, 32.
        assert_eq!(list.iter().map(<[_]>::len).collect::<Vec<_>>(), [4, 4, 8, 16, 32]);
        let add = |total, group: &[AtomicUsize; 4]| {
            group.iter().fold(total, |total, element| total + element.load(Ordering::Relaxed))
        };
        assert_eq!(list.fold(1000, add), 1000 + 9 + 40 + 3);
        assert_eq!(List::new().fold(7, add), 7);
    }

    #[test]
    fn nowhere_is_in_no_list() {
        let list = List::new();
        list.grow_to(Place::of(100));
        assert!(list.get(Place::NOWHERE).is_none());
    }

    #[test]
    #[should_panic(expected = "can't hold")]
    fn an_index_past_the_last_chunk_panics() {
        Place::<4>::of(usize::MAX);
    }

    #[test]
    fn a_dropped_list_drops_its_elements() {
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        #[derive(Default)]
        struct Counted;
        impl Drop for Counted {
            fn drop(&mut self) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
        let list = GrowingList::<Counted, 4>::new();
        list.grow_to(Place::of(9));
        assert_eq!(DROPPED.load(Ordering::Relaxed), 0);
        drop(list);
        assert_eq!(DROPPED.load(Ordering::Relaxed), 4 + 4 + 8);
    }
}
