use alloc::sync::Arc;
use alloc::vec;

use super::*;
use crate::cluster_config::ClusterConfig;
use crate::frame::Header;
use crate::frame::tests::{raw_section, raw_word};
use crate::peer::Peer;
use crate::register::{Entry, Register};
use crate::replica::Replica;
use atomik_core::{Add, TableFanIn, Xor};

const OWN: ReplicaId = ReplicaId { node: 1, incarnation: 1 };
const OTHER: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

fn context() -> FrameContext {
    FrameContext::new::<Add>(cluster().digest())
}

fn cluster() -> ClusterConfig {
    ClusterConfig::new("shards", 300).with_shard_words(128)
}

fn entry(addr: u32, counter: u64) -> Entry {
    let register = Register { timestamp: LoadTimestamp { counter, origin: OTHER }, value: 7 };
    Entry { addr, register, total: Total(2) }
}

/// The part that names version 5 of a shard which has blocks with these indices and stamps.
fn version(shard: u32, blocks: &[(u64, u64)]) -> Vec<u8> {
    let mut stamped = Shard::new(Shape { len: 1 << 20, shard_words: 1 << 16 }, 0);
    for &(index, stamp) in blocks {
        stamped.stamped_block_mut(index as u32 * 64, stamp);
    }
    let header = Header { kind: SectionKind::Stored, origin: OTHER, shard, from: 0, to: 5 };
    raw_section(context(), header, &stamped.stamps().map(u64::to_be_bytes), &[])
}

/// A block with one total that is not the identity.
fn block(shard: u32, [index, stamp]: [u64; 2], [word, total]: [u64; 2], entries: &[Entry]) -> Vec<u8> {
    let header = Header { kind: SectionKind::StoredBlock, origin: OTHER, shard, from: index, to: stamp };
    let mut totals = [[0; 8]; 64];
    totals[word as usize] = total.to_be_bytes();
    raw_section(context(), header, &totals, entries)
}

fn start(parts: &[Vec<u8>]) -> Result<Replica<Add>, ReplicaError> {
    Replica::restore(&cluster(), Arc::new(TableFanIn::new(300)), OWN, parts)
}

/// Why the first part is refused.
fn refused(part: Vec<u8>) -> Option<PacketErrorKind> {
    match start(&[part]).map(drop) {
        Err(ReplicaError::StoredPart { index: 0, kind }) => Some(kind),
        Err(ReplicaError::StoredIncomplete { .. }) => None,
        other => panic!("{other:?}"),
    }
}

fn invalid(field: PacketField, index: usize, found: u64) -> Option<PacketErrorKind> {
    Some(PacketErrorKind::Invalid { field, index, found })
}

/// What a peer can make a replica store, the replica can start from.
#[test]
fn any_version_that_is_received_comes_back_from_the_store() {
    let cluster = ClusterConfig::new("versions", 1);
    let start = |stored: &[StoredPart]| {
        let parts = stored.iter().map(|part| &part.bytes);
        Replica::<Xor>::resume(&cluster, Arc::new(TableFanIn::new(1)), OWN, parts)
    };
    let context = FrameContext::new::<Xor>(cluster.digest());
    let header = Header { kind: SectionKind::Totals, origin: OTHER, shard: 0, from: 0, to: u64::MAX };
    let frame = raw_section(context, header, &[raw_word(0, 7, u64::MAX)], &[]);
    let mut replica = start(&[]).unwrap();
    let received = replica.receive(core::time::Duration::ZERO, Peer(2), &frame);
    assert_eq!(received.map(|received| received.applied), Ok(1));
    let stored = replica.poll_store().unwrap().shards.remove(0);
    assert!(stored.replaces && stored.parts.iter().map(|part| part.part).eq([0, 1]));
    assert_eq!(start(&stored.parts).unwrap().merged(), [7]);

    // But the own origin needs versions to go on with.
    let started = |version| {
        let mut shard = Shard::new(Shape { len: 1, shard_words: 4_096 }, 0);
        shard.stamped_block_mut(0, version);
        shard.set_version(version);
        start(&write_shard(context, ShardKey { origin: OWN, shard: 0 }, &shard).parts).map(drop)
    };
    assert_eq!(started((1 << 63) - 1), Ok(()));
    for found in [1 << 63, u64::MAX] {
        let kind = PacketErrorKind::Invalid { field: PacketField::To, index: 0, found };
        assert_eq!(started(found), Err(ReplicaError::StoredPart { index: 0, kind }));
    }
}

#[test]
fn a_stored_shard_comes_back_word_by_word_in_any_order_of_its_parts() {
    let mut parts = vec![
        version(1, &[(0, 1), (1, 5)]),
        block(1, [0, 1], [3, 10], &[entry(128, 1)]),
        block(1, [1, 5], [63, 20], &[entry(255, (1 << 63) - 1)]),
    ];
    for _ in 0..3 {
        parts.rotate_left(1);
        let replica = start(&parts).unwrap();
        let mut expected = vec![0; 300];
        // Each of the two loaded addresses has the value of its register and the total beside it.
        (expected[131], expected[128], expected[255]) = (10, 9, 9);
        assert_eq!((replica.merged(), replica.version(OTHER, 1)), (&*expected, 5));
    }
    let mut restored = Restored::new(context(), Shape { len: 300, shard_words: 128 }, OWN, false);
    (0..).zip(&parts).for_each(|(index, part)| restored.insert(index, part).unwrap());
    let planes = restored.planes().unwrap();
    let shard = planes[0].shard(1).unwrap();
    assert!(shard.blocks().map(|(index, block)| (index, block.stamp)).eq([(0, 1), (1, 5)]));
    // One block, with one entry, changed after version 1.
    let changed = (shard.totals_since(1).count(), shard.entries_since(1).count());
    assert_eq!((changed, shard.stored_version()), ((64, 1), 5));
}

/// A store has one part of each kind and number, and all of one version.
#[test]
fn parts_that_are_missing_or_of_another_version_are_noticed() {
    let parts = [version(1, &[(0, 1), (1, 5)]), block(1, [0, 1], [3, 1], &[]), block(1, [1, 5], [3, 2], &[])];
    assert!(start(&parts).is_ok());
    let incomplete = Err(ReplicaError::StoredIncomplete { origin: OTHER, shard: 1 });
    for missing in 0..3 {
        let rest = [&parts[..missing], &parts[missing + 1..]].concat();
        assert_eq!(start(&rest).map(drop), incomplete);
        let twice = [&parts[..], &parts[missing..=missing]].concat();
        assert_eq!(start(&twice).map(drop), Err(ReplicaError::StoredTwice { origin: OTHER, shard: 1 }));
    }
    // A block as it was before, or as it was later, or that the shard does not have.
    let [head, low, high] = parts;
    for other in [[0, 4], [0, 6]] {
        let other = block(1, other, [3, 1], &[]);
        assert_eq!(start(&[head.clone(), other, high.clone()]).map(drop), incomplete);
    }
    assert_eq!(start(&[version(1, &[(0, 1)]), low, high]).map(drop), incomplete);
    // A version that stamped no block, and a block that is later.
    for stamp in [4, 6] {
        let parts = [version(1, &[(0, stamp)]), block(1, [0, stamp], [3, 1], &[])];
        assert_eq!(start(&parts).map(drop), incomplete);
    }
    assert_eq!(start(&[version(1, &[])]).map(drop), incomplete);
}

#[test]
fn blocks_of_a_stored_shard_are_checked() {
    let refused = |shard, block, total| refused(self::block(shard, block, total, &[]));
    assert_eq!(refused(1, [0, 1], [0, 1]), None);
    assert_eq!(refused(1, [1, 5], [63, 1]), None);
    assert_eq!(refused(1, [2, 1], [0, 0]), invalid(PacketField::Block, 0, 2));
    assert_eq!(refused(1, [u64::MAX, 1], [0, 0]), invalid(PacketField::Block, 0, u64::MAX));
    assert_eq!(refused(1, [0, 0], [0, 1]), invalid(PacketField::Stamp, 0, 0));
    // The last shard has 44 addresses.
    assert_eq!(refused(2, [0, 1], [43, 1]), None);
    assert_eq!(refused(2, [0, 1], [44, 1]), invalid(PacketField::Total, 0, 1));
    assert_eq!(refused(2, [1, 1], [0, 0]), invalid(PacketField::Block, 0, 1));
    let header = Header { kind: SectionKind::StoredBlock, origin: OTHER, shard: 1, from: 0, to: 1 };
    for words in [0, 63, 65] {
        let bytes = raw_section(context(), header, &vec![[0; 8]; words], &[]);
        assert_eq!(self::refused(bytes), invalid(PacketField::Words, 0, words as u64));
    }
}

#[test]
fn entries_of_a_stored_block_must_ascend_in_it() {
    let refused = |index, entries: &[(u32, u64)]| {
        let entries: Vec<_> = entries.iter().map(|&(addr, counter)| entry(addr, counter)).collect();
        refused(block(1, [index, 1], [0, 1], &entries))
    };
    let address = |index, addr| invalid(PacketField::Address, index, addr);
    assert_eq!(refused(0, &[(128, 1), (129, 1), (191, 1)]), None);
    assert_eq!(refused(1, &[(192, 1), (255, 1)]), None);
    assert_eq!(refused(0, &[(130, 1), (129, 1)]), address(1, 129));
    assert_eq!(refused(0, &[(130, 1), (130, 1)]), address(1, 130));
    assert_eq!(refused(0, &[(127, 1)]), address(0, 127));
    assert_eq!(refused(1, &[(255, 1), (256, 1)]), address(1, 256));
    assert_eq!(refused(0, &[(192, 1)]), address(0, 192));
    assert_eq!(refused(1, &[(191, 1)]), address(0, 191));
    let counter = 1 << 63;
    assert_eq!(refused(0, &[(128, counter)]), invalid(PacketField::LoadCounter, 0, counter));
    let many: Vec<_> = (128..193).map(|addr| (addr, 1)).collect();
    assert_eq!(refused(0, &many[..64]), None);
    assert_eq!(refused(0, &many), invalid(PacketField::Entries, 0, 65));
}

#[test]
fn a_stored_part_is_one_section_of_its_kind_and_table() {
    let mut bytes = version(1, &[]);
    assert_eq!(refused(version(3, &[])), invalid(PacketField::Shard, 0, 3));
    let header = Header { kind: SectionKind::Totals, origin: OTHER, shard: 1, from: 0, to: 5 };
    let wrong = refused(raw_section(context(), header, &[[0; 16]; 0], &[]));
    assert_eq!(wrong, Some(PacketErrorKind::Unsupported { field: PacketField::Kind, found: 1 }));
    bytes.push(0);
    assert_eq!(refused(bytes), invalid(PacketField::Body, 0, 1));
}

#[test]
fn a_stored_shard_has_versions_from_0_to_1_or_more() {
    let started = |from, to, numbers: &[[u8; 8]]| {
        let header = Header { kind: SectionKind::Stored, origin: OTHER, shard: 0, from, to };
        start(&[raw_section(context(), header, numbers, &[])]).map(drop).err()
    };
    let refused = |field, found| {
        let kind = PacketErrorKind::Invalid { field, index: 0, found };
        Some(ReplicaError::StoredPart { index: 0, kind })
    };
    let none = [[0; 8]; 2];
    assert_eq!(started(0, 1, &none), Some(ReplicaError::StoredIncomplete { origin: OTHER, shard: 0 }));
    assert_eq!(started(0, 0, &none), refused(PacketField::To, 0));
    assert_eq!(started(5, 7, &none), refused(PacketField::From, 5));
    assert_eq!(started(7, 7, &none), refused(PacketField::From, 7));
    assert_eq!(started(0, 1, &none[..1]), refused(PacketField::Words, 1));
    assert_eq!(started(0, 1, &[[0; 8]; 3]), refused(PacketField::Words, 3));
}

/// What the store is given depends on stamps and on the version that it is known to have. If memory failed there, it
/// gets the whole shard.
#[test]
fn a_shard_whose_stamps_or_stored_version_were_damaged_is_stored_whole() {
    use crate::damage::Memory;
    let key = ShardKey { origin: OTHER, shard: 1 };
    let shape = Shape { len: 300, shard_words: 128 };
    for memory in [None, Some(Memory::Stamps), Some(Memory::StoredVersions)] {
        let mut shard = Shard::new(shape, 1);
        shard.stamped_block_mut(128, 1).totals[0] = Total(7);
        shard.stamped_block_mut(192, 2).totals[0] = Total(8);
        shard.set_version(2);
        let whole = write_shard(context(), key, &shard);
        assert!(whole.replaces && whole.parts.len() == 3);
        shard.set_stored_version(2);
        shard.stamped_block_mut(192, 3).totals[0] = Total(9);
        shard.set_version(3);
        if let Some(memory) = memory {
            *shard.words_of(memory)[0] ^= 2;
        }
        let changed = write_shard(context(), key, &shard);
        assert_eq!(
            (changed.replaces, changed.parts.len()),
            (memory.is_some(), 2 + usize::from(memory.is_some()))
        );
        // The blocks of the store are never older than its version says.
        let mut store: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for written in [whole, changed] {
            if written.replaces {
                store.clear();
            }
            store.extend(written.parts.into_iter().map(|part| (part.part, part.bytes)));
        }
        let parts: Vec<Vec<u8>> = store.into_values().collect();
        assert_eq!(start(&parts).unwrap().merged()[192], 9);
    }
}
