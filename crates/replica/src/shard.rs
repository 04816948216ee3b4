//! A shard of one origin's plane: the totals, the entries and the version.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use crate::block::{BLOCK_WORDS, Block};
use crate::checksum::WordDigest;
use crate::register::{Entry, Total};
use crate::replica_id::ReplicaId;

/// A shard of a plane.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    /// The first address. It is a multiple of [`BLOCK_WORDS`].
    first: u32,
    /// The number of addresses.
    len: u32,
    version: u64,
    /// The version that the store is known to have.
    stored: u64,
    /// A block is allocated when it is first touched. The list ends with the last allocated block.
    blocks: Vec<Option<Box<Block>>>,
    /// In ascending order of their addresses.
    entries: Vec<Entry>,
}

impl Shard {
    /// An empty shard of these addresses, at version 0.
    pub(crate) fn new(range: Range<usize>) -> Self {
        let (first, len) = (range.start as u32, range.len() as u32);
        Self { first, len, version: 0, stored: 0, blocks: Vec::new(), entries: Vec::new() }
    }

    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    /// The version that the store is known to have.
    pub(crate) fn stored_version(&self) -> u64 {
        self.stored
    }

    pub(crate) fn set_stored_version(&mut self, version: u64) {
        self.stored = version;
    }

    /// The block that an address lies in. It is allocated if it does not exist.
    #[inline]
    pub(crate) fn block_mut(&mut self, addr: u32) -> &mut Block {
        let index = (addr - self.first) as usize / BLOCK_WORDS;
        if index >= self.blocks.len() {
            self.blocks.resize_with(index + 1, || None);
        }
        self.blocks[index].get_or_insert_with(|| Box::new(Block::new()))
    }

    /// Whether the block that an address lies in is allocated.
    pub(crate) fn has_block(&self, addr: u32) -> bool {
        let index = (addr - self.first) as usize / BLOCK_WORDS;
        self.blocks.get(index).is_some_and(Option::is_some)
    }

    /// The allocated blocks, each with its index in the shard.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (u32, &Block)> {
        (0..).zip(&self.blocks).filter_map(|(index, block)| block.as_deref().map(|block| (index, block)))
    }

    /// The allocated blocks, each with its first address.
    fn blocks_by_addr(&self) -> impl Iterator<Item = (u32, &Block)> {
        self.blocks().map(|(index, block)| (self.first + index * BLOCK_WORDS as u32, block))
    }

    /// The totals of all allocated blocks, each with its address.
    pub(crate) fn totals(&self) -> impl Iterator<Item = (u32, Total)> {
        self.blocks_by_addr().flat_map(|(first, block)| block.totals_from(first))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The total of an address. It is the identity if the address was never touched.
    pub(crate) fn total(&self, addr: u32) -> Total {
        let offset = (addr - self.first) as usize;
        let block = self.blocks.get(offset / BLOCK_WORDS).and_then(Option::as_deref);
        block.map_or(Total::default(), |block| block.totals[offset % BLOCK_WORDS])
    }

    pub(crate) fn entry(&self, addr: u32) -> Option<&Entry> {
        self.entries.binary_search_by_key(&addr, |entry| entry.addr).ok().map(|at| &self.entries[at])
    }

    /// Sets the entry of an address. The caller stamps the block.
    pub(crate) fn set_entry(&mut self, entry: Entry) {
        match self.entries.binary_search_by_key(&entry.addr, |entry| entry.addr) {
            Ok(at) => self.entries[at] = entry,
            Err(at) => self.entries.insert(at, entry),
        }
    }

    /// The blocks that changed after a version, each with its first address.
    fn blocks_since(&self, since: u64) -> impl Iterator<Item = (u32, &Block)> {
        self.blocks_by_addr().filter(move |(_, block)| block.stamp > since)
    }

    /// The totals of all blocks that changed after a version. Identities are among them, because the identity is a
    /// total like any other.
    pub(crate) fn totals_since(&self, since: u64) -> impl Iterator<Item = (u32, Total)> {
        let totals = self.blocks_since(since).flat_map(|(first, block)| block.totals_from(first));
        // The last block may reach past the end of the table.
        totals.filter(|(addr, _)| addr - self.first < self.len)
    }

    /// The entries of all blocks that changed after a version.
    pub(crate) fn entries_since(&self, since: u64) -> impl Iterator<Item = &Entry> {
        self.blocks_since(since).flat_map(|(first, _)| {
            let start = self.entries.partition_point(|entry| entry.addr < first);
            self.entries[start..].iter().take_while(move |entry| entry.addr - first < BLOCK_WORDS as u32)
        })
    }

    /// A digest of the content: of all totals that are not the identity, and of all entries. It does not depend on which
    /// blocks are allocated or on their stamps, which may differ between holders.
    pub(crate) fn digest(&self) -> u64 {
        let mut digest = WordDigest::new();
        for (addr, total) in self.totals().filter(|(_, total)| total.0 != 0) {
            digest.word(addr.into());
            digest.word(total.0);
        }
        // This is no address, so totals can't be mistaken for entries.
        digest.word(u64::MAX);
        for Entry { addr, register, total } in &self.entries {
            let ReplicaId { node, incarnation } = register.timestamp.origin;
            for word in
                [(*addr).into(), register.timestamp.counter, node, incarnation, register.value, total.0]
            {
                digest.word(word);
            }
        }
        digest.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::{LoadTimestamp, Register};
    use alloc::vec;

    const ORIGIN: ReplicaId = ReplicaId { node: 2, incarnation: 3 };

    #[test]
    fn a_digest_covers_everything_but_identities() {
        let digest = |totals: &[(u32, u64)], entry: Option<[u64; 6]>| {
            let mut shard = Shard::new(128..256);
            for &(addr, total) in totals {
                shard.block_mut(addr).totals[addr as usize % BLOCK_WORDS] = Total(total);
            }
            if let Some([addr, counter, node, incarnation, value, total]) = entry {
                let timestamp = LoadTimestamp { counter, origin: ReplicaId { node, incarnation } };
                let register = Register { timestamp, value };
                shard.set_entry(Entry { addr: addr as u32, register, total: Total(total) });
            }
            shard.digest()
        };
        let entry = [130, 1, ORIGIN.node, ORIGIN.incarnation, 4, 5];
        assert_eq!(digest(&[(129, 7)], None), digest(&[(129, 7), (130, 0), (200, 0)], None));
        let mut digests = vec![
            digest(&[], None),
            digest(&[(129, 7)], None),
            digest(&[(129, 8)], None),
            digest(&[(130, 7)], None),
            digest(&[(193, 7)], None),
            digest(&[(129, 7), (130, 7)], None),
            digest(&[(129, 7)], Some(entry)),
        ];
        digests.extend((0..6).map(|field| {
            let mut other = entry;
            other[field] += 1;
            digest(&[], Some(other))
        }));
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn a_version_is_asked_for_by_blocks_and_ends_with_the_shard() {
        let mut shard = Shard::new(128..200);
        for (addr, stamp) in [(128, 1), (192, 2)] {
            let block = shard.block_mut(addr);
            (block.stamp, block.totals[0]) = (stamp, Total(addr.into()));
            let timestamp = LoadTimestamp { counter: 1, origin: ORIGIN };
            let register = Register { timestamp, value: 0 };
            shard.set_entry(Entry { addr: addr + 1, register, total: Total(0) });
        }
        let since = |version| {
            let totals: Vec<_> = shard.totals_since(version).map(|(addr, _)| addr).collect();
            let entries: Vec<_> = shard.entries_since(version).map(|entry| entry.addr).collect();
            (totals, entries)
        };
        assert_eq!(since(0), ((128..200).collect(), vec![129, 193]));
        assert_eq!(since(1), ((192..200).collect(), vec![193]));
        assert_eq!(since(2), (vec![], vec![]));
    }
}
