//! Fingerprints of buffers: has it changed since?

mod fold;
mod keys;
mod positional;
mod value;

pub use fold::FoldFingerprint;
pub use positional::Fingerprint;

use core::error::Error;
use core::fmt;

/// The length of a word in bytes.
const WORD: usize = 8;

/// What a fingerprint of either kind remembers: the value of the reference and of the data now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tracked {
    reference: u64,
    value: u64,
    /// The length of the data now, in bytes.
    len: usize,
}

impl Tracked {
    /// A value for a fresh reference, which is also the data now.
    fn load(&mut self, value: u64, len: usize) -> u64 {
        *self = Self { reference: value, value, len };
        value
    }

    /// A value for other data against the same reference.
    fn update(&mut self, value: u64, len: usize) -> u64 {
        (self.value, self.len) = (value, len);
        value
    }

    fn changed(&self) -> bool {
        self.value != self.reference
    }

    /// Whether the data have a word of this index, be it a partial one.
    fn check(&self, index: usize) -> Result<(), IndexOutOfRange> {
        let words = self.len.div_ceil(WORD);
        if index < words { Ok(()) } else { Err(IndexOutOfRange { index, words }) }
    }
}

/// The data's words: little-endian, the last one padded with zeros.
fn words(data: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (words, tail) = data.as_chunks::<WORD>();
    let mut last = [0; WORD];
    last[..tail.len()].copy_from_slice(tail);
    let tail = (!tail.is_empty()).then_some(u64::from_le_bytes(last));
    words.iter().map(|&word| u64::from_le_bytes(word)).chain(tail)
}

/// A change to a word that the fingerprinted data don't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOutOfRange {
    /// The index of the word.
    pub index: usize,
    /// How many words the data have, a partial one at the end included.
    pub words: usize,
}

impl fmt::Display for IndexOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "word {} is past the end of data of {} words", self.index, self.words)
    }
}

impl Error for IndexOutOfRange {}

#[cfg(test)]
mod tests;
