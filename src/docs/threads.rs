//! Where the calling thread is not what it seems: allocators, signal handlers, `fork`, fibers, destructors, tasks.
//!
//! [`FanIn::accum`] and [`TableFanIn::accum`] find a slot by the calling thread. In an ordinary thread there is nothing
//! to know about that. In some contexts a function can't tell which thread it is called on, or is called in the middle
//! of another call on the same thread. This page says for each of them what happens and what to use.
//!
//! | context | `FanIn::accum`, `TableFanIn::accum` | a producer | a [`Context`] | use |
//! |---|---|---|---|---|
//! | [thread pool](#thread-pools) | yes: a slot for each worker thread | yes, if a worker keeps it | yes | `accum` |
//! | [async task](#async-tasks) | yes: the slot of the thread that polls | yes, also across an `await` | yes | `accum` |
//! | [destructor of a thread-local](#destructors-of-thread-locals) | yes: an RMW after the thread's index is gone | yes | yes | any |
//! | [global allocator](#global-allocators) | yes, exactly | existing ones; none may be made there | yes | `accum` |
//! | [child of `fork`](#fork) | yes: each process counts for itself | yes, the same | yes, the same | any |
//! | [fiber that changes threads](#fibers) | **no**: may lose deltas | yes, goes with its fiber | yes | a producer |
//! | [signal handler](#signal-handlers) | **no**: may lose a delta, and may deadlock | **no**: it can't be shared | yes | a `Context` |
//!
//! A "no" means that a delta may be lost. Two entries are about more than that. In a signal handler, a thread's first
//! `accum` on a fan-in allocates, and most allocators must not be called in a handler. For fibers, the reason is a rule
//! of thread-locals that the library has no part in.
//!
//! A context works everywhere, because a delta to it is one atomic operation on one word, whichever thread executes it.
//! It is slower if many threads write to it.
//!
//! # What the library keeps for a thread
//!
//! With the feature `std` each thread that calls `accum` has an *index*, a number that no other such thread has and that
//! is below the greatest number of such threads that were alive at once. It is one for all fan-ins of the process. The
//! first call in a thread claims it, and a destructor of a thread-local returns it when the thread ends. In each fan-in
//! the index leads to a slot, or to a plane of a table, of which the thread is the only writer. Slots and planes are made
//! when they are first needed. The next thread with the same index continues from what it finds there.
//!
//! Each fan-in also has one *shared* cell, and each table fan-in a shared plane. They take the deltas of callers that
//! can't have a slot, by an atomic RMW. Readers include them. Without the feature `std` they take all deltas that do not
//! come through a producer.
//!
//! # Thread pools
//!
//! A worker thread is an ordinary thread. There are as many slots as workers, however many jobs run on them. A job that
//! makes a producer of its own and drops it pays for the claim and the return of a slot, some 10 to 50 ns.
//!
//! # Async tasks
//!
//! An executor polls a task on any of its threads. A poll runs on one thread from its beginning to its end, so `accum`
//! is right wherever it is called. It finds the slot of the thread that polls:
//!
//! ```
//! use atomik_core::{Add, FanIn};
//!
//! static REQUESTS: FanIn<Add> = FanIn::new(0);
//!
//! async fn respond() {
//!     REQUESTS.accum(1); // before an `await` on one thread
//!     std::future::ready(()).await;
//!     REQUESTS.accum(1); // and after it, perhaps on another
//! }
//! # let mut task = std::pin::pin!(respond());
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # assert!(task.as_mut().poll(&mut context).is_ready());
//! # assert_eq!(REQUESTS.read(), 2);
//! # use std::future::Future;
//! ```
//!
//! A producer is `Send`, so a task may keep one across an `await`, and it moves with its task. That takes a slot for each
//! task that is alive, and every read of the fan-in visits all slots that were ever made ([`FanIn`] says what that
//! costs). So it is for tasks that are few and live long; where there is a task for each connection, use `accum`.
//!
//! # Destructors of thread-locals
//!
//! When a thread ends, its thread-locals are destroyed in an order that nobody promises. A destructor that accumulates
//! may run before or after the library's own, which returns the thread's index. The delta counts in both cases. In the
//! second case it is an RMW on the shared cell. A producer in a thread-local is dropped with it and returns its slot.
//!
//! # Global allocators
//!
//! Counting allocations is a fine use of a fan-in: it costs less than an atomic counter that all threads share, and no
//! call is missed.
//!
//! ```
//! use std::alloc::{GlobalAlloc, Layout, System};
//! use atomik_core::{Add, FanIn, TableFanIn};
//!
//! static ALLOCATIONS: FanIn<Add> = FanIn::new(0);
//! static SIZES: TableFanIn<Add> = TableFanIn::new(64);
//!
//! struct Counting;
//!
//! // SAFETY: all calls are passed on to the allocator of the system.
//! unsafe impl GlobalAlloc for Counting {
//!     unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
//!         ALLOCATIONS.accum(1);
//!         SIZES.accum(layout.size().max(1).ilog2() as usize, 1);
//!         // SAFETY: the caller keeps the contract.
//!         unsafe { System.alloc(layout) }
//!     }
//!
//!     unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
//!         // SAFETY: the caller keeps the contract.
//!         unsafe { System.dealloc(memory, layout) }
//!     }
//! }
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//!
//! fn main() {
//!     let before = ALLOCATIONS.read();
//!     drop(vec![0u8; 1000]);
//!     assert!(ALLOCATIONS.read() > before);
//!     assert!(SIZES.read(9) > 0); // 512 to 1,023 bytes
//! }
//! ```
//!
//! A thread's first `accum` allocates: it claims an index and makes a slot, or a plane. The allocator is then called in
//! the middle of that, and accumulates again. While a thread is there, its further deltas go to the shared cell, so there
//! is no recursion and every delta counts. The shared plane of a table may be missing at that time; its memory comes from
//! [`std::alloc::System`], and not from the global allocator.
//!
//! Rules for such an allocator:
//!
//! - Make and drop producers outside of the allocator. Making one may allocate, and so call the allocator without end.
//!   For the same reason make no observers and no tables there. Reads are fine.
//! - `accum` panics if an address is past the end, and a global allocator must not unwind. Compute the address so that it
//!   can't be.
//! - The library uses thread-locals. Before Rust 1.93, a global allocator must not use them on targets where `std` keeps
//!   its own list of destructors, such as musl and macOS, or where thread-locals are not native, such as
//!   `x86_64-pc-windows-gnu`: the process may abort. There use a [`Counter`], or an array of them for a table. Linux with
//!   glibc is not one of these targets.
//! - Without the feature `std` use [`FanIn::accum`] only. `TableFanIn::accum` would allocate the shared plane through
//!   the global allocator.
//!
//! # Fork
//!
//! A child process has copies of all fan-ins, tables and contexts as they were at the `fork`, in memory of its own. So
//! counting continues from there in each process by itself. The thread that called `fork` is the only one in the child.
//! It keeps its index and its producers. The indices and slots of the other threads stay claimed there, which costs
//! memory but loses no delta. To get the count of both processes, add what each of them counted after the `fork`.
//!
//! POSIX allows the child of a process with several threads nothing but async-signal-safe functions until it calls
//! `exec`. The library holds no lock that the child could find locked. But if another thread was claiming or returning
//! an index or a producer at the very moment of the `fork`, the copy may show that half done, and a claim in the child
//! may then not end. Fork before the other threads begin, or use only slots and producers in the child that the forking
//! thread had before.
//!
//! # Fibers
//!
//! A fiber (a green thread, a stackful coroutine) has a stack of its own and may give its thread up in the middle of a
//! function. If it continues on another thread, the compiler may still use the address of the first thread's
//! thread-locals, because it assumes that a function runs on one thread. `accum` would then write to the slot
//! of the first thread, which that thread writes to as well, and deltas of both may be lost.
//!
//! A producer needs no thread-local. It lives on the fiber's stack and goes where the fiber goes:
//!
//! ```no_run
//! # use atomik_core::{Add, FanIn};
//! # fn yield_to_scheduler() {}
//! static JOBS: FanIn<Add> = FanIn::new(0);
//!
//! fn fiber() {
//!     let mut jobs = JOBS.producer();
//!     loop {
//!         jobs.accum(1);
//!         yield_to_scheduler(); // returns on another thread
//!     }
//! }
//! ```
//!
//! Fibers that stay on their thread may use `accum`.
//!
//! # Signal handlers
//!
//! A handler interrupts its thread between any two instructions. If that is between the load and the store of an `accum`,
//! or of a producer's, then the thread stores a value without the handler's delta. Whether the two are one instruction is
//! up to the compiler.
//!
//! A thread's first `accum` on a fan-in allocates. `malloc` is not async-signal-safe: if the handler interrupted it, a
//! call from the handler may deadlock or corrupt the heap. So `accum` is not async-signal-safe either.
//!
//! A delta to a [`Context`] is never half done when a handler runs, and takes no lock and no memory. It is
//! async-signal-safe:
//!
//! ```
//! use atomik_core::Counter;
//!
//! static INTERRUPTED: Counter = Counter::new(0);
//!
//! extern "C" fn handle_sigint(_signal: i32) {
//!     INTERRUPTED.accum(1);
//! }
//! # handle_sigint(2);
//! # assert_eq!(INTERRUPTED.read(), 1);
//! ```
//!
//! These reads take no lock and no memory, so they are async-signal-safe too: [`Context::read`], [`FanIn::read`],
//! [`UpDown::read`] and [`TableFanIn::read`] with their variants for signed and floating-point numbers, and the method
//! `snapshot` of [`Table`] and [`TableFanIn`] into memory that exists. Observers of tables are not: `epoch` and `swap`
//! allocate, and `swap` and `is_clean` may be the [first kernel call](crate::kernel) of the process.
//!
//! # Where it is tested
//!
//! `tests/global_allocator.rs` compares the counts of an allocator with plain atomic counters, call by call, with
//! threads of `std` and of the system that begin and end. `tests/fork.rs` forks. `tests/threads` has a signal handler
//! that interrupts its own thread's deltas, a fiber that is resumed by another thread after each delta, destructors on
//! both sides of the library's own, and tasks that change threads at each `await`. The models in `loom-tests` have
//! threads that accumulate after they returned their index, and an allocator that accumulates.
//!
//! [`Context`]: crate::Context
//! [`Context::read`]: crate::Context::read
//! [`Counter`]: crate::Counter
//! [`FanIn`]: crate::FanIn
//! [`FanIn::accum`]: crate::FanIn::accum
//! [`FanIn::read`]: crate::FanIn::read
//! [`Table`]: crate::Table
//! [`TableFanIn`]: crate::TableFanIn
//! [`TableFanIn::accum`]: crate::TableFanIn::accum
//! [`TableFanIn::read`]: crate::TableFanIn::read
//! [`UpDown::read`]: crate::UpDown::read
