//! Headers of shared files: arbitrary bytes, or arbitrary fields with a valid checksum. There is no panic. What is
//! accepted lies in the file, so a file with it can be opened, read and written from one end to the other.
#![no_main]

use std::fs;

use arbitrary::Arbitrary;
use atomik_core::{Add, Xor};
use atomik_shared::{FileKind, FileLayout, SharedFanIn, SharedTable, SharedView};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Header {
    /// Arbitrary bytes, and the size that the file is said to have.
    Bytes(Vec<u8>, u64),
    Fields(Fields),
}

#[derive(Arbitrary, Debug)]
struct Fields {
    version: u32,
    least: u8,
    algebra: u8,
    kind: u8,
    len: u16,
    lanes: u8,
    /// The offsets and strides in units of 64 bytes, so that many are aligned to 128.
    planes: u8,
    stride: u8,
    descriptors: u8,
    descriptor_stride: u8,
    metadata: u8,
    metadata_bytes: u16,
    /// A word that replaces one of the fields, if there is one.
    wild: Option<(u8, u64)>,
    /// What the file holds behind its header.
    content: Vec<u8>,
}

/// No file here is larger.
const MOST: u64 = 1 << 18;

impl Fields {
    /// The header, with a valid checksum, and the size that it tells.
    fn header(&self) -> ([u8; 128], u64) {
        let mut words = [
            u64::from(self.len),
            u64::from(self.lanes),
            64 * u64::from(self.planes),
            64 * u64::from(self.stride),
            64 * u64::from(self.descriptors),
            64 * u64::from(self.descriptor_stride),
            64 * u64::from(self.metadata),
            u64::from(self.metadata_bytes),
            MOST,
        ];
        if let Some((at, word)) = self.wild {
            words[usize::from(at) % words.len()] = word;
        }
        let mut header = [0; 128];
        let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
        put(0, b"ATOMIKSH");
        put(8, &self.version.to_ne_bytes());
        put(12, &u32::from(self.least).to_ne_bytes());
        put(16, &0x0102_0304_0506_0708_u64.to_ne_bytes());
        put(24, &u32::from(self.algebra).to_ne_bytes());
        put(28, &u32::from(self.kind).to_ne_bytes());
        for (at, word) in (32..).step_by(8).zip(words) {
            put(at, &word.to_ne_bytes());
        }
        put(120, &u64::from_be_bytes(*b"READY\0\0\0").to_ne_bytes());
        let checksum = crc32(&header[..112]);
        header[112..116].copy_from_slice(&checksum.to_ne_bytes());
        (header, words[8])
    }
}

/// CRC-32 as in zlib, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

fuzz_target!(|header: Header| {
    match header {
        Header::Bytes(bytes, size) => {
            let _ = FileLayout::from_header(&bytes, size);
        }
        Header::Fields(fields) => {
            let (header, size) = fields.header();
            let Ok(layout) = FileLayout::from_header(&header, size) else { return };
            assert!(layout.len() as u64 * 8 * layout.lanes() as u64 <= size);
            if size <= MOST {
                use_file(&header, &layout, &fields.content);
            }
        }
    }
});

/// Opens a file with this header in every way, and uses all of it.
fn use_file(header: &[u8], layout: &FileLayout, content: &[u8]) {
    let path = format!("/dev/shm/atomik-fuzz-{}", std::process::id());
    let mut bytes = header.to_vec();
    if !content.is_empty() {
        bytes.extend(content.iter().cycle().take(layout.file_bytes() as usize - header.len()));
    }
    bytes.resize(layout.file_bytes() as usize, 0);
    fs::write(&path, bytes).expect("there is room");
    macro_rules! use_as {
        ($algebra:ty) => {
            let view = SharedView::<$algebra>::open(&path).expect("its header is good");
            let mut states = vec![0; layout.len()];
            view.snapshot(&mut states);
            assert!(
                view.metadata().entries().map(|entry| entry.len()).sum::<usize>() <= layout.metadata_bytes()
            );
            if layout.kind() == FileKind::Table {
                let table = SharedTable::<$algebra>::open(&path).expect("its header is good");
                table.iter().for_each(|context| context.accum(1));
                return;
            }
            assert_eq!(view.lanes().expect("the kernel knows its locks").len(), layout.lanes());
            let fan_in = SharedFanIn::<$algebra>::open(&path).expect("its header is good");
            let _ = fan_in.metadata_writer().expect("nobody has it").append(b"entry");
            let mut producers: Vec<_> =
                (0..layout.lanes()).map(|_| fan_in.producer().expect("it is free")).collect();
            for producer in &mut producers {
                (0..layout.len()).for_each(|addr| producer.accum(addr, 1));
            }
            assert!(fan_in.producer().is_err());
        };
    }
    match layout.algebra() {
        0 => {
            use_as!(Xor);
        }
        1 => {
            use_as!(Add);
        }
        _ => {
            let _ = SharedView::<Add>::open(&path).expect_err("it is on another algebra");
        }
    }
    let _ = fs::remove_file(&path);
}
