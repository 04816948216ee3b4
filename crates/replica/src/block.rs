//! The unit in which a shard remembers what changed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::checksum::WordDigest;
use crate::register::{Entry, Total};
#[cfg(any(test, feature = "damage"))]
use crate::register::{LoadTimestamp, Register};
use crate::replica_id::ReplicaId;

/// The greatest number of words in a block. A shard of fewer words has one block, which is as long as the shard.
pub(crate) const BLOCK_WORDS: usize = 64;

/// The totals of neighbouring addresses, and their entries.
#[derive(Debug)]
pub(crate) struct Block<T: ?Sized = [Total]> {
    /// The version at which one of the totals, or an entry of one of the addresses, last changed.
    pub(crate) stamp: u64,
    /// The digest of the content, as the shard last computed it.
    pub(crate) digest: u64,
    loaded: Option<Box<LoadedWords>>,
    pub(crate) totals: T,
}

/// The entries of a block.
#[derive(Debug)]
struct LoadedWords {
    /// A bit for each address that has an entry.
    mask: u64,
    /// In ascending order of their addresses, one for each bit of the mask.
    entries: Vec<Entry>,
}

impl LoadedWords {
    /// Whether the mask and the addresses of the entries are the same. A bit that flips in either makes it false.
    fn is_sound(&self, first: u32) -> bool {
        let mut rest = self.mask;
        self.entries.iter().all(|entry| {
            let offset = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            entry.addr.checked_sub(first) == Some(offset)
        }) && rest == 0
    }
}

/// Inserts an item. A list of few items, of which there are many, grows by half of its length and not to twice of it.
pub(crate) fn insert_sparing<T>(list: &mut Vec<T>, at: usize, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 2).max(1));
    }
    list.insert(at, item);
}

/// The index of a bit among those of a mask: how many bits below it are set.
#[inline]
pub(crate) fn rank(mask: u64, bit: usize) -> usize {
    (mask & ((1 << bit) - 1)).count_ones() as usize
}

impl Block {
    /// A block of identities. `words` is 16, 32 or 64.
    pub(crate) fn new(words: usize) -> Box<Self> {
        match words {
            16 => Block::<[Total; 16]>::boxed(),
            32 => Block::<[Total; 32]>::boxed(),
            _ => Block::<[Total; BLOCK_WORDS]>::boxed(),
        }
    }

    /// The entry of the address at this offset in the block.
    #[inline]
    pub(crate) fn entry(&self, offset: usize) -> Option<&Entry> {
        let loaded = self.loaded.as_deref()?;
        // If the mask was damaged, there may be fewer entries.
        loaded.entries.get(rank(loaded.mask, offset)).filter(|_| loaded.mask >> offset & 1 != 0)
    }

    /// Whether the mask of the entries, and the address of the entry at this offset, are as they were set.
    #[inline]
    pub(crate) fn has_sound_address(&self, offset: usize, addr: u32) -> bool {
        let is_mask_sound = |loaded: &LoadedWords| loaded.mask.count_ones() as usize == loaded.entries.len();
        self.loaded.as_deref().is_none_or(is_mask_sound)
            && self.entry(offset).is_none_or(|entry| entry.addr == addr)
    }

    /// Whether the addresses of all entries are those that were set. `first` is the address of the first total.
    #[inline]
    pub(crate) fn has_sound_addresses(&self, first: u32) -> bool {
        self.loaded.as_deref().is_none_or(|loaded| loaded.is_sound(first))
    }

    /// The entries, in ascending order of their addresses.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.loaded.as_deref().map_or(&[], |loaded| &loaded.entries)
    }

    /// Sets the entry of the address at this offset in the block, and returns the one that was there. The cost does not
    /// depend on how many addresses of the shard have entries.
    pub(crate) fn set_entry(&mut self, offset: usize, entry: Entry) -> Option<Entry> {
        let loaded =
            self.loaded.get_or_insert_with(|| Box::new(LoadedWords { mask: 0, entries: Vec::new() }));
        // If the mask was damaged, there may be fewer entries.
        let (bit, at) = (1 << offset, rank(loaded.mask, offset).min(loaded.entries.len()));
        if loaded.mask & bit != 0
            && let Some(old) = loaded.entries.get_mut(at)
        {
            return Some(core::mem::replace(old, entry));
        }
        loaded.mask |= bit;
        insert_sparing(&mut loaded.entries, at, entry);
        None
    }

    /// A digest of the content: of all totals that are not the identity, and of all entries. It is 0 if there are none,
    /// so that it makes no difference whether a block without content is allocated. `first` is the address of the first
    /// total.
    pub(crate) fn compute_digest(&self, first: u32) -> u64 {
        if self.entries().is_empty() && self.totals.iter().all(|total| total.0 == 0) {
            return 0;
        }
        let mut digest = WordDigest::new();
        for (offset, total) in (0..).zip(&self.totals).filter(|(_, total)| total.0 != 0) {
            let offset: u32 = offset;
            digest.word((first + offset).into());
            digest.word(total.0);
        }
        // This is no address, so totals can't be mistaken for entries.
        digest.word(u64::MAX);
        for Entry { addr, register, total } in self.entries() {
            let ReplicaId { node, incarnation } = register.timestamp.origin;
            for word in
                [(*addr).into(), register.timestamp.counter, node, incarnation, register.value, total.0]
            {
                digest.word(word);
            }
        }
        digest.finish()
    }

    /// The mask of the entries.
    #[cfg(any(test, feature = "damage"))]
    pub(crate) fn entry_mask(&mut self) -> Option<&mut u64> {
        Some(&mut self.loaded.as_deref_mut()?.mask)
    }

    /// The addresses of the entries.
    #[cfg(any(test, feature = "damage"))]
    pub(crate) fn entry_addresses(&mut self) -> impl Iterator<Item = &mut u32> {
        self.loaded.iter_mut().flat_map(|loaded| &mut loaded.entries).map(|entry| &mut entry.addr)
    }

    /// The words of the entries.
    #[cfg(any(test, feature = "damage"))]
    pub(crate) fn words_of_entries(&mut self) -> impl Iterator<Item = &mut u64> {
        let entries = self.loaded.iter_mut().flat_map(|loaded| &mut loaded.entries);
        entries.flat_map(|Entry { register: Register { timestamp, value }, total, .. }| {
            let LoadTimestamp { counter, origin } = timestamp;
            [counter, &mut origin.node, &mut origin.incarnation, value, &mut total.0]
        })
    }
}

impl<const N: usize> Block<[Total; N]> {
    fn boxed() -> Box<Block> {
        Box::new(Self { stamp: 0, digest: 0, loaded: None, totals: [Total::default(); N] })
    }
}
