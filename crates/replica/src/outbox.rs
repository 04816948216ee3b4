//! What waits to be sent.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use atomik_core::Algebra;

use crate::change_set::ChangeSet;
use crate::frame::{FrameContext, Section, SectionKind};
use crate::outgoing::Outgoing;
use crate::peer::{Peer, Recipient};
use crate::shape::ShardKey;

/// The queues of what a replica is to send.
///
/// Most of what waits has no bytes yet: it is written when it is polled, as the state is then, so that several changes
/// of a shard leave as one frame.
pub(crate) struct Outbox {
    packet_len: usize,
    max_waiting: usize,
    /// Packets that have their bytes.
    packets: VecDeque<(Recipient, Vec<u8>)>,
    /// What changed in shards of the own plane, by shard.
    changes: BTreeMap<usize, ChangeSet>,
    /// What to ask of whom, and the version that the peer is known to have.
    requests: BTreeMap<(Peer, ShardKey), u64>,
    /// Who asked for which shard, and since which version.
    answers: BTreeMap<(Peer, ShardKey), u64>,
    /// Answers that wait until the store has their shards.
    awaiting_store: BTreeMap<(Peer, ShardKey), u64>,
    /// Who is to get the whole version vector.
    version_vectors: BTreeSet<Recipient>,
    /// Who is to be asked for its whole version vector.
    hellos: BTreeSet<Recipient>,
    /// The shards whose advertised versions changed since the last heartbeat.
    dirty: BTreeSet<ShardKey>,
    /// Whether the versions of the dirty shards are to be sent.
    heartbeat: bool,
    /// The shards whose digests are to be sent.
    digests: BTreeSet<ShardKey>,
}

impl Outbox {
    /// An empty outbox. A packet of `packet_len` bytes takes no further section, and at most `max_waiting` requests, as
    /// many answers and as many packets wait.
    pub(crate) fn new(packet_len: usize, max_waiting: usize) -> Self {
        Self {
            packet_len,
            max_waiting,
            packets: VecDeque::new(),
            changes: BTreeMap::new(),
            requests: BTreeMap::new(),
            answers: BTreeMap::new(),
            awaiting_store: BTreeMap::new(),
            version_vectors: BTreeSet::new(),
            hellos: BTreeSet::new(),
            dirty: BTreeSet::new(),
            heartbeat: false,
            digests: BTreeSet::new(),
        }
    }

    /// The changes of a shard of the own plane that are to be announced. `version` is the shard's version before the
    /// first of them.
    pub(crate) fn changes_since(&mut self, shard: usize, version: u64) -> &mut ChangeSet {
        self.changes.entry(shard).or_insert_with(|| ChangeSet::new(version))
    }

    /// Takes the changes of a shard out, for a transaction.
    pub(crate) fn take_changes(&mut self, shard: usize) -> Option<ChangeSet> {
        self.changes.remove(&shard)
    }

    /// Gives the changes of a shard back that were taken out for a transaction.
    pub(crate) fn restore_changes(&mut self, shard: usize, changes: ChangeSet) {
        match self.changes.get_mut(&shard) {
            Some(later) => later.add_earlier(changes),
            None => drop(self.changes.insert(shard, changes)),
        }
    }

    /// Queues a request for a shard of which `peer` has version `wanted`. There is one request for each peer and shard,
    /// for the greatest version.
    pub(crate) fn queue_request(&mut self, peer: Peer, key: ShardKey, wanted: u64) {
        if let Some(version) = self.requests.get_mut(&(peer, key)) {
            *version = wanted.max(*version);
        } else if self.requests.len() < self.max_waiting {
            self.requests.insert((peer, key), wanted);
        }
    }

    /// Queues an answer to `peer`, which asked what changed in a shard after version `since`. There is one answer for
    /// each peer and shard, from the smallest version.
    pub(crate) fn queue_answer(&mut self, peer: Peer, key: ShardKey, since: u64) {
        if let Some(version) = self.answers.get_mut(&(peer, key)) {
            *version = since.min(*version);
        } else if self.answers.len() + self.awaiting_store.len() < self.max_waiting {
            self.answers.insert((peer, key), since);
        }
    }

    /// Takes the answers from these shards out, for a transaction.
    pub(crate) fn take_answers(&mut self, shards: &BTreeSet<ShardKey>) -> BTreeMap<(Peer, ShardKey), u64> {
        self.release_answers();
        let answers = core::mem::take(&mut self.answers);
        let (taken, rest) = answers.into_iter().partition(|((_, key), _)| shards.contains(key));
        self.answers = rest;
        taken
    }

    /// Lets the answers that wait for the store try again.
    pub(crate) fn release_answers(&mut self) {
        self.answers.append(&mut self.awaiting_store);
    }

    /// Drops what waits for a peer.
    pub(crate) fn remove_peer(&mut self, peer: Peer) {
        self.requests.retain(|&(to, _), _| to != peer);
        self.answers.retain(|&(to, _), _| to != peer);
        self.awaiting_store.retain(|&(to, _), _| to != peer);
        self.version_vectors.remove(&Recipient::Peer(peer));
        self.hellos.remove(&Recipient::Peer(peer));
        self.packets.retain(|(to, _)| *to != Recipient::Peer(peer));
    }

    /// Queues the whole version vector.
    pub(crate) fn queue_version_vector(&mut self, to: Recipient) {
        Self::insert_bounded(&mut self.version_vectors, to, self.max_waiting);
    }

    /// Queues a request for the whole version vector.
    pub(crate) fn queue_hello(&mut self, to: Recipient) {
        Self::insert_bounded(&mut self.hellos, to, self.max_waiting);
    }

    fn insert_bounded(recipients: &mut BTreeSet<Recipient>, to: Recipient, bound: usize) {
        if recipients.len() < bound {
            recipients.insert(to);
        }
    }

    /// Queues the versions of the dirty shards, and the digests of these shards.
    pub(crate) fn queue_heartbeat(&mut self, digests: impl IntoIterator<Item = ShardKey>) {
        self.heartbeat = true;
        self.digests.extend(digests);
    }

    /// Notes that a shard has a version which peers may be told and were not.
    pub(crate) fn mark_dirty(&mut self, key: ShardKey) {
        self.dirty.insert(key);
    }

    /// Queues a section that has its bytes.
    pub(crate) fn push_section(&mut self, to: Recipient, section: &[u8]) {
        self.packet(to).extend_from_slice(section);
    }

    /// Removes the frames of a shard from the packets, so that no copy of doubtful totals spreads.
    pub(crate) fn forget(&mut self, key: ShardKey, context: FrameContext) {
        self.packets.retain_mut(|(_, packet)| {
            let mut kept = Vec::with_capacity(packet.len());
            let mut rest = packet.as_slice();
            while let Ok((Ok(section), after)) = Section::split(rest, context) {
                let header = section.header();
                let is_of_key = (header.origin, header.shard as usize) == (key.origin, key.shard);
                if header.kind != SectionKind::Totals || !is_of_key {
                    kept.extend_from_slice(&rest[..rest.len() - after.len()]);
                }
                rest = after;
            }
            *packet = kept;
            !packet.is_empty()
        });
    }

    /// The next packet. It is written now, unless one has its bytes already.
    pub(crate) fn poll<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> Option<(Recipient, Vec<u8>)> {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                return Some(packet);
            }
            if !self.write_some(source) {
                return None;
            }
        }
    }

    /// The packet to append a section to: the last one, if it goes to the same recipient and has room, or a new one. If
    /// too many packets wait, the oldest is dropped. Its content will be requested again.
    fn packet(&mut self, to: Recipient) -> &mut Vec<u8> {
        let has_room =
            self.packets.back().is_some_and(|(last, bytes)| *last == to && bytes.len() < self.packet_len);
        if !has_room {
            if self.packets.len() >= self.max_waiting.max(1) {
                self.packets.pop_front();
            }
            self.packets.push_back((to, Vec::new()));
        }
        &mut self.packets.back_mut().expect("one was pushed if there was none").1
    }

    /// Writes some of what waits, about as much as one packet takes. Returns whether there was anything to write.
    fn write_some<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        self.write_hello(source)
            || self.write_requests(source)
            || self.write_changes(source)
            || self.write_answers(source)
            || self.write_version_vector(source)
            || self.write_heartbeat(source)
    }

    fn write_hello<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some(to) = self.hellos.pop_first() else { return false };
        source.write_hello(self.packet(to));
        true
    }

    fn write_requests<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let (packet_len, mut wrote) = (self.packet_len, false);
        while let Some(((peer, key), wanted)) = self.requests.pop_first() {
            if source.version(key) >= wanted {
                continue;
            }
            let packet = self.packet(Recipient::Peer(peer));
            source.write_request(packet, key);
            wrote = true;
            if packet.len() >= packet_len {
                break;
            }
        }
        wrote
    }

    /// Announces what changed in shards of the own plane. With a store, transactions do that.
    fn write_changes<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        if source.has_store() {
            return false;
        }
        let (packet_len, mut wrote) = (self.packet_len, false);
        while let Some((shard, changes)) = self.changes.pop_first() {
            let packet = self.packet(Recipient::All);
            source.write_changes(packet, shard, &changes);
            wrote = true;
            if packet.len() >= packet_len {
                break;
            }
        }
        wrote
    }

    fn write_answers<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let (packet_len, mut wrote) = (self.packet_len, false);
        while let Some(((peer, key), since)) = self.answers.pop_first() {
            if !source.may_leave(key) {
                self.awaiting_store.insert((peer, key), since);
                continue;
            }
            // The shard may have been removed since the answer was queued.
            if source.version(key) <= since {
                continue;
            }
            let packet = self.packet(Recipient::Peer(peer));
            source.write_since(packet, key, since);
            wrote = true;
            if packet.len() >= packet_len {
                break;
            }
        }
        wrote
    }

    fn write_version_vector<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let Some(to) = self.version_vectors.pop_first() else { return false };
        source.write_version_vector(self.packet(to));
        true
    }

    /// Writes what the last heartbeat queued: the versions of dirty shards, in runs of neighbours, and digests.
    fn write_heartbeat<A: Algebra>(&mut self, source: &Outgoing<'_, A>) -> bool {
        let mut out = Vec::new();
        if core::mem::take(&mut self.heartbeat) {
            let dirty: Vec<ShardKey> = core::mem::take(&mut self.dirty).into_iter().collect();
            for run in dirty.chunk_by(|a, b| a.origin == b.origin && a.shard + 1 == b.shard) {
                source.write_versions(&mut out, run[0].origin, run[0].shard..run[0].shard + run.len());
            }
        }
        for key in core::mem::take(&mut self.digests) {
            source.write_digest(&mut out, key);
        }
        if out.is_empty() {
            return false;
        }
        self.push_section(Recipient::All, &out);
        true
    }
}

#[cfg(test)]
mod tests;
