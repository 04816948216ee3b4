//! Frames of arbitrary content with valid checksums. A frame is applied if and only if it is valid, and otherwise changes
//! nothing. What was applied can be stored and restored.
#![no_main]

#[path = "../section.rs"]
mod section;

use std::time::Duration;

use arbitrary::Arbitrary;
use atomik_replica::{Peer, ReplicaId};
use libfuzzer_sys::fuzz_target;
use section::{
    Addr, Entry, Store, are_valid, bounded, check_start, fix_checksums, header, range, resume, state, write,
    write_entries,
};

#[derive(Arbitrary, Debug)]
struct Frame {
    node: u8,
    shard: u8,
    from: u8,
    to: u64,
    /// Addresses and totals, and whether the low bits are wrong.
    words: Vec<(Addr, u64, bool)>,
    entries: Vec<Entry>,
    /// A bit to flip.
    flip: Option<u16>,
}

impl Frame {
    fn bytes(&self) -> Vec<u8> {
        let versions = [self.from.into(), self.to];
        let mut bytes = header(self.node % 6, self.shard % 4, versions, self.words.len(), self.entries.len());
        for &(addr, total, wrong) in &self.words {
            bytes.extend(addr.to_be_bytes());
            bytes.extend(total.to_be_bytes());
            bytes.extend((self.to as u32).wrapping_add(wrong.into()).to_be_bytes());
        }
        write_entries(&mut bytes, &self.entries);
        fix_checksums(&mut bytes, Some(1));
        if let Some(flip) = self.flip {
            let at = usize::from(flip) / 8 % bytes.len();
            bytes[at] ^= 1 << (flip % 8);
        }
        bytes
    }

    /// Whether the frame is valid, about a shard of this table, and from another origin.
    fn is_valid(&self) -> bool {
        let (node, shard) = (self.node % 6, self.shard % 4);
        let range = range(shard);
        node != 0
            && shard < 3
            && self.flip.is_none()
            && u64::from(self.from) < self.to
            && !(self.words.is_empty() && self.entries.is_empty())
            && self.words.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self.words.iter().all(|word| word.0.is_in(&range) && !word.2)
            && are_valid(&self.entries, &range)
    }
}

fuzz_target!(|frames: Vec<Frame>| {
    let none: [&[u8]; 0] = [];
    let mut replica = resume(none).expect("an empty store is valid");
    let packets: Vec<Vec<u8>> = frames.iter().map(Frame::bytes).collect();
    let size: usize = packets.iter().map(Vec::len).sum();
    bounded(size, || {
        for (frame, packet) in frames.iter().zip(&packets) {
            let before = state(&replica);
            let origin = ReplicaId { node: u64::from(frame.node % 6), incarnation: 0 };
            let shard = usize::from(frame.shard % 4);
            match replica.receive(Duration::ZERO, Peer(1), packet) {
                Ok(received) if received.applied == 1 => {
                    assert!(frame.is_valid());
                    assert_eq!(replica.version(origin, shard), frame.to);
                }
                _ => assert_eq!(state(&replica), before),
            }
            let is_new = frame.from == 0 && replica.version(origin, shard) < frame.to;
            let is_known = replica.version(origin, shard) > 0 || replica.origins() < 4;
            assert!(!(frame.is_valid() && is_new && is_known), "a valid frame was not applied");
        }
        for shard in 0..replica.shards() {
            assert_eq!(replica.audit(shard), 0);
        }
    });
    // A version of the own origin that was not made here stops it.
    if replica.is_cloned() {
        return;
    }
    // Now the own origin has a shard, too.
    replica.put(0, 1).expect("the table has this address");
    let mut store = Store::new();
    write(&mut replica, &mut store);
    check_start(&replica, &store);
});
