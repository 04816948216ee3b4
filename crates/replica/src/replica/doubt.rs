//! Memory and disks fail: digests that find it, and the repair.

use alloc::vec::Vec;

use zerocopy::byteorder::big_endian::U64;

use super::Replica;
use crate::error::{Refusal, ReplicaError};
use crate::frame::{self, Header, Kind, Section};
use crate::origin::Origin;
use crate::outbox::{Key, Peer};
use atomik_core::Algebra;

/// The content of a part at a version, as one number.
///
/// Equal (origin, part, version) means equal content, so holders with equal versions have equal digests, unless
/// memory or a disk failed. CRC-64: it is made to find that, not an adversary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartDigest {
    /// The version.
    pub version: u64,
    /// The digest of the totals and entries.
    pub digest: u64,
}

/// Something that should never be, and was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer holds another content of a part under the same version: its memory or disk failed, or ours.
    /// Ask more holders: [`Replica::refetch`] replaces a copy of another origin's part; a doubtful part of
    /// the own origin means to start anew.
    Diverged {
        /// Whose totals they are.
        origin: Origin,
        /// Which part of the table.
        part: usize,
        /// Under which version.
        version: u64,
        /// Who holds the other content.
        peer: Peer,
        /// The digest of what is here.
        ours: u64,
        /// The digest of what the peer has.
        theirs: u64,
    },
    /// The sealed states of a part were not what base and planes add up to. They are again.
    SealedDiffered {
        /// Which part of the table.
        part: usize,
        /// How many addresses differed.
        addresses: usize,
    },
}

/// How many events wait at most.
const EVENTS: usize = 1_024;

impl<A: Algebra> Replica<A> {
    /// The next thing that should never have been. At most 1,024 wait; what comes then is dropped.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn push_event(&mut self, event: Event) {
        if self.events.len() < EVENTS {
            self.events.push_back(event);
        }
    }

    /// The digest of a part here; `None` if nothing is known of it. Reads the whole part.
    #[must_use]
    pub fn digest(&self, origin: Origin, part: usize) -> Option<PartDigest> {
        let part = self.state.part(origin, part)?;
        Some(PartDigest { version: part.version, digest: part.digest() })
    }

    /// Forgets a part of another origin and asks `peer` for all of it. Until the answer comes, the sealed states
    /// lack it; if it gets lost, the next vector asks again. What waits to be polled loses the totals of the part
    /// too.
    ///
    /// # Errors
    ///
    /// [`ReplicaError::OwnPart`] for a part of the own origin, and [`ReplicaError::UnknownPart`] for one of
    /// which nothing is known here; then nothing was done.
    pub fn refetch(&mut self, origin: Origin, part: usize, peer: Peer) -> Result<(), ReplicaError> {
        if origin == self.origin {
            return Err(ReplicaError::OwnPart { part });
        }
        let known = self.state.have(origin, part);
        if known == 0 {
            return Err(ReplicaError::UnknownPart { origin, part });
        }
        self.state.drop_part(origin, part);
        if let Some(progress) = &mut self.store {
            progress.forget((origin, part));
        }
        self.outbox.forget((origin, part), self.marks);
        self.outbox.ask(peer, (origin, part), known, usize::MAX);
        Ok(())
    }

    /// Computes the states of a part from base and planes and compares them with the sealed ones; returns how
    /// many differed. They are set right, and an [`Event`] tells. For a timer, a part at a time.
    ///
    /// # Panics
    ///
    /// If the table has no such part.
    pub fn audit(&mut self, part: usize) -> usize {
        assert!(part < self.state.shape.parts(), "no part {part} in {}", self.state.shape.parts());
        let addresses = self.state.recompute(part);
        if addresses > 0 {
            self.push_event(Event::SealedDiffered { part, addresses });
        }
        addresses
    }

    /// How many parts the table has.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.state.shape.parts()
    }

    /// Writes a part's digest, if its version may leave.
    pub(super) fn write_digest(&self, out: &mut Vec<u8>, key: Key) {
        if let Some(part) = self.sendable(key) {
            let (from, to) = (0, part.version);
            let header = Header { kind: Kind::Digest, origin: key.0, part: key.1 as u32, from, to };
            frame::write(out, self.marks, header, &[U64::new(part.digest())], &[]);
        }
    }

    pub(super) fn receive_digest(&mut self, peer: Peer, section: &Section<'_>) -> Result<(), Refusal> {
        let origin = section.header.origin;
        let part = self.check_part(section.header.part.into())?;
        self.check_counts(section, 1, 0)?;
        section.check_body()?;
        let ours = self.digest(origin, part);
        let (Some(ours), [theirs]) = (ours, section.numbers()) else { return Ok(()) };
        let (version, theirs) = (section.header.to, theirs.get());
        if ours.version == version && ours.digest != theirs {
            self.push_event(Event::Diverged { origin, part, version, peer, ours: ours.digest, theirs });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::Cluster;
    use atomik_core::{TableFanIn, Xor};

    #[test]
    fn an_audit_tells_how_many_states_differed_and_sets_them_right() {
        let cluster = Cluster::new("audit", 128).with_part_words(64);
        let own = Origin { node: 1, incarnation: 1 };
        let mut replica = Replica::<Xor>::new(&cluster, Arc::new(TableFanIn::new(128)), own).unwrap();
        replica.put(70, 7).unwrap();
        assert_eq!((replica.audit(1), replica.poll_event()), (0, None));
        replica.state.sealed_mut()[70] ^= 1;
        replica.state.sealed_mut()[71] ^= 1;
        assert_eq!(replica.audit(0), 0);
        assert_eq!(replica.audit(1), 2);
        assert_eq!(replica.poll_event(), Some(Event::SealedDiffered { part: 1, addresses: 2 }));
        assert_eq!((replica.audit(1), replica.poll_event()), (0, None));
        assert_eq!(replica.sealed()[70..72], [7, 0]);
    }
}
