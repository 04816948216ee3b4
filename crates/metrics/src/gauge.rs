//! Gauges.

use core::fmt;
use std::sync::Arc;

use metrics::GaugeFn;

use crate::activity::Activity;
use crate::sync::{AtomicU64, Ordering};

/// A gauge of a recorder: a value that goes up and down. Clones share the value; a gauge that lives is never dropped from
/// its recorder.
///
/// A gauge is one word that all threads share, since the last [`set`](Self::set) must win over all of them.
#[derive(Clone)]
pub struct Gauge(pub(crate) Arc<GaugeCell>);

impl Gauge {
    /// Sets the value. Wait-free: one store, Release.
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    /// Adds to the value. Lock-free: a compare-and-swap loop.
    pub fn increment(&self, value: f64) {
        self.0.increment(value);
    }

    /// Subtracts from the value. Lock-free, as [`increment`](Self::increment).
    pub fn decrement(&self, value: f64) {
        self.0.decrement(value);
    }

    /// The value. Wait-free: one load, Acquire.
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
