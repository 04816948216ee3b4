//! The size of a shared file.

use atomik_shared::FanInSize;

/// The size of a shared file: the default has 16,384 words, 64 lanes and 256 KiB for names, which makes 8.6 MB.
///
/// All processes must open a file with the size with which it was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedSize(pub(super) FanInSize);

impl SharedSize {
    /// A size.
    ///
    /// - `words`: a counter takes one, and a histogram at schema 3 takes 4 and 65 for each run of eight octaves that has
    ///   values. One word is for events that were lost.
    /// - `lanes`: how many threads of all processes can record at once without taking turns. Each process needs one more.
    /// - `names`: the bytes for names. A series takes some 40 bytes besides its name and its labels.
    ///
    /// The file takes 8 bytes for each word and lane, and the bytes for names.
    #[must_use]
    pub const fn new(words: usize, lanes: usize, names: usize) -> Self {
        Self(FanInSize::new(words, lanes).metadata(names))
    }
}

impl Default for SharedSize {
    fn default() -> Self {
        Self::new(16_384, 64, 256 << 10)
    }
}
