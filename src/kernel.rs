//! Bulk kernels: the algebra over whole slices of words, at the speed of the memory that they are in.
//!
//! | kernel | does | for each word |
//! |---|---|---|
//! | [`accum`] | composes a delta into every word | 2 loads, 1 store |
//! | [`fold`] | composes all words into one | 1 load |
//! | [`equal`], [`first_difference`] | compare two slices | 2 loads |
//! | [`diff`] | finds the changes between two slices, as a [`DeltaBatch`] | 2 loads, and the changes |
//! | [`apply`], [`apply_wire`] | compose sparse deltas into the words at their addresses | 1 load and 1 store for each delta |
//!
//! They work on plain words, `&[u64]` and `&mut [u64]`, of any length and alignment. Slices that are aligned to 64 bytes,
//! as the words of a [`Table`](crate::AtomikTable) are, are fastest. The kernels use the widest vectors that the
//! processor has. [`level`] tells which; [`set_level`] and the environment variable `ATOMIK_LEVEL` cap them. Without
//! the feature `std` the processor can't be asked, so the target features that the program is compiled for decide, and
//! the environment is not read.
//!
//! A kernel waits for nothing and accesses no memory but its arguments, and [`diff`] the memory of its batch. There are
//! two exceptions. The first kernel call of a process chooses the level; with the feature `std` it reads the environment,
//! for which it allocates and may wait for other threads. A program that can't have that in its first kernel call calls
//! [`level`] before. And the kernels of `par` run on several threads, which wait for one another. Kernels are not
//! atomic: the borrow of a slice keeps other threads from writing to it.

mod clmul;
mod compare;
mod dense;
mod diff;
mod dispatch;
mod kernels;
mod level;
#[cfg(all(feature = "rayon", not(atomik_loom)))]
pub mod par;
mod portable;
mod scatter;
mod vector;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod x86_64;

#[cfg(test)]
pub(crate) mod tests;

use crate::algebra::Algebra;
use crate::delta::{AddressOutOfRange, DeltaBatch};

pub use level::{Level, ParseLevelError};
pub use scatter::ApplyWireError;
pub(crate) use vector::LANES;

/// The composition of all words, which for no words is the identity.
///
/// Takes one load for each word.
///
/// ```
/// use atomik_core::{Add, Xor, kernel};
///
/// assert_eq!(kernel::fold::<Xor>(&[0b001, 0b011, 0b111]), 0b101);
/// assert_eq!(kernel::fold::<Add>(&[1, 2, 3]), 6);
/// ```
#[inline]
#[must_use]
pub fn fold<A: Algebra>(words: &[u64]) -> u64 {
    if words.len() < LANES {
        return dense::fold_words::<A>(A::IDENTITY, words);
    }
    dispatch::kernels().fold::<A>(words)
}

/// Composes each delta into the word at its index: `words[i] = words[i] ∘ deltas[i]`.
///
/// Takes two loads and a store for each word.
///
/// # Panics
///
/// If the slices have different lengths.
///
/// ```
/// use atomik_core::{Xor, kernel};
///
/// let mut words = [1, 2, 3];
/// kernel::accum::<Xor>(&mut words, &[1, 0, 4]);
/// assert_eq!(words, [0, 2, 7]);
/// ```
#[inline]
#[track_caller]
pub fn accum<A: Algebra>(words: &mut [u64], deltas: &[u64]) {
    same_length(words.len(), deltas.len());
    if words.len() < LANES {
        return dense::accum_words::<A>(words, deltas);
    }
    dispatch::kernels().accum::<A>(words, deltas);
}

/// Whether two slices hold the same words; `false` if their lengths differ.
///
/// Takes two loads for each word up to the first difference. The time depends on the words, so don't compare secrets
/// with it.
///
/// ```
/// use atomik_core::kernel;
///
/// assert!(kernel::equal(&[1, 2], &[1, 2]));
/// assert!(!kernel::equal(&[1, 2], &[1, 3]));
/// assert!(!kernel::equal(&[1, 2], &[1, 2, 0]));
/// ```
#[inline]
#[must_use]
pub fn equal(a: &[u64], b: &[u64]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() <= LANES {
        return compare::short_equal(a, b);
    }
    dispatch::kernels().equal(a, b)
}

/// The first index at which two slices differ.
///
/// If one slice is a prefix of the other, that is the length of the shorter one. `None` if the slices are equal. Takes
/// two loads for each word up to the first difference.
///
/// ```
/// use atomik_core::kernel;
///
/// assert_eq!(kernel::first_difference(&[1, 2, 3], &[1, 5, 3]), Some(1));
/// assert_eq!(kernel::first_difference(&[1, 2], &[1, 2, 3]), Some(2));
/// assert_eq!(kernel::first_difference(&[1, 2], &[1, 2]), None);
/// ```
#[inline]
#[must_use]
pub fn first_difference(a: &[u64], b: &[u64]) -> Option<usize> {
    let shorter = a.len().min(b.len());
    let (start_a, start_b) = (&a[..shorter], &b[..shorter]);
    let found = if shorter < LANES {
        compare::first_different_word(start_a, start_b)
    } else {
        dispatch::kernels().first_difference(start_a, start_b)
    };
    found.or_else(|| (a.len() != b.len()).then_some(shorter))
}

/// Fills `batch` with the changes from `reference` to `state`: the addresses of the words that differ, in ascending
/// order, and their deltas. The batch is cleared first and keeps its memory.
///
/// [`apply`] with this batch turns `reference` into `state`. Takes two loads for each word, and the time to write the
/// changes.
///
/// # Panics
///
/// If the slices have different lengths, or more than 2³² words, for which addresses have too few bits.
///
/// ```
/// use atomik_core::{Add, DeltaBatch, kernel};
///
/// let mut batch = DeltaBatch::<Add>::new();
/// kernel::diff(&[5, 6, 7, 8], &[5, 9, 7, 7], &mut batch);
/// assert_eq!(batch.addresses(), [1, 3]);
/// assert_eq!(batch.deltas(), [3, u64::MAX]); // 9 - 6, and 7 - 8 modulo 2⁶⁴
/// ```
#[track_caller]
pub fn diff<A: Algebra>(reference: &[u64], state: &[u64], batch: &mut DeltaBatch<A>) {
    same_length(reference.len(), state.len());
    assert!(reference.len() as u64 <= 1 << 32, "addresses are 32 bits: {} words", reference.len());
    batch.clear();
    diff_more(0, reference, state, reference.len() > diff::UNPREFETCHED_DIFF, batch);
}

/// Appends the changes from `reference` to `state`, whose first words have the address `base`, to a batch whose
/// addresses are all lower. For callers that go through a table block by block. With `prefetches`, words are prefetched;
/// that is for slices longer than the caches.
#[inline]
pub(crate) fn diff_more<A: Algebra>(
    base: u32,
    reference: &[u64],
    state: &[u64],
    prefetches: bool,
    batch: &mut DeltaBatch<A>,
) {
    let changes = batch.changes_mut();
    if reference.len() < LANES {
        return diff::diff_words::<A>(base, reference, state, changes);
    }
    dispatch::kernels().diff::<A>(base, reference, state, prefetches, changes);
}

/// Composes each delta of a batch into the word at its address.
///
/// Takes a load and a store for each delta. The addresses are checked before anything is written. They ascend, so one
/// comparison checks all.
///
/// # Errors
///
/// [`AddressOutOfRange`] if an address is past the end of `words`. The words are unchanged then.
///
/// ```
/// use atomik_core::{DeltaBatch, Xor, kernel};
///
/// let batch: DeltaBatch = [(2, 0b11), (0, 0b01)].into_iter().collect();
/// let mut words = [0; 4];
/// kernel::apply(&mut words, &batch)?;
/// assert_eq!(words, [0b01, 0, 0b11, 0]);
///
/// assert!(kernel::apply(&mut words[..2], &batch).is_err());
/// assert_eq!(words, [0b01, 0, 0b11, 0]);
/// # Ok::<(), atomik_core::AddressOutOfRange>(())
/// ```
pub fn apply<A: Algebra>(words: &mut [u64], batch: &DeltaBatch<A>) -> Result<(), AddressOutOfRange> {
    scatter::apply(words, batch)
}

/// Composes the deltas of 16-byte messages, as they came from a socket or file, into the words at their addresses.
///
/// [`DeltaMessage`](crate::DeltaMessage) describes the format. Sequence numbers are ignored, so a duplicate counts twice.
/// Takes a load and a store for each message, besides reading it.
///
/// # Errors
///
/// - [`ApplyWireError::Length`] if the bytes are not a whole number of messages.
/// - [`ApplyWireError::Address`] if the address of a message is past the end of `words`.
///
/// Either all messages are applied or none: after an error the words are unchanged.
///
/// ```
/// use atomik_core::{DeltaMessage, Xor, kernel};
///
/// let mut bytes = DeltaMessage { addr: 1, delta: 0xCAFE, seq: 0 }.to_bytes().to_vec();
/// let mut words = [0; 2];
/// kernel::apply_wire::<Xor>(&mut words, &bytes)?;
/// assert_eq!(words, [0, 0xCAFE]);
///
/// bytes.extend(DeltaMessage { addr: 7, delta: 1, seq: 1 }.to_bytes());
/// let error = kernel::apply_wire::<Xor>(&mut words, &bytes).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the message at byte 16 is for address 7, past the end of 2 words"
/// );
/// assert_eq!(words, [0, 0xCAFE]);
/// # Ok::<(), kernel::ApplyWireError>(())
/// ```
pub fn apply_wire<A: Algebra>(words: &mut [u64], bytes: &[u8]) -> Result<(), ApplyWireError> {
    scatter::apply_wire::<A>(words, bytes)
}

/// The sum (XOR) of the carry-less products of each little-endian word of `data` with its key: eight keys for each 64
/// bytes. The last word and the last eight words are padded with zeros.
///
/// # Panics
///
/// If there are too few keys.
pub(crate) fn clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
    dispatch::kernels().clmul_sum(data, keys)
}

/// The sum (XOR) of the carry-less products of each word with its key, for a few words.
pub(crate) fn clmul_sum_few(words: &[u64], keys: &[u64]) -> u128 {
    dispatch::kernels().clmul_sum_few(words, keys)
}

/// The level of instructions that the kernels run on.
///
/// ```
/// println!("The kernels run on the level {}.", atomik_core::kernel::level());
/// ```
#[must_use]
pub fn level() -> Level {
    dispatch::kernels().level
}

/// Caps the level: from now on, the kernels of the whole process run on the best level that is at most `highest` and
/// that the processor has. Returns that level.
///
/// Results are the same on every level. A cap is for programs that must limit the width of vectors, for instance
/// because wide ones lower the clock of a processor that they share, and for tests and benchmarks of one level. A
/// later call replaces the cap of an earlier one; the cap in the [environment](env_level) holds in any case.
///
/// Another thread that is in a kernel meanwhile completes the call on its old level. The cap also holds if that is the
/// first kernel call of the process, which chooses a level by itself. Ordering: Relaxed.
///
/// ```
/// use atomik_core::kernel::{self, Level};
///
/// let level = kernel::set_level(Level::Avx2);
/// assert!(level <= Level::Avx2);
/// assert_eq!(kernel::level(), level);
/// ```
pub fn set_level(highest: Level) -> Level {
    dispatch::choose(highest).level
}

/// The cap that the environment variable `ATOMIK_LEVEL` names, if it is set and not empty.
///
/// The variable lets an operator cap the level of a program from outside: `ATOMIK_LEVEL=avx2`. It is read once, when
/// the first kernel runs or at the first call of this function or of [`set_level`].
///
/// # Errors
///
/// If the variable is set to anything but the name of a level. The kernels then run as if it were not set; to
/// detect that, a program has to call this function.
///
/// ```
/// use atomik_core::kernel;
///
/// match kernel::env_level() {
///     Ok(_) => println!("The kernels run on the level {}.", kernel::level()),
///     Err(error) => eprintln!("The variable ATOMIK_LEVEL is ignored: {error}."),
/// }
/// ```
#[cfg(feature = "std")]
pub fn env_level() -> Result<Option<Level>, ParseLevelError> {
    dispatch::environment().clone()
}

#[track_caller]
fn same_length(a: usize, b: usize) {
    assert!(a == b, "slices of different lengths: {a} and {b} words");
}
