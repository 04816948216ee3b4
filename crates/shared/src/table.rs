//! Tables that processes share.

use std::fmt;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use atomik_core::{Algebra, Context, TableEpoch, TableRead, TableSource};

use crate::error::{SharedError, SharedErrorKind};
use crate::file::{self, Access, MEMFD, failed};
use crate::layout::{FileKind, FileLayout};
use crate::mapping::Mapping;
use crate::planes::Planes;
use crate::view::SharedView;

/// A table in a file that any number of processes map: `table[addr]` is a [`Context`].
///
/// It derefs to `[Context<A>]`. Each operation is the instruction on the shared memory that it is in a
/// [`Table`](atomik_core::Table), with the same progress and ordering, between processes as between threads. It is for
/// states that are also loaded and swapped, or that are changed now and then; for counts of busy processes
/// [`SharedFanIn`](crate::SharedFanIn) is faster.
///
/// **Size.** The file takes 8 bytes for each address and at most 256 more, which are reserved on the disk. A process has
/// no memory of its own for it.
///
/// **Killed processes.** Each operation has taken effect or not, and no word is torn.
///
/// ```
/// use atomik_core::{TableEpoch, Xor};
/// use atomik_shared::SharedTable;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("flags");
/// let flags = SharedTable::<Xor>::create(&path, 256)?;
/// let same = SharedTable::<Xor>::open(&path)?; // in any process
/// let mut epoch = same.epoch();
///
/// flags[7].accum(0b101);
/// assert_eq!(same[7].read(), 0b101);
/// assert!(epoch.swap().iter().eq([(7, 0b101)]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedTable<A: Algebra> {
    planes: Planes<A>,
    layout: FileLayout,
    fd: OwnedFd,
    path: PathBuf,
}

impl<A: Algebra> SharedTable<A> {
    /// Creates a file for `len` addresses, each in the identity state.
    ///
    /// The file appears completely or not at all. The space for it is reserved.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::AlreadyExists`] if there is such a file, [`SharedErrorKind::Unsuitable`] if `len` is more than
    /// [`Table::MAX_LEN`](atomik_core::Table::MAX_LEN), [`SharedErrorKind::FileSystem`], and
    /// [`SharedErrorKind::Io`], for a full disk too.
    pub fn create(path: impl AsRef<Path>, len: usize) -> Result<Self, SharedError> {
        let path = path.as_ref();
        let create = || {
            file::create(path, &layout::<A>(len)?)?;
            Self::open_path(path)
        };
        create().map_err(|kind| SharedError::new(path, kind))
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// If the file can't be opened, is damaged, or is not what was asked for: [`SharedErrorKind`] has the cases.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SharedError> {
        let path = path.as_ref();
        Self::open_path(path).map_err(|kind| SharedError::new(path, kind))
    }

    /// Opens a file, or creates it if there is none. Of several processes that do so at once, one creates the file and
    /// all open it.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create) and [`open`](Self::open), and [`SharedErrorKind::OtherLength`].
    pub fn open_or_create(path: impl AsRef<Path>, len: usize) -> Result<Self, SharedError> {
        let path = path.as_ref();
        let open = || {
            let expected = layout::<A>(len)?;
            match file::create(path, &expected) {
                Ok(()) | Err(SharedErrorKind::AlreadyExists) => {}
                Err(error) => return Err(error),
            }
            let opened = Self::open_path(path)?;
            file::check_equal(&opened.layout, &expected)?;
            Ok(opened)
        };
        open().map_err(|kind| SharedError::new(path, kind))
    }

    /// Opens a file for reading only.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<SharedView<A>, SharedError> {
        SharedView::open_kind(path.as_ref(), Some(FileKind::Table))
    }

    /// Creates a table in a memfd, a file without a name that is passed on to child processes. It is sealed: nobody can
    /// shrink it, which would kill whoever reads it.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::Unsuitable`] and [`SharedErrorKind::Io`].
    pub fn create_memfd(len: usize) -> Result<Self, SharedError> {
        let create = || Self::map(file::create_memfd(&layout::<A>(len)?)?, Path::new(MEMFD));
        create().map_err(|kind| SharedError::new(Path::new(MEMFD), kind))
    }

    /// Opens a memfd that another process created, from what [`reopen`](Self::reopen) returned there.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::NotSealed`], and those of [`open`](Self::open).
    pub fn from_memfd(fd: impl AsFd) -> Result<Self, SharedError> {
        let open = || {
            file::check_seals(fd.as_fd())?;
            let own = file::reopen(fd.as_fd()).map_err(failed("open the memfd again"))?;
            Self::map(own, Path::new(MEMFD))
        };
        open().map_err(|kind| SharedError::new(Path::new(MEMFD), kind))
    }

    /// The file with a description of its own, to be passed to another process. It is closed when a program is executed,
    /// unless it is made a standard stream of it.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::Io`], for example if `/proc` is not mounted.
    pub fn reopen(&self) -> Result<OwnedFd, SharedError> {
        file::reopen(self.fd.as_fd())
            .map_err(|error| SharedError::new(&self.path, failed("open the file again")(error)))
    }

    fn open_path(path: &Path) -> Result<Self, SharedErrorKind> {
        Self::map(file::open(path, Access::Write).map_err(failed("open the file"))?, path)
    }

    fn map(fd: OwnedFd, path: &Path) -> Result<Self, SharedErrorKind> {
        let layout = file::read_layout(fd.as_fd())?;
        file::check::<A>(&layout, FileKind::Table)?;
        let mapping = Mapping::new(fd.as_fd(), layout.file_bytes() as usize, true);
        let planes = Planes::new(mapping.map_err(failed("map the file"))?, &layout);
        Ok(Self { planes, layout, fd, path: path.to_owned() })
    }

    /// Copies all states to `out`, as [`Table::snapshot`](atomik_core::Table::snapshot) does. Wait-free, Acquire.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    #[track_caller]
    pub fn snapshot(&self, out: &mut [u64]) {
        assert_eq!(out.len(), self.len(), "a snapshot is as long as its table");
        self.planes.copy_states(0, out);
    }

    /// An observer of the table, with its own epochs.
    #[must_use]
    pub fn epoch(&self) -> TableEpoch<&Self> {
        TableEpoch::new(self)
    }

    /// Where everything in the file is.
    #[must_use]
    pub fn layout(&self) -> &FileLayout {
        &self.layout
    }
}

fn layout<A: Algebra>(len: usize) -> Result<FileLayout, SharedErrorKind> {
    let unsuitable = SharedErrorKind::Unsuitable { len, lanes: 1, metadata: 0 };
    FileLayout::new(FileKind::Table, A::ID.into(), len as u64, 1, 0).ok_or(unsuitable)
}

impl<A: Algebra> Deref for SharedTable<A> {
    type Target = [Context<A>];

    #[inline]
    fn deref(&self) -> &[Context<A>] {
        self.planes.plane(0)
    }
}

impl<A: Algebra> TableRead for SharedTable<A> {
    type Algebra = A;

    fn table_len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn read(&self, addr: usize) -> u64 {
        self[addr].read()
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        self.planes.copy_states(start, out);
    }

    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        self.planes.are_states(start, states)
    }
}

impl<A: Algebra> TableSource for SharedTable<A> {
    #[inline]
    fn accum(&self, addr: usize, delta: u64) {
        self[addr].accum(delta);
    }
}

impl<A: Algebra> fmt::Debug for SharedTable<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTable").field("path", &self.path).field("layout", &self.layout).finish()
    }
}
