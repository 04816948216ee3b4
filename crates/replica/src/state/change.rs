//! What changes the state: frames, ticks and LOADs.

use alloc::boxed::Box;
use alloc::vec::Vec;

use atomik_core::Algebra;

use super::ReplicaState;
use crate::block::BLOCK_WORDS;
use crate::frame::{Totals, Words};
use crate::register::{Entry, LoadTimestamp, Register, Total};
use crate::shape::ShardKey;
use crate::shard::Shard;

impl<A: Algebra> ReplicaState<A> {
    /// Applies a delta that came from elsewhere, so that readers of the live states get it too.
    #[inline]
    fn apply_delta(&mut self, addr: u32, delta: u64) {
        let merged = &mut self.merged[addr as usize];
        *merged = A::compose(*merged, delta);
        // A load and a store make an accum, because nothing else writes to this table.
        let remote = &self.remote[addr as usize];
        remote.load(A::compose(remote.read(), delta));
        if let Some(changes) = &mut self.changes {
            changes.touch(addr as usize / BLOCK_WORDS);
        }
    }

    /// Sets the state of an address, whatever it was. `ticked` is what the ticks took out of the fan-in, by address:
    /// readers of the live states have it from there.
    fn set_state(&mut self, addr: u32, state: u64, ticked: &[u64]) {
        let addr = addr as usize;
        self.merged[addr] = state;
        self.set_remote(addr, A::delta(ticked[addr], state));
    }

    /// Sets the part of a live state that readers get from here.
    pub(super) fn set_remote(&mut self, addr: usize, state: u64) {
        self.remote[addr].load(state);
        if let Some(changes) = &mut self.changes {
            changes.touch(addr / BLOCK_WORDS);
        }
    }

    /// The state of an address that was loaded: the value of the winning register, and the totals of all entries that
    /// have the same timestamp.
    pub(super) fn state_of_loaded(&self, addr: u32, winner: Register) -> u64 {
        let shard = self.shape.shard_of(addr);
        let entries = self.planes.iter().filter_map(|plane| plane.shard(shard)?.entry(addr));
        entries
            .filter(|entry| entry.register.timestamp == winner.timestamp)
            .fold(winner.value, |state, entry| A::compose(state, entry.total.0))
    }

    /// Sets what a frame contains: its words and entries, the stamps of their blocks, and the version of the shard. The
    /// frame was checked before, so its addresses ascend within the shard. `ticked` is what the ticks took out of the
    /// fan-in, by address. Returns the shards of earlier starts that the frame covers, which are removed.
    pub(crate) fn apply(
        &mut self,
        key: ShardKey,
        to: u64,
        totals: Totals<'_>,
        ticked: &[u64],
    ) -> Vec<ShardKey> {
        let plane = self.insert_plane(key.origin);
        self.set_version(plane, key.shard, to);
        // Entries come first, because the words of an address that the frame reports as loaded do not count.
        for entry in totals.entries.iter() {
            self.apply_entry(plane, key.shard, to, entry, ticked);
        }
        for (block, words) in totals.words.by_block() {
            self.apply_words(plane, key.shard, to, block, words);
        }
        self.planes[plane].get_or_insert(key.shard, self.shape).set_covers(totals.covers);
        self.drop_covered(key, ticked)
    }

    /// Sets an entry, whose cost does not depend on the number of origins while the winning register stays or a greater
    /// one takes its place.
    fn apply_entry(&mut self, plane: usize, shard: usize, to: u64, entry: Entry, ticked: &[u64]) {
        let Entry { addr, register, total } = entry;
        self.check_register(addr);
        let before = self.registers.get(addr);
        if before.is_none_or(|before| before < register) {
            // A damaged entry of the own plane may come back with this register, and would then look right.
            self.check_own(addr);
        }
        let touched = self.planes[plane].get_or_insert(shard, self.shape);
        let old = touched.set_entry(entry, to);
        let winner = match before {
            // No plane promises to keep its entry. What no plane has any more can't win.
            Some(before) if register < before && old.is_some_and(|old| old.register == before) => {
                self.greatest_register(addr).unwrap_or(register)
            }
            Some(before) => register.max(before),
            None => register,
        };
        self.registers.set(addr, winner);
        let state = match before {
            Some(before) if before.timestamp == winner.timestamp => {
                let of_winner = |entry: Entry| entry.register.timestamp == winner.timestamp;
                let total_of = |entry: Entry| if of_winner(entry) { entry.total.0 } else { A::IDENTITY };
                let totals = A::delta(old.map_or(A::IDENTITY, total_of), total_of(entry));
                let values = A::delta(before.value, winner.value);
                self.apply_delta(addr, A::compose(values, totals));
                return;
            }
            // No other plane has an entry with a timestamp above all that were here.
            _ if winner == register && before.is_none_or(|before| before < register) => {
                A::compose(register.value, total.0)
            }
            _ => self.state_of_loaded(addr, winner),
        };
        self.set_state(addr, state, ticked);
    }

    /// The greatest register of an address in any plane.
    pub(super) fn greatest_register(&self, addr: u32) -> Option<Register> {
        let shard = self.shape.shard_of(addr);
        let entries = self.planes.iter().filter_map(|plane| plane.shard(shard)?.entry(addr));
        entries.map(|entry| entry.register).max()
    }

    /// Sets words of one block of the table. The totals of addresses that were loaded are stored, but do not count.
    #[inline]
    fn apply_words(&mut self, plane: usize, shard: usize, to: u64, block: usize, words: Words<'_>) {
        let first = block * BLOCK_WORDS;
        let end = self.shape.len.min(first + BLOCK_WORDS);
        if !self.registers.is_mask_sound(block) {
            self.note_damaged_register(block);
        }
        let loaded = self.registers.loaded_in_block(block);
        // A shard that is shorter than 64 words begins within them.
        let first_of_shard = self.shape.range(shard).start.max(first);
        let touched = self.planes[plane].get_or_insert(shard, self.shape);
        let touched = touched.stamped_block_mut(first_of_shard as u32, to);
        if let Some(changes) = &mut self.changes {
            changes.touch(block);
        }
        let skipped = first_of_shard - first;
        let (merged, remote) = (&mut self.merged[first..end], &self.remote[first..end]);
        for word in words.iter() {
            let offset = word.addr() as usize % BLOCK_WORDS;
            let old = core::mem::replace(&mut touched.totals[offset - skipped], word.total());
            if loaded >> offset & 1 == 1 {
                continue;
            }
            let delta = A::delta(old.0, word.total().0);
            merged[offset] = A::compose(merged[offset], delta);
            // A load and a store make an accum, because nothing else writes to this table.
            remote[offset].load(A::compose(remote[offset].read(), delta));
        }
    }

    /// Makes a version of a shard of the own plane from deltas, whose addresses lie in it and ascend. Readers have the
    /// deltas already, from the fan-in. The caller has [checked](Self::check_register) the registers.
    pub(crate) fn tick(&mut self, shard: usize, deltas: impl Iterator<Item = (u32, u64)>) {
        let own = self.own_plane();
        let Self { planes, registers, merged, shape, .. } = self;
        let touched = planes[own].get_or_insert(shard, *shape);
        let version = touched.version() + 1;
        for (addr, delta) in deltas {
            match registers.get(addr) {
                None => {
                    let block = touched.stamped_block_mut(addr, version);
                    let total = &mut block.totals[addr as usize % shape.block_words()];
                    *total = Total(A::compose(total.0, delta));
                }
                Some(register) => {
                    let total = match touched.entry(addr) {
                        Some(entry) if entry.register.timestamp == register.timestamp => entry.total.0,
                        _ => A::IDENTITY,
                    };
                    let total = Total(A::compose(total, delta));
                    touched.set_entry(Entry { addr, register, total }, version);
                }
            }
            let merged = &mut merged[addr as usize];
            *merged = A::compose(*merged, delta);
        }
        self.set_version(own, shard, version);
    }

    /// Makes a version of a shard of the own plane from a LOAD, with a timestamp above all that were seen.
    pub(crate) fn load(&mut self, addr: u32, value: u64, ticked: &[u64]) {
        self.check_register(addr);
        let counter = self.registers.next_counter(addr);
        let register = Register { timestamp: LoadTimestamp { counter, origin: self.own }, value };
        let (own, shard) = (self.own_plane(), self.shape.shard_of(addr));
        let touched = self.planes[own].get_or_insert(shard, self.shape);
        let version = touched.version() + 1;
        touched.set_entry(Entry { addr, register, total: Total::default() }, version);
        self.set_version(own, shard, version);
        self.registers.set(addr, register);
        self.set_state(addr, value, ticked);
    }

    /// Puts what a frame from version 0 contains in the place of a shard. Returns the shards of earlier starts that it
    /// covers, which are removed.
    pub(crate) fn replace(
        &mut self,
        key: ShardKey,
        to: u64,
        totals: Totals<'_>,
        ticked: &[u64],
    ) -> Vec<ShardKey> {
        let Ok(plane) = self.find(key.origin) else { return Vec::new() };
        let mut shard = Box::new(Shard::new(self.shape, key.shard));
        for word in totals.words.iter() {
            let block = shard.stamped_block_mut(word.addr(), to);
            let offset = word.addr() as usize % block.totals.len();
            block.totals[offset] = word.total();
        }
        for entry in totals.entries.iter() {
            shard.set_entry(entry, to);
        }
        let old = self.shard(key).map_or([0, 0], Shard::versions);
        shard.set_version(old[0]);
        shard.set_covers(totals.covers);
        self.version_sums.replace(key, [old, shard.versions()]);
        self.planes[plane].insert(key.shard, shard);
        self.set_version(plane, key.shard, to);
        let removed = self.remove_covered(key);
        self.recompute(key.shard, ticked);
        removed
    }
}
