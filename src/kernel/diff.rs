//! `diff`, which finds the changes between two slices of the same length.
//!
//! The slices are divided into blocks of as many words as a mask has bits, and into stretches of several blocks. How a
//! stretch is searched depends on how many changes the one before it had.

use core::mem::MaybeUninit;
use core::ptr;

use super::compare::{as_group, differences};
use super::vector::{GROUP, LANES, UNROLL, Vector, delta, prefetch, words_to_alignment};
use crate::algebra::Algebra;
use crate::delta::Changes;

/// The words of a block: as many as a mask has bits.
pub(super) const MASKED_WORDS: usize = u64::BITS as usize;

/// The blocks of a stretch. Some changes are found in two passes over a stretch, which stays in L1 meanwhile.
pub(super) const STRETCH_BLOCKS: usize = 8;

/// The longest slices, in words, that the processor gets fast enough without prefetching: 512 KiB each.
pub(super) const UNPREFETCHED_DIFF: usize = 64 << 10;

type Block = [u64; MASKED_WORDS];

/// How many changes are expected in a stretch: as many as in the one before it. A wrong guess costs only time.
enum Expected {
    /// A group costs as much as in `equal`: a test, and a branch that is never taken.
    None,
    /// Where changes are frequent but not everywhere, that branch would be mispredicted often, which costs more than
    /// a mask for each vector.
    Some,
    /// Nearly every group has changes, so it is not worthwhile to look for them before they are written.
    Many,
}

/// With a change in every eighth word, it is faster to compress whole vectors than to write the changes one by one.
const MANY_CHANGES: usize = STRETCH_BLOCKS * MASKED_WORDS / 8;

/// Appends the changes from `old` to `new`, slices of the same length, whose first word has the address `base`.
///
/// With `prefetches`, the next stretch is prefetched while the changes of one are written.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
pub(super) unsafe fn diff<V: Vector, A: Algebra>(
    base: u32,
    old: &[u64],
    new: &[u64],
    prefetches: bool,
    changes: &mut Changes,
) {
    let start = words_to_alignment(old).min(new.len());
    let (head_old, old) = old.split_at(start);
    let (head_new, new) = new.split_at(start);
    diff_words::<A>(base, head_old, head_new, changes);

    let mut base = base.wrapping_add(start as u32);
    let (blocks_old, tail_old) = old.as_chunks::<MASKED_WORDS>();
    let (blocks_new, tail_new) = new.as_chunks::<MASKED_WORDS>();
    let mut expected = Expected::None;
    let stretches = blocks_old.chunks(STRETCH_BLOCKS).zip(blocks_new.chunks(STRETCH_BLOCKS));
    for (number, (old, new)) in stretches.enumerate() {
        let later = [blocks_old, blocks_new].map(|blocks| {
            let later = if prefetches { blocks.get((number + 1) * STRETCH_BLOCKS..) } else { None };
            later.unwrap_or(&[]).as_flattened()
        });
        // SAFETY: the contract is the caller's.
        let count = unsafe {
            match expected {
                Expected::None => {
                    let skipped = equal_blocks::<V>(old, new);
                    let base = base.wrapping_add((skipped * MASKED_WORDS) as u32);
                    match (&old[skipped..], &new[skipped..]) {
                        ([], []) => 0,
                        (old, new) => diff_stretch::<V, A>(base, old, new, later, changes),
                    }
                }
                Expected::Some => diff_stretch::<V, A>(base, old, new, later, changes),
                Expected::Many => compress_stretch::<V, A>(base, old, new, changes),
            }
        };
        expected = match count {
            0 => Expected::None,
            1..MANY_CHANGES => Expected::Some,
            _ => Expected::Many,
        };
        base = base.wrapping_add((old.len() * MASKED_WORDS) as u32);
    }
    diff_words::<A>(base, tail_old, tail_new, changes);
}

/// The number of blocks before the first one with a change.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
unsafe fn equal_blocks<V: Vector>(a: &[Block], b: &[Block]) -> usize {
    let (a, b) = (a.as_flattened().as_chunks::<GROUP>().0, b.as_flattened().as_chunks::<GROUP>().0);
    let mut count = 0;
    for (a, b) in a.iter().zip(b) {
        // SAFETY: the contract is the caller's.
        if unsafe { !differences::<V>(as_group(a), as_group(b)).is_zero() } {
            break;
        }
        count += 1;
    }
    count * GROUP / MASKED_WORDS
}

/// Appends the changes of a stretch and returns their number. `later` are the words of each slice behind the stretch,
/// which are prefetched, or empty.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
unsafe fn diff_stretch<V: Vector, A: Algebra>(
    base: u32,
    old: &[Block],
    new: &[Block],
    later: [&[u64]; 2],
    changes: &mut Changes,
) -> usize {
    // A mask for each block, made without branches: a byte of it for each vector.
    let mut masks = [0u64; STRETCH_BLOCKS];
    // SAFETY: the words of an array are eight bytes each, without padding, and a byte has no alignment.
    let bytes: &mut [u8; 8 * STRETCH_BLOCKS] = unsafe { &mut *ptr::from_mut(&mut masks).cast() };
    let vectors = old.as_flattened().as_chunks().0.iter().zip(new.as_flattened().as_chunks().0);
    for ((old, new), mask) in vectors.zip(bytes) {
        // Volatile, so that each byte is stored from the register in which it is made. The compiler would rather
        // collect eight of them in a vector, which takes longer than all the rest.
        // SAFETY: the contract is the caller's.
        unsafe { ptr::from_mut(mask).write_volatile(V::load(old).ne_mask(V::load(new))) };
    }
    // Volatile again, so that each mask is loaded singly and has to wait for its own eight stores only. A vector of all
    // masks would wait for the last of 64 stores.
    // SAFETY: a reference can be read.
    let masks = masks.each_ref().map(|mask| u64::from_le(unsafe { ptr::from_ref(mask).read_volatile() }));
    let count = masks.iter().map(|mask| mask.count_ones() as usize).sum();
    if count < MANY_CHANGES {
        if later[0].is_empty() {
            write_masked::<A, false>(&masks, base, old, new, later, changes);
        } else {
            write_masked::<A, true>(&masks, base, old, new, later, changes);
        }
        return count;
    }
    // SAFETY: the contract is the caller's.
    unsafe { compress_stretch::<V, A>(base, old, new, changes) }
}

/// Appends the changes that the masks select, one by one. With `PREFETCHES`, prefetches as many words of `later`
/// meanwhile.
#[inline(always)]
fn write_masked<A: Algebra, const PREFETCHES: bool>(
    masks: &[u64; STRETCH_BLOCKS],
    mut base: u32,
    old: &[Block],
    new: &[Block],
    later: [&[u64]; 2],
    changes: &mut Changes,
) {
    let (addresses, deltas) = changes.spare(old.as_flattened().len());
    let mut count = 0;
    for (number, ((old, new), &mask)) in old.iter().zip(new).zip(masks).enumerate() {
        if PREFETCHES {
            for word in (number * MASKED_WORDS..(number + 1) * MASKED_WORDS).step_by(LANES) {
                prefetch(later[0], word);
                prefetch(later[1], word);
            }
        }
        let mut remaining = mask;
        let mut place = count;
        // The first place is written even if there is no change. Most masks have one change or none, so this leaves no
        // branch to mispredict.
        loop {
            let at = remaining.trailing_zeros() as usize % MASKED_WORDS;
            debug_assert!(place < addresses.len() && place < deltas.len());
            // SAFETY: there is space for every word of the stretch. The blocks before this one filled at most as much
            // as they have words. This one writes a place for each bit of its mask, or one place if there is none. A
            // check would take a tenth of the time of `diff`.
            unsafe {
                addresses.get_unchecked_mut(place).write(base.wrapping_add(at as u32));
                deltas.get_unchecked_mut(place).write(A::delta(old[at], new[at]));
            }
            remaining &= remaining.wrapping_sub(1);
            place += 1;
            if remaining == 0 {
                break;
            }
        }
        count += mask.count_ones() as usize;
        base = base.wrapping_add(MASKED_WORDS as u32);
    }
    // SAFETY: that many were written to the front of both, with ascending addresses. The bits of a mask stand for words
    // that differ, so no delta is 0.
    unsafe { changes.take_spare(count) };
}

/// Appends the changes of a stretch by compressing each group, whether it has changes or not. Returns their number.
///
/// # Safety
///
/// The contract of [`vector`](super::vector).
#[inline(always)]
unsafe fn compress_stretch<V: Vector, A: Algebra>(
    mut base: u32,
    old: &[Block],
    new: &[Block],
    changes: &mut Changes,
) -> usize {
    let (addresses, deltas) = changes.spare(old.as_flattened().len());
    let mut count = 0;
    let (groups_old, groups_new) =
        (old.as_flattened().as_chunks::<GROUP>().0, new.as_flattened().as_chunks::<GROUP>().0);
    for (old, new) in groups_old.iter().zip(groups_new) {
        // SAFETY: the contract is the caller's. There is space for every word of the stretch, and `count` is at most
        // the number of words in the groups before this one.
        unsafe {
            let mut vectors = [V::zero(); UNROLL];
            for (vector, (old, new)) in vectors.iter_mut().zip(as_group(old).iter().zip(as_group(new))) {
                *vector = delta::<V, A>(V::load(old), V::load(new));
            }
            count += V::compress(vectors, base, group_at(addresses, count), group_at(deltas, count));
        }
        base = base.wrapping_add(GROUP as u32);
    }
    // SAFETY: that many were written to the front of both, with ascending addresses, and no delta is 0.
    unsafe { changes.take_spare(count) };
    count
}

/// A group's worth of places from `at` on, without a bounds check, which would take a tenth of the time of `diff`.
///
/// # Safety
///
/// There are that many places.
#[inline(always)]
unsafe fn group_at<T>(places: &mut [MaybeUninit<T>], at: usize) -> &mut [MaybeUninit<T>; GROUP] {
    debug_assert!(at + GROUP <= places.len());
    // SAFETY: the condition is the caller's.
    unsafe { &mut *places.as_mut_ptr().add(at).cast() }
}

/// [`diff`], word by word.
#[inline(always)]
pub(super) fn diff_words<A: Algebra>(base: u32, old: &[u64], new: &[u64], changes: &mut Changes) {
    for (at, (&old, &new)) in old.iter().zip(new).enumerate() {
        if old != new {
            changes.push(base.wrapping_add(at as u32), A::delta(old, new));
        }
    }
}
