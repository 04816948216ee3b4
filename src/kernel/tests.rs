//! One oracle, one runner and one property: every kernel on every level that this processor has.

mod apply;

use alloc::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use alloc::vec::Vec;
use core::ptr::NonNull;
use core::slice;
use proptest::collection::vec;
use proptest::prelude::*;

use super::dispatch;
use super::kernels::Kernels;
use super::vector::{GROUP, LANES};
use super::{ApplyWireError, Level, apply, apply_wire};
use crate::algebra::{Add, Algebra, Xor};
use crate::delta::{AddressOutOfRange, DeltaBatch, DeltaMessage};

/// Held by tests that set the level of the process, so that they don't disturb one another.
static LEVEL: std::sync::Mutex<()> = std::sync::Mutex::new(());

pub(crate) fn lock_level() -> std::sync::MutexGuard<'static, ()> {
    // A test that failed has poisoned the lock, and leaves nothing behind that matters.
    LEVEL.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What each kernel does, as plainly as possible.
mod oracle {
    use super::*;

    pub(super) fn fold<A: Algebra>(words: &[u64]) -> u64 {
        words.iter().fold(A::IDENTITY, |total, &word| A::compose(total, word))
    }

    pub(super) fn accum<A: Algebra>(words: &[u64], deltas: &[u64]) -> Vec<u64> {
        words.iter().zip(deltas).map(|(&word, &delta)| A::compose(word, delta)).collect()
    }

    pub(super) fn first_difference(a: &[u64], b: &[u64]) -> Option<usize> {
        (0..a.len()).find(|&i| a[i] != b[i])
    }

    pub(super) fn diff<A: Algebra>(base: u32, reference: &[u64], state: &[u64]) -> DeltaBatch<A> {
        let deltas = reference.iter().zip(state).map(|(&old, &new)| A::delta(old, new));
        (base..).zip(deltas).collect()
    }

    /// The products by the definition: shift and XOR.
    pub(super) fn clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
        let words = data.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        let product = |(a, &b): (u64, &u64)| {
            (0..64).filter(|i| a >> i & 1 == 1).fold(0, |sum, i| sum ^ u128::from(b) << i)
        };
        words.zip(keys.as_flattened()).map(product).fold(0, |sum, product| sum ^ product)
    }
}

/// An array that starts `offset` words past an aligned address and ends with its allocation, so that AddressSanitizer
/// reports every access past the end.
struct Placed {
    memory: NonNull<u64>,
    offset: usize,
    len: usize,
}

impl Placed {
    fn new(words: &[u64], offset: usize) -> Self {
        let layout = Self::layout(offset + words.len());
        // SAFETY: the layout has at least a byte.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(memory) = NonNull::new(memory.cast()) else { handle_alloc_error(layout) };
        let mut placed = Self { memory, offset, len: words.len() };
        placed.words_mut().copy_from_slice(words);
        placed
    }

    fn layout(words: usize) -> Layout {
        Layout::array::<u64>(words.max(1)).unwrap().align_to(64).unwrap()
    }

    fn words(&self) -> &[u64] {
        // SAFETY: that many words were allocated, zeroed, and belong to `self`.
        unsafe { slice::from_raw_parts(self.memory.add(self.offset).as_ptr(), self.len) }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: as above.
        unsafe { slice::from_raw_parts_mut(self.memory.add(self.offset).as_ptr(), self.len) }
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.memory.as_ptr().cast(), Self::layout(self.offset + self.len)) }
    }
}

/// The property: for these two arrays, at these offsets, each kernel of a level returns what its oracle returns.
fn agrees_with_the_oracle<A: Algebra>(kernels: &Kernels, a: &Placed, b: &Placed) {
    let at = kernels.name;
    let (a, b) = (a.words(), b.words());

    assert_eq!(kernels.fold::<A>(a), oracle::fold::<A>(a), "fold, {at}");

    let mut sums = Placed::new(a, b.as_ptr().addr() / 8 % 8);
    kernels.accum::<A>(sums.words_mut(), b);
    assert_eq!(sums.words(), oracle::accum::<A>(a, b), "accum, {at}");

    let difference = oracle::first_difference(a, b);
    assert_eq!(kernels.first_difference(a, b), difference, "first_difference, {at}");
    assert_eq!(kernels.equal(a, b), difference.is_none(), "equal, {at}");
    assert_eq!(super::equal(a, b), difference.is_none(), "equal");

    let base = 1000;
    for prefetches in [false, true] {
        let mut batch = DeltaBatch::<A>::new();
        kernels.diff::<A>(base, a, b, prefetches, batch.changes_mut());
        assert_eq!(batch, oracle::diff(base, a, b), "diff, {at}");
    }
}

/// The runner: one property, every level, both algebras.
fn agree_on_every_level(a: &[u64], offset_a: usize, b: &[u64], offset_b: usize) {
    let (a, b) = (Placed::new(a, offset_a), Placed::new(b, offset_b));
    for kernels in dispatch::available() {
        agrees_with_the_oracle::<Xor>(kernels, &a, &b);
        agrees_with_the_oracle::<Add>(kernels, &a, &b);
    }
}

/// Twice the words that a loop takes in one iteration, and a tail.
const LONGEST: usize = 2 * GROUP + 9;

/// Words that are all different.
fn distinct(len: usize) -> Vec<u64> {
    (1..=len as u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect()
}

#[test]
fn every_length_at_every_offset() {
    for len in 0..=LONGEST {
        let a = distinct(len);
        let b: Vec<u64> = a.iter().map(|word| word.rotate_left(7)).collect();
        for offset in 0..8 {
            agree_on_every_level(&a, offset, &a, 0);
            agree_on_every_level(&a, offset, &b, (3 * offset + len) % 8);
        }
    }
}

#[test]
fn a_single_bit_anywhere() {
    let a = distinct(LONGEST);
    for index in 0..LONGEST {
        for bit in [0, 1, 31, 32, 63] {
            let mut b = a.clone();
            b[index] ^= 1 << bit;
            agree_on_every_level(&a, 0, &b, 0);
            agree_on_every_level(&a, 5, &b, 2);
        }
    }
}

/// Also in the functions for slices that are shorter than a vector.
#[test]
fn a_single_word_in_slices_of_every_length() {
    for len in 1..=LONGEST {
        let a = distinct(len);
        for index in 0..len {
            let mut b = a.clone();
            b[index] ^= 1 << (index % 64);
            assert!(!super::equal(&a, &b), "{index} of {len}");
            assert_eq!(super::first_difference(&a, &b), Some(index), "{len}");
            for kernels in dispatch::available() {
                assert!(!kernels.equal(&a, &b), "{}, {index} of {len}", kernels.name);
                assert_eq!(kernels.first_difference(&a, &b), Some(index), "{}, {len}", kernels.name);
            }
        }
    }
}

#[test]
fn basis_vectors() {
    let zero = [0; LONGEST];
    for index in 0..LONGEST {
        for bit in 0..64 {
            let mut unit = zero;
            unit[index] = 1 << bit;
            agree_on_every_level(&unit, 0, &zero, 0);
        }
    }
}

/// `diff` searches each stretch in a way that depends on the changes in the one before. So there are stretches with no,
/// some and many changes, in any order, and changes in any block after a stretch without.
#[test]
fn changes_in_some_blocks_of_several_stretches() {
    use super::diff::{MASKED_WORDS as WORDS, STRETCH_BLOCKS as STRETCH};
    let a = distinct(4 * STRETCH * WORDS + WORDS + 9);
    for changes in [1, 2, 7, 8, 9, 33, 64] {
        for first in [0, 1, STRETCH - 1, STRETCH, 2 * STRETCH + 5, 4 * STRETCH] {
            let mut b = a.clone();
            for block in [first, 3 * STRETCH - 1] {
                for n in 0..changes {
                    b[block * WORDS + n * WORDS / changes] ^= 1 << 40;
                }
            }
            agree_on_every_level(&a, 0, &b, 0);
            agree_on_every_level(&a, 3, &b, 6);
        }
    }
    for dense_at in 0..4 {
        let mut b = a.clone();
        for (i, word) in b.iter_mut().enumerate() {
            let is_dense = i / (STRETCH * WORDS) == dense_at;
            *word ^= u64::from(i % if is_dense { 2 } else { 100 } == 0);
        }
        agree_on_every_level(&a, 0, &b, 0);
    }
}

proptest! {
    #[test]
    fn random_words_with_few_and_many_differences(
        (a, mask) in (0..300usize).prop_flat_map(|len| (
            vec(any::<u64>(), len),
            vec(prop_oneof![4 => Just(0), 1 => any::<u64>()], len),
        )),
        offset_a in 0..8usize,
        offset_b in 0..8usize,
    ) {
        let b: Vec<u64> = a.iter().zip(&mask).map(|(word, mask)| word ^ mask).collect();
        agree_on_every_level(&a, offset_a, &b, offset_b);
    }

    #[test]
    fn carryless_products_of_any_data(
        data in vec(any::<u8>(), 0..3_000),
        skipped in 0..64usize,
        keys in vec(any::<[u64; LANES]>(), 47),
    ) {
        clmul_sum_agrees(&data[skipped.min(data.len())..], &keys);
    }
}

fn clmul_sum_agrees(data: &[u8], keys: &[[u64; LANES]]) {
    let expected = oracle::clmul_sum(data, keys);
    for kernels in dispatch::available() {
        assert_eq!(kernels.clmul_sum(data, keys), expected, "{}, {} bytes", kernels.name, data.len());
    }
    let words: Vec<u64> = data.as_chunks().0.iter().map(|&word| u64::from_le_bytes(word)).collect();
    let expected = oracle::clmul_sum(data.as_chunks::<8>().0.as_flattened(), keys);
    for kernels in dispatch::available() {
        let sum = kernels.clmul_sum_few(&words, keys.as_flattened());
        assert_eq!(sum, expected, "{}, {} words", kernels.name, words.len());
    }
}

/// Twice as many bytes as the loops take in one iteration, and a tail; and where the portable level takes another way.
#[test]
fn carryless_products_of_every_length() {
    let data: Vec<u8> = (0..600u32).map(|i| (i * 7 + 3) as u8).collect();
    let keys: Vec<[u64; LANES]> = distinct(80).as_chunks().0.to_vec();
    for len in 0..=data.len() {
        clmul_sum_agrees(&data[data.len() - len..], &keys);
    }
}

#[test]
fn carryless_products_with_the_most_bits() {
    for word in [0, 1, 1 << 63, u64::MAX] {
        for key in [0, 1, 1 << 63, u64::MAX] {
            clmul_sum_agrees(&u64::to_le_bytes(word).repeat(70), &[[key; LANES]; 9]);
        }
    }
}

#[test]
fn too_few_keys_panic() {
    for kernels in dispatch::available() {
        let refused = std::panic::catch_unwind(|| kernels.clmul_sum(&[1; 65], &[[1; LANES]]));
        assert!(refused.is_err(), "{}", kernels.name);
    }
}

#[test]
fn short_slices_and_slices_of_different_lengths() {
    for len in 0..20 {
        let words = distinct(len);
        assert_eq!(super::fold::<Add>(&words), oracle::fold::<Add>(&words));
        assert!(super::equal(&words, &words.clone()));
        let longer = distinct(len + 1);
        assert!(!super::equal(&words, &longer));
        assert_eq!(super::first_difference(&words, &longer), Some(len));
        assert_eq!(super::first_difference(&longer, &words), Some(len));
        let mut sums = words.clone();
        super::accum::<Xor>(&mut sums, &words);
        assert_eq!(sums, alloc::vec![0; len]);
        let mut batch = DeltaBatch::<Xor>::new();
        super::diff(&alloc::vec![0; len], &words, &mut batch);
        assert_eq!(batch.deltas(), words);
    }
}

#[test]
fn diff_clears_the_batch() {
    let mut batch: DeltaBatch = [(9, 9)].into_iter().collect();
    super::diff(&[1, 2], &[1, 3], &mut batch);
    assert_eq!(batch, [(1, 1)].into_iter().collect());
}

#[test]
#[should_panic(expected = "slices of different lengths: 2 and 3 words")]
fn accum_refuses_unequal_lengths() {
    super::accum::<Xor>(&mut [0; 2], &[0; 3]);
}

#[test]
#[should_panic(expected = "slices of different lengths: 3 and 2 words")]
fn diff_refuses_unequal_lengths() {
    super::diff::<Xor>(&[0; 3], &[0; 2], &mut DeltaBatch::new());
}

#[test]
fn set_level_caps_the_level_until_the_next_call() {
    let _level = lock_level();
    let best = super::level();
    for level in [Level::Portable, Level::Sse2, Level::Avx2, Level::Avx512] {
        let used = super::set_level(level);
        assert!(used <= level);
        assert_eq!(super::level(), used);
    }
    assert_eq!(super::set_level(best), best);
}

#[test]
fn words_to_alignment_counts_the_words_before_an_aligned_one() {
    for offset in 0..8 {
        for len in [0, 1, 7, 8, 9] {
            let placed = Placed::new(&distinct(len), offset);
            let words = super::vector::words_to_alignment(placed.words());
            assert_eq!(words, ((8 - offset) % 8).min(len), "{len} words, {offset} past an aligned address");
        }
    }
}

#[test]
fn errors_name_what_was_wrong() {
    use alloc::string::ToString;
    assert_eq!(
        ApplyWireError::Length { len: 17 }.to_string(),
        "17 bytes are not a whole number of 16-byte delta messages"
    );
    assert_eq!(
        ApplyWireError::Address { offset: 16, addr: 9, len: 4 }.to_string(),
        "the message at byte 16 is for address 9, past the end of 4 words"
    );
}
