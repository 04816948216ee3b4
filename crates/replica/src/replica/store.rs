//! Shards for a store, and from one.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use zerocopy::byteorder::big_endian::U64;

use super::Replica;
use crate::cluster_config::ClusterConfig;
use crate::error::{PacketError, PacketErrorKind, ReplicaError};
use crate::frame::{self, FrameContext, Header, Section, SectionKind, WireBlock, WireEntry};
use crate::outbox::{Change, Key, Recipient};
use crate::replica_id::{LoadTimestamp, ReplicaId, Total};
use crate::shard::{BLOCK_WORDS, Plane, Shape, Shard};
use atomik_core::{Algebra, TableFanIn};

/// A shard as a store is to keep it: under the key (origin, shard), in place of what it had there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredShard {
    /// Whose totals they are.
    pub origin: ReplicaId,
    /// Which shard of the table.
    pub shard: usize,
    /// As of which version.
    pub version: u64,
    /// The shard, to be kept as it is; checksums are in it.
    pub bytes: Vec<u8>,
}

/// Shards that changed and are to be stored. Each must get to the store whole or not at all; in one transaction
/// or several, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is not stored is not sent either"]
pub struct Transaction {
    /// Its number, for [`Replica::stored`].
    pub number: u64,
    /// The shards.
    pub shards: Vec<StoredShard>,
}

/// How far the store is.
#[derive(Default)]
pub(super) struct Progress {
    /// The shards whose versions the store doesn't have.
    unstored: BTreeSet<Key>,
    /// The number of the last transaction.
    number: u64,
    /// The versions that it has, until it is confirmed.
    in_flight: Vec<(Key, u64)>,
    /// Sections that wait for it.
    withheld: Vec<(Key, Recipient, Vec<u8>)>,
}

impl Progress {
    pub(super) fn note(&mut self, key: Key) {
        self.unstored.insert(key);
    }

    /// Forgets a shard that was dropped: what is on its way to the store is not what will be here.
    pub(super) fn forget(&mut self, key: Key) {
        self.unstored.remove(&key);
        self.in_flight.retain(|&(other, _)| other != key);
        self.withheld.retain(|(other, _, _)| *other != key);
    }
}

impl<A: Algebra> Replica<A> {
    /// Starts a replica with a store: `stored` are the shards that it has, and `origin` is a new incarnation,
    /// now as at every start. The own planes of earlier starts are others' planes from then on; so it doesn't
    /// matter if the store is a backup.
    ///
    /// From then on no totals, version or digest leaves before the store has it; only a request may name one. Call
    /// [`poll_store`](Self::poll_store) after ticks and receipts, and [`stored`](Self::stored).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); and [`ReplicaError::Stored`] if one of the shards is refused.
    pub fn restore<B: AsRef<[u8]>>(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        origin: ReplicaId,
        stored: impl IntoIterator<Item = B>,
    ) -> Result<Self, ReplicaError> {
        Self::from_store(cluster, local, origin, stored, false)
    }

    /// [`restore`](Self::restore) with the incarnation of the last start: the caller's promise that the store is
    /// the one that the last start left, never rolled back and never cloned. If the promise is broken, states
    /// diverge.
    ///
    /// # Errors
    ///
    /// As [`restore`](Self::restore).
    pub fn resume<B: AsRef<[u8]>>(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        origin: ReplicaId,
        stored: impl IntoIterator<Item = B>,
    ) -> Result<Self, ReplicaError> {
        Self::from_store(cluster, local, origin, stored, true)
    }

    fn from_store<B: AsRef<[u8]>>(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        origin: ReplicaId,
        stored: impl IntoIterator<Item = B>,
        resumes: bool,
    ) -> Result<Self, ReplicaError> {
        let shape = cluster.checked_shape(local.len())?;
        let context = FrameContext::new::<A>(cluster.digest());
        let mut planes: Vec<Plane> = Vec::new();
        for (index, bytes) in stored.into_iter().enumerate() {
            let refused = |kind| ReplicaError::Stored { index, error: PacketError { at: 0, kind } };
            let (key, shard) = read_shard(bytes.as_ref(), context, shape).map_err(refused)?;
            if key.0 == origin && !resumes {
                return Err(refused(PacketErrorKind::IncarnationReused { origin }));
            }
            // The own plane goes on from here, and a version above the last there is none.
            if key.0 == origin && shard.version >= LoadTimestamp::COUNTER_LIMIT {
                return Err(refused(PacketErrorKind::LastVersion { version: shard.version }));
            }
            let at = planes.iter().position(|plane| plane.origin == key.0).unwrap_or_else(|| {
                planes.push(Plane::new(key.0));
                planes.len() - 1
            });
            // The own origin is one of them, with shards in the store or without.
            let others = planes.iter().filter(|plane| plane.origin != origin).count();
            if others + 1 > cluster.max_origins {
                let (origin, bound) = (key.0, cluster.max_origins);
                return Err(refused(PacketErrorKind::TooManyOrigins { origin, bound }));
            }
            if planes[at].shard(key.1).is_some() {
                return Err(refused(PacketErrorKind::StoredTwice { origin: key.0, shard: key.1 as u32 }));
            }
            planes[at].set_shard(key.1, Some(shard));
        }
        Self::start(cluster, local, origin, planes, true)
    }

    /// The shards that changed and that the store doesn't have, to be written by the caller; `None` if there are
    /// none, or without a store. What is to leave with their versions waits until [`stored`](Self::stored)
    /// confirms them.
    ///
    /// Called again before that, it gives a new transaction in place of the last: for a write that failed.
    pub fn poll_store(&mut self) -> Option<Transaction> {
        let mut progress = self.store.take()?;
        let transaction = self.transaction(&mut progress);
        self.store = Some(progress);
        transaction
    }

    fn transaction(&mut self, progress: &mut Progress) -> Option<Transaction> {
        if progress.unstored.is_empty() {
            return None;
        }
        progress.number += 1;
        progress.in_flight.clear();
        let mut shards = Vec::new();
        for key in progress.unstored.clone() {
            let Some(shard) = self.state.shard(key.0, key.1) else { continue };
            let version = shard.version;
            progress.in_flight.push((key, version));
            shards.push(StoredShard {
                origin: key.0,
                shard: key.1,
                version,
                bytes: write_shard(self.context, key, shard),
            });
            if let Some(change) = (key.0 == self.origin).then(|| self.outbox.changes.remove(&key.1)).flatten()
            {
                self.withhold_change(progress, key, &change);
            }
        }
        self.withhold_answers(progress);
        Some(Transaction { number: progress.number, shards })
    }

    fn withhold_change(&self, progress: &mut Progress, key: Key, change: &Change) {
        let mut bytes = Vec::new();
        let shard = self.state.shard(key.0, key.1).expect("a shard that changed was touched");
        change.write(&mut bytes, self.context, key.0, key.1, shard);
        self.withhold(progress, (key, Recipient::All, bytes));
    }

    /// Writes the answers that are owed from shards of the transaction, so that later versions don't put them off
    /// for ever.
    fn withhold_answers(&mut self, progress: &mut Progress) {
        let mut owed = core::mem::take(&mut self.outbox.answers);
        owed.append(&mut self.outbox.awaiting_store);
        for ((peer, key), since) in owed {
            let shard = self.state.shard(key.0, key.1);
            match shard.filter(|_| progress.unstored.contains(&key)) {
                None => drop(self.outbox.answers.insert((peer, key), since)),
                Some(shard) => {
                    let mut bytes = Vec::new();
                    self.write_shard_since(&mut bytes, key, shard, since);
                    self.withhold(progress, (key, Recipient::Peer(peer), bytes));
                }
            }
        }
    }

    /// Keeps a section until the store has its version; drops it if too many are kept.
    fn withhold(&self, progress: &mut Progress, section: (Key, Recipient, Vec<u8>)) {
        if progress.withheld.len() < self.bounds.waiting {
            progress.withheld.push(section);
        }
    }

    /// Confirms that the store has all shards of the transaction of this number, durably: what waited for them
    /// may leave. Returns whether it was the last one handed out; one that was replaced confirms nothing.
    pub fn stored(&mut self, number: u64) -> bool {
        let Some(progress) = self.store.as_mut().filter(|progress| progress.number == number) else {
            return false;
        };
        for (key, version) in progress.in_flight.drain(..) {
            if let Some(shard) = self.state.shard_mut(key.0, key.1) {
                shard.stored = version;
                if shard.version == version {
                    progress.unstored.remove(&key);
                }
            }
            self.outbox.dirty.insert(key);
        }
        for (_, to, section) in core::mem::take(&mut progress.withheld) {
            self.packet(to).extend(section);
        }
        let mut awaiting_store = core::mem::take(&mut self.outbox.awaiting_store);
        self.outbox.answers.append(&mut awaiting_store);
        true
    }
}

/// A shard as bytes for the store.
fn write_shard(context: FrameContext, (origin, index): Key, shard: &Shard) -> Vec<u8> {
    let blocks: Vec<WireBlock> = shard
        .blocks()
        .map(|(first, block)| WireBlock {
            index: ((first - shard.first()) / BLOCK_WORDS as u32).into(),
            stamp: block.stamp.into(),
            totals: block.totals.map(|total| U64::new(total.0)),
        })
        .collect();
    let entries: Vec<WireEntry> = shard.entries().iter().map(WireEntry::new).collect();
    let header =
        Header { kind: SectionKind::Stored, origin, shard: index as u32, from: 0, to: shard.version };
    let mut out = Vec::new();
    frame::write(&mut out, context, header, &blocks, &entries);
    out
}

/// A shard from the store's bytes.
fn read_shard(
    bytes: &[u8],
    context: FrameContext,
    shape: Shape,
) -> Result<(Key, Box<Shard>), PacketErrorKind> {
    let (section, rest) = Section::split(bytes, context)?;
    let header = section.header;
    if header.kind != SectionKind::Stored {
        return Err(PacketErrorKind::Kind { found: header.kind as u8 });
    }
    let (words, count) = (section.words(), section.entries());
    let (shard, shards) = (u64::from(header.shard), shape.shards() as u64);
    if shard >= shards {
        return Err(PacketErrorKind::Shard { shard, shards });
    }
    let range = shape.range(shard as usize);
    if words > range.len().div_ceil(BLOCK_WORDS) || count > range.len() || !rest.is_empty() {
        return Err(PacketErrorKind::Counts { words, entries: count });
    }
    if header.from != 0 {
        return Err(PacketErrorKind::StoredFrom { from: header.from });
    }
    if header.to == 0 {
        return Err(PacketErrorKind::Versions { from: 0, to: 0 });
    }
    section.check_body()?;

    let mut shard = Box::new(Shard::new(range.clone()));
    (shard.version, shard.stored) = (header.to, header.to);
    let (blocks, entries) = section.blocks();
    let mut next = 0;
    for block in blocks {
        let index = block.index.get();
        if index < next
            || index as usize >= range.len().div_ceil(BLOCK_WORDS)
            || block.stamp.get() > header.to
        {
            return Err(PacketErrorKind::Block { index });
        }
        let start = range.start + index as usize * BLOCK_WORDS;
        let inside = BLOCK_WORDS.min(range.end - start);
        if block.totals[inside..].iter().any(|total| total.get() != 0) {
            return Err(PacketErrorKind::Block { index });
        }
        let kept = shard.block_mut(start as u32);
        kept.stamp = block.stamp.get();
        kept.totals = block.totals.map(|total| Total(total.get()));
        next = index + 1;
    }
    let mut next = range.start as u64;
    for entry in entries.iter().map(WireEntry::entry) {
        let (addr, counter) = (entry.addr, entry.register.timestamp.counter);
        if u64::from(addr) < next || addr as usize >= range.end {
            return Err(PacketErrorKind::Address { addr, shard: header.shard });
        }
        if counter >= LoadTimestamp::COUNTER_LIMIT {
            return Err(PacketErrorKind::LoadCounter { addr, counter });
        }
        // The stamp of an entry is its block's.
        if shard.blocks().all(|(first, _)| addr < first || addr - first >= BLOCK_WORDS as u32) {
            return Err(PacketErrorKind::Address { addr, shard: header.shard });
        }
        shard.set_entry(entry);
        next = u64::from(addr) + 1;
    }
    Ok(((header.origin, header.shard as usize), shard))
}

#[cfg(test)]
mod tests;
