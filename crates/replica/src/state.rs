//! The state of a replica: planes, and what they add up to.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::frame::{WireEntry, WireWord};
use super::origin::{Entry, LoadEpoch, Origin, Register, Total};
use super::part::{BLOCK, Part, Plane, Shape};
use atomik_core::{Algebra, Table};

/// All planes, their composition, and what of it readers were given.
pub(super) struct State<A: Algebra> {
    pub(super) shape: Shape,
    base: Option<Arc<[u64]>>,
    /// By origin; the own one is among them.
    planes: Vec<Plane>,
    own: Origin,
    /// The greatest register of each address that was ever loaded.
    registers: BTreeMap<u32, Register>,
    /// One bit an address, a word a block: whether it is in `registers`.
    loaded: Vec<u64>,
    /// What base and planes add up to.
    sealed: Vec<u64>,
    /// What changed `sealed` other than the own ticks. This is its only writer.
    learned: Arc<Table<A>>,
    /// What went to `learned`, for the fault in which the tick sees it.
    #[cfg(test)]
    pub(super) leaked: Vec<(u32, u64)>,
}

impl<A: Algebra> State<A> {
    /// The state of base and planes. `planes` have origins that differ.
    pub(super) fn new(shape: Shape, base: Option<Arc<[u64]>>, own: Origin, mut planes: Vec<Plane>) -> Self {
        if planes.iter().all(|plane| plane.origin != own) {
            planes.push(Plane::new(own));
        }
        planes.sort_unstable_by_key(|plane| plane.origin);
        let sealed = base.as_deref().map_or_else(|| vec![A::IDENTITY; shape.len], <[u64]>::to_vec);
        let learned = Arc::new(sealed.iter().copied().collect());
        let loaded = vec![0; shape.len.div_ceil(BLOCK)];
        let mut state = Self {
            shape,
            base,
            planes,
            own,
            registers: BTreeMap::new(),
            loaded,
            sealed,
            learned,
            #[cfg(test)]
            leaked: Vec::new(),
        };
        for part in 0..shape.parts() {
            if state.planes.iter().any(|plane| plane.part(part).is_some()) {
                state.recompute(part);
            }
        }
        state
    }

    pub(super) fn learned(&self) -> &Arc<Table<A>> {
        &self.learned
    }

    pub(super) fn sealed(&self) -> &[u64] {
        &self.sealed
    }

    /// For tests of what finds and mends differences.
    #[cfg(test)]
    pub(super) fn sealed_mut(&mut self) -> &mut [u64] {
        &mut self.sealed
    }

    pub(super) fn planes(&self) -> &[Plane] {
        &self.planes
    }

    pub(super) fn part(&self, origin: Origin, part: usize) -> Option<&Part> {
        let at = self.find(origin).ok()?;
        self.planes[at].part(part)
    }

    pub(super) fn part_mut(&mut self, origin: Origin, part: usize) -> Option<&mut Part> {
        let at = self.find(origin).ok()?;
        self.planes[at].existing_mut(part)
    }

    /// The version of a part here: 0 if nothing is known of it.
    #[inline]
    pub(super) fn have(&self, origin: Origin, part: usize) -> u64 {
        self.part(origin, part).map_or(0, |part| part.version)
    }

    pub(super) fn knows(&self, origin: Origin) -> bool {
        self.find(origin).is_ok()
    }

    fn find(&self, origin: Origin) -> Result<usize, usize> {
        self.planes.binary_search_by_key(&origin, |plane| plane.origin)
    }

    fn own_at(&self) -> usize {
        self.find(self.own).expect("the own plane is made with the state and stays")
    }

    #[inline]
    pub(super) fn is_loaded(&self, addr: u32) -> bool {
        self.loaded[addr as usize / BLOCK] >> (addr as usize % BLOCK) & 1 != 0
    }

    /// Changes sealed and learned alike: what came from elsewhere.
    #[inline]
    fn give(&mut self, addr: u32, delta: u64) {
        let sealed = &mut self.sealed[addr as usize];
        *sealed = A::compose(*sealed, delta);
        self.give_learned(addr, delta);
    }

    #[inline]
    fn give_learned(&mut self, addr: u32, delta: u64) {
        // The only writer: a load and a store make an accum.
        let context = &self.learned[addr as usize];
        context.load(A::compose(context.read(), delta));
        #[cfg(test)]
        if planted!(TickSeesLearned) {
            self.leaked.push((addr, delta));
        }
    }

    /// Gives sealed and learned what leads from the state of an address to `state`.
    fn give_state(&mut self, addr: u32, state: u64) {
        let delta = A::delta(self.sealed[addr as usize], state);
        if delta != A::IDENTITY {
            self.give(addr, delta);
        }
    }

    /// The state of an address that was loaded: the register ∘ the totals of exactly its epoch.
    fn state_of_loaded(&self, addr: u32, register: Register) -> u64 {
        let part = self.shape.part_of(addr);
        let entries = self.planes.iter().filter_map(|plane| plane.part(part)?.entry(addr));
        entries
            .filter(|entry| entry.register.epoch == register.epoch || planted!(VoidEpochsCounted))
            .fold(register.value, |state, entry| A::compose(state, entry.total.0))
    }

    /// Takes a register into account. Whether it is the greatest now.
    fn adopt(&mut self, addr: u32, register: Register) {
        self.loaded[addr as usize / BLOCK] |= 1 << (addr as usize % BLOCK);
        let known = self.registers.entry(addr).or_insert(register);
        *known = (*known).max(register);
    }

    /// Sets what a frame says: each word and entry, their blocks' stamps, and the part's version. The frame was
    /// checked: its addresses are of the part and ascending.
    pub(super) fn apply(
        &mut self,
        origin: Origin,
        part: usize,
        to: u64,
        words: &[WireWord],
        entries: &[WireEntry],
    ) {
        let at = self.find(origin).unwrap_or_else(|at| {
            self.planes.insert(at, Plane::new(origin));
            at
        });
        self.planes[at].part_mut(part, self.shape).version = to;
        // Entries first: the words of an address that the frame says was loaded don't count.
        for entry in entries.iter().map(WireEntry::entry) {
            self.apply_entry(at, part, to, entry);
        }
        let block = |word: &WireWord| word.addr() as usize / BLOCK;
        for words in words.chunk_by(|a, b| block(a) == block(b)) {
            self.apply_words(at, part, to, words);
        }
    }

    fn apply_entry(&mut self, at: usize, part: usize, to: u64, entry: Entry) {
        let Entry { addr, register, .. } = entry;
        let touched = self.planes[at].part_mut(part, self.shape);
        touched.set_entry(entry);
        touched.block_mut(addr).stamp = to;
        self.adopt(addr, register);
        let greatest = self.registers[&addr];
        #[cfg(test)]
        if planted!(EntryRewrittenOnAdoption) {
            let own = self.own_at();
            let part = self.planes[own].part_mut(part, self.shape);
            if part.entry(addr).is_some_and(|own| own.register < greatest) {
                part.set_entry(Entry { addr, register: greatest, total: Total::default() });
            }
        }
        self.give_state(addr, self.state_of_loaded(addr, greatest));
    }

    /// Sets the words of one block.
    #[inline]
    fn apply_words(&mut self, at: usize, part: usize, to: u64, words: &[WireWord]) {
        let first = words[0].addr() as usize / BLOCK * BLOCK;
        let mut loaded = self.loaded[first / BLOCK];
        if planted!(LoadedWordsCounted) {
            loaded = 0;
        }
        let block = self.planes[at].part_mut(part, self.shape).block_mut(first as u32);
        if !planted!(NoRestamp) {
            block.stamp = to;
        }
        let end = self.shape.len.min(first + BLOCK);
        let (sealed, learned) = (&mut self.sealed[first..end], &self.learned[first..end]);
        for word in words {
            let offset = word.addr() as usize % BLOCK;
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
            sealed[offset] = A::compose(sealed[offset], delta);
            // The only writer: a load and a store make an accum.
            learned[offset].load(A::compose(learned[offset].read(), delta));
            #[cfg(test)]
            if planted!(TickSeesLearned) {
                self.leaked.push((word.addr(), delta));
            }
        }
    }

    /// Makes a version of the own part with these deltas, which all lie in it, ascending. Readers have them
    /// already.
    pub(super) fn tick(&mut self, part: usize, deltas: impl Iterator<Item = (u32, u64)> + Clone) -> u64 {
        let own = self.own_at();
        let version = self.planes[own].part_mut(part, self.shape).version + 1;
        for (addr, delta) in deltas.clone() {
            let register = self.is_loaded(addr).then(|| self.registers[&addr]);
            let touched = self.planes[own].part_mut(part, self.shape);
            if let Some(register) = register {
                let total = match touched.entry(addr) {
                    Some(entry) if entry.register.epoch == register.epoch => entry.total.0,
                    _ => A::IDENTITY,
                };
                touched.set_entry(Entry { addr, register, total: Total(A::compose(total, delta)) });
            }
            let block = touched.block_mut(addr);
            block.stamp = version;
            if register.is_none() {
                let total = &mut block.totals[addr as usize % BLOCK];
                *total = Total(A::compose(total.0, delta));
            }
            let sealed = &mut self.sealed[addr as usize];
            *sealed = A::compose(*sealed, delta);
        }
        // Under the fault, what entries there are gets a version of its own, and the stamps don't tell.
        let two = planted!(TwoVersions) && deltas.clone().any(|(addr, _)| self.is_loaded(addr));
        let version = if two { version.wrapping_add(1) } else { version };
        self.planes[own].part_mut(part, self.shape).version = version;
        version
    }

    /// The counter of an epoch that is greater than all seen for the address.
    pub(super) fn next_counter(&self, addr: u32) -> u64 {
        self.registers.get(&addr).map_or(0, |register| register.epoch.counter) + 1
    }

    /// LOAD: makes a version of the own part with a new epoch for the address.
    pub(super) fn load(&mut self, addr: u32, value: u64) {
        let epoch = LoadEpoch { counter: self.next_counter(addr), origin: self.own };
        let register = Register { epoch, value };
        let own = self.own_at();
        let touched = self.planes[own].part_mut(self.shape.part_of(addr), self.shape);
        touched.version += 1;
        let version = touched.version;
        touched.set_entry(Entry { addr, register, total: Total::default() });
        touched.block_mut(addr).stamp = version;
        self.adopt(addr, register);
        self.give_state(addr, value);
    }

    /// Forgets a part of an origin.
    pub(super) fn drop_part(&mut self, origin: Origin, part: usize) {
        if let Ok(at) = self.find(origin)
            && self.planes[at].part(part).is_some()
        {
            self.planes[at].set_part(part, None);
            self.recompute(part);
        }
    }

    /// Computes registers and states of a part's addresses from base and planes; returns how many states were
    /// other.
    pub(super) fn recompute(&mut self, part: usize) -> usize {
        let range = self.shape.range(part);
        let (first, last) = (range.start as u32, (range.end - 1) as u32);
        self.loaded[range.start / BLOCK..range.end.div_ceil(BLOCK)].fill(0);
        let old: Vec<u32> = self.registers.range(first..=last).map(|(&addr, _)| addr).collect();
        for addr in &old {
            self.registers.remove(addr);
        }

        let base = self.base.as_deref();
        let mut states: Box<[u64]> =
            base.map_or_else(|| vec![A::IDENTITY; range.len()].into(), |base| base[range.clone()].into());
        let mut entries = Vec::new();
        for touched in self.planes.iter().filter_map(|plane| plane.part(part)) {
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
            others += usize::from(self.sealed[addr as usize] != state);
            self.give_state(addr, state);
        }
        others
    }
}

#[cfg(test)]
mod tests;
