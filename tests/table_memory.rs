//! What tables ask of the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomik_core::{AtomikTable, TableAllocError};

/// The system's allocator, except that it has no memory for more than [`LIMIT`] bytes at once.
struct Limited;

const LIMIT: usize = 1 << 24;

/// The length of a table that no other test here makes.
const WATCHED: usize = LIMIT / 8 - 100;

/// How many times the memory of a table of that length came zeroed.
static ZEROED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: returns null, or what the system's allocator returns.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LIMIT {
            return std::ptr::null_mut();
        }
        // SAFETY: the contract is the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LIMIT {
            return std::ptr::null_mut();
        }
        if layout.size() == 8 * WATCHED + 56 {
            // Relaxed: the table and the counter belong to one thread.
            ZEROED.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the contract is the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the contract is the caller's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

#[test]
fn try_new_returns_an_error_where_there_is_no_memory() {
    let len = LIMIT / 8;
    assert_eq!(AtomikTable::try_new(len).unwrap_err(), TableAllocError::OutOfMemory { len });
    assert!(AtomikTable::try_new(len - 7).is_ok(), "a table takes up to 56 bytes beside its contexts");
}

#[test]
fn new_panics_where_there_is_no_memory() {
    let panicked = panic::catch_unwind(|| AtomikTable::new(LIMIT)).unwrap_err();
    let message = panicked.downcast_ref::<String>().map(String::as_str);
    assert_eq!(message, Some("there is no memory for a table of 16777216 contexts"));
}

/// So that the operating system need not provide a page before it is used.
#[test]
fn the_memory_of_a_table_comes_zeroed_from_the_allocator() {
    let table = AtomikTable::new(WATCHED);
    assert_eq!(ZEROED.load(Ordering::Relaxed), 1);
    assert_eq!(table[WATCHED - 1].read(), 0);
}
