use alloc::vec::Vec;

use proptest::prelude::*;

use super::body::encode_word;
use super::*;
use crate::register::{Entry, LoadTimestamp, Register, Total};
use atomik_core::{Add, Xor};

/// A section of any content, for tests of what is refused.
pub(crate) fn raw_section<const N: usize>(
    context: FrameContext,
    header: Header,
    words: &[[u8; N]],
    entries: &[Entry],
) -> Vec<u8> {
    let mut out = Vec::new();
    context.write(&mut out, header, words.iter().copied(), entries.iter());
    out
}

/// A word of a frame that repeats the low bits of `to`.
pub(crate) fn raw_word(addr: u32, total: u64, to: u64) -> [u8; WORD_LEN] {
    encode_word(addr, Total(total), to)
}

const HEADER: Header = Header {
    kind: SectionKind::Totals,
    origin: ReplicaId { node: 1, incarnation: 2 },
    shard: 3,
    from: 4,
    to: 5,
};

fn context() -> FrameContext {
    FrameContext::new::<Xor>(0xC1)
}

fn entry(addr: u32) -> Entry {
    let origin = ReplicaId { node: 7, incarnation: 8 };
    let register = Register { timestamp: LoadTimestamp { counter: 6, origin }, value: 9 };
    Entry { addr, register, total: Total(10) }
}

fn frame() -> Vec<u8> {
    raw_section(context(), HEADER, &[raw_word(11, 12, HEADER.to), raw_word(13, 0, HEADER.to)], &[entry(14)])
}

fn kind(bytes: &[u8]) -> PacketErrorKind {
    match Section::split(bytes, context()) {
        Err(kind) | Ok((Err(kind), _)) => kind,
        Ok((Ok(section), _)) => section.check_body().expect_err("the bytes are wrong somewhere"),
    }
}

/// Makes the header's checksums right again.
fn fix_checksum(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[16..32]);
    bytes[32..36].copy_from_slice(&crc.to_be_bytes());
    let crc = crc32c(&bytes[..76]);
    bytes[76..80].copy_from_slice(&crc.to_be_bytes());
}

/// The format, byte by byte. All later versions must read what is written today.
#[test]
fn the_layout_is_as_documented() {
    assert_eq!((HEADER_LEN, WORD_LEN, ENTRY_LEN, NUMBER_LEN), (80, 16, 44, 8));
    let bytes = frame();
    assert_eq!(bytes.len(), 80 + 2 * 16 + 44);
    assert_eq!(bytes[..8], *b"ATMK\x02\x01\x00\x00");
    let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!([8, 16, 24, 40, 48].map(number), [0xC1, 1, 2, 4, 5]);
    assert_eq!([36, 56, 60, 64, 68].map(|at| number(at) >> 32), [3, 2, 1, 0, 2 * 16 + 44]);
    assert_eq!(number(32) >> 32, u64::from(crc32c(&bytes[16..32])));
    // A word is laid out as a `DeltaMessage`.
    assert_eq!(bytes[80..96], [0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 5]);
    assert_eq!(bytes[112..116], [0, 0, 0, 14]);
    assert_eq!([116, 124, 132, 140, 148].map(number), [6, 7, 8, 9, 10]);
}

/// A section that asks for a version vector, as version 1 of the format had it. It is shorter than a header is now.
#[test]
fn another_version_of_the_format_is_refused_by_name() {
    let mut bytes = frame()[..68].to_vec();
    for format in [0, 1, 3, 255] {
        bytes[4] = format;
        let refused = PacketErrorKind::Unsupported { field: PacketField::Format, found: format.into() };
        assert_eq!(kind(&bytes), refused);
        assert_eq!(kind(&bytes[..5]), refused);
    }
}

#[test]
fn a_written_section_is_read_back() {
    let bytes = [frame(), frame()].concat();
    let (section, rest) = Section::split(&bytes, context()).unwrap();
    assert_eq!(rest, frame());
    let section = section.unwrap();
    assert_eq!(section.header(), HEADER);
    assert_eq!(section.check_body(), Ok(()));
    let totals = section.totals();
    assert_eq!(totals.check(11..15, HEADER.to), Ok(()));
    let words: Vec<_> = totals.words.iter().map(|word| (word.addr(), word.total())).collect();
    assert_eq!(words, [(11, Total(12)), (13, Total(0))]);
    assert_eq!(totals.entries.iter().collect::<Vec<_>>(), [entry(14)]);
}

#[test]
fn a_truncated_section_is_refused_at_every_length() {
    let bytes = frame();
    for len in 0..bytes.len() {
        let needed = if len < HEADER_LEN { HEADER_LEN } else { bytes.len() };
        assert_eq!(kind(&bytes[..len]), PacketErrorKind::Truncated { len, needed });
    }
}

#[test]
fn a_flipped_bit_is_refused_anywhere() {
    let bytes = frame();
    for bit in 0..8 * bytes.len() {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let field = match kind(&bytes) {
            PacketErrorKind::Unsupported { field, .. } | PacketErrorKind::Checksum { field, .. } => field,
            other => panic!("bit {bit}: {other:?}"),
        };
        let expected = match bit / 8 {
            0..4 => PacketField::Magic,
            4 => PacketField::Format,
            5..80 => PacketField::Header,
            _ => PacketField::Body,
        };
        assert_eq!(field, expected, "bit {bit}");
    }
}

#[test]
fn a_valid_section_of_another_format_or_cluster_is_refused_by_name() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = frame();
        bytes[at] = byte;
        fix_checksum(&mut bytes);
        kind(&bytes)
    };
    let unsupported = |field, found| PacketErrorKind::Unsupported { field, found };
    let foreign = |field, found, expected| PacketErrorKind::Foreign { field, found, expected };
    assert_eq!(changed(5, 0), unsupported(PacketField::Kind, 0));
    assert_eq!(changed(5, 14), unsupported(PacketField::Kind, 14));
    assert_eq!(changed(6, 1), foreign(PacketField::Algebra, 1, 0));
    assert_eq!(changed(7, 1), unsupported(PacketField::Reserved, 1));
    assert_eq!(changed(15, 0), foreign(PacketField::Cluster, 0, 0xC1));
    assert!(matches!(changed(68, 0xFF), PacketErrorKind::Truncated { .. }));
    let body_len = |found| PacketErrorKind::Invalid { field: PacketField::BodyLen, index: 0, found };
    assert_eq!(changed(71, 75), body_len(75));
    assert_eq!([changed(59, 1), changed(56, 0xFF), changed(63, 2), changed(67, 1)], [body_len(76); 4]);
    let other = Section::split(&frame(), FrameContext::new::<Add>(0xC1)).err();
    assert_eq!(other, Some(foreign(PacketField::Algebra, 0, 1)));
}

#[test]
fn the_end_of_a_section_that_is_not_known_here_is_known() {
    for (at, field, found) in
        [(5, PacketField::Kind, 200), (7, PacketField::Reserved, 1), (67, PacketField::Folds, 3)]
    {
        let mut bytes = frame();
        // The counts of such a section need not fit its body.
        (bytes[at], bytes[56]) = (found as u8, 9);
        if field == PacketField::Folds {
            bytes[5] = SectionKind::Digest as u8;
        }
        fix_checksum(&mut bytes);
        bytes.extend(frame());
        let (section, rest) = Section::split(&bytes, context()).unwrap();
        assert_eq!(section.err(), Some(PacketErrorKind::Unsupported { field, found }));
        assert_eq!(rest, frame());
    }
}

#[test]
fn an_origin_that_was_damaged_before_the_header_was_complete_is_refused() {
    for bit in 8 * 16..8 * 36 {
        let mut bytes = frame();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let crc = crc32c(&bytes[..76]);
        bytes[76..80].copy_from_slice(&crc.to_be_bytes());
        assert!(
            matches!(kind(&bytes), PacketErrorKind::Checksum { field: PacketField::OriginId, .. }),
            "{bit}"
        );
    }
}

proptest! {
    /// Any bytes lead to an error, or to a section that lies within them, and never to a panic.
    #[test]
    fn any_bytes_can_be_read(mut bytes in prop::collection::vec(any::<u8>(), 0..400), fixed: bool) {
        if fixed && bytes.len() >= HEADER_LEN {
            bytes[..16].copy_from_slice(&frame()[..16]);
            bytes[5] %= 15;
            fix_checksum(&mut bytes);
        }
        if let Ok((section, rest)) = Section::split(&bytes, context()) {
            prop_assert!(rest.len() + HEADER_LEN <= bytes.len());
            let Ok(section) = section else { return Ok(()) };
            let _ = section.check_body();
            match section.header().kind {
                SectionKind::NamedFold => drop(section.checked_names()),
                SectionKind::Totals => drop(section.totals().check(0..100, 5)),
                SectionKind::Stored
                | SectionKind::StoredBlock
                | SectionKind::Report
                | SectionKind::StoredClaims => {
                    let (numbers, entries) = section.numbers_and_entries();
                    let _ = (numbers.count(), entries.iter().count());
                }
                SectionKind::VersionVector
                | SectionKind::Digest
                | SectionKind::VectorDigest
                | SectionKind::MergedDigest => {
                    let _ = section.numbers().count();
                }
                SectionKind::Request | SectionKind::Hello | SectionKind::Denial => {}
            }
        }
    }
}
