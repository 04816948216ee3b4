//! The level that runs everywhere: plain loops over eight words, which the compiler turns into whatever vector
//! instructions the target has, and carry-less products in integer arithmetic.

use super::clmul::Clmul;
use super::kernels::{kernels, level};
use super::vector::{LANES, Vector};

impl Vector for [u64; LANES] {
    #[inline(always)]
    unsafe fn zero() -> Self {
        [0; LANES]
    }

    #[inline(always)]
    unsafe fn load(words: &[u64; LANES]) -> Self {
        *words
    }

    #[inline(always)]
    unsafe fn store(self, words: &mut [u64; LANES]) {
        *words = self;
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        core::array::from_fn(|i| self[i] ^ other[i])
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        core::array::from_fn(|i| self[i].wrapping_add(other[i]))
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        core::array::from_fn(|i| self[i].wrapping_sub(other[i]))
    }

    #[inline(always)]
    unsafe fn or_xor(self, a: Self, b: Self) -> Self {
        core::array::from_fn(|i| self[i] | (a[i] ^ b[i]))
    }

    #[inline(always)]
    unsafe fn or_xor_half(mut self, a: &[u64; LANES / 2], b: &[u64; LANES / 2]) -> Self {
        for i in 0..LANES / 2 {
            self[i] |= a[i] ^ b[i];
        }
        self
    }

    #[inline(always)]
    unsafe fn is_zero(self) -> bool {
        self.into_iter().fold(0, |all, word| all | word) == 0
    }

    #[inline(always)]
    unsafe fn ne_mask(self, other: Self) -> u8 {
        (0..LANES).fold(0, |mask, i| mask | u8::from(self[i] != other[i]) << i)
    }
}

impl Clmul for [u64; LANES] {
    #[inline(always)]
    unsafe fn clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
        clmul_sum(data, keys)
    }

    #[inline(always)]
    unsafe fn clmul(a: u64, b: u64) -> u128 {
        clmul(a, b)
    }
}

/// From this many words on, [`clmul_sum`] adds up keys before it multiplies.
const MANY_WORDS: usize = 48;

/// [`clmul::clmul_sum`](super::clmul::clmul_sum) without an instruction for it.
///
/// A word is the sum of its eight bytes, each shifted to its position. So the keys of all words that have a certain
/// byte at a certain position are added up first, which takes one XOR for each byte of the data; then each of these
/// sums is multiplied by its byte. In the table of the sums, the eight positions of a byte share a cache line. With the
/// bytes of a position side by side instead, neighbouring bytes of a word would access places that are multiples of
/// 4 KiB apart, where loads wait for unrelated stores.
#[inline(always)]
pub(super) fn clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
    let (words, tail) = data.as_chunks::<8>();
    let (word_keys, rest_keys) = keys.as_flattened().split_at(words.len());
    let mut total = 0;
    if words.len() < MANY_WORDS {
        for (&word, &key) in words.iter().zip(word_keys) {
            total ^= clmul(u64::from_le_bytes(word), key);
        }
    } else {
        let mut sums = [[0; 8]; 256];
        for (word, key) in words.iter().zip(word_keys) {
            for (position, &byte) in word.iter().enumerate() {
                sums[usize::from(byte)][position] ^= key;
            }
        }
        total = multiply_by_bytes(sums);
    }
    if !tail.is_empty() {
        let mut word = [0; 8];
        word[..tail.len()].copy_from_slice(tail);
        total ^= clmul(u64::from_le_bytes(word), rest_keys[0]);
    }
    total
}

/// The sum of the products of each `sums[byte][position]` with that byte, shifted to that position.
#[inline(always)]
fn multiply_by_bytes(mut sums: [[u64; 8]; 256]) -> u128 {
    let mut total = 0;
    for bit in (0..8).rev() {
        // The sums of the bytes with this bit are multiplied by the bit, and then added to those of the bytes that
        // differ in this bit alone.
        let (without, with) = sums.split_at_mut(1 << bit);
        let mut here = [0; 8];
        for (without, with) in without.iter_mut().zip(with) {
            for position in 0..8 {
                here[position] ^= with[position];
                without[position] ^= with[position];
            }
        }
        for (position, here) in here.into_iter().enumerate() {
            total ^= u128::from(here) << (8 * position + bit);
        }
    }
    total
}

/// The carry-less product of two words, without an instruction for it.
///
/// Integers are multiplied in which only every fifth bit is set. At most 13 ones meet in a column of such a product, so
/// they carry into the four empty columns beside it and no further. The carries are masked off at the end, for all
/// products with the same columns at once.
#[inline]
pub(super) fn clmul(a: u64, b: u64) -> u128 {
    /// Every fifth bit.
    const HOLES: u128 = 0x2108_4210_8421_0842_1084_2108_4210_8421;
    let mut products = [0; 5];
    for i in 0..5 {
        let a = u128::from(a & (HOLES << i) as u64);
        for j in 0..5 {
            let b = u128::from(b & (HOLES << j) as u64);
            products[(i + j) % 5] ^= a * b;
        }
    }
    (0..5).fold(0, |product, i| product ^ (products[i] & (HOLES << i)))
}

kernels! { level! { level: Portable, name: "portable", vector: [u64; 8], features: [] } }

#[cfg(test)]
mod tests;
