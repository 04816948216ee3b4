//! Bulk kernels: the algebra over whole slices of words, at the speed of the memory they lie in.
//!
//! | kernel | does | moves, for each word |
//! |---|---|---|
//! | [`accum`] | composes a delta into every word | 2 loads, 1 store |
//! | [`fold`] | composes all words into one | 1 load |
//! | [`equal`], [`first_difference`] | compare | 2 loads |
//! | [`diff`] | finds what changed, as a [`DeltaBatch`] | 2 loads, and the changes |
//! | [`apply`], [`apply_wire`] | compose sparse deltas into the words they name | 1 load, 1 store a delta |
//!
//! They work on plain words, `&[u64]` and `&mut [u64]`, of any length and at any address; 64-byte-aligned
//! slices (as a [`Table`](crate::AtomikTable)'s words are) are fastest. They use the widest vectors that
//! the processor has. [`level`] tells which; [`set_level`] and the environment variable `ATOMIK_LEVEL` cap them.
//! Without the feature `std` the processor can't be asked, so the target features that the program is compiled for
//! decide, and the environment is not read.
//!
//! A kernel blocks on nothing and touches no memory but its arguments. None is atomic: an
//! exclusive or shared borrow of the words is what keeps other threads away. (Those of `par`, on several threads,
//! wait for one another.)

mod carryless;
mod compare;
mod dense;
mod dispatch;
mod keys;
mod level;
mod line;
#[cfg(all(feature = "rayon", not(atomik_loom)))]
pub mod par;
mod portable;
mod scatter;

#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod x86_64;

#[cfg(test)]
mod tests;

use crate::algebra::Algebra;
use crate::delta::{AddressOutOfRange, DeltaBatch};
use line::LINE;

pub(crate) use keys::Keys;
pub use level::{Level, ParseLevelError};
pub use scatter::ApplyWireError;

/// The composition of all words; the identity for none.
///
/// Takes one load of each word.
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
    if words.len() < LINE {
        return dense::fold_words::<A>(A::IDENTITY, words);
    }
    dispatch::kernels().fold::<A>(words)
}

/// Composes each delta into the word at its index: `words[i] = words[i] ∘ deltas[i]`.
///
/// Takes two loads and a store a word.
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
    if words.len() < LINE {
        return dense::accum_words::<A>(words, deltas);
    }
    dispatch::kernels().accum::<A>(words, deltas);
}

/// Whether two slices hold the same words; `false` if their lengths differ.
///
/// Takes two loads a word, up to the first difference. Not in constant time: no comparison for secrets.
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
    if a.len() <= LINE {
        return compare::short_equal(a, b);
    }
    dispatch::kernels().equal(a, b)
}

/// The first index at which two slices differ.
///
/// If one is the start of the other, that is the shorter one's length; `None` if they are equal. Takes
/// two loads a word, up to the first difference.
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
    let found = if shorter < LINE {
        compare::first_different_word(start_a, start_b)
    } else {
        dispatch::kernels().first_difference(start_a, start_b)
    };
    found.or_else(|| (a.len() != b.len()).then_some(shorter))
}

/// Fills `batch` with what leads from `reference` to `state`: the addresses of the words that differ, in
/// ascending order, and their deltas. What the batch held before is dropped, its memory is kept.
///
/// Takes two loads a word, and the writing of the changes. To [`apply`] the batch to `reference` gives
/// `state`.
///
/// # Panics
///
/// If the slices have different lengths, or more than 2³² words, which an address can't tell apart.
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
    diff_more(0, reference, state, reference.len() > compare::CACHED, batch);
}

/// Appends what leads from `reference` to `state`, whose first words have the address `base`, past all
/// addresses in the batch. For callers that go through a table block by block. `prefetches` is for long slices that
/// the caches don't hold.
#[inline]
pub(crate) fn diff_more<A: Algebra>(
    base: u32,
    reference: &[u64],
    state: &[u64],
    prefetches: bool,
    batch: &mut DeltaBatch<A>,
) {
    let changes = batch.changes_mut();
    if reference.len() < LINE {
        return compare::diff_words::<A>(base, reference, state, changes);
    }
    dispatch::kernels().diff::<A>(base, reference, state, prefetches, changes);
}

/// Composes each delta of a batch into the word that it names.
///
/// Takes a load and a store a delta. The addresses are checked before anything is written, at the cost
/// of one comparison, since they ascend.
///
/// # Errors
///
/// [`AddressOutOfRange`] if an address lies past the end of `words`, which are then as they were.
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

/// Composes the deltas of 16-byte messages, as they came from a socket or file, into the words that they
/// name. See [`DeltaMessage`](crate::DeltaMessage) for the format. Sequence numbers are not looked at.
///
/// Takes a load and a store a message, besides reading it.
///
/// # Errors
///
/// All messages are applied, or none: after an error `words` are as they were.
///
/// - [`ApplyWireError::Length`] if the bytes are not a whole number of messages.
/// - [`ApplyWireError::Address`] if a message's address lies past the end of `words`.
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

/// The value of `data` under the construction of `Fingerprint`.
pub(crate) fn fingerprint(data: &[u8], keys: &Keys) -> u64 {
    dispatch::kernels().fingerprint(data, keys)
}

/// What word `index` of some data adds to their value.
pub(crate) fn fingerprint_of_word(index: usize, word: u64, keys: &Keys) -> u64 {
    let kernels = dispatch::kernels();
    carryless::fingerprint_of_word(index, word, keys, |a, b| kernels.carryless_product(a, b))
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
/// Another thread that is in a kernel meanwhile completes the call on its old level. Ordering: Relaxed.
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
