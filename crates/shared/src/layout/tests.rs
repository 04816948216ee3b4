use super::*;

fn layouts() -> [FileLayout; 4] {
    [
        FileLayout::new(FileKind::Table, 0, 1_000, 1, 0).unwrap(),
        FileLayout::new(FileKind::FanIn, 1, 0, 1, 0).unwrap(),
        FileLayout::new(FileKind::FanIn, 1, 1_000, 64, 0).unwrap(),
        FileLayout::new(FileKind::FanIn, 0, 512, 3, 77).unwrap(),
    ]
}

/// A header with other bytes at a place, and the checksum to match.
fn changed(layout: &FileLayout, at: usize, bytes: &[u8]) -> [u8; HEADER_BYTES] {
    let mut header = layout.to_header();
    header[at..at + bytes.len()].copy_from_slice(bytes);
    let checksum = CRC.checksum(&header[..CHECKED]);
    header[CHECKED..CHECKED + 4].copy_from_slice(&checksum.to_ne_bytes());
    header
}

#[test]
fn headers_are_read_as_they_were_written() {
    for layout in layouts() {
        let read = FileLayout::from_header(&layout.to_header(), layout.file_bytes()).unwrap();
        assert_eq!(read, layout);
    }
}

#[test]
fn lanes_are_aligned_and_an_odd_number_of_lines_apart() {
    for len in 0..200 {
        let layout = FileLayout::new(FileKind::FanIn, 1, len, 64, 0).unwrap();
        assert_eq!((layout.planes % ALIGN, layout.stride % (2 * ALIGN)), (0, ALIGN), "{len}");
    }
}

#[test]
fn files_that_would_be_too_large_are_refused() {
    assert_eq!(FileLayout::new(FileKind::FanIn, 1, (1 << 32) + 1, 1, 0), None);
    assert_eq!(FileLayout::new(FileKind::FanIn, 1, 1, 0, 0), None);
    assert_eq!(FileLayout::new(FileKind::FanIn, 1, 1 << 32, 1 << 40, 0), None);
    assert_eq!(FileLayout::new(FileKind::FanIn, 1, 1, u64::MAX, 0), None);
    assert_eq!(FileLayout::new(FileKind::FanIn, 1, 1, 1, u64::MAX), None);
}

#[test]
fn files_of_too_many_lanes_are_refused() {
    let most = FileLayout::new(FileKind::FanIn, 1, 1, MAX_LANES, 0).unwrap();
    assert!(most.check().is_ok());
    assert_eq!(FileLayout::new(FileKind::FanIn, 1, 1, MAX_LANES + 1, 0), None);
    // There is room for one more in front of the planes and behind them.
    let planes = most.planes + ALIGN;
    let more = FileLayout { lanes: MAX_LANES + 1, planes, file_bytes: most.file_bytes + 2 * ALIGN, ..most };
    assert_eq!(more.check(), Err("its number of lanes is wrong"));
}

#[test]
fn a_header_cut_anywhere_is_truncated() {
    let layout = layouts()[3];
    let header = layout.to_header();
    for len in 0..HEADER_BYTES {
        let error = FileLayout::from_header(&header[..len], len as u64).unwrap_err();
        let SharedErrorKind::Truncated { expected: 128, found } = error else { panic!("{error:?}") };
        assert_eq!(found, len as u64);
    }
}

#[test]
fn a_file_cut_anywhere_is_truncated() {
    let layout = layouts()[3];
    for found in HEADER_BYTES as u64..layout.file_bytes() {
        let error = FileLayout::from_header(&layout.to_header(), found).unwrap_err();
        assert!(matches!(error, SharedErrorKind::Truncated { .. }), "{found}: {error:?}");
    }
    let error = FileLayout::from_header(&layout.to_header(), layout.file_bytes() + 1).unwrap_err();
    assert!(matches!(error, SharedErrorKind::TrailingBytes { .. }), "{error:?}");
}

#[test]
fn every_flipped_bit_of_a_header_is_found() {
    let layout = layouts()[2];
    // What follows the checksum is reserved, up to the READY mark.
    for bit in (0..8 * 116).chain(8 * READY_AT..8 * HEADER_BYTES) {
        let mut header = layout.to_header();
        header[bit / 8] ^= 1 << (bit % 8);
        assert!(FileLayout::from_header(&header, layout.file_bytes()).is_err(), "bit {bit}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let layout = layouts()[2];
    let read = |header: [u8; HEADER_BYTES]| {
        FileLayout::from_header(&header, layout.file_bytes()).unwrap_err().to_string()
    };
    let word = |word: u64| word.to_ne_bytes();
    assert_eq!(read(changed(&layout, 0, b"ATOMIKSX")), "it is no file of atomik-shared");
    assert_eq!(
        read(changed(&layout, 16, &word(BYTE_ORDER.swap_bytes()))),
        "it was written on a machine with another byte order"
    );
    let later = [9_u32.to_ne_bytes(), 7_u32.to_ne_bytes()].concat();
    assert_eq!(
        read(changed(&layout, 8, &later)),
        "it has format 9, which needs a reader of format 7 or later"
    );
    assert_eq!(read(changed(&layout, READY_AT, &word(0))), "its creation was not finished");
    for (at, value, what) in [
        (16, 1, "it has no byte-order mark"),
        (READY_AT, 1, "it has no READY mark"),
        (32, (1 << 32) + 1, "its table is longer than 32-bit addresses reach"),
        (40, 0, "its number of lanes is wrong"),
        (40, u64::MAX, "its number of lanes is wrong"),
        (48, 0, "its parts overlap"),
        (48, 129, "its parts are not aligned"),
        (48, !127, "its numbers are too large"),
        (56, 128, "its lanes overlap"),
        (56, !127, "its numbers are too large"),
        (64, layout.planes, "its parts overlap"),
        (72, 0, "its descriptors overlap"),
        (88, 8, "its parts overlap"),
        (96, 4_096, "its parts lie outside of the file"),
    ] {
        assert_eq!(
            read(changed(&layout, at, &word(value))),
            format!("its header is damaged: {what}"),
            "{at}"
        );
    }
    assert_eq!(read(changed(&layout, 28, &[2])), "its header is damaged: it is of no known kind");
    let mut header = layout.to_header();
    header[40] ^= 1;
    assert_eq!(read(header), "its header is damaged: its checksum is wrong");
}

#[test]
fn a_later_format_that_this_reader_may_read_is_read() {
    let layout = layouts()[2];
    let header = changed(&layout, 8, &2_u32.to_ne_bytes());
    assert_eq!(FileLayout::from_header(&header, layout.file_bytes()).unwrap(), layout);
}
