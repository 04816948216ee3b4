//! What can be asked of a replica.

use core::fmt;

use atomik_core::Algebra;

use super::Replica;
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// Inspection.
impl<A: Algebra> Replica<A> {
    /// The id of this replica, under which it writes its own plane.
    #[must_use]
    pub fn id(&self) -> ReplicaId {
        self.id
    }

    /// The length of the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.shape().len
    }

    /// Whether the table has no addresses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of shards in the table.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.state.shape().shards()
    }

    /// The number of origins that are known here, including this replica.
    #[must_use]
    pub fn origins(&self) -> usize {
        self.state.planes().len()
    }

    /// The version of a shard of an origin, or 0 if nothing is known about it.
    #[must_use]
    pub fn version(&self, origin: ReplicaId, shard: usize) -> u64 {
        self.state.version(ShardKey { origin, shard })
    }

    /// The version vector: each shard of each origin that is known here, with its version, in the order of origins and
    /// shards. With a store, it is ahead of what peers are told.
    pub fn version_vector(&self) -> impl Iterator<Item = (ReplicaId, usize, u64)> + '_ {
        let planes = self.state.planes().iter();
        planes.flat_map(|plane| plane.shards().map(|(index, shard)| (plane.origin(), index, shard.version())))
    }
}

impl<A: Algebra> fmt::Debug for Replica<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("id", &self.id)
            .field("len", &self.len())
            .field("origins", &self.origins())
            .finish_non_exhaustive()
    }
}
