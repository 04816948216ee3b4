//! A list that grows by chunks. It never moves an element and never shrinks.

use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ops::ControlFlow;
use core::ptr;

use crate::sync::{AtomicPtr, Ordering, const_fn};

/// The greatest number of chunks: room for 2^25 elements. Loom tracks each pointer, so models have fewer.
const CHUNKS: usize = if cfg!(atomik_loom) { 4 } else { 26 };

/// The chunks that [`GrowingList::fold`] reads without a loop; together they have 16 elements.
const UNROLLED: usize = 5;

/// An append-only list. Readers walk it and writers extend it without waiting for one another.
///
/// Chunks 0 and 1 have one element each, and every further chunk has twice as many as the one before it, so each new
/// chunk doubles the capacity. Chunks are made in order: if one is missing, all later ones are missing too.
pub(crate) struct GrowingList<T> {
    chunks: [AtomicPtr<T>; CHUNKS],
    owns: PhantomData<T>,
}

/// The position of an element: its index, and the chunk and the offset that follow from the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    index: u32,
    chunk: u32,
    /// Less than the length of the chunk, if there is a chunk of this number.
    offset: u32,
}

impl Place {
    /// A place that no list has, because there is no chunk of its number.
    #[cfg(any(feature = "std", test))]
    pub(crate) const NOWHERE: Self = Self { index: u32::MAX, chunk: CHUNKS as u32, offset: 0 };

    /// Another place that no list has.
    #[cfg(feature = "std")]
    pub(crate) const NOWHERE_YET: Self = Self { index: u32::MAX, chunk: CHUNKS as u32, offset: 1 };

    /// How many elements a list has room for.
    pub(crate) const ROOM: usize = chunk_len(CHUNKS);

    /// The place of the element with this index.
    ///
    /// # Panics
    ///
    /// If the index is not below [`ROOM`](Self::ROOM).
    pub(crate) fn of(index: usize) -> Self {
        assert!(index < Self::ROOM, "a list has no room for {index} elements");
        let chunk = (usize::BITS - index.leading_zeros()) as usize;
        let start = if chunk == 0 { 0 } else { chunk_len(chunk) };
        Self { index: index as u32, chunk: chunk as u32, offset: (index - start) as u32 }
    }

    /// The index of the element. Greater than any element's if this is a place that no list has.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }
}

/// The length of a chunk. From chunk 1 on it is also the index of the chunk's first element.
const fn chunk_len(chunk: usize) -> usize {
    1 << chunk.saturating_sub(1)
}

impl<T> GrowingList<T> {
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
    pub(crate) fn get(&self, place: Place) -> Option<&T> {
        // Acquire: pairs with the Release in `grow_to`, so that the elements are seen initialised.
        let first = self.chunks.get(place.chunk as usize)?.load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: a pointer that is not null was installed by `grow_to` and leads to `chunk_len(place.chunk)`
        // initialised elements, which are not freed or moved while `self` is borrowed. `Place::of` keeps `offset` below
        // that length.
        Some(unsafe { &*first.add(place.offset as usize) })
    }

    /// The chunks made so far, in order. Wait-free.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[T]> {
        (0..CHUNKS).map_while(|number| self.chunk(number))
    }

    /// Folds over all elements. Wait-free.
    ///
    /// The first chunks are read without a loop, because a loop over chunks of different lengths would take twice as
    /// long as the loads themselves. So the first chunk can be as small as one element: with 1, 2 or 4 elements in it, a
    /// fold over 16 took 1.25 times as long as 16 bare loads, and 1.2 times with 16 elements.
    #[inline]
    pub(crate) fn fold<B>(&self, start: B, each: impl Fn(B, &T) -> B) -> B {
        match self.fold_first_chunks(start, &each) {
            ControlFlow::Break(total) => total,
            ControlFlow::Continue(total) => self.fold_further(total, each),
        }
    }

    /// Folds over the first [`UNROLLED`] chunks. Continues if there are more.
    #[inline]
    fn fold_first_chunks<B>(&self, start: B, each: &impl Fn(B, &T) -> B) -> ControlFlow<B, B> {
        let total = self.fold_chunk::<B, 1>(0, start, each)?;
        let total = self.fold_chunk::<B, 1>(1, total, each)?;
        let total = self.fold_chunk::<B, 2>(2, total, each)?;
        let total = self.fold_chunk::<B, 4>(3, total, each)?;
        let total = self.fold_chunk::<B, 8>(4, total, each)?;
        if self.chunk(UNROLLED).is_some() { ControlFlow::Continue(total) } else { ControlFlow::Break(total) }
    }

    /// Folds over a chunk, whose length is `LEN`. Breaks if it has not been made.
    #[inline]
    fn fold_chunk<B, const LEN: usize>(
        &self,
        number: usize,
        total: B,
        each: &impl Fn(B, &T) -> B,
    ) -> ControlFlow<B, B> {
        match self.chunk(number) {
            Some(chunk) => ControlFlow::Continue(chunk[..LEN].iter().fold(total, each)),
            None => ControlFlow::Break(total),
        }
    }

    /// The rest of `fold`, from chunk [`UNROLLED`] on.
    #[cold]
    #[inline(never)]
    fn fold_further<B>(&self, total: B, each: impl Fn(B, &T) -> B) -> B {
        self.iter().skip(UNROLLED).flatten().fold(total, each)
    }

    /// The chunk of this number, if it has been made.
    #[inline]
    fn chunk(&self, number: usize) -> Option<&[T]> {
        // Acquire: pairs with the Release in `grow_to`, as in `get`.
        let first = self.chunks.get(number)?.load(Ordering::Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: as in `get`: the pointer leads to `chunk_len(number)` initialised elements.
        Some(unsafe { core::slice::from_raw_parts(first, chunk_len(number)) })
    }
}

impl<T: Default + Send + Sync> GrowingList<T> {
    /// The element at a place. Makes its chunk and all chunks before it that are missing. Lock-free except for the
    /// allocator. `place` must be one that [`Place::of`] returned.
    #[cold]
    pub(crate) fn grow_to(&self, place: Place) -> &T {
        for (number, chunk) in self.chunks.iter().enumerate().take(place.chunk as usize + 1) {
            // Relaxed: only a hint. The exchange below decides, and `get` acquires.
            if !chunk.load(Ordering::Relaxed).is_null() {
                continue;
            }
            crate::sync::before_allocation();
            let len = chunk_len(number);
            let made: Box<[T]> = (0..len).map(|_| T::default()).collect();
            let first = Box::into_raw(made).cast::<T>();
            // Release: pairs with the Acquire in `get` and `chunk`. If another thread was first, nothing of what it
            // made is used here, so failure is Relaxed.
            let installed =
                chunk.compare_exchange(ptr::null_mut(), first, Ordering::Release, Ordering::Relaxed);
            if installed.is_err() {
                // SAFETY: made above as a box of `len` elements, and no other thread has seen it.
                drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(first, len)) });
            }
        }
        self.get(place).expect("the chunk was just made")
    }
}

impl<T> Drop for GrowingList<T> {
    fn drop(&mut self) {
        for (number, chunk) in self.chunks.iter().enumerate() {
            // Relaxed: `&mut self` means that all other accesses happened before.
            let first = chunk.load(Ordering::Relaxed);
            if first.is_null() {
                break;
            }
            let chunk = ptr::slice_from_raw_parts_mut(first, chunk_len(number));
            // SAFETY: made by `grow_to` as a box of this length, and freed only here.
            drop(unsafe { Box::from_raw(chunk) });
        }
    }
}

#[cfg(test)]
mod tests;
