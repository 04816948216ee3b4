//! The kernels against their roofs and rivals, taking turns in one run: `cargo bench -p atomik-benches --bench
//! kernel_ratios [-- [--short] [--save NAME] [part of a kernel's name]]`. `--short` leaves out all levels but
//! the best, and what has no target. Exits with 1 where a ratio misses its target by more than 15 %.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Mutex;

use atomik_benches::kernels::{
    PLACES, Place, apply_wire_under_lock, assert_right_fingerprint, change, level_name, levels_here,
    messages, plain_apply_wire, plain_diff, random_words,
};
use atomik_benches::measure::{VISITS, let_go, race};
use atomik_benches::record::Run;
use atomik_benches::roof::bare_loads;
use atomik_core::kernel::{self, Level};
use atomik_core::{DeltaBatch, Fingerprint, Xor};
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::IntoBytes;

/// Targets at the four places; 0 where there is none.
type Targets = [f64; 4];

/// One kernel's targets at a level. Those of AVX-512 are the project's. Those of AVX2 are derived from them,
/// by what its registers of half the width can do:
///
/// - the same share of its own roof (bare loads of 32 bytes, its own `equal`);
/// - `accum`: in L1 three quarters, for a core loads 3 x 32 bytes a cycle, or 2 x 64;
/// - `equal`: no faster than `==`, whose registers are as wide;
/// - `diff` with changes and `Fingerprint`: half in L1 and L2, which are bound by work on registers;
/// - L3 and memory as they are, which no level's registers bound.
fn targets(level: Level, avx512: Targets, avx2: Targets) -> Targets {
    match level {
        Level::Avx512 => avx512,
        Level::Avx2 => avx2,
        _ => [0.0; 4],
    }
}

fn main() -> ExitCode {
    let mut run = Run::from_args();
    let levels = levels_here();
    let best = levels[0];
    let measured = if run.short { 1 } else { 2 };
    for level in levels.into_iter().filter(|&level| level >= Level::Avx2 || level == best).take(measured) {
        kernel::set_level(level);
        at_level(&mut run, level);
    }
    kernel::set_level(best);
    apply_wire_locked(&mut run);
    apply_wire_plain(&mut run);
    run.finish()
}

fn at_level(run: &mut Run, level: Level) {
    for (index, &place) in PLACES.iter().enumerate() {
        let at = |avx512, avx2| targets(level, avx512, avx2)[index];
        let r = &mut *run;
        fold(r, level, place, at([0.90, 0.90, 0.95, 0.95], [0.90, 0.90, 0.95, 0.95]));
        accum(r, level, place, at([0.80, 0.90, 0.95, 0.0], [0.60, 0.90, 0.95, 0.0]));
        equal(r, level, place, at([1.6, 1.15, 0.97, 0.97], [1.0, 1.0, 0.97, 0.97]));
        diff_unchanged(r, level, place, at([0.80, 0.90, 0.95, 0.95], [0.80, 0.90, 0.95, 0.95]));
        diff_changed(r, level, place, 1, at([5.0, 5.0, 1.4, 1.4], [2.5, 2.5, 1.4, 1.4]));
        diff_changed(r, level, place, 50, at([3.5, 6.0, 3.0, 3.0], [1.75, 3.0, 3.0, 3.0]));
        // XXH3 takes the widest registers that the build allows.
        let [default, native] = [[3.5, 3.5, 1.3, 1.3], [1.5, 1.5, 1.0, 1.0]];
        let half = |[l1, l2, l3, memory]: Targets| [l1 / 2.0, l2 / 2.0, l3, memory];
        let of_build = if cfg!(target_feature = "avx2") { native } else { default };
        fingerprint(r, level, place, at(of_build, half(of_build)));
    }
    short_equal(run, level);
}

fn fold(run: &mut Run, level: Level, place: Place, target: f64) {
    if !run.wants("fold") {
        return;
    }
    let mut table = random_words(place.words, 1);
    let words = &*table.as_mut_words();
    assert_eq!(kernel::fold::<Xor>(words), words.iter().fold(0, |a, b| a ^ b));
    let times = race(
        VISITS,
        place.rounds,
        [&mut || let_go(black_box(kernel::fold::<Xor>(black_box(words)))), &mut || {
            bare_loads(level, black_box(words))
        }],
    );
    run.line(["fold", "bare loads"], level_name(level), place.name, 8 * place.words, times, target);
}

fn accum(run: &mut Run, level: Level, place: Place, target: f64) {
    if !run.wants("accum") {
        return;
    }
    let (mut dst, mut deltas) = (random_words(place.words / 2, 1), random_words(place.words / 2, 2));
    let deltas = &*deltas.as_mut_words();
    let dst = dst.as_mut_words();
    let expected: Vec<u64> = dst.iter().zip(deltas).map(|(a, b)| a ^ b).collect();
    kernel::accum::<Xor>(dst, deltas);
    assert_eq!(dst, expected);
    let mut copy = random_words(place.words / 2, 3);
    let copy = copy.as_mut_words();
    let times = race(
        VISITS,
        place.rounds,
        [&mut || kernel::accum::<Xor>(black_box(dst), black_box(deltas)), &mut || {
            black_box(&mut *copy).copy_from_slice(black_box(deltas))
        }],
    );
    let names = ["accum", "copy_from_slice"];
    run.line(names, level_name(level), place.name, 8 * place.words, times, target);
}

fn equal(run: &mut Run, level: Level, place: Place, target: f64) {
    if !run.wants("equal") {
        return;
    }
    let (mut a, mut b) = (random_words(place.words / 2, 1), random_words(place.words / 2, 1));
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    assert!(kernel::equal(a, b));
    let times = race(
        VISITS,
        place.rounds,
        [&mut || let_go(black_box(kernel::equal(black_box(a), black_box(b)))), &mut || {
            let_go(black_box(black_box(a) == black_box(b)))
        }],
    );
    run.line(["equal", "=="], level_name(level), place.name, 8 * place.words, times, target);
}

fn short_equal(run: &mut Run, level: Level) {
    if !run.wants("short") {
        return;
    }
    let (mut a, mut b) = (random_words(64, 1), random_words(64, 1));
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    for len in 1..=64 {
        let (a, b) = (&a[..len], &b[..len]);
        assert!(kernel::equal(a, b));
        let times = race(
            1,
            40,
            [&mut || let_go(black_box(kernel::equal(black_box(a), black_box(b)))), &mut || {
                let_go(black_box(black_box(a) == black_box(b)))
            }],
        );
        run.line(["short equal", "=="], level_name(level), &len.to_string(), 16 * len, times, 1.0);
    }
}

fn diff_unchanged(run: &mut Run, level: Level, place: Place, target: f64) {
    if !run.wants("diff") {
        return;
    }
    let (mut a, mut b) = (random_words(place.words / 2, 1), random_words(place.words / 2, 1));
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    let mut batch = DeltaBatch::<Xor>::new();
    kernel::diff(a, b, &mut batch);
    assert!(batch.is_empty());
    let times = race(
        VISITS,
        place.rounds,
        [&mut || kernel::diff(black_box(a), black_box(b), black_box(&mut batch)), &mut || {
            let_go(black_box(kernel::equal(black_box(a), black_box(b))))
        }],
    );
    let names = ["diff, nothing changed", "equal"];
    run.line(names, level_name(level), place.name, 8 * place.words, times, target);
}

fn diff_changed(run: &mut Run, level: Level, place: Place, percent: u32, target: f64) {
    if !run.wants("diff") {
        return;
    }
    let (mut a, mut b) = (random_words(place.words / 2, 1), random_words(place.words / 2, 1));
    change(b.as_mut_words(), percent);
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    let mut batch = DeltaBatch::<Xor>::new();
    let mut pairs = Vec::new();
    kernel::diff(a, b, &mut batch);
    plain_diff(a, b, &mut pairs);
    assert!(batch.iter().eq(pairs.iter().copied()));
    let times = race(
        VISITS,
        place.rounds,
        [&mut || kernel::diff(black_box(a), black_box(b), black_box(&mut batch)), &mut || {
            plain_diff(black_box(a), black_box(b), black_box(&mut pairs))
        }],
    );
    let names = [&*format!("diff, {percent} % changed"), "loop with Vec::push"];
    run.line(names, level_name(level), place.name, 8 * place.words, times, target);
}

fn fingerprint(run: &mut Run, level: Level, place: Place, target: f64) {
    if !run.wants("Fingerprint::load") {
        return;
    }
    let mut table = random_words(place.words, 1);
    let words = table.as_mut_words();
    let mut fingerprint = Fingerprint::new();
    assert_right_fingerprint(&mut fingerprint, words);
    let data = words.as_bytes();
    let times = race(
        VISITS,
        place.rounds,
        [&mut || let_go(black_box(fingerprint.load(black_box(data)))), &mut || {
            let_go(black_box(xxh3_64(black_box(data))))
        }],
    );
    run.line(["Fingerprint::load", "XXH3-64"], level_name(level), place.name, data.len(), times, target);
}

/// A size of a table, as its readers know it.
fn contexts(len: usize) -> String {
    match len {
        0..1024 => format!("{len}"),
        1024..0x10_0000 => format!("{} K", len >> 10),
        _ => format!("{} M", len >> 20),
    }
}

const MESSAGES: usize = 4 << 20;

/// By two threads under one lock; and by one thread that owns the table.
fn apply_wire_locked(run: &mut Run) {
    if !run.wants("apply_wire") {
        return;
    }
    for len in [256, 4 << 10, 64 << 10] {
        let bytes = messages(MESSAGES, len);
        let mut table = random_words(len, 1);
        let words = table.as_mut_words();
        let locked = Mutex::new(words.to_vec());
        kernel::apply_wire::<Xor>(words, &bytes).expect("addresses are of the table");
        apply_wire_under_lock(&locked, &bytes);
        assert_eq!(words, *locked.lock().expect("nobody panics"));
        let times = race(
            3,
            1,
            [
                &mut || {
                    kernel::apply_wire::<Xor>(black_box(words), black_box(&bytes)).expect("as before");
                },
                &mut || apply_wire_under_lock(black_box(&locked), black_box(&bytes)),
            ],
        );
        let names = ["apply_wire", "loop under Mutex, 2 threads"];
        run.line(names, "", &contexts(len), bytes.len(), times, 15.0);
    }
}

fn apply_wire_plain(run: &mut Run) {
    if !run.wants("apply_wire") {
        return;
    }
    for len in [256, 4 << 10, 64 << 10, 1 << 20, 32 << 20] {
        let target = if len >= 32 << 20 { 1.2 } else { 0.0 };
        if run.short && target == 0.0 {
            continue;
        }
        let bytes = messages(MESSAGES, len);
        let (mut ours, mut plain) = (random_words(len, 1), random_words(len, 1));
        let (ours, plain) = (ours.as_mut_words(), plain.as_mut_words());
        kernel::apply_wire::<Xor>(ours, &bytes).expect("addresses are of the table");
        plain_apply_wire(plain, &bytes);
        assert!(ours == plain);
        let times = race(
            5,
            1,
            [
                &mut || kernel::apply_wire::<Xor>(black_box(ours), black_box(&bytes)).expect("as before"),
                &mut || plain_apply_wire(black_box(plain), black_box(&bytes)),
            ],
        );
        run.line(["apply_wire", "plain loop"], "", &contexts(len), bytes.len(), times, target);
    }
}
