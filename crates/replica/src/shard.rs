//! A shard of one origin's plane: the totals, the entries and the version.

use alloc::boxed::Box;
use alloc::vec::Vec;

use atomik_core::Algebra;

use crate::block::Block;
#[cfg(any(test, feature = "damage"))]
use crate::damage::Memory;
use crate::register::{Entry, Total};
use crate::shape::Shape;
use crate::version_sums::hash;

/// A shard of a plane.
#[derive(Debug)]
pub(crate) struct Shard {
    /// The first address. It is a multiple of the length of a block.
    first: u32,
    /// The number of addresses.
    len: u32,
    /// The number of words in a block: a power of two.
    block_words: u32,
    version: u64,
    /// Whether this version covers all earlier starts of the origin's node: they are folded into it, or void.
    covers: bool,
    /// The version that the store is known to have.
    stored: u64,
    /// The same with all bits inverted. What the store is given depends on it, so damage must not go unnoticed.
    stored_inverse: u64,
    /// A block is allocated when it is first touched. The list ends with the last allocated block.
    blocks: Vec<Option<Box<Block>>>,
    /// The sum of the blocks' digests, as they were last computed.
    digest: u64,
    /// The sum that follows the stamps of the blocks.
    stamps: u64,
    /// A bit for each block: whether it may have changed since its digest was computed.
    changed: Vec<u64>,
}

impl Shard {
    /// An empty shard, at version 0.
    pub(crate) fn new(shape: Shape, index: usize) -> Self {
        let range = shape.range(index);
        Self {
            first: range.start as u32,
            // A shard has at most 65,536 words.
            len: range.len() as u32,
            block_words: shape.block_words() as u32,
            version: 0,
            covers: false,
            stored: 0,
            stored_inverse: !0,
            blocks: Vec::new(),
            digest: 0,
            stamps: 0,
            changed: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    /// Whether this version covers all earlier starts of the origin's node.
    #[inline]
    pub(crate) fn covers(&self) -> bool {
        self.covers
    }

    pub(crate) fn set_covers(&mut self, covers: bool) {
        self.covers = covers;
    }

    /// The version that is here, and the one that the store is known to have.
    pub(crate) fn versions(&self) -> [u64; 2] {
        [self.version, self.stored_version()]
    }

    /// The version that the store is known to have. It is 0 if memory failed, so that the shard is stored again.
    pub(crate) fn stored_version(&self) -> u64 {
        if self.stored == !self.stored_inverse { self.stored } else { 0 }
    }

    /// Whether the store has the version that is here.
    pub(crate) fn is_stored(&self) -> bool {
        self.stored_version() == self.version
    }

    pub(crate) fn set_stored_version(&mut self, version: u64) {
        (self.stored, self.stored_inverse) = (version, !version);
    }

    /// The index of the block that an address lies in.
    #[inline]
    fn block_index(&self, addr: u32) -> usize {
        ((addr - self.first) / self.block_words) as usize
    }

    /// The offset of an address in its block.
    #[inline]
    fn offset(&self, addr: u32) -> usize {
        (addr % self.block_words) as usize
    }

    /// The block that an address lies in, to be changed in a version. It is allocated if it does not exist, and
    /// stamped.
    #[inline]
    pub(crate) fn stamped_block_mut(&mut self, addr: u32, stamp: u64) -> &mut Block {
        let index = self.block_index(addr);
        if index >= self.blocks.len() {
            self.grow(index);
        }
        self.changed[index / 64] |= 1 << (index % 64);
        let term = |stamp| hash([index as u64, stamp]);
        let block = match &mut self.blocks[index] {
            Some(block) => {
                if block.stamp != stamp {
                    self.stamps = self.stamps.wrapping_sub(term(block.stamp)).wrapping_add(term(stamp));
                }
                block
            }
            block @ None => {
                self.stamps = self.stamps.wrapping_add(term(stamp));
                block.insert(Block::new(self.block_words as usize))
            }
        };
        block.stamp = stamp;
        block
    }

    #[cold]
    fn grow(&mut self, index: usize) {
        self.blocks.resize_with(index + 1, || None);
        self.changed.resize(index / 64 + 1, 0);
    }

    /// Whether the block that an address lies in is allocated.
    pub(crate) fn has_block(&self, addr: u32) -> bool {
        self.blocks.get(self.block_index(addr)).is_some_and(Option::is_some)
    }

    /// The allocated blocks, each with its index in the shard.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (u32, &Block)> {
        (0..).zip(&self.blocks).filter_map(|(index, block)| block.as_deref().map(|block| (index, block)))
    }

    /// The first address of a block.
    fn first_of(&self, block: u32) -> u32 {
        self.first + block * self.block_words
    }

    /// The totals of a block, each with its address. The last block may reach past the end of the table.
    fn totals_of<'a>(&self, index: u32, block: &'a Block) -> impl Iterator<Item = (u32, Total)> + use<'a> {
        let first = self.first_of(index);
        let inside = (self.len - index * self.block_words) as usize;
        let totals = block.totals.iter().take(inside).enumerate();
        totals.map(move |(offset, &total)| (first + offset as u32, total))
    }

    /// The totals of all allocated blocks, each with its address.
    pub(crate) fn totals(&self) -> impl Iterator<Item = (u32, Total)> {
        self.blocks().flat_map(|(index, block)| self.totals_of(index, block))
    }

    /// The entries, in ascending order of their addresses.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.blocks().flat_map(|(_, block)| block.entries())
    }

    /// The total of an address. It is the identity if the address was never touched.
    pub(crate) fn total(&self, addr: u32) -> Total {
        let block = self.blocks.get(self.block_index(addr)).and_then(Option::as_deref);
        block.map_or(Total::default(), |block| block.totals[self.offset(addr)])
    }

    #[inline]
    pub(crate) fn entry(&self, addr: u32) -> Option<&Entry> {
        self.blocks.get(self.block_index(addr))?.as_deref()?.entry(self.offset(addr))
    }

    /// Whether the address of the entry at an address is as it was set, or that there is none.
    #[inline]
    pub(crate) fn has_sound_entry_address(&self, addr: u32) -> bool {
        let block = self.blocks.get(self.block_index(addr)).and_then(Option::as_deref);
        block.is_none_or(|block| block.has_sound_address(self.offset(addr), addr))
    }

    /// Whether the addresses of all entries are those that were set.
    pub(crate) fn has_sound_entry_addresses(&self) -> bool {
        self.blocks().all(|(index, block)| block.has_sound_addresses(self.first_of(index)))
    }

    /// Sets the entry of an address in a version, and returns the one that was there.
    pub(crate) fn set_entry(&mut self, entry: Entry, stamp: u64) -> Option<Entry> {
        let offset = self.offset(entry.addr);
        self.stamped_block_mut(entry.addr, stamp).set_entry(offset, entry)
    }

    /// Folds the shard of an ended start into this one, in a version: the totals compose; of two entries of an address
    /// that of the greater register stays, and of equal ones the totals compose. Blocks that the other one touched are
    /// stamped. Those that this one never touched are taken over as they are.
    pub(crate) fn fold<A: Algebra>(&mut self, ended: Self, version: u64) {
        for (index, block) in ended.blocks.into_iter().enumerate() {
            let Some(block) = block else { continue };
            let first = self.first_of(index as u32);
            if !self.has_block(first) {
                self.take_block(index, block, version);
                continue;
            }
            let into = self.stamped_block_mut(first, version);
            for (total, other) in into.totals.iter_mut().zip(&block.totals) {
                *total = Total(A::compose(total.0, other.0));
            }
            for &entry in block.entries() {
                let offset = entry.addr as usize % into.totals.len();
                let entry = match into.entry(offset) {
                    Some(own) if own.register == entry.register => {
                        Entry { total: Total(A::compose(own.total.0, entry.total.0)), ..*own }
                    }
                    Some(own) if own.register > entry.register => *own,
                    _ => entry,
                };
                into.set_entry(offset, entry);
            }
        }
    }

    /// Takes over a block of another shard in the place of one that does not exist, and stamps it.
    fn take_block(&mut self, index: usize, mut block: Box<Block>, stamp: u64) {
        if index >= self.blocks.len() {
            self.grow(index);
        }
        (block.stamp, block.digest) = (stamp, 0);
        self.changed[index / 64] |= 1 << (index % 64);
        self.stamps = self.stamps.wrapping_add(hash([index as u64, stamp]));
        self.blocks[index] = Some(block);
    }

    /// The greatest stamp of a block. It is the version, unless memory failed.
    pub(crate) fn greatest_stamp(&self) -> u64 {
        self.blocks().map(|(_, block)| block.stamp).max().unwrap_or(0)
    }

    /// Stamps all blocks.
    pub(crate) fn set_stamps(&mut self, stamp: u64) {
        self.blocks.iter_mut().flatten().for_each(|block| block.stamp = stamp);
        self.stamps = self.stamps()[1];
        // The store has the blocks with the stamps that they had.
        self.set_stored_version(0);
    }

    /// Whether the stamps are those that were set.
    pub(crate) fn has_sound_stamps(&self) -> bool {
        self.stamps()[1] == self.stamps
    }

    /// The number of blocks, and a sum that depends on the stamp of each.
    pub(crate) fn stamps(&self) -> [u64; 2] {
        self.blocks().fold([0, 0], |[count, sum], (index, block)| {
            [count + 1, sum.wrapping_add(hash([index.into(), block.stamp]))]
        })
    }

    /// The blocks that changed after a version, each with its index in the shard.
    fn blocks_since(&self, since: u64) -> impl Iterator<Item = (u32, &Block)> {
        self.blocks().filter(move |(_, block)| block.stamp > since)
    }

    /// The totals of all blocks that changed after a version. Identities are among them, because the identity is a
    /// total like any other.
    pub(crate) fn totals_since(&self, since: u64) -> impl Iterator<Item = (u32, Total)> {
        self.blocks_since(since).flat_map(|(index, block)| self.totals_of(index, block))
    }

    /// The entries of all blocks that changed after a version.
    pub(crate) fn entries_since(&self, since: u64) -> impl Iterator<Item = &Entry> {
        self.blocks_since(since).flat_map(|(_, block)| block.entries())
    }

    /// A digest of the content: of all totals that are not the identity, of all entries, and of whether the shard
    /// covers earlier starts. It does not depend on which blocks are allocated or on their stamps, which may differ
    /// between holders. Reads the whole shard.
    pub(crate) fn digest(&self) -> u64 {
        let digests = self.blocks().map(|(index, block)| block.compute_digest(self.first_of(index)));
        digests.fold(self.cover_digest(), u64::wrapping_add)
    }

    /// The part of the digest that tells whether the shard covers earlier starts.
    fn cover_digest(&self) -> u64 {
        if self.covers { hash([u64::MAX]) } else { 0 }
    }

    /// The same as [`digest`](Self::digest), unless memory failed. Reads only the blocks that changed since the digest
    /// was last computed.
    pub(crate) fn kept_digest(&mut self) -> u64 {
        for at in 0..self.changed.len() {
            let mut rest = core::mem::take(&mut self.changed[at]);
            while rest != 0 {
                let index = at * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let first = self.first_of(index as u32);
                if let Some(block) = &mut self.blocks[index] {
                    let digest = block.compute_digest(first);
                    let old = core::mem::replace(&mut block.digest, digest);
                    self.digest = self.digest.wrapping_sub(old).wrapping_add(digest);
                }
            }
        }
        self.digest.wrapping_add(self.cover_digest())
    }

    /// The same as [`digest`](Self::digest), which was kept if nothing has changed since.
    pub(crate) fn current_digest(&self) -> u64 {
        if self.changed.iter().all(|&changed| changed == 0) {
            self.digest.wrapping_add(self.cover_digest())
        } else {
            self.digest()
        }
    }

    /// Reads the whole shard and keeps its digest. Returns whether it is what it should be: if not, memory was damaged
    /// since the last time.
    pub(crate) fn refresh_digest(&mut self) -> bool {
        let kept = self.kept_digest();
        for (index, block) in self.blocks.iter().enumerate() {
            if block.is_some() {
                self.changed[index / 64] |= 1 << (index % 64);
            }
        }
        // A digest has the addresses of the entries, and not the masks by which they are found.
        self.kept_digest() == kept && self.has_sound_entry_addresses()
    }

    /// The words of this kind of memory.
    #[cfg(any(test, feature = "damage"))]
    pub(crate) fn words_of(&mut self, memory: Memory) -> Vec<&mut u64> {
        let blocks = self.blocks.iter_mut().flatten();
        match memory {
            Memory::Versions => Vec::from([&mut self.version]),
            Memory::StoredVersions => Vec::from([&mut self.stored]),
            Memory::Stamps => blocks.map(|block| &mut block.stamp).collect(),
            Memory::Totals => {
                blocks.flat_map(|block| block.totals.iter_mut().map(|total| &mut total.0)).collect()
            }
            Memory::Entries => blocks.flat_map(|block| block.words_of_entries()).collect(),
            Memory::EntryMasks => blocks.filter_map(|block| block.entry_mask()).collect(),
            _ => Vec::new(),
        }
    }

    /// The addresses of the entries.
    #[cfg(any(test, feature = "damage"))]
    pub(crate) fn entry_addresses(&mut self) -> impl Iterator<Item = &mut u32> {
        self.blocks.iter_mut().flatten().flat_map(|block| block.entry_addresses())
    }
}

#[cfg(test)]
mod tests;
