//! What a forked process must not inherit.
//!
//! The locks of lanes belong to open file descriptions, which a child of `fork` shares with its parent: with the
//! description, it would keep the lanes of a parent that has died. So its copies are closed, by a handler that the C
//! library calls in the child before `fork` returns there.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use std::thread;

/// A place for a descriptor that children close. Places are used again and never freed, since the handler in a child can
/// take no lock and has no allocator.
struct Place {
    /// A file descriptor, or one of the two below.
    fd: AtomicI32,
    /// Set before the place is in the list, and never again.
    next: AtomicPtr<Place>,
}

/// Nobody uses the place.
const FREE: RawFd = -1;
/// The descriptor was the parent's and is closed here. The place belongs to the inherited `UninheritedFd`.
const CLOSED: RawFd = -2;

/// The first of all places.
static PLACES: AtomicPtr<Place> = AtomicPtr::new(ptr::null_mut());
/// How many forks have begun, and how many are over.
static BEGUN: AtomicUsize = AtomicUsize::new(0);
static OVER: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    // glibc and musl have it on all targets; the crate `libc` does not declare it for Linux.
    fn pthread_atfork(
        prepare: Option<unsafe extern "C" fn()>,
        parent: Option<unsafe extern "C" fn()>,
        child: Option<unsafe extern "C" fn()>,
    ) -> c_int;
}

unsafe extern "C" fn before() {
    // SeqCst, with all accesses of the two counters: pairs with the loads in `UninheritedFd::open`.
    BEGUN.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn in_parent() {
    OVER.fetch_add(1, Ordering::SeqCst);
}

/// The child has one thread, which may only do what a signal handler may.
unsafe extern "C" fn in_child() {
    // Acquire: pairs with the Release in `Place::fill`.
    let mut place = PLACES.load(Ordering::Acquire);
    // SAFETY: places are never freed.
    while let Some(here) = unsafe { place.as_ref() } {
        // Relaxed, twice: there is no other thread.
        let fd = here.fd.load(Ordering::Relaxed);
        if fd >= 0 {
            here.fd.store(CLOSED, Ordering::Relaxed);
            // SAFETY: the descriptor belongs to the place, which no longer names it.
            unsafe { libc::close(fd) };
        }
        // Relaxed: as above.
        place = here.next.load(Ordering::Relaxed);
    }
    OVER.store(BEGUN.load(Ordering::SeqCst), Ordering::SeqCst);
}

fn install_handlers() -> io::Result<()> {
    static INSTALLED: OnceLock<c_int> = OnceLock::new();
    // SAFETY: the handlers do only what is allowed between `fork` and its return: atomics, and `close`.
    match *INSTALLED.get_or_init(|| unsafe { pthread_atfork(Some(before), Some(in_parent), Some(in_child)) })
    {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

impl Place {
    /// Puts a descriptor in a free place, or in a new one.
    fn fill(fd: RawFd) -> &'static Self {
        // Acquire: pairs with the Release below.
        let mut place = PLACES.load(Ordering::Acquire);
        // SAFETY: places are never freed.
        while let Some(here) = unsafe { place.as_ref() } {
            // Relaxed: the descriptor is all that is handed over. It pairs with nothing.
            if here.fd.compare_exchange(FREE, fd, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return here;
            }
            // Relaxed: the Acquire above came after it was set.
            place = here.next.load(Ordering::Relaxed);
        }
        // Relaxed: the exchange below decides.
        let mut first = PLACES.load(Ordering::Relaxed);
        let new: &Self = Box::leak(Box::new(Self { fd: AtomicI32::new(fd), next: AtomicPtr::new(first) }));
        // Release: pairs with the Acquire of whoever walks the list, so that the place is seen as it was made. On failure
        // only the pointer matters: Relaxed.
        let pointer = ptr::from_ref(new).cast_mut();
        while let Err(now) = PLACES.compare_exchange(first, pointer, Ordering::Release, Ordering::Relaxed) {
            first = now;
            // Relaxed: the exchange publishes it.
            new.next.store(first, Ordering::Relaxed);
        }
        new
    }
}

/// A file descriptor, with an open file description of its own, that no forked child keeps.
pub(crate) struct UninheritedFd {
    place: &'static Place,
}

impl UninheritedFd {
    /// Keeps what `open` opens. It is called again if another thread forked meanwhile: that child would have a copy which
    /// it does not know.
    pub(crate) fn open(mut open: impl FnMut() -> io::Result<OwnedFd>) -> io::Result<Self> {
        install_handlers()?;
        loop {
            let begun = BEGUN.load(Ordering::SeqCst);
            if OVER.load(Ordering::SeqCst) != begun {
                thread::yield_now();
                continue;
            }
            let opened = Self { place: Place::fill(open()?.into_raw_fd()) };
            if BEGUN.load(Ordering::SeqCst) == begun {
                return Ok(opened);
            }
        }
    }

    /// The descriptor, or `None` in a child of the process that opened it.
    pub(crate) fn get(&self) -> Option<BorrowedFd<'_>> {
        // Relaxed: only this process's `fork` changes it, before the child's only thread runs on.
        let fd = self.place.fd.load(Ordering::Relaxed);
        // SAFETY: a descriptor in the place is open until `drop`.
        (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
    }
}

impl Drop for UninheritedFd {
    fn drop(&mut self) {
        // Relaxed: only the descriptor is handed over. It pairs with nothing.
        let fd = self.place.fd.swap(FREE, Ordering::Relaxed);
        if fd >= 0 {
            // SAFETY: the descriptor belonged to the place, which no longer names it.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

impl std::fmt::Debug for UninheritedFd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UninheritedFd").field(&self.get().map(|fd| fd.as_raw_fd())).finish()
    }
}
