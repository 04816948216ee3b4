//! Bytes of the caller's own beside the lanes, to which several processes append.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{SharedError, SharedErrorKind};
use crate::layout::{ALIGN, FileLayout};
use crate::locks;
use crate::mapping::Mapping;

/// The words before the first entry, of which the first tells how many bytes of entries there are.
const HEAD_WORDS: usize = ALIGN as usize / 8;

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
    pub(crate) fn new(mapping: &'a Mapping, layout: &FileLayout) -> Self {
        let words = match layout.metadata_bytes() {
            0 => &[],
            bytes => mapping.words(layout.metadata, HEAD_WORDS + bytes / 8),
        };
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
        // Acquire: pairs with the Release in `MetadataWriter::append`.
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
        MetadataEntries { metadata: *self, at: position.next_multiple_of(8), end: self.used() }
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

/// The only one that appends to a file's metadata at this moment, of all processes. So it can look for an entry and
/// append it if it is missing, and nobody else does so meanwhile.
///
/// The lock is the kernel's: it is free once the writer is dropped, or once its process has ended.
#[derive(Debug)]
pub struct MetadataWriter<'a> {
    metadata: Metadata<'a>,
    fd: BorrowedFd<'a>,
    lock_at: u64,
    path: &'a Path,
    /// The kernel would give this process's threads the lock twice.
    _turn: MutexGuard<'a, ()>,
}

impl<'a> MetadataWriter<'a> {
    pub(crate) fn new(
        metadata: Metadata<'a>,
        layout: &FileLayout,
        fd: BorrowedFd<'a>,
        path: &'a Path,
        turn: MutexGuard<'a, ()>,
    ) -> Result<Self, SharedError> {
        let lock_at = layout.metadata;
        if metadata.capacity() > 0 {
            let locked = locks::lock(fd, lock_at);
            locked.map_err(|error| {
                SharedError::new(path, SharedErrorKind::Io { what: "lock the metadata", error })
            })?;
        }
        Ok(Self { metadata, fd, lock_at, path, _turn: turn })
    }

    /// What has been appended so far.
    #[must_use]
    pub fn metadata(&self) -> Metadata<'a> {
        self.metadata
    }

    /// Appends an entry. Release: whoever sees it sees what the caller did before.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::MetadataFull`] if there is no room for it. Nothing was written.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), SharedError> {
        let (start, capacity) = (self.metadata.used(), self.metadata.capacity());
        let (needed, left) = (8 + entry.len().next_multiple_of(8), capacity - start);
        if needed > left {
            return Err(SharedError::new(self.path, SharedErrorKind::MetadataFull { needed, left }));
        }
        // Relaxed, here and below: the store to the head publishes them. Nobody else writes, because of the lock.
        self.metadata.word(start).store(entry.len() as u64, Ordering::Relaxed);
        for (at, chunk) in (start + 8..).step_by(8).zip(entry.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.metadata.word(at).store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        // Release: pairs with the Acquire in `Metadata::used`.
        self.metadata.words[0].store((start + needed) as u64, Ordering::Release);
        Ok(())
    }
}

impl Drop for MetadataWriter<'_> {
    fn drop(&mut self) {
        if self.metadata.capacity() > 0 {
            // It can only fail for a descriptor that is not open.
            let _ = locks::unlock(self.fd, self.lock_at);
        }
    }
}
