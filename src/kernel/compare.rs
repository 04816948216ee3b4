//! `equal`, `first_difference` and `diff`: two slices of one length, word by word.

use core::mem::MaybeUninit;

use super::line::{GROUP, GROUP_LINES, LINE, Line, delta, words_to_alignment};
use crate::algebra::Algebra;
use crate::delta::Changes;

/// A group of lines of each slice.
type Lines = [[u64; LINE]; GROUP_LINES];

/// Where two groups of lines differ, all lines laid over one another.
///
/// One test serves four lines: a test and its branch cost as much as two lines' loads.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
unsafe fn differences<L: Line>(a: &Lines, b: &Lines) -> L {
    // SAFETY: the contract is the caller's.
    unsafe {
        let mut differences = L::zero();
        for (a, b) in a.iter().zip(b) {
            differences = differences.or_xor(L::load(a), L::load(b));
        }
        differences
    }
}

/// Whether two slices of one length are equal.
///
/// Comparing a word twice does no harm: so the start and the end are each compared as whole lines,
/// wherever they lie, and what is between them by aligned groups. Nothing goes word by word.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
pub(super) unsafe fn equal<L: Line>(a: &[u64], b: &[u64]) -> bool {
    // With both lengths known to the compiler, it finds every end below to be there.
    let b = &b[..a.len()];
    if a.len() < LINE {
        return short_equal(a, b);
    }
    // SAFETY: the contract is the caller's.
    unsafe {
        if a.len() <= 2 * LINE {
            return ends_differ::<L, LINE>(a, b).is_zero();
        }
        if a.len() <= 4 * LINE {
            return ends_differ::<L, { 2 * LINE }>(a, b).is_zero();
        }
        if a.len() <= 6 * LINE {
            return ends_differ::<L, { 3 * LINE }>(a, b).is_zero();
        }
        if !ends_differ::<L, GROUP>(a, b).is_zero() {
            return false;
        }
        if a.len() <= 2 * GROUP {
            return true;
        }
        // The first aligned line that ends past the first group, or with it.
        let start = words_to_alignment(a) + GROUP - LINE;
        let (groups_a, groups_b) = (a[start..].as_chunks::<GROUP>().0, b[start..].as_chunks::<GROUP>().0);
        for (a, b) in groups_a.iter().zip(groups_b) {
            if !differences::<L>(lines(a), lines(b)).is_zero() {
                return false;
            }
        }
        true
    }
}

/// Where the first or the last `N` words of two slices differ, laid over one another by lines. `N` is a
/// multiple of a line and at most the slices' length.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
unsafe fn ends_differ<L: Line, const N: usize>(a: &[u64], b: &[u64]) -> L {
    // SAFETY: the contract is the caller's.
    unsafe {
        let mut differences = L::zero();
        let ends = [(a.first_chunk::<N>(), b.first_chunk::<N>()), (a.last_chunk::<N>(), b.last_chunk::<N>())];
        for end in ends {
            let (Some(a), Some(b)) = end else { continue };
            for (a, b) in a.as_chunks::<LINE>().0.iter().zip(b.as_chunks::<LINE>().0) {
                differences = differences.or_xor(L::load(a), L::load(b));
            }
        }
        differences
    }
}

/// Whether two slices of one length, less than a line, are equal. As in [`equal`] the ends may overlap.
#[inline]
pub(super) fn short_equal(a: &[u64], b: &[u64]) -> bool {
    if a.len() >= LINE / 2 {
        return same_ends::<{ LINE / 2 }>(a, b);
    }
    if a.len() >= LINE / 4 {
        return same_ends::<{ LINE / 4 }>(a, b);
    }
    a.first() == b.first()
}

/// Whether two slices have the same first and last `N` words.
#[inline(always)]
fn same_ends<const N: usize>(a: &[u64], b: &[u64]) -> bool {
    a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
}

/// The first index at which two slices of one length differ.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
pub(super) unsafe fn first_difference<L: Line>(a: &[u64], b: &[u64]) -> Option<usize> {
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
        if unsafe { !differences::<L>(lines(a), lines(b)).is_zero() } {
            return first_different_word(a, b).map(|at| start + number * GROUP + at);
        }
    }
    first_different_word(tail_a, tail_b).map(|at| start + groups_a.len() * GROUP + at)
}

/// A group as its lines.
#[inline(always)]
fn lines(group: &[u64; GROUP]) -> &Lines {
    // Always there: a group is that many lines.
    group.as_chunks::<LINE>().0.first_chunk().expect("a group is whole lines")
}

/// The same, a word at a time.
#[inline(always)]
pub(super) fn first_different_word(a: &[u64], b: &[u64]) -> Option<usize> {
    a.iter().zip(b).position(|(a, b)| a != b)
}

/// Words in a block: one for each bit of a mask.
const BLOCK: usize = u64::BITS as usize;

/// So many changes in a block, or fewer, are written word by word. At 1 % changed a block in two hundred has
/// more.
const FEW: usize = 3;

/// Blocks in a stretch: for as long `diff` expects what it saw last.
const STRETCH: usize = 16;

/// Appends to `changes` what changed between two slices of one length, the first word's address being
/// `base`.
///
/// In a quiet stretch a group costs what it costs `equal`: a test and a branch never taken. Where
/// changes are common but not everywhere, that branch would be mispredicted again and again, which
/// costs more than to take up each block whether it changed or not. So after a stretch with changes, the
/// next one is taken up whole.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
pub(super) unsafe fn diff<L: Line, A: Algebra>(
    base: u32,
    reference: &[u64],
    state: &[u64],
    changes: &mut Changes,
) {
    let start = words_to_alignment(reference).min(state.len());
    let (head_reference, reference) = reference.split_at(start);
    let (head_state, state) = state.split_at(start);
    diff_words::<A>(base, head_reference, head_state, changes);

    let mut base = base.wrapping_add(start as u32);
    let (blocks_reference, tail_reference) = reference.as_chunks::<BLOCK>();
    let (blocks_state, tail_state) = state.as_chunks::<BLOCK>();
    let mut quiet = true;
    for (reference, state) in blocks_reference.chunks(STRETCH).zip(blocks_state.chunks(STRETCH)) {
        // SAFETY: the contract is the caller's.
        unsafe {
            let skip = if quiet { equal_blocks::<L>(reference, state) } else { 0 };
            quiet = skip == reference.len() || {
                let base = base.wrapping_add((skip * BLOCK) as u32);
                diff_blocks::<L, A>(base, &reference[skip..], &state[skip..], changes) == 0
            };
        }
        base = base.wrapping_add((reference.len() * BLOCK) as u32);
    }
    diff_words::<A>(base, tail_reference, tail_state, changes);
}

/// How many blocks at the start are equal.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
unsafe fn equal_blocks<L: Line>(a: &[[u64; BLOCK]], b: &[[u64; BLOCK]]) -> usize {
    let (a, b) = (a.as_flattened().as_chunks::<GROUP>().0, b.as_flattened().as_chunks::<GROUP>().0);
    let mut count = 0;
    for (a, b) in a.iter().zip(b) {
        // SAFETY: the contract is the caller's.
        if unsafe { !differences::<L>(lines(a), lines(b)).is_zero() } {
            break;
        }
        count += 1;
    }
    count * GROUP / BLOCK
}

/// Appends what changed in a stretch, and returns how much.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
unsafe fn diff_blocks<L: Line, A: Algebra>(
    mut base: u32,
    reference: &[[u64; BLOCK]],
    state: &[[u64; BLOCK]],
    changes: &mut Changes,
) -> usize {
    let (addresses, deltas) = changes.spare(reference.len() * BLOCK);
    let mut count = 0;
    for (reference, state) in reference.iter().zip(state) {
        debug_assert!(addresses.len().min(deltas.len()) >= count + BLOCK);
        // SAFETY: the spare slices have a block's room for each block, and `count` is at most the words of
        // the blocks before this one. A bounds check here is a tenth of the time.
        let (addresses, deltas) = unsafe {
            let addresses = addresses.as_mut_ptr().add(count).cast::<[MaybeUninit<u32>; BLOCK]>();
            let deltas = deltas.as_mut_ptr().add(count).cast::<[MaybeUninit<u64>; BLOCK]>();
            (&mut *addresses, &mut *deltas)
        };
        let mut changed = 0;
        for (i, (old, new)) in reference.as_chunks().0.iter().zip(state.as_chunks().0).enumerate() {
            // SAFETY: the contract is the caller's.
            changed |= u64::from(unsafe { L::load(old).differ(L::load(new)) }) << (i * LINE);
        }
        let here = changed.count_ones() as usize;
        if here <= FEW {
            // The places are written whether there are as many changes or fewer.
            let mut left = changed;
            for (address, delta) in addresses.iter_mut().zip(&mut *deltas).take(FEW) {
                let at = left.trailing_zeros() as usize % BLOCK;
                address.write(base.wrapping_add(at as u32));
                delta.write(A::delta(reference[at], state[at]));
                left &= left.wrapping_sub(1);
            }
        } else {
            // Loaded anew: else the compiler keeps all lines' differences from above, which spills registers
            // where there are few changes too.
            let (reference, state) = core::hint::black_box((reference, state));
            // SAFETY: the contract is the caller's.
            unsafe { compress_block::<L, A>(changed, base, reference, state, addresses, deltas) };
        }
        count += here;
        base = base.wrapping_add(BLOCK as u32);
    }
    // SAFETY: that many were written from the front of both, ascending, and none of the deltas is 0.
    unsafe { changes.take_spare(count) };
    count
}

/// Writes what changed in a block, given where, to the front of `addresses` and `deltas`.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
unsafe fn compress_block<L: Line, A: Algebra>(
    changed: u64,
    base: u32,
    reference: &[u64; BLOCK],
    state: &[u64; BLOCK],
    addresses: &mut [MaybeUninit<u32>; BLOCK],
    deltas: &mut [MaybeUninit<u64>; BLOCK],
) {
    let groups = reference.as_chunks::<GROUP>().0.iter().zip(state.as_chunks::<GROUP>().0);
    let mut before = 0;
    for (i, (reference, state)) in groups.enumerate() {
        // SAFETY: the contract is the caller's. `before` is 0, or at most the first group's words; so a group's
        // room is left behind it.
        unsafe {
            let mut group = [L::zero(); GROUP_LINES];
            for (line, (old, new)) in group.iter_mut().zip(lines(reference).iter().zip(lines(state))) {
                *line = delta::<L, A>(L::load(old), L::load(new));
            }
            let addresses = &mut *addresses.as_mut_ptr().add(before).cast();
            let deltas = &mut *deltas.as_mut_ptr().add(before).cast();
            L::compress_group(group, base.wrapping_add((i * GROUP) as u32), addresses, deltas);
        }
        before = (changed as u32).count_ones() as usize;
    }
}

/// The same, a word at a time.
#[inline(always)]
pub(super) fn diff_words<A: Algebra>(base: u32, reference: &[u64], state: &[u64], changes: &mut Changes) {
    for (at, (&old, &new)) in reference.iter().zip(state).enumerate() {
        if old != new {
            changes.push(base.wrapping_add(at as u32), A::delta(old, new));
        }
    }
}
