//! What comes from peers.

use core::time::Duration;

use atomik_core::Algebra;

use super::Replica;
use crate::error::{PacketError, PacketErrorKind, PacketField};
use crate::frame::{Section, SectionKind};
use crate::peer::{Peer, Recipient};
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// What a packet did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Frames that led to a new version of their shard.
    pub applied: usize,
    /// Frames that were known already.
    pub known: usize,
    /// Frames that start from a version that is not known here. They changed nothing, and the peer will be asked for
    /// what is missing.
    pub gaps: usize,
    /// Shards of which the peer's version vector has later versions. The peer will be asked for them.
    pub behind: usize,
    /// Whether a version vector of the peer arrived, or a piece of one. If nothing is [`behind`](Self::behind) it, all
    /// that the peer told is known here.
    pub version_vector: bool,
}

impl Received {
    const KNOWN: Self = Self { applied: 0, known: 1, gaps: 0, behind: 0, version_vector: false };

    fn add(&mut self, other: Self) {
        self.applied += other.applied;
        self.known += other.known;
        self.gaps += other.gaps;
        self.behind += other.behind;
        self.version_vector |= other.version_vector;
    }
}

impl<A: Algebra> Replica<A> {
    /// Takes a packet from `peer` at the time `now`, as [`handle_timeout`](Self::handle_timeout) counts it. The packet may
    /// be a duplicate, it may be old, and another node may have forwarded it.
    ///
    /// The sections of a packet take effect one after the other, and each is checked completely before it does. The cost
    /// of a frame that is known already is a check of its header. A new frame takes three passes: one for its checksum,
    /// one for its addresses, and one that sets its totals. What is to be sent in return waits for
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// # Errors
    ///
    /// [`PacketError`] if a section was refused. That section and those after it had no effect.
    pub fn receive(&mut self, now: Duration, peer: Peer, packet: &[u8]) -> Result<Received, PacketError> {
        self.timers.advance(now);
        let mut received = Received::default();
        let mut rest = packet;
        while !rest.is_empty() {
            let at = packet.len() - rest.len();
            let (effect, after) =
                self.receive_section(peer, rest).map_err(|kind| PacketError { at, kind })?;
            received.add(effect);
            rest = after;
        }
        if received.version_vector && received.behind == 0 {
            self.stop_listening();
        }
        Ok(received)
    }

    /// Takes the first section. Returns its effect and the bytes that follow it.
    fn receive_section<'a>(
        &mut self,
        peer: Peer,
        bytes: &'a [u8],
    ) -> Result<(Received, &'a [u8]), PacketErrorKind> {
        let (section, rest) = Section::split(bytes, self.context)?;
        let received = match section.header().kind {
            SectionKind::Totals => self.receive_totals(peer, &section)?,
            SectionKind::VersionVector => self.receive_version_vector(peer, &section)?,
            SectionKind::Digest => {
                self.receive_digest(peer, &section)?;
                Received::default()
            }
            SectionKind::Request => {
                section.check_counts(0, 0)?;
                let (key, since) = (self.checked_key(&section)?, section.header().from);
                if self.state.version(key) > since {
                    self.outbox.queue_answer(peer, key, since);
                }
                Received::default()
            }
            SectionKind::Hello => {
                section.check_counts(0, 0)?;
                self.outbox.queue_version_vector(Recipient::Peer(peer));
                Received::default()
            }
            SectionKind::Stored => {
                let found = SectionKind::Stored as u32;
                return Err(PacketErrorKind::Unsupported { field: PacketField::Kind, found });
            }
        };
        Ok((received, rest))
    }

    fn receive_totals(&mut self, peer: Peer, section: &Section<'_>) -> Result<Received, PacketErrorKind> {
        let header = section.header();
        let key = self.checked_key(section)?;
        let range = self.state.shape().range(key.shard);
        section.check_counts(range.len(), range.len())?;
        let (from, to) = (header.from, header.to);
        if from >= to {
            return Err(PacketErrorKind::Invalid { field: PacketField::From, index: 0, found: from });
        }
        let version = self.state.version(key);
        if key.origin == self.id {
            self.check_own(header.shard, to, version)?;
            return Ok(Received::KNOWN);
        }
        if to <= version {
            return Ok(Received::KNOWN);
        }
        self.check_bound(key.origin)?;
        section.check_body()?;
        let totals = section.totals();
        totals.check(range, to)?;
        if from > version {
            self.outbox.queue_request(peer, key, to);
            return Ok(Received { gaps: 1, ..Received::default() });
        }
        self.state.apply(key, to, totals);
        Self::note_version(&mut self.outbox, &mut self.store, key);
        Ok(Received { applied: 1, ..Received::default() })
    }

    fn receive_version_vector(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<Received, PacketErrorKind> {
        let header = section.header();
        let shards = self.state.shape().shards();
        section.check_counts(shards, 0)?;
        let end = u64::from(header.shard) + section.words() as u64;
        if end > shards as u64 {
            return Err(PacketErrorKind::Invalid { field: PacketField::Shard, index: 0, found: end });
        }
        section.check_body()?;
        let origin = header.origin;
        if section.numbers().any(|version| version > 0) {
            self.check_bound(origin)?;
        }
        let versions = (header.shard..).zip(section.numbers());
        if origin == self.id {
            for (shard, version) in versions.clone() {
                self.check_own(shard, version, self.version(origin, shard as usize))?;
            }
        }
        let mut received = Received { version_vector: true, ..Received::default() };
        for (shard, version) in versions {
            let key = ShardKey { origin, shard: shard as usize };
            if version > self.state.version(key) {
                received.behind += 1;
                self.outbox.queue_request(peer, key, version);
            }
        }
        Ok(received)
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
            let found = header.shard.into();
            return Err(PacketErrorKind::Invalid { field: PacketField::Shard, index: 0, found });
        }
        Ok(ShardKey { origin: header.origin, shard: header.shard as usize })
    }

    /// Refuses an origin that is not known and would be one too many.
    fn check_bound(&self, origin: ReplicaId) -> Result<(), PacketErrorKind> {
        if self.state.plane(origin).is_none() && self.origins() >= self.max_origins {
            return Err(PacketErrorKind::TooManyOrigins { origin, bound: self.max_origins });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
