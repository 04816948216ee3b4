//! The totals of one origin over the whole table.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use crate::replica_id::ReplicaId;
use crate::shape::Shape;
use crate::shard::Shard;

/// One origin's totals over the whole table.
#[derive(Debug)]
pub(crate) struct Plane {
    /// The origin's id, three times, of which two are right if a bit flips: all that is known of the origin depends on
    /// it.
    origins: [ReplicaId; 3],
    /// The shards that were touched. What was not touched costs nothing, wherever it lies in the table.
    shards: BTreeMap<u32, Box<Shard>>,
}

impl Plane {
    pub(crate) fn new(origin: ReplicaId) -> Self {
        Self { origins: [origin; 3], shards: BTreeMap::new() }
    }

    #[inline]
    pub(crate) fn origin(&self) -> ReplicaId {
        let majority = |[a, b, c]: [u64; 3]| (a & b) | (a & c) | (b & c);
        ReplicaId {
            node: majority(self.origins.map(|origin| origin.node)),
            incarnation: majority(self.origins.map(|origin| origin.incarnation)),
        }
    }

    /// Makes the three ids equal again.
    pub(crate) fn mend_origin(&mut self) {
        self.origins = [self.origin(); 3];
    }

    /// The words of the origin's ids.
    #[cfg(any(test, feature = "damage"))]
    pub(crate) fn words_of_origin(&mut self) -> impl Iterator<Item = &mut u64> {
        self.origins.iter_mut().flat_map(|ReplicaId { node, incarnation }| [node, incarnation])
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

    /// Removes a shard. Returns it, if it was there.
    pub(crate) fn remove(&mut self, index: usize) -> Option<Box<Shard>> {
        self.shards.remove(&(index as u32))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_that_flips_in_an_id_does_not_matter() {
        let origin = ReplicaId { node: 0x0123_4567_89AB_CDEF, incarnation: 0xFEDC_BA98_7654_3210 };
        for bit in 0..6 * 64 {
            let mut plane = Plane::new(origin);
            *plane.words_of_origin().nth(bit / 64).unwrap() ^= 1 << (bit % 64);
            assert!(plane.origins.iter().any(|copy| *copy != origin));
            assert_eq!(plane.origin(), origin, "bit {bit}");
            plane.mend_origin();
            assert_eq!(plane.origins, [origin; 3], "bit {bit}");
        }
    }
}
