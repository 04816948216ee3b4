//! The value of data under `Fingerprint`'s construction.

use super::WORD;
use super::keys::{BLOCK_WORDS, Keys};
use crate::kernel::{LANES, clmul_sum, clmul_sum_few};

/// The bytes of a block.
pub(super) const BLOCK_BYTES: usize = WORD * BLOCK_WORDS;

/// The bytes of a row: as many as a row of keys is for.
pub(super) const ROW: usize = WORD * LANES;

/// The value of `data`.
pub(super) fn value_of(data: &[u8], keys: &Keys) -> u64 {
    let mut sum = scaled_len(data.len() as u64, keys);
    for (block, data) in (0..).zip(data.chunks(BLOCK_BYTES)) {
        sum ^= scaled_block(block, clmul_sum(data, keys.words()), keys);
    }
    reduce(sum)
}

/// What a word of the data contributes to the value.
pub(super) fn value_of_word(index: usize, word: u64, keys: &Keys) -> u64 {
    let key = keys.words().as_flattened()[index % BLOCK_WORDS];
    reduce(scaled_block((index / BLOCK_WORDS) as u64, clmul_sum_few(&[word], &[key]), keys))
}

/// What the sum of the products of a block contributes to the sum of all: each half is multiplied by a key.
pub(super) fn scaled_block(block: u64, sum: u128, keys: &Keys) -> u128 {
    clmul_sum_few(&[sum as u64, (sum >> 64) as u64], &keys.block(block))
}

/// What the length of the data, in bytes, contributes to the sum.
pub(super) fn scaled_len(len: u64, keys: &Keys) -> u128 {
    clmul_sum_few(&[len], &[keys.len()])
}

/// The remainder modulo x⁶⁴ + x⁴ + x³ + x + 1.
pub(super) fn reduce(product: u128) -> u64 {
    // x⁶⁴ ≡ x⁴ + x³ + x + 1. The high half is multiplied by that and added to the low half. Four bits of the product
    // are again above the low half, so this is done twice.
    let fold = |high: u64| {
        let high = u128::from(high);
        high ^ (high << 1) ^ (high << 3) ^ (high << 4)
    };
    let once = u128::from(product as u64) ^ fold((product >> 64) as u64);
    (once as u64) ^ fold((once >> 64) as u64) as u64
}
