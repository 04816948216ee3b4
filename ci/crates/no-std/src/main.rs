//! Proves that atomik-core and atomik-replica need no std, which would clash with the panic handler here. Nothing but the
//! C library is linked, which starts the program. Exits with 0 if the states are right.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use atomik_core::{Add, AtomikContext, AtomikTable, FanIn, Fingerprint, Rollback, TableFanIn};
use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};

unsafe extern "C" {
    safe fn abort() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    abort()
}

/// The precompiled `alloc` refers to it, but with aborting panics nothing unwinds and nobody calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

const HEAP: usize = 1 << 20;

/// Memory that is given out once and never taken back.
struct Bump {
    memory: UnsafeCell<[u8; HEAP]>,
    used: AtomicUsize,
}

// SAFETY: each allocation is a range of its own, reserved by an atomic exchange.
unsafe impl Sync for Bump {}

// SAFETY: `alloc` returns ranges that are aligned, within `memory`, and never given out twice.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get().cast::<u8>();
        let mut start = 0;
        // Relaxed: one thread, and the ranges are disjoint in any order.
        let reserved = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            let address = base.addr() + used;
            start = used + (address.next_multiple_of(layout.align()) - address);
            Some(start + layout.size()).filter(|&end| end <= HEAP)
        });
        match reserved {
            // SAFETY: `start` is within `memory`.
            Ok(_) => unsafe { base.add(start) },
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { memory: UnsafeCell::new([0; HEAP]), used: AtomicUsize::new(0) };

static FAN_IN: FanIn<Add> = FanIn::new(0);

/// What one replica holds after another one put a value.
fn replicated() -> Option<u64> {
    let cluster = ClusterConfig::new("no std", 3);
    let start = |node| {
        let local = Arc::new(TableFanIn::<Add>::new(3));
        Replica::new(&cluster, local, ReplicaId::from_clock(node, Duration::from_secs(1), 7)).ok()
    };
    let (mut here, mut there) = (start(1)?, start(2)?);
    here.put(2, 8).ok()?;
    while let Some((_, packet)) = here.poll_transmit() {
        there.receive(Duration::ZERO, Peer(1), &packet).ok()?;
    }
    Some(there.merged()[2])
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let context = AtomikContext::new(0xCAFE);
    let mut chain = Rollback::new(&context);
    chain.apply(0xFF);
    chain.undo();

    FAN_IN.producer().accum(40);
    FAN_IN.accum(2);

    let table = AtomikTable::new(100);
    let mut epoch = table.epoch();
    table[7].accum(5);

    let planes = TableFanIn::<Add>::new(3);
    planes.producer().accum(2, 6);

    let mut fingerprint = Fingerprint::new();
    fingerprint.load(&[1; 100]);

    let right = context.read() == 0xCAFE
        && FAN_IN.read() == 42
        && epoch.swap().iter().eq([(7, 5)])
        && planes.read(2) == 6
        && fingerprint.value() != 0
        && replicated() == Some(8);
    i32::from(!right)
}
