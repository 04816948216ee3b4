//! `equal` on few words, where the call is most of the cost.

use std::hint::black_box;

use atomik_benches::kernels::{force, level_name, levels_here, random_words};
use atomik_benches::measure::{discard, race};
use atomik_benches::ratio::Ratio;
use atomik_benches::run::Subject;
use atomik_core::kernel;

use super::measured_levels;

pub(super) fn short_equal(subject: &mut Subject) {
    for level in measured_levels(subject.short) {
        force(level);
        let (mut a, mut b) = (random_words(64, 1), random_words(64, 1));
        let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
        for len in 1..=64 {
            let (a, b) = (&a[..len], &b[..len]);
            assert!(kernel::equal(a, b));
            let mut ours = || discard(black_box(kernel::equal(black_box(a), black_box(b))));
            let mut theirs = || discard(black_box(black_box(a) == black_box(b)));
            let times = race(2, 40, [&mut ours, &mut theirs]);
            let ratio = Ratio::new("equal", "==", times, 0.95);
            subject.push_bytes(16 * len, ratio.at(len.to_string()).level(level_name(level)));
        }
    }
    force(levels_here()[0]);
}
