//! Random lives of a cluster: nodes start again and again, from their stores, from older copies of them or from none, while
//! their last start still runs, over stores that are slow and fail, and a network that loses, repeats and delays packets
//! for any time. An oracle of single deltas, which shares no code with the replica, says what may be there in the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Add, TableFanIn, TableProducer};
use atomik_replica::{ClusterConfig, Event, Peer, Recipient, Replica, ReplicaId, Transaction};

use crate::NOW;
use crate::store::{Store, write};

const LEN: usize = 40;
/// At this address each delta is a bit of its own, so one that counts twice sets a wrong bit.
const BITS: usize = 7;

struct Random(u64);

impl Random {
    fn next(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// What a world allows.
#[derive(Clone, Copy, PartialEq)]
enum World {
    /// Stores are written at once and never lost: nothing that was ticked may be missing.
    Lossless,
    /// The first node may start without a store, with an older copy, or beside its last start: nothing that another node has
    /// ever had of it may be missing.
    OneLoses,
    /// All nodes may do that, and members may be dropped and added: what was ticked may be missing, but is never there
    /// twice.
    Lossy,
}

struct Node {
    replica: Replica<Add>,
    producer: TableProducer<'static, Add>,
    store: Store,
    /// Transactions that the store has not written.
    storing: Vec<Transaction>,
    /// Older copies of the store.
    backups: Vec<Store>,
    /// The bits that were accumulated and not ticked.
    unticked: u64,
    /// The same, as a sum at another address.
    unticked_sum: u64,
}

/// A cluster and its network.
struct Lives {
    random: Random,
    world: World,
    nodes: Vec<Node>,
    /// Starts that still run although a later one of their node does.
    overtaken: Vec<(u64, Node)>,
    /// Whether the network and the stores work now.
    heals: bool,
    /// Everything that was ever sent: from, to, packet. Any of it may arrive at any time.
    packets: Vec<(u64, u64, Vec<u8>)>,
    now: Duration,
    incarnation: u64,
    bits: u64,
    ticked_bits: u64,
    ticked_sum: u64,
    /// The bits that were in the state of a node that loses nothing.
    kept_bits: u64,
    has_loads: bool,
}

fn config(nodes: u64) -> ClusterConfig {
    ClusterConfig::new("lives", LEN).with_shard_words(16).with_members(0..nodes)
}

fn start(nodes: u64, id: ReplicaId, store: &Store) -> (Replica<Add>, TableProducer<'static, Add>) {
    let local = Arc::new(TableFanIn::<Add>::new(LEN));
    let producer = local.producer_owned();
    (Replica::restore(&config(nodes), local, id, store.values()).unwrap(), producer)
}

impl Node {
    fn new((replica, producer): (Replica<Add>, TableProducer<'static, Add>), store: Store) -> Self {
        let (storing, backups) = (Vec::new(), Vec::new());
        Self { replica, producer, store, storing, backups, unticked: 0, unticked_sum: 0 }
    }

    /// Ends a transaction that the store writes, or of which it writes only some shards.
    fn end_transaction(&mut self, index: usize, fails: Option<(Duration, usize)>) {
        let Transaction { number, shards } = self.storing.remove(index);
        let written = fails.map_or(shards.len(), |(_, written)| written);
        shards.into_iter().take(written).for_each(|shard| write(&mut self.store, shard));
        match fails {
            Some((now, _)) => assert!(self.replica.store_failed(now, number)),
            None => assert!(self.replica.stored(number)),
        }
    }

    /// Stores everything, unless the store failed a short time ago.
    fn store_all(&mut self, now: Duration) {
        self.replica.receive(now, Peer(0), &[]).unwrap();
        loop {
            self.storing.extend(std::iter::from_fn(|| self.replica.poll_store()));
            if self.storing.is_empty() {
                return;
            }
            self.end_transaction(0, None);
        }
    }
}

impl Lives {
    fn new(seed: u64, world: World) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let count = 2 + random.next(3);
        let nodes = (0..count).map(|node| {
            let store = Store::new();
            let mut node = Node::new(start(count, ReplicaId { node, incarnation: 1 }, &store), store);
            node.replica.end_wait();
            node
        });
        let nodes = nodes.collect();
        let has_loads = random.next(2) == 0;
        Self {
            random,
            world,
            nodes,
            overtaken: Vec::new(),
            heals: false,
            packets: Vec::new(),
            now: NOW,
            incarnation: 1,
            bits: 0,
            ticked_bits: 0,
            ticked_sum: 0,
            kept_bits: 0,
            has_loads,
        }
    }

    fn count(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// Whether a node may lose its store.
    fn may_lose(&self, at: usize) -> bool {
        self.world == World::Lossy || self.world == World::OneLoses && at == 0
    }

    /// Stores what waits, unless the store is slow, and collects what is sent.
    fn after(&mut self, at: usize) {
        let is_slow = !self.heals && self.random.next(4) == 0;
        let count = self.count();
        let node = &mut self.nodes[at];
        if is_slow {
            node.storing.extend(std::iter::from_fn(|| node.replica.poll_store()));
        } else {
            node.store_all(self.now);
        }
        Self::collect(&mut self.packets, count, at as u64, &mut node.replica);
        if at > 0 {
            self.kept_bits |= node.replica.merged()[BITS];
        }
        let superseded = std::iter::from_fn(|| node.replica.poll_event())
            .any(|event| matches!(event, Event::Superseded { .. }));
        if superseded {
            self.incarnation += 1;
            let incarnation = self.incarnation;
            self.nodes[at].replica.renew(incarnation).unwrap();
            self.after(at);
        }
    }

    fn collect(packets: &mut Vec<(u64, u64, Vec<u8>)>, count: u64, at: u64, replica: &mut Replica<Add>) {
        while let Some((recipient, packet)) = replica.poll_transmit() {
            for to in (0..count).filter(|&to| to != at) {
                if recipient == Recipient::All || recipient == Recipient::Peer(Peer(to)) {
                    packets.push((at, to, packet.clone()));
                }
            }
        }
    }

    /// Lets a start that was overtaken do something. It ends when it notices.
    fn step_of_overtaken(&mut self) {
        if self.overtaken.is_empty() {
            return;
        }
        let index = self.random.next(self.overtaken.len() as u64) as usize;
        let count = self.count();
        let (at, node) = &mut self.overtaken[index];
        match self.random.next(3) {
            0 if self.bits < 64 => {
                node.producer.accum(BITS, 1 << self.bits);
                self.ticked_bits |= 1 << self.bits | std::mem::take(&mut node.unticked);
                self.bits += 1;
                node.replica.tick();
            }
            1 => node.replica.hello(Recipient::All),
            _ => {
                let to_here: Vec<usize> =
                    (0..self.packets.len()).filter(|&index| self.packets[index].1 == *at).collect();
                if !to_here.is_empty() {
                    let (from, _, packet) =
                        self.packets[to_here[self.random.next(to_here.len() as u64) as usize]].clone();
                    node.replica.receive(self.now, Peer(from), &packet).unwrap();
                }
            }
        }
        node.store_all(self.now);
        Self::collect(&mut self.packets, count, *at, &mut node.replica);
        if node.replica.is_cloned() {
            self.overtaken.remove(index);
        }
    }

    fn deliver(&mut self, index: usize) {
        let (from, to, packet) = self.packets[index].clone();
        self.nodes[to as usize].replica.receive(self.now, Peer(from), &packet).unwrap();
        self.after(to as usize);
    }

    fn tick(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.replica.is_cloned() {
            return;
        }
        node.replica.tick();
        self.ticked_bits |= std::mem::take(&mut node.unticked);
        self.ticked_sum += std::mem::take(&mut node.unticked_sum);
        self.after(at);
    }

    fn restart(&mut self, at: usize) {
        self.incarnation += 1;
        let id = ReplicaId { node: at as u64, incarnation: self.incarnation };
        let (count, may_lose) = (self.count(), self.may_lose(at));
        let node = &mut self.nodes[at];
        if may_lose {
            // What the store has not written is lost.
            node.storing.clear();
            let mut keeps = false;
            match self.random.next(4) {
                0 => node.store.clear(),
                1 if !node.backups.is_empty() => {
                    let index = self.random.next(node.backups.len() as u64) as usize;
                    node.store = node.backups[index].clone();
                }
                _ => keeps = true,
            }
            if self.world == World::OneLoses && !keeps {
                // What this store lacks may be folded without it, and a copy that has it would show it for a moment.
                node.backups.clear();
            }
        } else {
            self.now += Duration::from_secs(2);
            node.store_all(self.now);
        }
        let mut started = Node::new(start(count, id, &node.store), node.store.clone());
        started.backups = std::mem::take(&mut node.backups);
        let last = std::mem::replace(node, started);
        if may_lose && self.random.next(3) == 0 {
            self.overtaken.push((at as u64, last));
        }
        self.after(at);
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(100);
        let at = self.random.next(self.count()) as usize;
        match self.random.next(22) {
            0..=3 if self.bits < 64 => {
                let bit = 1 << self.bits;
                self.bits += 1;
                let amount = 1 + self.random.next(1_000);
                let node = &mut self.nodes[at];
                node.producer.accum(BITS, bit);
                node.producer.accum(LEN - 1, amount);
                node.unticked |= bit;
                node.unticked_sum += amount;
            }
            4..=6 => self.tick(at),
            7 if self.has_loads => {
                let value = self.random.next(1_000);
                let _ = self.nodes[at].replica.load(20, value);
                self.after(at);
            }
            8 => {
                self.nodes[at].replica.hello(Recipient::All);
                self.after(at);
            }
            9 => {
                self.nodes[at].replica.send_version_vector(Recipient::All);
                self.nodes[at].replica.heartbeat(1);
                self.after(at);
            }
            10 => self.restart(at),
            11 => {
                let copy = self.nodes[at].store.clone();
                self.nodes[at].backups.push(copy);
            }
            12 if self.random.next(4) == 0 => self.nodes[at].replica.end_wait(),
            13 if self.world == World::Lossy && self.random.next(3) == 0 => {
                let dropped = self.random.next(self.count());
                let rest: Vec<u64> = (0..self.count()).filter(|&node| node != dropped).collect();
                self.nodes[at].replica.set_members(rest);
                self.after(at);
                let count = self.count();
                self.nodes[at].replica.set_members(0..count);
                self.after(at);
            }
            14 => self.step_of_overtaken(),
            15 => {
                let node = &mut self.nodes[at];
                if !node.storing.is_empty() {
                    let index = self.random.next(node.storing.len() as u64) as usize;
                    let written = self.random.next(node.storing[index].shards.len() as u64 + 1) as usize;
                    let fails = self.random.next(2) == 0;
                    node.end_transaction(index, fails.then_some((self.now, written)));
                    self.after(at);
                }
            }
            _ if !self.packets.is_empty() => {
                // Mostly a late one of the last few, and sometimes one of any age.
                let len = self.packets.len() as u64;
                let back = if self.random.next(8) == 0 { len } else { len.min(8) };
                let index = len - 1 - self.random.next(back);
                self.deliver(index as usize);
            }
            _ => {}
        }
    }

    /// The network works, and nobody starts any more.
    fn heal(&mut self) {
        self.heals = true;
        self.now += Duration::from_secs(5);
        for at in 0..self.nodes.len() {
            self.nodes[at].replica.end_wait();
            self.tick(at);
        }
        for _ in 0..12 {
            let start = self.packets.len();
            // What was asked and got lost is overdue.
            self.now += Duration::from_secs(5);
            for at in 0..self.nodes.len() {
                let count = self.count();
                self.nodes[at].replica.set_members(0..count);
                self.tick(at);
                self.nodes[at].replica.hello(Recipient::All);
                self.nodes[at].replica.send_version_vector(Recipient::All);
                self.nodes[at].replica.heartbeat(4);
                self.after(at);
            }
            let mut next = start;
            while next < self.packets.len() && next < start + 5_000 {
                self.deliver(next);
                next += 1;
            }
        }
    }

    fn check(&mut self, seed: u64) {
        let merged: Vec<Vec<u64>> = self.nodes.iter().map(|node| node.replica.merged().to_vec()).collect();
        assert!(merged.iter().all(|states| *states == merged[0]), "seed {seed}: {merged:?}");
        let (bits, sum) = (merged[0][BITS], merged[0][LEN - 1]);
        match self.world {
            World::Lossless => {
                assert_eq!((bits, sum), (self.ticked_bits, self.ticked_sum), "seed {seed}: {bits:#b}");
            }
            World::OneLoses => {
                assert_eq!(bits & !self.ticked_bits, 0, "seed {seed}: {bits:#b}");
                assert_eq!(self.kept_bits & !bits, 0, "seed {seed}: {bits:#b}, kept {:#b}", self.kept_bits);
            }
            World::Lossy => assert_eq!(bits & !self.ticked_bits, 0, "seed {seed}: {bits:#b}"),
        }
        for node in &mut self.nodes {
            let origins: BTreeSet<ReplicaId> =
                node.replica.version_vector().map(|(origin, ..)| origin).collect();
            let names: BTreeSet<u64> = origins.iter().map(|origin| origin.node).collect();
            assert_eq!(origins.len(), names.len(), "seed {seed}: planes of ended starts stay: {origins:?}");
            assert!((0..node.replica.shards()).all(|shard| node.replica.audit(shard) == 0), "seed {seed}");
        }
        // Old packets change nothing.
        for index in 0..self.packets.len().min(400) {
            let (from, to, packet) = self.packets[index].clone();
            self.nodes[to as usize].replica.receive(self.now, Peer(from), &packet).unwrap();
        }
        assert!(
            self.nodes.iter().all(|node| node.replica.merged() == merged[0]),
            "seed {seed}: an old packet"
        );
    }
}

fn run(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        for world in [World::Lossless, World::OneLoses, World::Lossy] {
            let mut cluster = Lives::new(seed, world);
            let steps = 40 + cluster.random.next(300);
            (0..steps).for_each(|_| cluster.step());
            cluster.heal();
            cluster.check(seed);
        }
    }
}

#[test]
fn random_lives_end_with_one_plane_a_node_and_the_right_states() {
    run(0..40);
}

/// `ATOMIK_SEEDS` and `ATOMIK_FIRST_SEED` choose others.
#[test]
#[ignore = "with optimisations: ci/test.sh"]
fn many_random_lives_end_with_one_plane_a_node_and_the_right_states() {
    let number = |name, default| std::env::var(name).map_or(default, |value| value.parse().unwrap());
    let first = number("ATOMIK_FIRST_SEED", 0);
    run(first..first + number("ATOMIK_SEEDS", 3_000));
}
