//! Nodes, a network, and the checks.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::case::{Case, Step, Then};
use super::oracle::{Loaded, Oracle, Versions, Writer};
use crate::algebra::Algebra;
use crate::fan_in::{TableFanIn, TableProducer};
use crate::stream::fault::Fault;
use crate::stream::{Cluster, Origin, Peer, Recipient, Replica};

const LEN: usize = 200;
/// The addresses that are used: some of one block, some of one part, the last of the table.
const ADDRS: [usize; 8] = [0, 64, 1, 130, 63, 199, 65, 129];
const MOST_NODES: usize = 6;

/// The deltas that are used.
const DELTAS: [u64; 4] = [1, u64::MAX, 2, 3 << 40];

type Checked = Result<(), TestCaseError>;
/// What a store has: the version and the bytes, by writer and part.
type Store = BTreeMap<(Writer, usize), (u64, Rc<Vec<u8>>)>;

/// A node that runs.
struct Running<A: Algebra> {
    replica: Replica<A>,
    producers: [TableProducer<'static, A>; 2],
    /// What producers wrote since the last tick.
    unticked: BTreeMap<usize, u64>,
    /// The last transaction, if all of it was written.
    written: Option<u64>,
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

pub(super) struct World<A: Algebra> {
    cluster: Cluster,
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
    pub(super) fn run(case: &Case) -> Checked {
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
        let part_words = 64 * case.part_blocks;
        let cluster = Cluster::new("simulated", LEN).with_part_words(part_words).with_packet_len(700);
        let (cluster, base) = if case.has_base {
            let base: Vec<u64> = (100..).take(LEN).collect();
            (cluster.with_base(&base), base)
        } else {
            (cluster, [0; LEN].into())
        };
        Self {
            cluster,
            oracle: Oracle::new(case.adds, base, part_words),
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
        // In no order, as random ones.
        let drawn = self.starts.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let incarnation = if planted!(IncarnationReused) { 1 } else { drawn };
        self.nodes[node].writer = (id, incarnation);
        self.start(node, false);
    }

    fn start(&mut self, node: usize, resumes: bool) {
        let local = Arc::new(TableFanIn::new(LEN));
        let Node { writer, store, .. } = &self.nodes[node];
        let origin = Origin { node: writer.0, incarnation: writer.1 };
        let of_fan_in = Arc::clone(&local);
        let stored = store.iter().flat_map(|store| store.values().map(|(_, bytes)| bytes.as_slice()));
        let replica = match store {
            Some(_) if resumes => Replica::resume(&self.cluster, of_fan_in, origin, stored),
            Some(_) if planted!(IncarnationReused) => {
                Replica::resume(&self.cluster, of_fan_in, origin, stored)
            }
            Some(_) => Replica::restore(&self.cluster, of_fan_in, origin, stored),
            None => Replica::new(&self.cluster, of_fan_in, origin),
        };
        let replica = replica.expect("what a store was given it gives back");
        let producers = [local.producer_owned(), local.producer_owned()];
        let running = Running { replica, producers, unticked: BTreeMap::new(), written: None };
        self.nodes[node].running = Some(running);
    }

    fn addr(&self, pick: u8) -> usize {
        ADDRS[pick as usize % self.addrs]
    }

    fn delta(&self, pick: u8) -> u64 {
        DELTAS[pick as usize % self.deltas]
    }

    /// The node that a number picks, if it runs.
    fn pick(&self, pick: u8) -> Option<usize> {
        let node = pick as usize % self.nodes.len();
        self.nodes[node].running.is_some().then_some(node)
    }

    fn running(&mut self, node: usize) -> &mut Running<A> {
        self.nodes[node].running.as_mut().expect("only running nodes are picked")
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
            Step::Send { node } => self.with(node, Self::send),
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
                self.receive(node, peer as usize % self.nodes.len(), &bytes)
            }
            Step::Heartbeat { node, digests } => self.with(node, |world, node| {
                world.running(node).replica.heartbeat(digests.into());
                Ok(())
            }),
            Step::Vector { node } => self.with(node, |world, node| {
                world.running(node).replica.send_vector(Recipient::All);
                Ok(())
            }),
            Step::Hello { node } => self.with(node, |world, node| {
                world.running(node).replica.hello(Recipient::All);
                Ok(())
            }),
            Step::Partition { sides } => {
                self.sides = sides;
                Ok(())
            }
            Step::Write { node, fails, count } => {
                self.with(node, |world, node| world.write(node, fails.then_some(count)))
            }
            Step::Confirm { node } => self.with(node, |world, node| {
                world.confirm(node);
                Ok(())
            }),
            Step::Backup { node } => self.with(node, |world, node| {
                world.nodes[node].backup = world.nodes[node].store.clone().unwrap_or_default();
                Ok(())
            }),
            Step::Crash { node, then } => self.crash(node as usize % self.nodes.len(), then),
            Step::Join { stores } => {
                if self.nodes.len() < MOST_NODES {
                    self.join(stores);
                }
                Ok(())
            }
            Step::Refetch { node, pick, peer } => {
                self.with(node, |world, node| world.refetch(node, pick, peer))
            }
            Step::Audit { node, part } => self.with(node, |world, node| {
                let replica = &mut world.running(node).replica;
                let part = part as usize % replica.parts();
                prop_assert_eq!(replica.audit(part), 0, "sealed is what the planes add up to");
                Ok(())
            }),
            Step::Probe { node, pick, since } => {
                self.with(node, |world, node| world.probe(node, pick, since))
            }
        }
    }

    /// Lets a running node do something, and checks it.
    fn with(&mut self, pick: u8, act: impl FnOnce(&mut Self, usize) -> Checked) -> Checked {
        let Some(node) = self.pick(pick) else { return Ok(()) };
        act(self, node)?;
        self.check(node)
    }

    fn accum(&mut self, node: usize, addr: usize, delta: u64) {
        let running = self.nodes[node].running.as_mut().expect("only running nodes are picked");
        running.producers[delta as usize % 2].accum(addr, delta);
        let unticked = running.unticked.entry(addr).or_insert(0);
        *unticked = self.oracle.join(*unticked, delta);
    }

    /// What the oracle makes of a tick, before it is.
    fn expect_tick(&mut self, node: usize) {
        let versions = self.versions(node);
        let mut deltas = core::mem::take(&mut self.running(node).unticked);
        deltas.retain(|_, delta| *delta != 0);
        self.oracle.tick(self.nodes[node].writer, &versions, &deltas);
    }

    fn tick(&mut self, node: usize) -> Checked {
        self.expect_tick(node);
        self.running(node).replica.tick();
        Ok(())
    }

    fn put(&mut self, node: usize, addr: usize, value: u64) -> Checked {
        self.expect_tick(node);
        let mut versions = self.versions(node);
        let writer = self.nodes[node].writer;
        for (&(of, part), version) in &mut versions {
            if of == writer {
                *version = self.oracle.made(writer, part);
            }
        }
        let part = self.oracle.part_of(addr);
        versions.insert((writer, part), self.oracle.made(writer, part));
        let delta = self.oracle.between(self.oracle.state(&versions, addr), value);
        if delta != 0 {
            self.oracle.tick(writer, &versions, &BTreeMap::from([(addr, delta)]));
        }
        let replica = &mut self.running(node).replica;
        prop_assert_eq!(replica.put(addr, value), Ok(()));
        prop_assert_eq!(replica.sealed()[addr], value);
        Ok(())
    }

    fn load(&mut self, node: usize, addr: usize, value: u64) -> Checked {
        self.expect_tick(node);
        let mut versions = self.versions(node);
        let (writer, part) = (self.nodes[node].writer, self.oracle.part_of(addr));
        versions.insert((writer, part), self.oracle.made(writer, part));
        self.oracle.load(writer, &versions, addr, value);
        let replica = &mut self.running(node).replica;
        prop_assert_eq!(replica.load(addr, value), Ok(()));
        prop_assert_eq!(replica.sealed()[addr], value);
        Ok(())
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        from != to && (self.sides >> from & 1) == (self.sides >> to & 1)
    }

    fn send(&mut self, from: usize) -> Checked {
        while let Some((recipient, bytes)) = self.running(from).replica.poll_packet() {
            let bytes = Rc::new(bytes);
            self.history.push(Rc::clone(&bytes));
            let all = 0..self.nodes.len();
            let peers = match recipient {
                Recipient::All => all,
                Recipient::Peer(Peer(peer)) => peer as usize..peer as usize + 1,
            };
            let reached: Vec<usize> = peers.filter(|&to| self.reaches(from, to)).collect();
            for to in reached {
                self.network.push(Packet { from, to, bytes: Rc::clone(&bytes) });
            }
        }
        Ok(())
    }

    /// Takes a packet out of the network.
    fn take(&mut self, pick: u16) -> Option<Packet> {
        let len = self.network.len();
        (len > 0).then(|| self.network.swap_remove(pick as usize % len))
    }

    fn deliver(&mut self, pick: u16, stays: bool) -> Checked {
        let Some(packet) = self.take(pick) else { return Ok(()) };
        if self.nodes[packet.to].running.is_some() && self.reaches(packet.from, packet.to) {
            self.receive(packet.to, packet.from, &packet.bytes)?;
        }
        if stays {
            self.network.push(packet);
        }
        Ok(())
    }

    fn sync(&mut self, node: usize, peer: usize) -> Checked {
        let vector = self.running(peer).replica.vector();
        self.receive(node, peer, &vector)?;
        for (from, to) in [(node, peer), (peer, node)] {
            let sent = self.network.len();
            self.send(from)?;
            for packet in self.network.split_off(sent) {
                if packet.to == to {
                    self.receive(to, from, &packet.bytes)?;
                } else {
                    self.network.push(packet);
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, node: usize, from: usize, bytes: &[u8]) -> Checked {
        let received = self.running(node).replica.receive(Peer(from as u64), bytes);
        prop_assert!(received.is_ok(), "a whole packet was refused: {:?}", received);
        self.check(node)
    }

    fn damage(&mut self, pick: u16, bit: u16) -> Checked {
        let Some(packet) = self.take(pick) else { return Ok(()) };
        if self.nodes[packet.to].running.is_some() {
            let mut bytes = (*packet.bytes).clone();
            let at = bit as usize / 8 % bytes.len();
            bytes[at] ^= 1 << (bit % 8);
            // Refused, or known already; whatever of it was whole and right is for the check to see.
            let _ = self.running(packet.to).replica.receive(Peer(packet.from as u64), &bytes);
            self.check(packet.to)?;
        }
        Ok(())
    }

    fn write(&mut self, node: usize, fails_after: Option<u8>) -> Checked {
        let Node { running, store, .. } = &mut self.nodes[node];
        let running = running.as_mut().expect("only running nodes are picked");
        let Some(transaction) = running.replica.to_store() else { return Ok(()) };
        let store = store.as_mut().expect("only a replica with a store has what to store");
        let count = fails_after.map_or(usize::MAX, |count| count as usize % transaction.parts.len());
        for part in transaction.parts.into_iter().take(count) {
            let key = ((part.origin.node, part.origin.incarnation), part.part);
            store.insert(key, (part.version, Rc::new(part.bytes)));
        }
        running.written = fails_after.is_none().then_some(transaction.number);
        Ok(())
    }

    fn confirm(&mut self, node: usize) {
        let running = self.running(node);
        if let Some(number) = running.written.take() {
            running.replica.stored(number);
        }
    }

    fn crash(&mut self, node: usize, then: Then) -> Checked {
        self.nodes[node].running = None;
        match then {
            Then::Nothing => return Ok(()),
            Then::Anew => {
                if let Some(store) = &mut self.nodes[node].store {
                    store.clear();
                }
                self.start_anew(node);
            }
            Then::RestoreBackup if self.nodes[node].store.is_some() => {
                self.nodes[node].store = Some(self.nodes[node].backup.clone());
                self.start_anew(node);
            }
            Then::Resume if self.nodes[node].store.is_some() => {
                self.start(node, true);
                self.forget_unstored(node);
            }
            Then::Restore | Then::RestoreBackup | Then::Resume => self.start_anew(node),
        }
        if crate::stream::fault::PLANTED.get() == Some(Fault::IncarnationReused) {
            self.forget_unstored(node);
        }
        self.check(node)
    }

    /// A node goes on from what its store has of it.
    fn forget_unstored(&mut self, node: usize) {
        let Node { writer, store, .. } = &self.nodes[node];
        let versions = store.iter().flatten().filter(|((of, _), _)| of == writer);
        let versions = versions.map(|(&(_, part), &(version, _))| (part, version)).collect();
        self.oracle.truncate(*writer, &versions);
    }

    fn refetch(&mut self, node: usize, pick: u8, peer: u8) -> Checked {
        let peer = Peer((peer as usize % self.nodes.len()) as u64);
        let own = self.nodes[node].writer;
        let keys: Vec<_> = self.versions(node).into_keys().filter(|&(writer, _)| writer != own).collect();
        if let Some(&(writer, part)) = keys.get(pick as usize % keys.len().max(1)) {
            let origin = Origin { node: writer.0, incarnation: writer.1 };
            prop_assert_eq!(self.running(node).replica.refetch(origin, part, peer), Ok(()));
        }
        Ok(())
    }

    /// Looks at what a node would answer: all that changed since, as it is now; and from its own origin,
    /// blocks that changed since, and no other.
    fn probe(&mut self, node: usize, pick: u8, since: u8) -> Checked {
        let keys: Vec<_> = self.versions(node).into_iter().collect();
        let Some(&((writer, part), version)) = keys.get(pick as usize % keys.len().max(1)) else {
            return Ok(());
        };
        let since = u64::from(since) % (version + 1);
        let origin = Origin { node: writer.0, incarnation: writer.1 };
        let Some(frame) = self.running(node).replica.since(origin, part, since) else { return Ok(()) };
        prop_assert!(since < version, "an answer to who has version {} already", version);
        let (from, to, words, entries) = parse(&frame);
        prop_assert_eq!((from, to), (since, version));
        let changed = self.oracle.changed(writer, part, since, version);
        for &addr in &changed {
            prop_assert!(
                words.contains_key(&addr) || entries.contains_key(&addr),
                "the answer since {} lacks address {}",
                since,
                addr
            );
        }
        for (&addr, &total) in &words {
            prop_assert_eq!(total, self.oracle.word(writer, version, addr));
        }
        for (&addr, &entry) in &entries {
            prop_assert_eq!(Some(entry), self.oracle.entry(writer, version, addr));
        }
        if writer == self.nodes[node].writer {
            for addr in words.keys() {
                let is_of_block = changed.iter().any(|other| other / 64 == addr / 64);
                prop_assert!(is_of_block, "address {} did not change since {}", addr, since);
            }
        }
        Ok(())
    }

    /// What a node knows, by its own word.
    fn versions(&self, node: usize) -> Versions {
        let running = self.nodes[node].running.as_ref().expect("only running nodes are asked");
        let planes = running.replica.planes().iter();
        planes
            .flat_map(|plane| {
                let writer = (plane.origin.node, plane.origin.incarnation);
                plane.parts().map(move |(part, found)| ((writer, part), found.version))
            })
            .collect()
    }

    /// A node's sealed states are the oracle's for what it knows; and the live states are these and what
    /// wasn't ticked.
    fn check(&self, node: usize) -> Checked {
        let versions = self.versions(node);
        for (&(writer, part), &version) in &versions {
            let made = self.oracle.made(writer, part);
            prop_assert!(version <= made, "{writer:?} made {made} versions of {part}, here is {version}");
        }
        let Node { writer, running, .. } = &self.nodes[node];
        let Running { replica, unticked, .. } = running.as_ref().expect("only running nodes are checked");
        for part in 0..replica.parts() {
            let known = versions.get(&(*writer, part)).copied().unwrap_or(0);
            prop_assert_eq!(known, self.oracle.made(*writer, part), "the own version of part {}", part);
        }
        let view = replica.view();
        for addr in ADDRS {
            let state = self.oracle.state(&versions, addr);
            prop_assert_eq!(replica.sealed()[addr], state, "node {}, sealed {}", node, addr);
            let live = self.oracle.join(state, unticked.get(&addr).copied().unwrap_or(0));
            prop_assert_eq!(view.read(addr), live, "node {}, live {}", node, addr);
        }
        Ok(())
    }

    /// The links heal: everyone must come to know all that anyone knows.
    fn heal(&mut self) -> Checked {
        self.sides = 0;
        self.network.clear();
        let running: Vec<usize> =
            (0..self.nodes.len()).filter(|&node| self.nodes[node].running.is_some()).collect();
        for &node in &running {
            self.tick(node)?;
        }
        let mut all = Versions::new();
        for &node in &running {
            for (key, version) in self.versions(node) {
                let greatest = all.entry(key).or_insert(0);
                *greatest = version.max(*greatest);
            }
        }
        // What was dropped here is known elsewhere, or was never told; nobody can bring back version 0.
        all.retain(|_, version| *version > 0);
        for _ in 0..4 {
            for &node in &running {
                self.write(node, None)?;
                self.confirm(node);
                self.running(node).replica.send_vector(Recipient::All);
                self.send(node)?;
            }
            while let Some(packet) = self.network.pop() {
                if self.nodes[packet.to].running.is_some() {
                    self.receive(packet.to, packet.from, &packet.bytes)?;
                    self.write(packet.to, None)?;
                    self.confirm(packet.to);
                    self.send(packet.to)?;
                }
            }
        }
        running.iter().try_for_each(|&node| self.check_healed(node, &all))
    }

    fn check_healed(&mut self, node: usize, all: &Versions) -> Checked {
        self.check(node)?;
        let mut versions = self.versions(node);
        versions.retain(|_, version| *version > 0);
        prop_assert_eq!(&versions, all, "node {} doesn't know all", node);
        // Addresses that nobody ever touches stay what they were at the start.
        let mut states = self.oracle.base().to_vec();
        for addr in ADDRS {
            states[addr] = self.oracle.state(all, addr);
        }
        let replica = &mut self.nodes[node].running.as_mut().expect("it runs").replica;
        prop_assert_eq!(replica.sealed(), states);
        prop_assert_eq!(replica.poll_packet(), None, "something waits for ever");
        prop_assert_eq!(replica.poll_event(), None);
        let mut blocks = 0;
        for plane in replica.planes() {
            let writer = (plane.origin.node, plane.origin.incarnation);
            for (part, found) in plane.parts() {
                let version = found.version;
                let changed = self.oracle.changed(writer, part, 0, version);
                let start = part * self.oracle.part_words();
                for addr in start..LEN.min(start + self.oracle.part_words()) {
                    let total = found.total(addr as u32).0;
                    if !ADDRS.contains(&addr) {
                        prop_assert!(total == 0 && found.entry(addr as u32).is_none());
                        continue;
                    }
                    prop_assert_eq!(total, self.oracle.word(writer, version, addr));
                    let entry = found.entry(addr as u32).map(|entry| {
                        let (register, total) = (entry.register, entry.total.0);
                        let by = (register.epoch.origin.node, register.epoch.origin.incarnation);
                        (Loaded { counter: register.epoch.counter, by, value: register.value }, total)
                    });
                    prop_assert_eq!(entry, self.oracle.entry(writer, version, addr));
                }
                blocks += found.blocks().count();
                let touched: alloc::collections::BTreeSet<_> = changed.iter().map(|addr| addr / 64).collect();
                prop_assert!(found.blocks().count() <= touched.len(), "memory beyond what was touched");
            }
        }
        prop_assert!(blocks <= 4 * replica.origins());
        Ok(())
    }
}

type Words = BTreeMap<usize, u64>;
type Entries = BTreeMap<usize, (Loaded, u64)>;

/// A frame's versions, words and entries, read by the layout in STREAMS: no code of the replica's.
fn parse(frame: &[u8]) -> (u64, u64, Words, Entries) {
    let u32_at = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_be_bytes(frame[at..at + 8].try_into().unwrap());
    let (words, entries) = (u32_at(52) as usize, u32_at(56) as usize);
    let after_words = 68 + 16 * words;
    assert_eq!(frame.len(), after_words + 44 * entries);
    let words = (68..after_words).step_by(16).map(|at| (u32_at(at) as usize, u64_at(at + 4)));
    let entries = (after_words..frame.len()).step_by(44).map(|at| {
        let by = (u64_at(at + 12), u64_at(at + 20));
        let loaded = Loaded { counter: u64_at(at + 4), by, value: u64_at(at + 28) };
        (u32_at(at) as usize, (loaded, u64_at(at + 36)))
    });
    (u64_at(36), u64_at(44), words.collect(), entries.collect())
}
