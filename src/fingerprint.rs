//! Fingerprints, which tell whether data changed.

mod fold;
mod keys;
mod positional;
mod stream;
mod value;

pub use fold::FoldFingerprint;
pub use positional::Fingerprint;

use core::error::Error;
use core::fmt;

/// The length of a word in bytes.
const WORD: usize = 8;

/// What a fingerprint of either kind holds: the values of the reference and of the current data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tracked {
    reference: Measured,
    current: Measured,
}

/// The value and the length of some data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Measured {
    value: u64,
    /// In bytes.
    len: u64,
}

impl Tracked {
    /// The values of no data.
    const fn new() -> Self {
        const EMPTY: Measured = Measured { value: 0, len: 0 };
        Self { reference: EMPTY, current: EMPTY }
    }

    /// Sets the current data and returns their value.
    fn update(&mut self, value: u64, len: u64) -> u64 {
        self.current = Measured { value, len };
        value
    }

    /// Sets the reference and the current data and returns their value.
    fn load(&mut self, value: u64, len: u64) -> u64 {
        self.update(value, len);
        self.reference = self.current;
        value
    }

    fn changed(&self) -> bool {
        self.current.value != self.reference.value
    }

    /// Whether the current data have a word of this index, which may be a partial one.
    fn check(&self, index: usize) -> Result<(), IndexOutOfRange> {
        let words = self.current.len.div_ceil(WORD as u64);
        // If the index is past the end, the number of words is at most the index and fits.
        if (index as u64) < words { Ok(()) } else { Err(IndexOutOfRange { index, words: words as usize }) }
    }
}

/// The words of the data: little-endian, the last one padded with zeros.
fn words(data: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (words, tail) = data.as_chunks::<WORD>();
    let mut last = [0; WORD];
    last[..tail.len()].copy_from_slice(tail);
    let tail = (!tail.is_empty()).then_some(u64::from_le_bytes(last));
    words.iter().map(|&word| u64::from_le_bytes(word)).chain(tail)
}

/// Implements `Write`, so that `std::io::copy` and the like can write the stream of a fingerprint.
macro_rules! io_write {
    ($fingerprint:ty) => {
        /// Writing appends to the stream, and never fails.
        #[cfg(feature = "std")]
        impl std::io::Write for $fingerprint {
            fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
                <$fingerprint>::write(self, piece);
                Ok(piece.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}
use io_write;

/// A change was made to a word past the end of the fingerprinted data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexOutOfRange {
    /// The index of the word.
    pub index: usize,
    /// The number of words in the data, including a partial one at the end.
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
