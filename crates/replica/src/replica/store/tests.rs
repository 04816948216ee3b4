use alloc::vec;

use super::*;
use crate::Peer;
use crate::frame::WireWord;
use crate::origin::{Entry, Register};
use atomik_core::{Add, Xor};

/// What a peer could make a replica store, it can start from.
#[test]
fn any_version_that_is_received_comes_back_from_the_store() {
    let cluster = Cluster::new("versions", 1);
    let [own, other] = [1, 2].map(|node| Origin { node, incarnation: 1 });
    let start =
        |stored: &[Vec<u8>]| Replica::<Xor>::resume(&cluster, Arc::new(TableFanIn::new(1)), own, stored);
    let mut frame = Vec::new();
    let header = Header { kind: Kind::Totals, origin: other, part: 0, from: 0, to: u64::MAX };
    let marks = Marks::new::<Xor>(cluster.digest());
    frame::write(&mut frame, marks, header, &[WireWord::new(0, Total(7), u64::MAX)], &[]);
    let mut replica = start(&[]).unwrap();
    assert_eq!(replica.receive(Peer(2), &frame).map(|received| received.applied), Ok(1));
    let stored: Vec<_> = replica.to_store().unwrap().parts.into_iter().map(|part| part.bytes).collect();
    assert_eq!(start(&stored).unwrap().sealed(), [7]);

    // But the own origin needs versions to go on with.
    let mut part = Part::new(0..1);
    let mut started = |version| {
        part.version = version;
        start(&[write_part(marks, (own, 0), &part)]).map(drop)
    };
    assert_eq!(started((1 << 63) - 1), Ok(()));
    for version in [1 << 63, u64::MAX] {
        let error = PacketError { at: 0, refusal: Refusal::LastVersion { version } };
        assert_eq!(started(version), Err(ReplicaError::Stored { index: 0, error }));
    }
}

const OWN: Origin = Origin { node: 1, incarnation: 1 };
const OTHER: Origin = Origin { node: 2, incarnation: 1 };

fn entry(addr: u32, counter: u64) -> WireEntry {
    let register = Register { epoch: LoadEpoch { counter, origin: OTHER }, value: 7 };
    WireEntry::new(&Entry { addr, register, total: Total(2) })
}

/// A block of a place, a stamp, and a total at one of its words.
fn block(index: u32, stamp: u64, at: usize, total: u64) -> WireBlock {
    let mut totals = [U64::new(0); BLOCK];
    totals[at] = U64::new(total);
    WireBlock { index: index.into(), stamp: stamp.into(), totals }
}

fn cluster() -> Cluster {
    Cluster::new("parts", 300).with_part_words(128)
}

fn section(kind: Kind, part: u32, blocks: &[WireBlock], entries: &[WireEntry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header { kind, origin: OTHER, part, from: 0, to: 5 };
    frame::write(&mut bytes, Marks::new::<Add>(cluster().digest()), header, blocks, entries);
    bytes
}

fn start(stored: &[u8]) -> Result<Replica<Add>, Refusal> {
    let started = Replica::restore(&cluster(), Arc::new(TableFanIn::new(300)), OWN, [stored]);
    started.map_err(|error| match error {
        ReplicaError::Stored { index: 0, error: PacketError { at: 0, refusal } } => refusal,
        other => panic!("{other}"),
    })
}

#[test]
fn a_stored_part_comes_back_word_by_word() {
    let blocks = [block(0, 1, 3, 10), block(1, 5, 63, 20)];
    let bytes = section(Kind::Stored, 1, &blocks, &[entry(128, 1), entry(255, (1 << 63) - 1)]);
    let replica = start(&bytes).unwrap();
    let mut expected = vec![0; 300];
    // Both loaded addresses are at what they were loaded with and the total in its epoch.
    (expected[131], expected[128], expected[255]) = (10, 9, 9);
    assert_eq!((replica.sealed(), replica.version(OTHER, 1)), (&*expected, 5));
    let part = replica.state.part(OTHER, 1).unwrap();
    assert_eq!(write_part(replica.marks, (OTHER, 1), part), bytes);
    assert_eq!(
        part.blocks().map(|(first, block)| (first, block.stamp)).collect::<Vec<_>>(),
        [(128, 1), (192, 5)]
    );
    // Since version 1 there is one block with one entry.
    let (to, words, entries) = part.since(1);
    assert_eq!((to, words.len(), entries.len(), part.stored), (5, 64, 1, 5));
}

#[test]
fn blocks_of_a_stored_part_have_their_places_and_stamps() {
    let refused = |part, blocks: &[WireBlock]| start(&section(Kind::Stored, part, blocks, &[])).err();
    let wrong = |index| Some(Refusal::Block { index });
    assert_eq!(refused(1, &[]), None);
    assert_eq!(refused(1, &[block(1, 5, 0, 1)]), None);
    assert_eq!(refused(1, &[block(1, 1, 0, 1), block(0, 1, 0, 1)]), wrong(0));
    assert_eq!(refused(1, &[block(0, 1, 0, 1), block(0, 1, 0, 1)]), wrong(0));
    assert_eq!(refused(1, &[block(2, 1, 0, 0)]), wrong(2));
    assert_eq!(refused(1, &[block(u32::MAX, 1, 0, 0)]), wrong(u32::MAX));
    assert_eq!(refused(1, &[block(0, 6, 0, 1)]), wrong(0));
    // The last part has 44 addresses.
    assert_eq!(refused(2, &[block(0, 1, 43, 1)]), None);
    assert_eq!(refused(2, &[block(0, 1, 44, 1)]), wrong(0));
    assert_eq!(refused(2, &[block(1, 1, 0, 0)]), wrong(1));
    let counts = |words| Some(Refusal::Counts { words, entries: 0 });
    assert_eq!(refused(1, &[block(0, 1, 0, 1); 3]), counts(3));
    assert_eq!(refused(2, &[block(0, 1, 0, 1); 2]), counts(2));
}

#[test]
fn entries_of_a_stored_part_ascend_and_have_their_blocks() {
    let refused = |blocks: &[WireBlock], entries: &[(u32, u64)]| {
        let entries: Vec<_> = entries.iter().map(|&(addr, counter)| entry(addr, counter)).collect();
        start(&section(Kind::Stored, 1, blocks, &entries)).err()
    };
    let [low, high] = [block(0, 1, 0, 1), block(1, 1, 0, 1)];
    let wrong = |addr| Some(Refusal::Address { addr, part: 1 });
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
    assert_eq!(refused(&[low], &[(128, counter)]), Some(Refusal::EpochCounter { addr: 128, counter }));
    let many: Vec<_> = (128..257).map(|addr| (addr, 1)).collect();
    assert_eq!(refused(&[low, high], &many[..128]), None);
    assert_eq!(refused(&[low, high], &many), Some(Refusal::Counts { words: 2, entries: 129 }));
}

#[test]
fn a_stored_part_is_one_section_of_its_kind_and_of_the_table() {
    let mut bytes = section(Kind::Stored, 1, &[], &[]);
    assert_eq!(start(&section(Kind::Stored, 3, &[], &[])).err(), Some(Refusal::Part { part: 3, parts: 3 }));
    assert_eq!(start(&section(Kind::Totals, 1, &[], &[])).err(), Some(Refusal::Kind { found: 1 }));
    bytes.push(0);
    assert_eq!(start(&bytes).err(), Some(Refusal::Counts { words: 0, entries: 0 }));
}

#[test]
fn a_stored_part_holds_some_versions_and_all_of_them() {
    let cluster = Cluster::new("versions", 1);
    let [own, origin] = [1, 2].map(|node| Origin { node, incarnation: 1 });
    let started = |from, to| {
        let mut bytes = Vec::new();
        let header = Header { kind: Kind::Stored, origin, part: 0, from, to };
        let none: [WireBlock; 0] = [];
        frame::write(&mut bytes, Marks::new::<Xor>(cluster.digest()), header, &none, &[]);
        Replica::<Xor>::restore(&cluster, Arc::new(TableFanIn::new(1)), own, [bytes]).map(drop)
    };
    assert_eq!(started(0, 1), Ok(()));
    for (from, to, refusal) in [
        (0, 0, Refusal::Versions { from: 0, to: 0 }),
        (5, 7, Refusal::StoredFrom { from: 5 }),
        (7, 7, Refusal::StoredFrom { from: 7 }),
    ] {
        let error = PacketError { at: 0, refusal };
        assert_eq!(started(from, to), Err(ReplicaError::Stored { index: 0, error }));
    }
}
