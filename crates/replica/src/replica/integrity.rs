//! Memory and disks fail: digests that find it, and the repair.

use alloc::vec::Vec;

use zerocopy::byteorder::big_endian::U64;

use super::Replica;
use crate::error::{PacketErrorKind, ReplicaError};
use crate::frame::{self, Header, Section, SectionKind};
use crate::outbox::{Key, Peer};
use crate::replica_id::ReplicaId;
use atomik_core::Algebra;

/// The content of a shard at a version, as one number.
///
/// Equal (origin, shard, version) means equal content, so holders with equal versions have equal digests, unless
/// memory or a disk failed. CRC-64: it is made to find that, not an adversary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardDigest {
    /// The version.
    pub version: u64,
    /// The digest of the totals and entries.
    pub digest: u64,
}

/// Something that should never be, and was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer holds another content of a shard under the same version: its memory or disk failed, or ours.
    /// Ask more holders: [`Replica::refetch`] replaces a copy of another origin's shard; a doubtful shard of
    /// the own origin means to start anew.
    Diverged {
        /// Whose totals they are.
        origin: ReplicaId,
        /// Which shard of the table.
        shard: usize,
        /// Under which version.
        version: u64,
        /// Who holds the other content.
        peer: Peer,
        /// The digest of what is here.
        ours: u64,
        /// The digest of what the peer has.
        theirs: u64,
    },
    /// The merged states of a shard were not what base and planes add up to. They are again.
    MergedRepaired {
        /// Which shard of the table.
        shard: usize,
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

    /// The digest of a shard here; `None` if nothing is known of it. Reads the whole shard.
    #[must_use]
    pub fn digest(&self, origin: ReplicaId, shard: usize) -> Option<ShardDigest> {
        let shard = self.state.shard(origin, shard)?;
        Some(ShardDigest { version: shard.version, digest: shard.digest() })
    }

    /// Forgets a shard of another origin and asks `peer` for all of it. Until the answer comes, the merged states
    /// lack it; if it gets lost, the next vector asks again. What waits to be polled loses the totals of the shard
    /// too.
    ///
    /// # Errors
    ///
    /// [`ReplicaError::OwnShard`] for a shard of the own origin, and [`ReplicaError::UnknownShard`] for one of
    /// which nothing is known here; then nothing was done.
    pub fn refetch(&mut self, origin: ReplicaId, shard: usize, peer: Peer) -> Result<(), ReplicaError> {
        if origin == self.origin {
            return Err(ReplicaError::OwnShard { shard });
        }
        let known = self.state.have(origin, shard);
        if known == 0 {
            return Err(ReplicaError::UnknownShard { origin, shard });
        }
        self.state.drop_shard(origin, shard);
        if let Some(progress) = &mut self.store {
            progress.forget((origin, shard));
        }
        self.outbox.forget((origin, shard), self.context);
        self.outbox.queue_request(peer, (origin, shard), known, usize::MAX);
        Ok(())
    }

    /// Computes the states of a shard from base and planes and compares them with the merged ones; returns how
    /// many differed. They are set right, and an [`Event`] tells. For a timer, a shard at a time.
    ///
    /// # Panics
    ///
    /// If the table has no such shard.
    pub fn audit(&mut self, shard: usize) -> usize {
        assert!(shard < self.state.shape.shards(), "no shard {shard} in {}", self.state.shape.shards());
        let addresses = self.state.recompute(shard);
        if addresses > 0 {
            self.push_event(Event::MergedRepaired { shard, addresses });
        }
        addresses
    }

    /// How many shards the table has.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.state.shape.shards()
    }

    /// Writes a shard's digest, if its version may leave.
    pub(super) fn write_digest(&self, out: &mut Vec<u8>, key: Key) {
        if let Some(shard) = self.sendable(key) {
            let (from, to) = (0, shard.version);
            let header = Header { kind: SectionKind::Digest, origin: key.0, shard: key.1 as u32, from, to };
            frame::write(out, self.context, header, &[U64::new(shard.digest())], &[]);
        }
    }

    pub(super) fn receive_digest(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<(), PacketErrorKind> {
        let origin = section.header.origin;
        let shard = self.check_shard(section.header.shard.into())?;
        self.check_counts(section, 1, 0)?;
        section.check_body()?;
        let ours = self.digest(origin, shard);
        let (Some(ours), [theirs]) = (ours, section.numbers()) else { return Ok(()) };
        let (version, theirs) = (section.header.to, theirs.get());
        if ours.version == version && ours.digest != theirs {
            self.push_event(Event::Diverged { origin, shard, version, peer, ours: ours.digest, theirs });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::ClusterConfig;
    use atomik_core::{TableFanIn, Xor};

    #[test]
    fn an_audit_tells_how_many_states_differed_and_sets_them_right() {
        let cluster = ClusterConfig::new("audit", 128).with_shard_words(64);
        let own = ReplicaId { node: 1, incarnation: 1 };
        let mut replica = Replica::<Xor>::new(&cluster, Arc::new(TableFanIn::new(128)), own).unwrap();
        replica.put(70, 7).unwrap();
        assert_eq!((replica.audit(1), replica.poll_event()), (0, None));
        replica.state.merged_mut()[70] ^= 1;
        replica.state.merged_mut()[71] ^= 1;
        assert_eq!(replica.audit(0), 0);
        assert_eq!(replica.audit(1), 2);
        assert_eq!(replica.poll_event(), Some(Event::MergedRepaired { shard: 1, addresses: 2 }));
        assert_eq!((replica.audit(1), replica.poll_event()), (0, None));
        assert_eq!(replica.merged()[70..72], [7, 0]);
    }
}
