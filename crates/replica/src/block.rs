//! The unit in which a shard remembers what changed.

use crate::register::Total;

/// The number of words in a block.
pub(crate) const BLOCK_WORDS: usize = 64;

/// The totals of 64 neighbouring addresses.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The version at which one of the totals, or an entry of one of the addresses, last changed.
    pub(crate) stamp: u64,
    pub(crate) totals: [Total; BLOCK_WORDS],
}

impl Block {
    pub(crate) fn new() -> Self {
        Self { stamp: 0, totals: [Total::default(); BLOCK_WORDS] }
    }

    /// The totals, each with its address. `first` is the address of the first one.
    pub(crate) fn totals_from(&self, first: u32) -> impl Iterator<Item = (u32, Total)> + use<> {
        (0..).zip(self.totals).map(move |(offset, total): (u32, _)| (first + offset, total))
    }
}
