//! What changed in a shard of the own plane since its last announcement.

use alloc::vec::Vec;

use crate::block::BLOCK_WORDS;

/// The words and entries of a shard that changed after a version, by their offsets in the shard.
#[derive(Clone, Debug)]
pub(crate) struct ChangeSet {
    from: u64,
    /// For each block, a bit for each word that changed, and a bit for each entry that changed.
    blocks: Vec<[u64; 2]>,
}

/// The two masks of a block.
const WORDS: usize = 0;
const ENTRIES: usize = 1;

impl ChangeSet {
    /// Nothing has changed after version `from`.
    pub(crate) fn new(from: u64) -> Self {
        Self { from, blocks: Vec::new() }
    }

    /// Adds changes that were made before these.
    pub(crate) fn add_earlier(&mut self, earlier: Self) {
        self.from = self.from.min(earlier.from);
        if self.blocks.len() < earlier.blocks.len() {
            self.blocks.resize(earlier.blocks.len(), [0; 2]);
        }
        for (masks, earlier) in self.blocks.iter_mut().zip(earlier.blocks) {
            masks.iter_mut().zip(earlier).for_each(|(mask, earlier)| *mask |= earlier);
        }
    }

    /// The version after which the changes were made.
    pub(crate) fn from(&self) -> u64 {
        self.from
    }

    pub(crate) fn insert_word(&mut self, offset: usize) {
        self.insert(offset, WORDS);
    }

    pub(crate) fn insert_entry(&mut self, offset: usize) {
        self.insert(offset, ENTRIES);
    }

    fn insert(&mut self, offset: usize, mask: usize) {
        let block = offset / BLOCK_WORDS;
        if block >= self.blocks.len() {
            self.blocks.resize(block + 1, [0; 2]);
        }
        self.blocks[block][mask] |= 1 << (offset % BLOCK_WORDS);
    }

    /// The offsets of the words that changed, ascending.
    pub(crate) fn words(&self) -> impl Iterator<Item = u32> {
        self.offsets(WORDS)
    }

    /// The offsets of the entries that changed, ascending.
    pub(crate) fn entries(&self) -> impl Iterator<Item = u32> {
        self.offsets(ENTRIES)
    }

    fn offsets(&self, mask: usize) -> impl Iterator<Item = u32> {
        (0u32..).step_by(BLOCK_WORDS).zip(&self.blocks).flat_map(move |(start, masks)| {
            let mut rest = masks[mask];
            core::iter::from_fn(move || {
                let offset = (rest != 0).then(|| start + rest.trailing_zeros());
                rest &= rest.wrapping_sub(1);
                offset
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_changes_are_added() {
        let (mut changes, mut earlier) = (ChangeSet::new(4), ChangeSet::new(2));
        changes.insert_word(1);
        earlier.insert_word(2);
        earlier.insert_entry(70);
        changes.add_earlier(earlier);
        assert_eq!(changes.from(), 2);
        assert!(changes.words().eq([1, 2]) && changes.entries().eq([70]));
    }

    #[test]
    fn words_and_entries_are_separate_and_ascend() {
        let mut changes = ChangeSet::new(4);
        [130, 0, 63, 64, 0].into_iter().for_each(|offset| changes.insert_word(offset));
        [65, 1].into_iter().for_each(|offset| changes.insert_entry(offset));
        assert_eq!(changes.from(), 4);
        assert!(changes.words().eq([0, 63, 64, 130]));
        assert!(changes.entries().eq([1, 65]));
    }
}
