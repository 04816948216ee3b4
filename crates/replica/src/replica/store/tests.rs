use alloc::vec;
use core::time::Duration;

use super::*;
use crate::frame::Header;
use crate::frame::tests::{raw_block, raw_section, raw_word};
use crate::peer::Peer;
use crate::register::{Entry, Register, Total};
use atomik_core::{Add, Xor};

/// What a peer can make a replica store, the replica can start from.
#[test]
fn any_version_that_is_received_comes_back_from_the_store() {
    let cluster = ClusterConfig::new("versions", 1);
    let [own, other] = [1, 2].map(|node| ReplicaId { node, incarnation: 1 });
    let start =
        |stored: &[Vec<u8>]| Replica::<Xor>::resume(&cluster, Arc::new(TableFanIn::new(1)), own, stored);
    let context = FrameContext::new::<Xor>(cluster.digest());
    let header = Header { kind: SectionKind::Totals, origin: other, shard: 0, from: 0, to: u64::MAX };
    let frame = raw_section(context, header, &[raw_word(0, 7, u64::MAX)], &[]);
    let mut replica = start(&[]).unwrap();
    assert_eq!(replica.receive(NOW, Peer(2), &frame).map(|received| received.applied), Ok(1));
    let stored: Vec<_> = replica.poll_store().unwrap().shards.into_iter().map(|shard| shard.bytes).collect();
    assert_eq!(start(&stored).unwrap().merged(), [7]);

    // But the own origin needs versions to go on with.
    let started = |version| {
        let mut shard = Shard::new(Shape { len: 1, shard_words: 4_096 }, 0);
        shard.set_version(version);
        shard.block_mut(0).stamp = version;
        start(&[write_shard(context, ShardKey { origin: own, shard: 0 }, &shard)]).map(drop)
    };
    assert_eq!(started((1 << 63) - 1), Ok(()));
    for found in [1 << 63, u64::MAX] {
        let kind = PacketErrorKind::Invalid { field: PacketField::To, index: 0, found };
        assert_eq!(started(found), Err(ReplicaError::StoredShard { index: 0, kind }));
    }
}

const NOW: Duration = Duration::ZERO;
const OWN: ReplicaId = ReplicaId { node: 1, incarnation: 1 };
const OTHER: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

const NO_BLOCKS: [[u8; 524]; 0] = [];

fn entry(addr: u32, counter: u64) -> Entry {
    let register = Register { timestamp: LoadTimestamp { counter, origin: OTHER }, value: 7 };
    Entry { addr, register, total: Total(2) }
}

fn cluster() -> ClusterConfig {
    ClusterConfig::new("shards", 300).with_shard_words(128)
}

fn section<const N: usize>(kind: SectionKind, shard: u32, blocks: &[[u8; N]], entries: &[Entry]) -> Vec<u8> {
    let header = Header { kind, origin: OTHER, shard, from: 0, to: 5 };
    raw_section(FrameContext::new::<Add>(cluster().digest()), header, blocks, entries)
}

fn start(stored: &[u8]) -> Result<Replica<Add>, PacketErrorKind> {
    let started = Replica::restore(&cluster(), Arc::new(TableFanIn::new(300)), OWN, [stored]);
    started.map_err(|error| match error {
        ReplicaError::StoredShard { index: 0, kind } => kind,
        other => panic!("{other}"),
    })
}

fn invalid(field: PacketField, index: usize, found: u64) -> Option<PacketErrorKind> {
    Some(PacketErrorKind::Invalid { field, index, found })
}

#[test]
fn a_stored_shard_comes_back_word_by_word() {
    let blocks = [raw_block(0, 1, 3, 10), raw_block(1, 5, 63, 20)];
    let bytes = section(SectionKind::Stored, 1, &blocks, &[entry(128, 1), entry(255, (1 << 63) - 1)]);
    let replica = start(&bytes).unwrap();
    let mut expected = vec![0; 300];
    // Each of the two loaded addresses has the value of its register and the total beside it.
    (expected[131], expected[128], expected[255]) = (10, 9, 9);
    assert_eq!((replica.merged(), replica.version(OTHER, 1)), (&*expected, 5));
    let key = ShardKey { origin: OTHER, shard: 1 };
    let shard = replica.state.shard(key).unwrap();
    assert_eq!(write_shard(replica.context, key, shard), bytes);
    assert!(shard.blocks().map(|(index, block)| (index, block.stamp)).eq([(0, 1), (1, 5)]));
    // One block, with one entry, changed after version 1.
    let changed = (shard.totals_since(1).count(), shard.entries_since(1).count());
    assert_eq!((changed, shard.stored_version()), ((64, 1), 5));
}

#[test]
fn blocks_of_a_stored_shard_are_checked() {
    let refused =
        |shard, blocks: &[[u8; 524]]| start(&section(SectionKind::Stored, shard, blocks, &[])).err();
    let block = |index, found| invalid(PacketField::Block, index, found);
    assert_eq!(refused(1, &[]), invalid(PacketField::To, 0, 5));
    assert_eq!(refused(1, &[raw_block(0, 4, 0, 1)]), invalid(PacketField::To, 0, 5));
    // A block with totals that no answer would have.
    assert_eq!(
        refused(1, &[raw_block(0, 0, 0, 1), raw_block(1, 5, 0, 1)]),
        invalid(PacketField::Stamp, 0, 0)
    );
    assert_eq!(refused(1, &[raw_block(1, 5, 0, 1)]), None);
    assert_eq!(refused(1, &[raw_block(1, 1, 0, 1), raw_block(0, 1, 0, 1)]), block(1, 0));
    assert_eq!(refused(1, &[raw_block(0, 1, 0, 1), raw_block(0, 1, 0, 1)]), block(1, 0));
    assert_eq!(refused(1, &[raw_block(2, 1, 0, 0)]), block(0, 2));
    assert_eq!(refused(1, &[raw_block(u32::MAX, 1, 0, 0)]), block(0, u32::MAX.into()));
    assert_eq!(refused(1, &[raw_block(0, 6, 0, 1)]), invalid(PacketField::Stamp, 0, 6));
    // The last shard has 44 addresses.
    assert_eq!(refused(2, &[raw_block(0, 5, 43, 1)]), None);
    assert_eq!(refused(2, &[raw_block(0, 1, 44, 1)]), invalid(PacketField::Total, 0, 1));
    assert_eq!(refused(2, &[raw_block(1, 1, 0, 0)]), block(0, 1));
    assert_eq!(refused(1, &[raw_block(0, 1, 0, 1); 3]), invalid(PacketField::Words, 0, 3));
    assert_eq!(refused(2, &[raw_block(0, 1, 0, 1); 2]), invalid(PacketField::Words, 0, 2));
}

#[test]
fn entries_of_a_stored_shard_must_ascend_and_have_their_blocks() {
    let refused = |blocks: &[_], entries: &[(u32, u64)]| {
        let entries: Vec<_> = entries.iter().map(|&(addr, counter)| entry(addr, counter)).collect();
        start(&section(SectionKind::Stored, 1, blocks, &entries)).err()
    };
    let [low, high] = [raw_block(0, 5, 0, 1), raw_block(1, 5, 0, 1)];
    let address = |index, addr| invalid(PacketField::Address, index, addr);
    assert_eq!(refused(&[low], &[(128, 1), (129, 1), (191, 1)]), None);
    assert_eq!(refused(&[high], &[(192, 1), (255, 1)]), None);
    assert_eq!(refused(&[low, high], &[(130, 1), (129, 1)]), address(1, 129));
    assert_eq!(refused(&[low, high], &[(130, 1), (130, 1)]), address(1, 130));
    assert_eq!(refused(&[low, high], &[(127, 1)]), address(0, 127));
    assert_eq!(refused(&[low, high], &[(255, 1), (256, 1)]), address(1, 256));
    assert_eq!(refused(&[low], &[(192, 1)]), address(0, 192));
    assert_eq!(refused(&[high], &[(191, 1)]), address(0, 191));
    assert_eq!(refused(&[], &[(128, 1)]), address(0, 128));
    let counter = 1 << 63;
    assert_eq!(refused(&[low], &[(128, counter)]), invalid(PacketField::LoadCounter, 0, counter));
    let many: Vec<_> = (128..257).map(|addr| (addr, 1)).collect();
    assert_eq!(refused(&[low, high], &many[..128]), None);
    assert_eq!(refused(&[low, high], &many), invalid(PacketField::Entries, 0, 129));
}

#[test]
fn a_stored_shard_is_one_section_of_its_kind_and_table() {
    let mut bytes = section(SectionKind::Stored, 1, &NO_BLOCKS, &[]);
    let wrong = start(&section(SectionKind::Stored, 3, &NO_BLOCKS, &[])).err();
    assert_eq!(wrong, invalid(PacketField::Shard, 0, 3));
    let wrong = start(&section(SectionKind::Totals, 1, &NO_BLOCKS, &[])).err();
    assert_eq!(wrong, Some(PacketErrorKind::Unsupported { field: PacketField::Kind, found: 1 }));
    bytes.push(0);
    assert_eq!(start(&bytes).err(), invalid(PacketField::Body, 0, 1));
}

#[test]
fn a_stored_shard_has_versions_from_0_to_1_or_more() {
    let started = |from, to| {
        let header = Header { kind: SectionKind::Stored, origin: OTHER, shard: 0, from, to };
        let context = FrameContext::new::<Add>(cluster().digest());
        start(&raw_section(context, header, &[raw_block(0, to, 0, 1)], &[])).err()
    };
    assert_eq!(started(0, 1), None);
    assert_eq!(started(0, 0), invalid(PacketField::To, 0, 0));
    assert_eq!(started(5, 7), invalid(PacketField::From, 0, 5));
    assert_eq!(started(7, 7), invalid(PacketField::From, 0, 7));
}
