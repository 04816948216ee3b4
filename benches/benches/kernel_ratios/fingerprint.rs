//! `Fingerprint::load` against another hash function and against the processor's multiplier.

use std::hint::black_box;

use atomik_benches::kernels::{assert_right_fingerprint, force, level_name, levels_here, random_words};
use atomik_benches::measure::{VISITS, discard, race};
use atomik_benches::places::places;
use atomik_benches::ratio::Ratio;
use atomik_benches::roof::bare_multiplications;
use atomik_benches::run::Subject;
use atomik_core::Fingerprint;
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::IntoBytes;

use super::{At, TargetsOf, at_levels, measured_levels};

/// There is no target, since the ratio depends on the processor's multiplier and on the registers that the build
/// allows XXH3.
pub(super) fn against_xxh3(subject: &mut Subject) {
    let none = [0.0; 4];
    at_levels(subject, &TargetsOf { avx512: none, avx2: none }, |subject, at: At| {
        let mut table = random_words(at.place.words, 1);
        let words = table.as_mut_words();
        let mut fingerprint = Fingerprint::new();
        assert_right_fingerprint(&mut fingerprint, words);
        let data = words.as_bytes();
        let mut ours = || discard(black_box(fingerprint.load(black_box(data))));
        let mut theirs = || discard(black_box(xxh3_64(black_box(data))));
        at.race(subject, ["Fingerprint::load", "XXH3-64"], [&mut ours, &mut theirs]);
    });
}

/// The share of the carry-less multiplier's throughput that `load` reaches. Beyond L2, memory is the limit.
pub(super) fn against_bare_multiplications(subject: &mut Subject) {
    for level in measured_levels(subject.short).filter(|&level| bare_multiplications(level, 0)) {
        force(level);
        for (place, target) in places().into_iter().zip([0.85, 0.0]) {
            let mut table = random_words(place.words, 1);
            let data = table.as_mut_words().as_bytes();
            let mut fingerprint = Fingerprint::new();
            let mut ours = || discard(black_box(fingerprint.load(black_box(data))));
            let mut theirs = || discard(bare_multiplications(level, black_box(place.words)));
            let times = race(VISITS, place.rounds, [&mut ours, &mut theirs]);
            let ratio = Ratio::new("Fingerprint::load", "bare multiplications", times, target);
            subject.push_bytes(data.len(), ratio.at(place.name).level(level_name(level)));
        }
    }
    force(levels_here()[0]);
}
