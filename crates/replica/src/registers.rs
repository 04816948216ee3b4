//! The winning register of each address that was loaded.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::block::{BLOCK_WORDS, insert_sparing, rank};
use crate::checksum::mix;
#[cfg(any(test, feature = "damage"))]
use crate::register::LoadTimestamp;
use crate::register::Register;

/// The greatest register of each address that was ever loaded.
///
/// Registers are kept here so that they need not be sought in the planes. Memory can fail, and a register that was
/// damaged would spread with the next tick. So each has a checksum, which is compared when the register is used.
pub(crate) struct Registers {
    /// For each 64 addresses of the table, those that were loaded.
    blocks: Vec<Option<Box<RegisterBlock>>>,
}

/// The registers of 64 neighbouring addresses.
struct RegisterBlock {
    /// A bit for each address that was loaded.
    mask: u64,
    /// One for each bit of the mask.
    greatest: Vec<Checked>,
}

/// A register with a checksum of it and of its address.
struct Checked {
    register: Register,
    checksum: u64,
}

impl Checked {
    fn new(addr: u32, register: Register) -> Self {
        Self { register, checksum: mix(register.checksum(), addr.into()) }
    }
}

impl RegisterBlock {
    /// Whether there is a register for each bit of the mask. A bit that flips makes it false.
    fn has_sound_mask(&self) -> bool {
        self.mask.count_ones() as usize == self.greatest.len()
    }
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
        let is_loaded = block.mask >> bit & 1 != 0;
        // If the mask was damaged, there may be fewer registers.
        block.greatest.get(rank(block.mask, bit)).filter(|_| is_loaded).map(|checked| checked.register)
    }

    /// Whether the register of an address, or that there is none, is as it was set.
    #[inline]
    pub(crate) fn is_sound(&self, addr: u32) -> bool {
        let Some(block) = self.blocks[addr as usize / BLOCK_WORDS].as_deref() else { return true };
        let bit = addr as usize % BLOCK_WORDS;
        let is_right = |checked: &Checked| checked.checksum == Checked::new(addr, checked.register).checksum;
        block.has_sound_mask()
            && (block.mask >> bit & 1 == 0 || block.greatest.get(rank(block.mask, bit)).is_some_and(is_right))
    }

    /// Whether the mask of 64 addresses is as it was set.
    #[inline]
    pub(crate) fn is_mask_sound(&self, block: usize) -> bool {
        self.blocks[block].as_deref().is_none_or(RegisterBlock::has_sound_mask)
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
            block.greatest[at] = Checked::new(addr, register);
        } else {
            block.mask |= 1 << bit;
            insert_sparing(&mut block.greatest, at, Checked::new(addr, register));
        }
    }

    /// Replaces the registers of 64 addresses by these, which are in ascending order.
    pub(crate) fn set_block(&mut self, block: usize, registers: impl Iterator<Item = (u32, Register)>) {
        self.blocks[block] = None;
        registers.for_each(|(addr, register)| self.set(addr, register));
    }

    /// The addresses that were loaded, with their registers.
    #[cfg(test)]
    pub(crate) fn all(&self) -> alloc::collections::BTreeMap<u32, Register> {
        (0..(BLOCK_WORDS * self.blocks.len()) as u32)
            .filter_map(|addr| Some((addr, self.get(addr)?)))
            .collect()
    }

    /// Flips a bit of the registers of 64 addresses. Returns whether there are any.
    #[cfg(any(test, feature = "damage"))]
    pub(crate) fn flip(&mut self, block: usize, bit: usize) -> bool {
        let Some(RegisterBlock { mask, greatest }) = self.blocks[block].as_deref_mut() else { return false };
        let registers = greatest.iter_mut().flat_map(|Checked { register, checksum }| {
            let Register { timestamp: LoadTimestamp { counter, origin }, value } = register;
            [counter, &mut origin.node, &mut origin.incarnation, value, checksum]
        });
        let words = core::iter::once(mask).chain(registers);
        crate::damage::flip_one(words, bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica_id::ReplicaId;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn register(counter: u64) -> Register {
        let origin = ReplicaId { node: 1, incarnation: 1 };
        Register { timestamp: LoadTimestamp { counter, origin }, value: 7 }
    }

    proptest! {
        #[test]
        fn registers_are_a_map_by_address(
            set in proptest::collection::vec((0..200u32, 1..9u64), 0..200),
            block in 0..4usize,
        ) {
            let mut registers = Registers::new(200);
            let mut expected: BTreeMap<u32, Register> = BTreeMap::new();
            for (addr, counter) in set {
                registers.set(addr, register(counter));
                expected.insert(addr, register(counter));
            }
            prop_assert_eq!(&registers.all(), &expected);
            for addr in 0..200 {
                prop_assert_eq!(registers.get(addr), expected.get(&addr).copied());
                prop_assert_eq!(registers.is_loaded(addr), expected.contains_key(&addr));
                prop_assert!(registers.is_sound(addr));
            }
            let addrs = 64 * block as u32..64 * (block as u32 + 1);
            let one = (addrs.start + 5, register(9));
            registers.set_block(block, [one].into_iter());
            expected.retain(|addr, _| !addrs.contains(addr));
            expected.extend([one]);
            prop_assert_eq!(&registers.all(), &expected);
        }
    }

    #[test]
    fn any_flipped_bit_is_found_when_the_register_is_used() {
        for bit in 0..64 * (1 + 2 * 5) {
            let mut registers = Registers::new(128);
            registers.set(70, register(1));
            registers.set(72, register(2));
            assert!(registers.flip(1, bit) && !registers.flip(0, bit));
            let sound = (64..128).filter(|&addr| registers.is_sound(addr)).count();
            assert_eq!((sound, registers.is_mask_sound(1)), if bit < 64 { (0, false) } else { (63, true) });
            // Nothing panics.
            assert!((64..128).filter_map(|addr| registers.get(addr)).count() <= 3);
        }
    }
}
