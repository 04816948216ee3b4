//! A node of the rules and a replica, which take the same steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use atomik_core::{Algebra, TableFanIn, TableProducer};
use atomik_replica::{ClusterConfig, Peer, Recipient, Replica, ReplicaId};

use crate::rule::{Kept, Message, Node, SHARDS, Start, WORDS};

/// The words of a block. The rules have one for each block.
const BLOCK: usize = 64;
const LEN: usize = SHARDS * WORDS * BLOCK;
const NOW: Duration = Duration::ZERO;
/// A peer that forwards what others sent.
const PEER: Peer = Peer(1_000);

/// The kinds of sections that the steps need.
const FRAME: u8 = 1;
const REQUEST: u8 = 3;
const HELLO: u8 = 5;
const REPORT: u8 = 7;
const NAMED_FOLD: u8 = 8;

/// The parts of a store.
pub(crate) type Store = BTreeMap<(ReplicaId, usize, u32), Vec<u8>>;

/// The bytes of a message, and what it is by the rules.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) message: Message,
    bytes: Vec<u8>,
}

pub(crate) struct Pair<A: Algebra> {
    pub(crate) node: Node,
    pub(crate) replica: Replica<A>,
    producer: TableProducer<'static, A>,
    pub(crate) store: Option<Store>,
}

fn id((node, incarnation): Start) -> ReplicaId {
    ReplicaId { node, incarnation }
}

fn addr(shard: usize, word: usize) -> usize {
    (shard * WORDS + word) * BLOCK
}

fn sections(packet: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = packet;
    std::iter::from_fn(move || {
        let body = rest.get(68..72)?;
        let len = 80 + u32::from_be_bytes(body.try_into().unwrap()) as usize;
        let (section, after) = rest.split_at(len);
        rest = after;
        Some(section)
    })
}

/// A section without a body, with the cluster of another one.
fn section(like: &[u8], kind: u8, origin: Start, shard: usize, from: u64) -> Vec<u8> {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    let mut bytes = like[..80].to_vec();
    bytes[5] = kind;
    bytes[16..24].copy_from_slice(&origin.0.to_be_bytes());
    bytes[24..32].copy_from_slice(&origin.1.to_be_bytes());
    let origin_crc = crc.checksum(&bytes[16..32]);
    bytes[32..36].copy_from_slice(&origin_crc.to_be_bytes());
    bytes[36..40].copy_from_slice(&(shard as u32).to_be_bytes());
    bytes[40..48].copy_from_slice(&from.to_be_bytes());
    bytes[48..76].fill(0);
    bytes[72..76].copy_from_slice(&crc.checksum(&[]).to_be_bytes());
    let header_crc = crc.checksum(&bytes[..76]);
    bytes[76..80].copy_from_slice(&header_crc.to_be_bytes());
    bytes
}

impl<A: Algebra> Pair<A> {
    /// Starts a node, with what a store has if there is one. Returns what it announces.
    pub(crate) fn start(
        adds: bool,
        origin: Start,
        members: &BTreeSet<u64>,
        kept: Option<(Kept, Store)>,
    ) -> (Self, Vec<Sent>) {
        let local = Arc::new(TableFanIn::<A>::new(LEN));
        let producer = local.producer_owned();
        let cluster = ClusterConfig::new("lockstep", LEN)
            .with_shard_words(WORDS * BLOCK)
            .with_members(members.iter().copied());
        let (model, store) = kept.map_or((Kept::default(), None), |(kept, store)| (kept, Some(store)));
        let replica = match &store {
            Some(store) => Replica::restore(&cluster, local, id(origin), store.values()).unwrap(),
            None => Replica::new(&cluster, local, id(origin)).unwrap(),
        };
        let (node, folds) = Node::start(adds, origin, model, members);
        let mut pair = Self { node, replica, producer, store };
        let sent = pair.finish(folds);
        (pair, sent)
    }

    /// Stores what is to be stored.
    fn write(&mut self) {
        while let Some(transaction) = self.replica.poll_store() {
            let store = self.store.as_mut().unwrap();
            for shard in transaction.shards {
                if shard.replaces {
                    store.retain(|key, _| (key.0, key.1) != (shard.origin, shard.shard));
                }
                let key = |part| (shard.origin, shard.shard, part);
                store.extend(shard.parts.into_iter().map(|part| (key(part.part), part.bytes)));
                if shard.covers {
                    let ended = |other: ReplicaId| other.node == shard.origin.node && other < shard.origin;
                    store.retain(|key, _| key.1 != shard.shard || !ended(key.0));
                }
            }
            assert!(self.replica.stored(transaction.number));
        }
    }

    /// Stores what is to be stored, and takes out all sections that are to be sent.
    fn drain(&mut self) -> Vec<Vec<u8>> {
        self.write();
        let mut drained = Vec::new();
        while let Some((_, packet)) = self.replica.poll_transmit() {
            drained.extend(sections(&packet).map(<[u8]>::to_vec));
            self.write();
        }
        drained
    }

    /// Compares the two after a step, and puts what the rules announce beside the bytes of it.
    fn finish(&mut self, announced: Vec<Message>) -> Vec<Sent> {
        let drained = self.drain();
        let announcements = drained.iter().filter(|section| [FRAME, NAMED_FOLD].contains(&section[5]));
        assert_eq!(announced.len(), announcements.count(), "{announced:?}");
        let bytes_of = |message: &Message| {
            let (kind, shard) = match message {
                Message::Frame { shard, .. } => (FRAME, *shard as u32),
                Message::NamedFold { shard, .. } => (NAMED_FOLD, *shard as u32),
                Message::Report(_) => unreachable!("reports are asked for"),
            };
            let bytes = drained.iter().find(|bytes| bytes[5] == kind && bytes[36..40] == shard.to_be_bytes());
            bytes.unwrap_or_else(|| panic!("{message:?} was not announced")).clone()
        };
        let sent = announced.into_iter().map(|message| Sent { bytes: bytes_of(&message), message });
        let sent = sent.collect();
        self.compare();
        sent
    }

    /// Equal states, covers, versions, claims and marks.
    pub(crate) fn compare(&self) {
        let Self { node, replica, .. } = self;
        let versions: BTreeMap<_, _> = replica
            .version_vector()
            .map(|(origin, shard, version)| (((origin.node, origin.incarnation), shard), version))
            .collect();
        assert_eq!(versions, node.versions());
        let view = replica.view();
        for (shard, word) in (0..SHARDS).flat_map(|shard| (0..WORDS).map(move |word| (shard, word))) {
            let (addr, expected) = (addr(shard, word), node.state(shard, word));
            assert_eq!((replica.merged()[addr], view.read(addr)), (expected, expected), "{addr}: {node:?}");
        }
        for &name in node.kept.claims.keys() {
            assert_eq!(replica.claim(name), Some(node.claim(name).0));
            (0..SHARDS).for_each(|shard| assert_eq!(replica.cover(name, shard), node.cover(name, shard)));
        }
        assert_eq!((replica.is_waiting(), replica.is_cloned()), (!node.kept.settled, node.is_superseded()));
    }

    pub(crate) fn origin(&self) -> Start {
        self.node.origin
    }

    pub(crate) fn tick(&mut self, shard: usize, word: usize, delta: u64) -> Vec<Sent> {
        if self.node.is_superseded() {
            assert_eq!(self.replica.tick(), 0);
            return Vec::new();
        }
        let frame = self.node.tick(shard, word, delta);
        self.producer.accum(addr(shard, word), delta);
        assert_eq!(self.replica.tick(), 1);
        self.finish(vec![frame])
    }

    pub(crate) fn load(&mut self, shard: usize, word: usize, value: u64) -> Vec<Sent> {
        if self.node.is_superseded() {
            assert!(self.replica.load(addr(shard, word), value).is_err());
            return Vec::new();
        }
        let frame = self.node.load(shard, word, value);
        self.replica.load(addr(shard, word), value).unwrap();
        self.finish(vec![frame])
    }

    pub(crate) fn receive(&mut self, sent: &Sent) -> Vec<Sent> {
        let folds = self.node.receive(&sent.message);
        self.replica.receive(NOW, PEER, &sent.bytes).unwrap();
        self.finish(folds)
    }

    /// What this node answers to a request for what changed in a shard after a version.
    pub(crate) fn answer(&mut self, origin: Start, shard: usize, since: u64) -> Option<Sent> {
        let message = self.node.answer(origin, shard, since);
        let request = section(&self.hello(), REQUEST, origin, shard, since);
        self.replica.receive(NOW, PEER, &request).unwrap();
        let bytes = self.drain().into_iter().find(|section| section[5] == FRAME);
        assert_eq!(message.is_some(), bytes.is_some(), "{message:?}");
        Some(Sent { message: message?, bytes: bytes? })
    }

    pub(crate) fn report(&mut self) -> Option<Sent> {
        let message = self.node.report();
        let hello = section(&self.hello(), HELLO, self.node.origin, 0, 0);
        self.replica.receive(NOW, PEER, &hello).unwrap();
        // A report that is all new goes to everybody, and need not go to the peer that asked again.
        let bytes =
            self.drain().into_iter().find(|section| section[5] == REPORT && section[48..56] != [0; 8]);
        assert_eq!(message.is_some(), bytes.is_some(), "{message:?}");
        Some(Sent { message: message?, bytes: bytes? })
    }

    /// Any section of this cluster.
    fn hello(&mut self) -> Vec<u8> {
        self.replica.hello(Recipient::All);
        self.drain().into_iter().find(|section| section[5] == HELLO).unwrap()
    }

    pub(crate) fn set_members(&mut self, members: &BTreeSet<u64>) -> Vec<Sent> {
        let folds = self.node.set_members(members.clone());
        self.replica.set_members(members.iter().copied());
        self.finish(folds)
    }

    pub(crate) fn end_wait(&mut self) -> Vec<Sent> {
        self.node.kept.settled = true;
        self.replica.end_wait();
        self.finish(Vec::new())
    }

    pub(crate) fn renew(&mut self, incarnation: u64) -> Vec<Sent> {
        let folds = self.node.renew(incarnation);
        self.replica.renew(incarnation).unwrap();
        self.finish(folds)
    }
}
