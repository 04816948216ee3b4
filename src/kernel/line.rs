//! The lane traits over which each algorithm is written once.
//!
//! # The contract
//!
//! All `unsafe fn` of this module's traits, the algorithms over them and the entries of a level's table
//! share one condition: **the caller runs on a processor that has the level's instructions.** `dispatch`
//! upholds it, by picking a table only after it asked the processor. Memory needs no condition: a line
//! is loaded and stored by reference, so the slices bound every access, except where `compare` writes unchecked and
//! says why it may.

use core::mem::MaybeUninit;

use crate::algebra::Algebra;

/// Words in a line: 64 bytes, one cache line.
pub(super) const LINE: usize = 8;

/// Lines that the algorithms take together.
pub(super) const GROUP_LINES: usize = 4;

/// Words in a group of lines.
pub(super) const GROUP: usize = LINE * GROUP_LINES;

/// Eight words in registers: one of 512 bits, two of 256, or four of 128.
///
/// # Safety
///
/// The [module's](self) contract, for every method.
pub(super) trait Line: Copy {
    unsafe fn zero() -> Self;
    unsafe fn load(words: &[u64; LINE]) -> Self;
    unsafe fn store(self, words: &mut [u64; LINE]);
    unsafe fn xor(self, other: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;

    /// `self ^ a ^ b`: one instruction where there are three-input ones.
    #[inline(always)]
    unsafe fn xor3(self, a: Self, b: Self) -> Self {
        // SAFETY: the contract is the caller's.
        unsafe { self.xor(a).xor(b) }
    }

    /// `self | (a ^ b)`: gathers where `a` and `b` differ.
    unsafe fn or_xor(self, a: Self, b: Self) -> Self;

    /// Whether all words are 0.
    unsafe fn is_zero(self) -> bool;

    /// Bit i is set where word i differs from the other's.
    unsafe fn differ(self, other: Self) -> u8;

    /// Puts the words that are not 0, in order and close together, at the front of `deltas`, and their
    /// addresses, counted from `base` and wrapping, at the front of `addresses`. What it writes behind them
    /// is arbitrary. Returns how many words are not 0.
    #[inline(always)]
    unsafe fn compress_group(
        group: [Self; GROUP_LINES],
        mut base: u32,
        addresses: &mut [MaybeUninit<u32>; GROUP],
        deltas: &mut [MaybeUninit<u64>; GROUP],
    ) -> usize {
        let mut count = 0;
        for line in group {
            let mut words = [0; LINE];
            // SAFETY: the contract is the caller's.
            unsafe { line.store(&mut words) };
            for word in words {
                // The place is always written, and taken only if the word is not 0: no branch to
                // mispredict. `count` is at most the words before this one.
                addresses[count & (GROUP - 1)].write(base);
                deltas[count & (GROUP - 1)].write(word);
                count += usize::from(word != 0);
                base = base.wrapping_add(1);
            }
        }
        count
    }
}

/// `a` ∘ `b`, word by word.
///
/// # Safety
///
/// The [module's](self) contract.
#[inline(always)]
pub(super) unsafe fn compose<L: Line, A: Algebra>(a: L, b: L) -> L {
    // SAFETY: the contract is the caller's.
    unsafe {
        match A::KIND {
            crate::algebra::Kind::Xor => a.xor(b),
            crate::algebra::Kind::Add => a.add(b),
        }
    }
}

/// `a` ∘ `b` ∘ `c`, word by word.
///
/// # Safety
///
/// The [module's](self) contract.
#[inline(always)]
pub(super) unsafe fn compose3<L: Line, A: Algebra>(a: L, b: L, c: L) -> L {
    // SAFETY: the contract is the caller's.
    unsafe {
        match A::KIND {
            crate::algebra::Kind::Xor => a.xor3(b, c),
            crate::algebra::Kind::Add => a.add(b).add(c),
        }
    }
}

/// The deltas that lead from `old` to `new`, word by word.
///
/// # Safety
///
/// The [module's](self) contract.
#[inline(always)]
pub(super) unsafe fn delta<L: Line, A: Algebra>(old: L, new: L) -> L {
    // SAFETY: the contract is the caller's.
    unsafe {
        match A::KIND {
            crate::algebra::Kind::Xor => new.xor(old),
            crate::algebra::Kind::Add => new.sub(old),
        }
    }
}

/// A running sum of carry-less products of words with keys, in registers.
///
/// # Safety
///
/// The [module's](self) contract, for every method.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(super) trait Carryless: Copy {
    unsafe fn zero() -> Self;

    /// Adds the eight products of a line's little-endian words with their keys.
    unsafe fn multiply_add(self, line: &[u8; 8 * LINE], keys: &[u64; LINE]) -> Self;

    unsafe fn add(self, other: Self) -> Self;

    /// The sum of all products: 128 bits, of which the highest is always 0.
    unsafe fn sum(self) -> u128;
}

/// How many words lie before the first whose address is a multiple of a line's 64 bytes; at most all.
///
/// A vector access that crosses a cache line costs two accesses: the kernels work up to a line's start
/// before they go on by lines.
#[inline(always)]
pub(super) fn words_to_alignment(words: &[u64]) -> usize {
    let past = (words.as_ptr().addr() / size_of::<u64>()) % LINE;
    ((LINE - past) % LINE).min(words.len())
}

/// Prefetches the line of a word; a word past the end is let be.
#[inline(always)]
pub(super) fn prefetch<T>(words: &[T], at: usize) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    if let Some(word) = words.get(at) {
        // SSE, which every x86-64 has.
        // SAFETY: a prefetch reads nothing, and the address is that of a word besides.
        unsafe {
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(
                core::ptr::from_ref(word).cast(),
            );
        }
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
    let _ = (words, at);
}
