//! How a table is cut into shards.

use core::ops::Range;

use crate::block::BLOCK_WORDS;
use crate::replica_id::ReplicaId;

/// The length of a table and the size of its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) len: usize,
    /// 16, 32, or a multiple of [`BLOCK_WORDS`].
    pub(crate) shard_words: usize,
}

impl Shape {
    /// The number of shards.
    pub(crate) fn shards(self) -> usize {
        self.len.div_ceil(self.shard_words)
    }

    /// The addresses of a shard. The last shard may be shorter than the others.
    pub(crate) fn range(self, shard: usize) -> Range<usize> {
        let start = shard * self.shard_words;
        start..self.len.min(start + self.shard_words)
    }

    /// The addresses of a shard in the longest table that has as many shards.
    pub(crate) fn whole_range(self, shard: usize) -> Range<usize> {
        let start = shard * self.shard_words;
        start..start + self.shard_words
    }

    /// The shard that an address belongs to.
    pub(crate) fn shard_of(self, addr: u32) -> usize {
        addr as usize / self.shard_words
    }

    /// The number of words in a block.
    pub(crate) fn block_words(self) -> usize {
        BLOCK_WORDS.min(self.shard_words)
    }

    /// The number of blocks in a shard.
    pub(crate) fn blocks_of(self, shard: usize) -> usize {
        self.range(shard).len().div_ceil(self.block_words())
    }
}

/// A shard of one origin's plane: the unit that has a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShardKey {
    pub(crate) origin: ReplicaId,
    /// Its index in the table.
    pub(crate) shard: usize,
}
