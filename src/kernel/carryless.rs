//! `Fingerprint`'s construction: words multiplied as polynomials over GF(2).

use super::keys::{BLOCK, BlockKeys, Keys};
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use super::line::{Carryless, GROUP_LINES, LINE};

/// The length of a word in bytes.
const WORD: usize = 8;

/// The value of `data` under `Fingerprint`'s construction, by a level's functions: the sum of the products of a block's
/// words with their keys, and the product of two words.
#[inline(always)]
pub(super) fn fingerprint(
    data: &[u8],
    keys: &Keys,
    block_sum: impl Fn(&[u8], &BlockKeys) -> u128,
    product: impl Fn(u64, u64) -> u128,
) -> u64 {
    // A slice has at most isize::MAX bytes, so its length fits a word.
    let mut total = product(data.len() as u64, keys.len());
    for (number, block) in data.chunks(BLOCK * WORD).enumerate() {
        total ^= scale(number, block_sum(block, keys.words()), keys, &product);
    }
    reduce(total)
}

/// What one word of the data adds to the value.
#[inline(always)]
pub(super) fn fingerprint_of_word(
    index: usize,
    word: u64,
    keys: &Keys,
    product: impl Fn(u64, u64) -> u128,
) -> u64 {
    let sum = product(word, keys.words().0[index % BLOCK]);
    reduce(scale(index / BLOCK, sum, keys, &product))
}

/// The second level: a block's 128 bits by the two keys of the block.
#[inline(always)]
fn scale(block: usize, sum: u128, keys: &Keys, product: impl Fn(u64, u64) -> u128) -> u128 {
    let (low, high) = keys.block(block);
    product(sum as u64, low) ^ product((sum >> 64) as u64, high)
}

/// The remainder modulo x⁶⁴ + x⁴ + x³ + x + 1.
#[inline(always)]
fn reduce(product: u128) -> u64 {
    // x⁶⁴ ≡ x⁴ + x³ + x + 1: fold the high half down; its overflow of 4 bits folds once more.
    let fold = |high: u64| {
        let high = u128::from(high);
        high ^ (high << 1) ^ (high << 3) ^ (high << 4)
    };
    let once = u128::from(product as u64) ^ fold((product >> 64) as u64);
    (once as u64) ^ fold((once >> 64) as u64) as u64
}

/// Bytes in a line.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
const LINE_BYTES: usize = WORD * LINE;

/// The sum (XOR) of the products of each little-endian word of `data`, a block at most, with its key; the tail is
/// filled up with zeros.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[inline(always)]
pub(super) unsafe fn carryless_block<C: Carryless>(data: &[u8], keys: &BlockKeys) -> u128 {
    debug_assert!(data.len() <= BLOCK * WORD);
    let (lines, tail) = data.as_chunks::<LINE_BYTES>();
    let keys = keys.0.as_chunks::<LINE>().0;
    let (groups, rest) = lines.as_chunks::<GROUP_LINES>();
    let (group_keys, rest_keys) = keys.split_at(lines.len() - rest.len());
    // SAFETY: the contract is the caller's.
    unsafe {
        // Several sums: a product takes some cycles, and a sum should not wait for it.
        let mut sums = [C::zero(); GROUP_LINES];
        for (group, keys) in groups.iter().zip(group_keys.as_chunks::<GROUP_LINES>().0) {
            for ((sum, line), keys) in sums.iter_mut().zip(group).zip(keys) {
                *sum = sum.multiply_add(line, keys);
            }
        }
        for ((sum, line), keys) in sums.iter_mut().zip(rest).zip(rest_keys) {
            *sum = sum.multiply_add(line, keys);
        }
        if !tail.is_empty() {
            let mut line = [0; LINE_BYTES];
            line[..tail.len()].copy_from_slice(tail);
            sums[0] = sums[0].multiply_add(&line, &rest_keys[rest.len()]);
        }
        let [a, b, c, d] = sums;
        a.add(b).add(c.add(d)).sum()
    }
}
