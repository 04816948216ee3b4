//! What may leave a replica, written as sections.

use alloc::vec::Vec;
use core::ops::Range;

use atomik_core::Algebra;

use crate::change_set::ChangeSet;
use crate::frame::FrameContext;
use crate::plane::Plane;
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;
use crate::shard::Shard;
use crate::state::ReplicaState;

/// How many versions one section has at most: 1 KiB of them, so that it fits into a datagram.
const VERSIONS_IN_SECTION: usize = 128;

/// The state of a replica as its peers may see it.
///
/// With a store, peers see nothing that the store does not have yet: a version that was lost in a crash must never
/// have been seen.
pub(crate) struct Outgoing<'a, A: Algebra> {
    state: &'a ReplicaState<A>,
    id: ReplicaId,
    context: FrameContext,
    has_store: bool,
}

impl<'a, A: Algebra> Outgoing<'a, A> {
    /// What peers may see of the state of the replica `id`.
    pub(crate) fn new(
        state: &'a ReplicaState<A>,
        id: ReplicaId,
        context: FrameContext,
        has_store: bool,
    ) -> Self {
        Self { state, id, context, has_store }
    }

    /// Whether versions wait for the store before they may leave.
    pub(crate) fn has_store(&self) -> bool {
        self.has_store
    }

    /// The present version of a shard, whether it may leave or not.
    pub(crate) fn version(&self, key: ShardKey) -> u64 {
        self.state.version(key)
    }

    /// Whether the present version of a shard may leave.
    pub(crate) fn may_leave(&self, key: ShardKey) -> bool {
        self.state.version(key) == self.advertised(key)
    }

    /// The version of a shard that peers may be told.
    fn advertised(&self, key: ShardKey) -> u64 {
        let version = if self.has_store { Shard::stored_version } else { Shard::version };
        self.state.shard(key).map_or(0, version)
    }

    pub(crate) fn write_hello(&self, out: &mut Vec<u8>) {
        self.context.write_hello(out, self.id);
    }

    /// Writes a request for what changed in a shard after the version that is here. The request may name a version that
    /// the store does not have, because a request promises nothing.
    pub(crate) fn write_request(&self, out: &mut Vec<u8>, key: ShardKey) {
        self.context.write_request(out, key, self.state.version(key));
    }

    /// Writes the frame of what changed in a shard of the own plane.
    pub(crate) fn write_changes(&self, out: &mut Vec<u8>, index: usize, changes: &ChangeSet) {
        let key = ShardKey { origin: self.id, shard: index };
        let shard = self.state.shard(key).expect("a shard that changed exists");
        let first = self.state.shape().range(index).start as u32;
        let words = changes.words().map(|offset| (first + offset, shard.total(first + offset)));
        let entries = changes.entries().filter_map(|offset| shard.entry(first + offset));
        self.context.write_totals(out, key, [changes.from(), shard.version()], words, entries);
    }

    /// Writes the frame that leads from version `since` of a shard to its present one, if that may leave. Returns whether
    /// there was anything to write.
    pub(crate) fn write_since(&self, out: &mut Vec<u8>, key: ShardKey, since: u64) -> bool {
        self.may_leave(key) && self.write_unstored_since(out, key, since)
    }

    /// Like [`write_since`](Self::write_since), but for a frame that will be withheld until the store has the shard.
    pub(crate) fn write_unstored_since(&self, out: &mut Vec<u8>, key: ShardKey, since: u64) -> bool {
        let Some(shard) = self.state.shard(key).filter(|shard| shard.version() > since) else { return false };
        let (totals, entries) = (shard.totals_since(since), shard.entries_since(since));
        self.context.write_totals(out, key, [since, shard.version()], totals, entries);
        true
    }

    /// Writes the digest of a shard, if its version may leave.
    pub(crate) fn write_digest(&self, out: &mut Vec<u8>, key: ShardKey) {
        if let Some(shard) = self.state.shard(key).filter(|_| self.may_leave(key)) {
            self.context.write_digest(out, key, shard.version(), shard.current_digest());
        }
    }

    /// Writes the whole version vector. The own origin comes first, and is named even if it never wrote.
    pub(crate) fn write_version_vector(&self, out: &mut Vec<u8>) {
        let others = self.state.planes().iter().map(Plane::origin).filter(|&origin| origin != self.id);
        for origin in core::iter::once(self.id).chain(others) {
            let last = self.state.plane(origin).and_then(|plane| plane.shards().last());
            self.write_versions(out, origin, 0..last.map_or(0, |(index, _)| index + 1));
        }
    }

    /// Writes the versions of consecutive shards of an origin, in one section at least.
    pub(crate) fn write_versions(&self, out: &mut Vec<u8>, origin: ReplicaId, shards: Range<usize>) {
        let mut start = shards.start;
        loop {
            let end = shards.end.min(start + VERSIONS_IN_SECTION);
            let versions = (start..end).map(|shard| self.advertised(ShardKey { origin, shard }));
            self.context.write_versions(out, ShardKey { origin, shard: start }, versions);
            start = end;
            if start >= shards.end {
                break;
            }
        }
    }
}
