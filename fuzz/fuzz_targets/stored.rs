//! Any bytes as parts from a store, some with right checksums: no panic, no memory beyond the bounds, and what is
//! taken can be stored and taken again.
#![no_main]

#[path = "../section.rs"]
mod section;

use std::sync::Arc;

use atomik_core::{Add, Origin, Replica, TableFanIn};
use libfuzzer_sys::fuzz_target;
use section::{LEN, bounded, cluster, seal};

fuzz_target!(|parts: Vec<(Vec<u8>, bool)>| {
    let size: usize = parts.iter().map(|(bytes, _)| bytes.len()).sum();
    let mut stored: Vec<Vec<u8>> = Vec::new();
    for (mut bytes, sealed) in parts {
        if sealed {
            seal(&mut bytes, Some(6));
        }
        stored.push(bytes);
    }
    bounded(size, || {
        let local = Arc::new(TableFanIn::<Add>::new(LEN));
        let origin = Origin { node: 0, incarnation: 0 };
        let Ok(mut replica) = Replica::resume(&cluster(), local, origin, &stored) else { return };
        for part in 0..replica.parts() {
            assert_eq!(replica.audit(part), 0);
        }
        let written = replica.put(0, 1).map(|()| replica.to_store());
        if let Ok(Some(transaction)) = written {
            assert!(transaction.parts.iter().all(|part| part.version > 0));
        }
    });
});
