//! The state of a replica: the planes of all origins, and what they add up to.

mod audit;
#[cfg(any(test, feature = "damage"))]
mod damage;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use atomik_core::{Algebra, DeltaBatch, Table};

use crate::block::BLOCK_WORDS;
use crate::changes::Changes;
use crate::frame::{Totals, Words};
use crate::plane::Plane;
use crate::register::{Entry, LoadTimestamp, Register, Total};
use crate::registers::Registers;
use crate::replica_id::ReplicaId;
use crate::shape::{Shape, ShardKey};
use crate::shard::Shard;
use crate::version_sums::VersionSums;
use audit::version_digest;

pub(crate) use audit::{Mended, MendedVersion, MendedVersions};

/// All planes, their composition, and the part of it that readers get from here.
pub(crate) struct ReplicaState<A: Algebra> {
    shape: Shape,
    base: Option<Arc<[u64]>>,
    /// In the order of their origins. The replica's own plane is among them.
    planes: Vec<Plane>,
    own: ReplicaId,
    version_sums: VersionSums,
    registers: Registers,
    /// For each shard, a digest of the versions of all origins. It follows each change of a version.
    versions: Vec<u64>,
    /// For each shard, a digest of the base at the start, if there is a base.
    base_digests: Vec<u64>,
    /// Shards in which a register was found damaged when it was used.
    damaged_registers: Vec<usize>,
    /// The shards of the own plane in which an entry was found damaged when it was used.
    damaged_entries: Vec<usize>,
    /// The composition of the base and all planes.
    merged: Vec<u64>,
    /// Everything that changed `merged`, except for the replica's own ticks. Nothing else writes to this table.
    remote: Arc<Table<A>>,
    /// An observer of `remote`, if there is one.
    changes: Option<Changes>,
}

impl<A: Algebra> ReplicaState<A> {
    /// The state of a base and planes, before the first tick. No two planes have the same origin.
    pub(crate) fn new(
        shape: Shape,
        base: Option<Arc<[u64]>>,
        own: ReplicaId,
        mut planes: Vec<Plane>,
    ) -> Self {
        if planes.iter().all(|plane| plane.origin() != own) {
            planes.push(Plane::new(own));
        }
        planes.sort_unstable_by_key(Plane::origin);
        let merged = base.as_deref().map_or_else(|| vec![A::IDENTITY; shape.len], <[u64]>::to_vec);
        let remote = Arc::new(merged.iter().copied().collect());
        let registers = Registers::new(shape.len);
        let mut state = Self {
            shape,
            base,
            planes,
            own,
            version_sums: VersionSums::default(),
            registers,
            versions: vec![0; shape.shards()],
            base_digests: Vec::new(),
            damaged_registers: Vec::new(),
            damaged_entries: Vec::new(),
            merged,
            remote,
            changes: None,
        };
        state.base_digests = state.compute_base_digests();
        let unticked = vec![A::IDENTITY; shape.len];
        state.refresh_version_sums();
        let touched = state.planes.iter().flat_map(|plane| plane.shards().map(|(shard, _)| shard));
        let touched: BTreeSet<usize> = touched.collect();
        for shard in touched {
            state.versions[shard] = state.compute_versions_digest(shard);
            state.recompute(shard, &unticked);
        }
        state
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn remote(&self) -> &Arc<Table<A>> {
        &self.remote
    }

    /// Starts to observe what comes from elsewhere.
    pub(crate) fn observe(&mut self) {
        self.changes.get_or_insert_with(|| Changes::new(&self.remote));
    }

    /// The next deltas that came from elsewhere, by address.
    pub(crate) fn poll_changes(&mut self) -> Option<DeltaBatch<A>> {
        self.changes.as_mut()?.poll(&self.remote)
    }

    pub(crate) fn merged(&self) -> &[u64] {
        &self.merged
    }

    /// For tests that damage the merged states.
    #[cfg(test)]
    pub(crate) fn merged_mut(&mut self) -> &mut [u64] {
        &mut self.merged
    }

    pub(crate) fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The planes, in the order of their origins.
    pub(crate) fn planes(&self) -> &[Plane] {
        &self.planes
    }

    pub(crate) fn plane(&self, origin: ReplicaId) -> Option<&Plane> {
        self.find(origin).ok().map(|at| &self.planes[at])
    }

    pub(crate) fn shard(&self, key: ShardKey) -> Option<&Shard> {
        self.plane(key.origin)?.shard(key.shard)
    }

    /// The version of a shard, or 0 if nothing is known about it.
    #[inline]
    pub(crate) fn version(&self, key: ShardKey) -> u64 {
        self.shard(key).map_or(0, Shard::version)
    }

    pub(crate) fn shard_mut(&mut self, key: ShardKey) -> Option<&mut Shard> {
        let at = self.find(key.origin).ok()?;
        self.planes[at].shard_mut(key.shard)
    }

    /// The shard after another one, in the order of origins and shards. The first one follows the last one.
    pub(crate) fn next_key(&self, after: Option<ShardKey>) -> Option<ShardKey> {
        let (at, start) = match after.map(|key| (self.find(key.origin), key)) {
            None => (0, 0),
            Some((Ok(at), key)) => (at, key.shard + 1),
            Some((Err(at), _)) => (at, 0),
        };
        let of_plane = |plane: &Plane, start| {
            plane.next_shard(start).map(|shard| ShardKey { origin: plane.origin(), shard })
        };
        let (before, from) = self.planes.split_at(at);
        let first = from.first().and_then(|plane| of_plane(plane, start));
        // After the rest of the plane come the planes behind it, and then all from the first one on.
        let others = from.iter().skip(1).chain(before).chain(from.first());
        first.or_else(|| others.filter_map(|plane| of_plane(plane, 0)).next())
    }

    /// A digest of the versions that all origins have of a shard. Where two replicas have the same, they have the same
    /// merged states, unless memory or a disk failed.
    pub(crate) fn versions_digest(&self, shard: usize) -> u64 {
        self.versions[shard]
    }

    /// Sets the version of a shard, which is allocated if it does not exist.
    fn set_version(&mut self, plane: usize, shard: usize, version: u64) {
        let origin = self.planes[plane].origin();
        let touched = self.planes[plane].get_or_insert(shard, self.shape);
        let old = touched.versions();
        touched.set_version(version);
        self.version_sums.replace(ShardKey { origin, shard }, [old, touched.versions()]);
        self.versions[shard] ^= version_digest(origin, old[0]) ^ version_digest(origin, version);
    }

    /// Notes that the store has a version of a shard.
    pub(crate) fn set_stored_version(&mut self, key: ShardKey, version: u64) {
        if let Some(shard) = self.shard_mut(key) {
            let old = shard.versions();
            shard.set_stored_version(version);
            let new = shard.versions();
            self.version_sums.replace(key, [old, new]);
        }
    }

    /// The digests of the version vector.
    pub(crate) fn version_sums(&self) -> VersionSums {
        self.version_sums
    }

    /// Computes the digests of the version vector from all versions.
    pub(crate) fn refresh_version_sums(&mut self) {
        self.version_sums = VersionSums::default();
        for plane in &self.planes {
            for (shard, touched) in plane.shards() {
                let key = ShardKey { origin: plane.origin(), shard };
                self.version_sums.replace(key, [[0, 0], touched.versions()]);
            }
        }
    }

    fn find(&self, origin: ReplicaId) -> Result<usize, usize> {
        self.planes.binary_search_by_key(&origin, Plane::origin)
    }

    /// Gives the own plane to another origin, and begins a new one for the replica. A plane that was never written is not
    /// kept.
    pub(crate) fn renew(&mut self, own: ReplicaId) {
        let old = self.own_plane();
        if self.planes[old].shards().next().is_none() {
            self.planes.remove(old);
        }
        if let Err(at) = self.find(own) {
            self.planes.insert(at, Plane::new(own));
        }
        self.own = own;
    }

    /// The index of the replica's own plane.
    fn own_plane(&self) -> usize {
        self.find(self.own).expect("the own plane is made with the state and stays")
    }

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
    fn set_remote(&mut self, addr: usize, state: u64) {
        self.remote[addr].load(state);
        if let Some(changes) = &mut self.changes {
            changes.touch(addr / BLOCK_WORDS);
        }
    }

    /// The state of an address that was loaded: the value of the winning register, and the totals of all entries that
    /// have the same timestamp.
    fn state_of_loaded(&self, addr: u32, winner: Register) -> u64 {
        let shard = self.shape.shard_of(addr);
        let entries = self.planes.iter().filter_map(|plane| plane.shard(shard)?.entry(addr));
        entries
            .filter(|entry| entry.register.timestamp == winner.timestamp)
            .fold(winner.value, |state, entry| A::compose(state, entry.total.0))
    }

    /// Sets what a frame contains: its words and entries, the stamps of their blocks, and the version of the shard.
    /// The frame was checked before, so its addresses ascend within the shard. `ticked` is what the ticks took out of the
    /// fan-in, by address.
    pub(crate) fn apply(&mut self, key: ShardKey, to: u64, totals: Totals<'_>, ticked: &[u64]) {
        let plane = self.find(key.origin).unwrap_or_else(|at| {
            self.planes.insert(at, Plane::new(key.origin));
            at
        });
        self.set_version(plane, key.shard, to);
        // Entries come first, because the words of an address that the frame reports as loaded do not count.
        for entry in totals.entries.iter() {
            self.apply_entry(plane, key.shard, to, entry, ticked);
        }
        for (block, words) in totals.words.by_block() {
            self.apply_words(plane, key.shard, to, block, words);
        }
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
    fn greatest_register(&self, addr: u32) -> Option<Register> {
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

    /// Puts what a frame from version 0 contains in the place of a shard.
    pub(crate) fn replace(&mut self, key: ShardKey, to: u64, totals: Totals<'_>, ticked: &[u64]) {
        let Ok(plane) = self.find(key.origin) else { return };
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
        self.version_sums.replace(key, [old, shard.versions()]);
        self.planes[plane].insert(key.shard, shard);
        self.set_version(plane, key.shard, to);
        self.recompute(key.shard, ticked);
    }
}

#[cfg(test)]
mod tests;
