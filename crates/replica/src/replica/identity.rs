//! Another instance under the own id.

use alloc::vec::Vec;

use atomik_core::Algebra;

use super::{Event, Replica};
use crate::error::ReplicaError;
use crate::peer::Peer;
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// The id, and what happens if it is used twice.
impl<A: Algebra> Replica<A> {
    /// Whether the id can't be used any more. A later start of the node is known: [`Event::Superseded`]. Or a version
    /// of the own plane arrived that was not made here: [`Event::Cloned`]. Then another instance runs under the own id,
    /// or did so before this one started, and this replica sends nothing more under the id. Ticks, puts and loads make
    /// no versions. What producers write stays in the fan-in, and readers see it. [`renew`](Self::renew) continues.
    #[must_use]
    pub fn is_cloned(&self) -> bool {
        self.cloned
    }

    /// Continues under a new incarnation, as a new start would, but in place: states, producers and views stay.
    ///
    /// The plane that was written under the old id becomes one among those of other origins. What has not been ticked
    /// yet goes into the new plane with the next tick. A version that the other instance made may replace what this one
    /// ticked under the old id.
    ///
    /// # Errors
    ///
    /// [`ReplicaError::Incarnation`] if it is 2^64 - 1, [`ReplicaError::IncarnationReused`] if the incarnation is known
    /// here or below one that is, and [`ReplicaError::TooManyOrigins`] if one more origin would exceed the bound. Then
    /// nothing has happened.
    pub fn renew(&mut self, incarnation: u64) -> Result<(), ReplicaError> {
        let (old, id) = (self.id, ReplicaId { incarnation, ..self.id });
        if incarnation == u64::MAX {
            return Err(ReplicaError::Incarnation { id });
        }
        let is_greater = self.lifetimes.claim(id.node).incarnation < incarnation;
        if self.state.plane(id).is_some() || self.lifetimes.members().is_some() && !is_greater {
            return Err(ReplicaError::IncarnationReused { id });
        }
        let shards: Vec<usize> = self
            .state
            .plane(old)
            .map_or_else(Vec::new, |plane| plane.shards().map(|(shard, _)| shard).collect());
        if !shards.is_empty() && self.origins() >= self.max_origins {
            return Err(ReplicaError::TooManyOrigins { bound: self.max_origins });
        }
        // What was to be announced is asked for instead, as with any other origin.
        self.forget_own_sections();
        self.state.renew(id);
        (self.id, self.cloned) = (id, false);
        self.lifetimes.renew(id);
        self.note_claims();
        for shard in shards {
            let key = ShardKey { origin: old, shard };
            self.note_report(key);
            match &mut self.store {
                Some(store) if self.state.shard(key).is_some_and(|shard| !shard.is_stored()) => {
                    store.mark_unstored(key)
                }
                _ => self.outbox.mark_dirty(key),
            }
        }
        Ok(())
    }

    /// Stops using the id, because version `found` of a shard of the own plane arrived. Tells the peer which version
    /// was made here: it may be its copy that is damaged.
    pub(super) fn stop_as_cloned(&mut self, peer: Peer, shard: usize, found: u64) {
        let key = ShardKey { origin: self.id, shard };
        let own = self.state.version(key);
        if !self.cloned {
            self.cloned = true;
            self.forget_own_sections();
            self.events.push(Event::Cloned { shard, found, own, peer });
        }
        if found > own {
            self.outbox.queue_denial(peer, key, found);
        }
    }

    /// Drops everything under the own id that waits to be sent.
    pub(super) fn forget_own_sections(&mut self) {
        self.outbox.forget_origin(self.id, self.context);
        if let Some(store) = &mut self.store {
            store.forget_sections(|key| key.origin == self.id);
        }
    }
}
