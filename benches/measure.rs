//! Timing by minima: of two rivals that take turns, each one's best run.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long one sample should take at least, in nanoseconds: far more than the clock's error.
const SAMPLE: f64 = 100_000.0;

/// Visits, unless there is a reason for fewer.
pub const VISITS: usize = 8;

/// The pause between two visits. On a shared machine a core is slow for seconds at a time.
const PAUSE: Duration = Duration::from_millis(250);

/// The shortest time of each contestant for one call, in nanoseconds. They take turns, so that a change of
/// the machine's clock or load meets all of them; and with more than one visit these turns are spread over some time,
/// so that a while in which others took the machine is not all that is seen of it.
pub fn race<const N: usize>(
    visits: usize,
    rounds: usize,
    mut contestants: [&mut dyn FnMut(); N],
) -> [f64; N] {
    let calls = contestants.each_mut().map(|contestant| {
        let mut calls = 1u64;
        loop {
            let time = sample(contestant, calls);
            if time >= SAMPLE {
                break calls;
            }
            calls = (calls * 2).max((calls as f64 * SAMPLE / time.max(1.0)) as u64);
        }
    });
    let mut best = [f64::INFINITY; N];
    for visit in 0..visits {
        if visit > 0 {
            sleep(PAUSE);
        }
        for _ in 0..rounds {
            for ((contestant, &calls), best) in contestants.iter_mut().zip(&calls).zip(&mut best) {
                *best = best.min(sample(contestant, calls) / calls as f64);
            }
        }
    }
    best
}

/// Takes a result that nobody wants.
pub fn let_go<T: Copy>(_: T) {}

fn sample(contestant: &mut dyn FnMut(), calls: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        contestant();
    }
    start.elapsed().as_nanos() as f64
}

/// A small generator of numbers for test data: an LCG's high bits.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) << 32 | u64::from(self.next_u32())
    }
}
