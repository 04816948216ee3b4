//! Which blocks of a table were touched since an observer last looked.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// The number of neighbouring addresses that a writer marks together. One in models, so that small tables have several
/// blocks.
pub(crate) const BLOCK_WORDS: usize = if cfg!(atomik_loom) { 1 } else { 64 };

/// The number of blocks in a run.
pub(crate) const RUN_BLOCKS: usize = u8::BITS as usize;

/// The number of words that are copied out of a source at a time: 4 KiB, which stays in L1.
pub(crate) const COPY_WORDS: usize = RUN_BLOCKS * BLOCK_WORDS;

/// The greatest length of a table that observers read as a whole. Its writers need not mark what they touch.
pub(crate) const SMALL_WORDS: usize = if cfg!(atomik_loom) { 0 } else { COPY_WORDS };

/// What an observer remembers of a source, to find the blocks that were touched since.
#[derive(Clone, Debug)]
pub struct Touched {
    /// For each run of blocks, a bit for each block that was touched.
    runs: Box<[u8]>,
    /// The marks that the observer saw last, in lists of planes. A plane that it can't rely on yet has none.
    seen: [Vec<Vec<u64>>; 3],
}

impl Touched {
    /// No blocks of a table of this length. The observer has seen no marks.
    pub(crate) fn new(len: usize) -> Self {
        Self { runs: vec![0; len.div_ceil(COPY_WORDS)].into(), seen: Default::default() }
    }

    /// Adds all blocks.
    pub(crate) fn insert_all(&mut self) {
        self.runs.fill(u8::MAX);
    }

    /// Adds the blocks of a run that have their bits set.
    #[inline]
    pub(crate) fn insert(&mut self, run: usize, blocks: u8) {
        self.runs[run] |= blocks;
    }

    /// Forgets the blocks, and not what was seen.
    pub(crate) fn clear(&mut self) {
        self.runs.fill(0);
    }

    /// Takes out what the observer saw of the plane with this index in a list.
    pub(crate) fn take_seen(&mut self, list: usize, index: usize) -> Vec<u64> {
        self.seen[list].get_mut(index).map(core::mem::take).unwrap_or_default()
    }

    /// Puts that back.
    pub(crate) fn put_seen(&mut self, list: usize, index: usize, seen: Vec<u64>) {
        if !seen.is_empty() {
            let list = &mut self.seen[list];
            list.resize_with(list.len().max(index + 1), Vec::new);
            list[index] = seen;
        }
    }

    /// Takes the blocks out. Yields a range of addresses for each run that was touched, from the first of its blocks to
    /// the last. The last range may reach past the end of the table.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Range<usize>> {
        let touched = self.runs.iter_mut().enumerate().filter(|(_, blocks)| **blocks != 0);
        touched.map(|(run, blocks)| {
            let blocks = core::mem::take(blocks);
            let (first, end) = (blocks.trailing_zeros(), u8::BITS - blocks.leading_zeros());
            let start = run * COPY_WORDS;
            start + first as usize * BLOCK_WORDS..start + end as usize * BLOCK_WORDS
        })
    }
}
