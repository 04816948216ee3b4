use alloc::sync::Arc;
use alloc::vec::Vec;

use super::*;
use crate::frame::{self, FrameContext, Header};
use crate::replica_id::{Entry, Register, ReplicaId, Total};
use crate::{ClusterConfig, PacketError};
use atomik_core::{TableFanIn, Xor};
use zerocopy::byteorder::big_endian::U64;
use zerocopy::{Immutable, IntoBytes};

const ORIGIN: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

fn entry(addr: u32, counter: u64) -> WireEntry {
    let register = Register { timestamp: LoadTimestamp { counter, origin: ORIGIN }, value: 7 };
    WireEntry::new(&Entry { addr, register, total: Total(0) })
}

fn cluster() -> ClusterConfig {
    ClusterConfig::new("sections", 138).with_shard_words(64)
}

/// A table of three shards, the last of 10 addresses.
fn replica() -> Replica<Xor> {
    let own = ReplicaId { node: 1, incarnation: 1 };
    Replica::new(&cluster(), Arc::new(TableFanIn::new(138)), own).unwrap()
}

/// A section of versions 1 to 5.
fn section<W: IntoBytes + Immutable>(
    kind: SectionKind,
    shard: u32,
    words: &[W],
    entries: &[WireEntry],
) -> Vec<u8> {
    let header = Header { kind, origin: ORIGIN, shard, from: 0, to: 5 };
    let mut packet = Vec::new();
    frame::write(&mut packet, FrameContext::new::<Xor>(cluster().digest()), header, words, entries);
    packet
}

/// What the table answers to a section.
fn receive<W: IntoBytes + Immutable>(
    kind: SectionKind,
    shard: u32,
    words: &[W],
    entries: &[WireEntry],
) -> Result<Received, PacketErrorKind> {
    let mut replica = replica();
    let packet = section(kind, shard, words, entries);
    let received = replica.receive(Peer(2), &packet).map_err(|PacketError { kind, .. }| kind);
    let applied = matches!(received, Ok(Received { applied: 1, .. }));
    assert_eq!(replica.version(ORIGIN, shard as usize), if applied { 5 } else { 0 });
    assert!(applied || replica.merged().iter().all(|&state| state == 0));
    received
}

#[test]
fn sections_before_a_refused_one_take_effect() {
    let totals =
        |shard: u32| section(SectionKind::Totals, shard, &[WireWord::new(64 * shard, Total(9), 5)], &[]);
    let vector = section(SectionKind::VersionVector, 0, &[0, 5, 6].map(U64::new), &[]);
    let mut replica = replica();
    let packet = [totals(1), totals(1), totals(2), vector.clone()].concat();
    let received = Received { applied: 2, known: 1, version_vector: true, behind: 1, ..Received::default() };
    assert_eq!(replica.receive(Peer(2), &packet), Ok(received));

    let mut packet = [totals(0), totals(1)].concat();
    let at = packet.len();
    packet.extend(totals(3));
    let kind = PacketErrorKind::Shard { shard: 3, shards: 3 };
    assert_eq!(replica.receive(Peer(2), &packet), Err(PacketError { at, kind }));
    assert_eq!([0, 1, 2].map(|shard| replica.version(ORIGIN, shard)), [5; 3]);
    assert_eq!([0, 64, 128].map(|addr| replica.merged()[addr]), [9; 3]);
}

#[test]
fn a_vector_names_no_shard_past_the_last() {
    let versions = [0, 1, 2, 3].map(U64::new);
    let receive = |shard, versions| receive(SectionKind::VersionVector, shard, versions, &[]);
    assert_eq!(
        receive(0, &versions[..3]),
        Ok(Received { version_vector: true, behind: 2, ..Received::default() })
    );
    assert_eq!(receive(2, &versions[3..]).unwrap().behind, 1);
    let shard = |shard| Err(PacketErrorKind::Shard { shard, shards: 3 });
    assert_eq!(receive(1, &versions[..3]), shard(4));
    assert_eq!(receive(3, &versions[..1]), shard(4));
    assert_eq!(receive(u32::MAX, &versions[..1]), shard(1 << 32));
    assert_eq!(receive(0, &versions), Err(PacketErrorKind::Counts { words: 4, entries: 0 }));
}

#[test]
fn a_vector_of_nothing_adds_no_origin() {
    let own = ReplicaId { node: 1, incarnation: 1 };
    let full = cluster().with_max_origins(1);
    let mut replica = Replica::<Xor>::new(&full, Arc::new(TableFanIn::new(138)), own).unwrap();
    let vector = |versions: [u64; 2]| section(SectionKind::VersionVector, 0, &versions.map(U64::new), &[]);
    assert_eq!(replica.receive(Peer(2), &vector([0, 0])).map(|received| received.behind), Ok(0));
    let kind = PacketErrorKind::TooManyOrigins { origin: ORIGIN, bound: 1 };
    assert_eq!(replica.receive(Peer(2), &vector([0, 1])), Err(PacketError { at: 0, kind }));
}

#[test]
fn a_section_has_no_more_than_its_kind_and_shard_can() {
    let words: Vec<_> = (128..139).map(|addr| WireWord::new(addr, Total(1), 5)).collect();
    let entries: Vec<_> = (128..139).map(|addr| entry(addr, 1)).collect();
    let counts = |words, entries| Err(PacketErrorKind::Counts { words, entries });
    assert_eq!(receive(SectionKind::Totals, 2, &words[..10], &entries[..10]).unwrap().applied, 1);
    assert_eq!(receive(SectionKind::Totals, 2, &words, &[]), counts(11, 0));
    assert_eq!(receive(SectionKind::Totals, 2, &words[..0], &entries), counts(0, 11));
    assert_eq!(receive(SectionKind::VersionVector, 0, &[U64::new(1)], &entries[..1]), counts(1, 1));
    assert_eq!(receive(SectionKind::Digest, 0, &[U64::new(1)], &entries[..1]), counts(1, 1));
    assert_eq!(receive(SectionKind::Digest, 0, &[U64::new(1); 2], &[]), counts(2, 0));
    assert_eq!(receive::<U64>(SectionKind::Request, 0, &[], &entries[..1]), counts(0, 1));
    assert_eq!(receive::<U64>(SectionKind::Hello, 0, &[], &entries[..1]), counts(0, 1));
}

#[test]
fn a_section_is_of_a_shard_of_the_table() {
    let shard = |shard| Err(PacketErrorKind::Shard { shard, shards: 3 });
    for number in [3, 4, u32::MAX] {
        assert_eq!(receive::<WireWord>(SectionKind::Totals, number, &[], &[]), shard(number.into()));
        assert_eq!(receive(SectionKind::Digest, number, &[U64::new(1)], &[]), shard(number.into()));
        assert_eq!(receive::<U64>(SectionKind::Request, number, &[], &[]), shard(number.into()));
    }
}

#[test]
fn words_ascend_within_their_shard_and_carry_its_version() {
    let receive = |words: &[(u32, u64)]| {
        let words: Vec<_> = words.iter().map(|&(addr, to)| WireWord::new(addr, Total(9), to)).collect();
        receive(SectionKind::Totals, 1, &words, &[])
    };
    let address = |addr| Err(PacketErrorKind::Address { addr, shard: 1 });
    let low_bits = |addr, found| Err(PacketErrorKind::LowBits { addr, found, to: 5 });
    assert_eq!(receive(&[(64, 5), (65, 5), (127, 5)]).unwrap().applied, 1);
    assert_eq!(receive(&[(63, 5)]), address(63));
    assert_eq!(receive(&[(63, 5), (64, 5)]), address(63));
    assert_eq!(receive(&[(127, 5), (128, 5)]), address(128));
    assert_eq!(receive(&[(70, 5), (70, 5)]), address(70));
    assert_eq!(receive(&[(70, 5), (69, 5), (71, 5)]), address(69));
    assert_eq!(receive(&[(u32::MAX, 5)]), address(u32::MAX));
    assert_eq!(receive(&[(64, 4)]), low_bits(64, 4));
    assert_eq!(receive(&[(64, 5), (65, 6), (66, 5)]), low_bits(65, 6));
    assert_eq!(receive(&[(64, 6), (63, 5)]), low_bits(64, 6));
    assert_eq!(receive(&[(70, 5), (69, 6)]), address(69));
    assert_eq!(receive(&[(64, 4), (128, 5)]), low_bits(64, 4));
    assert_eq!(receive(&[(70, 5), (69, 5), (128, 5)]), address(69));
}

#[test]
fn entries_ascend_within_their_shard_and_their_epochs_have_an_end() {
    let receive = |entries: &[(u32, u64)]| {
        let entries: Vec<_> = entries.iter().map(|&(addr, counter)| entry(addr, counter)).collect();
        receive::<WireWord>(SectionKind::Totals, 1, &[], &entries)
    };
    let address = |addr| Err(PacketErrorKind::Address { addr, shard: 1 });
    assert_eq!(receive(&[(64, 1), (65, 1), (127, (1 << 63) - 1)]).unwrap().applied, 1);
    assert_eq!(receive(&[(63, 1)]), address(63));
    assert_eq!(receive(&[(127, 1), (128, 1)]), address(128));
    assert_eq!(receive(&[(70, 1), (70, 1)]), address(70));
    assert_eq!(receive(&[(70, 1), (69, 1)]), address(69));
    for counter in [1 << 63, u64::MAX] {
        assert_eq!(
            receive(&[(64, 1), (65, counter)]),
            Err(PacketErrorKind::LoadCounter { addr: 65, counter })
        );
    }
}
