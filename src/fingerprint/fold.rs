//! The XOR of all words.

use core::fmt;

use super::{IndexOutOfRange, Tracked, WORD, words};
use crate::algebra::{DisplayWord, Xor};
use crate::kernel;

/// The XOR of all words of some data: the `Fingerprint` of the Python package `atomik-core`, value for value.
///
/// The data are a sequence of 64-bit little-endian words, the last one padded with zeros, and the value is the XOR of
/// all. **Blind spots:** it can't see reordered words, a pair of equal words inserted or removed, appended zeros, or
/// any two changes that cancel. The value can be the same even if every byte changed. Use
/// [`Fingerprint`](crate::Fingerprint) except where you need the values of the Python package or the highest speed.
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
///
/// Data that come in pieces are passed to [`write`](Self::write) and [`finish`](Self::finish), as for
/// [`Fingerprint`](crate::Fingerprint).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct FoldFingerprint {
    tracked: Tracked,
    /// The value of the pieces written so far.
    stream: u64,
    /// Their length in bytes.
    stream_len: u64,
}

impl FoldFingerprint {
    /// A fingerprint of no data. The value is 0.
    #[must_use]
    pub const fn new() -> Self {
        Self { tracked: Tracked::new(), stream: 0, stream_len: 0 }
    }

    /// Makes `data` the reference and the current data, and returns the value. Takes O(n).
    pub fn load(&mut self, data: &[u8]) -> u64 {
        self.tracked.load(fold(data), data.len() as u64)
    }

    /// Makes `data` the current data, which are compared with the same reference as before, and returns the value. Takes
    /// O(n).
    pub fn update(&mut self, data: &[u8]) -> u64 {
        self.tracked.update(fold(data), data.len() as u64)
    }

    /// Appends a piece of data to the stream. Takes O(n).
    ///
    /// The current data, the reference and all other calls are not affected before [`finish`](Self::finish).
    pub fn write(&mut self, piece: &[u8]) {
        // The first byte of the piece belongs at this position of its word.
        let position = self.stream_len % WORD as u64;
        self.stream ^= fold(piece).rotate_left(8 * position as u32);
        self.stream_len += piece.len() as u64;
    }

    /// Ends the stream: makes the data that were written since the last `finish` the current data, as
    /// [`update`](Self::update) does, and returns their value. Takes O(1).
    ///
    /// To compare later data with them, call [`set_reference`](Self::set_reference).
    pub fn finish(&mut self) -> u64 {
        let (value, len) = (self.stream, self.stream_len);
        (self.stream, self.stream_len) = (0, 0);
        self.tracked.update(value, len)
    }

    /// Whether the values of the current data and of the reference differ. See the [type](Self) for the changes that this
    /// can miss.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.tracked.changed()
    }

    /// The value of the current data.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.tracked.current.value
    }

    /// The delta from the value of the reference to that of the current data: their XOR, which is the XOR of all changes.
    /// 0 if nothing [`changed`](Self::changed).
    ///
    /// ```
    /// let mut fingerprint = atomik_core::FoldFingerprint::new();
    /// fingerprint.load(&[0b0011]);
    /// fingerprint.update(&[0b0101]);
    /// assert_eq!(fingerprint.delta(), 0b0110);
    /// ```
    #[must_use]
    pub fn delta(&self) -> u64 {
        self.tracked.reference.value ^ self.tracked.current.value
    }

    /// Makes the current data the reference, so that nothing has changed. Takes O(1).
    pub fn set_reference(&mut self) {
        self.tracked.reference = self.tracked.current;
    }

    /// Makes the reference the current data again, and discards an unfinished stream. Takes O(1).
    pub fn reset(&mut self) {
        self.tracked.current = self.tracked.reference;
        (self.stream, self.stream_len) = (0, 0);
    }

    /// Follows a change of one word without reading the data: the word at `index` became word ^ `delta`. Takes O(1).
    ///
    /// # Errors
    ///
    /// [`IndexOutOfRange`] if the current data have no such word. The value is unchanged then. If the last word is a
    /// partial one, its missing bytes are taken as they are in `delta`.
    pub fn accum(&mut self, index: usize, delta: u64) -> Result<(), IndexOutOfRange> {
        self.tracked.check(index)?;
        self.tracked.current.value ^= delta;
        Ok(())
    }

    /// Follows a change of one word without reading the data: the word at `index` was `old` and is `new`. Takes O(1).
    ///
    /// # Errors
    ///
    /// Those of [`accum`](Self::accum).
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
            .field("value", &DisplayWord::<Xor>::new(self.value()))
            .field("changed", &self.changed())
            .finish()
    }
}

super::io_write!(FoldFingerprint);
