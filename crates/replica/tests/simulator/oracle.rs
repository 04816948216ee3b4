//! What the states must be, computed from single operations.
//!
//! The oracle shares no code with the replica. It keeps every operation that was ever made, together with the LOAD that
//! its writer knew of. From the operations that a node's versions cover, it computes the node's states.

use std::collections::{BTreeMap, BTreeSet};

/// Node and incarnation.
pub(crate) type Writer = (u64, u64);

/// Versions by writer and shard.
pub(crate) type Versions = BTreeMap<(Writer, usize), u64>;

/// A LOAD: its counter, its writer and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Loaded {
    pub(crate) counter: u64,
    pub(crate) by: Writer,
    pub(crate) value: u64,
}

#[derive(Clone, Debug)]
enum Operation {
    Delta { addr: usize, delta: u64, seen: Option<Loaded> },
    Load { addr: usize, loaded: Loaded },
}

impl Operation {
    fn addr(&self) -> usize {
        match *self {
            Self::Delta { addr, .. } | Self::Load { addr, .. } => addr,
        }
    }
}

pub(crate) struct Oracle {
    adds: bool,
    base: Vec<u64>,
    shard_words: usize,
    /// For each writer and shard, the operations of version 1, 2, …
    logs: BTreeMap<(Writer, usize), Vec<Vec<Operation>>>,
}

impl Oracle {
    pub(crate) fn new(adds: bool, base: Vec<u64>, shard_words: usize) -> Self {
        Self { adds, base, shard_words, logs: BTreeMap::new() }
    }

    pub(crate) fn join(&self, a: u64, b: u64) -> u64 {
        if self.adds { a.wrapping_add(b) } else { a ^ b }
    }

    /// The delta that leads from one state to another.
    pub(crate) fn between(&self, from: u64, to: u64) -> u64 {
        if self.adds { to.wrapping_sub(from) } else { from ^ to }
    }

    pub(crate) fn base(&self) -> &[u64] {
        &self.base
    }

    pub(crate) fn shard_of(&self, addr: usize) -> usize {
        addr / self.shard_words
    }

    /// The block that an address lies in: 64 words, or a shard of fewer.
    pub(crate) fn block_of(&self, addr: usize) -> usize {
        addr / self.shard_words.min(64)
    }

    /// The operations on an address that these versions cover.
    fn known<'a>(&'a self, versions: &'a Versions, addr: usize) -> impl Iterator<Item = &'a Operation> {
        let shard = self.shard_of(addr);
        versions
            .iter()
            .filter(move |((_, of), _)| *of == shard)
            .flat_map(move |(key, &version)| {
                let log = self.logs.get(key).map_or(&[][..], Vec::as_slice);
                log[..version as usize].iter().flatten()
            })
            .filter(move |operation| operation.addr() == addr)
    }

    /// The LOAD of an address that wins among those that these versions cover.
    pub(crate) fn winner(&self, versions: &Versions, addr: usize) -> Option<Loaded> {
        let loads = self.known(versions, addr).filter_map(|operation| match *operation {
            Operation::Delta { seen, .. } => seen,
            Operation::Load { loaded, .. } => Some(loaded),
        });
        loads.max()
    }

    /// The state of an address at these versions.
    pub(crate) fn state(&self, versions: &Versions, addr: usize) -> u64 {
        let winner = self.winner(versions, addr);
        let start = winner.map_or(self.base[addr], |winner| winner.value);
        self.known(versions, addr).fold(start, |state, operation| match *operation {
            Operation::Delta { delta, seen, .. } if seen == winner => self.join(state, delta),
            _ => state,
        })
    }

    /// A tick of a writer that knows these versions. `deltas` are by address, and none is the identity.
    pub(crate) fn tick(&mut self, writer: Writer, versions: &Versions, deltas: &BTreeMap<usize, u64>) {
        let mut shards: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
        for (&addr, &delta) in deltas {
            let seen = self.winner(versions, addr);
            shards.entry(self.shard_of(addr)).or_default().push(Operation::Delta { addr, delta, seen });
        }
        for (shard, operations) in shards {
            self.logs.entry((writer, shard)).or_default().push(operations);
        }
    }

    /// A LOAD by a writer that knows these versions.
    pub(crate) fn load(&mut self, writer: Writer, versions: &Versions, addr: usize, value: u64) {
        let counter = self.winner(versions, addr).map_or(0, |winner| winner.counter) + 1;
        let loaded = Loaded { counter, by: writer, value };
        let shard = self.shard_of(addr);
        self.logs.entry((writer, shard)).or_default().push(Vec::from([Operation::Load { addr, loaded }]));
    }

    /// How many versions of a shard a writer has made.
    pub(crate) fn made(&self, writer: Writer, shard: usize) -> u64 {
        self.logs.get(&(writer, shard)).map_or(0, |log| log.len() as u64)
    }

    /// Forgets what a writer made after these versions. It never left the writer, which continues from them.
    pub(crate) fn truncate(&mut self, writer: Writer, versions: &BTreeMap<usize, u64>) {
        for ((of, shard), log) in &mut self.logs {
            if *of == writer {
                log.truncate(versions.get(shard).map_or(0, |&version| version as usize));
            }
        }
    }

    /// The total of a word at a version: that of the deltas that were made before any LOAD was known.
    pub(crate) fn word(&self, writer: Writer, version: u64, addr: usize) -> u64 {
        let versions = Versions::from([((writer, self.shard_of(addr)), version)]);
        self.known(&versions, addr).fold(0, |total, operation| match *operation {
            Operation::Delta { delta, seen: None, .. } => self.join(total, delta),
            _ => total,
        })
    }

    /// The entry of an address at a version: the LOAD that its writer saw last, and the total of the deltas made since.
    pub(crate) fn entry(&self, writer: Writer, version: u64, addr: usize) -> Option<(Loaded, u64)> {
        let versions = Versions::from([((writer, self.shard_of(addr)), version)]);
        self.known(&versions, addr).fold(None, |entry, operation| match (*operation).clone() {
            Operation::Load { loaded, .. } => Some((loaded, 0)),
            Operation::Delta { seen: None, .. } => entry,
            Operation::Delta { delta, seen: Some(seen), .. } => match entry {
                Some((of, total)) if of == seen => Some((of, self.join(total, delta))),
                _ => Some((seen, delta)),
            },
        })
    }

    /// The addresses of a shard that changed after one version and up to another.
    pub(crate) fn changed(&self, writer: Writer, shard: usize, after: u64, to: u64) -> BTreeSet<usize> {
        let log = self.logs.get(&(writer, shard)).map_or(&[][..], Vec::as_slice);
        log[after as usize..to as usize].iter().flatten().map(Operation::addr).collect()
    }
}
