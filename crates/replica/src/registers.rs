//! The winning register of each address that was loaded.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::block::BLOCK_WORDS;
use crate::register::Register;

/// The greatest register seen for each address that was ever loaded.
pub(crate) struct Registers {
    greatest: BTreeMap<u32, Register>,
    /// One bit for each address, one word for each block: whether the address is in `greatest`.
    loaded: Vec<u64>,
}

impl Registers {
    /// No registers, for a table of `len` words.
    pub(crate) fn new(len: usize) -> Self {
        Self { greatest: BTreeMap::new(), loaded: vec![0; len.div_ceil(BLOCK_WORDS)] }
    }

    #[inline]
    pub(crate) fn is_loaded(&self, addr: u32) -> bool {
        self.loaded_in_block(addr as usize / BLOCK_WORDS) >> (addr as usize % BLOCK_WORDS) & 1 != 0
    }

    /// One bit for each address of a block of the table: whether it was loaded.
    #[inline]
    pub(crate) fn loaded_in_block(&self, block: usize) -> u64 {
        self.loaded[block]
    }

    pub(crate) fn get(&self, addr: u32) -> Option<Register> {
        // The bit answers for most addresses, without a search.
        if self.is_loaded(addr) { self.greatest.get(&addr).copied() } else { None }
    }

    /// The counter of a timestamp that is above all that were seen for the address.
    pub(crate) fn next_counter(&self, addr: u32) -> u64 {
        self.get(addr).map_or(0, |register| register.timestamp.counter) + 1
    }

    /// Takes a register into account, and returns the one that wins.
    pub(crate) fn adopt(&mut self, addr: u32, register: Register) -> Register {
        self.loaded[addr as usize / BLOCK_WORDS] |= 1 << (addr as usize % BLOCK_WORDS);
        let greatest = self.greatest.entry(addr).or_insert(register);
        *greatest = register.max(*greatest);
        *greatest
    }

    /// The addresses in a range that were loaded, with their registers.
    pub(crate) fn range(&self, addrs: RangeInclusive<u32>) -> impl Iterator<Item = (u32, Register)> {
        self.greatest.range(addrs).map(|(&addr, &register)| (addr, register))
    }

    /// Forgets the registers of a range that consists of whole blocks, or ends with the table.
    pub(crate) fn clear(&mut self, addrs: RangeInclusive<u32>) {
        let blocks = *addrs.start() as usize / BLOCK_WORDS..=*addrs.end() as usize / BLOCK_WORDS;
        self.loaded[blocks].fill(0);
        let old: Vec<u32> = self.greatest.range(addrs).map(|(&addr, _)| addr).collect();
        for addr in old {
            self.greatest.remove(&addr);
        }
    }
}
