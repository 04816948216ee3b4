//! The kernels against their limits and rivals: `cargo bench -p atomik-benches --bench kernel_ratios [-- [--short]
//! [--record] [SUBJECT...]]`. `--short` leaves out all levels but the best, and what has no target. Exits with 1 if
//! a ratio misses its target by more than 15 %.

mod apply_wire;
mod fingerprint;
mod short_equal;

use std::hint::black_box;
use std::process::ExitCode;

use atomik_benches::kernels::{change, force, level_name, levels_here, plain_diff, random_words};
use atomik_benches::measure::{VISITS, discard, race};
use atomik_benches::places::{Place, places};
use atomik_benches::ratio::Ratio;
use atomik_benches::roof::bare_loads;
use atomik_benches::run::{Run, Subject};
use atomik_core::kernel::{self, Level};
use atomik_core::{DeltaBatch, Xor};

/// The targets at the four places, or 0 if there is none.
type Targets = [f64; 4];

/// The targets at AVX-512 and AVX2. Those of AVX2 are derived from those of AVX-512 by what registers of half the
/// width can do, as BENCHMARKS.md explains.
struct TargetsOf {
    avx512: Targets,
    avx2: Targets,
}

/// Runs a measurement at each place and level, with its target.
fn at_levels(subject: &mut Subject, targets: &TargetsOf, mut measure: impl FnMut(&mut Subject, At)) {
    for level in measured_levels(subject.short) {
        force(level);
        for (index, place) in places().into_iter().enumerate() {
            let target = match level {
                Level::Avx512 => targets.avx512[index],
                Level::Avx2 => targets.avx2[index],
                _ => 0.0,
            };
            measure(subject, At { level, place, target });
        }
    }
    force(levels_here()[0]);
}

/// AVX-512 and AVX2 if the processor has them, otherwise its best level. Only the best level if `short`.
fn measured_levels(short: bool) -> impl Iterator<Item = Level> {
    let levels = levels_here();
    let best = levels[0];
    let measured = if short { 1 } else { 2 };
    levels.into_iter().filter(move |&level| level >= Level::Avx2 || level == best).take(measured)
}

/// Where and at which level something is measured.
#[derive(Clone, Copy)]
struct At {
    level: Level,
    place: Place,
    target: f64,
}

impl At {
    /// Races two contestants that work on all words of the place, and keeps the ratio.
    fn race(self, subject: &mut Subject, names: [&str; 2], contestants: [&mut dyn FnMut(); 2]) {
        let times = race(VISITS, self.place.rounds, contestants);
        self.push(subject, Ratio::new(names[0], names[1], times, self.target));
    }

    /// The same, where both contestants compare `a` with `b`. A target above 1 is lowered if even bare loads of both
    /// slices could hardly reach it.
    fn race_comparing(
        self,
        subject: &mut Subject,
        names: [&str; 2],
        (a, b): (&[u64], &[u64]),
        [ours, theirs]: [&mut dyn FnMut(); 2],
    ) {
        const SHARE: f64 = 0.9;
        let mut loads = || [a, b].into_iter().for_each(|words| bare_loads(self.level, black_box(words)));
        let [ours, theirs, loads] = race(VISITS, self.place.rounds, [ours, theirs, &mut loads]);
        let limit = if self.target > 1.0 { SHARE * theirs / loads } else { f64::INFINITY };
        let target = self.target.min(limit);
        self.push(subject, Ratio::new(names[0], names[1], [ours, theirs], target));
    }

    fn push(self, subject: &mut Subject, ratio: Ratio) {
        subject.push_bytes(8 * self.place.words, ratio.at(self.place.name).level(level_name(self.level)));
    }
}

fn main() -> ExitCode {
    let native = cfg!(target_feature = "avx2");
    let mut run = Run::from_args(if native { "kernel_native" } else { "kernel_ratios" });
    let both = |avx512, avx2| TargetsOf { avx512, avx2 };
    run.subject("fold", |subject| {
        at_levels(subject, &both([0.90, 0.90, 0.95, 0.95], [0.90, 0.90, 0.95, 0.95]), fold);
    });
    run.subject("accum", |subject| {
        at_levels(subject, &both([0.80, 0.90, 0.95, 0.0], [0.60, 0.90, 0.95, 0.0]), accum);
    });
    run.subject("equal", |subject| {
        at_levels(subject, &both([1.6, 1.15, 0.97, 0.97], [1.0, 1.0, 0.97, 0.97]), equal);
    });
    run.subject("diff", |subject| {
        let unchanged = both([0.80, 0.90, 0.95, 0.95], [0.80, 0.90, 0.95, 0.95]);
        at_levels(subject, &unchanged, diff_unchanged);
        for (percent, targets) in [
            (1, both([5.0, 5.0, 1.4, 1.4], [2.5, 2.5, 1.4, 1.4])),
            (50, both([3.5, 6.0, 3.0, 3.0], [1.75, 3.0, 3.0, 3.0])),
        ] {
            at_levels(subject, &targets, |subject, at| diff_changed(subject, at, percent));
        }
    });
    if !run.short() {
        run.subject("fingerprint", fingerprint::against_xxh3);
    }
    run.subject("fingerprint_limit", fingerprint::against_bare_multiplications);
    run.subject("short_equal", short_equal::short_equal);
    run.subject("apply_wire", apply_wire::apply_wire);
    run.finish()
}

fn fold(subject: &mut Subject, at: At) {
    let mut table = random_words(at.place.words, 1);
    let words = &*table.as_mut_words();
    assert_eq!(kernel::fold::<Xor>(words), words.iter().fold(0, |a, b| a ^ b));
    let mut ours = || discard(black_box(kernel::fold::<Xor>(black_box(words))));
    let mut theirs = || bare_loads(at.level, black_box(words));
    at.race(subject, ["fold", "bare loads"], [&mut ours, &mut theirs]);
}

fn accum(subject: &mut Subject, at: At) {
    let len = at.place.words / 2;
    let (mut dst, mut deltas) = (random_words(len, 1), random_words(len, 2));
    let deltas = &*deltas.as_mut_words();
    let dst = dst.as_mut_words();
    let expected: Vec<u64> = dst.iter().zip(deltas).map(|(a, b)| a ^ b).collect();
    kernel::accum::<Xor>(dst, deltas);
    assert_eq!(dst, expected);
    let mut copy = random_words(len, 3);
    let copy = copy.as_mut_words();
    let mut ours = || kernel::accum::<Xor>(black_box(dst), black_box(deltas));
    let mut theirs = || black_box(&mut *copy).copy_from_slice(black_box(deltas));
    at.race(subject, ["accum", "copy_from_slice"], [&mut ours, &mut theirs]);
}

fn equal(subject: &mut Subject, at: At) {
    let (mut a, mut b) = (random_words(at.place.words / 2, 1), random_words(at.place.words / 2, 1));
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    assert!(kernel::equal(a, b));
    let mut ours = || discard(black_box(kernel::equal(black_box(a), black_box(b))));
    let mut theirs = || discard(black_box(black_box(a) == black_box(b)));
    at.race_comparing(subject, ["equal", "=="], (a, b), [&mut ours, &mut theirs]);
}

fn diff_unchanged(subject: &mut Subject, at: At) {
    let (mut a, mut b) = (random_words(at.place.words / 2, 1), random_words(at.place.words / 2, 1));
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    let mut batch = DeltaBatch::<Xor>::new();
    kernel::diff(a, b, &mut batch);
    assert!(batch.is_empty());
    let mut ours = || kernel::diff(black_box(a), black_box(b), black_box(&mut batch));
    let mut theirs = || discard(black_box(kernel::equal(black_box(a), black_box(b))));
    at.race(subject, ["diff, nothing changed", "equal"], [&mut ours, &mut theirs]);
}

fn diff_changed(subject: &mut Subject, at: At, percent: u32) {
    let (mut a, mut b) = (random_words(at.place.words / 2, 1), random_words(at.place.words / 2, 1));
    change(b.as_mut_words(), percent);
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    let mut batch = DeltaBatch::<Xor>::new();
    let mut pairs = Vec::new();
    kernel::diff(a, b, &mut batch);
    plain_diff(a, b, &mut pairs);
    assert!(batch.iter().eq(pairs.iter().copied()));
    let mut ours = || kernel::diff(black_box(a), black_box(b), black_box(&mut batch));
    let mut theirs = || plain_diff(black_box(a), black_box(b), black_box(&mut pairs));
    let names = [&*format!("diff, {percent} % changed"), "loop with Vec::push"];
    at.race_comparing(subject, names, (a, b), [&mut ours, &mut theirs]);
}
