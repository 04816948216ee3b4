//! Any bytes as packets, one after the other, some with right checksums: no panic, no memory beyond the bounds,
//! and sealed states that are always what the planes add up to.
#![no_main]

#[path = "../section.rs"]
mod section;

use atomik_core::Peer;
use libfuzzer_sys::fuzz_target;
use section::{bounded, replica, seal};

fuzz_target!(|packets: Vec<(Vec<u8>, Option<u8>)>| {
    let mut replica = replica();
    let size: usize = packets.iter().map(|(bytes, _)| bytes.len()).sum();
    bounded(size, || {
        for (mut packet, sealed) in packets {
            if let Some(kind) = sealed {
                seal(&mut packet, Some(kind % 8));
            }
            let _ = replica.receive(Peer(u64::from(sealed.unwrap_or(0))), &packet);
        }
        let mut answers = 0;
        while replica.poll_packet().is_some() {
            answers += 1;
            assert!(answers <= 64, "more waits than the bound allows");
        }
        while replica.poll_event().is_some() {}
        for part in 0..replica.parts() {
            assert_eq!(replica.audit(part), 0);
        }
    });
});
