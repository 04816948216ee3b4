//! What the states must be, from single operations and the epoch that each tick saw.
//!
//! It shares no code with the replica: it keeps every operation ever made, and computes any node's states from
//! those that the node's versions cover.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Node and incarnation.
pub(super) type Writer = (u64, u64);

/// Versions by writer and shard.
pub(super) type Versions = BTreeMap<(Writer, usize), u64>;

/// A LOAD: its counter and writer, and what it loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Loaded {
    pub(super) counter: u64,
    pub(super) by: Writer,
    pub(super) value: u64,
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

pub(super) struct Oracle {
    adds: bool,
    base: Vec<u64>,
    shard_words: usize,
    /// For each writer and shard, the operations of version 1, 2, …
    logs: BTreeMap<(Writer, usize), Vec<Vec<Operation>>>,
}

impl Oracle {
    pub(super) fn new(adds: bool, base: Vec<u64>, shard_words: usize) -> Self {
        Self { adds, base, shard_words, logs: BTreeMap::new() }
    }

    pub(super) fn join(&self, a: u64, b: u64) -> u64 {
        if self.adds { a.wrapping_add(b) } else { a ^ b }
    }

    /// What leads from one state to another.
    pub(super) fn between(&self, from: u64, to: u64) -> u64 {
        if self.adds { to.wrapping_sub(from) } else { from ^ to }
    }

    pub(super) fn base(&self) -> &[u64] {
        &self.base
    }

    pub(super) fn shard_words(&self) -> usize {
        self.shard_words
    }

    pub(super) fn shard_of(&self, addr: usize) -> usize {
        addr / self.shard_words
    }

    /// The operations on an address that these versions cover, with their writers.
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

    /// The LOAD that an address is under, for who knows these versions.
    pub(super) fn winner(&self, versions: &Versions, addr: usize) -> Option<Loaded> {
        let loads = self.known(versions, addr).filter_map(|operation| match *operation {
            Operation::Delta { seen, .. } => seen,
            Operation::Load { loaded, .. } => Some(loaded),
        });
        loads.max()
    }

    /// The state of an address, for who knows these versions.
    pub(super) fn state(&self, versions: &Versions, addr: usize) -> u64 {
        let winner = self.winner(versions, addr);
        let start = winner.map_or(self.base[addr], |winner| winner.value);
        self.known(versions, addr).fold(start, |state, operation| match *operation {
            Operation::Delta { delta, seen, .. } if seen == winner => self.join(state, delta),
            _ => state,
        })
    }

    /// A tick of a writer who knows these versions: `deltas` by address, none of them nothing.
    pub(super) fn tick(&mut self, writer: Writer, versions: &Versions, deltas: &BTreeMap<usize, u64>) {
        let mut shards: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
        for (&addr, &delta) in deltas {
            let seen = self.winner(versions, addr);
            shards.entry(self.shard_of(addr)).or_default().push(Operation::Delta { addr, delta, seen });
        }
        for (shard, operations) in shards {
            self.logs.entry((writer, shard)).or_default().push(operations);
        }
    }

    /// A LOAD by a writer who knows these versions.
    pub(super) fn load(&mut self, writer: Writer, versions: &Versions, addr: usize, value: u64) {
        let counter = self.winner(versions, addr).map_or(0, |winner| winner.counter) + 1;
        let loaded = Loaded { counter, by: writer, value };
        let shard = self.shard_of(addr);
        self.logs.entry((writer, shard)).or_default().push(Vec::from([Operation::Load { addr, loaded }]));
    }

    /// How many versions a writer made of a shard.
    pub(super) fn made(&self, writer: Writer, shard: usize) -> u64 {
        self.logs.get(&(writer, shard)).map_or(0, |log| log.len() as u64)
    }

    /// A writer goes on from these versions: what it made after them never left it.
    pub(super) fn truncate(&mut self, writer: Writer, versions: &BTreeMap<usize, u64>) {
        for ((of, shard), log) in &mut self.logs {
            if *of == writer {
                log.truncate(versions.get(shard).map_or(0, |&version| version as usize));
            }
        }
    }

    /// What a shard's words add up to at a version: the deltas that saw no LOAD.
    pub(super) fn word(&self, writer: Writer, version: u64, addr: usize) -> u64 {
        let versions = Versions::from([((writer, self.shard_of(addr)), version)]);
        self.known(&versions, addr).fold(0, |total, operation| match *operation {
            Operation::Delta { delta, seen: None, .. } => self.join(total, delta),
            _ => total,
        })
    }

    /// What stands for a loaded address at a version: the LOAD last seen, and the deltas since it was.
    pub(super) fn entry(&self, writer: Writer, version: u64, addr: usize) -> Option<(Loaded, u64)> {
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

    /// The addresses of a shard that changed after a version and up to another.
    pub(super) fn changed(&self, writer: Writer, shard: usize, after: u64, upto: u64) -> BTreeSet<usize> {
        let log = self.logs.get(&(writer, shard)).map_or(&[][..], Vec::as_slice);
        log[after as usize..upto as usize].iter().flatten().map(Operation::addr).collect()
    }
}
