//! A table behind a mutex in shared memory, as programs without this library have it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

use crate::workers::ADDRESSES;

/// What is in the file.
#[repr(C, align(64))]
struct Contents {
    mutex: libc::pthread_mutex_t,
    words: [u64; ADDRESSES],
}

/// The mapped file. It stays mapped until the process ends.
pub(crate) struct MutexTable(*mut Contents);

impl MutexTable {
    /// Creates the file. Nobody may open it before.
    pub(crate) fn create(path: &Path) -> Self {
        let file = File::create_new(path).expect("it is new");
        file.set_len(size_of::<Contents>() as u64).expect("there is room");
        drop(file);
        let table = Self::open(path);
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: the attributes are initialized by the first call, and the mutex by the last one. The mapping is as large
        // as `Contents`, aligned to a page, and nobody else uses it yet.
        let failed = unsafe {
            libc::pthread_mutexattr_init(attributes.as_mut_ptr())
                | libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED)
                | libc::pthread_mutex_init(&raw mut (*table.0).mutex, attributes.as_ptr())
        };
        assert_eq!(failed, 0, "the mutex can be shared by processes");
        table
    }

    /// Maps a file that was created.
    pub(crate) fn open(path: &Path) -> Self {
        let file = File::options().read(true).write(true).open(path).expect("it was created");
        let (protection, len) = (libc::PROT_READ | libc::PROT_WRITE, size_of::<Contents>());
        // SAFETY: a new mapping, which overlaps nothing.
        let mapped =
            unsafe { libc::mmap(ptr::null_mut(), len, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        assert_ne!(mapped, libc::MAP_FAILED, "the file can be mapped");
        Self(mapped.cast())
    }

    /// Adds to a word under the lock.
    pub(crate) fn add(&self, addr: usize, delta: u64) {
        assert!(addr < ADDRESSES);
        // SAFETY: the mutex was initialized by `create`, and the words are used by those alone who hold it.
        let failed = unsafe {
            let failed = libc::pthread_mutex_lock(&raw mut (*self.0).mutex);
            let word = (&raw mut (*self.0).words).cast::<u64>().add(addr);
            word.write(word.read() + delta);
            failed | libc::pthread_mutex_unlock(&raw mut (*self.0).mutex)
        };
        assert_eq!(failed, 0, "the lock can be taken and returned");
    }

    /// The sum of all words.
    pub(crate) fn total(&self) -> u64 {
        let mut total = 0;
        // SAFETY: as in `add`.
        unsafe {
            libc::pthread_mutex_lock(&raw mut (*self.0).mutex);
            total += (&raw const (*self.0).words).read().iter().sum::<u64>();
            libc::pthread_mutex_unlock(&raw mut (*self.0).mutex);
        }
        total
    }
}
