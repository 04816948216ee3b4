//! Deltas from a fiber, which runs on a stack of its own and moves from thread to thread in the middle of a function.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

use atomik_core::{Add, Counter, FanIn};

static FAN_IN: FanIn<Add> = FanIn::new(0);
static COUNT: Counter = Counter::new(0);
static FIBER: AtomicPtr<Fiber> = AtomicPtr::new(ptr::null_mut());
const ROUNDS: u64 = 100;

/// A fiber and the thread that runs it at the moment. One of the two runs at a time.
struct Fiber {
    own: UnsafeCell<MaybeUninit<libc::ucontext_t>>,
    thread: UnsafeCell<MaybeUninit<libc::ucontext_t>>,
}

impl Fiber {
    /// Runs the fiber until it yields.
    fn resume(&self) {
        // SAFETY: the fiber has been made, and runs nowhere else.
        assert_eq!(unsafe { libc::swapcontext(self.thread.get().cast(), self.own.get().cast()) }, 0);
    }

    /// Goes back to the thread that resumed the fiber.
    fn yield_now(&self) {
        // SAFETY: called by the fiber, which a thread resumed.
        assert_eq!(unsafe { libc::swapcontext(self.own.get().cast(), self.thread.get().cast()) }, 0);
    }
}

extern "C" fn body() {
    // SAFETY: the test made it and waits for this function to end.
    let fiber = unsafe { &*FIBER.load(Ordering::Acquire) };
    let mut producer = FAN_IN.producer();
    for _ in 0..ROUNDS {
        producer.accum(1);
        COUNT.accum(1);
        fiber.yield_now();
    }
    drop(producer);
    loop {
        fiber.yield_now();
    }
}

#[test]
fn a_producer_goes_where_its_fiber_goes() {
    let mut stack = vec![0u128; 16 << 10];
    let fiber: &'static Fiber = Box::leak(Box::new(Fiber {
        own: UnsafeCell::new(MaybeUninit::zeroed()),
        thread: UnsafeCell::new(MaybeUninit::zeroed()),
    }));
    FIBER.store(ptr::from_ref(fiber).cast_mut(), Ordering::Release);
    let own: *mut libc::ucontext_t = fiber.own.get().cast();
    // SAFETY: `getcontext` initialises what `makecontext` changes. The stack outlives the fiber, which is not resumed
    // after this function.
    unsafe {
        assert_eq!(libc::getcontext(own), 0);
        (*own).uc_stack.ss_sp = stack.as_mut_ptr().cast();
        (*own).uc_stack.ss_size = size_of_val(&*stack);
        (*own).uc_link = ptr::null_mut();
        libc::makecontext(own, body, 0);
    }
    let mut threads = (0..=ROUNDS).map(|_| {
        let fiber = AtomicPtr::new(ptr::from_ref(fiber).cast_mut());
        let resume = move || {
            // The thread accumulates too, before and after the fiber, with and without a handle.
            let mut producer = FAN_IN.producer();
            let mut count = || {
                FAN_IN.accum(1);
                producer.accum(1);
            };
            count();
            // SAFETY: leaked above.
            unsafe { &*fiber.load(Ordering::Acquire) }.resume();
            count();
        };
        thread::spawn(resume).join()
    });
    assert!(threads.all(|joined| joined.is_ok()));
    assert_eq!((FAN_IN.read(), COUNT.read()), (ROUNDS + 4 * (ROUNDS + 1), ROUNDS));
}
