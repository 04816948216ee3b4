//! A program whose global allocator counts its own calls with the library. It has no test harness, because the threads of
//! a harness would allocate while the counts are compared.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::ptr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use atomik_core::{Add, FanIn, TableFanIn};

/// One for each power of two, by the size of the memory in bytes.
const CLASSES: usize = usize::BITS as usize;

static CALLS: FanIn<Add> = FanIn::new(0);
static CALLS_BY_CLASS: TableFanIn<Add> = TableFanIn::new(CLASSES);

/// The same counts by other means.
static EXPECTED: [AtomicU64; CLASSES] = [const { AtomicU64::new(0) }; CLASSES];

struct Counting;

thread_local! {
    /// Whether the allocator has no memory for this thread.
    static IS_EXHAUSTED: Cell<bool> = const { Cell::new(false) };
}

impl Counting {
    fn count(&self, layout: Layout) {
        let class = layout.size().max(1).ilog2() as usize;
        EXPECTED[class].fetch_add(1, Ordering::Relaxed);
        CALLS.accum(1);
        CALLS_BY_CLASS.accum(class, 1);
    }
}

// SAFETY: all calls are passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(layout);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.count(layout);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count(layout);
        if IS_EXHAUSTED.get() {
            return ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.count(layout);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(memory, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocates when its thread ends.
struct AtTheEnd;

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        for size in 0..2_000 {
            drop(black_box(Vec::<u8>::with_capacity(size)));
        }
    }
}

thread_local! {
    static AT_THE_END: AtTheEnd = const { AtTheEnd };
}

/// What one thread does: it allocates in many ways.
fn work() {
    for size in 0..500 {
        let mut grown = Vec::new();
        (0..size % 50).for_each(|byte| grown.push(byte));
        drop(black_box((grown, vec![0u64; size], size.to_string())));
    }
    // Making the slots of producers allocates too, while the allocator's own slots may be missing.
    let fan_in = FanIn::<Add>::new(0);
    let producers: Vec<_> = (0..20).map(|_| (fan_in.producer(), CALLS.producer())).collect();
    drop(black_box(producers));
    AT_THE_END.with(|_| ());
}

fn run(threads: usize) {
    let all_alive = Barrier::new(threads);
    thread::scope(|scope| {
        let all_alive = &all_alive;
        let spawn = |_| {
            scope.spawn(move || {
                work();
                all_alive.wait();
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        // A scope ends before the thread-locals of its threads are destroyed, but a join does not.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Runs threads whose thread-local is destroyed after the library's own. Linux destroys thread-locals in the reverse
/// order of their first use, so these threads use theirs before their first allocation. A thread of `std` has allocated
/// before it runs anything of the program.
#[cfg(unix)]
fn run_without_std(threads: usize) {
    extern "C" fn body(_: *mut libc::c_void) -> *mut libc::c_void {
        AT_THE_END.with(|_| ());
        work();
        ptr::null_mut()
    }
    let spawn = |_| {
        let mut thread = 0;
        // SAFETY: the attributes may be null, and `body` does not use its argument.
        let result = unsafe { libc::pthread_create(&mut thread, ptr::null(), body, ptr::null_mut()) };
        assert_eq!(result, 0);
        thread
    };
    let threads: Vec<libc::pthread_t> = (0..threads).map(spawn).collect();
    for thread in threads {
        // SAFETY: the thread was created above and is joined once.
        assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
    }
}

/// A thread for whose plane there is no memory shares one with the others of its kind.
fn accumulate_without_memory_for_a_plane() {
    static TABLE: TableFanIn<Add> = TableFanIn::new(1000);
    let count = || {
        IS_EXHAUSTED.set(true);
        (0..10_000).for_each(|i| TABLE.accum(i % 1000, 1));
        IS_EXHAUSTED.set(false);
        TABLE.accum(999, 1);
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(count))));
    assert_eq!((TABLE.read(0), TABLE.read(999)), (40, 44));
}

fn main() {
    accumulate_without_memory_for_a_plane();
    for _ in 0..20 {
        run(8);
        #[cfg(unix)]
        run_without_std(8);
    }
    // More threads than find their planes without a list.
    run(100);

    let mut classes = [0; CLASSES];
    CALLS_BY_CLASS.snapshot(&mut classes);
    let expected = EXPECTED.each_ref().map(|count| count.load(Ordering::Relaxed));
    let calls = CALLS.read();
    assert_eq!(classes, expected);
    assert_eq!(calls, expected.iter().sum());
    assert!(calls > 100_000, "only {calls} calls were counted");
}
