//! The state of a replica: the planes of all origins, and what they add up to.

mod audit;
mod change;
mod cover;
#[cfg(any(test, feature = "damage"))]
mod damage;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use atomik_core::{Algebra, DeltaBatch, Table};

use crate::changes::Changes;
use crate::plane::Plane;
use crate::registers::Registers;
use crate::replica_id::ReplicaId;
use crate::shape::{Shape, ShardKey};
use crate::shard::Shard;
use crate::version_sums::VersionSums;
use audit::version_digest;

pub(crate) use audit::{Mended, MendedVersion, MendedVersions};

/// All planes, their composition, and the part of it that readers get from here.
pub(crate) struct ReplicaState<A: Algebra> {
    shape: Shape,
    base: Option<Arc<[u64]>>,
    /// In the order of their origins. The replica's own plane is among them.
    planes: Vec<Plane>,
    own: ReplicaId,
    version_sums: VersionSums,
    registers: Registers,
    /// For each shard, a digest of the versions of all origins. It follows each change of a version.
    versions: Vec<u64>,
    /// For each shard, a digest of the base at the start, if there is a base.
    base_digests: Vec<u64>,
    /// Shards in which a register was found damaged when it was used.
    damaged_registers: Vec<usize>,
    /// The shards of the own plane in which an entry was found damaged when it was used.
    damaged_entries: Vec<usize>,
    /// The composition of the base and all planes.
    merged: Vec<u64>,
    /// Everything that changed `merged`, except for the replica's own ticks. Nothing else writes to this table.
    remote: Arc<Table<A>>,
    /// An observer of `remote`, if there is one.
    changes: Option<Changes>,
}

impl<A: Algebra> ReplicaState<A> {
    /// The state of a base and planes, before the first tick. No two planes have the same origin.
    pub(crate) fn new(
        shape: Shape,
        base: Option<Arc<[u64]>>,
        own: ReplicaId,
        mut planes: Vec<Plane>,
    ) -> Self {
        if planes.iter().all(|plane| plane.origin() != own) {
            planes.push(Plane::new(own));
        }
        planes.sort_unstable_by_key(Plane::origin);
        let merged = base.as_deref().map_or_else(|| vec![A::IDENTITY; shape.len], <[u64]>::to_vec);
        let remote = Arc::new(merged.iter().copied().collect());
        let registers = Registers::new(shape.len);
        let mut state = Self {
            shape,
            base,
            planes,
            own,
            version_sums: VersionSums::default(),
            registers,
            versions: vec![0; shape.shards()],
            base_digests: Vec::new(),
            damaged_registers: Vec::new(),
            damaged_entries: Vec::new(),
            merged,
            remote,
            changes: None,
        };
        state.base_digests = state.compute_base_digests();
        // A store may have planes that others cover: it removes them with the covers, or later.
        let keys_of = |plane: &Plane| {
            let origin = plane.origin();
            plane.shards().map(move |(shard, _)| ShardKey { origin, shard }).collect::<Vec<_>>()
        };
        let keys: Vec<ShardKey> = state.planes.iter().flat_map(keys_of).collect();
        keys.into_iter().for_each(|key| drop(state.remove_covered(key)));
        let unticked = vec![A::IDENTITY; shape.len];
        state.refresh_version_sums();
        let touched = state.planes.iter().flat_map(|plane| plane.shards().map(|(shard, _)| shard));
        let touched: BTreeSet<usize> = touched.collect();
        for shard in touched {
            state.versions[shard] = state.compute_versions_digest(shard);
            state.recompute(shard, &unticked);
        }
        state
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn remote(&self) -> &Arc<Table<A>> {
        &self.remote
    }

    /// Starts to observe what comes from elsewhere.
    pub(crate) fn observe(&mut self) {
        self.changes.get_or_insert_with(|| Changes::new(&self.remote));
    }

    /// The next deltas that came from elsewhere, by address.
    pub(crate) fn poll_changes(&mut self) -> Option<DeltaBatch<A>> {
        self.changes.as_mut()?.poll(&self.remote)
    }

    pub(crate) fn merged(&self) -> &[u64] {
        &self.merged
    }

    /// For tests that damage the merged states.
    #[cfg(test)]
    pub(crate) fn merged_mut(&mut self) -> &mut [u64] {
        &mut self.merged
    }

    pub(crate) fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The planes, in the order of their origins.
    pub(crate) fn planes(&self) -> &[Plane] {
        &self.planes
    }

    pub(crate) fn plane(&self, origin: ReplicaId) -> Option<&Plane> {
        self.find(origin).ok().map(|at| &self.planes[at])
    }

    pub(crate) fn shard(&self, key: ShardKey) -> Option<&Shard> {
        self.plane(key.origin)?.shard(key.shard)
    }

    /// The version of a shard, or 0 if nothing is known about it.
    #[inline]
    pub(crate) fn version(&self, key: ShardKey) -> u64 {
        self.shard(key).map_or(0, Shard::version)
    }

    pub(crate) fn shard_mut(&mut self, key: ShardKey) -> Option<&mut Shard> {
        let at = self.find(key.origin).ok()?;
        self.planes[at].shard_mut(key.shard)
    }

    /// The shard after another one, in the order of origins and shards. The first one follows the last one.
    pub(crate) fn next_key(&self, after: Option<ShardKey>) -> Option<ShardKey> {
        let (at, start) = match after.map(|key| (self.find(key.origin), key)) {
            None => (0, 0),
            Some((Ok(at), key)) => (at, key.shard + 1),
            Some((Err(at), _)) => (at, 0),
        };
        let of_plane = |plane: &Plane, start| {
            plane.next_shard(start).map(|shard| ShardKey { origin: plane.origin(), shard })
        };
        let (before, from) = self.planes.split_at(at);
        let first = from.first().and_then(|plane| of_plane(plane, start));
        // After the rest of the plane come the planes behind it, and then all from the first one on.
        let others = from.iter().skip(1).chain(before).chain(from.first());
        first.or_else(|| others.filter_map(|plane| of_plane(plane, 0)).next())
    }

    /// A digest of the versions that all origins have of a shard. Where two replicas have the same, they have the same
    /// merged states, unless memory or a disk failed.
    pub(crate) fn versions_digest(&self, shard: usize) -> u64 {
        self.versions[shard]
    }

    /// Sets the version of a shard, which is allocated if it does not exist.
    fn set_version(&mut self, plane: usize, shard: usize, version: u64) {
        let origin = self.planes[plane].origin();
        let touched = self.planes[plane].get_or_insert(shard, self.shape);
        let old = touched.versions();
        touched.set_version(version);
        self.version_sums.replace(ShardKey { origin, shard }, [old, touched.versions()]);
        self.versions[shard] ^= version_digest(origin, old[0]) ^ version_digest(origin, version);
    }

    /// Takes the versions of a shard that was removed out of the digests.
    fn forget_versions(&mut self, key: ShardKey, old: [u64; 2]) {
        self.version_sums.replace(key, [old, [0, 0]]);
        self.versions[key.shard] ^= version_digest(key.origin, old[0]);
    }

    /// Notes that the store has a version of a shard.
    pub(crate) fn set_stored_version(&mut self, key: ShardKey, version: u64) {
        if let Some(shard) = self.shard_mut(key) {
            let old = shard.versions();
            shard.set_stored_version(version);
            let new = shard.versions();
            self.version_sums.replace(key, [old, new]);
        }
    }

    /// The digests of the version vector.
    pub(crate) fn version_sums(&self) -> VersionSums {
        self.version_sums
    }

    /// Computes the digests of the version vector from all versions.
    pub(crate) fn refresh_version_sums(&mut self) {
        self.version_sums = VersionSums::default();
        for plane in &self.planes {
            for (shard, touched) in plane.shards() {
                let key = ShardKey { origin: plane.origin(), shard };
                self.version_sums.replace(key, [[0, 0], touched.versions()]);
            }
        }
    }

    fn find(&self, origin: ReplicaId) -> Result<usize, usize> {
        self.planes.binary_search_by_key(&origin, Plane::origin)
    }

    /// Gives the own plane to another origin, and begins a new one for the replica. A plane that was never written is
    /// not kept.
    pub(crate) fn renew(&mut self, own: ReplicaId) {
        let old = self.own_plane();
        if self.planes[old].shards().next().is_none() {
            self.planes.remove(old);
        }
        self.insert_plane(own);
        self.own = own;
    }

    /// The index of the plane of an origin, which is inserted if it does not exist.
    fn insert_plane(&mut self, origin: ReplicaId) -> usize {
        self.find(origin).unwrap_or_else(|at| {
            self.planes.insert(at, Plane::new(origin));
            at
        })
    }

    /// The index of the replica's own plane.
    fn own_plane(&self) -> usize {
        self.find(self.own).expect("the own plane is made with the state and stays")
    }
}

#[cfg(test)]
mod tests;
