//! What is derived from the planes and the base, and the audit of it: memory can fail.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use atomik_core::Algebra;

use super::ReplicaState;
use crate::block::BLOCK_WORDS;
use crate::checksum::{WordDigest, mix};
use crate::register::{Entry, Register};
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// How many addresses of a shard were wrong, and are right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mended {
    pub(crate) merged: usize,
    pub(crate) remote: usize,
    pub(crate) registers: usize,
}

/// A version, or the stamps of a shard, that were wrong and are right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MendedVersion {
    pub(crate) origin: ReplicaId,
    /// The version that was found. It is the right one if only stamps were wrong.
    pub(crate) found: u64,
    pub(crate) version: u64,
}

/// What was wrong with the versions of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MendedVersions {
    /// Whether the versions are not those that were set. A frame may have replaced the wrong one since.
    pub(crate) were_damaged: bool,
    pub(crate) versions: Vec<MendedVersion>,
}

/// A digest of one version of one origin's shard. The digests of several are composed by XOR.
pub(super) fn version_digest(origin: ReplicaId, version: u64) -> u64 {
    if version == 0 { 0 } else { mix(mix(mix(0, origin.node), origin.incarnation), version) }
}

/// A digest of the base of a shard.
fn base_digest(base: &[u64]) -> u64 {
    let mut digest = WordDigest::new();
    base.iter().for_each(|&word| digest.word(word));
    digest.finish()
}

impl<A: Algebra> ReplicaState<A> {
    /// The digests of the base, for each shard. None, if there is no base.
    pub(super) fn compute_base_digests(&self) -> Vec<u64> {
        let shards = 0..self.base.as_ref().map_or(0, |_| self.shape.shards());
        shards.filter_map(|shard| Some(base_digest(&self.base.as_ref()?[self.shape.range(shard)]))).collect()
    }

    /// Whether the base of a shard is what it was at the start.
    pub(crate) fn has_sound_base(&self, shard: usize) -> bool {
        let Some(base) = &self.base else { return true };
        base_digest(&base[self.shape.range(shard)]) == self.base_digests[shard]
    }

    /// The merged states and the registers of a shard, from the base and the planes.
    fn compose(&self, shard: usize) -> (Box<[u64]>, BTreeMap<u32, Register>) {
        let range = self.shape.range(shard);
        let mut states: Box<[u64]> = match &self.base {
            Some(base) => base[range.clone()].into(),
            None => vec![A::IDENTITY; range.len()].into(),
        };
        let mut winners = BTreeMap::new();
        for touched in self.planes.iter().filter_map(|plane| plane.shard(shard)) {
            for (addr, total) in touched.totals() {
                let state = &mut states[addr as usize - range.start];
                *state = A::compose(*state, total.0);
            }
            // Memory may have failed, and an address be another one.
            for entry in touched.entries().filter(|entry| range.contains(&(entry.addr as usize))) {
                let winner = winners.entry(entry.addr).or_insert(entry.register);
                *winner = entry.register.max(*winner);
            }
        }
        for (&addr, &winner) in &winners {
            states[addr as usize - range.start] = self.state_of_loaded(addr, winner);
        }
        (states, winners)
    }

    /// Computes the registers, the merged states and the remote states of a shard from the base and the planes. Sets
    /// those that differ, each by itself, so that an error in one of them does not get into another. `ticked` is what
    /// the ticks took out of the fan-in, by address: readers of the live states have it from there.
    pub(crate) fn recompute(&mut self, shard: usize, ticked: &[u64]) -> Mended {
        let range = self.shape.range(shard);
        let (states, winners) = self.compose(shard);
        let mut mended = Mended::default();
        let differs = |addr: usize| {
            let addr = addr as u32;
            !self.registers.is_sound(addr) || self.registers.get(addr) != winners.get(&addr).copied()
        };
        let wrong: Vec<usize> = range.clone().filter(|&addr| differs(addr)).collect();
        mended.registers = wrong.len();
        let blocks: BTreeSet<usize> = wrong.into_iter().map(|addr| addr / BLOCK_WORDS).collect();
        blocks.into_iter().for_each(|block| self.mend_registers(block));
        for (addr, &state) in range.zip(&states) {
            mended.merged += usize::from(self.merged[addr] != state);
            self.merged[addr] = state;
            let remote = A::delta(ticked[addr], state);
            if self.remote[addr].read() != remote {
                mended.remote += 1;
                self.set_remote(addr, remote);
            }
        }
        mended
    }

    /// Sets the registers of 64 addresses to the greatest in the planes.
    fn mend_registers(&mut self, block: usize) {
        let addrs = block * BLOCK_WORDS..self.shape.len.min((block + 1) * BLOCK_WORDS);
        let greatest = |addr| Some((addr as u32, self.greatest_register(addr as u32)?));
        let winners: Vec<(u32, Register)> = addrs.filter_map(greatest).collect();
        self.registers.set_block(block, winners.into_iter());
    }

    /// Sets the registers of 64 addresses anew if one that is about to be used was damaged: it would spread with what
    /// is made of it.
    #[inline]
    pub(crate) fn check_register(&mut self, addr: u32) {
        if !self.registers.is_sound(addr) {
            self.note_damaged_register(addr as usize / BLOCK_WORDS);
        }
    }

    #[cold]
    pub(super) fn note_damaged_register(&mut self, block: usize) {
        self.mend_registers(block);
        let shard = self.shape.shard_of((block * BLOCK_WORDS) as u32);
        if self.damaged_registers.last() != Some(&shard) {
            self.damaged_registers.push(shard);
        }
    }

    /// Checks an address of which a version of the own plane is about to be made, or that is about to get another
    /// register: its register, and the entry of the own plane. Before the entry was announced, no digest of it may have
    /// been made.
    pub(crate) fn check_own(&mut self, addr: u32) {
        self.check_register(addr);
        let shard = self.shape.shard_of(addr);
        let key = ShardKey { origin: self.own, shard };
        let Some(touched) = self.shard(key) else { return };
        let winner = self.registers.get(addr);
        // No entry is above the winning register, and a LOAD of this replica stands in its own plane as long as it
        // wins.
        let is_right = |entry: &Entry| {
            winner.is_some_and(|winner| {
                entry.register == winner || (entry.register < winner && winner.timestamp.origin != self.own)
            })
        };
        let is_sound = touched.has_sound_entry_address(addr) && touched.entry(addr).is_none_or(is_right);
        if !is_sound && self.damaged_entries.last() != Some(&shard) {
            self.damaged_entries.push(shard);
        }
    }

    /// The shards of the own plane in which an entry was found damaged since the last call.
    pub(crate) fn take_damaged_entries(&mut self) -> Vec<usize> {
        core::mem::take(&mut self.damaged_entries)
    }

    /// The shards in which registers were found damaged since the last call, when they were used. They are right now.
    pub(crate) fn take_damaged_registers(&mut self) -> Vec<usize> {
        core::mem::take(&mut self.damaged_registers)
    }

    /// The origins whose entries of a shard have other addresses than were set, with their versions.
    pub(crate) fn with_damaged_addresses(&self, shard: usize) -> impl Iterator<Item = (ReplicaId, u64)> {
        let touched = self.planes.iter().filter_map(move |plane| Some((plane.origin(), plane.shard(shard)?)));
        touched
            .filter(|(_, touched)| !touched.has_sound_entry_addresses())
            .map(|(origin, touched)| (origin, touched.version()))
    }

    /// The digest of the versions of a shard, computed anew.
    pub(super) fn compute_versions_digest(&self, shard: usize) -> u64 {
        let planes =
            self.planes.iter().filter_map(|plane| Some((plane.origin(), plane.shard(shard)?.version())));
        planes.fold(0, |digest, (origin, version)| digest ^ version_digest(origin, version))
    }

    /// Compares the versions of a shard with the stamps of its blocks, of which the greatest is the version, and with
    /// the digest that followed the versions. Sets what is wrong.
    pub(crate) fn mend_versions(&mut self, shard: usize) -> MendedVersions {
        let are_right = self.compute_versions_digest(shard) == self.versions[shard];
        let mut mended = Vec::new();
        for plane in &mut self.planes {
            plane.mend_origin();
            let origin = plane.origin();
            let Some(touched) = plane.shard_mut(shard) else { continue };
            let (found, stamp) = (touched.version(), touched.greatest_stamp());
            let has_sound_stamps = touched.has_sound_stamps();
            if found == stamp && has_sound_stamps {
                continue;
            }
            if are_right || !has_sound_stamps {
                // No block may be left out of an answer, and it does not matter if one is in it for nothing.
                touched.set_stamps(found);
            } else {
                touched.set_version(stamp);
            }
            mended.push(MendedVersion { origin, found, version: touched.version() });
        }
        self.versions[shard] = self.compute_versions_digest(shard);
        MendedVersions { were_damaged: !are_right, versions: mended }
    }
}
