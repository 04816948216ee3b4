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

    /// The shards of the ended starts that the next start of their node is to fold into a shard, each with its version.
    pub(crate) fn ended(&self, into: ShardKey) -> Vec<(ReplicaId, u64)> {
        let of_node = self.planes.iter().filter(|plane| plane.origin().node == into.origin.node);
        let earlier = of_node.filter(|plane| plane.origin().incarnation < into.origin.incarnation);
        let shards = earlier.filter_map(|plane| Some((plane.origin(), plane.shard(into.shard)?.version())));
        shards.collect()
    }

    /// Makes the next version of a shard by folding these shards of ended starts of its node into it. It covers all of
    /// them and whatever else is earlier. Returns what it covers, which is removed. If it is no more than what was
    /// folded, then what all planes add up to does not change, and merged and remote states stay.
    pub(crate) fn fold(
        &mut self,
        into: ShardKey,
        taken: &[(ReplicaId, u64)],
        ticked: &[u64],
    ) -> Vec<ShardKey> {
        let version = self.version(into) + 1;
        let keys: Vec<ShardKey> = taken.iter().map(|&(origin, _)| ShardKey { origin, ..into }).collect();
        let ended: Vec<Box<Shard>> = keys.iter().filter_map(|&key| self.remove_shard(key)).collect();
        let (plane, shape) = (self.insert_plane(into.origin), self.shape);
        let shard = self.planes[plane].get_or_insert(into.shard, shape);
        ended.into_iter().for_each(|ended| shard.fold::<A>(*ended, version));
        shard.set_covers(true);
        self.set_version(plane, into.shard, version);
        let others = self.drop_covered(into, ticked);
        keys.into_iter().chain(others).collect()
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
        removed.iter().for_each(|&key| drop(self.remove_shard(key)));
        removed
    }

    /// Removes a shard, and its plane if it was the last one.
    fn remove_shard(&mut self, key: ShardKey) -> Option<Box<Shard>> {
        let at = self.find(key.origin).ok()?;
        let shard = self.planes[at].remove(key.shard)?;
        self.forget_versions(key, shard.versions());
        if self.planes[at].shards().next().is_none() && key.origin != self.own {
            self.planes.remove(at);
        }
        Some(shard)
    }
}
