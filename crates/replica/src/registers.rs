//! The winning register of each address that was loaded.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use crate::block::{BLOCK_WORDS, insert_sparing, rank};
use crate::register::Register;

/// The greatest register of each address that was ever loaded.
pub(crate) struct Registers {
    /// For each 64 addresses of the table, those that were loaded.
    blocks: Vec<Option<Box<RegisterBlock>>>,
}

/// The registers of 64 neighbouring addresses.
struct RegisterBlock {
    /// A bit for each address that was loaded.
    mask: u64,
    /// One for each bit of the mask.
    greatest: Vec<Register>,
}

impl Registers {
    /// No registers, for a table of `len` words.
    pub(crate) fn new(len: usize) -> Self {
        let mut blocks = Vec::new();
        blocks.resize_with(len.div_ceil(BLOCK_WORDS), || None);
        Self { blocks }
    }

    #[inline]
    pub(crate) fn is_loaded(&self, addr: u32) -> bool {
        self.loaded_in_block(addr as usize / BLOCK_WORDS) >> (addr as usize % BLOCK_WORDS) & 1 != 0
    }

    /// One bit for each of 64 addresses of the table: whether it was loaded.
    #[inline]
    pub(crate) fn loaded_in_block(&self, block: usize) -> u64 {
        self.blocks[block].as_deref().map_or(0, |block| block.mask)
    }

    #[inline]
    pub(crate) fn get(&self, addr: u32) -> Option<Register> {
        let block = self.blocks[addr as usize / BLOCK_WORDS].as_deref()?;
        let bit = addr as usize % BLOCK_WORDS;
        (block.mask >> bit & 1 != 0).then(|| block.greatest[rank(block.mask, bit)])
    }

    /// The counter of a timestamp that is above all that were seen for the address.
    pub(crate) fn next_counter(&self, addr: u32) -> u64 {
        self.get(addr).map_or(0, |register| register.timestamp.counter) + 1
    }

    /// Sets the register of an address.
    pub(crate) fn set(&mut self, addr: u32, register: Register) {
        let block = self.blocks[addr as usize / BLOCK_WORDS]
            .get_or_insert_with(|| Box::new(RegisterBlock { mask: 0, greatest: Vec::new() }));
        let bit = addr as usize % BLOCK_WORDS;
        let at = rank(block.mask, bit);
        if block.mask >> bit & 1 != 0 {
            block.greatest[at] = register;
        } else {
            block.mask |= 1 << bit;
            insert_sparing(&mut block.greatest, at, register);
        }
    }

    /// Takes a register into account: it is set if it is greater than the one that is there.
    pub(crate) fn adopt(&mut self, addr: u32, register: Register) {
        if self.get(addr).is_none_or(|greatest| register > greatest) {
            self.set(addr, register);
        }
    }

    /// The addresses in a range that were loaded, with their registers.
    pub(crate) fn range(&self, addrs: Range<usize>) -> impl Iterator<Item = (u32, Register)> {
        let blocks = addrs.start / BLOCK_WORDS..addrs.end.div_ceil(BLOCK_WORDS);
        let registers =
            blocks.filter_map(|at| Some((at, self.blocks[at].as_deref()?))).flat_map(|(at, block)| {
                let bits = (0..BLOCK_WORDS).filter(|bit| block.mask >> bit & 1 != 0);
                bits.zip(&block.greatest).map(move |(bit, &register)| (at * BLOCK_WORDS + bit, register))
            });
        registers
            .filter(move |(addr, _)| addrs.contains(addr))
            .map(|(addr, register)| (addr as u32, register))
    }

    /// Forgets the registers of a range.
    pub(crate) fn clear(&mut self, addrs: Range<usize>) {
        for at in addrs.start / BLOCK_WORDS..addrs.end.div_ceil(BLOCK_WORDS) {
            let Some(block) = &mut self.blocks[at] else { continue };
            let first = at * BLOCK_WORDS;
            let keeps = |bit: usize| !addrs.contains(&(first + bit));
            let bits: Vec<usize> = (0..BLOCK_WORDS).filter(|bit| block.mask >> bit & 1 != 0).collect();
            let mut of_register = bits.iter();
            block.greatest.retain(|_| of_register.next().is_some_and(|&bit| keeps(bit)));
            block.mask = bits.iter().filter(|&&bit| keeps(bit)).fold(0, |mask, bit| mask | 1 << bit);
            if block.mask == 0 {
                self.blocks[at] = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::LoadTimestamp;
    use crate::replica_id::ReplicaId;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn register(counter: u64) -> Register {
        let origin = ReplicaId { node: 1, incarnation: 1 };
        Register { timestamp: LoadTimestamp { counter, origin }, value: 7 }
    }

    proptest! {
        /// Ranges that begin and end within 64 addresses are those of small shards.
        #[test]
        fn registers_are_a_map_by_address(
            adopted in proptest::collection::vec((0..200u32, 1..9u64), 0..200),
            start in 0..200usize,
            len in 0..100usize,
        ) {
            let mut registers = Registers::new(200);
            let mut expected: BTreeMap<u32, Register> = BTreeMap::new();
            for (addr, counter) in adopted {
                registers.adopt(addr, register(counter));
                let greatest = expected.entry(addr).or_insert(register(0));
                *greatest = register(counter).max(*greatest);
            }
            let all = |registers: &Registers| registers.range(0..200).collect::<BTreeMap<_, _>>();
            prop_assert_eq!(&all(&registers), &expected);
            for addr in 0..200 {
                prop_assert_eq!(registers.get(addr), expected.get(&addr).copied());
                prop_assert_eq!(registers.is_loaded(addr), expected.contains_key(&addr));
            }
            let range = start..200.min(start + len);
            prop_assert!(registers.range(range.clone()).eq(expected
                .iter()
                .filter(|(addr, _)| range.contains(&(**addr as usize)))
                .map(|(&addr, &register)| (addr, register))));
            registers.clear(range.clone());
            expected.retain(|addr, _| !range.contains(&(*addr as usize)));
            prop_assert_eq!(&all(&registers), &expected);
        }
    }
}
