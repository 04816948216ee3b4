//! Planes of ended starts: what is folded into a later start of the same node, and what is covered by it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use atomik_core::Algebra;

use super::ReplicaState;
use crate::plane::Plane;
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;
use crate::shard::Shard;

impl<A: Algebra> ReplicaState<A> {
    /// Whether a later start of the same node covers a shard: it is folded into that one, or void.
    pub(crate) fn is_covered(&self, key: ShardKey) -> bool {
        let ShardKey { origin, shard } = key;
        let after = self.planes.partition_point(|plane| plane.origin() <= origin);
        let later = self.planes[after..].iter().take_while(|plane| plane.origin().node == origin.node);
        later.filter_map(|plane| plane.shard(shard)).any(|shard| shard.covers())
    }

    /// The incarnation of the greatest start of a node that covers its earlier ones in a shard.
    pub(crate) fn cover(&self, node: u64, shard: usize) -> Option<u64> {
        let after = self.planes.partition_point(|plane| plane.origin().node <= node);
        let of_node = self.planes[..after].iter().rev().take_while(|plane| plane.origin().node == node);
        let covering = |plane: &&Plane| plane.shard(shard).is_some_and(|shard| shard.covers());
        of_node.into_iter().find(covering).map(|plane| plane.origin().incarnation)
    }

    /// Removes the shards that a shard covers, if it covers any, and gives merged and remote states the difference.
    /// Returns what was removed. Planes without shards are not kept.
    pub(crate) fn drop_covered(&mut self, by: ShardKey, ticked: &[u64]) -> Vec<ShardKey> {
        let removed = self.remove_covered(by);
        if !removed.is_empty() {
            self.recompute(by.shard, ticked);
        }
        removed
    }

    /// Makes a version of a shard of the own plane into which the earlier starts of this node are folded, and which covers
    /// them. Returns what was folded, which is removed. What all planes add up to does not change, so merged and remote
    /// states stay.
    pub(crate) fn fold(&mut self, shard: usize) -> Vec<ShardKey> {
        let own = ShardKey { origin: self.own, shard };
        let version = self.version(own) + 1;
        let shape = self.shape;
        let plane = self.own_plane();
        let mut into = self.planes[plane].remove(shard).unwrap_or_else(|| Box::new(Shard::new(shape, shard)));
        let old = into.versions();
        for plane in self.planes.iter().filter(|plane| {
            plane.origin().node == own.origin.node && plane.origin().incarnation < own.origin.incarnation
        }) {
            if let Some(ended) = plane.shard(shard) {
                into.fold::<A>(ended, version);
            }
        }
        into.set_covers(true);
        self.planes[plane].insert(shard, into);
        debug_assert_eq!(old, self.shard(own).map_or([0, 0], Shard::versions));
        self.set_version(plane, shard, version);
        self.remove_covered(own)
    }

    /// Removes the shards that a shard covers, from the planes alone.
    pub(super) fn remove_covered(&mut self, by: ShardKey) -> Vec<ShardKey> {
        if !self.shard(by).is_some_and(|shard| shard.covers()) {
            return Vec::new();
        }
        let is_earlier =
            |origin: ReplicaId| origin.node == by.origin.node && origin.incarnation < by.origin.incarnation;
        let origins = self.planes.iter().map(Plane::origin).filter(|&origin| is_earlier(origin));
        let keys = origins.map(|origin| ShardKey { origin, shard: by.shard });
        let removed: Vec<ShardKey> = keys.filter(|&key| self.shard(key).is_some()).collect();
        removed.iter().for_each(|&key| self.remove_shard(key));
        removed
    }

    /// Removes a shard, and its plane if it was the last one.
    fn remove_shard(&mut self, key: ShardKey) {
        let Ok(at) = self.find(key.origin) else { return };
        let Some(shard) = self.planes[at].remove(key.shard) else { return };
        self.forget_versions(key, shard.versions());
        if self.planes[at].shards().next().is_none() && key.origin != self.own {
            self.planes.remove(at);
        }
    }
}
