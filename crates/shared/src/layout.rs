//! The header of a file: where everything in it is. `LAYOUT.md` is the specification.

use std::fmt;
use std::ops::Range;

use crc::{CRC_32_ISO_HDLC, Crc};

use crate::error::SharedErrorKind;

/// The first bytes of a file.
const MAGIC: [u8; 8] = *b"ATOMIKSH";
/// The format version that this crate writes, and the latest that it reads.
const VERSION: u32 = 1;
/// The least format version that a reader of such a file must know.
const LEAST_READER: u32 = 1;
/// A word that reads otherwise on a machine with another byte order.
const BYTE_ORDER: u64 = 0x0102_0304_0506_0708;
/// The mark that is stored last.
const READY: u64 = u64::from_be_bytes(*b"READY\0\0\0");
/// The bytes that the checksum is about.
const CHECKED: usize = 112;

/// The bytes of a header.
pub(crate) const HEADER_BYTES: usize = 128;
/// Where the READY mark stands.
pub(crate) const READY_AT: usize = 120;
/// The bytes of a descriptor, and the alignment of everything: no two owners write to the same pair of cache lines.
pub(crate) const ALIGN: u64 = 128;

/// The most lanes of a file. Whoever opens it keeps a byte for each of them, and a file with holes costs its author nothing.
const MAX_LANES: u64 = 1 << 20;

/// CRC-32 as in zlib, which other languages have in their standard libraries.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A table that all writers share: [`SharedTable`](crate::SharedTable).
    Table,
    /// A table with a lane for each writer: [`SharedFanIn`](crate::SharedFanIn).
    FanIn,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "a table",
            Self::FanIn => "a fan-in",
        })
    }
}

/// Where everything in a shared file is, as its header says.
///
/// All that it says has been checked: the parts lie in the file, are aligned and don't overlap.
///
/// ```
/// use atomik_core::{Add, Algebra};
/// use atomik_shared::{FileKind, FileLayout, SharedFanIn};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("counts");
/// SharedFanIn::<Add>::create(&path, 1_000, 4)?;
/// let layout = FileLayout::read(&path)?;
/// assert_eq!((layout.kind(), layout.algebra()), (FileKind::FanIn, u32::from(Add::ID)));
/// assert_eq!((layout.len(), layout.lanes()), (1_000, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLayout {
    kind: FileKind,
    algebra: u32,
    len: u64,
    /// The number of planes. A table has one.
    lanes: u64,
    /// Where the first plane is, and the distance between two.
    pub(crate) planes: u64,
    pub(crate) stride: u64,
    /// Where the first descriptor is, and the distance between two.
    pub(crate) descriptors: u64,
    pub(crate) descriptor_stride: u64,
    pub(crate) metadata: u64,
    metadata_bytes: u64,
    file_bytes: u64,
}

#[allow(clippy::len_without_is_empty, reason = "the length is a choice, not a content")]
impl FileLayout {
    /// The layout that this crate gives a new file. `None` if there can't be such a file.
    pub(crate) fn new(
        kind: FileKind,
        algebra: u32,
        len: u64,
        lanes: u64,
        metadata_bytes: u64,
    ) -> Option<Self> {
        if len > 1 << 32 || !(1..=MAX_LANES).contains(&lanes) {
            return None;
        }
        let is_fan_in = kind == FileKind::FanIn;
        let descriptors = ALIGN;
        let metadata = descriptors.checked_add(if is_fan_in { lanes.checked_mul(ALIGN)? } else { 0 })?;
        let metadata_bytes = metadata_bytes.checked_next_multiple_of(8)?;
        let metadata_end = if metadata_bytes == 0 {
            metadata
        } else {
            // The word that tells how much is used has a pair of cache lines to itself.
            metadata.checked_add(ALIGN)?.checked_add(metadata_bytes)?
        };
        let planes = metadata_end.checked_next_multiple_of(ALIGN)?;
        let mut stride = len.checked_mul(8)?.checked_next_multiple_of(ALIGN)?.max(ALIGN);
        // An odd number of pairs of cache lines: otherwise the words of one address in many lanes would compete for a few
        // sets of the cache, if the length is a power of two.
        if lanes > 1 && (stride / ALIGN).is_multiple_of(2) {
            stride = stride.checked_add(ALIGN)?;
        }
        let file_bytes = planes.checked_add(stride.checked_mul(lanes)?)?;
        i64::try_from(file_bytes).ok()?;
        Some(Self {
            kind,
            algebra,
            len,
            lanes,
            planes,
            stride,
            descriptors: if is_fan_in { descriptors } else { 0 },
            descriptor_stride: if is_fan_in { ALIGN } else { 0 },
            metadata: if metadata_bytes == 0 { 0 } else { metadata },
            metadata_bytes,
            file_bytes,
        })
    }

    /// The header of the file, with the READY mark.
    pub(crate) fn to_header(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(8, &VERSION.to_ne_bytes());
        put(12, &LEAST_READER.to_ne_bytes());
        put(16, &BYTE_ORDER.to_ne_bytes());
        put(24, &self.algebra.to_ne_bytes());
        put(28, &u32::from(self.kind == FileKind::FanIn).to_ne_bytes());
        let words = [
            self.len,
            self.lanes,
            self.planes,
            self.stride,
            self.descriptors,
            self.descriptor_stride,
            self.metadata,
            self.metadata_bytes,
            self.file_bytes,
        ];
        for (at, word) in (32..).step_by(8).zip(words) {
            put(at, &word.to_ne_bytes());
        }
        put(READY_AT, &READY.to_ne_bytes());
        let checksum = CRC.checksum(&bytes[..CHECKED]);
        bytes[CHECKED..CHECKED + 4].copy_from_slice(&checksum.to_ne_bytes());
        bytes
    }

    /// Reads the header of a file of `file_bytes` bytes. `start` are the file's first bytes, 128 of them unless the file
    /// has fewer; what follows is ignored.
    ///
    /// # Errors
    ///
    /// Whatever [`SharedErrorKind`] names about the content of a file.
    pub fn from_header(start: &[u8], file_bytes: u64) -> Result<Self, SharedErrorKind> {
        let magic = &start[..start.len().min(MAGIC.len())];
        if !MAGIC.starts_with(magic) {
            return Err(SharedErrorKind::Foreign);
        }
        let Some(header) = start.first_chunk::<HEADER_BYTES>() else {
            return Err(SharedErrorKind::Truncated {
                expected: HEADER_BYTES as u64,
                found: start.len() as u64,
            });
        };
        let half = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().expect("4 bytes"));
        let word = |at: usize| u64::from_ne_bytes(header[at..at + 8].try_into().expect("8 bytes"));
        match word(16) {
            BYTE_ORDER => {}
            other if other == BYTE_ORDER.swap_bytes() => return Err(SharedErrorKind::OtherByteOrder),
            _ => return Err(SharedErrorKind::Damaged { what: "it has no byte-order mark" }),
        }
        let (found, least) = (half(8), half(12));
        if least > VERSION {
            return Err(SharedErrorKind::OtherVersion { found, least });
        }
        match word(READY_AT) {
            READY => {}
            0 => return Err(SharedErrorKind::Unfinished),
            _ => return Err(SharedErrorKind::Damaged { what: "it has no READY mark" }),
        }
        if half(CHECKED) != CRC.checksum(&header[..CHECKED]) {
            return Err(SharedErrorKind::Damaged { what: "its checksum is wrong" });
        }
        let kind = match half(28) {
            0 => FileKind::Table,
            1 => FileKind::FanIn,
            _ => return Err(SharedErrorKind::Damaged { what: "it is of no known kind" }),
        };
        let layout = Self {
            kind,
            algebra: half(24),
            len: word(32),
            lanes: word(40),
            planes: word(48),
            stride: word(56),
            descriptors: word(64),
            descriptor_stride: word(72),
            metadata: word(80),
            metadata_bytes: word(88),
            file_bytes: word(96),
        };
        layout.check().map_err(|what| SharedErrorKind::Damaged { what })?;
        let expected = layout.file_bytes;
        if file_bytes < expected {
            return Err(SharedErrorKind::Truncated { expected, found: file_bytes });
        }
        if file_bytes > expected {
            return Err(SharedErrorKind::TrailingBytes { expected, found: file_bytes });
        }
        Ok(layout)
    }

    /// Whether all parts lie in the file, are aligned and don't overlap.
    fn check(&self) -> Result<(), &'static str> {
        const OVERFLOW: &str = "its numbers are too large";
        if self.len > 1 << 32 {
            return Err("its table is longer than 32-bit addresses reach");
        }
        if !(1..=MAX_LANES).contains(&self.lanes) || (self.kind == FileKind::Table && self.lanes != 1) {
            return Err("its number of lanes is wrong");
        }
        if self.stride < self.len * 8 || self.stride == 0 {
            return Err("its lanes overlap");
        }
        if self.kind == FileKind::FanIn && self.descriptor_stride < ALIGN {
            return Err("its descriptors overlap");
        }
        let aligned = [self.planes, self.stride, self.descriptors, self.descriptor_stride, self.metadata];
        if aligned.iter().any(|offset| !offset.is_multiple_of(ALIGN))
            || !self.metadata_bytes.is_multiple_of(8)
        {
            return Err("its parts are not aligned");
        }
        let part = |start: u64, bytes: Option<u64>| -> Result<Range<u64>, &'static str> {
            Ok(start..bytes.and_then(|bytes| start.checked_add(bytes)).ok_or(OVERFLOW)?)
        };
        let mut parts = vec![
            part(0, Some(HEADER_BYTES as u64))?,
            part(self.planes, self.stride.checked_mul(self.lanes))?,
        ];
        if self.kind == FileKind::FanIn {
            parts.push(part(self.descriptors, self.descriptor_stride.checked_mul(self.lanes))?);
        }
        if self.metadata_bytes > 0 {
            parts.push(part(self.metadata, self.metadata_bytes.checked_add(ALIGN))?);
        }
        parts.sort_by_key(|part| part.start);
        if parts.windows(2).any(|pair| pair[0].end > pair[1].start) {
            return Err("its parts overlap");
        }
        if parts.iter().any(|part| part.end > self.file_bytes) {
            return Err("its parts lie outside of the file");
        }
        if i64::try_from(self.file_bytes).is_err() {
            return Err(OVERFLOW);
        }
        Ok(())
    }

    /// What is in the file.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// The number of the file's algebra: [`Algebra::ID`](atomik_core::Algebra::ID). It may be one that this version of
    /// the library does not know.
    #[must_use]
    pub fn algebra(&self) -> u32 {
        self.algebra
    }

    /// The number of addresses.
    #[must_use]
    pub fn len(&self) -> usize {
        // At most 2³², and the crate is for 64-bit targets.
        self.len as usize
    }

    /// The number of lanes. It is 1 for a table.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes as usize
    }

    /// The bytes for metadata.
    #[must_use]
    pub fn metadata_bytes(&self) -> usize {
        self.metadata_bytes as usize
    }

    /// The size of the file in bytes.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }
}

#[cfg(test)]
mod tests;
