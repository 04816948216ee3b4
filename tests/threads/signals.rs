//! Deltas from a signal handler.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{mem, ptr, thread};

use atomik_core::{AtomikContext, Counter};

static COUNT: Counter = Counter::new(0);
static BITS: AtomikContext = AtomikContext::new(0);
static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handle(_: libc::c_int) {
    COUNT.accum(1);
    BITS.accum(0b10);
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// A `Context` may be interrupted at any instruction by a handler that uses the same one.
#[test]
fn a_context_loses_no_delta_to_a_signal_handler_on_its_own_thread() {
    // SAFETY: a `sigaction` may be all zeros. The handler does nothing but atomic operations.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handle as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
    }
    let done = AtomicBool::new(false);
    // SAFETY: always sound.
    let interrupted = unsafe { libc::pthread_self() };
    let mut deltas = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // SAFETY: the thread waits for this one before it ends.
                assert_eq!(unsafe { libc::pthread_kill(interrupted, libc::SIGUSR1) }, 0);
                thread::yield_now();
            }
        });
        while HANDLED.load(Ordering::Relaxed) < 2_000 {
            for _ in 0..100 {
                COUNT.accum(1);
                BITS.accum(0b01);
            }
            deltas += 100;
        }
        // SAFETY: always sound; the handler runs on this thread before the call returns.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
        done.store(true, Ordering::Relaxed);
    });
    let handled = HANDLED.load(Ordering::Relaxed);
    assert_eq!(COUNT.read(), deltas + handled);
    assert_eq!(BITS.read(), (handled % 2) << 1, "an even number of the other bit cancels");
}
