//! Memory that the kernel maps.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};

/// A whole file in memory, shared with everybody who maps it.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory belongs to no thread, and is accessed by atomics only.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `bytes` bytes of a file, which are not 0.
    pub(crate) fn new(file: BorrowedFd<'_>, bytes: usize, is_writable: bool) -> io::Result<Self> {
        let protection = if is_writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: the kernel chooses the address, so no memory in use is replaced.
        let start = unsafe { mmap(ptr::null_mut(), bytes, protection, MapFlags::SHARED, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes })
    }

    /// The word at an offset in bytes, of which the caller knows that `words` words from there on are in the mapping.
    pub(crate) fn at(&self, offset: u64, words: usize) -> NonNull<u64> {
        let offset = offset as usize;
        assert!(offset.is_multiple_of(8) && offset <= self.bytes && words <= (self.bytes - offset) / 8);
        // SAFETY: the offset is in the mapping, or at its end.
        unsafe { self.start.add(offset) }.cast()
    }

    /// The words at an offset, as atomics. Only loads, if the mapping is not writable.
    pub(crate) fn words(&self, offset: u64, words: usize) -> &[AtomicU64] {
        // SAFETY: they are in the mapping, as `at` checks, and aligned, since the mapping is aligned to a page. Whatever
        // they hold is a valid word, and everybody accesses them by atomics.
        unsafe { std::slice::from_raw_parts(self.at(offset, words).cast().as_ptr(), words) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`, and whatever points into it does not outlive it. It can't fail for what was
        // mapped.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// A page that the kernel fills with zeros in a forked child, by which the child knows what is not its own. The C library
/// need not know of the fork.
#[derive(Debug)]
pub(crate) struct ForkMark {
    page: NonNull<Marked>,
}

#[derive(Debug)]
struct Marked {
    is_own: AtomicUsize,
    len: AtomicUsize,
}

// SAFETY: what is on the page are atomics.
unsafe impl Send for ForkMark {}
// SAFETY: as above.
unsafe impl Sync for ForkMark {}

impl ForkMark {
    /// A mark with a number, which is 0 in forked children.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the address, so no memory in use is replaced.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), size_of::<Marked>(), protection, MapFlags::PRIVATE) }?;
        let page = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let mark = Self { page };
        // SAFETY: the page was mapped above and has nothing on it.
        unsafe { madvise(start, size_of::<Marked>(), Advice::LinuxWipeOnFork) }?;
        let marked = mark.marked();
        // Relaxed, here and below: other threads get the mark by what shares it with them, and a child of `fork` has one
        // thread.
        marked.len.store(len, Ordering::Relaxed);
        marked.is_own.store(1, Ordering::Relaxed);
        Ok(mark)
    }

    fn marked(&self) -> &Marked {
        // SAFETY: the page is mapped until `drop`, and zeros are valid atomics.
        unsafe { self.page.as_ref() }
    }

    /// Whether this process was forked from the one that made the mark.
    pub(crate) fn is_forked(&self) -> bool {
        self.marked().is_own.load(Ordering::Relaxed) == 0
    }

    /// The number, or 0 in a forked child.
    #[inline]
    pub(crate) fn len(&self) -> &AtomicUsize {
        &self.marked().len
    }
}

impl Drop for ForkMark {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`, and nothing points to it any more. It can't fail for what was mapped.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), size_of::<Marked>()) };
    }
}
