//! Timing by minima: contestants take turns, and the best turn of each one counts.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// The least time of one sample in nanoseconds, far above the error of the clock.
const SAMPLE: f64 = 100_000.0;

/// The usual number of visits.
pub const VISITS: usize = 8;

/// The pause between two visits. On a shared machine a core can be slow for seconds at a time.
const PAUSE: Duration = Duration::from_millis(250);

/// The shortest time of one call of each contestant, in nanoseconds.
///
/// The contestants take turns, so that a change of the clock or of other load affects all of them. Each visit
/// is a number of rounds; pauses between the visits spread the turns over some seconds, so that a period in
/// which others use the machine doesn't decide the result.
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

/// Pins the calling thread to a core, the threads with consecutive numbers to different cores as far as there are
/// any. Schedulers may keep threads that have just started on one core, where they take turns and never meet. A thread
/// inherits this from the thread that starts it, so it is not for main threads.
pub fn pin(thread: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if !cores.is_empty() {
        core_affinity::set_for_current(cores[thread % cores.len()]);
    }
}

/// Pins the threads of `kernel::par`. To be called before any of its functions.
///
/// # Panics
///
/// Panics if the threads are running already.
pub fn pin_rayon() {
    let pool = rayon::ThreadPoolBuilder::new().start_handler(pin);
    pool.build_global().expect("the threads are not running yet");
}

/// Discards a result.
pub fn discard<T: Copy>(_: T) {}

fn sample(contestant: &mut dyn FnMut(), calls: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        contestant();
    }
    start.elapsed().as_nanos() as f64
}

/// A small generator of test data: the high bits of a linear congruential generator.
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
