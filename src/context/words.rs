//! Contexts as plain words, and words as contexts.
//!
//! A [`Context`] is a transparent wrapper of an `AtomicU64`, which has the size and the bit validity of a `u64`. Four
//! casts rest on that, all of them here, so that no crate of conversion traits is needed. loom's atomics have another
//! layout, so there are no casts in the models.

use alloc::alloc::{Layout, alloc_zeroed};
use alloc::boxed::Box;
use core::ptr;
use core::slice;

use super::Context;
use crate::algebra::Algebra;

impl<A: Algebra> Context<A> {
    /// `len` contexts in state 0, or `None` if there is no memory for them.
    ///
    /// The memory comes zeroed from the allocator, so large tables take only address space until they are used.
    pub(crate) fn zeroed(len: usize) -> Option<Box<[Self]>> {
        if len == 0 {
            return Some(Box::default());
        }
        let layout = Layout::array::<Self>(len).ok()?;
        // SAFETY: the layout has at least the bytes of one context.
        let memory = unsafe { alloc_zeroed(layout) };
        if memory.is_null() {
            return None;
        }
        // SAFETY: the memory was allocated with the layout that the box frees it with, and a context whose bytes are
        // all zero is a context in state 0.
        Some(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(memory.cast(), len)) })
    }

    /// `len` words at `words` as contexts: for memory that Rust did not allocate, such as a mapped file. The words may
    /// have any value.
    ///
    /// # Safety
    ///
    /// For the whole of `'a`, `words` is valid for reads of `len` words (and for writes, if a context is written to),
    /// and aligned to [`AtomicU64`](core::sync::atomic::AtomicU64) and not null even if `len` is 0. All concurrent
    /// accesses are atomic ones of whole words. The words take no more than `isize::MAX` bytes.
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use atomik_core::{Add, Context};
    ///
    /// let words = [AtomicU64::new(40)];
    /// // SAFETY: it is one aligned word, which outlives the contexts and is accessed by atomics only.
    /// let contexts = unsafe { Context::<Add>::slice_from_ptr(words[0].as_ptr(), 1) };
    /// contexts[0].accum(2);
    /// assert_eq!(contexts[0].read(), 42);
    /// ```
    #[inline]
    #[must_use]
    pub const unsafe fn slice_from_ptr<'a>(words: *mut u64, len: usize) -> &'a [Self] {
        const { assert!(size_of::<Self>() == 8) };
        // SAFETY: a context has the size and validity of a word, and the caller guarantees the rest.
        unsafe { slice::from_raw_parts(words.cast(), len) }
    }

    /// The states of contexts that nobody else has.
    #[inline]
    pub(crate) fn words_mut(contexts: &mut [Self]) -> &mut [u64] {
        const { assert!(size_of::<Self>() == 8 && align_of::<Self>() >= align_of::<u64>()) };
        // SAFETY: a context has the size and validity of a word and at least its alignment, and the contexts are
        // borrowed mutably for as long as the words.
        unsafe { slice::from_raw_parts_mut(contexts.as_mut_ptr().cast(), contexts.len()) }
    }

    /// Words as contexts that threads can share, or `None` where an atomic needs more alignment than the words have
    /// (on 32-bit x86).
    #[cfg(feature = "rayon")]
    pub(crate) fn from_words_mut(words: &mut [u64]) -> Option<&mut [Self]> {
        const { assert!(size_of::<Self>() == 8) };
        let contexts = words.as_mut_ptr().cast::<Self>();
        if !contexts.is_aligned() {
            return None;
        }
        // SAFETY: the pointer is aligned, a word has the size and validity of a context, and the words are borrowed
        // mutably for as long as the contexts.
        Some(unsafe { slice::from_raw_parts_mut(contexts, words.len()) })
    }
}

#[cfg(test)]
mod tests;
