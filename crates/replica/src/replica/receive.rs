//! What comes from peers.

use super::Replica;
use crate::error::{PacketError, Refusal};
use crate::frame::{Kind, Section, WireEntry, WireWord};
use crate::origin::LoadEpoch;
use crate::outbox::{Outbox, Peer, Recipient};
use atomik_core::Algebra;

/// What a packet did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Frames that led to a new version of their part.
    pub applied: usize,
    /// Frames that were known already.
    pub known: usize,
    /// Frames that begin later than what is known here: nothing changed, and the peer will be asked.
    pub gaps: usize,
    /// Parts of which the peer's vector names later versions than are known here; the peer will be asked.
    pub behind: usize,
    /// Whether the peer's vector came, or a piece of it. One with nothing [`behind`](Self::behind) means that
    /// the peer was heard out.
    pub vector: bool,
}

impl Received {
    const KNOWN: Self = Self { applied: 0, known: 1, gaps: 0, behind: 0, vector: false };

    fn add(&mut self, other: Self) {
        self.applied += other.applied;
        self.known += other.known;
        self.gaps += other.gaps;
        self.behind += other.behind;
        self.vector |= other.vector;
    }
}

impl<A: Algebra> Replica<A> {
    /// Takes a packet that `peer` sent. Duplicates, old packets and those that another node forwarded are as
    /// good as any.
    ///
    /// Sections are taken in turn, each checked whole before anything is done. A frame that is known already
    /// costs the check of its header; a new one takes one pass for its checksum, one for its addresses and one
    /// that sets its totals. Packets that are owed in return wait for [`poll_packet`](Self::poll_packet).
    ///
    /// # Errors
    ///
    /// [`PacketError`] says where and why a section was refused. It and those after it had no effect.
    pub fn receive(&mut self, peer: Peer, packet: &[u8]) -> Result<Received, PacketError> {
        let mut received = Received::default();
        let mut rest = packet;
        while !rest.is_empty() {
            let at = packet.len() - rest.len();
            let (did, after) =
                self.receive_section(peer, rest).map_err(|refusal| PacketError { at, refusal })?;
            received.add(did);
            rest = after;
        }
        Ok(received)
    }

    /// Takes the first section; returns what it did and the bytes after it.
    fn receive_section<'a>(&mut self, peer: Peer, bytes: &'a [u8]) -> Result<(Received, &'a [u8]), Refusal> {
        let (section, rest) = Section::split(bytes, self.marks)?;
        let bound = self.bounds.waiting;
        match section.header.kind {
            Kind::Totals => return Ok((self.receive_totals(peer, &section)?, rest)),
            Kind::Vector => return Ok((self.receive_vector(peer, &section)?, rest)),
            Kind::Digest => self.receive_digest(peer, &section)?,
            Kind::Request => {
                self.check_counts(&section, 0, 0)?;
                let part = self.check_part(section.header.part.into())?;
                let (origin, since) = (section.header.origin, section.header.from);
                let mut have = self.state.have(origin, part);
                if planted!(SinceIncludes) {
                    have = have.saturating_add(since.min(1));
                }
                if have > since {
                    self.outbox.owe(peer, (origin, part), since, bound);
                }
            }
            Kind::Hello => {
                self.check_counts(&section, 0, 0)?;
                Outbox::note(&mut self.outbox.vectors, Recipient::Peer(peer), bound);
            }
            Kind::Stored => return Err(Refusal::Kind { found: Kind::Stored as u8 }),
        }
        Ok((Received::default(), rest))
    }

    fn receive_totals(&mut self, peer: Peer, section: &Section<'_>) -> Result<Received, Refusal> {
        let header = section.header;
        let (origin, from, to) = (header.origin, header.from, header.to);
        let part = self.check_part(header.part.into())?;
        let len = self.state.shape.range(part).len();
        self.check_counts(section, len, len)?;
        if from >= to {
            return Err(Refusal::Versions { from, to });
        }
        let mut have = self.state.have(origin, part);
        if origin == self.origin {
            self.check_own(header.part, to, have)?;
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
        self.check_totals(header.part, to, words, entries)?;
        if from > have && !planted!(GapApplied) {
            self.outbox.ask(peer, (origin, part), to, self.bounds.waiting);
            return Ok(Received { gaps: 1, ..Received::default() });
        }
        self.state.apply(origin, part, to, words, entries);
        Self::note_version(&mut self.outbox, &mut self.store, (origin, part));
        Ok(Received { applied: 1, ..Received::default() })
    }

    /// Whether all words and entries are of the part, ascending, and of this version.
    fn check_totals(
        &self,
        part: u32,
        to: u64,
        words: &[WireWord],
        entries: &[WireEntry],
    ) -> Result<(), Refusal> {
        let range = self.state.shape.range(part as usize);
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
            return Err(Self::find_wrong_word(part, to, first..end, words));
        }
        let mut next = first;
        for entry in entries.iter().map(WireEntry::entry) {
            let addr = u64::from(entry.addr);
            if addr < next || addr >= end {
                return Err(Refusal::Address { addr: entry.addr, part });
            }
            let counter = entry.register.epoch.counter;
            if counter >= LoadEpoch::COUNTER_LIMIT {
                return Err(Refusal::EpochCounter { addr: entry.addr, counter });
            }
            next = addr + 1;
        }
        Ok(())
    }

    #[cold]
    fn find_wrong_word(part: u32, to: u64, range: core::ops::Range<u64>, words: &[WireWord]) -> Refusal {
        let mut next = range.start;
        for word in words {
            let (addr, found) = (word.addr(), word.low_bits());
            if u64::from(addr) < next || u64::from(addr) >= range.end {
                return Refusal::Address { addr, part };
            }
            if found != to as u32 {
                return Refusal::LowBits { addr, found, to };
            }
            next = u64::from(addr) + 1;
        }
        unreachable!("called when a word is wrong")
    }

    fn receive_vector(&mut self, peer: Peer, section: &Section<'_>) -> Result<Received, Refusal> {
        let header = section.header;
        let parts = self.state.shape.parts() as u64;
        self.check_counts(section, self.state.shape.parts(), 0)?;
        let end = u64::from(header.part) + section.words() as u64;
        if end > parts {
            return Err(Refusal::Part { part: end, parts });
        }
        section.check_body()?;
        let versions = section.numbers();
        if versions.iter().any(|version| version.get() > 0) {
            self.check_bound(header.origin)?;
        }
        let parts = (header.part..).zip(versions.iter().map(|version| version.get()));
        if header.origin == self.origin {
            for (part, version) in parts.clone() {
                self.check_own(part, version, self.state.have(self.origin, part as usize))?;
            }
        }
        let mut received = Received { vector: true, ..Received::default() };
        for (part, version) in parts {
            let key = (header.origin, part as usize);
            if version > self.state.have(key.0, key.1) {
                received.behind += 1;
                self.outbox.ask(peer, key, version, self.bounds.waiting);
            }
        }
        Ok(received)
    }

    /// Nobody can know more of the own origin than is known here.
    fn check_own(&self, part: u32, found: u64, own: u64) -> Result<(), Refusal> {
        if found > own {
            return Err(Refusal::ClonedIdentity { origin: self.origin, part, found, own });
        }
        Ok(())
    }

    pub(super) fn check_part(&self, part: u64) -> Result<usize, Refusal> {
        let parts = self.state.shape.parts() as u64;
        if part < parts { Ok(part as usize) } else { Err(Refusal::Part { part, parts }) }
    }

    pub(super) fn check_counts(
        &self,
        section: &Section<'_>,
        words: usize,
        entries: usize,
    ) -> Result<(), Refusal> {
        if section.words() > words || section.entries() > entries {
            return Err(Refusal::Counts { words: section.words(), entries: section.entries() });
        }
        Ok(())
    }

    /// Whether the origin is known, or may be added.
    fn check_bound(&self, origin: crate::Origin) -> Result<(), Refusal> {
        if !self.state.knows(origin) && self.origins() >= self.bounds.origins {
            return Err(Refusal::TooManyOrigins { origin, bound: self.bounds.origins });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
