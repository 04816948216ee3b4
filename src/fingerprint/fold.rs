//! The XOR of all words.

use core::fmt;

use super::{IndexOutOfRange, Tracked, WORD, words};
use crate::algebra::{DisplayWord, Xor};
use crate::kernel;

/// The plain XOR fold of a buffer: the fingerprint of the Python package `atomik-core`, value for value.
///
/// The buffer is read as 64-bit little-endian words, the last one padded with zeros, and the value is the XOR
/// of them all. **Blind spots:** it can't see reordered words, a pair of equal words put in or taken out,
/// appended zeros, or any two changes that cancel; so a buffer of which every byte changed may keep its
/// value. Use [`Fingerprint`](crate::Fingerprint) but where the Python package's values or raw speed are
/// asked for.
///
/// ```
/// use atomik_core::FoldFingerprint;
///
/// let mut fingerprint = FoldFingerprint::new();
/// fingerprint.load(b"sixteen bytes...");
/// fingerprint.update(b"sixteen BYTES...");
/// assert!(fingerprint.changed());
/// fingerprint.update(b"bytes...sixteen "); // the same words in another order
/// assert!(!fingerprint.changed());
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct FoldFingerprint(Tracked);

impl FoldFingerprint {
    /// A fingerprint of no data: the value is 0.
    #[must_use]
    pub const fn new() -> Self {
        Self(Tracked { reference: 0, value: 0, len: 0 })
    }

    /// Takes `data` as the reference and returns the value. O(n).
    pub fn load(&mut self, data: &[u8]) -> u64 {
        self.0.load(fold(data), data.len())
    }

    /// Looks at `data` anew, against the same reference, and returns the value. O(n).
    pub fn update(&mut self, data: &[u8]) -> u64 {
        self.0.update(fold(data), data.len())
    }

    /// Whether the value differs from the reference's. See the [type](Self) for what that can miss.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.0.changed()
    }

    /// The value of the data now.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.value
    }

    /// Follows a change of one word without a look at the data: word `index` became word ^ `delta`. O(1).
    ///
    /// # Errors
    ///
    /// [`IndexOutOfRange`] past the last word; the value stays. In a partial last word, bits beyond the
    /// data are taken as given.
    pub fn accum(&mut self, index: usize, delta: u64) -> Result<(), IndexOutOfRange> {
        self.0.check(index)?;
        self.0.value ^= delta;
        Ok(())
    }

    /// Follows a change of one word without a look at the data: word `index` was `old` and is `new`. O(1).
    ///
    /// # Errors
    ///
    /// As [`accum`](Self::accum).
    pub fn replace(&mut self, index: usize, old: u64, new: u64) -> Result<(), IndexOutOfRange> {
        self.accum(index, old ^ new)
    }
}

/// The XOR of the words of `data`.
fn fold(data: &[u8]) -> u64 {
    // SAFETY: any eight bytes are a word.
    let (head, aligned, tail) = unsafe { data.align_to() };
    fold_parts(head, aligned, tail)
}

/// The XOR of the words of the data that these parts make up, wherever the data are split.
///
/// The words of `data` straddle those of `aligned` unless `head` is whole words. XOR works byte by byte, though, so
/// all of them are folded as they lie in memory, and the sum is rotated to where the words of the data begin.
pub(super) fn fold_parts(head: &[u8], aligned: &[u64], tail: &[u8]) -> u64 {
    let fold_bytes = |bytes| words(bytes).fold(0, |total, word| total ^ word);
    let aligned = u64::from_le(kernel::fold::<Xor>(aligned));
    let rotation = 8 * (head.len() % WORD) as u32;
    fold_bytes(head) ^ (aligned ^ fold_bytes(tail)).rotate_left(rotation)
}

impl fmt::Debug for FoldFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoldFingerprint")
            .field("value", &DisplayWord::<Xor>::new(self.0.value))
            .field("changed", &self.changed())
            .finish()
    }
}
