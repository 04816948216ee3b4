//! The state of a replica: planes, and what they add up to.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::frame::{WireEntry, WireWord};
use super::replica_id::{Entry, LoadTimestamp, Register, ReplicaId, Total};
use super::shard::{BLOCK_WORDS, Plane, Shape, Shard};
use atomik_core::{Algebra, Table};

/// All planes, their composition, and what of it readers were given.
pub(super) struct State<A: Algebra> {
    pub(super) shape: Shape,
    base: Option<Arc<[u64]>>,
    /// By origin; the own one is among them.
    planes: Vec<Plane>,
    own: ReplicaId,
    /// The greatest register of each address that was ever loaded.
    registers: BTreeMap<u32, Register>,
    /// One bit an address, a word a block: whether it is in `registers`.
    loaded: Vec<u64>,
    /// What base and planes add up to.
    merged: Vec<u64>,
    /// What changed `merged` other than the own ticks. This is its only writer.
    remote: Arc<Table<A>>,
    /// What went to `remote`, for the fault in which the tick sees it.
    #[cfg(test)]
    pub(super) leaked: Vec<(u32, u64)>,
}

impl<A: Algebra> State<A> {
    /// The state of base and planes. `planes` have origins that differ.
    pub(super) fn new(
        shape: Shape,
        base: Option<Arc<[u64]>>,
        own: ReplicaId,
        mut planes: Vec<Plane>,
    ) -> Self {
        if planes.iter().all(|plane| plane.origin != own) {
            planes.push(Plane::new(own));
        }
        planes.sort_unstable_by_key(|plane| plane.origin);
        let merged = base.as_deref().map_or_else(|| vec![A::IDENTITY; shape.len], <[u64]>::to_vec);
        let remote = Arc::new(merged.iter().copied().collect());
        let loaded = vec![0; shape.len.div_ceil(BLOCK_WORDS)];
        let mut state = Self {
            shape,
            base,
            planes,
            own,
            registers: BTreeMap::new(),
            loaded,
            merged,
            remote,
            #[cfg(test)]
            leaked: Vec::new(),
        };
        for shard in 0..shape.shards() {
            if state.planes.iter().any(|plane| plane.shard(shard).is_some()) {
                state.recompute(shard);
            }
        }
        state
    }

    pub(super) fn remote(&self) -> &Arc<Table<A>> {
        &self.remote
    }

    pub(super) fn merged(&self) -> &[u64] {
        &self.merged
    }

    /// For tests of what finds and mends differences.
    #[cfg(test)]
    pub(super) fn merged_mut(&mut self) -> &mut [u64] {
        &mut self.merged
    }

    pub(super) fn planes(&self) -> &[Plane] {
        &self.planes
    }

    pub(super) fn shard(&self, origin: ReplicaId, shard: usize) -> Option<&Shard> {
        let at = self.find(origin).ok()?;
        self.planes[at].shard(shard)
    }

    pub(super) fn shard_mut(&mut self, origin: ReplicaId, shard: usize) -> Option<&mut Shard> {
        let at = self.find(origin).ok()?;
        self.planes[at].existing_mut(shard)
    }

    /// The version of a shard here: 0 if nothing is known of it.
    #[inline]
    pub(super) fn have(&self, origin: ReplicaId, shard: usize) -> u64 {
        self.shard(origin, shard).map_or(0, |shard| shard.version)
    }

    pub(super) fn knows(&self, origin: ReplicaId) -> bool {
        self.find(origin).is_ok()
    }

    fn find(&self, origin: ReplicaId) -> Result<usize, usize> {
        self.planes.binary_search_by_key(&origin, |plane| plane.origin)
    }

    fn own_at(&self) -> usize {
        self.find(self.own).expect("the own plane is made with the state and stays")
    }

    #[inline]
    pub(super) fn is_loaded(&self, addr: u32) -> bool {
        self.loaded[addr as usize / BLOCK_WORDS] >> (addr as usize % BLOCK_WORDS) & 1 != 0
    }

    /// Changes merged and remote alike: what came from elsewhere.
    #[inline]
    fn apply_delta(&mut self, addr: u32, delta: u64) {
        let merged = &mut self.merged[addr as usize];
        *merged = A::compose(*merged, delta);
        self.apply_remote_delta(addr, delta);
    }

    #[inline]
    fn apply_remote_delta(&mut self, addr: u32, delta: u64) {
        // The only writer: a load and a store make an accum.
        let context = &self.remote[addr as usize];
        context.load(A::compose(context.read(), delta));
        #[cfg(test)]
        if planted!(TickSeesRemote) {
            self.leaked.push((addr, delta));
        }
    }

    /// Gives merged and remote what leads from the state of an address to `state`.
    fn set_state(&mut self, addr: u32, state: u64) {
        let delta = A::delta(self.merged[addr as usize], state);
        if delta != A::IDENTITY {
            self.apply_delta(addr, delta);
        }
    }

    /// The state of an address that was loaded: the register ∘ the totals of exactly its epoch.
    fn state_of_loaded(&self, addr: u32, register: Register) -> u64 {
        let shard = self.shape.shard_of(addr);
        let entries = self.planes.iter().filter_map(|plane| plane.shard(shard)?.entry(addr));
        entries
            .filter(|entry| entry.register.timestamp == register.timestamp || planted!(VoidedTotalsCounted))
            .fold(register.value, |state, entry| A::compose(state, entry.total.0))
    }

    /// Takes a register into account. Whether it is the greatest now.
    fn adopt(&mut self, addr: u32, register: Register) {
        self.loaded[addr as usize / BLOCK_WORDS] |= 1 << (addr as usize % BLOCK_WORDS);
        let known = self.registers.entry(addr).or_insert(register);
        *known = (*known).max(register);
    }

    /// Sets what a frame says: each word and entry, their blocks' stamps, and the shard's version. The frame was
    /// checked: its addresses are of the shard and ascending.
    pub(super) fn apply(
        &mut self,
        origin: ReplicaId,
        shard: usize,
        to: u64,
        words: &[WireWord],
        entries: &[WireEntry],
    ) {
        let at = self.find(origin).unwrap_or_else(|at| {
            self.planes.insert(at, Plane::new(origin));
            at
        });
        self.planes[at].shard_mut(shard, self.shape).version = to;
        // Entries first: the words of an address that the frame says was loaded don't count.
        for entry in entries.iter().map(WireEntry::entry) {
            self.apply_entry(at, shard, to, entry);
        }
        let block = |word: &WireWord| word.addr() as usize / BLOCK_WORDS;
        for words in words.chunk_by(|a, b| block(a) == block(b)) {
            self.apply_words(at, shard, to, words);
        }
    }

    fn apply_entry(&mut self, at: usize, shard: usize, to: u64, entry: Entry) {
        let Entry { addr, register, .. } = entry;
        let touched = self.planes[at].shard_mut(shard, self.shape);
        touched.set_entry(entry);
        touched.block_mut(addr).stamp = to;
        self.adopt(addr, register);
        let greatest = self.registers[&addr];
        #[cfg(test)]
        if planted!(EntryRewrittenOnAdoption) {
            let own = self.own_at();
            let shard = self.planes[own].shard_mut(shard, self.shape);
            if shard.entry(addr).is_some_and(|own| own.register < greatest) {
                shard.set_entry(Entry { addr, register: greatest, total: Total::default() });
            }
        }
        self.set_state(addr, self.state_of_loaded(addr, greatest));
    }

    /// Sets the words of one block.
    #[inline]
    fn apply_words(&mut self, at: usize, shard: usize, to: u64, words: &[WireWord]) {
        let first = words[0].addr() as usize / BLOCK_WORDS * BLOCK_WORDS;
        let mut loaded = self.loaded[first / BLOCK_WORDS];
        if planted!(LoadedWordsCounted) {
            loaded = 0;
        }
        let block = self.planes[at].shard_mut(shard, self.shape).block_mut(first as u32);
        if !planted!(NoRestamp) {
            block.stamp = to;
        }
        let end = self.shape.len.min(first + BLOCK_WORDS);
        let (merged, remote) = (&mut self.merged[first..end], &self.remote[first..end]);
        for word in words {
            let offset = word.addr() as usize % BLOCK_WORDS;
            let is_loaded = loaded >> offset & 1 == 1;
            if is_loaded && planted!(LoadedWordsDropped) {
                continue;
            }
            let old = core::mem::replace(&mut block.totals[offset], word.total());
            if planted!(NoRestamp) && old != word.total() {
                block.stamp = to;
            }
            if is_loaded {
                continue;
            }
            let mut delta = A::delta(old.0, word.total().0);
            if planted!(TotalAppliedAsDelta) {
                delta = word.total().0;
            }
            merged[offset] = A::compose(merged[offset], delta);
            // The only writer: a load and a store make an accum.
            remote[offset].load(A::compose(remote[offset].read(), delta));
            #[cfg(test)]
            if planted!(TickSeesRemote) {
                self.leaked.push((word.addr(), delta));
            }
        }
    }

    /// Makes a version of the own shard with these deltas, which all lie in it, ascending. Readers have them
    /// already.
    pub(super) fn tick(&mut self, shard: usize, deltas: impl Iterator<Item = (u32, u64)> + Clone) -> u64 {
        let own = self.own_at();
        let version = self.planes[own].shard_mut(shard, self.shape).version + 1;
        for (addr, delta) in deltas.clone() {
            let register = self.is_loaded(addr).then(|| self.registers[&addr]);
            let touched = self.planes[own].shard_mut(shard, self.shape);
            if let Some(register) = register {
                let total = match touched.entry(addr) {
                    Some(entry) if entry.register.timestamp == register.timestamp => entry.total.0,
                    _ => A::IDENTITY,
                };
                touched.set_entry(Entry { addr, register, total: Total(A::compose(total, delta)) });
            }
            let block = touched.block_mut(addr);
            block.stamp = version;
            if register.is_none() {
                let total = &mut block.totals[addr as usize % BLOCK_WORDS];
                *total = Total(A::compose(total.0, delta));
            }
            let merged = &mut self.merged[addr as usize];
            *merged = A::compose(*merged, delta);
        }
        // Under the fault, what entries there are gets a version of its own, and the stamps don't tell.
        let two = planted!(TwoVersions) && deltas.clone().any(|(addr, _)| self.is_loaded(addr));
        let version = if two { version.wrapping_add(1) } else { version };
        self.planes[own].shard_mut(shard, self.shape).version = version;
        version
    }

    /// The counter of an epoch that is greater than all seen for the address.
    pub(super) fn next_counter(&self, addr: u32) -> u64 {
        self.registers.get(&addr).map_or(0, |register| register.timestamp.counter) + 1
    }

    /// LOAD: makes a version of the own shard with a new epoch for the address.
    pub(super) fn load(&mut self, addr: u32, value: u64) {
        let timestamp = LoadTimestamp { counter: self.next_counter(addr), origin: self.own };
        let register = Register { timestamp, value };
        let own = self.own_at();
        let touched = self.planes[own].shard_mut(self.shape.shard_of(addr), self.shape);
        touched.version += 1;
        let version = touched.version;
        touched.set_entry(Entry { addr, register, total: Total::default() });
        touched.block_mut(addr).stamp = version;
        self.adopt(addr, register);
        self.set_state(addr, value);
    }

    /// Forgets a shard of an origin.
    pub(super) fn drop_shard(&mut self, origin: ReplicaId, shard: usize) {
        if let Ok(at) = self.find(origin)
            && self.planes[at].shard(shard).is_some()
        {
            self.planes[at].set_shard(shard, None);
            self.recompute(shard);
        }
    }

    /// Computes registers and states of a shard's addresses from base and planes; returns how many states were
    /// other.
    pub(super) fn recompute(&mut self, shard: usize) -> usize {
        let range = self.shape.range(shard);
        let (first, last) = (range.start as u32, (range.end - 1) as u32);
        self.loaded[range.start / BLOCK_WORDS..range.end.div_ceil(BLOCK_WORDS)].fill(0);
        let old: Vec<u32> = self.registers.range(first..=last).map(|(&addr, _)| addr).collect();
        for addr in &old {
            self.registers.remove(addr);
        }

        let base = self.base.as_deref();
        let mut states: Box<[u64]> =
            base.map_or_else(|| vec![A::IDENTITY; range.len()].into(), |base| base[range.clone()].into());
        let mut entries = Vec::new();
        for touched in self.planes.iter().filter_map(|plane| plane.shard(shard)) {
            for (start, block) in touched.blocks() {
                let words = states[(start - first) as usize..].iter_mut();
                for (word, total) in words.zip(block.totals) {
                    *word = A::compose(*word, total.0);
                }
            }
            entries.extend_from_slice(touched.entries());
        }
        for entry in &entries {
            self.adopt(entry.addr, entry.register);
        }
        for (&addr, &register) in self.registers.range(first..=last) {
            states[(addr - first) as usize] = self.state_of_loaded(addr, register);
        }

        let mut others = 0;
        for (addr, &state) in (first..=last).zip(&states) {
            others += usize::from(self.merged[addr as usize] != state);
            self.set_state(addr, state);
        }
        others
    }
}

#[cfg(test)]
mod tests;
