use super::*;
use crate::block::BLOCK_WORDS;
use crate::register::{LoadTimestamp, Register};
use crate::replica_id::ReplicaId;
use alloc::vec;

const SHAPE: Shape = Shape { len: 256, shard_words: 128 };
const ORIGIN: ReplicaId = ReplicaId { node: 2, incarnation: 3 };

#[test]
fn a_digest_covers_everything_but_identities() {
    let digest = |totals: &[(u32, u64)], entry: Option<[u64; 6]>| {
        let mut shard = Shard::new(SHAPE, 1);
        for &(addr, total) in totals {
            shard.stamped_block_mut(addr, 1).totals[addr as usize % BLOCK_WORDS] = Total(total);
        }
        if let Some([addr, counter, node, incarnation, value, total]) = entry {
            let timestamp = LoadTimestamp { counter, origin: ReplicaId { node, incarnation } };
            let register = Register { timestamp, value };
            shard.set_entry(Entry { addr: addr as u32, register, total: Total(total) }, 1);
        }
        let digest = shard.digest();
        assert_eq!(
            (shard.kept_digest(), shard.refresh_digest(), shard.kept_digest()),
            (digest, true, digest)
        );
        digest
    };
    let entry = [130, 1, ORIGIN.node, ORIGIN.incarnation, 4, 5];
    assert_eq!(digest(&[(129, 7)], None), digest(&[(129, 7), (130, 0), (200, 0)], None));
    let mut digests = vec![
        digest(&[], None),
        digest(&[(129, 7)], None),
        digest(&[(129, 8)], None),
        digest(&[(130, 7)], None),
        digest(&[(193, 7)], None),
        digest(&[(129, 7), (130, 7)], None),
        digest(&[(129, 7)], Some(entry)),
    ];
    digests.extend((0..6).map(|field| {
        let mut other = entry;
        other[field] += 1;
        digest(&[], Some(other))
    }));
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[test]
fn a_version_is_asked_for_by_blocks_and_ends_with_the_shard() {
    let mut shard = Shard::new(Shape { len: 200, ..SHAPE }, 1);
    for (addr, stamp) in [(128, 1), (192, 2)] {
        shard.stamped_block_mut(addr, stamp).totals[0] = Total(addr.into());
        let timestamp = LoadTimestamp { counter: 1, origin: ORIGIN };
        let register = Register { timestamp, value: 0 };
        shard.set_entry(Entry { addr: addr + 1, register, total: Total(0) }, stamp);
    }
    let since = |version| {
        let totals: Vec<_> = shard.totals_since(version).map(|(addr, _)| addr).collect();
        let entries: Vec<_> = shard.entries_since(version).map(|entry| entry.addr).collect();
        (totals, entries)
    };
    assert_eq!(since(0), ((128..200).collect(), vec![129, 193]));
    assert_eq!(since(1), ((192..200).collect(), vec![193]));
    assert_eq!(since(2), (vec![], vec![]));
}

#[test]
fn the_last_shards_of_the_longest_table_have_all_their_addresses() {
    const LAST: u32 = u32::MAX;
    for shard_words in [16, 32, 64, 4_096, 65_536] {
        let shape = Shape { len: 1 << 32, shard_words };
        let index = shape.shard_of(LAST);
        assert_eq!((index, shape.range(index).end), (shape.shards() - 1, 1 << 32));
        let mut shard = Shard::new(shape, index);
        let first = LAST - (shape.block_words() as u32 - 1);
        *shard.stamped_block_mut(LAST, 1).totals.last_mut().unwrap() = Total(7);
        let timestamp = LoadTimestamp { counter: 1, origin: ORIGIN };
        let entry = Entry { addr: LAST, register: Register { timestamp, value: 0 }, total: Total(0) };
        assert_eq!(shard.set_entry(entry, 1), None);
        assert_eq!((shard.total(LAST), shard.entry(LAST)), (Total(7), Some(&entry)));
        assert!(shard.totals_since(0).map(|(addr, _)| addr).eq(first..=LAST));
        assert!(shard.totals().filter(|(_, total)| total.0 != 0).eq([(LAST, Total(7))]));
        assert_eq!(shard.digest(), shard.kept_digest());
    }
}

#[test]
fn a_kept_digest_follows_changes_and_a_fresh_one_shows_damage() {
    let mut shard = Shard::new(SHAPE, 1);
    for (addr, total) in [(128, 1), (192, 2), (129, 3), (192, 0), (255, 4)] {
        shard.stamped_block_mut(addr, 1).totals[addr as usize % BLOCK_WORDS] = Total(total);
        assert_eq!((shard.kept_digest(), shard.current_digest()), (shard.digest(), shard.digest()));
    }
    let intact = shard.digest();
    // A bit flips in memory.
    shard.blocks[1].as_mut().unwrap().totals[3].0 ^= 8;
    assert_eq!((shard.kept_digest(), shard.current_digest()), (intact, intact));
    assert_ne!(shard.digest(), intact);
    assert!(!shard.refresh_digest());
    assert_eq!(shard.kept_digest(), shard.digest());
    assert!(shard.refresh_digest());
}
