use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::shard::BLOCK_WORDS;
use atomik_core::{Add, Xor};

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
    let mut out = Vec::new();
    let words = [WireWord::new(11, Total(12), HEADER.to), WireWord::new(13, Total(0), HEADER.to)];
    write(&mut out, context(), HEADER, &words, &[WireEntry::new(&entry(14))]);
    out
}

fn kind(bytes: &[u8]) -> PacketErrorKind {
    match Section::split(bytes, context()) {
        Err(kind) => kind,
        Ok((section, _)) => section.check_body().expect_err("the bytes are wrong somewhere"),
    }
}

/// Makes the header's checksum right again.
fn fix_checksums(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[..64]);
    bytes[64..68].copy_from_slice(&crc.to_be_bytes());
}

/// The format, byte by byte: what is written today must be read by all later versions.
#[test]
fn the_layout_is_as_documented() {
    assert_eq!((HEADER_LEN, size_of::<WireWord>(), size_of::<WireEntry>()), (68, 16, 44));
    assert_eq!(size_of::<WireBlock>(), 12 + 8 * BLOCK_WORDS);
    let bytes = frame();
    assert_eq!(bytes.len(), 68 + 2 * 16 + 44);
    assert_eq!(bytes[..8], *b"ATMK\x01\x01\x00\x00");
    let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!([8, 16, 24, 36, 44].map(number), [0xC1, 1, 2, 4, 5]);
    assert_eq!([32, 52, 56].map(|at| number(at) >> 32), [3, 2, 1]);
    // A word is laid out as a `DeltaMessage`.
    assert_eq!(bytes[68..84], [0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 5]);
    assert_eq!(bytes[100..104], [0, 0, 0, 14]);
    assert_eq!([104, 112, 120, 128, 136].map(number), [6, 7, 8, 9, 10]);
}

#[test]
fn what_was_written_is_read() {
    let bytes = [frame(), frame()].concat();
    let (section, rest) = Section::split(&bytes, context()).unwrap();
    assert_eq!(rest, frame());
    assert_eq!(section.header, HEADER);
    assert_eq!(section.check_body(), Ok(()));
    let (words, entries) = section.totals();
    let words: Vec<_> = words.iter().map(|word| (word.addr(), word.total(), word.low_bits())).collect();
    assert_eq!(words, [(11, Total(12), 5), (13, Total(0), 5)]);
    assert_eq!(entries.iter().map(WireEntry::entry).collect::<Vec<_>>(), [entry(14)]);
}

#[test]
fn a_section_cut_short_anywhere_is_refused() {
    let bytes = frame();
    for len in 0..bytes.len() {
        let needed = if len < HEADER_LEN { HEADER_LEN } else { bytes.len() };
        assert_eq!(kind(&bytes[..len]), PacketErrorKind::Truncated { len, needed });
    }
}

#[test]
fn a_bit_flipped_anywhere_is_refused() {
    let bytes = frame();
    for bit in 0..8 * bytes.len() {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let kind = kind(&bytes);
        let expected = match bit / 8 {
            0..4 => matches!(kind, PacketErrorKind::Magic { .. }),
            4 => matches!(kind, PacketErrorKind::Format { .. }),
            5..68 => matches!(kind, PacketErrorKind::HeaderCrc { .. }),
            _ => matches!(kind, PacketErrorKind::BodyCrc { .. }),
        };
        assert!(expected, "bit {bit}: {kind:?}");
    }
}

#[test]
fn what_is_whole_but_not_ours_is_refused_by_name() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = frame();
        bytes[at] = byte;
        fix_checksums(&mut bytes);
        kind(&bytes)
    };
    assert_eq!(changed(5, 0), PacketErrorKind::Kind { found: 0 });
    assert_eq!(changed(5, 7), PacketErrorKind::Kind { found: 7 });
    assert_eq!(changed(6, 1), PacketErrorKind::Algebra { found: 1, expected: 0 });
    assert_eq!(changed(7, 1), PacketErrorKind::Reserved { found: 1 });
    assert_eq!(changed(15, 0), PacketErrorKind::Cluster { found: 0, expected: 0xC1 });
    assert!(matches!(changed(52, 0xFF), PacketErrorKind::Truncated { .. }));
    let other = Section::split(&frame(), FrameContext::new::<Add>(0xC1)).err();
    assert_eq!(other, Some(PacketErrorKind::Algebra { found: 0, expected: 1 }));
}

proptest! {
    /// Any bytes: an error or a section that lies in them, and no panic.
    #[test]
    fn any_bytes_are_looked_at(mut bytes in prop::collection::vec(any::<u8>(), 0..400), fixed: bool) {
        if fixed && bytes.len() >= HEADER_LEN {
            bytes[..16].copy_from_slice(&frame()[..16]);
            bytes[5] %= 8;
            fix_checksums(&mut bytes);
        }
        if let Ok((section, rest)) = Section::split(&bytes, context()) {
            prop_assert!(rest.len() + HEADER_LEN <= bytes.len());
            let _ = section.check_body();
            match section.header.kind {
                SectionKind::Totals => drop(section.totals()),
                SectionKind::Stored => drop(section.blocks()),
                SectionKind::VersionVector | SectionKind::Digest => drop(section.numbers()),
                SectionKind::Request | SectionKind::Hello => {}
            }
        }
    }
}
