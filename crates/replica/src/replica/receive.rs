//! What comes from peers.

use core::time::Duration;

use atomik_core::Algebra;

use super::{Event, Replica};

use crate::frame::{Section, SectionKind, Totals};
use crate::packet_error::{PacketErrorKind, PacketField};
use crate::peer::{Peer, Recipient};
use crate::received::{PacketError, Received};
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// Receiving.
impl<A: Algebra> Replica<A> {
    /// Takes a packet from `peer` at the time `now`, as [`handle_timeout`](Self::handle_timeout) counts it. The packet
    /// may be a duplicate, it may be old, and another node may have forwarded it.
    ///
    /// The sections of a packet take effect one after the other, and each is checked completely before it does. The
    /// cost of a frame that is known already is a check of its header. A new frame takes three passes: one for its
    /// checksum, one for its addresses, and one that sets its totals. What is to be sent in return waits for
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// Sections that this replica does not take by its own rules are skipped: those of an origin over the bound, of a
    /// clone, or of an unknown kind. [`Received`] counts them by reason, and [`Event::Skipped`] names them.
    ///
    /// # Errors
    ///
    /// [`PacketError`] if a section was damaged, or belongs to another cluster. That section and those after it had no
    /// effect. The error has what those before it did.
    pub fn receive(&mut self, now: Duration, peer: Peer, packet: &[u8]) -> Result<Received, PacketError> {
        self.timers.advance(now);
        self.outbox.expire(self.timers.now());
        let mut received = Received::default();
        let mut rest = packet;
        while !rest.is_empty() {
            let at = packet.len() - rest.len();
            let damaged = |kind| PacketError { at, kind, received };
            let (section, after) = Section::split(rest, self.context).map_err(damaged)?;
            let effect = section.and_then(|section| self.receive_section(peer, &section));
            received.add(effect.or_else(|kind| self.skip(peer, kind)).map_err(damaged)?);
            rest = after;
        }
        if received.heard_out {
            self.stop_listening();
        }
        Ok(received)
    }

    /// Takes a section, and returns its effect.
    fn receive_section(&mut self, peer: Peer, section: &Section<'_>) -> Result<Received, PacketErrorKind> {
        if section.header().origin.incarnation == u64::MAX {
            // No start has it: a store keeps its claims there.
            return Err(PacketErrorKind::Invalid { field: PacketField::OriginId, index: 0, found: u64::MAX });
        }
        match section.header().kind {
            SectionKind::Totals => return self.receive_totals(peer, section),
            SectionKind::VersionVector => return self.receive_version_vector(peer, section),
            SectionKind::Digest => self.receive_digest(peer, section)?,
            SectionKind::MergedDigest => self.receive_merged_digest(peer, section)?,
            SectionKind::Denial => self.receive_denial(peer, section)?,
            SectionKind::Request => {
                section.check_counts(0, 0)?;
                let (key, since) = (self.checked_key(section)?, section.header().from);
                if !self.is_silent(key) && self.state.version(key) > since {
                    self.outbox.queue_answer(peer, key, since);
                }
            }
            SectionKind::Hello => {
                section.check_counts(0, 0)?;
                self.learn(section.header().origin);
                self.queue_report(peer);
                if self.outgoing().vector_digest() == section.header().to {
                    self.outbox.queue_vector_digest(Recipient::Peer(peer));
                } else {
                    self.outbox.queue_version_vector(Recipient::Peer(peer));
                }
            }
            SectionKind::VectorDigest => return self.receive_vector_digest(peer, section),
            SectionKind::Report => return self.receive_report(peer, section),
            SectionKind::NamedFold => return self.receive_named_fold(peer, section),
            kind @ (SectionKind::Stored | SectionKind::StoredBlock | SectionKind::StoredClaims) => {
                let found = kind as u32;
                return Err(PacketErrorKind::Unsupported { field: PacketField::Kind, found });
            }
        }
        Ok(Received::default())
    }

    /// Skips a section that is refused for this reason, if that does not end the packet.
    fn skip(&mut self, peer: Peer, kind: PacketErrorKind) -> Result<Received, PacketErrorKind> {
        let received = Received::of_skipped(kind)?;
        if let PacketErrorKind::ClonedIdentity { shard, found, .. } = kind {
            self.stop_as_cloned(peer, shard as usize, found);
        } else {
            self.events.push_new(Event::Skipped { peer, kind });
        }
        Ok(received)
    }

    fn receive_totals(&mut self, peer: Peer, section: &Section<'_>) -> Result<Received, PacketErrorKind> {
        let header = section.header();
        let key = self.checked_key(section)?;
        let words = self.state.shape().whole_range(key.shard).len();
        section.check_counts(words, words)?;
        let (from, to) = (header.from, header.to);
        if from >= to {
            return Err(PacketErrorKind::Invalid { field: PacketField::From, index: 0, found: from });
        }
        if section.words() + section.entries() == 0 {
            // A version that changes nothing is made by nobody.
            return Err(PacketErrorKind::Invalid { field: PacketField::Words, index: 0, found: 0 });
        }
        if let Some(received) = self.check_start(peer, key, to)? {
            return Ok(received);
        }
        let version = self.state.version(key);
        if self.refetches.is_answer(key, peer, [from, to], version) {
            let totals = self.checked_totals(key, section)?;
            self.finish_refetch(key, to, totals);
            return Ok(Received { applied: 1, ..Received::default() });
        }
        if to <= version {
            return Ok(Received { known: 1, ..Received::default() });
        }
        self.check_bound(key.origin)?;
        let totals = self.checked_totals(key, section)?;
        if from > version {
            self.outbox.queue_request(peer, key, to);
            return Ok(Received { gaps: 1, ..Received::default() });
        }
        let covered = self.state.apply(key, to, totals, self.ticks.reference());
        self.finish_version(key, &covered);
        Ok(Received { applied: 1, ..Received::default() })
    }

    /// What to do with a version of a shard that is not taken because of whose it is: it is known, late, or this start
    /// waits. `None` if nothing speaks against it.
    pub(super) fn check_start(
        &mut self,
        peer: Peer,
        key: ShardKey,
        to: u64,
    ) -> Result<Option<Received>, PacketErrorKind> {
        let version = self.state.version(key);
        if key.origin == self.id {
            self.check_own(key.shard as u32, to, version)?;
            return Ok(Some(Received { known: 1, ..Received::default() }));
        }
        if self.lifetimes.waits() {
            return Ok(Some(Received { waiting: true, ..Received::default() }));
        }
        self.learn(key.origin);
        if self.state.is_covered(key) {
            return Ok(Some(Received { known: 1, ..Received::default() }));
        }
        if to > version && self.is_refused(key, to) {
            let ShardKey { origin, shard } = key;
            self.events.push_new(Event::Late { origin, shard, version: to, peer });
            return Ok(Some(Received { late: 1, ..Received::default() }));
        }
        Ok(None)
    }

    /// Does what follows from a new version of a shard, which covers these others.
    pub(super) fn finish_version(&mut self, key: ShardKey, covered: &[ShardKey]) {
        self.forget_covered(covered);
        self.note_report(key);
        if key.origin.node == self.id.node {
            self.fold_ended_starts();
        }
        self.report_damage();
        self.outbox.arrived(key, self.state.version(key));
        Self::note_version(&mut self.outbox, &mut self.store, key);
    }

    /// Forgets what waits to be done about shards that were removed, since a later start covers them.
    pub(super) fn forget_covered(&mut self, covered: &[ShardKey]) {
        for &key in covered {
            self.outbox.arrived(key, u64::MAX);
            self.outbox.forget(key, self.context);
            self.outbox.forget_news(key);
            self.awaited.forget(key);
            self.refetches.forget(key);
            if let Some(store) = &mut self.store {
                store.forget(key);
            }
        }
    }

    /// The body of a frame, if nothing is wrong with it and the table has all of its addresses.
    fn checked_totals<'a>(
        &self,
        key: ShardKey,
        section: &Section<'a>,
    ) -> Result<Totals<'a>, PacketErrorKind> {
        section.check_body()?;
        section.check_covers()?;
        let (totals, shape) = (section.totals(), self.state.shape());
        totals.check(shape.whole_range(key.shard), section.header().to)?;
        if totals.end() > shape.range(key.shard).end as u64 {
            return Err(self.beyond_table(section.header().shard));
        }
        Ok(totals)
    }

    fn receive_version_vector(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<Received, PacketErrorKind> {
        let header = section.header();
        section.check_counts(usize::MAX, 0)?;
        section.check_body()?;
        // What lies beyond this table is for replicas with longer ones.
        let inside = self.state.shape().shards().saturating_sub(header.shard as usize);
        let beyond = section.numbers().skip(inside).any(|version| version > 0);
        let origin = header.origin;
        if section.numbers().take(inside).any(|version| version > 0) {
            self.check_bound(origin)?;
        }
        self.learn(origin);
        let versions = (u64::from(header.shard)..).zip(section.numbers().take(inside));
        if origin == self.id {
            for (shard, version) in versions.clone() {
                self.check_own(shard as u32, version, self.version(origin, shard as usize))?;
            }
        }
        let beyond_table = usize::from(beyond);
        let mut received = Received { version_vector: true, beyond_table, ..Received::default() };
        for (shard, version) in versions {
            let key = ShardKey { origin, shard: shard as usize };
            self.awaited.note(peer, key, version);
            let is_new = version > self.state.version(key) && !self.state.is_covered(key);
            if is_new && !self.lifetimes.waits() && !self.is_refused(key, version) {
                received.behind += 1;
                self.outbox.queue_request(peer, key, version);
            }
        }
        let behind = received.behind > 0 || self.lifetimes.waits();
        self.hearings.section(peer, [header.from, header.to], behind);
        Ok(received)
    }

    fn receive_vector_digest(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<Received, PacketErrorKind> {
        section.check_counts(1, 0)?;
        section.check_body()?;
        let place = [section.header().from, section.header().to];
        let is_equal = section.numbers().eq([self.state.version_sums().held]);
        if is_equal {
            self.awaited.note_all(peer);
        }
        let heard_out = is_equal || self.hearings.end(peer, place);
        if !is_equal && place[0] == 0 {
            self.outbox.queue_hello(Recipient::Peer(peer));
        }
        Ok(Received { version_vector: is_equal, heard_out, ..Received::default() })
    }

    /// Refuses a version of the own plane that was not made here: nobody else makes any.
    fn check_own(&self, shard: u32, found: u64, own: u64) -> Result<(), PacketErrorKind> {
        if found > own {
            return Err(PacketErrorKind::ClonedIdentity { id: self.id, shard, found, own });
        }
        Ok(())
    }

    /// The shard that a section is about, if the table has it.
    pub(super) fn checked_key(&self, section: &Section<'_>) -> Result<ShardKey, PacketErrorKind> {
        let header = section.header();
        if header.shard as usize >= self.state.shape().shards() {
            return Err(self.beyond_table(header.shard));
        }
        Ok(ShardKey { origin: header.origin, shard: header.shard as usize })
    }

    fn beyond_table(&self, shard: u32) -> PacketErrorKind {
        PacketErrorKind::BeyondTable { shard, len: self.len() }
    }

    /// Refuses an origin that is not known and would be one too many.
    pub(super) fn check_bound(&self, origin: ReplicaId) -> Result<(), PacketErrorKind> {
        if self.state.plane(origin).is_none() && self.origins() >= self.max_origins {
            return Err(PacketErrorKind::TooManyOrigins { origin, bound: self.max_origins });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
