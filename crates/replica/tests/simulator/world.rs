//! The nodes and the network, and the steps of a case.

mod acts;
mod checks;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use atomik_replica::{
    ClusterConfig, Event, PacketError, Peer, Recipient, Replica, ReplicaId, Timing, Transaction,
};

use super::case::{Case, Step};
use super::driving::{self, Environment};
use super::oracle::{Oracle, Writer};
use atomik_core::{Algebra, DeltaBatch, TableFanIn, TableProducer};

const LEN: usize = 200;
/// The addresses that are used: some in the same block, some in the same shard, and the last one of the table.
const ADDRS: [usize; 8] = [0, 64, 1, 130, 63, 199, 65, 129];
const MOST_NODES: usize = 6;

/// The deltas that are used.
const DELTAS: [u64; 4] = [1, u64::MAX, 2, 3 << 40];

const TIMING: Timing = Timing::new()
    .with_tick(Duration::from_millis(10))
    .with_heartbeat(Duration::from_millis(100))
    .with_version_vector(Duration::from_millis(300))
    .with_listening(Duration::from_millis(500))
    .with_answer(Duration::from_millis(200))
    .with_store_retry(Duration::from_millis(30))
    .with_digests(2);

type Checked = Result<(), TestCaseError>;
/// The content of a store: versions and the bytes of parts, by writer and shard.
type Store = BTreeMap<(Writer, usize), (u64, BTreeMap<u32, Rc<Vec<u8>>>)>;

/// What a node has handed out, until the world takes it.
struct Outside<A> {
    packets: Vec<(Recipient, Vec<u8>)>,
    transactions: Vec<Transaction>,
    changes: Vec<DeltaBatch<A>>,
    refused: Vec<PacketError>,
    events: Vec<Event>,
}

impl<A: Algebra> Environment<A> for Outside<A> {
    fn send(&mut self, to: Recipient, packet: Vec<u8>) {
        self.packets.push((to, packet));
    }

    fn write(&mut self, transaction: Transaction) {
        self.transactions.push(transaction);
    }

    fn changed(&mut self, changes: DeltaBatch<A>) {
        self.changes.push(changes);
    }

    fn refused(&mut self, _from: Peer, error: PacketError) {
        self.refused.push(error);
    }

    fn report(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// A node that runs.
struct Running<A: Algebra> {
    node: driving::Node<A, Outside<A>>,
    /// The time by its clock.
    now: Duration,
    producers: Vec<TableProducer<'static, A>>,
    /// What the producers wrote since the last tick, by address.
    unticked: BTreeMap<usize, u64>,
    /// The states by what the node reported of changes, and its own ticks.
    observed: Vec<u64>,
    /// The numbers of the transactions that were written and not confirmed yet.
    written: Vec<u64>,
}

struct Node<A: Algebra> {
    writer: Writer,
    running: Option<Running<A>>,
    store: Option<Store>,
    backup: Store,
}

struct Packet {
    from: usize,
    to: usize,
    bytes: Rc<Vec<u8>>,
}

pub(crate) struct World<A: Algebra> {
    cluster: ClusterConfig,
    oracle: Oracle,
    nodes: Vec<Node<A>>,
    network: Vec<Packet>,
    history: Vec<Rc<Vec<u8>>>,
    sides: u8,
    starts: u64,
    addrs: usize,
    deltas: usize,
}

impl<A: Algebra> World<A> {
    pub(crate) fn run(case: &Case) -> Checked {
        let mut world = Self::new(case);
        for node in 0..case.nodes {
            world.join(case.stores >> node & 1 != 0);
        }
        for step in &case.steps {
            world.step(step)?;
        }
        world.heal()
    }

    fn new(case: &Case) -> Self {
        let shard_words = case.shard_words;
        let cluster = ClusterConfig::new("simulated", LEN).with_shard_words(shard_words).with_packet_len(700);
        // Several shards to a transaction, and often several transactions.
        let cluster = cluster.with_transaction_len(2_000);
        let cluster = cluster.with_timing(TIMING);
        let (cluster, base) = if case.has_base {
            let base: Vec<u64> = (100..).take(LEN).collect();
            (cluster.with_base(&base), base)
        } else {
            (cluster, [0; LEN].into())
        };
        Self {
            cluster,
            oracle: Oracle::new(case.adds, base, shard_words),
            nodes: Vec::new(),
            network: Vec::new(),
            history: Vec::new(),
            sides: 0,
            starts: 0,
            addrs: case.addrs,
            deltas: case.deltas,
        }
    }

    fn join(&mut self, stores: bool) {
        let node = self.nodes.len();
        let store = stores.then(Store::new);
        self.nodes.push(Node { writer: (node as u64, 0), running: None, store, backup: Store::new() });
        self.start_anew(node);
    }

    /// Starts a node as a new incarnation, from its store if it has one.
    fn start_anew(&mut self, node: usize) {
        self.starts += 1;
        let id = self.nodes[node].writer.0;
        // In no particular order, like incarnations drawn at random.
        let incarnation = self.starts.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.nodes[node].writer = (id, incarnation);
        self.start(node, false);
    }

    fn start(&mut self, node: usize, resumes: bool) {
        let local = Arc::new(TableFanIn::new(LEN));
        let Node { writer, store, .. } = &self.nodes[node];
        let origin = ReplicaId { node: writer.0, incarnation: writer.1 };
        let of_fan_in = Arc::clone(&local);
        let stored = store.iter().flat_map(|store| store.values().flat_map(|(_, parts)| parts.values()));
        let stored = stored.map(|bytes| bytes.as_slice());
        let replica = match store {
            Some(_) if resumes => Replica::resume(&self.cluster, of_fan_in, origin, stored),
            Some(_) => Replica::restore(&self.cluster, of_fan_in, origin, stored),
            None => Replica::new(&self.cluster, of_fan_in, origin),
        };
        let replica = replica.expect("a replica can start from what it stored");
        let observed = replica.merged().to_vec();
        let outside = Outside {
            packets: Vec::new(),
            transactions: Vec::new(),
            changes: Vec::new(),
            refused: Vec::new(),
            events: Vec::new(),
        };
        // With one producer, a tick compares the plane with the last tick's states before it copies any.
        let producers = (0..=self.starts % 2).map(|_| local.producer_owned()).collect();
        let running = Running {
            node: driving::Node::new(replica, outside),
            now: Duration::from_secs(self.starts),
            producers,
            unticked: BTreeMap::new(),
            observed,
            written: Vec::new(),
        };
        self.nodes[node].running = Some(running);
    }

    fn addr(&self, pick: u8) -> usize {
        ADDRS[pick as usize % self.addrs]
    }

    fn delta(&self, pick: u8) -> u64 {
        DELTAS[pick as usize % self.deltas]
    }

    /// The node that a number picks, if it is running.
    fn pick(&self, pick: u8) -> Option<usize> {
        let node = pick as usize % self.nodes.len();
        self.nodes[node].running.is_some().then_some(node)
    }

    /// Applies what a node itself wrote, or what it reported, to the states by its reports.
    fn observe(&mut self, node: usize, addr: usize, delta: u64) {
        let running = self.nodes[node].running.as_mut().expect("only running nodes are observed");
        running.observed[addr] = self.oracle.join(running.observed[addr], delta);
    }

    fn running(&mut self, node: usize) -> &mut Running<A> {
        self.nodes[node].running.as_mut().expect("only running nodes are picked")
    }

    fn replica(&mut self, node: usize) -> &mut Replica<A> {
        &mut self.running(node).node.replica
    }

    fn step(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Accum { node, addr: at, delta: d } => {
                let Some(node) = self.pick(node) else { return Ok(()) };
                self.accum(node, self.addr(at), self.delta(d));
                self.check(node)
            }
            Step::Tick { node } => self.with(node, |world, node| world.tick(node)),
            Step::Put { node, addr: at, value } => {
                self.with(node, |world, node| world.put(node, world.addr(at), value.into()))
            }
            Step::Load { node, addr: at, value } => {
                self.with(node, |world, node| world.load(node, world.addr(at), value.into()))
            }
            Step::Turn { node, millis } => {
                self.with(node, |world, node| world.turn(node, Duration::from_millis(millis.into())))
            }
            Step::Deliver { pick, stays } => self.deliver(pick, stays),
            Step::Drop { pick } => {
                self.take(pick);
                Ok(())
            }
            Step::Sync { node, peer } => {
                let (Some(node), Some(peer)) = (self.pick(node), self.pick(peer)) else { return Ok(()) };
                if self.reaches(peer, node) { self.sync(node, peer) } else { Ok(()) }
            }
            Step::Damage { pick, bit } => self.damage(pick, bit),
            Step::Old { pick, node, peer } => {
                let (Some(node), false) = (self.pick(node), self.history.is_empty()) else {
                    return Ok(());
                };
                let bytes = Rc::clone(&self.history[pick as usize % self.history.len()]);
                let before = self.versions(node);
                self.receive(node, peer as usize % self.nodes.len(), &bytes)?;
                for (key, version) in self.versions(node) {
                    let earlier = before.get(&key).copied().unwrap_or(0);
                    prop_assert!(version >= earlier, "an old packet took {:?} back to {}", key, version);
                }
                Ok(())
            }
            Step::Heartbeat { node, digests } => self.with(node, |world, node| {
                world.replica(node).heartbeat(digests.into());
                Ok(())
            }),
            Step::VersionVector { node } => self.with(node, |world, node| {
                world.replica(node).send_version_vector(Recipient::All);
                Ok(())
            }),
            Step::Hello { node } => self.with(node, |world, node| {
                world.replica(node).hello(Recipient::All);
                Ok(())
            }),
            Step::Partition { sides } => {
                self.partition(sides);
                Ok(())
            }
            Step::Write { node, pick, fails, count } => {
                self.with(node, |world, node| world.write(node, pick, fails.then_some(count)))
            }
            Step::Confirm { node } => self.with(node, Self::confirm),
            Step::Backup { node } => self.with(node, |world, node| {
                world.nodes[node].backup = world.nodes[node].store.clone().unwrap_or_default();
                Ok(())
            }),
            Step::Crash { node, then } => self.crash(node as usize % self.nodes.len(), then),
            Step::ShutDown { node, then } => {
                let Some(node) = self.pick(node) else { return Ok(()) };
                self.shut_down(node)?;
                self.crash(node, then)
            }
            Step::Join { stores } => {
                if self.nodes.len() < MOST_NODES {
                    self.join(stores);
                }
                Ok(())
            }
            Step::Refetch { node, pick, peer } => {
                self.with(node, |world, node| world.refetch(node, pick, peer))
            }
            Step::Audit { node, shard } => self.with(node, |world, node| {
                let replica = world.replica(node);
                let shard = shard as usize % replica.shards();
                prop_assert_eq!(
                    replica.audit(shard),
                    0,
                    "the merged states are the composition of the planes"
                );
                Ok(())
            }),
            Step::Probe { node, pick, since } => {
                self.with(node, |world, node| world.probe(node, pick, since))
            }
        }
    }

    /// Lets a running node act, and then checks it.
    fn with(&mut self, pick: u8, act: impl FnOnce(&mut Self, usize) -> Checked) -> Checked {
        let Some(node) = self.pick(pick) else { return Ok(()) };
        act(self, node)?;
        self.check(node)
    }
}
