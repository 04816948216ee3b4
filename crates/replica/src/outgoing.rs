//! What may leave a replica, written as sections.

use alloc::vec::Vec;
use core::ops::Range;

use atomik_core::Algebra;

use crate::change_set::ChangeSet;
use crate::frame::{FrameContext, HEADER_LEN};
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;
use crate::shard::Shard;
use crate::state::ReplicaState;

/// How many shards without a version may lie between two with one in a section of versions.
const MOST_ZEROS: usize = HEADER_LEN / 8;

/// The state of a replica as its peers may see it.
///
/// With a store, peers see nothing that the store does not have yet: a version that was lost in a crash must never
/// have been seen.
pub(crate) struct Outgoing<'a, A: Algebra> {
    state: &'a ReplicaState<A>,
    id: ReplicaId,
    context: FrameContext,
    has_store: bool,
    is_silent: bool,
}

impl<'a, A: Algebra> Outgoing<'a, A> {
    /// What peers may see of the state of the replica `id`.
    pub(crate) fn new(
        state: &'a ReplicaState<A>,
        id: ReplicaId,
        context: FrameContext,
        has_store: bool,
    ) -> Self {
        Self { state, id, context, has_store, is_silent: false }
    }

    /// The same without the own plane, if `silent`: another instance was seen under the own id.
    pub(crate) fn without_own(self, silent: bool) -> Self {
        Self { is_silent: silent, ..self }
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
        if self.is_silent && key.origin == self.id {
            return 0;
        }
        self.state.shard(key).map_or(0, |shard| self.version_of(shard))
    }

    /// The version of a shard that peers may be told.
    fn version_of(&self, shard: &Shard) -> u64 {
        if self.has_store { shard.stored_version() } else { shard.version() }
    }

    pub(crate) fn write_hello(&self, out: &mut Vec<u8>) {
        self.context.write_hello(out, self.id, self.state.version_sums().held);
    }

    /// Writes a request for what changed in a shard after the version that is here. The request may name a version that
    /// the store does not have, because a request promises nothing.
    pub(crate) fn write_request(&self, out: &mut Vec<u8>, key: ShardKey) {
        self.context.write_request(out, key, self.state.version(key));
    }

    /// Writes a request for all of a shard.
    pub(crate) fn write_refetch(&self, out: &mut Vec<u8>, key: ShardKey) {
        self.context.write_request(out, key, 0);
    }

    /// Writes that a version of a shard of the own plane was not made here.
    pub(crate) fn write_denial(&self, out: &mut Vec<u8>, key: ShardKey, denied: u64) {
        let made = self.state.version(key);
        if made < denied {
            self.context.write_denial(out, key, [made, denied]);
        }
    }

    pub(crate) fn write_merged_digest(&self, out: &mut Vec<u8>, shard: usize, digests: [u64; 2]) {
        self.context.write_merged_digest(out, self.id, shard, digests);
    }

    /// Writes the frame of what changed in a shard of the own plane.
    pub(crate) fn write_changes(&self, out: &mut Vec<u8>, index: usize, changes: &ChangeSet) {
        let key = ShardKey { origin: self.id, shard: index };
        let shard = self.state.shard(key).expect("a shard that changed exists");
        let first = self.state.shape().range(index).start as u32;
        let words = changes.words().map(|offset| (first + offset, shard.total(first + offset)));
        let entries = changes.entries().filter_map(|offset| shard.entry(first + offset));
        let versions = [changes.from(), shard.version()];
        self.context.write_totals(out, key, versions, words, entries, shard.covers());
    }

    /// Writes the frame that leads from version `since` of a shard to its present one, if that may leave. Returns
    /// whether there was anything to write.
    pub(crate) fn write_since(&self, out: &mut Vec<u8>, key: ShardKey, since: u64) -> bool {
        self.may_leave(key) && self.write_unstored_since(out, key, since)
    }

    /// Like [`write_since`](Self::write_since), but for a frame that will be withheld until the store has the shard.
    pub(crate) fn write_unstored_since(&self, out: &mut Vec<u8>, key: ShardKey, since: u64) -> bool {
        let Some(shard) = self.state.shard(key).filter(|shard| shard.version() > since) else { return false };
        let (totals, entries) = (shard.totals_since(since), shard.entries_since(since));
        self.context.write_totals(out, key, [since, shard.version()], totals, entries, shard.covers());
        true
    }

    /// Writes the digest of a shard, if its version may leave.
    pub(crate) fn write_digest(&self, out: &mut Vec<u8>, key: ShardKey) {
        if let Some(shard) = self.state.shard(key).filter(|_| self.may_leave(key)) {
            self.context.write_digest(out, key, shard.version(), shard.current_digest());
        }
    }

    /// The digest of the version vector that peers may be told.
    pub(crate) fn vector_digest(&self) -> u64 {
        if self.is_silent {
            // That of no version vector, most likely. So peers ask for the whole one.
            return 0;
        }
        let sums = self.state.version_sums();
        if self.has_store { sums.stored } else { sums.held }
    }

    pub(crate) fn write_vector_digest(&self, out: &mut Vec<u8>) {
        self.context.write_vector_digest(out, self.id, [0, 0], self.vector_digest());
    }

    /// Writes section `number` of a version vector that has the number `vector`, with at most `most` versions: that of
    /// the first shards from `start` on, in the order of origins and shards. Returns where the next section starts.
    /// After the last one, it writes the digest, which says how many sections there were, and returns `None`.
    ///
    /// The own origin is named even if it never wrote.
    pub(crate) fn write_version_vector(
        &self,
        out: &mut Vec<u8>,
        start: Option<ShardKey>,
        [number, vector]: [u64; 2],
        most: usize,
    ) -> Option<ShardKey> {
        let planes = self.state.planes();
        let at = start.map_or(0, |start| planes.partition_point(|plane| plane.origin() < start.origin));
        for plane in &planes[at..] {
            let origin = plane.origin();
            let after = start.filter(|start| start.origin == origin).map_or(0, |start| start.shard);
            let shards = plane.shards_from(after).map(|(index, shard)| (index, self.version_of(shard)));
            let is_silent = self.is_silent && origin == self.id;
            let mut shards = shards.filter(|&(_, version)| version > 0 && !is_silent).peekable();
            let first = shards.peek().map(|&(index, _)| index);
            if first.is_none() && (origin != self.id || after > 0) {
                continue;
            }
            let first = first.unwrap_or(0);
            let mut versions = Vec::new();
            // A few zeros take less than another header.
            while let Some((index, version)) = shards
                .next_if(|&(index, _)| index - first < most && index - first - versions.len() <= MOST_ZEROS)
            {
                versions.resize(index - first, 0);
                versions.push(version);
            }
            let end = first + versions.len();
            self.context.write_versions(
                out,
                ShardKey { origin, shard: first },
                [number, vector],
                versions.into_iter(),
            );
            // Whether there is more can only be told when it is looked for.
            return Some(ShardKey { origin, shard: end.max(1) });
        }
        self.context.write_vector_digest(out, self.id, [number - 1, vector], self.vector_digest());
        None
    }

    /// Writes the versions of neighbouring shards of an origin.
    pub(crate) fn write_versions(&self, out: &mut Vec<u8>, origin: ReplicaId, shards: Range<usize>) {
        let plane = self.state.plane(origin);
        let shard = |index| plane.and_then(|plane| plane.shard(index));
        let is_silent = self.is_silent && origin == self.id;
        let version = |shard| if is_silent { 0 } else { self.version_of(shard) };
        let versions = shards.clone().map(|index| shard(index).map_or(0, version));
        self.context.write_versions(out, ShardKey { origin, shard: shards.start }, [0, 0], versions);
    }
}
