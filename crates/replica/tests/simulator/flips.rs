//! One bit flips, in the memory of a node or in a section before its checksums are made. Then it is repaired or reported
//! within two turns of heartbeats through all shards, and does not spread unseen.
//!
//! A case runs twice, with the flip and without. If no node reports anything, all nodes must have the states and versions
//! that they have without the flip. If the flip leaves the planes alone, they must have them even if it is reported.
//! Without the flip, nothing is reported.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Algebra, TableFanIn, TableProducer};
use atomik_replica::damage::Memory;
use atomik_replica::{ClusterConfig, Event, Peer, Recipient, Replica, ReplicaId};
use proptest::prelude::*;

const LEN: usize = 150;
/// Some in the same block, some in the same shard, and the last one of the table.
const ADDRS: [usize; 6] = [0, 1, 15, 16, 70, 149];
/// The digests in a heartbeat, as in the default timing.
const DIGESTS: usize = 8;

/// A case.
#[derive(Clone, Debug)]
pub(crate) struct FlipCase {
    pub(crate) adds: bool,
    has_base: bool,
    has_store: bool,
    shard_words: usize,
    nodes: usize,
    /// How many addresses are used.
    addrs: usize,
    before: Vec<Act>,
    flip: Flip,
    after: Vec<Act>,
}

/// What a node does. `node` is taken modulo the number of nodes.
#[derive(Clone, Debug)]
enum Act {
    /// Adds deltas and ticks.
    Tick {
        node: u8,
        addr: u8,
        delta: u8,
    },
    Load {
        node: u8,
        addr: u8,
        value: u8,
    },
    /// Sends what waits. Only the peers with a bit get it.
    Send {
        node: u8,
        peers: u8,
    },
    Heartbeat {
        node: u8,
    },
    Hello {
        node: u8,
    },
}

#[derive(Clone, Copy, Debug)]
enum Flip {
    /// In the memory of a node.
    Memory { node: u8, memory: Memory, shard: u8, bit: u16 },
    /// In a section on its way from a node to another one.
    Section { from: u8, to: u8, section: u8, bit: u16 },
}

impl Flip {
    /// Whether the states must be right in the end, although the flip is reported: they can be computed from planes
    /// that are intact.
    fn leaves_planes_alone(self) -> bool {
        let Self::Memory { memory, .. } = self else { return false };
        matches!(
            memory,
            Memory::Merged
                | Memory::Remote
                | Memory::Base
                | Memory::Registers
                | Memory::VersionDigests
                | Memory::Origins
        )
    }

    /// Whether acts after the flip exchange the same packets as without it, so that ticks know the same LOADs.
    fn leaves_packets_alone(self) -> bool {
        let Self::Memory { memory, .. } = self else { return false };
        !matches!(memory, Memory::Versions | Memory::StoredVersions | Memory::Stamps)
    }
}

fn act() -> impl Strategy<Value = Act> {
    let any = any::<u8>;
    prop_oneof![
        4 => (any(), any(), any()).prop_map(|(node, addr, delta)| Act::Tick { node, addr, delta }),
        2 => (any(), any(), any()).prop_map(|(node, addr, value)| Act::Load { node, addr, value }),
        6 => (any(), prop_oneof![2 => Just(u8::MAX), 1 => any()]).prop_map(|(node, peers)| Act::Send { node, peers }),
        1 => any().prop_map(|node| Act::Heartbeat { node }),
        1 => any().prop_map(|node| Act::Hello { node }),
    ]
}

fn flip() -> impl Strategy<Value = Flip> {
    prop_oneof![
        2 => (any::<u8>(), prop::sample::select(Memory::ALL.to_vec()), any::<u8>(), any::<u16>())
            .prop_map(|(node, memory, shard, bit)| Flip::Memory { node, memory, shard, bit }),
        1 => (any::<u8>(), any::<u8>(), any::<u8>(), any::<u16>())
            .prop_map(|(from, to, section, bit)| Flip::Section { from, to, section, bit }),
    ]
}

pub(crate) fn case() -> impl Strategy<Value = FlipCase> {
    let acts = |most| prop::collection::vec(act(), 0..most);
    let kinds = (any::<bool>(), any::<bool>(), any::<bool>());
    let sizes = (prop::sample::select(vec![16, 32, 64, 128]), 2..=4usize, 1..=ADDRS.len());
    (kinds, sizes, acts(24), flip(), acts(8)).prop_map(
        |((adds, has_base, has_store), (shard_words, nodes, addrs), before, flip, after)| FlipCase {
            adds,
            has_base,
            has_store,
            shard_words,
            nodes,
            addrs,
            before,
            flip,
            after,
        },
    )
}

struct Node<A: Algebra> {
    replica: Replica<A>,
    producer: TableProducer<'static, A>,
    /// The shard that is audited next.
    audit: usize,
}

struct Cluster<A: Algebra> {
    nodes: Vec<Node<A>>,
    now: Duration,
    addrs: usize,
    /// What was reported, or refused.
    reports: Vec<String>,
}

/// What a node has in the end.
#[derive(Debug, PartialEq)]
struct End {
    merged: Vec<u64>,
    live: Vec<u64>,
    versions: Vec<(ReplicaId, usize, u64)>,
    /// How many shards the node would answer requests about.
    answered: usize,
}

impl<A: Algebra> Cluster<A> {
    fn new(case: &FlipCase) -> Self {
        let cluster = ClusterConfig::new("flips", LEN).with_shard_words(case.shard_words);
        let base: Vec<u64> = (1_000..).take(LEN).collect();
        let cluster = if case.has_base { cluster.with_base(&base) } else { cluster };
        let start = |node| {
            let local = Arc::new(TableFanIn::new(LEN));
            let (producer, id) = (local.producer_owned(), ReplicaId { node, incarnation: 1 });
            let none: [&[u8]; 0] = [];
            let replica = if case.has_store {
                Replica::restore(&cluster, local, id, none)
            } else {
                Replica::new(&cluster, local, id)
            };
            Node { replica: replica.expect("the settings are possible"), producer, audit: 0 }
        };
        let nodes = (0..case.nodes as u64).map(start).collect();
        Self { nodes, now: Duration::ZERO, addrs: case.addrs, reports: Vec::new() }
    }

    fn act(&mut self, act: &Act) {
        self.now += Duration::from_secs(1);
        let count = self.nodes.len();
        match *act {
            Act::Tick { node, addr, delta } => {
                let Node { replica, producer, .. } = &mut self.nodes[node as usize % count];
                producer.accum(ADDRS[addr as usize % self.addrs], 1 + u64::from(delta));
                replica.tick();
            }
            Act::Load { node, addr, value } => {
                let replica = &mut self.nodes[node as usize % count].replica;
                // A damaged node may refuse it.
                let _ = replica.load(ADDRS[addr as usize % self.addrs], value.into());
            }
            Act::Send { node, peers } => self.send(node as usize % count, peers),
            Act::Heartbeat { node } => self.nodes[node as usize % count].replica.heartbeat(DIGESTS),
            Act::Hello { node } => self.nodes[node as usize % count].replica.hello(Recipient::All),
        }
        self.store_and_report();
    }

    /// Stores what is to be stored, and takes the events.
    fn store_and_report(&mut self) {
        for Node { replica, .. } in &mut self.nodes {
            while let Some(transaction) = replica.poll_store() {
                replica.stored(transaction.number);
            }
            let id = replica.id();
            let events = std::iter::from_fn(|| replica.poll_event());
            let reported = events.filter(|event| !matches!(event, Event::RefetchFailed { .. }));
            self.reports.extend(reported.map(|event| format!("{id}: {event:?}")));
        }
    }

    fn packets(&mut self, from: usize) -> Vec<(Recipient, Vec<u8>)> {
        std::iter::from_fn(|| self.nodes[from].replica.poll_transmit()).collect()
    }

    fn send(&mut self, from: usize, peers: u8) {
        for (recipient, packet) in self.packets(from) {
            for to in 0..self.nodes.len() {
                let is_meant = recipient == Recipient::All || recipient == Recipient::Peer(Peer(to as u64));
                if to != from && is_meant && peers >> to & 1 != 0 {
                    self.receive(from, to, &packet);
                }
            }
        }
    }

    fn receive(&mut self, from: usize, to: usize, packet: &[u8]) {
        if let Err(error) = self.nodes[to].replica.receive(self.now, Peer(from as u64), packet) {
            self.reports.push(error.to_string());
        }
    }

    /// Flips a bit or, in the run to compare with, does everything else that belongs to it.
    fn flip(&mut self, flip: Flip, flips: bool) {
        let count = self.nodes.len();
        match flip {
            Flip::Memory { node, memory, shard, bit } => {
                let replica = &mut self.nodes[node as usize % count].replica;
                if flips {
                    replica.flip(memory, shard as usize % replica.shards(), bit.into());
                }
            }
            Flip::Section { from, to, section, bit } => {
                let (from, to) = (from as usize % count, to as usize % count);
                for (recipient, packet) in self.packets(from) {
                    for at in (0..count).filter(|&at| at != from) {
                        if recipient == Recipient::All || recipient == Recipient::Peer(Peer(at as u64)) {
                            let damages = flips && at == to;
                            let damaged =
                                damages.then(|| flip_in_section(&packet, section.into(), bit.into()));
                            self.receive(from, at, damaged.as_ref().unwrap_or(&packet));
                        }
                    }
                }
            }
        }
        self.store_and_report();
    }

    /// Heartbeats of all nodes, with audits as by the default timing. The links work, and nobody writes.
    ///
    /// There are two turns of all shards, and a few heartbeats for answers.
    fn compare(&mut self) {
        let shards = self.nodes[0].replica.shards();
        let planes = (self.nodes.len() * shards).div_ceil(DIGESTS);
        for _ in 0..2 * shards.max(planes) + 4 {
            self.now += Duration::from_secs(60);
            for Node { replica, audit, .. } in &mut self.nodes {
                replica.heartbeat(DIGESTS);
                replica.audit(*audit % replica.shards());
                *audit += 1;
                replica.send_version_vector(Recipient::All);
            }
            // What is asked and answered in one heartbeat.
            for _ in 0..5 {
                self.store_and_report();
                (0..self.nodes.len()).for_each(|node| self.send(node, u8::MAX));
            }
        }
        self.store_and_report();
    }

    fn ends(&self) -> Vec<End> {
        let end = |Node { replica, .. }: &Node<A>| {
            let view = replica.view();
            let live = (0..LEN).map(|addr| view.read(addr)).collect();
            let versions: Vec<_> = replica.version_vector().collect();
            let answers =
                versions.iter().filter(|(id, shard, _)| replica.frame_since(*id, *shard, 0).is_some());
            End { merged: replica.merged().to_vec(), live, answered: answers.count(), versions }
        };
        self.nodes.iter().map(end).collect()
    }

    /// Runs a case, with the flip or without. Returns what was reported, and what all nodes have in the end.
    fn run(case: &FlipCase, flips: bool) -> (Vec<String>, Vec<End>) {
        let mut cluster = Self::new(case);
        case.before.iter().for_each(|act| cluster.act(act));
        cluster.flip(case.flip, flips);
        if case.flip.leaves_packets_alone() {
            case.after.iter().for_each(|act| cluster.act(act));
        }
        cluster.compare();
        let ends = cluster.ends();
        (cluster.reports, ends)
    }
}

/// Flips a bit of one of the sections of a packet, but none of its checksums, and makes these right for it.
fn flip_in_section(packet: &[u8], section: usize, bit: usize) -> Vec<u8> {
    const HEADER: usize = 80;
    let mut starts = Vec::new();
    let mut next = 0;
    while next < packet.len() {
        starts.push(next);
        next += HEADER + u32::from_be_bytes(packet[next + 68..next + 72].try_into().unwrap()) as usize;
    }
    let at = section % starts.len();
    let end = starts.get(at + 1).copied().unwrap_or(packet.len());
    let mut packet = packet.to_vec();
    let damaged = &mut packet[starts[at]..end];
    // All bytes but the two checksums, which are made after the flip.
    let byte = bit / 8 % (damaged.len() - 8);
    damaged[if byte < 72 { byte } else { byte + 8 }] ^= 1 << (bit % 8);
    let body = crc32c(&damaged[HEADER..]);
    damaged[72..76].copy_from_slice(&body.to_be_bytes());
    let header = crc32c(&damaged[..76]);
    damaged[76..80].copy_from_slice(&header.to_be_bytes());
    packet
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0x82F6_3B78 & (crc & 1).wrapping_neg()))
    })
}

/// Runs a case with the flip and without it.
pub(crate) fn run<A: Algebra>(case: &FlipCase) -> Result<(), TestCaseError> {
    let (reports, healthy) = Cluster::<A>::run(case, false);
    prop_assert!(reports.is_empty(), "reported without damage: {:?}", reports);
    for end in &healthy {
        prop_assert_eq!(end, &healthy[0], "the nodes do not converge");
        prop_assert_eq!(&end.merged, &end.live, "live states are not the merged ones");
    }
    let (reports, ends) = Cluster::<A>::run(case, true);
    if reports.is_empty() || case.flip.leaves_planes_alone() {
        prop_assert_eq!(ends, healthy, "the flip was not repaired; reported: {:?}", reports);
    }
    Ok(())
}
