//! The starts of the members: which have ended, what is late for them, and the folding of the own earlier ones.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use atomik_core::Algebra;

use super::{Event, Replica};
use crate::frame::Section;
use crate::packet_error::{PacketErrorKind, PacketField};
use crate::peer::{Peer, Recipient};
use crate::received::Received;
use crate::replica_id::ReplicaId;
use crate::report::{Report, add_part, parts_of};
use crate::shape::ShardKey;

/// The reports of this node and of others that are on their way.
#[derive(Default)]
pub(super) struct Reports {
    /// The last report of this node. Its number is that of the report before if nothing changed.
    last: Option<Report>,
    /// Whether the next report may differ from the last one.
    is_due: bool,
    /// The claims and the mark that were in the last report.
    told: u64,
    /// Who is to get the whole report.
    whole: BTreeSet<Peer>,
    /// Who is to get the number of the report.
    numbers: BTreeSet<Recipient>,
    /// Reports of members of which the first parts arrived.
    arriving: BTreeMap<u64, Arriving>,
}

struct Arriving {
    report: Report,
    next: u32,
    parts: u64,
}

impl Reports {
    /// Notes that the store has more than before.
    pub(super) fn note_stored(&mut self) {
        self.is_due = true;
    }
}

/// Members, and starts that have ended. [`docs::operating`](crate::docs::operating) says what it is for.
impl<A: Algebra> Replica<A> {
    /// Sets the nodes whose writing must not be lost: the members. Nothing is folded, late or waited for until they are
    /// set, here or by [`ClusterConfig::with_members`](crate::ClusterConfig::with_members).
    ///
    /// The members may change at any time. They should be the same everywhere, but nothing diverges while they are not.
    pub fn set_members(&mut self, nodes: impl IntoIterator<Item = u64>) {
        self.lifetimes.set_members(nodes.into_iter().collect());
        let origins: Vec<ReplicaId> = self.state.planes().iter().map(crate::plane::Plane::origin).collect();
        origins.into_iter().for_each(|origin| self.lifetimes.learn(origin));
        let is_alone = |members: &BTreeSet<u64>| members.iter().all(|&node| node == self.id.node);
        if self.lifetimes.members().is_some_and(is_alone) {
            self.lifetimes.settle();
        }
        self.reports.arriving.clear();
        self.learn(self.id);
        self.fold_ended_starts();
    }

    /// The members, in ascending order. None if they were never set.
    pub fn members(&self) -> impl Iterator<Item = u64> + '_ {
        self.lifetimes.members().into_iter().flatten().copied()
    }

    /// Whether this start takes no frames yet, since late ones of earlier starts of this node might be among them. It
    /// waits until a settled member has reported that it knows of this start, or until [`end_wait`](Self::end_wait), or
    /// for the time that [`Timing::with_waiting`](crate::Timing::with_waiting) sets. It may tick and load meanwhile. A
    /// replica whose store says that an earlier start was settled, or that has no members, does not wait.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.lifetimes.waits()
    }

    /// Ends the wait: no member is there, or none will answer. If it is ended too early, late deltas of earlier starts
    /// of this node may be seen here, and be void later.
    pub fn end_wait(&mut self) {
        if self.lifetimes.settle() {
            self.hello(Recipient::All);
            self.note_claims();
        }
    }

    /// The incarnation of the greatest start that is known of a node. `None` if no members are set or the node is none
    /// of them.
    #[must_use]
    pub fn claim(&self, node: u64) -> Option<u64> {
        self.lifetimes.claims().get(&node).map(|claim| claim.incarnation)
    }

    /// The incarnation of the start of a node that covers all earlier ones in a shard: they are folded into it, or
    /// void. `None` if none does.
    #[must_use]
    pub fn cover(&self, node: u64, shard: usize) -> Option<u64> {
        self.state.cover(node, shard)
    }

    /// Learns that there is a start of a node.
    pub(super) fn learn(&mut self, origin: ReplicaId) {
        self.lifetimes.learn(origin);
        self.note_claims();
    }

    /// Notices if claims have changed: others are to be told, the store is to have them, and this start may have ended.
    pub(super) fn note_claims(&mut self) {
        if self.lifetimes.changes() == self.reports.told {
            return;
        }
        self.reports.told = self.lifetimes.changes();
        self.reports.is_due = true;
        if let Some(store) = &mut self.store {
            store.mark_claims_unstored();
        }
        if self.lifetimes.has_ended(self.id) && !self.cloned {
            self.cloned = true;
            self.forget_own_sections();
            let incarnation = self.lifetimes.claim(self.id.node).incarnation;
            self.events.push(Event::Superseded { by: ReplicaId { incarnation, ..self.id } });
        }
    }

    /// The version of a shard that is taken as held: of a covered one, all are.
    fn held(&self, key: ShardKey) -> u64 {
        if self.state.is_covered(key) { u64::MAX } else { self.state.version(key) }
    }

    /// Whether a version of a shard would not be taken: this start waits, or the version is late.
    pub(super) fn is_refused(&self, key: ShardKey, version: u64) -> bool {
        self.lifetimes.waits() || version > self.lifetimes.bound(key)
    }

    /// Notes that the shard of a start that may have ended changed: the next report tells it.
    pub(super) fn note_report(&mut self, key: ShardKey) {
        self.reports.is_due |= self.lifetimes.has_ended(key.origin);
    }

    /// Queues the number of the last report, for a peer to notice that it lacks it.
    pub(super) fn queue_report_number(&mut self, to: Recipient) {
        if self.lifetimes.members().is_some() {
            self.reports.is_due = true;
            self.reports.numbers.insert(to);
        }
    }

    /// Queues the whole report for a peer that asked.
    pub(super) fn queue_report(&mut self, peer: Peer) {
        if self.lifetimes.members().is_some() && self.reports.whole.len() < self.max_origins {
            self.reports.is_due = true;
            self.reports.whole.insert(peer);
        }
    }

    /// Forgets a peer.
    pub(super) fn forget_reports(&mut self, peer: Peer) {
        self.reports.whole.remove(&peer);
        self.reports.numbers.remove(&Recipient::Peer(peer));
    }

    /// Writes the reports that are wanted or new. They wait for the store to have the claims in them.
    pub(super) fn write_reports(&mut self) {
        let claims_are_stored = self.store.as_ref().is_none_or(|store| store.has_claims());
        if !self.reports.is_due || self.lifetimes.members().is_none() || self.cloned || !claims_are_stored {
            return;
        }
        let ended = self.state.planes().iter().filter(|plane| self.lifetimes.has_ended(plane.origin()));
        let has_store = self.store.is_some();
        let mut held = BTreeMap::new();
        for plane in ended {
            for (index, shard) in plane.shards() {
                if has_store && !shard.is_stored() {
                    // A report of the stored version would let the start that folds it miss what only memory has here.
                    // One of the version in memory would let others take it, which then may be nowhere after a crash.
                    return;
                }
                held.insert(ShardKey { origin: plane.origin(), shard: index }, shard.version());
            }
        }
        self.reports.is_due = false;
        let (settled, claims) = (self.lifetimes.is_settled(), self.lifetimes.claims().clone());
        let last_seq = self.reports.last.as_ref().map_or(0, |last| last.seq);
        let mut report = Report { id: self.id, seq: last_seq, settled, claims, held };
        let is_new = self.reports.last.as_ref() != Some(&report);
        report.seq += u64::from(is_new);
        let (whole, numbers) =
            (core::mem::take(&mut self.reports.whole), core::mem::take(&mut self.reports.numbers));
        let peers = whole.into_iter().map(Recipient::Peer);
        let recipients: Vec<Recipient> = if is_new { Vec::from([Recipient::All]) } else { peers.collect() };
        let key = ShardKey { origin: self.id, shard: 0 };
        if !recipients.is_empty() {
            let parts = parts_of(&report, self.packet_len.saturating_sub(crate::frame::HEADER_LEN) / 8);
            for (index, part) in (0..).zip(&parts) {
                let mut section = Vec::new();
                let place = [index, parts.len() as u64];
                self.context.write_report(&mut section, self.id, report.seq, place, part);
                self.outbox.push_section(key, section, recipients.iter().copied());
            }
        }
        if !is_new && !numbers.is_empty() {
            let mut section = Vec::new();
            self.context.write_report(&mut section, self.id, report.seq, [0, 0], &[]);
            self.outbox.push_section(key, section, numbers.into_iter());
        }
        self.reports.last = Some(report);
    }

    /// Takes a part of a member's report, or the number of its last one.
    pub(super) fn receive_report(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<Received, PacketErrorKind> {
        section.check_counts(usize::MAX, 0)?;
        section.check_body()?;
        let header = section.header();
        let (id, seq, part, parts) = (header.origin, header.from, header.shard, header.to);
        let received = Received::default();
        let is_member = self.lifetimes.members().is_some_and(|members| members.contains(&id.node));
        if !is_member || id.node == self.id.node {
            if id.node == self.id.node {
                self.learn(id);
            }
            return Ok(received);
        }
        if parts == 0 {
            self.learn(id);
            if !self.lifetimes.has_report(id, seq) {
                self.outbox.queue_hello(Recipient::Peer(peer));
            }
            return Ok(received);
        }
        let arriving = self.reports.arriving.entry(id.node).or_insert_with(|| Arriving {
            report: Report::empty(id, seq),
            next: 0,
            parts,
        });
        if part == 0 {
            *arriving = Arriving { report: Report::empty(id, seq), next: 0, parts };
        }
        if (arriving.report.id, arriving.report.seq, arriving.next, arriving.parts) != (id, seq, part, parts)
        {
            return Ok(received);
        }
        let numbers: Vec<u64> = section.numbers().collect();
        let invalid =
            PacketErrorKind::Invalid { field: PacketField::Words, index: 0, found: section.words() as u64 };
        add_part(&mut arriving.report, &numbers).ok_or(invalid)?;
        arriving.next += 1;
        let is_whole = u64::from(arriving.next) == parts;
        let bound = self.max_origins.saturating_mul(self.state.shape().shards());
        if arriving.report.held.len() > bound || arriving.report.claims.len() > self.max_origins {
            self.reports.arriving.remove(&id.node);
            return Err(PacketErrorKind::TooManyOrigins { origin: id, bound: self.max_origins });
        }
        if is_whole && let Some(Arriving { report, .. }) = self.reports.arriving.remove(&id.node) {
            self.take_report(peer, report);
        }
        Ok(received)
    }

    fn take_report(&mut self, peer: Peer, report: Report) {
        let waited = self.lifetimes.waits();
        let held = report.held.clone();
        if self.lifetimes.hear(report) {
            for (key, version) in held {
                let is_here = key.shard < self.shards() && version <= self.held(key);
                if key.shard < self.shards()
                    && !is_here
                    && key.origin != self.id
                    && !self.is_refused(key, version)
                {
                    self.outbox.queue_request(peer, key, version);
                }
            }
        }
        if waited && !self.lifetimes.waits() {
            self.hello(Recipient::All);
        }
        self.note_claims();
        self.fold_ended_starts();
    }

    /// Folds the earlier starts of this node into this one, in each shard of which all members have reported what they
    /// have of them. Merged states stay as they are.
    pub(super) fn fold_ended_starts(&mut self) {
        if self.cloned || self.lifetimes.members().is_none() {
            return;
        }
        let is_earlier =
            |origin: ReplicaId| origin.node == self.id.node && origin.incarnation < self.id.incarnation;
        let planes = self.state.planes().iter().filter(|plane| is_earlier(plane.origin()));
        let shards: BTreeSet<usize> =
            planes.flat_map(|plane| plane.shards().map(|(shard, _)| shard)).collect();
        for shard in shards {
            if !self.lifetimes.is_complete(shard, |key| self.held(key)) {
                continue;
            }
            self.fold(ShardKey { origin: self.id, shard });
        }
    }

    /// Folds the earlier starts of this node into a shard of the own plane, and announces that by their names.
    fn fold(&mut self, key: ShardKey) {
        let (mut sections, mut fits) = (Vec::new(), true);
        // What was to be announced is a frame of the totals as they are before the fold.
        if let Some(changes) = self.outbox.take_changes(key.shard) {
            let mut section = Vec::new();
            fits = changes.words().take(self.packet_len).count() * 16 <= self.packet_len;
            if fits {
                self.outgoing().write_changes(&mut section, key.shard, &changes);
            }
            sections.push(section);
        }
        let taken = self.state.ended(key);
        let folded = self.state.fold(key, &taken, self.ticks.reference());
        self.forget_covered(&folded);
        self.reports.is_due = true;
        let mut section = Vec::new();
        self.context.write_named_fold(&mut section, key, self.state.version(key), &taken);
        sections.push(section);
        if !fits || sections.iter().any(|section| section.len() > self.packet_len) {
            // Peers learn of the version from the next heartbeat, and ask for it.
            sections.clear();
        }
        if self.store.is_some() {
            self.outbox.withhold_folds(key.shard, sections);
        } else {
            let all = || core::iter::once(Recipient::All);
            sections.into_iter().for_each(|section| self.outbox.push_section(key, section, all()));
        }
        Self::note_version(&mut self.outbox, &mut self.store, key);
    }

    /// Takes a fold by name: what it took is here at the same versions, and is folded here too. If it is not, the fold
    /// is a gap, and the peer is asked for a frame.
    pub(super) fn receive_named_fold(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<Received, PacketErrorKind> {
        section.check_counts(self.max_origins, 0)?;
        let key = self.checked_key(section)?;
        let (from, to) = (section.header().from, section.header().to);
        if from.checked_add(1) != Some(to) {
            return Err(PacketErrorKind::Invalid { field: PacketField::From, index: 0, found: from });
        }
        if let Some(received) = self.check_start(peer, key, to)? {
            return Ok(received);
        }
        if to <= self.state.version(key) {
            return Ok(Received { known: 1, ..Received::default() });
        }
        self.check_bound(key.origin)?;
        section.check_body()?;
        let taken = section.checked_names()?;
        let is_here = |&(origin, version): &(ReplicaId, u64)| {
            let ended = ShardKey { origin, ..key };
            self.state.version(ended) == version && !self.refetches.contains(ended)
        };
        if from != self.state.version(key) || self.refetches.contains(key) || !taken.iter().all(is_here) {
            self.outbox.queue_request(peer, key, to);
            return Ok(Received { gaps: 1, ..Received::default() });
        }
        let covered = self.state.fold(key, &taken, self.ticks.reference());
        self.finish_version(key, &covered);
        Ok(Received { applied: 1, ..Received::default() })
    }
}
