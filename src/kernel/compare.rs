//! `equal`, `first_difference` and `diff`: two slices of one length, word by word.

use core::mem::MaybeUninit;

use super::line::{GROUP, GROUP_LINES, LINE, Line, delta, prefetch, words_to_alignment};
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
            return end_differences::<L, LINE>(a, b).is_zero();
        }
        if a.len() <= 4 * LINE {
            return end_differences::<L, { 2 * LINE }>(a, b).is_zero();
        }
        if a.len() <= 6 * LINE {
            return end_differences::<L, { 3 * LINE }>(a, b).is_zero();
        }
        if !end_differences::<L, GROUP>(a, b).is_zero() {
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
unsafe fn end_differences<L: Line, const N: usize>(a: &[u64], b: &[u64]) -> L {
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

/// Whether two slices of one length, a line or less, are equal. As in [`equal`] the ends may overlap.
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

/// Words in a block: as many as a mask has bits.
pub(super) const BLOCK: usize = u64::BITS as usize;

/// Blocks in a stretch, which `diff` may go through twice: all of it stays in L1.
pub(super) const STRETCH: usize = 8;

/// The longest two slices, in words, that come fast enough without prefetching: 512 KiB each.
pub(super) const CACHED: usize = 64 << 10;

/// What `diff` expects of a stretch: what it saw in the last one. A wrong guess costs time alone.
enum Expect {
    /// No changes. A group costs what it costs `equal`: a test and a branch never taken.
    None,
    /// Some. Where changes are common but not everywhere, that branch would be mispredicted again and again, which
    /// costs more than to look for changes in each line.
    Some,
    /// Many. To look for them first would be for nothing.
    Many,
}

/// From one change in eight words on, there are many: compressing is faster than to write changes one by one.
const MANY: usize = STRETCH * BLOCK / 8;

/// Appends to `changes` what changed between two slices of one length, the first word's address being
/// `base`. With `prefetches` the next stretch is prefetched while the changes of one are written.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
pub(super) unsafe fn diff<L: Line, A: Algebra>(
    base: u32,
    reference: &[u64],
    state: &[u64],
    prefetches: bool,
    changes: &mut Changes,
) {
    let start = words_to_alignment(reference).min(state.len());
    let (head_reference, reference) = reference.split_at(start);
    let (head_state, state) = state.split_at(start);
    diff_words::<A>(base, head_reference, head_state, changes);

    let mut base = base.wrapping_add(start as u32);
    let (blocks_reference, tail_reference) = reference.as_chunks::<BLOCK>();
    let (blocks_state, tail_state) = state.as_chunks::<BLOCK>();
    let mut expect = Expect::None;
    let stretches = blocks_reference.chunks(STRETCH).zip(blocks_state.chunks(STRETCH));
    for (number, (reference, state)) in stretches.enumerate() {
        let later = [blocks_reference, blocks_state].map(|blocks| {
            let later = if prefetches { blocks.get((number + 1) * STRETCH..) } else { None };
            later.unwrap_or(&[]).as_flattened()
        });
        // SAFETY: the contract is the caller's.
        let count = unsafe {
            match expect {
                Expect::None => {
                    let skip = equal_blocks::<L>(reference, state);
                    let base = base.wrapping_add((skip * BLOCK) as u32);
                    match (&reference[skip..], &state[skip..]) {
                        ([], []) => 0,
                        (reference, state) => diff_stretch::<L, A>(base, reference, state, later, changes),
                    }
                }
                Expect::Some => diff_stretch::<L, A>(base, reference, state, later, changes),
                Expect::Many => compress::<L, A>(base, reference, state, changes),
            }
        };
        expect = match count {
            0 => Expect::None,
            1..MANY => Expect::Some,
            _ => Expect::Many,
        };
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

/// Appends what changed in a stretch, and returns how much. `later` are the words of each slice behind it, of which
/// as many as it has are prefetched; none for no prefetching.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
unsafe fn diff_stretch<L: Line, A: Algebra>(
    base: u32,
    reference: &[[u64; BLOCK]],
    state: &[[u64; BLOCK]],
    later: [&[u64]; 2],
    changes: &mut Changes,
) -> usize {
    // A bit for each word, made without a branch: a byte a line, read again as a mask a block.
    let mut masks = [0u64; STRETCH];
    let lines = reference.as_flattened().as_chunks().0.iter().zip(state.as_flattened().as_chunks().0);
    // SAFETY: the words of an array are eight bytes each, without padding, and a byte has no alignment.
    let bytes: &mut [u8; 8 * STRETCH] = unsafe { &mut *core::ptr::from_mut(&mut masks).cast() };
    for ((old, new), mask) in lines.zip(bytes) {
        // SAFETY: the contract is the caller's. Volatile, for each mask to be stored from where it comes to be: the
        // compiler would gather eight of them in a vector, which takes longer than all the rest.
        unsafe { core::ptr::from_mut(mask).write_volatile(L::load(old).differ(L::load(new))) };
    }
    // SAFETY: a reference can be read. Volatile again, for each mask to be read by itself: it waits for its own eight
    // stores. A vector of all would wait for the last of 64, and the writing of the changes with it.
    let masks =
        masks.each_ref().map(|mask| u64::from_le(unsafe { core::ptr::from_ref(mask).read_volatile() }));
    let count = masks.iter().map(|mask| mask.count_ones() as usize).sum();
    if count < MANY {
        if later[0].is_empty() {
            write_some::<A, false>(&masks, base, reference, state, later, changes);
        } else {
            write_some::<A, true>(&masks, base, reference, state, later, changes);
        }
        return count;
    }
    // SAFETY: the contract is the caller's.
    unsafe { compress::<L, A>(base, reference, state, changes) }
}

/// Appends the changes that the masks name, one by one, and with `PREFETCHES` prefetches as many words of `later`
/// meanwhile.
#[inline(always)]
fn write_some<A: Algebra, const PREFETCHES: bool>(
    masks: &[u64; STRETCH],
    mut base: u32,
    reference: &[[u64; BLOCK]],
    state: &[[u64; BLOCK]],
    later: [&[u64]; 2],
    changes: &mut Changes,
) {
    let (addresses, deltas) = changes.spare(reference.as_flattened().len());
    let mut count = 0;
    for (number, ((reference, state), &mask)) in reference.iter().zip(state).zip(masks).enumerate() {
        if PREFETCHES {
            for line in (number * BLOCK..(number + 1) * BLOCK).step_by(LINE) {
                prefetch(later[0], line);
                prefetch(later[1], line);
            }
        }
        let mut left = mask;
        let mut place = count;
        // The first place is written whether there is a change or none: no branch to mispredict where there is mostly
        // one or none.
        loop {
            let at = left.trailing_zeros() as usize % BLOCK;
            debug_assert!(place < addresses.len() && place < deltas.len());
            // SAFETY: there is room for every word of the blocks. Those before this one filled at most theirs, and
            // this one writes a place for each bit of its mask, or one if there is none. A check costs a tenth of
            // the time of `diff`.
            unsafe {
                addresses.get_unchecked_mut(place).write(base.wrapping_add(at as u32));
                deltas.get_unchecked_mut(place).write(A::delta(reference[at], state[at]));
            }
            left &= left.wrapping_sub(1);
            place += 1;
            if left == 0 {
                break;
            }
        }
        count += mask.count_ones() as usize;
        base = base.wrapping_add(BLOCK as u32);
    }
    // SAFETY: that many were written from the front of both, ascending, and a mask's bits name the words that differ,
    // so that none of the deltas is 0.
    unsafe { changes.take_spare(count) };
}

/// Appends what changed in a stretch, compressing each group whether it changed or not, and returns how much.
///
/// # Safety
///
/// The contract of [`line`](super::line).
#[inline(always)]
unsafe fn compress<L: Line, A: Algebra>(
    mut base: u32,
    reference: &[[u64; BLOCK]],
    state: &[[u64; BLOCK]],
    changes: &mut Changes,
) -> usize {
    let (addresses, deltas) = changes.spare(reference.len() * BLOCK);
    let mut count = 0;
    let reference = reference.as_flattened().as_chunks::<GROUP>().0;
    let state = state.as_flattened().as_chunks::<GROUP>().0;
    for (reference, state) in reference.iter().zip(state) {
        // SAFETY: the contract is the caller's. The spare slices have a group's room for each group, and `count` is at
        // most the words of the groups before this one.
        unsafe {
            let mut group = [L::zero(); GROUP_LINES];
            for (line, (old, new)) in group.iter_mut().zip(lines(reference).iter().zip(lines(state))) {
                *line = delta::<L, A>(L::load(old), L::load(new));
            }
            count += L::compress_group(group, base, room_at(addresses, count), room_at(deltas, count));
        }
        base = base.wrapping_add(GROUP as u32);
    }
    // SAFETY: that many were written from the front of both, ascending, and none of the deltas is 0.
    unsafe { changes.take_spare(count) };
    count
}

/// The group's room from `at` on. Without a bounds check, which is a tenth of the time of `diff`.
///
/// # Safety
///
/// There are so many.
#[inline(always)]
unsafe fn room_at<T>(places: &mut [MaybeUninit<T>], at: usize) -> &mut [MaybeUninit<T>; GROUP] {
    debug_assert!(at + GROUP <= places.len());
    // SAFETY: the condition is the caller's.
    unsafe { &mut *places.as_mut_ptr().add(at).cast() }
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
