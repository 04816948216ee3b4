//! Random traces, which the rules and the replica take step by step. After each step they must agree.

use std::collections::BTreeSet;

use atomik_core::{Add, Algebra, Xor};

use crate::pair::{Pair, Sent, Store};
use crate::rule::{Kept, SHARDS, Start, WORDS};

struct Random(u64);

impl Random {
    fn next(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end as u64) as usize
    }
}

struct Trace<A: Algebra> {
    random: Random,
    adds: bool,
    nodes: Vec<Pair<A>>,
    /// Older copies of the stores of each node.
    backups: Vec<Vec<(Kept, Store)>>,
    /// All that was ever sent. Any of it may arrive at any node at any time.
    sent: Vec<Sent>,
    incarnation: u64,
}

impl<A: Algebra> Trace<A> {
    fn new(seed: u64, adds: bool) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let count = 2 + random.next(3);
        let members: BTreeSet<u64> = (0..count as u64).collect();
        let nodes = members.iter().map(|&node| {
            let kept = (random.next(2) == 0).then(|| (Kept::default(), Store::new()));
            let mut pair = Pair::start(adds, (node, 1), &members, kept).0;
            if random.next(4) > 0 {
                pair.end_wait();
            }
            pair
        });
        let nodes = nodes.collect();
        Self { random, adds, nodes, backups: vec![Vec::new(); count], sent: Vec::new(), incarnation: 1 }
    }

    fn all(&self) -> BTreeSet<u64> {
        (0..self.nodes.len() as u64).collect()
    }

    fn step(&mut self) {
        let at = self.random.next(self.nodes.len());
        let (shard, word) = (self.random.next(SHARDS), self.random.next(WORDS));
        let sent = match self.random.next(24) {
            0..=3 => self.nodes[at].tick(shard, word, 1 << self.random.next(40)),
            4 => self.nodes[at].load(shard, word, self.random.next(1_000) as u64),
            5..=8 => self.nodes[at].report().into_iter().collect(),
            9..=11 => {
                // What some node has, since what another one has of it.
                let of = self.random.next(self.nodes.len());
                let versions: Vec<(Start, usize)> = self.nodes[at].node.versions().into_keys().collect();
                if versions.is_empty() {
                    return;
                }
                let (origin, shard) = versions[self.random.next(versions.len())];
                let since = self.nodes[of].node.versions().get(&(origin, shard)).copied().unwrap_or(0);
                self.nodes[at].answer(origin, shard, since).into_iter().collect()
            }
            12 => self.restart(at),
            13 => {
                if let Some(store) = &self.nodes[at].store {
                    let copy = (self.nodes[at].node.kept.clone(), store.clone());
                    self.backups[at].push(copy);
                }
                return;
            }
            14 if self.nodes[at].node.is_superseded() => {
                self.incarnation += 1;
                self.nodes[at].renew(self.incarnation)
            }
            15 if self.random.next(6) == 0 => self.nodes[at].end_wait(),
            16 if self.random.next(4) == 0 => {
                let mut members = self.all();
                if self.random.next(2) == 0 {
                    members.remove(&(self.random.next(self.nodes.len()) as u64));
                    members.insert(at as u64);
                }
                self.nodes[at].set_members(&members)
            }
            _ if !self.sent.is_empty() => {
                // Mostly one of the last few, and sometimes one of any age.
                let back = if self.random.next(6) == 0 { self.sent.len() } else { self.sent.len().min(8) };
                let index = self.sent.len() - 1 - self.random.next(back);
                let sent = self.sent[index].clone();
                self.nodes[at].receive(&sent)
            }
            _ => return,
        };
        self.sent.extend(sent);
    }

    /// Starts a node again: with its store, with an older copy of it, or with none.
    fn restart(&mut self, at: usize) -> Vec<Sent> {
        self.incarnation += 1;
        let old = &self.nodes[at];
        let kept = old.store.clone().map(|store| match self.random.next(4) {
            0 => (Kept::default(), Store::new()),
            1 if !self.backups[at].is_empty() => {
                self.backups[at][self.random.next(self.backups[at].len())].clone()
            }
            _ => (old.node.kept.clone(), store),
        });
        let origin = (old.origin().0, self.incarnation);
        let (pair, sent) = Pair::start(self.adds, origin, &self.all(), kept);
        self.nodes[at] = pair;
        sent
    }

    /// Everything arrives from now on. In the end all nodes agree, and hold one plane of each node.
    fn heal(&mut self) {
        let members = self.all();
        for node in &mut self.nodes {
            node.end_wait();
        }
        for _ in 0..8 {
            for from in 0..self.nodes.len() {
                if self.nodes[from].node.is_superseded() {
                    self.incarnation += 1;
                    self.nodes[from].renew(self.incarnation);
                }
                self.nodes[from].set_members(&members);
                let mut sent: Vec<Sent> = self.nodes[from].report().into_iter().collect();
                for (origin, shard) in self.nodes[from].node.versions().into_keys() {
                    sent.extend(self.nodes[from].answer(origin, shard, 0));
                }
                for to in (0..self.nodes.len()).filter(|&to| to != from) {
                    sent.iter().for_each(|sent| drop(self.nodes[to].receive(sent)));
                }
            }
        }
        let versions = self.nodes[0].node.versions();
        let held: BTreeSet<Start> = versions.keys().map(|&(origin, _)| origin).collect();
        let names: BTreeSet<u64> = held.iter().map(|origin| origin.0).collect();
        assert_eq!(held.len(), names.len(), "planes of ended starts stay: {held:?}");
        let states = self.nodes[0].replica.merged();
        for node in &self.nodes {
            assert_eq!((node.replica.merged(), node.node.versions()), (states, versions.clone()));
        }
        // Nothing that is late changes anything.
        let states = states.to_vec();
        for index in 0..self.sent.len().min(100) {
            let (sent, at) = (self.sent[index].clone(), index % self.nodes.len());
            self.nodes[at].receive(&sent);
            assert_eq!(self.nodes[at].replica.merged(), states);
        }
    }
}

fn run<A: Algebra>(seed: u64, adds: bool) {
    let mut trace = Trace::<A>::new(seed, adds);
    for _ in 0..30 + trace.random.next(150) {
        trace.step();
    }
    trace.heal();
}

/// `ATOMIK_SEEDS` and `ATOMIK_FIRST_SEED` choose others.
#[test]
fn the_rules_and_the_replica_take_the_same_steps() {
    let number = |name, default| std::env::var(name).map_or(default, |value| value.parse().unwrap());
    let first = number("ATOMIK_FIRST_SEED", 0);
    for seed in first..first + number("ATOMIK_SEEDS", 2_000) {
        let failed = std::panic::catch_unwind(|| {
            if seed % 2 == 0 { run::<Xor>(seed, false) } else { run::<Add>(seed, true) }
        });
        if let Err(payload) = failed {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(payload);
        }
    }
}
