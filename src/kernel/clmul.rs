//! Sums of carry-less products: words multiplied as polynomials over GF(2).

use super::vector::LANES;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use super::vector::UNROLL;

/// The bytes of as many words as a [`Vector`](super::vector::Vector) has lanes.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(super) const VECTOR_BYTES: usize = 8 * LANES;

/// A level's way to add up carry-less products. Implemented by the level's [`Vector`](super::vector::Vector).
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
pub(super) trait Clmul {
    /// See [`clmul_sum`].
    unsafe fn clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128;

    /// The carry-less product of two words.
    unsafe fn clmul(a: u64, b: u64) -> u128;
}

/// The sum (XOR) of the carry-less products of each little-endian word of `data` with its key. The last word and the
/// last vector are padded with zeros; there must be keys for each vector.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
pub(super) unsafe fn clmul_sum<C: Clmul>(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
    // SAFETY: the contract is the caller's.
    unsafe { C::clmul_sum(data, keys) }
}

/// The sum of the carry-less products of each word with its key, for a few words that were just computed: they are
/// loaded singly, since a vector could not be loaded before the stores of all of them have completed.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
pub(super) unsafe fn clmul_sum_few<C: Clmul>(words: &[u64], keys: &[u64]) -> u128 {
    let mut sum = 0;
    for (&word, &key) in words.iter().zip(keys) {
        // SAFETY: the contract is the caller's.
        sum ^= unsafe { C::clmul(word, key) };
    }
    sum
}

/// A running sum of carry-less products, in registers.
///
/// # Safety
///
/// The contract of [`vector`](super::vector), for every method.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(super) trait Accumulator: Copy {
    unsafe fn zero() -> Self;

    /// Adds the products of eight little-endian words with their keys.
    unsafe fn multiply_add(self, words: &[u8; VECTOR_BYTES], keys: &[u64; LANES]) -> Self;

    unsafe fn add(self, other: Self) -> Self;

    /// The sum of all products.
    unsafe fn sum(self) -> u128;
}

/// [`clmul_sum`] by an instruction.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[inline(always)]
pub(super) unsafe fn accumulate<S: Accumulator>(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
    let (vectors, tail) = data.as_chunks::<VECTOR_BYTES>();
    let (groups, rest) = vectors.as_chunks::<UNROLL>();
    let (group_keys, rest_keys) = keys.split_at(vectors.len() - rest.len());
    // SAFETY: the contract is the caller's.
    unsafe {
        // A product takes several cycles. With several sums, none has to wait for the one before it.
        let mut sums = [S::zero(); UNROLL];
        for (group, keys) in groups.iter().zip(group_keys.as_chunks::<UNROLL>().0) {
            for ((sum, words), keys) in sums.iter_mut().zip(group).zip(keys) {
                *sum = sum.multiply_add(words, keys);
            }
        }
        for ((sum, words), keys) in sums.iter_mut().zip(rest).zip(rest_keys) {
            *sum = sum.multiply_add(words, keys);
        }
        if !tail.is_empty() {
            let mut words = [0; VECTOR_BYTES];
            words[..tail.len()].copy_from_slice(tail);
            sums[0] = sums[0].multiply_add(&words, &rest_keys[rest.len()]);
        }
        let [a, b, c, d] = sums;
        a.add(b).add(c.add(d)).sum()
    }
}
