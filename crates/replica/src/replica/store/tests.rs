use alloc::vec;

use super::*;
use crate::Peer;
use crate::frame::WireWord;
use crate::replica_id::{Entry, Register};
use atomik_core::{Add, Xor};

/// What a peer could make a replica store, it can start from.
#[test]
fn any_version_that_is_received_comes_back_from_the_store() {
    let cluster = ClusterConfig::new("versions", 1);
    let [own, other] = [1, 2].map(|node| ReplicaId { node, incarnation: 1 });
    let start =
        |stored: &[Vec<u8>]| Replica::<Xor>::resume(&cluster, Arc::new(TableFanIn::new(1)), own, stored);
    let mut frame = Vec::new();
    let header = Header { kind: SectionKind::Totals, origin: other, shard: 0, from: 0, to: u64::MAX };
    let context = FrameContext::new::<Xor>(cluster.digest());
    frame::write(&mut frame, context, header, &[WireWord::new(0, Total(7), u64::MAX)], &[]);
    let mut replica = start(&[]).unwrap();
    assert_eq!(replica.receive(Peer(2), &frame).map(|received| received.applied), Ok(1));
    let stored: Vec<_> = replica.poll_store().unwrap().shards.into_iter().map(|shard| shard.bytes).collect();
    assert_eq!(start(&stored).unwrap().merged(), [7]);

    // But the own origin needs versions to go on with.
    let mut shard = Shard::new(0..1);
    let mut started = |version| {
        shard.version = version;
        start(&[write_shard(context, (own, 0), &shard)]).map(drop)
    };
    assert_eq!(started((1 << 63) - 1), Ok(()));
    for version in [1 << 63, u64::MAX] {
        let error = PacketError { at: 0, kind: PacketErrorKind::LastVersion { version } };
        assert_eq!(started(version), Err(ReplicaError::Stored { index: 0, error }));
    }
}

const OWN: ReplicaId = ReplicaId { node: 1, incarnation: 1 };
const OTHER: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

fn entry(addr: u32, counter: u64) -> WireEntry {
    let register = Register { timestamp: LoadTimestamp { counter, origin: OTHER }, value: 7 };
    WireEntry::new(&Entry { addr, register, total: Total(2) })
}

/// A block of a place, a stamp, and a total at one of its words.
fn block(index: u32, stamp: u64, at: usize, total: u64) -> WireBlock {
    let mut totals = [U64::new(0); BLOCK_WORDS];
    totals[at] = U64::new(total);
    WireBlock { index: index.into(), stamp: stamp.into(), totals }
}

fn cluster() -> ClusterConfig {
    ClusterConfig::new("shards", 300).with_shard_words(128)
}

fn section(kind: SectionKind, shard: u32, blocks: &[WireBlock], entries: &[WireEntry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header { kind, origin: OTHER, shard, from: 0, to: 5 };
    frame::write(&mut bytes, FrameContext::new::<Add>(cluster().digest()), header, blocks, entries);
    bytes
}

fn start(stored: &[u8]) -> Result<Replica<Add>, PacketErrorKind> {
    let started = Replica::restore(&cluster(), Arc::new(TableFanIn::new(300)), OWN, [stored]);
    started.map_err(|error| match error {
        ReplicaError::Stored { index: 0, error: PacketError { at: 0, kind } } => kind,
        other => panic!("{other}"),
    })
}

#[test]
fn a_stored_shard_comes_back_word_by_word() {
    let blocks = [block(0, 1, 3, 10), block(1, 5, 63, 20)];
    let bytes = section(SectionKind::Stored, 1, &blocks, &[entry(128, 1), entry(255, (1 << 63) - 1)]);
    let replica = start(&bytes).unwrap();
    let mut expected = vec![0; 300];
    // Both loaded addresses are at what they were loaded with and the total in its epoch.
    (expected[131], expected[128], expected[255]) = (10, 9, 9);
    assert_eq!((replica.merged(), replica.version(OTHER, 1)), (&*expected, 5));
    let shard = replica.state.shard(OTHER, 1).unwrap();
    assert_eq!(write_shard(replica.context, (OTHER, 1), shard), bytes);
    assert_eq!(
        shard.blocks().map(|(first, block)| (first, block.stamp)).collect::<Vec<_>>(),
        [(128, 1), (192, 5)]
    );
    // Since version 1 there is one block with one entry.
    let (to, words, entries) = shard.since(1);
    assert_eq!((to, words.len(), entries.len(), shard.stored), (5, 64, 1, 5));
}

#[test]
fn blocks_of_a_stored_shard_have_their_places_and_stamps() {
    let refused =
        |shard, blocks: &[WireBlock]| start(&section(SectionKind::Stored, shard, blocks, &[])).err();
    let wrong = |index| Some(PacketErrorKind::Block { index });
    assert_eq!(refused(1, &[]), None);
    assert_eq!(refused(1, &[block(1, 5, 0, 1)]), None);
    assert_eq!(refused(1, &[block(1, 1, 0, 1), block(0, 1, 0, 1)]), wrong(0));
    assert_eq!(refused(1, &[block(0, 1, 0, 1), block(0, 1, 0, 1)]), wrong(0));
    assert_eq!(refused(1, &[block(2, 1, 0, 0)]), wrong(2));
    assert_eq!(refused(1, &[block(u32::MAX, 1, 0, 0)]), wrong(u32::MAX));
    assert_eq!(refused(1, &[block(0, 6, 0, 1)]), wrong(0));
    // The last shard has 44 addresses.
    assert_eq!(refused(2, &[block(0, 1, 43, 1)]), None);
    assert_eq!(refused(2, &[block(0, 1, 44, 1)]), wrong(0));
    assert_eq!(refused(2, &[block(1, 1, 0, 0)]), wrong(1));
    let counts = |words| Some(PacketErrorKind::Counts { words, entries: 0 });
    assert_eq!(refused(1, &[block(0, 1, 0, 1); 3]), counts(3));
    assert_eq!(refused(2, &[block(0, 1, 0, 1); 2]), counts(2));
}

#[test]
fn entries_of_a_stored_shard_ascend_and_have_their_blocks() {
    let refused = |blocks: &[WireBlock], entries: &[(u32, u64)]| {
        let entries: Vec<_> = entries.iter().map(|&(addr, counter)| entry(addr, counter)).collect();
        start(&section(SectionKind::Stored, 1, blocks, &entries)).err()
    };
    let [low, high] = [block(0, 1, 0, 1), block(1, 1, 0, 1)];
    let wrong = |addr| Some(PacketErrorKind::Address { addr, shard: 1 });
    assert_eq!(refused(&[low], &[(128, 1), (129, 1), (191, 1)]), None);
    assert_eq!(refused(&[high], &[(192, 1), (255, 1)]), None);
    assert_eq!(refused(&[low, high], &[(130, 1), (129, 1)]), wrong(129));
    assert_eq!(refused(&[low, high], &[(130, 1), (130, 1)]), wrong(130));
    assert_eq!(refused(&[low, high], &[(127, 1)]), wrong(127));
    assert_eq!(refused(&[low, high], &[(255, 1), (256, 1)]), wrong(256));
    assert_eq!(refused(&[low], &[(192, 1)]), wrong(192));
    assert_eq!(refused(&[high], &[(191, 1)]), wrong(191));
    assert_eq!(refused(&[], &[(128, 1)]), wrong(128));
    let counter = 1 << 63;
    assert_eq!(refused(&[low], &[(128, counter)]), Some(PacketErrorKind::LoadCounter { addr: 128, counter }));
    let many: Vec<_> = (128..257).map(|addr| (addr, 1)).collect();
    assert_eq!(refused(&[low, high], &many[..128]), None);
    assert_eq!(refused(&[low, high], &many), Some(PacketErrorKind::Counts { words: 2, entries: 129 }));
}

#[test]
fn a_stored_shard_is_one_section_of_its_kind_and_of_the_table() {
    let mut bytes = section(SectionKind::Stored, 1, &[], &[]);
    assert_eq!(
        start(&section(SectionKind::Stored, 3, &[], &[])).err(),
        Some(PacketErrorKind::Shard { shard: 3, shards: 3 })
    );
    assert_eq!(
        start(&section(SectionKind::Totals, 1, &[], &[])).err(),
        Some(PacketErrorKind::Kind { found: 1 })
    );
    bytes.push(0);
    assert_eq!(start(&bytes).err(), Some(PacketErrorKind::Counts { words: 0, entries: 0 }));
}

#[test]
fn a_stored_shard_holds_some_versions_and_all_of_them() {
    let cluster = ClusterConfig::new("versions", 1);
    let [own, origin] = [1, 2].map(|node| ReplicaId { node, incarnation: 1 });
    let started = |from, to| {
        let mut bytes = Vec::new();
        let header = Header { kind: SectionKind::Stored, origin, shard: 0, from, to };
        let none: [WireBlock; 0] = [];
        frame::write(&mut bytes, FrameContext::new::<Xor>(cluster.digest()), header, &none, &[]);
        Replica::<Xor>::restore(&cluster, Arc::new(TableFanIn::new(1)), own, [bytes]).map(drop)
    };
    assert_eq!(started(0, 1), Ok(()));
    for (from, to, kind) in [
        (0, 0, PacketErrorKind::Versions { from: 0, to: 0 }),
        (5, 7, PacketErrorKind::StoredFrom { from: 5 }),
        (7, 7, PacketErrorKind::StoredFrom { from: 7 }),
    ] {
        let error = PacketError { at: 0, kind };
        assert_eq!(started(from, to), Err(ReplicaError::Stored { index: 0, error }));
    }
}
