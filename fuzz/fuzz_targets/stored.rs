//! Parts from a store, of any bytes or of arbitrary content with right checksums: no panic, no memory beyond the bounds,
//! taken if and only if they are right, and what is taken can be stored and taken again.
#![no_main]

#[path = "../section.rs"]
mod section;

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use atomik_replica::{Origin, StoredPart};
use libfuzzer_sys::fuzz_target;
use section::{Addr, Entry, are_right, bounded, check_start, header, range, resume, seal, write_entries};

#[derive(Arbitrary, Debug)]
enum Stored {
    /// Any bytes, and whether they get right checksums.
    Bytes(Vec<u8>, bool),
    Part(Part),
}

#[derive(Arbitrary, Debug)]
struct Part {
    node: u8,
    part: u8,
    version: u64,
    /// Place, stamp, and a total at a word.
    blocks: Vec<(u8, u64, u64, u8)>,
    entries: Vec<Entry>,
}

/// Words in a block.
const BLOCK: usize = 64;

impl Part {
    fn key(&self) -> (u8, u8) {
        (self.node % 6, self.part % 4)
    }

    fn bytes(&self) -> Vec<u8> {
        let (node, part) = self.key();
        let mut bytes = header(node, part, [0, self.version], self.blocks.len(), self.entries.len());
        for &(index, stamp, total, at) in &self.blocks {
            bytes.extend(u32::from(index).to_be_bytes());
            bytes.extend(stamp.to_be_bytes());
            let mut totals = [0; BLOCK];
            totals[usize::from(at) % BLOCK] = total;
            totals.iter().for_each(|total: &u64| bytes.extend(total.to_be_bytes()));
        }
        write_entries(&mut bytes, &self.entries);
        seal(&mut bytes, Some(6));
        bytes
    }

    /// Whether it is right, of a part of this table.
    fn is_right(&self) -> bool {
        let (node, part) = self.key();
        let range = range(part);
        let block = |addr: Addr| (usize::from(addr.0) - range.start) / BLOCK;
        let inside = |&(index, _, total, at): &(u8, u64, u64, u8)| {
            let addr = range.start + usize::from(index) * BLOCK + usize::from(at) % BLOCK;
            usize::from(index) < range.len().div_ceil(BLOCK) && (total == 0 || addr < range.end)
        };
        let has_block =
            |entry: &Entry| self.blocks.iter().any(|&(index, ..)| usize::from(index) == block(entry.0));
        part < 3
            && self.version > 0
            && (node != 0 || self.version < 1 << 63)
            && self.blocks.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self.blocks.iter().all(|block| block.1 <= self.version && inside(block))
            && are_right(&self.entries, &range)
            && self.entries.iter().all(has_block)
    }
}

fuzz_target!(|stored: Vec<Stored>| {
    let parts: Vec<Vec<u8>> = stored
        .iter()
        .map(|stored| match stored {
            Stored::Part(part) => part.bytes(),
            Stored::Bytes(bytes, false) => bytes.clone(),
            Stored::Bytes(bytes, true) => {
                let mut bytes = bytes.clone();
                seal(&mut bytes, Some(6));
                bytes
            }
        })
        .collect();
    let size = parts.iter().map(Vec::len).sum();
    let taken = bounded(size, || {
        let mut replica = resume(&parts).ok()?;
        for part in 0..replica.parts() {
            assert_eq!(replica.audit(part), 0);
        }
        replica.put(0, 1).expect("the table has this address");
        let transaction = replica.to_store();
        Some((replica, transaction))
    });
    if let Some(right) = are_all_right(&stored) {
        assert_eq!(taken.is_some(), right);
    }
    let Some((replica, transaction)) = taken else { return };
    let mut store: BTreeMap<_, _> = parts.into_iter().map(stored_part).collect();
    let written = transaction.into_iter().flat_map(|transaction| transaction.parts);
    store.extend(written.map(|part| ((part.origin, part.part), part)));
    let parts: Vec<StoredPart> = store.into_values().collect();
    check_start(&replica, &parts);
});

/// Whether they make a store that can be taken; `None` if some are any bytes.
fn are_all_right(stored: &[Stored]) -> Option<bool> {
    let parts: Option<Vec<&Part>> = stored
        .iter()
        .map(|stored| match stored {
            Stored::Part(part) => Some(part),
            Stored::Bytes(..) => None,
        })
        .collect();
    let parts = parts?;
    let keys: BTreeSet<_> = parts.iter().map(|part| part.key()).collect();
    let others: BTreeSet<_> = keys.iter().map(|key| key.0).filter(|&node| node != 0).collect();
    Some(keys.len() == parts.len() && others.len() <= 3 && parts.iter().all(|part| part.is_right()))
}

/// A part that a replica took, under the key that its header has.
fn stored_part(bytes: Vec<u8>) -> ((Origin, usize), StoredPart) {
    let word = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let origin = Origin { node: word(16), incarnation: word(24) };
    let (part, version) = (word(28) as u32 as usize, word(44));
    ((origin, part), StoredPart { origin, part, version, bytes })
}
