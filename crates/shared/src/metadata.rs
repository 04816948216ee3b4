//! Bytes of the caller's own beside the lanes.

#[cfg(not(atomik_loom))]
use crate::layout::{ALIGN, FileLayout};
#[cfg(not(atomik_loom))]
use crate::mapping::Mapping;
use crate::sync::{AtomicU64, Ordering};

/// The words before the first entry, of which the first tells how many bytes of entries there are.
#[cfg(not(atomik_loom))]
const HEAD_WORDS: usize = ALIGN as usize / 8;
#[cfg(atomik_loom)]
const HEAD_WORDS: usize = 1;

/// Why an entry was not appended: it takes more bytes than are left.
#[derive(Debug)]
pub(crate) struct NoRoom {
    pub(crate) needed: usize,
    pub(crate) left: usize,
}

/// The metadata of a file: entries of bytes that were appended by any process and never change again, such as the names
/// of the addresses. [`SharedFanIn::metadata_writer`](crate::SharedFanIn::metadata_writer) appends.
///
/// An entry is visible completely or not at all, even if its writer was killed. Reading is wait-free, Acquire: whoever
/// sees an entry sees what its writer did before.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'a> {
    /// The head and the entries, or nothing if the file has no room for metadata.
    words: &'a [AtomicU64],
}

impl<'a> Metadata<'a> {
    #[cfg(not(atomik_loom))]
    pub(crate) fn new(mapping: &'a Mapping, layout: &FileLayout) -> Self {
        let words = match layout.metadata_bytes() {
            0 => &[],
            bytes => mapping.words(layout.metadata, HEAD_WORDS + bytes / 8),
        };
        Self { words }
    }

    /// Metadata in words of the caller: one before the entries, and theirs.
    #[cfg(atomik_loom)]
    pub(crate) fn in_words(words: &'a [AtomicU64]) -> Self {
        Self { words }
    }

    /// The bytes for entries. An entry takes 8 bytes and its length, rounded up to 8.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.words.len().saturating_sub(HEAD_WORDS) * 8
    }

    /// The bytes that entries take.
    #[must_use]
    pub fn used(&self) -> usize {
        // Acquire: pairs with the Release in `append`.
        let used = self.words.first().map_or(0, |used| used.load(Ordering::Acquire));
        // What another process wrote there, must lead to nothing worse than fewer entries.
        usize::try_from(used).unwrap_or(usize::MAX).min(self.capacity()) / 8 * 8
    }

    /// All entries, in the order in which they were appended.
    #[must_use]
    pub fn entries(&self) -> MetadataEntries<'a> {
        self.entries_from(0)
    }

    /// The entries that were appended after those which another iterator has returned, by that one's
    /// [`position`](MetadataEntries::position).
    #[must_use]
    pub fn entries_from(&self, position: usize) -> MetadataEntries<'a> {
        MetadataEntries { metadata: *self, at: position.div_ceil(8).saturating_mul(8), end: self.used() }
    }

    /// Appends an entry. Nobody else does meanwhile, because of the lock that the caller has.
    pub(crate) fn append(&self, entry: &[u8]) -> Result<(), NoRoom> {
        let start = self.used();
        let (needed, left) = (8 + entry.len().next_multiple_of(8), self.capacity() - start);
        if needed > left {
            return Err(NoRoom { needed, left });
        }
        // Relaxed, here and below: the store to the head publishes them.
        self.word(start).store(entry.len() as u64, Ordering::Relaxed);
        for (at, chunk) in (start + 8..).step_by(8).zip(entry.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(at).store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        // Release: pairs with the Acquire in `used`.
        self.words[0].store((start + needed) as u64, Ordering::Release);
        Ok(())
    }

    /// The word that begins at a position.
    fn word(&self, position: usize) -> &'a AtomicU64 {
        &self.words[HEAD_WORDS + position / 8]
    }
}

/// The entries of a file's metadata.
#[derive(Clone, Debug)]
pub struct MetadataEntries<'a> {
    metadata: Metadata<'a>,
    at: usize,
    end: usize,
}

impl MetadataEntries<'_> {
    /// Where the next entry begins, for [`Metadata::entries_from`].
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }
}

impl Iterator for MetadataEntries<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.at >= self.end {
            return None;
        }
        // Relaxed, here and below: entries don't change once `used` has told of them, with Acquire.
        let len = usize::try_from(self.metadata.word(self.at).load(Ordering::Relaxed)).ok()?;
        let start = self.at + 8;
        if len > self.end - start {
            self.at = self.end;
            return None;
        }
        let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
        for at in (start..start + len).step_by(8) {
            bytes.extend(self.metadata.word(at).load(Ordering::Relaxed).to_ne_bytes());
        }
        bytes.truncate(len);
        self.at = start + len.next_multiple_of(8);
        Some(bytes)
    }
}
