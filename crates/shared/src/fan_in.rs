//! Fan-ins that processes share.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use atomik_core::{Add, Algebra, TableEpoch, TableRead};

use crate::error::{SharedError, SharedErrorKind};
use crate::file::{self, Access, MEMFD, failed};
use crate::handle::Handle;
use crate::lane::{self, Lane};
use crate::layout::{FileKind, FileLayout};
use crate::metadata::Metadata;
use crate::metadata_writer::MetadataWriter;
use crate::producer::SharedProducer;
use crate::view::SharedView;

/// A table in a file that many processes change all the time. Each writer has a lane of its own, which is a plane of
/// totals, and readers combine the lanes. It is a [`TableFanIn`](atomik_core::TableFanIn) between processes, with the
/// same consistency and ordering, and a clone is another handle of the same file.
///
/// **Killed processes.** Every delta whose `accum` had returned is there, whatever kills its process and when, and no
/// word is torn. The lane keeps its value, and its next owner goes on from there: nothing is moved, so nothing is
/// counted twice or lost. A lock that the kernel drops when its process ends shows whether an owner is alive, and never
/// a process id.
///
/// **Size.** The file takes 8 bytes for each address of each lane, at most 384 more for each lane, and the room for
/// metadata. All of it is reserved on the disk when the file is created. Apart from the pages of the file that it
/// touches, a process has one page, and one byte for each lane.
///
/// **Forks.** A child of `fork` may read an inherited fan-in. Everything else, such as [`producer`](Self::producer), is
/// [`SharedErrorKind::Forked`] there: a child opens the file itself.
///
/// ```
/// use atomik_core::Add;
/// use atomik_shared::SharedFanIn;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("counts");
/// let counts = SharedFanIn::<Add>::create(&path, 1_000, 4)?;
/// let mut producer = counts.producer()?;
/// producer.accum(7, 40);
///
/// let same = SharedFanIn::<Add>::open(&path)?; // in any process
/// same.producer_labelled("worker 2")?.accum(7, 2);
/// assert_eq!(counts.read(7), 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedFanIn<A: Algebra> {
    handle: Arc<Handle<A>>,
}

/// The size of a [`SharedFanIn`]'s file.
///
/// ```
/// use atomik_core::Add;
/// use atomik_shared::{FanInSize, SharedFanIn};
///
/// # let folder = tempfile::tempdir()?;
/// let size = FanInSize::new(1_000, 4).metadata(4_096);
/// let counts = SharedFanIn::<Add>::create_with(folder.path().join("counts"), size)?;
/// counts.metadata_writer()?.append(b"7 requests_total")?;
/// assert!(counts.metadata().entries().eq([b"7 requests_total"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanInSize {
    len: usize,
    lanes: usize,
    metadata: usize,
}

impl FanInSize {
    /// `len` addresses and `lanes` lanes, without room for metadata.
    #[must_use]
    pub const fn new(len: usize, lanes: usize) -> Self {
        Self { len, lanes, metadata: 0 }
    }

    /// The bytes for metadata, rounded up to 8. An entry takes 8 bytes and its length, rounded up to 8.
    #[must_use]
    pub const fn metadata(self, bytes: usize) -> Self {
        Self { metadata: bytes, ..self }
    }

    fn layout<A: Algebra>(self) -> Result<FileLayout, SharedErrorKind> {
        let Self { len, lanes, metadata } = self;
        let layout =
            FileLayout::new(FileKind::FanIn, A::ID.into(), len as u64, lanes as u64, metadata as u64);
        layout.ok_or(SharedErrorKind::Unsuitable { len, lanes, metadata })
    }
}

impl<A: Algebra> SharedFanIn<A> {
    /// Creates a file for `len` addresses, each in the identity state, and at most `lanes` producers at a time.
    ///
    /// The file appears completely or not at all. The space for it is reserved.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::AlreadyExists`] if there is such a file, [`SharedErrorKind::Unsuitable`] if `len` is more than
    /// [`Table::MAX_LEN`](atomik_core::Table::MAX_LEN) or `lanes` is 0 or more than 2²⁰,
    /// [`SharedErrorKind::FileSystem`], and [`SharedErrorKind::Io`], for a full disk too.
    pub fn create(path: impl AsRef<Path>, len: usize, lanes: usize) -> Result<Self, SharedError> {
        Self::create_with(path, FanInSize::new(len, lanes))
    }

    /// Does what [`create`](Self::create) does, with room for metadata.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_with(path: impl AsRef<Path>, size: FanInSize) -> Result<Self, SharedError> {
        let path = path.as_ref();
        let create = || {
            file::create(path, &size.layout::<A>()?)?;
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
    /// Those of [`create`](Self::create) and [`open`](Self::open), [`SharedErrorKind::OtherLength`] and
    /// [`SharedErrorKind::OtherLanes`].
    pub fn open_or_create(path: impl AsRef<Path>, len: usize, lanes: usize) -> Result<Self, SharedError> {
        Self::open_or_create_with(path, FanInSize::new(len, lanes))
    }

    /// Does what [`open_or_create`](Self::open_or_create) does, with room for metadata.
    ///
    /// # Errors
    ///
    /// As [`open_or_create`](Self::open_or_create), and [`SharedErrorKind::OtherMetadata`].
    pub fn open_or_create_with(path: impl AsRef<Path>, size: FanInSize) -> Result<Self, SharedError> {
        let path = path.as_ref();
        let open = || {
            let expected = size.layout::<A>()?;
            match file::create(path, &expected) {
                Ok(()) | Err(SharedErrorKind::AlreadyExists) => {}
                Err(error) => return Err(error),
            }
            let opened = Self::open_path(path)?;
            file::check_equal(&opened.handle.layout, &expected)?;
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
        SharedView::open_kind(path.as_ref(), Some(FileKind::FanIn))
    }

    /// Creates a fan-in in a memfd, a file without a name that is passed on to child processes. It is sealed: nobody can
    /// shrink it, which would kill whoever reads it.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::Unsuitable`] and [`SharedErrorKind::Io`].
    ///
    /// ```no_run
    /// use std::process::Command;
    ///
    /// use atomik_core::Add;
    /// use atomik_shared::{FanInSize, SharedFanIn};
    ///
    /// let counts = SharedFanIn::<Add>::create_memfd(FanInSize::new(1_000, 4))?;
    /// // The child calls `SharedFanIn::<Add>::from_memfd(std::io::stdin())`.
    /// Command::new("worker").stdin(counts.reopen()?).spawn()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create_memfd(size: FanInSize) -> Result<Self, SharedError> {
        let path = Path::new(MEMFD);
        let create = || {
            let fd = file::create_memfd(&size.layout::<A>()?)?;
            Handle::open(path, || file::reopen(fd.as_fd()))
        };
        Self::with_handle(path, create())
    }

    /// Opens a memfd that another process created, from what [`reopen`](Self::reopen) returned there.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::NotSealed`], and those of [`open`](Self::open).
    pub fn from_memfd(fd: impl AsFd) -> Result<Self, SharedError> {
        let path = Path::new(MEMFD);
        let open = || {
            file::check_seals(fd.as_fd())?;
            Handle::open(path, || file::reopen(fd.as_fd()))
        };
        Self::with_handle(path, open())
    }

    /// The file with a description of its own, to be passed to another process. It has none of the locks of this one. It
    /// is closed when a program is executed, unless it is made a standard stream of it.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::Forked`], and [`SharedErrorKind::Io`], for example if `/proc` is not mounted.
    pub fn reopen(&self) -> Result<OwnedFd, SharedError> {
        self.handle.reopen().map_err(|kind| self.error(kind))
    }

    fn open_path(path: &Path) -> Result<Self, SharedErrorKind> {
        let handle = Handle::open(path, || file::open(path, Access::Write))?;
        Ok(Self { handle: Arc::new(handle) })
    }

    fn with_handle(path: &Path, handle: Result<Handle<A>, SharedErrorKind>) -> Result<Self, SharedError> {
        match handle {
            Ok(handle) => Ok(Self { handle: Arc::new(handle) }),
            Err(kind) => Err(SharedError::new(path, kind)),
        }
    }

    fn error(&self, kind: SharedErrorKind) -> SharedError {
        SharedError::new(&self.handle.path, kind)
    }

    /// A writer with a lane of its own: the first one that has no living owner. Lock-free, with a system call for each
    /// lane that is tried.
    ///
    /// # Errors
    ///
    /// - [`SharedErrorKind::NoFreeLane`] if each lane had a living owner when it was tried. They are tried one after
    ///   the other, so a lane that is returned meanwhile may be missed.
    /// - [`SharedErrorKind::Forked`] in a child of the process that opened the file.
    /// - [`SharedErrorKind::Io`] if the kernel refuses to lock, for example because it has no memory for locks.
    pub fn producer(&self) -> Result<SharedProducer<A>, SharedError> {
        self.producer_labelled("")
    }

    /// Does what [`producer`](Self::producer) does. People see the label, up to 96 bytes of it, in
    /// [`lanes`](Self::lanes).
    ///
    /// # Errors
    ///
    /// As [`producer`](Self::producer).
    pub fn producer_labelled(&self, label: &str) -> Result<SharedProducer<A>, SharedError> {
        let lane = self.handle.claim(label).map_err(|kind| self.error(kind))?;
        Ok(SharedProducer::new(Arc::clone(&self.handle), lane))
    }

    /// The number of addresses.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "the length is a choice, not a content")]
    pub fn len(&self) -> usize {
        self.handle.planes.len()
    }

    /// READ: what all deltas to `addr` compose to. Wait-free: loads the address in each lane, Acquire.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn read(&self, addr: usize) -> u64 {
        self.handle.planes.read(addr)
    }

    /// Copies the states of all addresses into `out`. Wait-free, Acquire. The states are not of one instant.
    ///
    /// # Panics
    ///
    /// If `out` is not as long as the table.
    #[track_caller]
    pub fn snapshot(&self, out: &mut [u64]) {
        assert_eq!(out.len(), self.len(), "a snapshot is as long as its table");
        self.handle.planes.copy_states(0, out);
    }

    /// An observer of the fan-in, with its own epochs.
    #[must_use]
    pub fn epoch(&self) -> TableEpoch<&Self> {
        TableEpoch::new(self)
    }

    /// The lanes and their owners. A system call for each lane.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::Forked`], or [`SharedErrorKind::Io`] if the kernel does not tell whether a lane is locked.
    pub fn lanes(&self) -> Result<Vec<Lane>, SharedError> {
        let handle = &*self.handle;
        handle.fd().map_err(|kind| self.error(kind))?;
        let lanes = lane::list(handle.planes.mapping(), &handle.layout, |lane| {
            Ok(handle.locks.is_held_here(lane) || handle.locks.kernel().is_locked_elsewhere(lane)?)
        });
        lanes.map_err(|error| self.error(failed("look at a lock")(error)))
    }

    /// The metadata of the file.
    #[must_use]
    pub fn metadata(&self) -> Metadata<'_> {
        Metadata::new(self.handle.planes.mapping(), &self.handle.layout)
    }

    /// Waits until no other process or thread appends to the metadata, and gives the right to. Blocking.
    ///
    /// A thread that asks for it a second time waits for itself.
    ///
    /// # Errors
    ///
    /// [`SharedErrorKind::Forked`], or [`SharedErrorKind::Io`] if the kernel refuses to lock.
    pub fn metadata_writer(&self) -> Result<MetadataWriter<'_>, SharedError> {
        let handle = &*self.handle;
        let fd = handle.fd().map_err(|kind| self.error(kind))?;
        let turn = handle.wait_to_append();
        MetadataWriter::new(self.metadata(), &handle.layout, fd, &handle.path, &handle.mark, turn)
    }

    /// Where everything in the file is.
    #[must_use]
    pub fn layout(&self) -> &FileLayout {
        &self.handle.layout
    }
}

impl SharedFanIn<Add> {
    /// READ as a signed number, as [`TableFanIn::read_signed`](atomik_core::TableFanIn::read_signed).
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn read_signed(&self, addr: usize) -> i64 {
        self.read(addr).cast_signed()
    }
}

impl<A: Algebra> Clone for SharedFanIn<A> {
    fn clone(&self) -> Self {
        Self { handle: Arc::clone(&self.handle) }
    }
}

impl<A: Algebra> TableRead for SharedFanIn<A> {
    type Algebra = A;

    fn table_len(&self) -> usize {
        self.len()
    }

    #[inline]
    fn read(&self, addr: usize) -> u64 {
        self.handle.planes.read(addr)
    }

    fn copy_states(&self, start: usize, out: &mut [u64]) {
        self.handle.planes.copy_states(start, out);
    }

    fn are_states(&self, start: usize, states: &[u64]) -> bool {
        self.handle.planes.are_states(start, states)
    }
}

impl<A: Algebra> fmt::Debug for SharedFanIn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedFanIn")
            .field("path", &self.handle.path)
            .field("layout", &self.handle.layout)
            .finish()
    }
}
