//! What comes from peers.

use super::Replica;
use crate::error::{PacketError, PacketErrorKind};
use crate::frame::{Section, SectionKind, WireEntry, WireWord};
use crate::outbox::{Outbox, Peer, Recipient};
use crate::replica_id::LoadTimestamp;
use atomik_core::Algebra;

/// What a packet did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Frames that led to a new version of their shard.
    pub applied: usize,
    /// Frames that were known already.
    pub known: usize,
    /// Frames that begin later than what is known here: nothing changed, and the peer will be asked.
    pub gaps: usize,
    /// Shards of which the peer's vector names later versions than are known here; the peer will be asked.
    pub behind: usize,
    /// Whether the peer's vector came, or a piece of it. One with nothing [`behind`](Self::behind) means that
    /// the peer was heard out.
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
    /// Takes a packet that `peer` sent. Duplicates, old packets and those that another node forwarded are as
    /// good as any.
    ///
    /// Sections are taken in turn, each checked whole before anything is done. A frame that is known already
    /// costs the check of its header; a new one takes one pass for its checksum, one for its addresses and one
    /// that sets its totals. Packets that are owed in return wait for [`poll_transmit`](Self::poll_transmit).
    ///
    /// # Errors
    ///
    /// [`PacketError`] says where and why a section was refused. It and those after it had no effect.
    pub fn receive(&mut self, peer: Peer, packet: &[u8]) -> Result<Received, PacketError> {
        let mut received = Received::default();
        let mut rest = packet;
        while !rest.is_empty() {
            let at = packet.len() - rest.len();
            let (did, after) = self.receive_section(peer, rest).map_err(|kind| PacketError { at, kind })?;
            received.add(did);
            rest = after;
        }
        Ok(received)
    }

    /// Takes the first section; returns what it did and the bytes after it.
    fn receive_section<'a>(
        &mut self,
        peer: Peer,
        bytes: &'a [u8],
    ) -> Result<(Received, &'a [u8]), PacketErrorKind> {
        let (section, rest) = Section::split(bytes, self.context)?;
        let bound = self.bounds.waiting;
        match section.header.kind {
            SectionKind::Totals => return Ok((self.receive_totals(peer, &section)?, rest)),
            SectionKind::VersionVector => return Ok((self.receive_version_vector(peer, &section)?, rest)),
            SectionKind::Digest => self.receive_digest(peer, &section)?,
            SectionKind::Request => {
                self.check_counts(&section, 0, 0)?;
                let shard = self.check_shard(section.header.shard.into())?;
                let (origin, since) = (section.header.origin, section.header.from);
                let mut have = self.state.have(origin, shard);
                if planted!(SinceIncludes) {
                    have = have.saturating_add(since.min(1));
                }
                if have > since {
                    self.outbox.queue_answer(peer, (origin, shard), since, bound);
                }
            }
            SectionKind::Hello => {
                self.check_counts(&section, 0, 0)?;
                Outbox::note(&mut self.outbox.vectors, Recipient::Peer(peer), bound);
            }
            SectionKind::Stored => return Err(PacketErrorKind::Kind { found: SectionKind::Stored as u8 }),
        }
        Ok((Received::default(), rest))
    }

    fn receive_totals(&mut self, peer: Peer, section: &Section<'_>) -> Result<Received, PacketErrorKind> {
        let header = section.header;
        let (origin, from, to) = (header.origin, header.from, header.to);
        let shard = self.check_shard(header.shard.into())?;
        let len = self.state.shape.range(shard).len();
        self.check_counts(section, len, len)?;
        if from >= to {
            return Err(PacketErrorKind::Versions { from, to });
        }
        let mut have = self.state.have(origin, shard);
        if origin == self.origin {
            self.check_own(header.shard, to, have)?;
            return Ok(Received::KNOWN);
        }
        if planted!(HaveOffByOne) {
            have = have.saturating_add(have.min(1));
        }
        if to <= have {
            return Ok(Received::KNOWN);
        }
        self.check_bound(origin)?;
        section.check_body()?;
        let (words, entries) = section.totals();
        self.check_totals(header.shard, to, words, entries)?;
        if from > have && !planted!(GapApplied) {
            self.outbox.queue_request(peer, (origin, shard), to, self.bounds.waiting);
            return Ok(Received { gaps: 1, ..Received::default() });
        }
        self.state.apply(origin, shard, to, words, entries);
        Self::note_version(&mut self.outbox, &mut self.store, (origin, shard));
        Ok(Received { applied: 1, ..Received::default() })
    }

    /// Whether all words and entries are of the shard, ascending, and of this version.
    fn check_totals(
        &self,
        shard: u32,
        to: u64,
        words: &[WireWord],
        entries: &[WireEntry],
    ) -> Result<(), PacketErrorKind> {
        let range = self.state.shape.range(shard as usize);
        let first = range.start as u64;
        let end = range.end as u64;
        // Without branches; a second look finds which word it was.
        let mut next = first;
        let mut wrong = false;
        for word in words {
            let addr = u64::from(word.addr());
            wrong |= (addr < next) | (word.low_bits() != to as u32);
            next = addr + 1;
        }
        if wrong | (next > end) {
            return Err(Self::find_wrong_word(shard, to, first..end, words));
        }
        let mut next = first;
        for entry in entries.iter().map(WireEntry::entry) {
            let addr = u64::from(entry.addr);
            if addr < next || addr >= end {
                return Err(PacketErrorKind::Address { addr: entry.addr, shard });
            }
            let counter = entry.register.timestamp.counter;
            if counter >= LoadTimestamp::COUNTER_LIMIT {
                return Err(PacketErrorKind::LoadCounter { addr: entry.addr, counter });
            }
            next = addr + 1;
        }
        Ok(())
    }

    #[cold]
    fn find_wrong_word(
        shard: u32,
        to: u64,
        range: core::ops::Range<u64>,
        words: &[WireWord],
    ) -> PacketErrorKind {
        let mut next = range.start;
        for word in words {
            let (addr, found) = (word.addr(), word.low_bits());
            if u64::from(addr) < next || u64::from(addr) >= range.end {
                return PacketErrorKind::Address { addr, shard };
            }
            if found != to as u32 {
                return PacketErrorKind::LowBits { addr, found, to };
            }
            next = u64::from(addr) + 1;
        }
        unreachable!("called when a word is wrong")
    }

    fn receive_version_vector(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<Received, PacketErrorKind> {
        let header = section.header;
        let shards = self.state.shape.shards() as u64;
        self.check_counts(section, self.state.shape.shards(), 0)?;
        let end = u64::from(header.shard) + section.words() as u64;
        if end > shards {
            return Err(PacketErrorKind::Shard { shard: end, shards });
        }
        section.check_body()?;
        let versions = section.numbers();
        if versions.iter().any(|version| version.get() > 0) {
            self.check_bound(header.origin)?;
        }
        let shards = (header.shard..).zip(versions.iter().map(|version| version.get()));
        if header.origin == self.origin {
            for (shard, version) in shards.clone() {
                self.check_own(shard, version, self.state.have(self.origin, shard as usize))?;
            }
        }
        let mut received = Received { version_vector: true, ..Received::default() };
        for (shard, version) in shards {
            let key = (header.origin, shard as usize);
            if version > self.state.have(key.0, key.1) {
                received.behind += 1;
                self.outbox.queue_request(peer, key, version, self.bounds.waiting);
            }
        }
        Ok(received)
    }

    /// Nobody can know more of the own origin than is known here.
    fn check_own(&self, shard: u32, found: u64, own: u64) -> Result<(), PacketErrorKind> {
        if found > own {
            return Err(PacketErrorKind::ClonedIdentity { origin: self.origin, shard, found, own });
        }
        Ok(())
    }

    pub(super) fn check_shard(&self, shard: u64) -> Result<usize, PacketErrorKind> {
        let shards = self.state.shape.shards() as u64;
        if shard < shards { Ok(shard as usize) } else { Err(PacketErrorKind::Shard { shard, shards }) }
    }

    pub(super) fn check_counts(
        &self,
        section: &Section<'_>,
        words: usize,
        entries: usize,
    ) -> Result<(), PacketErrorKind> {
        if section.words() > words || section.entries() > entries {
            return Err(PacketErrorKind::Counts { words: section.words(), entries: section.entries() });
        }
        Ok(())
    }

    /// Whether the origin is known, or may be added.
    fn check_bound(&self, origin: crate::ReplicaId) -> Result<(), PacketErrorKind> {
        if !self.state.knows(origin) && self.origins() >= self.bounds.origins {
            return Err(PacketErrorKind::TooManyOrigins { origin, bound: self.bounds.origins });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
