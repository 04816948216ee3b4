//! Shards for a store, and from one.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use atomik_core::{Algebra, TableFanIn};

#[cfg(doc)]
use super::Event;
use super::Replica;
use crate::change_set::ChangeSet;
use crate::cluster_config::ClusterConfig;
use crate::error::ReplicaError;
use crate::frame::FrameContext;
use crate::lifetimes::Lifetimes;
use crate::outbox::Outbox;
use crate::outgoing::Outgoing;
use crate::peer::Peer;
use crate::replica_id::ReplicaId;
use crate::report::known_numbers;
use crate::shape::ShardKey;
use crate::store_queue::{Cause, InFlight, StoreQueue, StoringShard, Withheld};
use crate::stored::{Restored, StoredShard, write_claims, write_shard};
use crate::timers::Timer;

/// Shards that changed and are to be stored. Of each, all parts must be stored or none. The shards may be stored
/// together or one by one, in any order.
///
/// Only the blocks of 64 words that changed are among the parts, with up to 44 bytes for each address of them that was
/// loaded. A word that changes costs 700 bytes, whatever the size of its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is not stored is not sent either"]
pub struct Transaction {
    /// The number of the transaction, for [`Replica::stored`] and [`Replica::store_failed`].
    pub number: u64,
    /// The shards.
    pub shards: Vec<StoredShard>,
}

/// Storing.
impl<A: Algebra> Replica<A> {
    /// Starts a replica with a store that has the parts with these bytes, in any order. `id` must have a new
    /// incarnation, as at every start. What earlier starts of this node wrote is then like the writing of other nodes.
    /// So it does not matter if the store is a backup.
    ///
    /// No totals, versions or digests leave this replica before the store has them. Call
    /// [`poll_store`](Self::poll_store) after ticks and after packets, and [`stored`](Self::stored) or
    /// [`store_failed`](Self::store_failed) for each transaction.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); [`ReplicaError::StoredPart`], [`ReplicaError::StoredTwice`] and
    /// [`ReplicaError::StoredIncomplete`] if a shard can't be used; [`ReplicaError::IncarnationReused`] if the store
    /// has shards under `id`.
    pub fn restore<B: AsRef<[u8]>>(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        id: ReplicaId,
        stored: impl IntoIterator<Item = B>,
    ) -> Result<Self, ReplicaError> {
        Self::from_store(cluster, local, id, stored, false)
    }

    /// Like [`restore`](Self::restore), but with the incarnation of the last start. Prefer `restore`: where
    /// [members](ClusterConfig::with_members) are named, a new start folds the last one, so this saves nothing.
    ///
    /// The caller promises that the store is the one that the last start left, that it was never rolled back, and that
    /// there is no copy of it in use. If the promise is broken, the replica stops when it hears of versions that it did
    /// not make ([`Event::Cloned`]), and states may diverge: peers may hold one version with two contents. So hear
    /// every member out before the first tick or load. Even then, a packet of a version that the store lost may still
    /// be on its way.
    ///
    /// # Errors
    ///
    /// Those of [`restore`](Self::restore), except for [`ReplicaError::IncarnationReused`].
    pub fn resume<B: AsRef<[u8]>>(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        id: ReplicaId,
        stored: impl IntoIterator<Item = B>,
    ) -> Result<Self, ReplicaError> {
        Self::from_store(cluster, local, id, stored, true)
    }

    fn from_store<B: AsRef<[u8]>>(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        id: ReplicaId,
        stored: impl IntoIterator<Item = B>,
        resumes: bool,
    ) -> Result<Self, ReplicaError> {
        let shape = cluster.checked_shape(local.len())?;
        let context = FrameContext::new::<A>(cluster.digest());
        let mut restored = Restored::new(context, shape, id, resumes);
        for (index, bytes) in stored.into_iter().enumerate() {
            restored.insert(index, bytes.as_ref())?;
        }
        let mut lifetimes = Lifetimes::new(id);
        if let Some((claims, settled)) = restored.claims() {
            lifetimes.restore(claims, settled);
        }
        let planes = restored.planes()?;
        Self::start(cluster, local, id, planes, lifetimes, true)
    }

    /// The next shards that changed and that the store does not have. `None` if there are none, if the replica has no
    /// store, or if the store failed a short time ago. What depends on them is sent after [`stored`](Self::stored)
    /// confirms them.
    ///
    /// Any number of transactions may be in flight. A shard is in one of them at a time, so they may be written in any
    /// order, and end in any order: each by `stored`, or by [`store_failed`](Self::store_failed). A program that wants
    /// to write one at a time polls while [`storing`](Self::storing) is zero.
    ///
    /// A transaction takes no further shard once it is as long as
    /// [`ClusterConfig::with_transaction_len`](crate::ClusterConfig::with_transaction_len) says.
    pub fn poll_store(&mut self) -> Option<Transaction> {
        if self.timers.waits(Timer::Store) {
            return None;
        }
        let Self { state, outbox, store: Some(store), id, context, max_transaction, lifetimes, .. } = self
        else {
            return None;
        };
        let source = Outgoing::new(state, *id, *context, true);
        let (mut shards, mut len) = (Vec::new(), 0);
        let mut room = store.room(outbox.waiting_bytes());
        let mut in_flight = InFlight::default();
        while len < *max_transaction
            && let Some(key) = store.pop_unstored()
        {
            let Some(shard) = state.shard(key) else { continue };
            let (ShardKey { origin, shard: index }, version) = (key, shard.version());
            let stored = write_shard(*context, key, shard);
            len += stored.parts.iter().map(|part| part.bytes.len()).sum::<usize>();
            shards.push(stored);
            in_flight.insert(key, version);
            if origin == *id {
                for section in outbox.take_folds(index).into_iter().flatten() {
                    // Without room, peers learn of the version from the next heartbeat, and ask for it.
                    if section.len() <= room {
                        room = store.room_after(room, section.len());
                        in_flight.withhold(Withheld { key, section, cause: Cause::Fold });
                    }
                }
            }
            if origin == *id
                && let Some(changes) = outbox.take_changes(index)
                && room > 0
            {
                let mut section = Vec::new();
                source.write_changes(&mut section, index, &changes);
                // Without room, peers learn of the version from the next heartbeat, and ask for it.
                if section.len() <= room {
                    room = store.room_after(room, section.len());
                    in_flight.withhold(Withheld { key, section, cause: Cause::Changes(changes) });
                }
            }
        }
        let has_claims = store.wants_claims();
        if has_claims {
            let numbers = known_numbers(lifetimes.claims(), lifetimes.is_settled());
            shards.push(write_claims(*context, *id, &numbers));
        }
        if in_flight.is_empty() && !has_claims {
            return None;
        }
        withhold_answers(outbox, store, &mut in_flight, &source, room);
        let number = store.begin(in_flight);
        if has_claims {
            store.claims_are_in(number);
        }
        Some(Transaction { number, shards })
    }

    /// Confirms that the store has all shards of the transaction with this number, durably. What waited for them may
    /// then leave. Returns `false`, and does nothing, if no such transaction is in flight.
    pub fn stored(&mut self, number: u64) -> bool {
        let Some(store) = &mut self.store else { return false };
        let Some((shards, withheld)) = store.end(number) else { return false };
        store.end_claims(number, true);
        self.reports.note_stored();
        for StoringShard { key, version } in shards {
            if let Some(version) = version {
                self.state.set_stored_version(key, version);
                if !(self.cloned && key.origin == self.id) {
                    self.outbox.mark_dirty(key);
                }
            }
            if version != Some(self.state.version(key)) {
                store.mark_unstored(key);
            }
        }
        for Withheld { key, section, cause } in withheld {
            self.outbox.push_section(key, section, cause.recipients());
        }
        self.outbox.release_answers();
        true
    }

    /// Gives up the transaction with this number: the store does not have it, or only some of its shards. They are in
    /// the next transactions again, the first of which can be polled after the time that
    /// [`Timing::with_store_retry`](crate::Timing::with_store_retry) sets. Returns `false`, and does nothing, if no
    /// such transaction is in flight.
    ///
    /// Call it for each transaction that is not confirmed, or its shards are never stored.
    pub fn store_failed(&mut self, now: Duration, number: u64) -> bool {
        self.timers.advance(now);
        let Some(store) = &mut self.store else { return false };
        let Some((shards, withheld)) = store.end(number) else { return false };
        store.end_claims(number, false);
        for StoringShard { key, .. } in shards {
            store.mark_unstored(key);
        }
        let mut later_folds: BTreeMap<usize, Option<Vec<Vec<u8>>>> = BTreeMap::new();
        for Withheld { key, section, cause } in withheld {
            let announce = |outbox: &mut Outbox, changes: Option<ChangeSet>| {
                let later = later_folds.entry(key.shard).or_insert_with(|| outbox.take_folds(key.shard));
                match changes {
                    Some(changes) if later.is_none() => outbox.restore_changes(key.shard, changes),
                    // The totals are no longer those of its version, so it stays as it was written.
                    _ => outbox.withhold_folds(key.shard, Vec::from([section])),
                }
            };
            match cause {
                Cause::Changes(changes) => announce(&mut self.outbox, Some(changes)),
                Cause::Fold => announce(&mut self.outbox, None),
                Cause::Request { peers, since } => {
                    peers.into_iter().for_each(|peer| self.outbox.queue_answer(peer, key, since));
                }
            }
        }
        for (shard, sections) in later_folds {
            sections.into_iter().for_each(|sections| self.outbox.withhold_folds(shard, sections));
        }
        self.timers.arm(Timer::Store, self.timing.store_retry);
        true
    }

    /// How many transactions are in flight: polled, and neither [`stored`](Self::stored) nor
    /// [failed](Self::store_failed).
    #[must_use]
    pub fn storing(&self) -> usize {
        self.store.as_ref().map_or(0, StoreQueue::transactions)
    }

    /// Whether the store has everything that is known here. A replica without a store has nothing to store.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.store.as_ref().is_none_or(StoreQueue::is_settled)
    }
}

/// Writes the answers from shards of a transaction now, as far as there is room. Otherwise, ever later versions could
/// put them off for ever. Peers that asked for the same are given the same section.
fn withhold_answers<A: Algebra>(
    outbox: &mut Outbox,
    store: &StoreQueue,
    transaction: &mut InFlight,
    source: &Outgoing<'_, A>,
    mut room: usize,
) {
    let mut answers: BTreeMap<(ShardKey, u64), Vec<Peer>> = BTreeMap::new();
    for ((peer, key), since) in outbox.take_answers(&transaction.keys()) {
        answers.entry((key, since)).or_default().push(peer);
    }
    for ((key, since), peers) in answers {
        let mut section = Vec::new();
        if room > 0 && !source.write_unstored_since(&mut section, key, since) {
            continue;
        }
        if room == 0 || section.len() > room {
            // They wait for the next transaction, or until this version is the last one and is stored.
            peers.into_iter().for_each(|peer| outbox.queue_answer(peer, key, since));
            continue;
        }
        room = store.room_after(room, section.len());
        transaction.withhold(Withheld { key, section, cause: Cause::Request { peers, since } });
    }
}
