//! Any bytes as parts from a store, some with right checksums: no panic, no memory beyond the bounds, and what is
//! taken can be stored and taken again.
#![no_main]

#[path = "../section.rs"]
mod section;

use std::collections::BTreeMap;

use atomik_core::{Origin, StoredPart};
use libfuzzer_sys::fuzz_target;
use section::{bounded, check_start, resume, seal};

fuzz_target!(|parts: Vec<(Vec<u8>, bool)>| {
    let size: usize = parts.iter().map(|(bytes, _)| bytes.len()).sum();
    let mut stored: Vec<Vec<u8>> = Vec::new();
    for (mut bytes, sealed) in parts {
        if sealed {
            seal(&mut bytes, Some(6));
        }
        stored.push(bytes);
    }
    let taken = bounded(size, || {
        let mut replica = resume(&stored).ok()?;
        for part in 0..replica.parts() {
            assert_eq!(replica.audit(part), 0);
        }
        replica.put(0, 1).expect("the table has this address");
        let transaction = replica.to_store();
        Some((replica, transaction))
    });
    let Some((replica, transaction)) = taken else { return };
    let mut store: BTreeMap<_, _> = stored.into_iter().map(stored_part).collect();
    let written = transaction.into_iter().flat_map(|transaction| transaction.parts);
    store.extend(written.map(|part| ((part.origin, part.part), part)));
    let parts: Vec<StoredPart> = store.into_values().collect();
    check_start(&replica, &parts);
});

/// A part that a replica took, under the key that its header has.
fn stored_part(bytes: Vec<u8>) -> ((Origin, usize), StoredPart) {
    let word = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let origin = Origin { node: word(16), incarnation: word(24) };
    let (part, version) = (word(28) as u32 as usize, word(44));
    ((origin, part), StoredPart { origin, part, version, bytes })
}
