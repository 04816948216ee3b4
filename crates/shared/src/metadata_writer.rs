//! The right to append to a file's metadata.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::MutexGuard;

use crate::error::{SharedError, SharedErrorKind};
use crate::layout::FileLayout;
use crate::locks;
use crate::mapping::ForkMark;
use crate::metadata::{Metadata, NoRoom};

/// The only one that appends to a file's metadata at this moment, of all processes. So it can look for an entry and
/// append it if it is missing, and nobody else does so meanwhile.
///
/// The lock is the kernel's: it is free once the writer is dropped, or once its process has ended.
///
/// **Forks.** In a child of `fork` a writer of the parent appends nothing: [`append`](Self::append) is
/// [`SharedErrorKind::Forked`].
#[derive(Debug)]
pub struct MetadataWriter<'a> {
    metadata: Metadata<'a>,
    fd: BorrowedFd<'a>,
    lock_at: u64,
    path: &'a Path,
    mark: &'a ForkMark,
    /// The kernel would give this process's threads the lock twice.
    _turn: MutexGuard<'a, ()>,
}

impl<'a> MetadataWriter<'a> {
    pub(crate) fn new(
        metadata: Metadata<'a>,
        layout: &FileLayout,
        fd: BorrowedFd<'a>,
        path: &'a Path,
        mark: &'a ForkMark,
        turn: MutexGuard<'a, ()>,
    ) -> Result<Self, SharedError> {
        let lock_at = layout.metadata;
        if metadata.capacity() > 0 {
            let locked = locks::lock(fd, lock_at);
            locked.map_err(|error| {
                SharedError::new(path, SharedErrorKind::Io { what: "lock the metadata", error })
            })?;
        }
        Ok(Self { metadata, fd, lock_at, path, mark, _turn: turn })
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
    /// [`SharedErrorKind::MetadataFull`] if there is no room for it, and [`SharedErrorKind::Forked`] in a child of the
    /// process that has the lock. Nothing was written then.
    pub fn append(&mut self, entry: &[u8]) -> Result<(), SharedError> {
        if self.mark.is_forked() {
            return Err(SharedError::new(self.path, SharedErrorKind::Forked));
        }
        self.metadata.append(entry).map_err(|NoRoom { needed, left }| {
            SharedError::new(self.path, SharedErrorKind::MetadataFull { needed, left })
        })
    }
}

impl Drop for MetadataWriter<'_> {
    fn drop(&mut self) {
        // In a child the lock is the parent's, and the number of the descriptor may be that of another file.
        if self.metadata.capacity() > 0 && !self.mark.is_forked() {
            // It can only fail for a descriptor that is not open.
            let _ = locks::unlock(self.fd, self.lock_at);
        }
    }
}
