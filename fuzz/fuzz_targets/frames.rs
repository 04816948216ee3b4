//! Frames of arbitrary content with right checksums: applied if and only if they are right, and the state is
//! untouched if not; and what was applied can be stored and taken again.
#![no_main]

#[path = "../section.rs"]
mod section;

use arbitrary::Arbitrary;
use atomik_replica::{Peer, ReplicaId};
use libfuzzer_sys::fuzz_target;
use section::{
    Addr, Entry, are_right, bounded, check_start, fix_checksums, header, range, resume, state, write_entries,
};

#[derive(Arbitrary, Debug)]
struct Frame {
    node: u8,
    shard: u8,
    from: u8,
    to: u64,
    /// Address and total; the third says that the low bits are wrong.
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

    /// Whether it is right, of a shard of this table, and of another origin.
    fn is_right(&self) -> bool {
        let (node, shard) = (self.node % 6, self.shard % 4);
        let range = range(shard);
        node != 0
            && shard < 3
            && self.flip.is_none()
            && u64::from(self.from) < self.to
            && self.words.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self.words.iter().all(|word| word.0.is_in(&range) && !word.2)
            && are_right(&self.entries, &range)
    }
}

fuzz_target!(|frames: Vec<Frame>| {
    let none: [&[u8]; 0] = [];
    let mut replica = resume(none).expect("an empty store is a right one");
    let packets: Vec<Vec<u8>> = frames.iter().map(Frame::bytes).collect();
    let size: usize = packets.iter().map(Vec::len).sum();
    bounded(size, || {
        for (frame, packet) in frames.iter().zip(&packets) {
            let before = state(&replica);
            let origin = ReplicaId { node: u64::from(frame.node % 6), incarnation: 0 };
            let shard = usize::from(frame.shard % 4);
            match replica.receive(Peer(1), packet) {
                Ok(received) if received.applied == 1 => {
                    assert!(frame.is_right());
                    assert_eq!(replica.version(origin, shard), frame.to);
                }
                _ => assert_eq!(state(&replica), before),
            }
            let is_new = frame.from == 0 && replica.version(origin, shard) < frame.to;
            let is_known = replica.version(origin, shard) > 0 || replica.origins() < 4;
            assert!(!(frame.is_right() && is_new && is_known), "a right frame was not applied");
        }
        for shard in 0..replica.shards() {
            assert_eq!(replica.audit(shard), 0);
        }
    });
    // So that the own origin has a shard too, at a place among the others'.
    replica.put(0, 1).expect("the table has this address");
    let shards = replica.poll_store().map_or_else(Vec::new, |transaction| transaction.shards);
    check_start(&replica, &shards);
});
