//! What the producers of a process have of a fan-in's file.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use atomik_core::Algebra;

use crate::claim::{KernelLocks, LaneLocks};
use crate::descriptor::{Descriptor, Owner};
use crate::error::SharedErrorKind;
use crate::file::{self, failed};
use crate::fork::UninheritedFd;
use crate::lane;
use crate::layout::{FileKind, FileLayout};
use crate::locks;
use crate::mapping::{ForkMark, Mapping};
use crate::planes::Planes;

/// The locks of a file's lanes.
#[derive(Debug)]
pub(crate) struct FileLocks {
    fd: UninheritedFd,
    layout: FileLayout,
}

impl FileLocks {
    /// Whether another description of the file has the lock of a lane.
    pub(crate) fn is_locked_elsewhere(&self, lane: usize) -> io::Result<bool> {
        let fd = self.fd.get().ok_or_else(forked)?;
        locks::is_locked_elsewhere(fd, lane::lock_at(&self.layout, lane))
    }
}

impl KernelLocks for FileLocks {
    fn try_lock(&self, lane: usize) -> io::Result<bool> {
        locks::try_lock(self.fd.get().ok_or_else(forked)?, lane::lock_at(&self.layout, lane))
    }

    fn unlock(&self, lane: usize) {
        if let Some(fd) = self.fd.get() {
            // It can only fail for a descriptor that is not open.
            let _ = locks::unlock(fd, lane::lock_at(&self.layout, lane));
        }
    }
}

fn forked() -> io::Error {
    io::Error::other("the file was opened by the process from which this one was forked")
}

/// A fan-in's file as this process has it open.
#[derive(Debug)]
pub(crate) struct Handle<A: Algebra> {
    pub(crate) planes: Planes<A>,
    pub(crate) locks: LaneLocks<FileLocks>,
    pub(crate) mark: ForkMark,
    pub(crate) layout: FileLayout,
    pub(crate) path: PathBuf,
    /// Whose turn it is to append to the metadata.
    appending: Mutex<()>,
}

impl<A: Algebra> Handle<A> {
    /// Opens and maps a file. `open` opens it with a description of its own.
    ///
    /// A mapping keeps the description by which it was mapped, and with it the locks of that description, also in a
    /// forked child. So the locks have another one, which nothing is mapped by.
    pub(crate) fn open(
        path: &Path,
        mut open: impl FnMut() -> io::Result<OwnedFd>,
    ) -> Result<Self, SharedErrorKind> {
        let (mapped, fd) = loop {
            let mapped = open().map_err(failed("open the file"))?;
            let fd = UninheritedFd::open(&mut open).map_err(failed("open the file"))?;
            // Another file may have got the name in between.
            if file::is_same(mapped.as_fd(), fd.get().ok_or(SharedErrorKind::Forked)?)? {
                break (mapped, fd);
            }
        };
        let layout = file::read_layout(mapped.as_fd())?;
        file::check::<A>(&layout, FileKind::FanIn)?;
        let mapping = Mapping::new(mapped.as_fd(), layout.file_bytes() as usize, true);
        let planes = Planes::new(mapping.map_err(failed("map the file"))?, &layout);
        let mark =
            ForkMark::new(layout.len()).map_err(failed("map a page that is wiped in forked processes"))?;
        let locks = LaneLocks::new(layout.lanes(), FileLocks { fd, layout });
        Ok(Self { planes, locks, mark, layout, path: path.to_owned(), appending: Mutex::new(()) })
    }

    /// The file, unless it belongs to a parent process.
    pub(crate) fn fd(&self) -> Result<BorrowedFd<'_>, SharedErrorKind> {
        if self.mark.is_forked() {
            return Err(SharedErrorKind::Forked);
        }
        self.locks.kernel().fd.get().ok_or(SharedErrorKind::Forked)
    }

    pub(crate) fn descriptor(&self, lane: usize) -> &Descriptor {
        lane::descriptor(self.planes.mapping(), &self.layout, lane)
    }

    /// Claims a lane.
    pub(crate) fn claim(&self, label: &str) -> Result<usize, SharedErrorKind> {
        self.fd()?;
        let owner = Owner::this_process(label);
        let claimed = self.locks.claim(|lane| self.descriptor(lane), &owner);
        let lane = claimed.map_err(failed("lock a lane"))?;
        lane.ok_or(SharedErrorKind::NoFreeLane { lanes: self.layout.lanes() })
    }

    /// Waits until no other thread of this process appends to the metadata.
    pub(crate) fn wait_to_append(&self) -> MutexGuard<'_, ()> {
        self.appending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file with another description.
    pub(crate) fn reopen(&self) -> Result<OwnedFd, SharedErrorKind> {
        file::reopen(self.fd()?.as_fd()).map_err(failed("open the file again"))
    }
}
