//! The sum of carry-less products under `Fingerprint`: words multiplied as polynomials over GF(2).

#[cfg(target_arch = "x86_64")]
use super::line::{Carryless, GROUP_LINES, LINE};

/// Words in a block, each with a key of its own.
pub(crate) const BLOCK: usize = 1024;

/// The keys of a block's words, aligned like the lines that the kernels load.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct BlockKeys(pub(crate) [u64; BLOCK]);

/// Bytes in a line.
#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 8 * LINE;

/// The sum (XOR) of the products of each little-endian word of `data` with its key; the tail is filled
/// up with zeros.
///
/// # Panics
///
/// If `data` is longer than a block.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn carryless_block<C: Carryless>(data: &[u8], keys: &BlockKeys) -> u128 {
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
        let mut total = 0;
        for sum in sums {
            total ^= sum.sum();
        }
        total
    }
}
