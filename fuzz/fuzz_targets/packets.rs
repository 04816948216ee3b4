//! Packets of arbitrary bytes and of arbitrary sections, some with valid checksums. There is no panic, memory stays
//! within its bounds, and the merged states are always the composition of the planes.
#![no_main]

#[path = "../section.rs"]
mod section;

use std::time::Duration;

use arbitrary::Arbitrary;
use atomik_replica::Peer;
use libfuzzer_sys::fuzz_target;
use section::{Addr, Entry, MEMBERS, bounded, fix_checksums, header, replica, write_cover, write_entries};

#[derive(Arbitrary, Debug)]
enum Section {
    /// Arbitrary bytes. If there is a kind, they get it, with valid checksums.
    Bytes(Vec<u8>, Option<u8>),
    /// A section with a layout that fits its kind.
    Whole(Whole),
}

#[derive(Arbitrary, Debug)]
struct Whole {
    kind: u8,
    node: u8,
    /// Nodes have a few starts, so that later ones fold and cover earlier ones.
    incarnation: u8,
    shard: u8,
    /// Whether a frame covers earlier starts of its node.
    covers: bool,
    /// Half of them are `None`, which stands for version 0.
    from: Option<u8>,
    to: u64,
    words: Vec<(Addr, u64)>,
    entries: Vec<Entry>,
}

impl Section {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes, kind) => {
                let mut bytes = bytes.clone();
                if let Some(kind) = kind {
                    fix_checksums(&mut bytes, Some(kind % 15));
                }
                bytes
            }
            Self::Whole(whole) => whole.bytes(),
        }
    }
}

impl Whole {
    fn bytes(&self) -> Vec<u8> {
        let kind = self.kind % 15;
        let (node, incarnation, shard) = (self.node % 6, self.incarnation % 4, self.shard % 5);
        let words = if matches!(kind, 1 | 2 | 4 | 7 | 8 | 9 | 10) { self.words.as_slice() } else { &[] };
        let entries = if kind == 1 { self.entries.as_slice() } else { &[] };
        let mut versions = [self.from.unwrap_or(0).into(), self.to];
        if kind == 7 {
            // The part of a report, and how many there are.
            versions[1] %= 3;
        }
        if kind == 8 {
            versions[0] = self.to.wrapping_sub(1);
        }
        let mut bytes = header(node, shard, versions, words.len(), entries.len());
        bytes[31] = incarnation;
        for &(addr, word) in words {
            match kind {
                1 => {
                    bytes.extend(addr.to_be_bytes());
                    bytes.extend(word.to_be_bytes());
                    bytes.extend((self.to as u32).to_be_bytes());
                }
                7 => bytes.extend((word % 8).to_be_bytes()),
                8 => {
                    bytes.extend(u64::from(node).to_be_bytes());
                    bytes.extend(u64::from(addr.0 / 20 % 4).to_be_bytes());
                    bytes.extend(word.to_be_bytes());
                }
                _ => bytes.extend(word.to_be_bytes()),
            }
        }
        write_entries(&mut bytes, entries);
        if kind == 8 || kind == 1 && self.covers {
            write_cover(&mut bytes, node, incarnation);
        }
        fix_checksums(&mut bytes, Some(kind));
        bytes
    }
}

fuzz_target!(|packets: Vec<(u8, Vec<Section>)>| {
    let mut replica = replica();
    replica.put(200, 7).expect("the table has this address");
    replica.set_members(MEMBERS);
    replica.end_wait();
    let packets: Vec<(u8, Vec<u8>)> = packets
        .into_iter()
        .map(|(peer, sections)| (peer, sections.iter().flat_map(Section::bytes).collect()))
        .collect();
    let size: usize = packets.iter().map(|(_, bytes)| bytes.len()).sum();
    bounded(size, || {
        for (peer, packet) in packets {
            let _ = replica.receive(Duration::ZERO, Peer(peer.into()), &packet);
        }
        let mut answers = 0;
        while replica.poll_transmit().is_some() {
            answers += 1;
            assert!(answers <= 96, "more packets wait than the bound allows");
        }
        while replica.poll_event().is_some() {}
        for shard in 0..replica.shards() {
            assert_eq!(replica.audit(shard), 0);
        }
    });
});
