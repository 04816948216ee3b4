//! What waits to be sent.

mod packets;
mod released;
mod write;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use atomik_core::Algebra;

use crate::change_set::ChangeSet;
use crate::cluster_config::ClusterConfig;
use crate::frame::{FrameContext, SectionKind};
use crate::outgoing::Outgoing;
use crate::peer::{Peer, Recipient};
use crate::replica_id::ReplicaId;
use crate::requests::Requests;
use crate::shape::ShardKey;
pub(crate) use packets::Packets;
use released::Released;

/// How many bytes of answers a replica has others send at a time, about.
const ANSWERS_UNDER_WAY: usize = 4 << 20;

/// The queues of what a replica is to send.
///
/// What waits has no bytes yet: a section is written when a packet is polled, as the state is then, so that several
/// changes of a shard leave as one frame. The exception are sections that waited for the store.
pub(crate) struct Outbox {
    max_waiting: usize,
    /// The packet that is being written.
    packets: Packets,
    /// Sections that waited for the store.
    released: Released,
    /// What changed in shards of the own plane, by shard.
    changes: BTreeMap<usize, ChangeSet>,
    /// Folds of shards of the own plane by name, and what was to be announced before, by shard. They wait for a
    /// transaction. What changed later comes after them.
    folds: BTreeMap<usize, Vec<Vec<u8>>>,
    /// What to ask of whom.
    requests: Requests,
    /// After how long an answer is overdue.
    answer_time: Duration,
    /// Who asked for which shard, and since which version.
    answers: BTreeMap<(Peer, ShardKey), u64>,
    /// Answers that wait until the store has their shards.
    awaiting_store: BTreeMap<(Peer, ShardKey), u64>,
    /// Shards that are to be asked for as a whole, and of whom.
    refetches: BTreeMap<ShardKey, Peer>,
    /// Who is to hear that the own origin did not make a version of a shard.
    denials: BTreeMap<(Peer, ShardKey), u64>,
    /// Who is to get the whole version vector, and from where on.
    version_vectors: BTreeMap<Recipient, VectorPosition>,
    /// Who is to get the digest of the version vector.
    vector_digests: BTreeSet<Recipient>,
    /// Who is to be asked for its version vector.
    hellos: BTreeSet<Recipient>,
    /// The shards whose advertised versions changed since the last heartbeat.
    dirty: BTreeSet<ShardKey>,
    /// The shards whose versions are to be sent.
    versions: BTreeSet<ShardKey>,
    /// The shards whose digests are to be sent.
    digests: BTreeSet<ShardKey>,
    /// The digests of versions and merged states that are to be sent, by shard.
    merged_digests: BTreeMap<usize, [u64; 2]>,
}

/// How far a version vector has been sent.
#[derive(Clone, Copy, Default)]
struct VectorPosition {
    /// Where the next section starts. `None` for the first one.
    next: Option<ShardKey>,
    /// How many sections were sent.
    sections: u64,
    /// The number of the vector: its digest when the first section was written.
    vector: u64,
}

impl Outbox {
    /// An empty outbox.
    pub(crate) fn new(cluster: &ClusterConfig, shard_words: usize, answer_time: Duration) -> Self {
        let window = (ANSWERS_UNDER_WAY / (16 * shard_words)).max(1);
        Self {
            max_waiting: cluster.max_waiting,
            packets: Packets::new(cluster.packet_len),
            released: Released::default(),
            changes: BTreeMap::new(),
            folds: BTreeMap::new(),
            requests: Requests::new(cluster.max_waiting, window),
            answer_time,
            answers: BTreeMap::new(),
            awaiting_store: BTreeMap::new(),
            refetches: BTreeMap::new(),
            denials: BTreeMap::new(),
            version_vectors: BTreeMap::new(),
            vector_digests: BTreeSet::new(),
            hellos: BTreeSet::new(),
            dirty: BTreeSet::new(),
            versions: BTreeSet::new(),
            digests: BTreeSet::new(),
            merged_digests: BTreeMap::new(),
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

    /// Keeps the sections that lead to the fold of a shard for a transaction, or that there was a fold if there are
    /// none.
    pub(crate) fn withhold_folds(&mut self, shard: usize, mut sections: Vec<Vec<u8>>) {
        self.folds.entry(shard).or_default().append(&mut sections);
    }

    /// Takes the sections that lead to the last fold of a shard out, for a transaction. `None` if nothing was folded
    /// into it since.
    pub(crate) fn take_folds(&mut self, shard: usize) -> Option<Vec<Vec<u8>>> {
        self.folds.remove(&shard)
    }

    /// Queues a request for a shard of which `peer` has version `wanted`. A shard is asked of one peer, and of the next
    /// one that has it if the answer is overdue.
    pub(crate) fn queue_request(&mut self, peer: Peer, key: ShardKey, wanted: u64) {
        self.requests.insert(peer, key, wanted);
    }

    /// Notes that a shard is here at a version, which need not be asked for any more.
    pub(crate) fn arrived(&mut self, key: ShardKey, version: u64) {
        self.requests.arrived(key, version);
    }

    /// Lets the next peers be asked for what is overdue.
    pub(crate) fn expire(&mut self, now: Duration) {
        self.requests.expire(now);
    }

    /// When the next answer is overdue.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.requests.next_overdue()
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
        self.requests.remove_peer(peer);
        self.answers.retain(|&(to, _), _| to != peer);
        self.awaiting_store.retain(|&(to, _), _| to != peer);
        self.refetches.retain(|_, to| *to != peer);
        self.denials.retain(|&(to, _), _| to != peer);
        self.version_vectors.remove(&Recipient::Peer(peer));
        self.vector_digests.remove(&Recipient::Peer(peer));
        self.hellos.remove(&Recipient::Peer(peer));
        self.packets.remove_recipient(Recipient::Peer(peer));
        self.released.remove_recipient(Recipient::Peer(peer));
    }

    /// Queues a request for all of a shard.
    pub(crate) fn queue_refetch(&mut self, peer: Peer, key: ShardKey) {
        self.refetches.insert(key, peer);
    }

    /// Queues that version `denied` of a shard of the own plane was not made here.
    pub(crate) fn queue_denial(&mut self, peer: Peer, key: ShardKey, denied: u64) {
        if self.denials.len() < self.max_waiting {
            self.denials.insert((peer, key), denied);
        }
    }

    /// Queues the digests of the versions of a shard and of its merged states.
    pub(crate) fn queue_merged_digest(&mut self, shard: usize, digests: [u64; 2]) {
        self.merged_digests.insert(shard, digests);
    }

    /// Queues the whole version vector, from its beginning.
    pub(crate) fn queue_version_vector(&mut self, to: Recipient) {
        if self.version_vectors.contains_key(&to) || self.version_vectors.len() < self.max_waiting {
            self.version_vectors.insert(to, VectorPosition::default());
        }
    }

    /// Queues the digest of the version vector.
    pub(crate) fn queue_vector_digest(&mut self, to: Recipient) {
        Self::insert_bounded(&mut self.vector_digests, to, self.max_waiting);
    }

    /// Queues a request for the version vector.
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
        self.versions.append(&mut self.dirty);
        self.digests.extend(digests);
    }

    /// Notes that a shard has a version which peers may be told and were not.
    pub(crate) fn mark_dirty(&mut self, key: ShardKey) {
        self.dirty.insert(key);
    }

    /// Queues a section about a shard that has its bytes.
    pub(crate) fn push_section(
        &mut self,
        key: ShardKey,
        section: Vec<u8>,
        recipients: impl Iterator<Item = Recipient>,
    ) {
        self.released.push(key, section, recipients);
    }

    /// How many bytes wait to be sent.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.released.len()
    }

    /// Removes the frames of a shard from the packets, and the answers about it, so that no copy of doubtful totals
    /// spreads.
    pub(crate) fn forget(&mut self, key: ShardKey, context: FrameContext) {
        self.answers.retain(|(_, other), _| *other != key);
        self.awaiting_store.retain(|(_, other), _| *other != key);
        self.packets.retain_sections(context, |header| {
            let is_of_key = (header.origin, header.shard as usize) == (key.origin, key.shard);
            header.kind != SectionKind::Totals || !is_of_key
        });
        self.released.forget(|other| other == key);
    }

    /// Forgets that a shard has news, since it was removed.
    pub(crate) fn forget_news(&mut self, key: ShardKey) {
        self.dirty.remove(&key);
        self.versions.remove(&key);
        self.digests.remove(&key);
    }

    /// Removes everything that says something under this origin.
    pub(crate) fn forget_origin(&mut self, origin: ReplicaId, context: FrameContext) {
        self.changes.clear();
        self.folds.clear();
        self.answers.retain(|(_, key), _| key.origin != origin);
        self.awaiting_store.retain(|(_, key), _| key.origin != origin);
        self.dirty.retain(|key| key.origin != origin);
        self.versions.retain(|key| key.origin != origin);
        self.digests.retain(|key| key.origin != origin);
        self.released.forget(|key| key.origin == origin);
        // All of them would contain the origin's versions.
        self.vector_digests.clear();
        self.packets.retain_sections(context, |header| {
            let says_something = matches!(
                header.kind,
                SectionKind::Totals
                    | SectionKind::VersionVector
                    | SectionKind::Digest
                    | SectionKind::VectorDigest
            );
            !says_something || header.origin != origin
        });
    }

    /// The next packet.
    pub(crate) fn poll<A: Algebra>(
        &mut self,
        source: &Outgoing<'_, A>,
        now: Duration,
    ) -> Option<(Recipient, Vec<u8>)> {
        // A packet is complete when the next section needs another one.
        while !self.packets.has_complete() && self.write_section(source, now) {}
        self.packets.pop()
    }
}

#[cfg(test)]
mod tests;
