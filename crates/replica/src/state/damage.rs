//! Bits that flip in the state, for the simulator and the tests.

use alloc::sync::Arc;
use alloc::vec::Vec;

use atomik_core::Algebra;

use super::ReplicaState;
use crate::block::BLOCK_WORDS;
use crate::damage::{Memory, flip_one};
use crate::plane::Plane;
use crate::shard::Shard;

impl<A: Algebra> ReplicaState<A> {
    /// Flips a bit of this kind of memory in a shard. Returns whether there is one.
    pub(crate) fn flip(&mut self, memory: Memory, shard: usize, bit: usize) -> bool {
        let range = self.shape.range(shard);
        match memory {
            Memory::Merged => flip_one(self.merged[range].iter_mut(), bit),
            Memory::Remote => {
                let at = range.start + bit / 64 % range.len();
                let mut state = self.remote[at].read();
                flip_one([&mut state].into_iter(), bit);
                self.remote[at].load(state);
                true
            }
            Memory::Base => {
                let Some(base) = &self.base else { return false };
                // Others may share it.
                let mut damaged: Vec<u64> = base.to_vec();
                flip_one(damaged[range].iter_mut(), bit);
                self.base = Some(Arc::from(damaged));
                true
            }
            Memory::Registers => {
                let blocks = range.start / BLOCK_WORDS..range.end.div_ceil(BLOCK_WORDS);
                let count = blocks.len();
                let mut in_turn = blocks.cycle().skip(bit % count).take(count);
                in_turn.any(|block| self.registers.flip(block, bit / count))
            }
            Memory::VersionDigests => flip_one(self.versions[shard..=shard].iter_mut(), bit),
            Memory::EntryAddresses => {
                let shards = self.planes.iter_mut().filter_map(|plane| plane.shard_mut(shard));
                let mut addrs: Vec<&mut u32> = shards.flat_map(Shard::entry_addresses).collect();
                let count = addrs.len();
                if count > 0 {
                    *addrs[bit / 32 % count] ^= 1 << (bit % 32);
                }
                count > 0
            }
            Memory::Origins => {
                let written = self.planes.iter_mut().filter(|plane| plane.shard(shard).is_some());
                flip_one(written.flat_map(Plane::words_of_origin), bit)
            }
            Memory::Versions
            | Memory::StoredVersions
            | Memory::Stamps
            | Memory::Totals
            | Memory::Entries
            | Memory::EntryMasks => {
                let shards = self.planes.iter_mut().filter_map(|plane| plane.shard_mut(shard));
                flip_one(shards.flat_map(|shard| shard.words_of(memory)), bit)
            }
        }
    }
}
