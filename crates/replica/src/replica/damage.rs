//! Bits that flip in the memory of a replica.

use atomik_core::Algebra;

use super::Replica;
use crate::damage::Memory;

impl<A: Algebra> Replica<A> {
    /// Flips a bit of this kind of memory: the one that `bit` picks among those of a shard, modulo their number.
    /// Returns whether there is one.
    ///
    /// # Panics
    ///
    /// If the table has no such shard.
    #[track_caller]
    pub fn flip(&mut self, memory: Memory, shard: usize, bit: usize) -> bool {
        assert!(shard < self.shards(), "there is no shard {shard} in a table of {}", self.shards());
        self.state.flip(memory, shard, bit)
    }
}
