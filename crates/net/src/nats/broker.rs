//! What a node does with NATS: what goes into the stream, and what is fetched from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use atomik_core::Algebra;
use atomik_replica::{Peer, Recipient, Replica, ReplicaId};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::events::{BROKER, Command, ShardKey, StreamEvent};
use crate::backoff::Backoff;
use crate::outgoing::Outgoing;
use crate::stats::Counters;

/// How many shards are put or fetched at a time.
pub(super) const UNDER_WAY: usize = 64;
/// After how long a shard that was to be put is given up: it may have been removed meanwhile.
const GIVEN_UP: Duration = Duration::from_secs(20);
/// How often the shards of other nodes are looked through, on average: whether the stream lacks what is here.
const SWEEP: Duration = Duration::from_secs(20);
/// For how long a shard of another node must have been the same in the stream before it is put here: its own node has
/// the first chance.
const GRACE: Duration = Duration::from_secs(4);
/// How often the shards in the stream are counted, on average.
const COUNT: Duration = Duration::from_secs(10);
/// The waits after something could not be put.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// After how long a node that is not heard is not reached any more, and how often that is looked for.
const FORGOTTEN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(1);
/// How many nodes, and how many shards of the stream, are remembered.
const MAX_NODES: usize = 1 << 16;
const MAX_LISTED: usize = 1 << 20;

/// What the stream has of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listed {
    version: u64,
    /// The sequence number of the message.
    sequence: u64,
}

/// NATS, as the task of a node sees it.
pub(crate) struct Broker {
    outgoing: Arc<Outgoing<(Recipient, Bytes)>>,
    commands: mpsc::Sender<(u64, Command)>,
    counters: Arc<Counters>,
    interval: Duration,
    is_connected: bool,
    /// The nodes that were heard, and when.
    heard: HashMap<Peer, Instant>,
    next_look: Instant,
    /// The stream, while it is open.
    stream: Option<OpenStream>,
    backoff: Backoff,
}

/// What is known of the stream, and what is under way.
struct OpenStream {
    /// For which time it was opened.
    number: u64,
    /// Whether all that it had when it was opened has been listed.
    all_listed: bool,
    listed: BTreeMap<ShardKey, Listed>,
    to_get: BTreeSet<ShardKey>,
    getting: BTreeSet<ShardKey>,
    /// The own shards that are to be put, and those of others, in random order: other nodes put the same.
    own_to_put: BTreeSet<ShardKey>,
    others_to_put: Vec<ShardKey>,
    /// The shards of others that the stream lacked at the last look, with what it had of them.
    candidates: Vec<(ShardKey, u64)>,
    /// What is being put, and when it is given up.
    putting: BTreeMap<ShardKey, Instant>,
    removing: BTreeSet<ShardKey>,
    /// How many shards were listed when they were last counted, while the answer is awaited.
    counting: Option<usize>,
    next_scan: Instant,
    next_sweep: Instant,
    next_count: Instant,
}

impl OpenStream {
    fn new(number: u64) -> Self {
        let now = Instant::now();
        Self {
            number,
            all_listed: false,
            listed: BTreeMap::new(),
            to_get: BTreeSet::new(),
            getting: BTreeSet::new(),
            own_to_put: BTreeSet::new(),
            others_to_put: Vec::new(),
            candidates: Vec::new(),
            putting: BTreeMap::new(),
            removing: BTreeSet::new(),
            counting: None,
            next_scan: now,
            next_sweep: now,
            next_count: now + spread(COUNT),
        }
    }

    /// The version of a shard in the stream, or 0.
    fn version(&self, key: ShardKey) -> u64 {
        self.listed.get(&key).map_or(0, |listed| listed.version)
    }
}

/// A time around this one, so that many nodes do not do the same at once.
fn spread(time: Duration) -> Duration {
    time.mul_f64(0.5 + fastrand::f64())
}

/// Whether a later start of the same node covers a shard: it is folded, or void.
fn is_covered<A: Algebra>(replica: &Replica<A>, key: ShardKey) -> bool {
    let ReplicaId { node, incarnation } = key.origin;
    replica.cover(node, key.shard).is_some_and(|cover| cover > incarnation)
}

/// Whether a packet is a whole shard, and nothing else.
fn is_whole_shard<A: Algebra>(replica: &Replica<A>, key: ShardKey, packet: &[u8]) -> bool {
    let frame = replica.frames(packet).next().and_then(Result::ok);
    frame.is_some_and(|(header, bytes)| {
        let of = ShardKey { origin: header.origin, shard: header.shard };
        of == key && header.from == 0 && bytes.len() == packet.len()
    })
}

/// Whether the stream has a version of a shard that is to be fetched.
fn is_lacking<A: Algebra>(replica: &Replica<A>, key: ShardKey, version: u64) -> bool {
    key.shard < replica.shards()
        && key.origin != replica.id()
        && version > replica.version(key.origin, key.shard)
        && !is_covered(replica, key)
}

/// Whether the stream is to get the version of a shard that is here. Nobody else makes versions of the own plane, so
/// what the stream has of it must be equal.
fn is_news<A: Algebra>(replica: &Replica<A>, key: ShardKey, listed: u64) -> bool {
    let held = replica.version(key.origin, key.shard);
    if key.origin == replica.id() {
        held > 0 && held != listed
    } else {
        held > listed && !is_covered(replica, key)
    }
}

impl Broker {
    pub(super) fn new(
        outgoing: Arc<Outgoing<(Recipient, Bytes)>>,
        commands: mpsc::Sender<(u64, Command)>,
        counters: Arc<Counters>,
        interval: Duration,
    ) -> Self {
        Self {
            outgoing,
            commands,
            counters,
            interval,
            is_connected: false,
            heard: HashMap::new(),
            next_look: Instant::now(),
            stream: None,
            backoff: Backoff::new(FIRST_PAUSE, LAST_PAUSE),
        }
    }

    /// Notes that a server can be reached.
    pub(crate) fn connected(&mut self) {
        self.is_connected = true;
    }

    /// Notes that no server can be reached any more. Returns the nodes that were reached.
    pub(crate) fn disconnected(&mut self) -> Vec<Peer> {
        (self.is_connected, self.stream) = (false, None);
        self.heard.drain().map(|(peer, _)| peer).collect()
    }

    /// Notes that a node was heard. Returns whether it is new.
    pub(crate) fn heard(&mut self, peer: Peer) -> bool {
        if self.heard.len() >= MAX_NODES && !self.heard.contains_key(&peer) {
            return false;
        }
        self.heard.insert(peer, Instant::now()).is_none()
    }

    /// The nodes that are reached.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = Peer> {
        self.heard.keys().copied()
    }

    /// Forgets the nodes that were not heard for long, and returns them.
    pub(crate) fn forget_silent(&mut self) -> Vec<Peer> {
        let now = Instant::now();
        if now < self.next_look {
            return Vec::new();
        }
        self.next_look = now + LOOK;
        let silent = |heard: &Instant| now.duration_since(*heard) > FORGOTTEN;
        let gone = self.heard.iter().filter(|(_, heard)| silent(heard)).map(|(peer, _)| *peer).collect();
        self.heard.retain(|_, heard| !silent(heard));
        gone
    }

    /// Whether a packet to a node can go by NATS.
    pub(crate) fn reaches(&self, peer: Peer) -> bool {
        self.is_connected && self.heard.contains_key(&peer)
    }

    /// Sends a packet. Returns `false` if it had no room.
    pub(crate) fn send(&self, to: Recipient, packet: Bytes) -> bool {
        let len = packet.len();
        !self.is_connected || self.outgoing.push((to, packet), len)
    }

    /// Puts the whole shards in a packet of the replica into the stream.
    pub(crate) fn put<A: Algebra>(&mut self, replica: &Replica<A>, packet: &Bytes) {
        let Some(stream) = &self.stream else { return };
        for (header, bytes) in replica.frames(packet).flatten().filter(|(header, _)| header.from == 0) {
            let key = ShardKey { origin: header.origin, shard: header.shard };
            let after = (key.origin != replica.id())
                .then(|| stream.listed.get(&key).map_or(0, |listed| listed.sequence));
            let packet = packet.slice_ref(bytes);
            self.command(Command::Put { key, version: header.to, packet, after });
        }
    }

    /// Gives a command to the task of the connection. It has room for all that can be under way.
    fn command(&self, command: Command) {
        if let Some(stream) = &self.stream {
            let _ = self.commands.try_send((stream.number, command));
        }
    }

    /// Notes that the stream was opened.
    pub(crate) fn opened(&mut self, number: u64) {
        self.stream = Some(OpenStream::new(number));
    }

    /// Takes what happened at the stream. Returns a packet for the replica, if it is one.
    pub(crate) fn handle<A: Algebra>(
        &mut self,
        replica: &Replica<A>,
        number: u64,
        event: StreamEvent,
    ) -> Option<Bytes> {
        let counters = Arc::clone(&self.counters);
        let stream = self.stream.as_mut().filter(|stream| stream.number == number)?;
        match event {
            StreamEvent::Listed { key, version, sequence } => {
                counters.nats_listed.add(1);
                let known = stream.listed.get(&key).map(|listed| listed.sequence);
                let has_room = known.is_some() || stream.listed.len() < MAX_LISTED;
                if known.is_none_or(|known| known < sequence) && has_room {
                    stream.listed.insert(key, Listed { version, sequence });
                    if is_lacking(replica, key, version) {
                        stream.to_get.insert(key);
                    }
                }
            }
            StreamEvent::AllListed => stream.all_listed = true,
            StreamEvent::Got { key, packet } => {
                stream.getting.remove(&key);
                let Some(packet) = packet else {
                    stream.listed.remove(&key);
                    return None;
                };
                counters.nats_got.add(1);
                if is_whole_shard(replica, key, &packet) {
                    return Some(packet);
                }
                // Whoever has the shard is to put it again.
                tracing::warn!(?key, "the stream has something that is not this shard");
                counters.refused_packets.add(1);
                if let Some(listed) = stream.listed.get_mut(&key) {
                    listed.version = 0;
                }
            }
            StreamEvent::GetFailed { key } => {
                counters.nats_failed.add(1);
                stream.getting.remove(&key);
                // With the next look at the shards.
                stream.next_sweep = stream.next_sweep.min(Instant::now() + self.backoff.wait());
            }
            StreamEvent::Put { key, version, sequence } => {
                counters.nats_put.add(1);
                self.backoff.reset();
                stream.putting.remove(&key);
                let listed = stream.listed.entry(key).or_insert(Listed { version, sequence });
                if listed.sequence < sequence {
                    *listed = Listed { version, sequence };
                }
            }
            StreamEvent::PutFailed { key, is_late } => {
                stream.putting.remove(&key);
                if !is_late {
                    counters.nats_failed.add(1);
                    let pause = Instant::now() + self.backoff.wait();
                    (stream.next_scan, stream.next_sweep) =
                        (stream.next_scan.max(pause), stream.next_sweep.max(pause));
                    stream.own_to_put.clear();
                    stream.others_to_put.clear();
                }
            }
            StreamEvent::Removed { key } => {
                stream.removing.remove(&key);
                stream.listed.remove(&key);
            }
            StreamEvent::Counted { found } => {
                let expected = stream.counting.take().unwrap_or_default();
                if found < expected as u64 {
                    tracing::warn!(found, expected, "the stream has lost shards");
                    self.reopen();
                }
            }
            StreamEvent::CountFailed { is_gone } => {
                stream.counting = None;
                if is_gone {
                    tracing::warn!("the stream was deleted");
                    self.reopen();
                }
            }
        }
        None
    }

    /// Has the stream listed again, from the beginning.
    fn reopen(&mut self) {
        self.counters.nats_reopened.add(1);
        self.command(Command::Reopen);
        self.stream = None;
    }

    /// Does what is due.
    pub(crate) fn turn<A: Algebra>(&mut self, replica: &mut Replica<A>) {
        let now = Instant::now();
        let Some(stream) = &mut self.stream else { return };
        let mut commands = Vec::new();
        stream.putting.retain(|_, given_up| *given_up > now);
        if stream.all_listed && stream.next_scan <= now {
            stream.next_scan = now + self.interval;
            stream.scan_own(replica, &mut commands);
        }
        if stream.all_listed && stream.next_sweep <= now {
            let grace = GRACE.max(3 * self.interval);
            stream.next_sweep = now + spread(if stream.sweep(replica) { grace } else { SWEEP });
        }
        if stream.all_listed && stream.next_count <= now {
            stream.next_count = now + spread(COUNT);
            stream.count(replica, &mut commands);
        }
        // A start that waits takes nothing yet.
        while !replica.is_waiting()
            && stream.getting.len() < UNDER_WAY
            && let Some(key) = stream.to_get.pop_first()
        {
            if is_lacking(replica, key, stream.version(key)) && stream.getting.insert(key) {
                commands.push(Command::Get { key });
            }
        }
        while stream.putting.len() < UNDER_WAY
            && let Some(key) = stream.own_to_put.pop_first().or_else(|| stream.others_to_put.pop())
        {
            // Its origin or another node may have put it meanwhile.
            if is_news(replica, key, stream.version(key))
                && !stream.putting.contains_key(&key)
                && replica.send_shard(BROKER, key.origin, key.shard)
            {
                stream.putting.insert(key, now + GIVEN_UP);
            }
        }
        commands.into_iter().for_each(|command| self.command(command));
    }

    /// When the next turn is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let stream = self.stream.as_ref().filter(|stream| stream.all_listed)?;
        Some(stream.next_scan.min(stream.next_sweep).min(stream.next_count))
    }

    /// Whether all own shards are in the stream, or it is not open.
    pub(crate) fn is_settled<A: Algebra>(&self, replica: &Replica<A>) -> bool {
        let Some(stream) = &self.stream else { return true };
        let origin = replica.id();
        (0..replica.shards())
            .map(|shard| ShardKey { origin, shard })
            .all(|key| !is_news(replica, key, stream.version(key)))
    }

    /// Lets the own shards be put at the next turn.
    pub(crate) fn hurry(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.next_scan = Instant::now();
        }
    }
}

impl OpenStream {
    /// Looks which own shards the stream lacks, and which of earlier starts it need not have any more.
    fn scan_own<A: Algebra>(&mut self, replica: &Replica<A>, commands: &mut Vec<Command>) {
        let origin = replica.id();
        for key in (0..replica.shards()).map(|shard| ShardKey { origin, shard }) {
            if is_news(replica, key, self.version(key)) {
                self.own_to_put.insert(key);
            }
        }
        let first = ShardKey { origin: ReplicaId { incarnation: 0, ..origin }, shard: 0 };
        let last = ShardKey { origin, shard: 0 };
        for (&key, _) in self.listed.range(first..last) {
            let own = ShardKey { origin, ..key };
            // The one that covers it has to be there before.
            if self.removing.len() < UNDER_WAY
                && self.counting.is_none()
                && is_covered(replica, key)
                && !is_news(replica, own, self.version(own))
                && self.removing.insert(key)
            {
                commands.push(Command::Remove { key });
            }
        }
    }

    /// Looks which shards of others the stream lacks, and which of its shards are lacking here. Returns whether it is
    /// to look again soon: what the stream still lacks then is put.
    fn sweep<A: Algebra>(&mut self, replica: &Replica<A>) -> bool {
        let lacking = self.listed.iter().filter(|(key, listed)| is_lacking(replica, **key, listed.version));
        self.to_get.extend(lacking.map(|(key, _)| *key));
        let candidates = std::mem::take(&mut self.candidates);
        if candidates.is_empty() {
            let held = replica.version_vector().map(|(origin, shard, _)| ShardKey { origin, shard });
            let others = held.filter(|key| key.origin != replica.id()).map(|key| (key, self.version(key)));
            self.candidates = others.filter(|&(key, listed)| is_news(replica, key, listed)).collect();
            return !self.candidates.is_empty();
        }
        let unchanged = candidates.into_iter().filter(|&(key, listed)| self.version(key) == listed);
        self.others_to_put = unchanged.map(|(key, _)| key).collect();
        fastrand::shuffle(&mut self.others_to_put);
        false
    }

    /// Counts the shards, to see if the stream has lost some.
    fn count<A: Algebra>(&mut self, replica: &Replica<A>, commands: &mut Vec<Command>) {
        // Their own nodes remove what they have folded.
        self.listed.retain(|&key, _| key.origin.node == replica.id().node || !is_covered(replica, key));
        if self.removing.is_empty() && self.counting.is_none() {
            self.counting = Some(self.listed.len());
            commands.push(Command::Count);
        }
    }
}

#[cfg(test)]
mod tests;
