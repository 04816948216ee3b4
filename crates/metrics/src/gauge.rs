//! Gauges.

use core::fmt;
use std::sync::Arc;

use metrics::GaugeFn;

use crate::activity::Activity;
use crate::sync::{AtomicU64, Ordering};

/// A gauge of a recorder: a value that goes up and down. All clones have the same value. A gauge is not dropped from its
/// recorder while it has a handle.
///
/// All threads share the one word of a gauge, because the last [`set`](Self::set) must win whichever thread makes it.
#[derive(Clone)]
pub struct Gauge(pub(crate) Arc<GaugeCell>);

impl Gauge {
    /// Sets the value with a store, Release. Wait-free.
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    /// Adds to the value in a compare-and-swap loop, Release. Lock-free.
    pub fn increment(&self, value: f64) {
        self.0.increment(value);
    }

    /// Subtracts from the value, as [`increment`](Self::increment) adds to it.
    pub fn decrement(&self, value: f64) {
        self.0.decrement(value);
    }

    /// The value, by one load, Acquire. Wait-free.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.0.value()
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauge").field(&self.value()).finish()
    }
}

#[derive(Debug)]
pub(crate) struct GaugeCell {
    bits: AtomicU64,
    pub(crate) activity: Activity,
}

impl GaugeCell {
    pub(crate) fn new(activity: Activity) -> Self {
        Self { bits: AtomicU64::new(0), activity }
    }

    pub(crate) fn value(&self) -> f64 {
        // Acquire: pairs with the Release in `set` and `update`.
        f64::from_bits(self.bits.load(Ordering::Acquire))
    }

    fn update(&self, update: impl Fn(f64) -> f64) {
        // Relaxed: the exchange below decides.
        let mut bits = self.bits.load(Ordering::Relaxed);
        loop {
            let updated = update(f64::from_bits(bits)).to_bits();
            // Release: pairs with the Acquire in `value`. On failure only the value matters: Relaxed.
            match self.bits.compare_exchange_weak(bits, updated, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(current) => bits = current,
            }
        }
        self.activity.touch();
    }
}

impl GaugeFn for GaugeCell {
    fn increment(&self, value: f64) {
        self.update(|current| current + value);
    }

    fn decrement(&self, value: f64) {
        self.update(|current| current - value);
    }

    fn set(&self, value: f64) {
        // Release: pairs with the Acquire in `value`.
        self.bits.store(value.to_bits(), Ordering::Release);
        self.activity.touch();
    }
}
