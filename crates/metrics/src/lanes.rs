//! Words that each thread writes in a plane of its own.

use atomik_core::{Add, TableFanIn};

/// A number of words. Each is a sum over all threads, either of integers or of floating-point numbers.
///
/// A thread's first write allocates a plane of 8 bytes a word. When the thread has ended, another thread uses the
/// plane. A write to an existing plane is a load and a store: it is wait-free, and no thread writes to the cache lines
/// of another. A read adds up the planes.
#[derive(Debug)]
pub(crate) struct Lanes(TableFanIn<Add>);

impl Lanes {
    pub(crate) fn new(words: usize) -> Self {
        Self(TableFanIn::new(words))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds to an integer word.
    #[inline]
    pub(crate) fn add(&self, word: usize, count: u64) {
        self.0.accum(word, count);
    }

    /// Adds to an integer word and to a floating-point word. A reader that reads the integer first also sees the values
    /// of the events that it counts.
    #[inline]
    pub(crate) fn add_with_f64(&self, word: usize, count: u64, f64_word: usize, value: f64) {
        self.0.accum_with_f64(word, count, f64_word, value);
    }

    pub(crate) fn read(&self, word: usize) -> u64 {
        self.0.read(word)
    }

    pub(crate) fn read_f64(&self, word: usize) -> f64 {
        self.0.read_f64(word)
    }

    /// Reads all words as integers.
    pub(crate) fn snapshot(&self, out: &mut Vec<u64>) {
        out.clear();
        out.resize(self.len(), 0);
        self.0.snapshot(out);
    }
}
