//! The totals of one origin over the whole table.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use crate::replica_id::ReplicaId;
use crate::shape::Shape;
use crate::shard::Shard;

/// One origin's totals over the whole table.
#[derive(Debug)]
pub(crate) struct Plane {
    origin: ReplicaId,
    /// The shards that were touched. What was not touched costs nothing, wherever it lies in the table.
    shards: BTreeMap<u32, Box<Shard>>,
}

impl Plane {
    pub(crate) fn new(origin: ReplicaId) -> Self {
        Self { origin, shards: BTreeMap::new() }
    }

    pub(crate) fn origin(&self) -> ReplicaId {
        self.origin
    }

    /// A shard, if it was ever touched.
    #[inline]
    pub(crate) fn shard(&self, index: usize) -> Option<&Shard> {
        self.shards.get(&(index as u32)).map(Box::as_ref)
    }

    /// A shard, if it was ever touched.
    pub(crate) fn shard_mut(&mut self, index: usize) -> Option<&mut Shard> {
        self.shards.get_mut(&(index as u32)).map(Box::as_mut)
    }

    /// A shard. It is allocated if it does not exist.
    #[inline]
    pub(crate) fn get_or_insert(&mut self, index: usize, shape: Shape) -> &mut Shard {
        self.shards.entry(index as u32).or_insert_with(|| Box::new(Shard::new(shape, index)))
    }

    pub(crate) fn insert(&mut self, index: usize, shard: Box<Shard>) {
        self.shards.insert(index as u32, shard);
    }

    /// The shards that were touched, with their indices, in ascending order.
    pub(crate) fn shards(&self) -> impl Iterator<Item = (usize, &Shard)> {
        self.shards.iter().map(|(&index, shard)| (index as usize, shard.as_ref()))
    }

    /// The shards that were touched from an index on, in ascending order.
    pub(crate) fn shards_from(&self, start: usize) -> impl Iterator<Item = (usize, &Shard)> {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        self.shards.range(start..).map(|(&index, shard)| (index as usize, shard.as_ref()))
    }

    /// The first shard that was touched with an index of `start` or above.
    pub(crate) fn next_shard(&self, start: usize) -> Option<usize> {
        self.shards_from(start).next().map(|(index, _)| index)
    }
}
