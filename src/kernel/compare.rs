//! `equal` and `first_difference`, which compare two slices of the same length.

use super::vector::{GROUP, LANES, UNROLL, Vector, words_to_alignment};

/// The words of a group, as vectors are loaded from them.
pub(super) type Group = [[u64; LANES]; UNROLL];

/// The words of a group as its vectors'.
#[inline(always)]
pub(super) fn as_group(words: &[u64; GROUP]) -> &Group {
    words.as_chunks().0.first_chunk().expect("a group is a whole number of vectors")
}

/// The bits in which the vectors of two groups differ, of all vectors together.
///
/// One test for four vectors: a test with its branch costs as much as the loads of two.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
pub(super) unsafe fn differences<V: Vector>(a: &Group, b: &Group) -> V {
    // SAFETY: the contract is the caller's.
    unsafe {
        let mut differences = V::zero();
        for (a, b) in a.iter().zip(b) {
            differences = differences.or_xor(V::load(a), V::load(b));
        }
        differences
    }
}

/// Whether two slices of the same length are equal.
///
/// Some words may be compared twice. So the first and the last words are compared as whole vectors wherever they are,
/// and the words between them as aligned groups. No word is compared singly.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
pub(super) unsafe fn equal<V: Vector>(a: &[u64], b: &[u64]) -> bool {
    // With this the compiler knows that both slices have the ends that are compared below.
    let b = &b[..a.len()];
    // SAFETY: the contract is the caller's.
    unsafe {
        if a.len() <= 2 * GROUP {
            return medium_equal::<V>(a, b);
        }
        if !end_differences::<V, GROUP>(a, b).is_zero() {
            return false;
        }
        // The last aligned vector that starts in the first group or right after it.
        let start = words_to_alignment(a) + GROUP - LANES;
        let (groups_a, groups_b) = (a[start..].as_chunks::<GROUP>().0, b[start..].as_chunks::<GROUP>().0);
        for (a, b) in groups_a.iter().zip(groups_b) {
            if !differences::<V>(as_group(a), as_group(b)).is_zero() {
                return false;
            }
        }
        true
    }
}

/// Whether two slices of the same length are equal, for at most two groups of words.
///
/// The last words are compared by one half of a vector, or by two if one is not enough: a load that crosses the boundary
/// of a cache line takes twice as long. There is one test for all words, and one branch for each whole vector.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
unsafe fn medium_equal<V: Vector>(a: &[u64], b: &[u64]) -> bool {
    let (Some(first_a), Some(last_a)) = (a.first_chunk(), a.last_chunk::<LANES>()) else {
        return short_equal(a, b);
    };
    let (Some(first_b), Some(last_b)) = (b.first_chunk(), b.last_chunk::<LANES>()) else { return false };
    // SAFETY: the contract is the caller's.
    unsafe {
        let mut differences = V::zero().or_xor_half(half::<1>(last_a), half::<1>(last_b));
        differences = differences.or_xor(V::load(first_a), V::load(first_b));
        if (a.len() - 1) % LANES >= LANES / 2 {
            differences = differences.or_xor_half(half::<0>(last_a), half::<0>(last_b));
        }
        // Written out, since the compiler would first compute how often a loop runs.
        macro_rules! vectors_ending_at {
            ($($end:literal),*) => { 'all: {$(
                let inner = (inner_vector::<$end>(a), inner_vector::<$end>(b));
                let (Some(inner_a), Some(inner_b)) = inner else { break 'all };
                differences = differences.or_xor(V::load(inner_a), V::load(inner_b));
            )*} };
        }
        vectors_ending_at!(16, 24, 32, 40, 48, 56);
        differences.is_zero()
    }
}

/// The vector that ends at this index, unless the slice ends there or before.
#[inline(always)]
fn inner_vector<const END: usize>(words: &[u64]) -> Option<&[u64; LANES]> {
    if words.len() > END { words.first_chunk::<END>()?.last_chunk() } else { None }
}

/// A half of the words of a vector: number 0 or 1.
#[inline(always)]
fn half<const NUMBER: usize>(words: &[u64; LANES]) -> &[u64; LANES / 2] {
    &words.as_chunks().0[NUMBER]
}

/// The bits in which the first and the last `N` words of two slices differ, of all vectors together. `N` is a whole
/// number of vectors, and the slices have at least as many words.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
unsafe fn end_differences<V: Vector, const N: usize>(a: &[u64], b: &[u64]) -> V {
    // SAFETY: the contract is the caller's.
    unsafe {
        let mut differences = V::zero();
        let ends = [(a.first_chunk::<N>(), b.first_chunk::<N>()), (a.last_chunk::<N>(), b.last_chunk::<N>())];
        for end in ends {
            let (Some(a), Some(b)) = end else { continue };
            for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
                differences = differences.or_xor(V::load(a), V::load(b));
            }
        }
        differences
    }
}

/// Whether two slices of the same length are equal, for at most as many words as a vector has. As in [`equal`], words
/// may be compared twice.
#[inline]
pub(super) fn short_equal(a: &[u64], b: &[u64]) -> bool {
    if a.len() >= LANES / 2 {
        return same_ends::<{ LANES / 2 }>(a, b);
    }
    if a.len() >= LANES / 4 {
        return same_ends::<{ LANES / 4 }>(a, b);
    }
    a.first() == b.first()
}

/// Whether two slices have the same first and last `N` words.
#[inline(always)]
fn same_ends<const N: usize>(a: &[u64], b: &[u64]) -> bool {
    a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
}

/// The first index at which two slices of the same length differ.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
pub(super) unsafe fn first_difference<V: Vector>(a: &[u64], b: &[u64]) -> Option<usize> {
    let start = words_to_alignment(a).min(b.len());
    let (head_a, a) = a.split_at(start);
    let (head_b, b) = b.split_at(start);
    if let Some(at) = first_different_word(head_a, head_b) {
        return Some(at);
    }
    let (groups_a, tail_a) = a.as_chunks::<GROUP>();
    let (groups_b, tail_b) = b.as_chunks::<GROUP>();
    for (number, (a, b)) in groups_a.iter().zip(groups_b).enumerate() {
        // SAFETY: the contract is the caller's.
        if unsafe { !differences::<V>(as_group(a), as_group(b)).is_zero() } {
            return first_different_word(a, b).map(|at| start + number * GROUP + at);
        }
    }
    first_different_word(tail_a, tail_b).map(|at| start + groups_a.len() * GROUP + at)
}

/// [`first_difference`], word by word.
#[inline(always)]
pub(super) fn first_different_word(a: &[u64], b: &[u64]) -> Option<usize> {
    a.iter().zip(b).position(|(a, b)| a != b)
}
