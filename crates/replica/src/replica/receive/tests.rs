use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::cluster_config::ClusterConfig;
use crate::frame::tests::{raw_section, raw_word};
use crate::frame::{FrameContext, Header};
use crate::register::{Entry, LoadTimestamp, Register, Total};
use atomik_core::{TableFanIn, Xor};

const NOW: Duration = Duration::ZERO;
const ORIGIN: ReplicaId = ReplicaId { node: 2, incarnation: 1 };

/// A section has no words.
const NO_WORDS: [[u8; 0]; 0] = [];

fn entry(addr: u32, counter: u64) -> Entry {
    let register = Register { timestamp: LoadTimestamp { counter, origin: ORIGIN }, value: 7 };
    Entry { addr, register, total: Total(0) }
}

fn numbers<const N: usize>(numbers: [u64; N]) -> [[u8; 8]; N] {
    numbers.map(u64::to_be_bytes)
}

fn invalid<T>(field: PacketField, index: usize, found: u64) -> Result<T, PacketErrorKind> {
    Err(PacketErrorKind::Invalid { field, index, found })
}

fn cluster() -> ClusterConfig {
    ClusterConfig::new("sections", 138).with_shard_words(64)
}

/// A replica of a table of three shards, the last of which has 10 addresses.
fn replica() -> Replica<Xor> {
    let id = ReplicaId { node: 1, incarnation: 1 };
    Replica::new(&cluster(), Arc::new(TableFanIn::new(138)), id).unwrap()
}

/// A section from version 0 to version 5.
fn section<const N: usize>(kind: SectionKind, shard: u32, words: &[[u8; N]], entries: &[Entry]) -> Vec<u8> {
    let header = Header { kind, origin: ORIGIN, shard, from: 0, to: 5 };
    raw_section(FrameContext::new::<Xor>(cluster().digest()), header, words, entries)
}

/// What a new replica makes of a section.
fn receive<const N: usize>(
    kind: SectionKind,
    shard: u32,
    words: &[[u8; N]],
    entries: &[Entry],
) -> Result<Received, PacketErrorKind> {
    let mut replica = replica();
    let packet = section(kind, shard, words, entries);
    let received = replica.receive(NOW, Peer(2), &packet).map_err(|error| error.kind);
    let applied = matches!(received, Ok(Received { applied: 1, .. }));
    assert_eq!(replica.version(ORIGIN, shard as usize), if applied { 5 } else { 0 });
    assert!(applied || replica.merged().iter().all(|&state| state == 0));
    received
}

#[test]
fn sections_before_a_refused_one_take_effect() {
    let totals = |shard: u32| section(SectionKind::Totals, shard, &[raw_word(64 * shard, 9, 5)], &[]);
    let versions = section(SectionKind::VersionVector, 0, &numbers([0, 5, 6]), &[]);
    let mut one = replica();
    let packet = [totals(1), totals(1), totals(2), versions].concat();
    let received = Received { applied: 2, known: 1, version_vector: true, behind: 1, ..Received::default() };
    assert_eq!(one.receive(NOW, Peer(2), &packet), Ok(received));

    let mut packet = [totals(0), totals(1)].concat();
    let at = packet.len();
    let mut damaged = totals(0);
    damaged[20] ^= 1;
    packet.extend(damaged);
    let kind = Section::split(&packet[at..], one.context).unwrap_err();
    // The error has what was done before it.
    let received = Received { applied: 1, known: 1, ..Received::default() };
    assert_eq!(one.receive(NOW, Peer(2), &packet), Err(PacketError { at, kind, received }));
    assert_eq!([0, 1, 2].map(|shard| one.version(ORIGIN, shard)), [5; 3]);
    assert_eq!([0, 64, 128].map(|addr| one.merged()[addr]), [9; 3]);
}

#[test]
fn a_version_vector_counts_up_to_the_last_shard() {
    let versions = numbers([0, 1, 2, 3]);
    let receive = |shard, versions: &[[u8; 8]]| receive(SectionKind::VersionVector, shard, versions, &[]);
    let received = Received { version_vector: true, behind: 2, ..Received::default() };
    assert_eq!(receive(0, &versions[..3]), Ok(received));
    assert_eq!(receive(2, &versions[3..]).unwrap().behind, 1);
    // The peer's table is longer.
    let received = Received { beyond_table: 1, ..received };
    assert_eq!(receive(0, &versions), Ok(received));
    assert_eq!(receive(1, &versions[..3]), Ok(Received { behind: 1, ..received }));
    for shard in [3, u32::MAX] {
        assert_eq!(receive(shard, &versions[1..]), Ok(Received { behind: 0, ..received }));
    }
}

#[test]
fn a_version_vector_of_zeros_adds_no_origin() {
    let id = ReplicaId { node: 1, incarnation: 1 };
    let full = cluster().with_max_origins(1);
    let mut replica = Replica::<Xor>::new(&full, Arc::new(TableFanIn::new(138)), id).unwrap();
    let versions = |versions| section(SectionKind::VersionVector, 0, &numbers(versions), &[]);
    assert_eq!(replica.receive(NOW, Peer(2), &versions([0, 0])).map(|received| received.behind), Ok(0));
    let kind = PacketErrorKind::TooManyOrigins { origin: ORIGIN, bound: 1 };
    let received = Received { over_bound: 1, ..Received::default() };
    assert_eq!(replica.receive(NOW, Peer(2), &versions([0, 1])), Ok(received));
    assert_eq!(replica.poll_event(), Some(Event::Skipped { peer: Peer(2), kind }));
}

#[test]
fn counts_are_limited_by_the_kind_and_the_shard() {
    let words: Vec<_> = (128..193).map(|addr| raw_word(addr, 1, 5)).collect();
    let entries: Vec<_> = (128..193).map(|addr| entry(addr, 1)).collect();
    assert_eq!(receive(SectionKind::Totals, 2, &words[..10], &entries[..10]).unwrap().applied, 1);
    // The last shard has 10 words here, and up to 64 in a longer table.
    let skipped = Ok(Received { beyond_table: 1, ..Received::default() });
    for beyond in [11, 64] {
        assert_eq!(receive(SectionKind::Totals, 2, &words[..beyond], &[]), skipped);
        assert_eq!(receive(SectionKind::Totals, 2, &words[..1], &entries[..beyond]), skipped);
    }
    assert_eq!(receive(SectionKind::Totals, 2, &words, &[]), invalid(PacketField::Words, 0, 65));
    assert_eq!(receive(SectionKind::Totals, 2, &words[..0], &entries), invalid(PacketField::Entries, 0, 65));
    let (no_entry, one_entry) = (&entries[..0], &entries[..1]);
    for kind in [SectionKind::VersionVector, SectionKind::Digest] {
        let entries = receive(kind, 0, &numbers([1]), one_entry);
        assert_eq!(entries, invalid(PacketField::Entries, 0, 1), "{kind:?}");
    }
    let words = receive(SectionKind::Digest, 0, &numbers([1; 2]), no_entry);
    assert_eq!(words, invalid(PacketField::Words, 0, 2));
    for kind in [SectionKind::Request, SectionKind::Hello] {
        assert_eq!(receive(kind, 0, &NO_WORDS, one_entry), invalid(PacketField::Entries, 0, 1), "{kind:?}");
        assert_eq!(receive(kind, 0, &[[]], no_entry), invalid(PacketField::Words, 0, 1), "{kind:?}");
    }
}

#[test]
fn sections_of_shards_that_the_table_does_not_have_are_skipped() {
    let skipped = Ok(Received { beyond_table: 1, ..Received::default() });
    for shard in [3, 4, u32::MAX] {
        assert_eq!(receive(SectionKind::Totals, shard, &NO_WORDS, &[]), skipped);
        assert_eq!(receive(SectionKind::Digest, shard, &numbers([1]), &[]), skipped);
        assert_eq!(receive(SectionKind::Request, shard, &NO_WORDS, &[]), skipped);
    }
}

#[test]
fn words_must_ascend_within_their_shard_and_repeat_its_version() {
    let receive = |words: &[(u32, u64)]| {
        let words: Vec<_> = words.iter().map(|&(addr, to)| raw_word(addr, 9, to)).collect();
        receive(SectionKind::Totals, 1, &words, &[])
    };
    let address = |index, addr| invalid(PacketField::Address, index, addr);
    let low_bits = |index, found| invalid(PacketField::LowBits, index, found);
    assert_eq!(receive(&[(64, 5), (65, 5), (127, 5)]).unwrap().applied, 1);
    assert_eq!(receive(&[(63, 5)]), address(0, 63));
    assert_eq!(receive(&[(63, 5), (64, 5)]), address(0, 63));
    assert_eq!(receive(&[(127, 5), (128, 5)]), address(1, 128));
    assert_eq!(receive(&[(70, 5), (70, 5)]), address(1, 70));
    assert_eq!(receive(&[(70, 5), (69, 5), (71, 5)]), address(1, 69));
    assert_eq!(receive(&[(u32::MAX, 5)]), address(0, u32::MAX.into()));
    assert_eq!(receive(&[(64, 4)]), low_bits(0, 4));
    assert_eq!(receive(&[(64, 5), (65, 6), (66, 5)]), low_bits(1, 6));
    assert_eq!(receive(&[(64, 6), (63, 5)]), low_bits(0, 6));
    assert_eq!(receive(&[(70, 5), (69, 6)]), address(1, 69));
    assert_eq!(receive(&[(64, 4), (128, 5)]), low_bits(0, 4));
    assert_eq!(receive(&[(70, 5), (69, 5), (128, 5)]), address(1, 69));
}

#[test]
fn entries_must_ascend_within_their_shard_and_have_counters_below_the_limit() {
    let receive = |entries: &[(u32, u64)]| {
        let entries: Vec<_> = entries.iter().map(|&(addr, counter)| entry(addr, counter)).collect();
        receive::<16>(SectionKind::Totals, 1, &[], &entries)
    };
    let address = |index, addr| invalid(PacketField::Address, index, addr);
    assert_eq!(receive(&[(64, 1), (65, 1), (127, (1 << 63) - 1)]).unwrap().applied, 1);
    assert_eq!(receive(&[(63, 1)]), address(0, 63));
    assert_eq!(receive(&[(127, 1), (128, 1)]), address(1, 128));
    assert_eq!(receive(&[(70, 1), (70, 1)]), address(1, 70));
    assert_eq!(receive(&[(70, 1), (69, 1)]), address(1, 69));
    for counter in [1 << 63, u64::MAX] {
        assert_eq!(receive(&[(64, 1), (65, counter)]), invalid(PacketField::LoadCounter, 1, counter));
    }
}
