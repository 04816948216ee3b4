//! Vectors of words, the trait over which each algorithm is written once.
//!
//! # The contract of `unsafe`
//!
//! The `unsafe` functions of this module's trait and of [`clmul`](super::clmul)'s, the algorithms that are generic over
//! them, and the functions in a level's [`Kernels`](super::kernels::Kernels) all have one condition: **the processor has
//! the instructions of the level.** [`dispatch`](super::dispatch) upholds it: it asks the processor before it chooses a
//! level. There is no condition on memory: vectors are loaded and stored by reference, so slices bound every access.
//! The exceptions are a few unchecked accesses that state their own conditions.

use core::mem::MaybeUninit;

use crate::algebra::{Algebra, Kind};

/// The lanes of a vector, each of which holds a word: 64 bytes, one cache line.
pub(crate) const LANES: usize = 8;

/// How many vectors the loops of the algorithms take in one iteration.
pub(super) const UNROLL: usize = 4;

/// The words in that many vectors.
pub(super) const GROUP: usize = LANES * UNROLL;

/// Eight words in registers: in one of 512 bits, in two of 256 or in four of 128.
///
/// # Safety
///
/// The [module's](self) contract, for every method.
pub(super) trait Vector: Copy {
    unsafe fn zero() -> Self;
    unsafe fn load(words: &[u64; LANES]) -> Self;
    unsafe fn store(self, words: &mut [u64; LANES]);
    unsafe fn xor(self, other: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;

    /// `self ^ a ^ b`, which is one instruction on some levels.
    #[inline(always)]
    unsafe fn xor3(self, a: Self, b: Self) -> Self {
        // SAFETY: the contract is the caller's.
        unsafe { self.xor(a).xor(b) }
    }

    /// `self | (a ^ b)`: adds the bits in which `a` and `b` differ to those in `self`.
    unsafe fn or_xor(self, a: Self, b: Self) -> Self;

    /// `self | (a ^ b)` for half as many words, in some of the lanes.
    unsafe fn or_xor_half(self, a: &[u64; LANES / 2], b: &[u64; LANES / 2]) -> Self;

    /// Whether all lanes are 0.
    unsafe fn is_zero(self) -> bool;

    /// The mask of the lanes that differ: bit i for lane i.
    unsafe fn ne_mask(self, other: Self) -> u8;

    /// Moves the nonzero lanes of some vectors to the front of `deltas`, in order and without gaps, and their addresses
    /// to the front of `addresses`. The first lane has the address `base`, and addresses wrap. Returns the number of
    /// nonzero lanes; what is written past them is arbitrary.
    #[inline(always)]
    unsafe fn compress(
        vectors: [Self; UNROLL],
        mut base: u32,
        addresses: &mut [MaybeUninit<u32>; GROUP],
        deltas: &mut [MaybeUninit<u64>; GROUP],
    ) -> usize {
        let mut count = 0;
        for vector in vectors {
            let mut words = [0; LANES];
            // SAFETY: the contract is the caller's.
            unsafe { vector.store(&mut words) };
            for word in words {
                // The place is written in any case, and kept if the word is not 0, so there is no branch to
                // mispredict. `count` is at most the number of words before this one.
                addresses[count % GROUP].write(base);
                deltas[count % GROUP].write(word);
                count += usize::from(word != 0);
                base = base.wrapping_add(1);
            }
        }
        count
    }
}

/// `a` ∘ `b`, lane by lane.
///
/// # Safety
///
/// The [module's](self) contract.
#[inline(always)]
pub(super) unsafe fn compose<V: Vector, A: Algebra>(a: V, b: V) -> V {
    // SAFETY: the contract is the caller's.
    unsafe {
        match A::KIND {
            Kind::Xor => a.xor(b),
            Kind::Add => a.add(b),
        }
    }
}

/// `a` ∘ `b` ∘ `c`, lane by lane.
///
/// # Safety
///
/// The [module's](self) contract.
#[inline(always)]
pub(super) unsafe fn compose3<V: Vector, A: Algebra>(a: V, b: V, c: V) -> V {
    // SAFETY: the contract is the caller's.
    unsafe {
        match A::KIND {
            Kind::Xor => a.xor3(b, c),
            Kind::Add => a.add(b).add(c),
        }
    }
}

/// The deltas from `old` to `new`, lane by lane.
///
/// # Safety
///
/// The [module's](self) contract.
#[inline(always)]
pub(super) unsafe fn delta<V: Vector, A: Algebra>(old: V, new: V) -> V {
    // SAFETY: the contract is the caller's.
    unsafe {
        match A::KIND {
            Kind::Xor => new.xor(old),
            Kind::Add => new.sub(old),
        }
    }
}

/// How many words stand before the first one that is aligned to a vector's 64 bytes, or all of them if none is.
///
/// An access that crosses the boundary of a cache line costs as much as two, so kernels take the words up to an
/// aligned one singly and go on with aligned vectors.
#[inline(always)]
pub(super) fn words_to_alignment(words: &[u64]) -> usize {
    let past = (words.as_ptr().addr() / size_of::<u64>()) % LANES;
    ((LANES - past) % LANES).min(words.len())
}

/// Prefetches the cache line of an element, if the slice has an element of this index.
#[inline(always)]
pub(super) fn prefetch<T>(elements: &[T], index: usize) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    if let Some(element) = elements.get(index) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction belongs to SSE, which SSE2 implies. A prefetch reads nothing, and the address is that
        // of an element besides.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(element).cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
    let _ = (elements, index);
}
