//! Fetching a damaged copy of a shard again.

use alloc::collections::BTreeMap;

use atomik_core::Algebra;

use super::{Event, Replica};
use crate::error::ReplicaError;
use crate::frame::{Section, Totals};
use crate::packet_error::{PacketErrorKind, PacketField};
use crate::peer::Peer;
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// How many heartbeats pass before a peer that did not answer is given up.
const HEARTBEATS: u8 = 8;

/// The shards that are being fetched again. There are at most as many as are known.
#[derive(Default)]
pub(super) struct Refetches {
    waiting: BTreeMap<ShardKey, Refetch>,
    /// The versions of shards that their origins deny.
    denied: BTreeMap<ShardKey, Denial>,
}

/// A shard that is being fetched again.
struct Refetch {
    peer: Peer,
    /// How many heartbeats came since.
    heartbeats: u8,
}

/// What an origin says of a version of a shard of its own.
struct Denial {
    /// The version that it did not make.
    version: u64,
    /// The last version that it had made.
    made: u64,
}

impl Refetches {
    /// Forgets a shard that was removed.
    pub(super) fn forget(&mut self, key: ShardKey) {
        self.waiting.remove(&key);
        self.denied.remove(&key);
    }

    /// Whether the copy of a shard that is here is to be replaced, so that it does not leave.
    pub(super) fn contains(&self, key: ShardKey) -> bool {
        self.waiting.contains_key(&key)
    }

    /// Whether a frame is the answer that a shard waits for, of which this version is here now. Older frames of the
    /// same peer may be on their way, and the copy goes back to none of them unless its version is denied.
    pub(super) fn is_answer(&self, key: ShardKey, peer: Peer, [from, to]: [u64; 2], version: u64) -> bool {
        let denial = self.denied.get(&key).filter(|denial| denial.version == version);
        let least = denial.map_or(version, |denial| denial.made);
        from == 0 && to >= least && self.waiting.get(&key).is_some_and(|refetch| refetch.peer == peer)
    }
}

/// Repair.
impl<A: Algebra> Replica<A> {
    /// Asks `peer` for the whole of a shard of another origin, and replaces the copy here when the answer arrives.
    ///
    /// Until then the copy stays in the states, and takes part in everything but answers to other peers: the peer may
    /// lack it, and what only this replica has is not lost. Each [`heartbeat`](Self::heartbeat) repeats the question.
    /// After eight, [`Event::RefetchFailed`] says that the peer did not answer, and the copy is like any other again. A
    /// version below the one here is taken only if the origin said that it did not make the one here
    /// ([`Event::VersionDenied`]).
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
        if self.state.version(key) == 0 {
            return Err(ReplicaError::UnknownShard { origin, shard });
        }
        self.refetches.waiting.insert(key, Refetch { peer, heartbeats: 0 });
        self.outbox.forget(key, self.context);
        if let Some(store) = &mut self.store {
            store.forget_sections(|other| other == key);
        }
        self.outbox.queue_refetch(peer, key);
        Ok(())
    }

    /// Repeats the questions that were not answered, or gives them up.
    pub(super) fn repeat_refetches(&mut self) {
        for (key, mut refetch) in core::mem::take(&mut self.refetches.waiting) {
            let (ShardKey { origin, shard }, peer) = (key, refetch.peer);
            refetch.heartbeats += 1;
            if refetch.heartbeats > HEARTBEATS {
                self.events.push(Event::RefetchFailed { origin, shard, peer });
            } else {
                self.outbox.queue_refetch(peer, key);
                self.refetches.waiting.insert(key, refetch);
            }
        }
    }

    /// Replaces a shard by the answer that it waited for.
    pub(super) fn finish_refetch(&mut self, key: ShardKey, to: u64, totals: Totals<'_>) {
        self.refetches.waiting.remove(&key);
        self.refetches.denied.remove(&key);
        let covered = self.state.replace(key, to, totals, self.ticks.reference());
        self.forget_covered(&covered);
        self.outbox.arrived(key, to);
        self.outbox.forget(key, self.context);
        if let Some(store) = &mut self.store {
            // What is on its way to the store is not what is here now.
            store.forget(key);
        }
        Self::note_version(&mut self.outbox, &mut self.store, key);
    }

    /// Takes the word of an origin that it did not make a version of its own plane.
    pub(super) fn receive_denial(
        &mut self,
        peer: Peer,
        section: &Section<'_>,
    ) -> Result<(), PacketErrorKind> {
        section.check_counts(0, 0)?;
        let key = self.checked_key(section)?;
        let (made, version) = (section.header().from, section.header().to);
        if made >= version {
            return Err(PacketErrorKind::Invalid { field: PacketField::From, index: 0, found: made });
        }
        if key.origin == self.id {
            // Only an instance under the own id can say so, and this one did not.
            self.stop_as_cloned(peer, key.shard, made);
        } else if self.state.version(key) == version {
            self.refetches.denied.insert(key, Denial { version, made });
            let ShardKey { origin, shard } = key;
            self.events.push_new(Event::VersionDenied { origin, shard, version, made, peer });
        }
        Ok(())
    }
}
