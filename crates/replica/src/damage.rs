//! Bits that flip in memory, for the simulator and the tests. Programs have no use for it.

use alloc::vec::Vec;

/// A kind of memory of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The merged states.
    Merged,
    /// The part of the live states that the replica gives to readers.
    Remote,
    /// The initial base.
    Base,
    /// The winning registers.
    Registers,
    /// The digests that follow the versions.
    VersionDigests,
    /// The versions of shards.
    Versions,
    /// The versions that the store is known to have.
    StoredVersions,
    /// The stamps of blocks.
    Stamps,
    /// The totals of words.
    Totals,
    /// The entries of loaded addresses.
    Entries,
    /// The masks that tell which addresses have entries.
    EntryMasks,
    /// The addresses of entries.
    EntryAddresses,
    /// The ids of the origins of planes.
    Origins,
}

impl Memory {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Merged,
        Self::Remote,
        Self::Base,
        Self::Registers,
        Self::VersionDigests,
        Self::Versions,
        Self::StoredVersions,
        Self::Stamps,
        Self::Totals,
        Self::Entries,
        Self::EntryMasks,
        Self::EntryAddresses,
        Self::Origins,
    ];
}

/// Flips one of the bits of these words. Returns whether there are any.
pub(crate) fn flip_one<'a>(words: impl Iterator<Item = &'a mut u64>, bit: usize) -> bool {
    let mut words: Vec<&mut u64> = words.collect();
    let count = words.len();
    if count > 0 {
        *words[bit / 64 % count] ^= 1 << (bit % 64);
    }
    count > 0
}
