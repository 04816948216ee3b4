//! Files that are created completely or not at all, and opened with every check.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use atomik_core::Algebra;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};

use crate::error::{SharedError, SharedErrorKind};
use crate::file_system::name_if_unsafe;
use crate::layout::{FileKind, FileLayout, HEADER_BYTES, READY_AT};

/// What stands for the path of a memfd in errors.
pub(crate) const MEMFD: &str = "memfd";

/// An error of a system call as one of ours.
pub(crate) fn failed<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> SharedErrorKind {
    move |error| SharedErrorKind::Io { what, error: error.into() }
}

/// Whether a file may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Opens a file without looking at it. A named pipe in its place does not block.
pub(crate) fn open(path: &Path, access: Access) -> io::Result<OwnedFd> {
    let mut options = OpenOptions::new();
    options.read(true).write(access == Access::Write).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    Ok(options.open(path)?.into())
}

/// Opens a file again that is open, with a description of its own.
pub(crate) fn reopen(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    open(&PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())), Access::Write)
}

/// Whether two descriptors are of one file.
pub(crate) fn is_same(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> Result<bool, SharedErrorKind> {
    let id = |fd| match rustix::fs::fstat(fd) {
        Ok(status) => Ok((status.st_dev, status.st_ino)),
        Err(error) => Err(failed("look at the file")(error)),
    };
    Ok(id(a)? == id(b)?)
}

/// Reads the layout of an open file, with all checks of the file.
pub(crate) fn read_layout(fd: BorrowedFd<'_>) -> Result<FileLayout, SharedErrorKind> {
    let file = File::from(fd.try_clone_to_owned().map_err(failed("open the file"))?);
    let metadata = file.metadata().map_err(failed("look at the file"))?;
    if !metadata.is_file() {
        return Err(SharedErrorKind::NotAFile);
    }
    let file_system = rustix::fs::fstatfs(fd).map_err(failed("look at the file system"))?;
    if let Some(name) = name_if_unsafe(file_system.f_type as u64) {
        return Err(SharedErrorKind::FileSystem { name });
    }
    let mut start = [0; HEADER_BYTES];
    let mut read = 0;
    while read < HEADER_BYTES {
        match file.read_at(&mut start[read..], read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("read the header")(error)),
        }
    }
    FileLayout::from_header(&start[..read], metadata.len())
}

/// Whether a file is what its opener takes it for.
pub(crate) fn check<A: Algebra>(layout: &FileLayout, expected: FileKind) -> Result<(), SharedErrorKind> {
    if layout.kind() != expected {
        return Err(SharedErrorKind::OtherKind { found: layout.kind(), expected });
    }
    check_algebra::<A>(layout)
}

/// Whether a file is on this algebra.
pub(crate) fn check_algebra<A: Algebra>(layout: &FileLayout) -> Result<(), SharedErrorKind> {
    let (found, expected) = (layout.algebra(), u32::from(A::ID));
    if found != expected {
        return Err(SharedErrorKind::OtherAlgebra { found, expected });
    }
    Ok(())
}

/// Whether a file that existed before is like the one that would have been created.
pub(crate) fn check_equal(found: &FileLayout, expected: &FileLayout) -> Result<(), SharedErrorKind> {
    let pair = |field: fn(&FileLayout) -> usize| (field(found) as u64, field(expected) as u64);
    if let (found, expected) = pair(FileLayout::len)
        && found != expected
    {
        return Err(SharedErrorKind::OtherLength { found, expected });
    }
    if let (found, expected) = pair(FileLayout::lanes)
        && found != expected
    {
        return Err(SharedErrorKind::OtherLanes { found, expected });
    }
    if let (found, expected) = pair(FileLayout::metadata_bytes)
        && found != expected
    {
        return Err(SharedErrorKind::OtherMetadata { found, expected });
    }
    Ok(())
}

/// Fills a new, empty file. Its READY mark is stored last.
fn fill(file: &File, layout: &FileLayout) -> Result<(), SharedErrorKind> {
    let bytes = layout.file_bytes();
    // A mapped page that the disk has no room for would kill the process that touches it.
    rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes).map_err(failed("reserve the space"))?;
    let header = layout.to_header();
    file.write_all_at(&header[..READY_AT], 0).map_err(failed("write the header"))?;
    file.sync_all().map_err(failed("write the file to the disk"))?;
    file.write_all_at(&header[READY_AT..], READY_AT as u64).map_err(failed("write the header"))?;
    file.sync_all().map_err(failed("write the file to the disk"))
}

/// Creates a file under another name and links it to its own, which fails if there is one already. A process that is
/// killed meanwhile leaves no half of a file under the name.
pub(crate) fn create(path: &Path, layout: &FileLayout) -> Result<(), SharedErrorKind> {
    // Nothing is written where there is a file already. The link below decides.
    if fs::symlink_metadata(path).is_ok() {
        return Err(SharedErrorKind::AlreadyExists);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.new", RandomState::new().hash_one(std::process::id())));
    let made = path.with_file_name(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&made);
    let file = file.map_err(failed("create the file"))?;
    let linked = refuse_file_system(&file).and_then(|()| fill(&file, layout)).and_then(|()| {
        fs::hard_link(&made, path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SharedErrorKind::AlreadyExists,
            _ => failed("give the file its name")(error),
        })
    });
    // What can't be removed does no harm.
    let _ = fs::remove_file(&made);
    linked
}

fn refuse_file_system(file: &File) -> Result<(), SharedErrorKind> {
    let file_system = rustix::fs::fstatfs(file).map_err(failed("look at the file system"))?;
    match name_if_unsafe(file_system.f_type as u64) {
        Some(name) => Err(SharedErrorKind::FileSystem { name }),
        None => Ok(()),
    }
}

/// Creates a file in memory that has no name, and that nobody can make shorter or longer.
pub(crate) fn create_memfd(layout: &FileLayout) -> Result<OwnedFd, SharedErrorKind> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("atomik-shared", flags).map_err(failed("create a memfd"))?;
    let file = File::from(fd);
    fill(&file, layout)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
        .map_err(failed("seal the memfd"))?;
    Ok(file.into())
}

/// Whether a file can never be shrunk.
pub(crate) fn check_seals(fd: BorrowedFd<'_>) -> Result<(), SharedErrorKind> {
    match rustix::fs::fcntl_get_seals(fd) {
        Ok(seals) if seals.contains(SealFlags::SHRINK) => Ok(()),
        _ => Err(SharedErrorKind::NotSealed),
    }
}

impl FileLayout {
    /// Reads the header of a file, whatever its kind and algebra are.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or is none of this crate's.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SharedError> {
        let path = path.as_ref();
        let read = || {
            let fd = open(path, Access::Read).map_err(failed("open the file"))?;
            read_layout(fd.as_fd())
        };
        read().map_err(|kind| SharedError::new(path, kind))
    }
}
