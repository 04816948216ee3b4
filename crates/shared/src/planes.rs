//! The planes of a mapped file, and what they compose to.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use atomik_core::{Algebra, Context, TableRead, kernel};

use crate::layout::FileLayout;
use crate::mapping::Mapping;

/// The words that are copied out of a plane at a time: 4 KiB, which stay in L1.
const COPY_WORDS: usize = 512;

/// The planes of a mapping.
#[derive(Debug)]
pub(crate) struct Planes<A> {
    mapping: Mapping,
    /// The first word of the first plane.
    start: *const AtomicU64,
    len: usize,
    lanes: usize,
    /// The words from one plane to the next.
    stride: usize,
    steps: Steps,
    algebra: PhantomData<fn() -> A>,
}

/// Multiples of the distance between two planes, in bytes. A read loads them, so the compiler does not know that they are
/// multiples of one number. If it did, it would compute the address of each lane from that of the lane before, and the
/// loads would wait for each other's addresses.
#[derive(Clone, Copy, Debug)]
struct Steps {
    one: usize,
    three: usize,
    five: usize,
    seven: usize,
    eight: usize,
}

impl Steps {
    /// They don't overflow where there are as many planes, since the planes are mapped.
    fn new(bytes: usize) -> Self {
        let times = |factor| bytes.wrapping_mul(factor);
        Self { one: bytes, three: times(3), five: times(5), seven: times(7), eight: times(8) }
    }
}

// SAFETY: the pointer leads into the mapping, which may be sent and shared, to atomics.
unsafe impl<A> Send for Planes<A> {}
// SAFETY: as above.
unsafe impl<A> Sync for Planes<A> {}

impl<A: Algebra> Planes<A> {
    pub(crate) fn new(mapping: Mapping, layout: &FileLayout) -> Self {
        let (len, lanes, stride) = (layout.len(), layout.lanes(), layout.stride as usize / 8);
        let start = mapping.at(layout.planes, lanes * stride).cast().as_ptr();
        Self { mapping, start, len, lanes, stride, steps: Steps::new(8 * stride), algebra: PhantomData }
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The contexts of a plane. They may be written to if the mapping is writable.
    #[inline]
    pub(crate) fn plane(&self, lane: usize) -> &[Context<A>] {
        assert!(lane < self.lanes);
        // SAFETY: `new` has checked that all planes are in the mapping, which lives as long as `self`. The mapping is
        // aligned to a page and the plane to 128 bytes. Everybody accesses it by atomics.
        unsafe {
            let start = self.start.add(lane * self.stride);
            Context::slice_from_ptr(start.cast_mut().cast(), self.len)
        }
    }

    /// READ: what the words at an address compose to. Wait-free, Acquire.
    #[inline]
    #[track_caller]
    pub(crate) fn read(&self, addr: usize) -> u64 {
        if addr >= self.len {
            past_the_end(addr, self.len);
        }
        let Steps { one, three, five, seven, eight } = self.steps;
        let mut lane = self.start.wrapping_add(addr);
        let load = |lane: *const AtomicU64, bytes: usize| {
            // SAFETY: `new` has checked that all planes are in the mapping, and the address is in the plane. The loops
            // below take each lane once.
            let word = unsafe { &*lane.wrapping_byte_add(bytes) };
            // Relaxed: the fence below orders all of these loads. On memory that can only be read, Rust allows no other.
            word.load(Ordering::Relaxed)
        };
        let (mut even, mut odd) = (A::IDENTITY, A::IDENTITY);
        for _ in 0..self.lanes / 8 {
            even = A::compose(even, load(lane, 0));
            odd = A::compose(odd, load(lane, one));
            even = A::compose(even, load(lane, 2 * one));
            odd = A::compose(odd, load(lane, three));
            even = A::compose(even, load(lane, 4 * one));
            odd = A::compose(odd, load(lane, five));
            even = A::compose(even, load(lane, 2 * three));
            odd = A::compose(odd, load(lane, seven));
            lane = lane.wrapping_byte_add(eight);
        }
        for _ in 0..self.lanes % 8 {
            even = A::compose(even, load(lane, 0));
            lane = lane.wrapping_byte_add(one);
        }
        // Acquire: pairs with the Release of the producers, for all loads above.
        fence(Ordering::Acquire);
        A::compose(even, odd)
    }

    /// Copies states, as [`TableRead::copy_states`] does.
    pub(crate) fn copy_states(&self, start: usize, out: &mut [u64]) {
        assert!(start <= self.len && out.len() <= self.len - start, "the table ends before the copy does");
        let mut copy = [0; COPY_WORDS];
        for (start, out) in (start..).step_by(COPY_WORDS).zip(out.chunks_mut(COPY_WORDS)) {
            self.plane(0).copy_states(start, out);
            let copy = &mut copy[..out.len()];
            for lane in 1..self.lanes {
                self.plane(lane).copy_states(start, copy);
                kernel::accum::<A>(out, copy);
            }
        }
    }

    /// Compares states, as [`TableRead::are_states`] does.
    pub(crate) fn are_states(&self, start: usize, states: &[u64]) -> bool {
        self.lanes == 1 && self.plane(0).are_states(start, states)
    }
}

#[cold]
#[track_caller]
pub(crate) fn past_the_end(addr: usize, len: usize) -> ! {
    panic!("address {addr} is past the end of a table of {len}")
}
