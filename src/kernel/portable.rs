//! The level that needs nothing: plain loops over eight words, which the compiler turns into whatever
//! vectors the target has.

use super::carryless::carryless_product;
use super::line::{Carryless, LINE, Line};

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

impl Carryless for u128 {
    #[inline(always)]
    unsafe fn zero() -> Self {
        0
    }

    #[inline(always)]
    unsafe fn multiply_add(self, line: &[u8; 8 * LINE], keys: &[u64; LINE]) -> Self {
        let mut sum = self;
        for (&word, &key) in line.as_chunks::<8>().0.iter().zip(keys) {
            sum ^= carryless_product(u64::from_le_bytes(word), key);
        }
        sum
    }

    #[inline(always)]
    unsafe fn sum(self) -> u128 {
        self
    }
}

super::dispatch::level! {
    name: Portable / "portable",
    line: [u64; 8],
    carryless: u128,
    product: crate::kernel::carryless::carryless_product,
    features: [],
}
