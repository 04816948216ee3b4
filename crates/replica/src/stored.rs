//! Shards as parts for a store, and from one.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::error::ReplicaError;
use crate::frame::{FrameContext, Section, SectionKind};
use crate::packet_error::{PacketErrorKind, PacketField};
use crate::plane::Plane;
use crate::register::{LoadTimestamp, Total};
use crate::replica_id::ReplicaId;
use crate::report::{Claim, known_from_numbers};
use crate::shape::{Shape, ShardKey};
use crate::shard::Shard;

/// A piece of a shard, to be stored under the key (origin, shard, part), in place of what the store has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart {
    /// The number of the part in its shard: 0 for the part that names the version, and more for blocks of totals.
    pub part: u32,
    /// The part with its checksums. Store it as it is.
    pub bytes: Vec<u8>,
}

/// What changed in a shard and is to be stored. All of it must be stored, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredShard {
    /// The origin whose totals they are.
    pub origin: ReplicaId,
    /// The index of the shard in the table.
    pub shard: usize,
    /// The version of the shard.
    pub version: u64,
    /// Whether the store is to remove all parts that it has of this shard, before it takes these. Otherwise the parts
    /// that are not among these stay.
    pub replaces: bool,
    /// Whether the store is to remove all parts that it has of this shard of earlier starts of the same node, those
    /// with lower incarnations: they are folded into this one. Not before, and best in the same transaction.
    pub covers: bool,
    /// The parts.
    pub parts: Vec<StoredPart>,
}

/// Writes what a node knows of starts, as the only part of a shard of an origin that can't exist.
pub(crate) fn write_claims(context: FrameContext, id: ReplicaId, numbers: &[u64]) -> StoredShard {
    let origin = ReplicaId { incarnation: u64::MAX, ..id };
    let mut bytes = Vec::new();
    context.write_stored_claims(&mut bytes, origin, numbers);
    let parts = Vec::from([StoredPart { part: 0, bytes }]);
    StoredShard { origin, shard: 0, version: 1, replaces: true, covers: false, parts }
}

/// Writes the parts of a shard that the store does not have.
pub(crate) fn write_shard(context: FrameContext, key: ShardKey, shard: &Shard) -> StoredShard {
    let part = |part, write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        StoredPart { part, bytes }
    };
    // What the store has of a shard at version 0 is of another one, if it has anything. If stamps were damaged, they do
    // not say what the store lacks.
    let replaces = shard.stored_version() == 0 || !shard.has_sound_stamps();
    let (version, since) = (shard.version(), shard.stored_version());
    let mut parts = Vec::new();
    let covers = shard.covers();
    parts.push(part(0, &|bytes| context.write_stored(bytes, key, version, shard.stamps(), covers)));
    for (index, block) in shard.blocks().filter(|(_, block)| replaces || block.stamp > since) {
        parts.push(part(index + 1, &|bytes| context.write_stored_block(bytes, key, index, block)));
    }
    StoredShard { origin: key.origin, shard: key.shard, version, replaces, covers, parts }
}

/// Shards that are being put together from their parts, which come in any order.
pub(crate) struct Restored {
    context: FrameContext,
    shape: Shape,
    id: ReplicaId,
    resumes: bool,
    shards: BTreeMap<ShardKey, Parts>,
    /// What the store has of what the node knows of starts.
    claims: Option<(BTreeMap<u64, Claim>, bool)>,
}

/// The parts of a shard that have come.
struct Parts {
    shard: Box<Shard>,
    /// What the part that names the version says of the blocks. `None` until it has come.
    stamps: Option<[u64; 2]>,
}

impl Restored {
    /// No parts yet, for the start of `id`, which may be the id of an earlier start if the replica resumes.
    pub(crate) fn new(context: FrameContext, shape: Shape, id: ReplicaId, resumes: bool) -> Self {
        Self { context, shape, id, resumes, shards: BTreeMap::new(), claims: None }
    }

    /// Takes the part that is the `index`th one of the store.
    pub(crate) fn insert(&mut self, index: usize, bytes: &[u8]) -> Result<(), ReplicaError> {
        let refused = |kind| ReplicaError::StoredPart { index, kind };
        let section = Section::only(bytes, self.context).map_err(refused)?;
        let header = section.header();
        let ShardKey { origin, shard } = ShardKey { origin: header.origin, shard: header.shard as usize };
        if header.kind == SectionKind::StoredClaims {
            section.check_counts(usize::MAX, 0).map_err(refused)?;
            section.check_body().map_err(refused)?;
            let numbers: Vec<u64> = section.numbers().collect();
            let claims = known_from_numbers(&numbers)
                .ok_or_else(|| refused(invalid(PacketField::Words, numbers.len() as u64)))?;
            let is_second = self.claims.replace(claims).is_some();
            return if is_second { Err(ReplicaError::StoredTwice { origin, shard }) } else { Ok(()) };
        }
        if origin == self.id && !self.resumes {
            return Err(ReplicaError::IncarnationReused { id: self.id });
        }
        if shard >= self.shape.shards() {
            return Err(refused(invalid(PacketField::Shard, header.shard.into())));
        }
        let shape = self.shape;
        let parts = self
            .shards
            .entry(ShardKey { origin, shard })
            .or_insert_with(|| Parts { shard: Box::new(Shard::new(shape, shard)), stamps: None });
        let is_new = match header.kind {
            SectionKind::Stored => parts.insert_version(&section, origin == self.id),
            SectionKind::StoredBlock => parts.insert_block(&section, shape, shard),
            kind => Err(PacketErrorKind::Unsupported { field: PacketField::Kind, found: kind as u32 }),
        };
        if is_new.map_err(refused)? { Ok(()) } else { Err(ReplicaError::StoredTwice { origin, shard }) }
    }

    /// What the node knew of starts, and whether it was settled.
    pub(crate) fn claims(&self) -> Option<(BTreeMap<u64, Claim>, bool)> {
        self.claims.clone()
    }

    /// The planes, if all parts of each shard have come.
    pub(crate) fn planes(self) -> Result<Vec<Plane>, ReplicaError> {
        let mut planes: Vec<Plane> = Vec::new();
        for (ShardKey { origin, shard: index }, Parts { shard, stamps }) in self.shards {
            // Each version stamps a block.
            let is_whole = shard.greatest_stamp() == shard.version();
            if !is_whole || stamps != Some(shard.stamps()) {
                return Err(ReplicaError::StoredIncomplete { origin, shard: index });
            }
            if planes.last().is_none_or(|last| last.origin() != origin) {
                planes.push(Plane::new(origin));
            }
            if let Some(plane) = planes.last_mut() {
                plane.insert(index, shard);
            }
        }
        Ok(planes)
    }
}

fn invalid(field: PacketField, found: u64) -> PacketErrorKind {
    PacketErrorKind::Invalid { field, index: 0, found }
}

impl Parts {
    /// Takes the part that names the version. Returns `false` if it has come before.
    fn insert_version(&mut self, section: &Section<'_>, is_own: bool) -> Result<bool, PacketErrorKind> {
        let header = section.header();
        section.check_counts(2, 0)?;
        if header.from != 0 {
            return Err(invalid(PacketField::From, header.from));
        }
        // The own plane goes on from this version, so there must be versions above it.
        if header.to == 0 || is_own && header.to >= LoadTimestamp::COUNTER_LIMIT {
            return Err(invalid(PacketField::To, header.to));
        }
        section.check_body()?;
        let (mut numbers, _) = section.numbers_and_entries();
        let (Some(count), Some(sum)) = (numbers.next(), numbers.next()) else {
            return Err(invalid(PacketField::Words, section.words() as u64));
        };
        self.shard.set_covers(section.check_covers()?);
        self.shard.set_version(header.to);
        self.shard.set_stored_version(header.to);
        Ok(self.stamps.replace([count, sum]).is_none())
    }

    /// Takes a block. Returns `false` if it has come before.
    fn insert_block(
        &mut self,
        section: &Section<'_>,
        shape: Shape,
        shard: usize,
    ) -> Result<bool, PacketErrorKind> {
        let header = section.header();
        let block_words = shape.block_words();
        if header.from >= shape.blocks_of(shard) as u64 {
            return Err(invalid(PacketField::Block, header.from));
        }
        if header.to == 0 {
            return Err(invalid(PacketField::Stamp, header.to));
        }
        section.check_counts(block_words, block_words)?;
        if section.words() != block_words {
            return Err(invalid(PacketField::Words, section.words() as u64));
        }
        section.check_body()?;
        let start = shape.range(shard).start + header.from as usize * block_words;
        let range = start..shape.range(shard).end.min(start + block_words);
        let (numbers, entries) = section.numbers_and_entries();
        if let Some(total) = numbers.clone().skip(range.len()).find(|&total| total != 0) {
            return Err(invalid(PacketField::Total, total));
        }
        entries.check(&range)?;
        if self.shard.has_block(start as u32) {
            return Ok(false);
        }
        let block = self.shard.stamped_block_mut(start as u32, header.to);
        block.totals.iter_mut().zip(numbers).for_each(|(kept, total)| *kept = Total(total));
        for entry in entries.iter() {
            block.set_entry(entry.addr as usize - start, entry);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
