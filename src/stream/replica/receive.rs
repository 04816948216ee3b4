//! What comes from peers.

use super::Replica;
use crate::algebra::Algebra;
use crate::stream::error::{PacketError, Refusal};
use crate::stream::frame::{Kind, Section, WireEntry, WireWord};
use crate::stream::origin::LoadEpoch;
use crate::stream::outbox::{Outbox, Peer, Recipient};

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
    fn check_bound(&self, origin: crate::stream::Origin) -> Result<(), Refusal> {
        if !self.state.knows(origin) && self.origins() >= self.bounds.origins {
            return Err(Refusal::TooManyOrigins { origin, bound: self.bounds.origins });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    use super::*;
    use crate::algebra::Xor;
    use crate::fan_in::TableFanIn;
    use crate::stream::frame::{self, Header, Marks};
    use crate::stream::origin::{Entry, Origin, Register, Total};
    use crate::stream::{Cluster, PacketError};
    use zerocopy::byteorder::big_endian::U64;
    use zerocopy::{Immutable, IntoBytes};

    const ORIGIN: Origin = Origin { node: 2, incarnation: 1 };

    fn entry(addr: u32, counter: u64) -> WireEntry {
        let register = Register { epoch: LoadEpoch { counter, origin: ORIGIN }, value: 7 };
        WireEntry::new(&Entry { addr, register, total: Total(0) })
    }

    fn cluster() -> Cluster {
        Cluster::new("sections", 138).with_part_words(64)
    }

    /// A table of three parts, the last of 10 addresses.
    fn replica() -> Replica<Xor> {
        let own = Origin { node: 1, incarnation: 1 };
        Replica::new(&cluster(), Arc::new(TableFanIn::new(138)), own).unwrap()
    }

    /// A section of versions 1 to 5.
    fn section<W: IntoBytes + Immutable>(
        kind: Kind,
        part: u32,
        words: &[W],
        entries: &[WireEntry],
    ) -> Vec<u8> {
        let header = Header { kind, origin: ORIGIN, part, from: 0, to: 5 };
        let mut packet = Vec::new();
        frame::write(&mut packet, Marks::new::<Xor>(cluster().digest()), header, words, entries);
        packet
    }

    /// What the table answers to a section.
    fn receive<W: IntoBytes + Immutable>(
        kind: Kind,
        part: u32,
        words: &[W],
        entries: &[WireEntry],
    ) -> Result<Received, Refusal> {
        let mut replica = replica();
        let packet = section(kind, part, words, entries);
        let received = replica.receive(Peer(2), &packet).map_err(|PacketError { refusal, .. }| refusal);
        let applied = matches!(received, Ok(Received { applied: 1, .. }));
        assert_eq!(replica.version(ORIGIN, part as usize), if applied { 5 } else { 0 });
        assert!(applied || replica.sealed().iter().all(|&state| state == 0));
        received
    }

    #[test]
    fn sections_before_a_refused_one_take_effect() {
        let totals = |part: u32| section(Kind::Totals, part, &[WireWord::new(64 * part, Total(9), 5)], &[]);
        let vector = section(Kind::Vector, 0, &[0, 5, 6].map(U64::new), &[]);
        let mut replica = replica();
        let packet = [totals(1), totals(1), totals(2), vector.clone()].concat();
        let received = Received { applied: 2, known: 1, vector: true, behind: 1, ..Received::default() };
        assert_eq!(replica.receive(Peer(2), &packet), Ok(received));

        let mut packet = [totals(0), totals(1)].concat();
        let at = packet.len();
        packet.extend(totals(3));
        let refusal = Refusal::Part { part: 3, parts: 3 };
        assert_eq!(replica.receive(Peer(2), &packet), Err(PacketError { at, refusal }));
        assert_eq!([0, 1, 2].map(|part| replica.version(ORIGIN, part)), [5; 3]);
        assert_eq!([0, 64, 128].map(|addr| replica.sealed()[addr]), [9; 3]);
    }

    #[test]
    fn a_vector_names_no_part_past_the_last() {
        let versions = [0, 1, 2, 3].map(U64::new);
        let receive = |part, versions| receive(Kind::Vector, part, versions, &[]);
        assert_eq!(
            receive(0, &versions[..3]),
            Ok(Received { vector: true, behind: 2, ..Received::default() })
        );
        assert_eq!(receive(2, &versions[3..]).unwrap().behind, 1);
        let part = |part| Err(Refusal::Part { part, parts: 3 });
        assert_eq!(receive(1, &versions[..3]), part(4));
        assert_eq!(receive(3, &versions[..1]), part(4));
        assert_eq!(receive(u32::MAX, &versions[..1]), part(1 << 32));
        assert_eq!(receive(0, &versions), Err(Refusal::Counts { words: 4, entries: 0 }));
    }

    #[test]
    fn a_section_has_no_more_than_its_kind_and_part_can() {
        let words: Vec<_> = (128..139).map(|addr| WireWord::new(addr, Total(1), 5)).collect();
        let entries: Vec<_> = (128..139).map(|addr| entry(addr, 1)).collect();
        let counts = |words, entries| Err(Refusal::Counts { words, entries });
        assert_eq!(receive(Kind::Totals, 2, &words[..10], &entries[..10]).unwrap().applied, 1);
        assert_eq!(receive(Kind::Totals, 2, &words, &[]), counts(11, 0));
        assert_eq!(receive(Kind::Totals, 2, &words[..0], &entries), counts(0, 11));
        assert_eq!(receive(Kind::Vector, 0, &[U64::new(1)], &entries[..1]), counts(1, 1));
        assert_eq!(receive(Kind::Digest, 0, &[U64::new(1)], &entries[..1]), counts(1, 1));
        assert_eq!(receive(Kind::Digest, 0, &[U64::new(1); 2], &[]), counts(2, 0));
        assert_eq!(receive::<U64>(Kind::Request, 0, &[], &entries[..1]), counts(0, 1));
        assert_eq!(receive::<U64>(Kind::Hello, 0, &[], &entries[..1]), counts(0, 1));
    }

    #[test]
    fn a_section_is_of_a_part_of_the_table() {
        let part = |part| Err(Refusal::Part { part, parts: 3 });
        for number in [3, 4, u32::MAX] {
            assert_eq!(receive::<WireWord>(Kind::Totals, number, &[], &[]), part(number.into()));
            assert_eq!(receive(Kind::Digest, number, &[U64::new(1)], &[]), part(number.into()));
            assert_eq!(receive::<U64>(Kind::Request, number, &[], &[]), part(number.into()));
        }
    }

    #[test]
    fn words_ascend_within_their_part_and_carry_its_version() {
        let receive = |words: &[(u32, u64)]| {
            let words: Vec<_> = words.iter().map(|&(addr, to)| WireWord::new(addr, Total(9), to)).collect();
            receive(Kind::Totals, 1, &words, &[])
        };
        let address = |addr| Err(Refusal::Address { addr, part: 1 });
        let low_bits = |addr, found| Err(Refusal::LowBits { addr, found, to: 5 });
        assert_eq!(receive(&[(64, 5), (65, 5), (127, 5)]).unwrap().applied, 1);
        assert_eq!(receive(&[(63, 5)]), address(63));
        assert_eq!(receive(&[(63, 5), (64, 5)]), address(63));
        assert_eq!(receive(&[(127, 5), (128, 5)]), address(128));
        assert_eq!(receive(&[(70, 5), (70, 5)]), address(70));
        assert_eq!(receive(&[(70, 5), (69, 5), (71, 5)]), address(69));
        assert_eq!(receive(&[(u32::MAX, 5)]), address(u32::MAX));
        assert_eq!(receive(&[(64, 4)]), low_bits(64, 4));
        assert_eq!(receive(&[(64, 5), (65, 6), (66, 5)]), low_bits(65, 6));
        assert_eq!(receive(&[(64, 6), (63, 5)]), low_bits(64, 6));
        assert_eq!(receive(&[(70, 5), (69, 6)]), address(69));
        assert_eq!(receive(&[(64, 4), (128, 5)]), low_bits(64, 4));
        assert_eq!(receive(&[(70, 5), (69, 5), (128, 5)]), address(69));
    }

    #[test]
    fn entries_ascend_within_their_part_and_their_epochs_have_an_end() {
        let receive = |entries: &[(u32, u64)]| {
            let entries: Vec<_> = entries.iter().map(|&(addr, counter)| entry(addr, counter)).collect();
            receive::<WireWord>(Kind::Totals, 1, &[], &entries)
        };
        let address = |addr| Err(Refusal::Address { addr, part: 1 });
        assert_eq!(receive(&[(64, 1), (65, 1), (127, (1 << 63) - 1)]).unwrap().applied, 1);
        assert_eq!(receive(&[(63, 1)]), address(63));
        assert_eq!(receive(&[(127, 1), (128, 1)]), address(128));
        assert_eq!(receive(&[(70, 1), (70, 1)]), address(70));
        assert_eq!(receive(&[(70, 1), (69, 1)]), address(69));
        for counter in [1 << 63, u64::MAX] {
            assert_eq!(receive(&[(64, 1), (65, counter)]), Err(Refusal::EpochCounter { addr: 65, counter }));
        }
    }
}
