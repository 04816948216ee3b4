//! Files that are only read.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use atomik_core::{Algebra, TableEpoch, TableRead};

use crate::error::{SharedError, SharedErrorKind};
use crate::file::{self, Access, failed};
use crate::lane::{self, Lane};
use crate::layout::{FileKind, FileLayout};
use crate::locks;
use crate::mapping::Mapping;
use crate::metadata::Metadata;
use crate::planes::Planes;

/// A shared table or fan-in that is only read: its memory is mapped without the right to write, and the file needs only
/// be readable. It has reads, snapshots and epochs.
///
/// **Memory.** The pages of the file that it reads, which it shares with all other processes, and those of no other. An
/// epoch has a copy of all states, as that of a [`Table`](atomik_core::Table).
///
/// ```
/// use atomik_core::Add;
/// use atomik_shared::{SharedFanIn, SharedView};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("counts");
/// let counts = SharedFanIn::<Add>::create(&path, 1_000, 4)?;
/// let view = SharedView::<Add>::open(&path)?; // in any process
/// let mut epoch = view.epoch();
///
/// counts.producer()?.accum(7, 42);
/// assert_eq!(view.read(7), 42);
/// assert!(epoch.swap().iter().eq([(7, 42)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedView<A: Algebra> {
    planes: Planes<A>,
    layout: FileLayout,
    fd: OwnedFd,
    path: PathBuf,
}

impl<A: Algebra> SharedView<A> {
    /// Opens a table or a fan-in for reading.
    ///
    /// # Errors
    ///
    /// If the file can't be opened, is damaged, or is not what was asked for: [`SharedErrorKind`] has the cases.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SharedError> {
        Self::open_kind(path.as_ref(), None)
    }

    pub(crate) fn open_kind(path: &Path, kind: Option<FileKind>) -> Result<Self, SharedError> {
        let open = || {
            let fd = file::open(path, Access::Read).map_err(failed("open the file"))?;
            let layout = file::read_layout(fd.as_fd())?;
            match kind {
                Some(kind) => file::check::<A>(&layout, kind)?,
                None => file::check_algebra::<A>(&layout)?,
            }
            let mapping = Mapping::new(fd.as_fd(), layout.file_bytes() as usize, false);
            let planes = Planes::new(mapping.map_err(failed("map the file"))?, &layout);
            Ok(Self { planes, layout, fd, path: path.to_owned() })
        };
        open().map_err(|kind| SharedError::new(path, kind))
    }

    /// The number of addresses.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "the length is a choice, not a content")]
    pub fn len(&self) -> usize {
        self.planes.len()
    }

    /// Where everything in the file is.
    #[must_use]
    pub fn layout(&self) -> &FileLayout {
        &self.layout
    }

    /// READ: what all deltas to `addr` compose to. Wait-free, Acquire, with the consistency of a
    /// [`TableFanIn::read`](atomik_core::TableFanIn::read).
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn read(&self, addr: usize) -> u64 {
        self.planes.read(addr)
    }

    /// Copies the states of all addresses into `out`. Wait-free, Acquire. The states are not of one instant.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    #[track_caller]
    pub fn snapshot(&self, out: &mut [u64]) {
        assert_eq!(out.len(), self.len(), "a snapshot is as long as its table");
        self.planes.copy_states(0, out);
    }

    /// What one lane holds at an address, for looking at a writer's part. Wait-free, Acquire.
    ///
    /// # Panics
    ///
    /// If there is no such lane or address.
    #[must_use]
    #[track_caller]
    pub fn read_lane(&self, lane: usize, addr: usize) -> u64 {
        let mut word = [0];
        self.planes.plane(lane).copy_states(addr, &mut word);
        word[0]
    }

    /// An observer of the file, with its own epochs.
    #[must_use]
    pub fn epoch(&self) -> TableEpoch<&Self> {
        TableEpoch::new(self)
    }

    /// The lanes and their owners. A table has none.
    ///
    /// # Errors
    ///
    /// If the kernel does not tell whether a lane is locked.
    pub fn lanes(&self) -> Result<Vec<Lane>, SharedError> {
        if self.layout.kind() == FileKind::Table {
            return Ok(Vec::new());
        }
        lane::list(self.planes.mapping(), &self.layout, |lane| {
            locks::is_locked_elsewhere(self.fd.as_fd(), lane::lock_at(&self.layout, lane))
        })
        .map_err(|error| SharedError::new(&self.path, SharedErrorKind::Io { what: "look at a lock", error }))
    }

    /// The metadata of the file.
    #[must_use]
    pub fn metadata(&self) -> Metadata<'_> {
        Metadata::new(self.planes.mapping(), &self.layout)
    }
}

impl<A: Algebra> TableRead for SharedView<A> {
    type Algebra = A;

    fn table_len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn read(&self, addr: usize) -> u64 {
        self.planes.read(addr)
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        self.planes.copy_states(start, out);
    }

    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        self.planes.are_states(start, states)
    }
}

impl<A: Algebra> fmt::Debug for SharedView<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedView").field("path", &self.path).field("layout", &self.layout).finish()
    }
}
