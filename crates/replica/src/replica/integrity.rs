//! Memory and disks fail: digests detect it, audits and refetching repair it.

use alloc::collections::VecDeque;

use atomik_core::Algebra;

use super::Replica;
use crate::error::ReplicaError;
use crate::frame::Section;
use crate::packet_error::PacketErrorKind;
use crate::peer::Peer;
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// The content of a shard at a version, as one number.
///
/// Holders of the same version of a shard have the same content and the same digest, unless memory or a disk failed.
/// The digest is a CRC-64. It detects such failures, but does not protect against an adversary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardDigest {
    /// The version.
    pub version: u64,
    /// The digest of the totals and entries.
    pub digest: u64,
}

/// Something that the program should know: a failure of memory or of a disk, here or at a peer, or a section that was
/// skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer has other content under the same version of a shard. Its copy is damaged, or the one here is.
    ///
    /// Compare the digests of more holders. [`Replica::refetch`] replaces a damaged copy here. If the shard belongs to
    /// the own origin, start the replica again under a new incarnation.
    Diverged {
        /// The origin whose totals they are.
        origin: ReplicaId,
        /// The shard.
        shard: usize,
        /// The version.
        version: u64,
        /// The peer with the other content.
        peer: Peer,
        /// The digest of the content here.
        ours: u64,
        /// The digest of the peer's content.
        theirs: u64,
    },
    /// A section of a packet was skipped, which this replica does not take by its own rules.
    Skipped {
        /// The peer that sent it.
        peer: Peer,
        /// What is wrong with it.
        kind: PacketErrorKind,
    },
    /// An [`audit`](Replica::audit) found merged states that were not the composition of the base and the planes. It set
    /// them right.
    MergedRepaired {
        /// The shard.
        shard: usize,
        /// How many addresses were wrong.
        addresses: usize,
    },
}

/// Events that wait to be polled.
#[derive(Default)]
pub(super) struct EventQueue(VecDeque<Event>);

impl EventQueue {
    /// How many events wait at most.
    const BOUND: usize = 1_024;

    /// Adds an event. It is dropped if too many wait.
    pub(super) fn push(&mut self, event: Event) {
        if self.0.len() < Self::BOUND {
            self.0.push_back(event);
        }
    }
}

impl EventQueue {
    /// Adds an event, unless one of the last few is the same.
    pub(super) fn push_new(&mut self, event: Event) {
        if !self.0.iter().rev().take(8).any(|other| *other == event) {
            self.push(event);
        }
    }
}

/// Events, and the calls that detect and repair damage.
impl<A: Algebra> Replica<A> {
    /// The next event. At most 1,024 events wait. Further ones are dropped.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.0.pop_front()
    }

    /// The digest of a shard, or `None` if nothing is known about it. Reads the whole shard.
    #[must_use]
    pub fn digest(&self, origin: ReplicaId, shard: usize) -> Option<ShardDigest> {
        let shard = self.state.shard(ShardKey { origin, shard })?;
        Some(ShardDigest { version: shard.version(), digest: shard.digest() })
    }

    /// Removes a shard of another origin, and queues a request to `peer` for all of it.
    ///
    /// The merged states lack the shard until the answer arrives. If the answer is lost, the next version vector causes
    /// another request. Packets that wait to be polled lose the totals of the shard, too.
    ///
    /// # Errors
    ///
    /// [`ReplicaError::OwnShard`] for a shard of the own origin, and [`ReplicaError::UnknownShard`] if nothing is known
    /// about the shard. Then nothing has happened.
    pub fn refetch(&mut self, origin: ReplicaId, shard: usize, peer: Peer) -> Result<(), ReplicaError> {
        if origin == self.id {
            return Err(ReplicaError::OwnShard { shard });
        }
        let key = ShardKey { origin, shard };
        let version = self.state.version(key);
        if version == 0 {
            return Err(ReplicaError::UnknownShard { origin, shard });
        }
        self.state.remove(key);
        if let Some(store) = &mut self.store {
            store.forget(key);
        }
        self.outbox.forget(key, self.context);
        self.outbox.queue_request(peer, key, version);
        Ok(())
    }

    /// Computes the merged states of a shard from the base and the planes, and sets those that differ. Returns how many
    /// differed, which is also reported as an [`Event`]. Call it from a timer, for one shard at a time.
    ///
    /// # Panics
    ///
    /// If the table has no such shard.
    #[track_caller]
    pub fn audit(&mut self, shard: usize) -> usize {
        assert!(shard < self.shards(), "there is no shard {shard} in a table of {}", self.shards());
        let addresses = self.state.recompute(shard);
        if addresses > 0 {
            self.events.push(Event::MergedRepaired { shard, addresses });
        }
        addresses
    }

    /// Compares a peer's digest with the one here, if the versions are equal.
    pub(super) fn receive_digest(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<(), PacketErrorKind> {
        let key = self.checked_key(section)?;
        section.check_counts(1, 0)?;
        section.check_body()?;
        let Some(theirs) = section.numbers().next() else { return Ok(()) };
        let version = section.header().to;
        // Only equal versions are compared, and the digest is kept, so that no digest costs more than what changed.
        let Some(found) = self.state.shard_mut(key).filter(|shard| shard.version() == version) else {
            return Ok(());
        };
        let (ShardKey { origin, shard }, ours) = (key, found.kept_digest());
        if ours != theirs {
            self.events.push(Event::Diverged { origin, shard, version, peer, ours, theirs });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::cluster_config::ClusterConfig;
    use atomik_core::{TableFanIn, Xor};

    #[test]
    fn an_audit_reports_and_repairs_states_that_are_wrong() {
        let cluster = ClusterConfig::new("audit", 128).with_shard_words(64);
        let id = ReplicaId { node: 1, incarnation: 1 };
        let mut replica = Replica::<Xor>::new(&cluster, Arc::new(TableFanIn::new(128)), id).unwrap();
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
