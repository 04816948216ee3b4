//! Locks of byte ranges that belong to open file descriptions. The kernel drops them when the last process that has the
//! description ends.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// One byte at `at`, exclusively.
fn range(at: u64) -> libc::flock {
    // SAFETY: `flock` is a struct of integers.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = libc::F_WRLCK as _;
    range.l_whence = libc::SEEK_SET as _;
    // A layout's offsets fit in an `i64`.
    range.l_start = at as i64;
    range.l_len = 1;
    range
}

fn fcntl(fd: BorrowedFd<'_>, command: c_int, range: &mut libc::flock) -> io::Result<()> {
    // SAFETY: the command takes a pointer to such a struct, which outlives the call.
    match unsafe { libc::fcntl(fd.as_raw_fd(), command, std::ptr::from_mut(range)) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Locks the byte if no other description has it. Whether it did.
pub(crate) fn try_lock(fd: BorrowedFd<'_>, at: u64) -> io::Result<bool> {
    match fcntl(fd, libc::F_OFD_SETLK, &mut range(at)) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Locks the byte, and waits for the description that has it.
pub(crate) fn lock(fd: BorrowedFd<'_>, at: u64) -> io::Result<()> {
    loop {
        match fcntl(fd, libc::F_OFD_SETLKW, &mut range(at)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Unlocks the byte.
pub(crate) fn unlock(fd: BorrowedFd<'_>, at: u64) -> io::Result<()> {
    let mut range = range(at);
    range.l_type = libc::F_UNLCK as _;
    fcntl(fd, libc::F_OFD_SETLK, &mut range)
}

/// Whether another description has the byte locked. A description that may only read can ask too.
pub(crate) fn is_locked_elsewhere(fd: BorrowedFd<'_>, at: u64) -> io::Result<bool> {
    let mut range = range(at);
    fcntl(fd, libc::F_OFD_GETLK, &mut range)?;
    Ok(range.l_type != libc::F_UNLCK as libc::c_short)
}
