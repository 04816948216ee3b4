//! Stored parts of arbitrary bytes, or of arbitrary shards with valid checksums. There is no panic, and memory stays
//! within its bounds. Shards are restored if and only if they are valid, and can then be stored and restored again.
#![no_main]

#[path = "../section.rs"]
mod section;

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use atomik_replica::ReplicaId;
use libfuzzer_sys::fuzz_target;
use section::{
    Entry, Store, are_valid, bounded, check_start, fix_checksums, header, range, resume, write, write_entries,
};

#[derive(Arbitrary, Debug)]
enum Stored {
    /// Arbitrary bytes, and whether they get valid checksums.
    Bytes(Vec<u8>, bool),
    Shard(Shard),
}

#[derive(Arbitrary, Debug)]
struct Shard {
    node: u8,
    shard: u8,
    version: u64,
    blocks: Vec<Block>,
    /// Which of the parts is missing, if it has so many.
    missing: u8,
}

#[derive(Arbitrary, Debug)]
struct Block {
    index: u8,
    stamp: u64,
    total: u64,
    /// The word that has the total.
    at: u8,
    entries: Vec<Entry>,
}

/// The number of words in a block.
const BLOCK_WORDS: usize = 64;

/// What a stamp adds to the sum of a shard, by the documentation of the format. This shares no code with the replica.
fn stamped(index: u8, stamp: u64) -> u64 {
    [index.into(), stamp].into_iter().fold(0, |hash: u64, word: u64| {
        let word = (hash ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
        let word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    })
}

impl Block {
    fn bytes(&self, (node, shard): (u8, u8)) -> Vec<u8> {
        let versions = [self.index.into(), self.stamp];
        let mut bytes = header(node, shard, versions, BLOCK_WORDS, self.entries.len());
        let mut totals = [0; BLOCK_WORDS];
        totals[usize::from(self.at) % BLOCK_WORDS] = self.total;
        totals.iter().for_each(|total: &u64| bytes.extend(total.to_be_bytes()));
        write_entries(&mut bytes, &self.entries);
        fix_checksums(&mut bytes, Some(12));
        bytes
    }

    fn is_valid(&self, shard: u8, version: u64) -> bool {
        let range = range(shard);
        let start = range.start + usize::from(self.index) * BLOCK_WORDS;
        let block = start..range.end.min(start + BLOCK_WORDS);
        start < range.end
            && (1..=version).contains(&self.stamp)
            && (self.total == 0 || start + usize::from(self.at) % BLOCK_WORDS < range.end)
            && are_valid(&self.entries, &block)
    }
}

impl Shard {
    fn key(&self) -> (u8, u8) {
        (self.node % 6, self.shard % 4)
    }

    fn parts(&self) -> Vec<Vec<u8>> {
        let (node, shard) = self.key();
        let mut bytes = header(node, shard, [0, self.version], 2, 0);
        let sum =
            self.blocks.iter().fold(0_u64, |sum, block| sum.wrapping_add(stamped(block.index, block.stamp)));
        [self.blocks.len() as u64, sum].into_iter().for_each(|number| bytes.extend(number.to_be_bytes()));
        fix_checksums(&mut bytes, Some(6));
        let mut parts = vec![bytes];
        parts.extend(self.blocks.iter().map(|block| block.bytes((node, shard))));
        if usize::from(self.missing) < parts.len() {
            parts.remove(usize::from(self.missing));
        }
        parts
    }

    /// Whether it is a valid shard of this table.
    fn is_valid(&self) -> bool {
        let (node, shard) = self.key();
        let indices: BTreeSet<_> = self.blocks.iter().map(|block| block.index).collect();
        shard < 3
            && self.version > 0
            && (node != 0 || self.version < 1 << 63)
            && indices.len() == self.blocks.len()
            && self.blocks.iter().all(|block| block.is_valid(shard, self.version))
            && usize::from(self.missing) > self.blocks.len()
            && self.blocks.iter().any(|block| block.stamp == self.version)
    }
}

fuzz_target!(|stored: Vec<Stored>| {
    let parts: Vec<Vec<u8>> = stored
        .iter()
        .flat_map(|stored| match stored {
            Stored::Shard(shard) => shard.parts(),
            Stored::Bytes(bytes, false) => vec![bytes.clone()],
            Stored::Bytes(bytes, true) => {
                let mut bytes = bytes.clone();
                fix_checksums(&mut bytes, Some(6));
                vec![bytes]
            }
        })
        .collect();
    let size = parts.iter().map(Vec::len).sum();
    let taken = bounded(size, || {
        let mut replica = resume(&parts).ok()?;
        for shard in 0..replica.shards() {
            assert_eq!(replica.audit(shard), 0);
        }
        replica.put(0, 1).expect("the table has this address");
        Some(replica)
    });
    if let Some(valid) = are_all_valid(&stored) {
        assert_eq!(taken.is_some(), valid);
    }
    let Some(mut replica) = taken else { return };
    let mut store: Store = parts.into_iter().map(|bytes| (key_of(&bytes), bytes)).collect();
    write(&mut replica, &mut store);
    check_start(&replica, &store);
});

/// Whether these make a valid store. `None` if some are arbitrary bytes, or if parts of two shards may make one.
fn are_all_valid(stored: &[Stored]) -> Option<bool> {
    let shards: Option<Vec<&Shard>> = stored
        .iter()
        .map(|stored| match stored {
            Stored::Shard(shard) => Some(shard),
            Stored::Bytes(..) => None,
        })
        .collect();
    let mut shards = shards?;
    // Of these, nothing is in the store.
    shards.retain(|shard| !(shard.blocks.is_empty() && shard.missing == 0));
    let keys: BTreeSet<_> = shards.iter().map(|shard| shard.key()).collect();
    if keys.len() != shards.len() {
        return None;
    }
    let others: BTreeSet<_> = keys.iter().map(|key| key.0).filter(|&node| node != 0).collect();
    Some(others.len() <= 3 && shards.iter().all(|shard| shard.is_valid()))
}

/// The key of a part that a replica restored, from its header.
fn key_of(bytes: &[u8]) -> (ReplicaId, usize, u32) {
    let word = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let origin = ReplicaId { node: word(16), incarnation: word(24) };
    let part = if bytes[5] == 6 { 0 } else { word(40) as u32 + 1 };
    (origin, word(32) as u32 as usize, part)
}
