//! The level that needs nothing: plain loops over eight words, which the compiler turns into whatever
//! vectors the target has; and the products of `Fingerprint` where there is no instruction for them.

use super::keys::BlockKeys;
use super::line::{LINE, Line};

impl Line for [u64; LINE] {
    #[inline(always)]
    unsafe fn zero() -> Self {
        [0; LINE]
    }

    #[inline(always)]
    unsafe fn load(words: &[u64; LINE]) -> Self {
        *words
    }

    #[inline(always)]
    unsafe fn store(self, words: &mut [u64; LINE]) {
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
    unsafe fn is_zero(self) -> bool {
        self.into_iter().fold(0, |all, word| all | word) == 0
    }

    #[inline(always)]
    unsafe fn differ(self, other: Self) -> u8 {
        (0..LINE).fold(0, |mask, i| mask | u8::from(self[i] != other[i]) << i)
    }
}

/// From this many words on, [`carryless_block`] adds up keys before it multiplies.
const SUM_FROM: usize = 48;

/// The sum (XOR) of the products of each little-endian word of `data`, a block at most, with its key, without an
/// instruction for them; the tail is filled up with zeros.
///
/// A word is the sum of its eight bytes, each times x⁸ᵖ for its place p. So for each value of a byte and each
/// place, the keys of the words that have it there are added up, at one XOR a byte; then each of these sums is
/// multiplied by its byte. The table of the sums has all places of a value in one line: then neighbours do not
/// lie a multiple of 4 KiB apart, where loads wait for stores that they have nothing to do with.
///
/// # Safety
///
/// It has no condition, and is unsafe for `level!` to call it as the others'.
#[inline(always)]
pub(super) unsafe fn carryless_block(data: &[u8], keys: &BlockKeys) -> u128 {
    let (words, tail) = data.as_chunks::<8>();
    let (word_keys, rest_keys) = keys.0.split_at(words.len());
    let mut total = 0;
    if words.len() < SUM_FROM {
        for (&word, &key) in words.iter().zip(word_keys) {
            total ^= carryless_product(u64::from_le_bytes(word), key);
        }
    } else {
        let mut sums = [[0; 8]; 256];
        for (word, key) in words.iter().zip(word_keys) {
            for (place, &byte) in word.iter().enumerate() {
                sums[usize::from(byte)][place] ^= key;
            }
        }
        total = multiply_by_bytes(sums);
    }
    if !tail.is_empty() {
        let mut word = [0; 8];
        word[..tail.len()].copy_from_slice(tail);
        total ^= carryless_product(u64::from_le_bytes(word), rest_keys[0]);
    }
    total
}

/// The sum of the products of each of `sums` with the byte of its value and place: `sums[value][place]`.
#[inline(always)]
fn multiply_by_bytes(mut sums: [[u64; 8]; 256]) -> u128 {
    let mut total = 0;
    for bit in (0..8).rev() {
        // What has the highest bit is counted with that bit, and then goes on to what differs in it alone.
        let (without, with) = sums.split_at_mut(1 << bit);
        let mut here = [0; 8];
        for (without, with) in without.iter_mut().zip(with) {
            for place in 0..8 {
                here[place] ^= with[place];
                without[place] ^= with[place];
            }
        }
        for (place, here) in here.into_iter().enumerate() {
            total ^= u128::from(here) << (8 * place + bit);
        }
    }
    total
}

/// The carry-less product of two words, without an instruction for it.
///
/// Multiplication with holes: of each operand only every fifth bit is taken at a time, so that the at
/// most 13 ones which meet in a column carry into the four empty columns beside it and no further. What is
/// left in those is taken out at the end, from all products with the same holes at once.
#[inline]
pub(super) fn carryless_product(a: u64, b: u64) -> u128 {
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

super::dispatch::level! {
    name: Portable / "portable",
    line: [u64; 8],
    block: crate::kernel::portable::carryless_block,
    product: crate::kernel::portable::carryless_product,
    features: [],
}
