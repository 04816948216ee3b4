//! What one origin's deltas add up to: shards of a table, each under one version.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::checksum::WordDigest;
use super::frame::{WireEntry, WireWord};
use super::replica_id::{Entry, ReplicaId, Total};

/// Words of a block: the unit in which a shard remembers what changed.
pub(super) const BLOCK_WORDS: usize = 64;

/// How a table is cut into shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) len: usize,
    pub(super) shard_words: usize,
}

impl Shape {
    pub(super) fn shards(self) -> usize {
        self.len.div_ceil(self.shard_words)
    }

    /// The addresses of a shard; the last one may be shorter.
    pub(super) fn range(self, shard: usize) -> Range<usize> {
        let start = shard * self.shard_words;
        start..self.len.min(start + self.shard_words)
    }

    pub(super) fn shard_of(self, addr: u32) -> usize {
        addr as usize / self.shard_words
    }
}

/// 64 totals, and the version at which one of them, or of the entries beside them, last changed.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) stamp: u64,
    pub(super) totals: [Total; BLOCK_WORDS],
}

/// A shard of a plane.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    /// Its first address: a multiple of [`BLOCK_WORDS`].
    first: u32,
    /// How many addresses it has.
    len: u32,
    pub(super) version: u64,
    /// The version that the store is known to have.
    pub(super) stored: u64,
    /// Allocated when first touched. As long as it takes to hold the last one allocated.
    blocks: Vec<Option<Box<Block>>>,
    /// By address.
    entries: Vec<Entry>,
}

impl Shard {
    pub(super) fn new(range: Range<usize>) -> Self {
        let (first, len) = (range.start as u32, range.len() as u32);
        Self { first, len, version: 0, stored: 0, blocks: Vec::new(), entries: Vec::new() }
    }

    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// The block of an address, allocated if need be.
    #[inline]
    pub(super) fn block_mut(&mut self, addr: u32) -> &mut Block {
        let index = (addr - self.first) as usize / BLOCK_WORDS;
        if index >= self.blocks.len() {
            self.blocks.resize_with(index + 1, || None);
        }
        self.blocks[index]
            .get_or_insert_with(|| Box::new(Block { stamp: 0, totals: [Total::default(); BLOCK_WORDS] }))
    }

    /// The allocated blocks and the address that each begins at.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (u32, &Block)> {
        (self.first..)
            .step_by(BLOCK_WORDS)
            .zip(&self.blocks)
            .filter_map(|(first, block)| block.as_deref().map(|block| (first, block)))
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn total(&self, addr: u32) -> Total {
        let offset = (addr - self.first) as usize;
        let block = self.blocks.get(offset / BLOCK_WORDS).and_then(Option::as_deref);
        block.map_or(Total::default(), |block| block.totals[offset % BLOCK_WORDS])
    }

    pub(super) fn entry(&self, addr: u32) -> Option<&Entry> {
        self.entries.binary_search_by_key(&addr, |entry| entry.addr).ok().map(|at| &self.entries[at])
    }

    /// Sets the entry of an address. The stamp is the caller's.
    pub(super) fn set_entry(&mut self, entry: Entry) {
        match self.entries.binary_search_by_key(&entry.addr, |entry| entry.addr) {
            Ok(at) => self.entries[at] = entry,
            Err(at) => self.entries.insert(at, entry),
        }
    }

    /// Whether a word of the table lies at the address.
    fn has(&self, addr: u32) -> bool {
        addr - self.first < self.len
    }

    /// The version that an answer "since `since`" leads to, and all words and entries of the blocks that
    /// were stamped later than `since`. Identity words are among them: identity is a total like any other.
    pub(super) fn since(&self, since: u64) -> (u64, Vec<WireWord>, Vec<WireEntry>) {
        let to = self.answered_version(since);
        let is_new =
            |stamp: u64| (stamp > since || (planted!(SinceIncludes) && stamp == since)) && stamp <= to;
        let mut words = Vec::new();
        let mut entries = Vec::new();
        for (first, block) in self.blocks().filter(|(_, block)| is_new(block.stamp)) {
            let addrs = (first..).take_while(|&addr| self.has(addr));
            let totals = addrs.zip(block.totals);
            let totals = totals.filter(|(_, total)| !planted!(IdentityLeftOut) || total.0 != 0);
            words.extend(totals.map(|(addr, total)| WireWord::new(addr, total, to)));
            let start = self.entries.partition_point(|entry| entry.addr < first);
            let of_block = self.entries[start..].iter();
            let of_block = of_block.take_while(|entry| (entry.addr - first) < BLOCK_WORDS as u32);
            entries.extend(of_block.map(WireEntry::new));
        }
        (to, words, entries)
    }

    #[cfg(not(test))]
    fn answered_version(&self, _since: u64) -> u64 {
        self.version
    }

    /// The shard's version, unless the fault of cutting an answer is planted.
    #[cfg(test)]
    fn answered_version(&self, since: u64) -> u64 {
        let stamps = self.blocks().map(|(_, block)| block.stamp);
        let cut = stamps.filter(|&stamp| stamp > since).min();
        if planted!(AnswerCut) { cut.unwrap_or(self.version) } else { self.version }
    }

    /// A digest of the content: of all totals but identities, and of all entries. Which blocks are allocated
    /// and how they are stamped is each holder's own.
    pub(super) fn digest(&self) -> u64 {
        let mut digest = WordDigest::new();
        for (first, block) in self.blocks() {
            for (addr, total) in (first..).zip(block.totals).filter(|(_, total)| total.0 != 0) {
                digest.word(addr.into());
                digest.word(total.0);
            }
        }
        // No address: nothing before it can be taken for a shard of what follows.
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

/// One origin's totals over the whole table.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    pub(super) origin: ReplicaId,
    /// Allocated when first touched. As long as it takes to hold the last one allocated.
    shards: Vec<Option<Box<Shard>>>,
}

impl Plane {
    pub(super) fn new(origin: ReplicaId) -> Self {
        Self { origin, shards: Vec::new() }
    }

    #[inline]
    pub(super) fn shard(&self, shard: usize) -> Option<&Shard> {
        self.shards.get(shard)?.as_deref()
    }

    /// A shard that was touched.
    pub(super) fn existing_mut(&mut self, shard: usize) -> Option<&mut Shard> {
        self.shards.get_mut(shard)?.as_deref_mut()
    }

    /// A shard, allocated if need be.
    #[inline]
    pub(super) fn shard_mut(&mut self, shard: usize, shape: Shape) -> &mut Shard {
        if shard >= self.shards.len() {
            self.shards.resize_with(shard + 1, || None);
        }
        self.shards[shard].get_or_insert_with(|| Box::new(Shard::new(shape.range(shard))))
    }

    pub(super) fn set_shard(&mut self, index: usize, shard: Option<Box<Shard>>) {
        if index >= self.shards.len() {
            self.shards.resize_with(index + 1, || None);
        }
        self.shards[index] = shard;
    }

    /// The shards that were touched and where they are.
    pub(super) fn shards(&self) -> impl Iterator<Item = (usize, &Shard)> {
        self.shards
            .iter()
            .enumerate()
            .filter_map(|(index, shard)| shard.as_deref().map(|shard| (index, shard)))
    }

    /// One more than the last shard that was touched.
    pub(super) fn shards_end(&self) -> usize {
        self.shards.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica_id::{LoadTimestamp, Register};
    use alloc::vec;

    #[test]
    fn a_digest_is_of_all_that_is_no_identity() {
        const ORIGIN: ReplicaId = ReplicaId { node: 2, incarnation: 3 };
        let shard = |totals: &[(u32, u64)], entry: Option<[u64; 6]>| {
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
        assert_eq!(shard(&[(129, 7)], None), shard(&[(129, 7), (130, 0), (200, 0)], None));
        let mut digests = vec![
            shard(&[], None),
            shard(&[(129, 7)], None),
            shard(&[(129, 8)], None),
            shard(&[(130, 7)], None),
            shard(&[(193, 7)], None),
            shard(&[(129, 7), (130, 7)], None),
            shard(&[(129, 7)], Some(entry)),
        ];
        digests.extend((0..6).map(|field| {
            let mut other = entry;
            other[field] += 1;
            shard(&[], Some(other))
        }));
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }
}
