//! Sums of floating-point numbers in a table fan-in.

use super::TableFanIn;
#[cfg(feature = "std")]
use super::plane::Plane;
use super::table_fan_in::past_the_end;
use crate::algebra::Add;
#[cfg(feature = "std")]
use crate::context::Context;

impl TableFanIn<Add> {
    /// ACCUM at `addr`, and an addition of floating-point numbers at `sum_addr`, with one look-up of the calling thread's
    /// plane. For counts and the sums that belong to them, such as those of a histogram.
    ///
    /// At `sum_addr` each plane holds a partial sum as the bits of an `f64`, and [`read_f64`](Self::read_f64) adds them
    /// up. Such an address must not be used for anything else; observers and the other calls see words there that mean
    /// nothing. Additions of floating-point numbers round, so a sum depends a little on which thread added what.
    ///
    /// A reader that reads the count first sees the value of each counted delta in the sum. Progress, ordering and cost
    /// are otherwise those of two calls of [`accum`](Self::accum) with one look-up. Callers that share a plane add to the
    /// sum by compare-and-swap, which is lock-free.
    ///
    /// # Panics
    ///
    /// If `addr` or `sum_addr` is past the end.
    ///
    /// ```
    /// use atomik_core::{Add, TableFanIn};
    ///
    /// static LATENCY: TableFanIn<Add> = TableFanIn::new(2);
    ///
    /// for seconds in [0.25, 0.5] {
    ///     LATENCY.accum_with_f64(0, 1, 1, seconds);
    /// }
    /// assert_eq!(LATENCY.read_f64(1) / LATENCY.read(0) as f64, 0.375);
    /// ```
    #[inline]
    #[track_caller]
    pub fn accum_with_f64(&self, addr: usize, delta: u64, sum_addr: usize, value: f64) {
        #[cfg(feature = "std")]
        if add_alone(self.threads.near(), addr, delta, sum_addr, value) {
            return;
        }
        self.accum_with_f64_elsewhere(addr, delta, sum_addr, value);
    }

    /// [`accum_with_f64`](Self::accum_with_f64) where `accum` would go to `accum_elsewhere`.
    #[inline(never)]
    #[track_caller]
    fn accum_with_f64_elsewhere(&self, addr: usize, delta: u64, sum_addr: usize, value: f64) {
        if addr.max(sum_addr) >= self.len {
            past_the_end(addr.max(sum_addr), self.len);
        }
        #[cfg(feature = "std")]
        {
            if add_alone(self.threads.get(), addr, delta, sum_addr, value) {
                return;
            }
            if let Some(plane) = self.make_thread_plane()
                && add_alone(plane, addr, delta, sum_addr, value)
            {
                return;
            }
        }
        let shared = self.shared_plane();
        shared.contexts()[sum_addr].accum_f64(value);
        shared.touch_shared(sum_addr);
        shared.accum(addr, delta);
    }

    /// The sum at `addr` of what was added by [`accum_with_f64`](Self::accum_with_f64): the planes' partial sums, added
    /// in the planes' order. Wait-free: loads the address in each plane, Acquire.
    ///
    /// # Panics
    ///
    /// If `addr` is past the end.
    #[must_use]
    #[track_caller]
    pub fn read_f64(&self, addr: usize) -> f64 {
        if addr >= self.len {
            past_the_end(addr, self.len);
        }
        self.planes().fold(0.0, |total, plane| total + f64::from_bits(plane[addr].read()))
    }
}

/// Adds to a count and a sum of a plane by its only writer. Returns `false` if the plane has not been made.
#[cfg(feature = "std")]
#[inline]
fn add_alone(plane: Plane<'_, Add>, addr: usize, delta: u64, sum_addr: usize, value: f64) -> bool {
    let add = |count: &Context<Add>, sum: &Context<Add>| {
        // The count last. Release, as all stores of contexts: whoever sees the count sees the sum.
        sum.load((f64::from_bits(sum.read_relaxed()) + value).to_bits());
        count.accum_alone(delta);
    };
    let unmarked = plane.unmarked();
    if let (Some(count), Some(sum)) = (unmarked.get(addr), unmarked.get(sum_addr)) {
        add(count, sum);
    } else if let (Some(count), Some(sum)) = (plane.marked(addr), plane.marked(sum_addr)) {
        add(count.0, sum.0);
        count.1.touch();
        sum.1.touch();
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests;
