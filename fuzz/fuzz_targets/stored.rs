//! Stored shards of arbitrary bytes, or of arbitrary content with valid checksums. There is no panic, and memory stays
//! within its bounds. Shards are restored if and only if they are valid, and can then be stored and restored again.
#![no_main]

#[path = "../section.rs"]
mod section;

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use atomik_replica::{ReplicaId, StoredShard};
use libfuzzer_sys::fuzz_target;
use section::{
    Addr, Entry, are_valid, bounded, check_start, fix_checksums, header, range, resume, write_entries,
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
    /// Index, stamp, a total, and the word that has it.
    blocks: Vec<(u8, u64, u64, u8)>,
    entries: Vec<Entry>,
}

/// The number of words in a block.
const BLOCK_WORDS: usize = 64;

impl Shard {
    fn key(&self) -> (u8, u8) {
        (self.node % 6, self.shard % 4)
    }

    fn bytes(&self) -> Vec<u8> {
        let (node, shard) = self.key();
        let mut bytes = header(node, shard, [0, self.version], self.blocks.len(), self.entries.len());
        for &(index, stamp, total, at) in &self.blocks {
            bytes.extend(u32::from(index).to_be_bytes());
            bytes.extend(stamp.to_be_bytes());
            let mut totals = [0; BLOCK_WORDS];
            totals[usize::from(at) % BLOCK_WORDS] = total;
            totals.iter().for_each(|total: &u64| bytes.extend(total.to_be_bytes()));
        }
        write_entries(&mut bytes, &self.entries);
        fix_checksums(&mut bytes, Some(6));
        bytes
    }

    /// Whether it is a valid shard of this table.
    fn is_valid(&self) -> bool {
        let (node, shard) = self.key();
        let range = range(shard);
        let block = |addr: Addr| (usize::from(addr.0) - range.start) / BLOCK_WORDS;
        let inside = |&(index, _, total, at): &(u8, u64, u64, u8)| {
            let addr = range.start + usize::from(index) * BLOCK_WORDS + usize::from(at) % BLOCK_WORDS;
            usize::from(index) < range.len().div_ceil(BLOCK_WORDS) && (total == 0 || addr < range.end)
        };
        let has_block =
            |entry: &Entry| self.blocks.iter().any(|&(index, ..)| usize::from(index) == block(entry.0));
        shard < 3
            && self.version > 0
            && (node != 0 || self.version < 1 << 63)
            && self.blocks.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self.blocks.iter().all(|block| (1..=self.version).contains(&block.1) && inside(block))
            && self.blocks.iter().any(|block| block.1 == self.version)
            && are_valid(&self.entries, &range)
            && self.entries.iter().all(has_block)
    }
}

fuzz_target!(|stored: Vec<Stored>| {
    let shards: Vec<Vec<u8>> = stored
        .iter()
        .map(|stored| match stored {
            Stored::Shard(shard) => shard.bytes(),
            Stored::Bytes(bytes, false) => bytes.clone(),
            Stored::Bytes(bytes, true) => {
                let mut bytes = bytes.clone();
                fix_checksums(&mut bytes, Some(6));
                bytes
            }
        })
        .collect();
    let size = shards.iter().map(Vec::len).sum();
    let taken = bounded(size, || {
        let mut replica = resume(&shards).ok()?;
        for shard in 0..replica.shards() {
            assert_eq!(replica.audit(shard), 0);
        }
        replica.put(0, 1).expect("the table has this address");
        let transaction = replica.poll_store();
        Some((replica, transaction))
    });
    if let Some(valid) = are_all_valid(&stored) {
        assert_eq!(taken.is_some(), valid);
    }
    let Some((replica, transaction)) = taken else { return };
    let mut store: BTreeMap<_, _> = shards.into_iter().map(stored_shard).collect();
    let written = transaction.into_iter().flat_map(|transaction| transaction.shards);
    store.extend(written.map(|shard| ((shard.origin, shard.shard), shard)));
    let shards: Vec<StoredShard> = store.into_values().collect();
    check_start(&replica, &shards);
});

/// Whether these make a valid store. `None` if some are arbitrary bytes.
fn are_all_valid(stored: &[Stored]) -> Option<bool> {
    let shards: Option<Vec<&Shard>> = stored
        .iter()
        .map(|stored| match stored {
            Stored::Shard(shard) => Some(shard),
            Stored::Bytes(..) => None,
        })
        .collect();
    let shards = shards?;
    let keys: BTreeSet<_> = shards.iter().map(|shard| shard.key()).collect();
    let others: BTreeSet<_> = keys.iter().map(|key| key.0).filter(|&node| node != 0).collect();
    Some(keys.len() == shards.len() && others.len() <= 3 && shards.iter().all(|shard| shard.is_valid()))
}

/// A shard that a replica restored, under the key in its header.
fn stored_shard(bytes: Vec<u8>) -> ((ReplicaId, usize), StoredShard) {
    let word = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let origin = ReplicaId { node: word(16), incarnation: word(24) };
    let (shard, version) = (word(32) as u32 as usize, word(48));
    ((origin, shard), StoredShard { origin, shard, version, bytes })
}
