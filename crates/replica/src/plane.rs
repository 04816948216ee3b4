//! The totals of one origin over the whole table.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::replica_id::ReplicaId;
use crate::shape::Shape;
use crate::shard::Shard;

/// One origin's totals over the whole table.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    origin: ReplicaId,
    /// A shard is allocated when it is first touched. The list ends with the last shard that was.
    shards: Vec<Option<Box<Shard>>>,
}

impl Plane {
    pub(crate) fn new(origin: ReplicaId) -> Self {
        Self { origin, shards: Vec::new() }
    }

    pub(crate) fn origin(&self) -> ReplicaId {
        self.origin
    }

    /// A shard, if it was ever touched.
    #[inline]
    pub(crate) fn shard(&self, index: usize) -> Option<&Shard> {
        self.shards.get(index)?.as_deref()
    }

    /// A shard, if it was ever touched.
    pub(crate) fn shard_mut(&mut self, index: usize) -> Option<&mut Shard> {
        self.shards.get_mut(index)?.as_deref_mut()
    }

    /// A shard. It is allocated if it does not exist.
    #[inline]
    pub(crate) fn get_or_insert(&mut self, index: usize, shape: Shape) -> &mut Shard {
        if index >= self.shards.len() {
            self.shards.resize_with(index + 1, || None);
        }
        self.shards[index].get_or_insert_with(|| Box::new(Shard::new(shape.range(index))))
    }

    pub(crate) fn insert(&mut self, index: usize, shard: Box<Shard>) {
        if index >= self.shards.len() {
            self.shards.resize_with(index + 1, || None);
        }
        self.shards[index] = Some(shard);
    }

    pub(crate) fn remove(&mut self, index: usize) {
        if let Some(shard) = self.shards.get_mut(index) {
            *shard = None;
        }
    }

    /// The shards that were touched, with their indices.
    pub(crate) fn shards(&self) -> impl Iterator<Item = (usize, &Shard)> {
        self.shards
            .iter()
            .enumerate()
            .filter_map(|(index, shard)| shard.as_deref().map(|shard| (index, shard)))
    }

    /// One more than the index of the last shard that was ever touched.
    pub(crate) fn shards_end(&self) -> usize {
        self.shards.len()
    }
}
