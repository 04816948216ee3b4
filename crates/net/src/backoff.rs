//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double, each made shorter by a random part of up to a half, so that many nodes do not come at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    first: Duration,
    last: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, last: Duration) -> Self {
        Self { next: first, first, last }
    }

    /// The wait before the next attempt.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = self.last.min(wait.saturating_mul(2));
        wait.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// Begins anew after a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_last_and_are_shortened_by_at_most_a_half() {
        let milliseconds = Duration::from_millis;
        let mut backoff = Backoff::new(milliseconds(100), milliseconds(1_000));
        for whole in [100, 200, 400, 800, 1_000, 1_000] {
            let wait = backoff.wait();
            assert!(milliseconds(whole / 2) <= wait && wait <= milliseconds(whole), "{wait:?} of {whole} ms");
        }
        backoff.reset();
        assert!(backoff.wait() <= milliseconds(100));
    }
}
