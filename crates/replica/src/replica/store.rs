//! Shards for a store, and from one.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use atomik_core::{Algebra, TableFanIn};

#[cfg(doc)]
use super::Event;
use super::Replica;
use crate::block::BLOCK_WORDS;
use crate::cluster_config::ClusterConfig;
use crate::error::ReplicaError;
use crate::frame::{FrameContext, Section, SectionKind, StoredBlock};
use crate::outbox::Outbox;
use crate::outgoing::Outgoing;
use crate::packet_error::{PacketErrorKind, PacketField};
use crate::peer::Peer;
use crate::plane::Plane;
use crate::register::LoadTimestamp;
use crate::replica_id::ReplicaId;
use crate::shape::{Shape, ShardKey};
use crate::shard::Shard;
use crate::store_queue::{Cause, InFlight, StoreQueue, StoringShard, Withheld};
use crate::timers::Timer;

/// A shard to be stored under the key (origin, shard), in place of what the store has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredShard {
    /// The origin whose totals they are.
    pub origin: ReplicaId,
    /// The index of the shard in the table.
    pub shard: usize,
    /// The version of the shard.
    pub version: u64,
    /// The shard with its checksums. Store it as it is.
    pub bytes: Vec<u8>,
}

/// Shards that changed and are to be stored. Each must be stored completely or not at all. They may be stored together or
/// one by one, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is not stored is not sent either"]
pub struct Transaction {
    /// The number of the transaction, for [`Replica::stored`] and [`Replica::store_failed`].
    pub number: u64,
    /// The shards.
    pub shards: Vec<StoredShard>,
}

/// The store's calls.
impl<A: Algebra> Replica<A> {
    /// Starts a replica with a store that has these shards. `id` must have a new incarnation, as at every start. What
    /// earlier starts of this node wrote is then like the writing of other nodes. So it does not matter if the store is
    /// a backup.
    ///
    /// No totals, versions or digests leave this replica before the store has them. Call
    /// [`poll_store`](Self::poll_store) after ticks and after packets, and [`stored`](Self::stored) or
    /// [`store_failed`](Self::store_failed) for each transaction.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); [`ReplicaError::StoredShard`] and [`ReplicaError::StoredTwice`] if a shard can't be
    /// used; [`ReplicaError::IncarnationReused`] if the store has shards under `id`.
    pub fn restore<B: AsRef<[u8]>>(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        id: ReplicaId,
        stored: impl IntoIterator<Item = B>,
    ) -> Result<Self, ReplicaError> {
        Self::from_store(cluster, local, id, stored, false)
    }

    /// Like [`restore`](Self::restore), but with the incarnation of the last start. The caller promises that the store is
    /// the one that this start left, that it was never rolled back, and that there is no copy of it in use. If the
    /// promise is broken, the replica stops when it hears of versions that it did not make ([`Event::Cloned`]), and states
    /// may diverge. So hear one peer out before the first tick or load, as after [`new`](Self::new).
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
        let mut planes: Vec<Plane> = Vec::new();
        for (index, bytes) in stored.into_iter().enumerate() {
            let refused = |kind| ReplicaError::StoredShard { index, kind };
            let (key, shard) = read_shard(bytes.as_ref(), context, shape).map_err(refused)?;
            if key.origin == id && !resumes {
                return Err(ReplicaError::IncarnationReused { id });
            }
            // The own plane goes on from this version, so there must be versions above it.
            if key.origin == id && shard.version() >= LoadTimestamp::COUNTER_LIMIT {
                let found = shard.version();
                return Err(refused(PacketErrorKind::Invalid { field: PacketField::To, index: 0, found }));
            }
            let plane = planes.iter().position(|plane| plane.origin() == key.origin).unwrap_or_else(|| {
                planes.push(Plane::new(key.origin));
                planes.len() - 1
            });
            // The own origin counts, whether the store has shards of it or not.
            let others = planes.iter().filter(|plane| plane.origin() != id).count();
            if others + 1 > cluster.max_origins {
                let (origin, bound) = (key.origin, cluster.max_origins);
                return Err(refused(PacketErrorKind::TooManyOrigins { origin, bound }));
            }
            if planes[plane].shard(key.shard).is_some() {
                return Err(ReplicaError::StoredTwice { origin: key.origin, shard: key.shard });
            }
            planes[plane].insert(key.shard, shard);
        }
        Self::start(cluster, local, id, planes, true)
    }

    /// The next shards that changed and that the store does not have. `None` if there are none, if the replica has no
    /// store, or if the store failed a short time ago. What depends on them is sent after [`stored`](Self::stored) confirms them.
    ///
    /// Any number of transactions may be in flight. A shard is in one of them at a time, so they may be written in any
    /// order, and end in any order: each by `stored`, or by [`store_failed`](Self::store_failed). A program that wants to
    /// write one at a time polls while [`storing`](Self::storing) is zero.
    ///
    /// A transaction takes no further shard once it is as long as
    /// [`ClusterConfig::with_transaction_len`](crate::ClusterConfig::with_transaction_len) says.
    pub fn poll_store(&mut self) -> Option<Transaction> {
        if self.timers.waits(Timer::Store) {
            return None;
        }
        let Self { state, outbox, store: Some(store), id, context, max_transaction, .. } = self else {
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
            let bytes = write_shard(*context, key, shard);
            len += bytes.len();
            shards.push(StoredShard { origin, shard: index, version, bytes });
            in_flight.insert(key, version);
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
        if in_flight.is_empty() {
            return None;
        }
        withhold_answers(outbox, store, &mut in_flight, &source, room);
        Some(Transaction { number: store.begin(in_flight), shards })
    }

    /// Confirms that the store has all shards of the transaction with this number, durably. What waited for them may
    /// then leave. Returns `false`, and does nothing, if no such transaction is in flight.
    pub fn stored(&mut self, number: u64) -> bool {
        let Some(store) = &mut self.store else { return false };
        let Some((shards, withheld)) = store.end(number) else { return false };
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

    /// Gives up the transaction with this number: the store does not have it, or only some of its shards. They are in the
    /// next transactions again, the first of which can be polled after the time that
    /// [`Timing::with_store_retry`](crate::Timing::with_store_retry) sets. Returns `false`, and does nothing, if no such
    /// transaction is in flight.
    ///
    /// Call it for each transaction that is not confirmed, or its shards are never stored.
    pub fn store_failed(&mut self, now: Duration, number: u64) -> bool {
        self.timers.advance(now);
        let Some(store) = &mut self.store else { return false };
        let Some((shards, withheld)) = store.end(number) else { return false };
        for StoringShard { key, .. } in shards {
            store.mark_unstored(key);
        }
        for Withheld { key, cause, .. } in withheld {
            match cause {
                Cause::Changes(changes) => self.outbox.restore_changes(key.shard, changes),
                Cause::Request { peers, since } => {
                    peers.into_iter().for_each(|peer| self.outbox.queue_answer(peer, key, since));
                }
            }
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

/// Writes the answers from shards of a transaction now, as far as there is room. Otherwise, ever later versions could put
/// them off for ever. Peers that asked for the same are given the same section.
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

/// A shard as bytes for the store.
fn write_shard(context: FrameContext, key: ShardKey, shard: &Shard) -> Vec<u8> {
    let mut out = Vec::new();
    context.write_stored(&mut out, key, shard.version(), shard.blocks(), shard.entries());
    out
}

/// A shard from the bytes of the store.
fn read_shard(
    bytes: &[u8],
    context: FrameContext,
    shape: Shape,
) -> Result<(ShardKey, Box<Shard>), PacketErrorKind> {
    let invalid = |field, index, found| Err(PacketErrorKind::Invalid { field, index, found });
    let section = Section::only(bytes, context)?;
    let header = section.header();
    if header.kind != SectionKind::Stored {
        let found = header.kind as u32;
        return Err(PacketErrorKind::Unsupported { field: PacketField::Kind, found });
    }
    if header.shard as usize >= shape.shards() {
        return invalid(PacketField::Shard, 0, header.shard.into());
    }
    let key = ShardKey { origin: header.origin, shard: header.shard as usize };
    let range = shape.range(key.shard);
    section.check_counts(shape.blocks_of(key.shard), range.len())?;
    if header.from != 0 {
        return invalid(PacketField::From, 0, header.from);
    }
    if header.to == 0 {
        return invalid(PacketField::To, 0, 0);
    }
    section.check_body()?;

    let mut shard = Box::new(Shard::new(shape, key.shard));
    shard.set_version(header.to);
    shard.set_stored_version(header.to);
    let (blocks, entries) = section.blocks();
    let mut next = 0;
    for (index, block) in blocks.iter().enumerate() {
        check_block(block, index, next, header.to, range.clone())?;
        let kept = shard.block_mut((range.start + block.index() as usize * BLOCK_WORDS) as u32);
        kept.stamp = block.stamp();
        kept.totals.iter_mut().zip(block.totals()).for_each(|(kept, total)| *kept = total);
        next = block.index() + 1;
    }
    entries.check(&range)?;
    for (index, entry) in entries.iter().enumerate() {
        // An entry has no stamp of its own, so its block must be there.
        if !shard.has_block(entry.addr) {
            return invalid(PacketField::Address, index, entry.addr.into());
        }
        shard.set_entry(entry);
    }
    // The version stamped a block.
    if shard.greatest_stamp() != header.to {
        return invalid(PacketField::To, 0, header.to);
    }
    Ok((key, shard))
}

/// Checks a block of a stored shard: its index, its stamp, and that nothing lies past the end of the table.
fn check_block(
    block: StoredBlock<'_>,
    index: usize,
    next: u32,
    version: u64,
    range: core::ops::Range<usize>,
) -> Result<(), PacketErrorKind> {
    let invalid = |field, found| Err(PacketErrorKind::Invalid { field, index, found });
    if block.index() < next || block.index() as usize >= range.len().div_ceil(BLOCK_WORDS) {
        return invalid(PacketField::Block, block.index().into());
    }
    if block.stamp() == 0 || block.stamp() > version {
        return invalid(PacketField::Stamp, block.stamp());
    }
    let inside = range.len() - block.index() as usize * BLOCK_WORDS;
    match block.totals().into_iter().skip(inside).find(|total| total.0 != 0) {
        Some(total) => invalid(PacketField::Total, total.0),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
