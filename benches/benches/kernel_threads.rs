//! The kernels on two cores: `kernel::par` against one thread, and `fold` beside ATOMiK's FPGA: `cargo bench -p
//! atomik-benches --bench kernel_threads [-- [--record] [SUBJECT...]]`. Exits with 1 if a ratio misses its target by
//! more than 15 %.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use atomik_benches::kernels::{change, level_name, messages, random_words};
use atomik_benches::measure::{VISITS, discard, pin, pin_rayon, race};
use atomik_benches::places::{Place, places};
use atomik_benches::ratio::Ratio;
use atomik_benches::roof::bare_loads;
use atomik_benches::run::{Run, Subject};
use atomik_core::kernel::par;
use atomik_core::{DeltaBatch, Xor, kernel};

fn main() -> ExitCode {
    pin_rayon();
    let mut run = Run::from_args("kernel_threads");
    run.subject("two_cores", two_cores);
    run.subject("par", |subject| {
        for &place in &places()[2..] {
            slices(subject, place);
            tables(subject, place);
        }
    });
    run.finish()
}

/// The throughput that ATOMiK's README states for its FPGA, in deltas a nanosecond.
const FPGA: f64 = 69.7;

/// The number of deltas in each core's L1: 24 KiB.
const IN_L1: usize = 3 << 10;

/// Two cores that fold the deltas in their own L1 again and again, beside bare loads and the FPGA.
fn two_cores(subject: &mut Subject) {
    let level = kernel::level();
    let (mut fold, mut roof) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..500 {
        fold = fold.min(each_on_two_cores(kernel::fold::<Xor>));
        roof = roof.min(each_on_two_cores(|words| {
            bare_loads(level, words);
            words.len() as u64
        }));
    }
    for (rival, theirs, target) in [("ATOMiK's FPGA", 1.0 / FPGA, 100.0 / FPGA), ("bare loads", roof, 0.9)] {
        let ratio = Ratio::new("fold by two cores", rival, [fold, theirs], target);
        subject.push_bytes(8, ratio.at("L1").level(level_name(level)));
    }
}

/// The nanoseconds of a delta of two threads together, each of which calls this on words of its own.
fn each_on_two_cores(routine: impl Fn(&[u64]) -> u64 + Sync) -> f64 {
    const CALLS: usize = 4_000;
    let ready = AtomicU32::new(0);
    let work = |thread: usize| {
        pin(thread);
        let mut table = random_words(IN_L1, thread as u64);
        let words = &*table.as_mut_words();
        let expected = routine(words).wrapping_mul(CALLS as u64);
        // Release pairs with Acquire: neither thread starts before both are ready.
        ready.fetch_add(1, Ordering::Release);
        while ready.load(Ordering::Acquire) < 2 {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        let total = (0..CALLS).fold(0, |total: u64, _| total.wrapping_add(routine(black_box(words))));
        let end = Instant::now();
        assert_eq!(total, expected);
        (start, end)
    };
    let (first, second) = thread::scope(|scope| {
        let threads = [0, 1].map(|thread| scope.spawn(move || work(thread)));
        let [first, second] = threads.map(|thread| thread.join().expect("the thread doesn't panic"));
        (first, second)
    });
    let time = first.1.max(second.1) - first.0.min(second.0);
    time.as_nanos() as f64 / (2 * CALLS * IN_L1) as f64
}

/// Races all threads against one thread on so many bytes, without a target.
fn line(
    subject: &mut Subject,
    place: Place,
    names: [&str; 2],
    bytes: usize,
    contestants: [&mut dyn FnMut(); 2],
) {
    let times = race(VISITS, place.rounds, contestants);
    let ratio = Ratio::new(names[0], names[1], times, 0.0);
    subject.push_bytes(bytes, ratio.at(place.name).level(level_name(kernel::level())));
}

/// The kernels on slices.
fn slices(subject: &mut Subject, place: Place) {
    let len = place.words / 2;
    let (mut a, mut same, mut changed) = (random_words(len, 1), random_words(len, 1), random_words(len, 1));
    change(changed.as_mut_words(), 1);
    let (words, same, changed) = (a.as_mut_words(), &*same.as_mut_words(), &*changed.as_mut_words());

    assert_eq!(par::fold::<Xor>(changed), kernel::fold::<Xor>(changed));
    let mut all = || discard(black_box(par::fold::<Xor>(black_box(changed))));
    let mut one = || discard(black_box(kernel::fold::<Xor>(black_box(changed))));
    line(subject, place, ["par::fold", "fold"], 8 * len, [&mut all, &mut one]);

    assert!(par::equal(words, same));
    let mut all = || discard(black_box(par::equal(black_box(words), black_box(same))));
    let mut one = || discard(black_box(kernel::equal(black_box(words), black_box(same))));
    line(subject, place, ["par::equal", "equal"], 16 * len, [&mut all, &mut one]);

    let (mut batch, mut expected) = (DeltaBatch::<Xor>::new(), DeltaBatch::<Xor>::new());
    let mut all = || par::diff(black_box(words), black_box(changed), &mut batch);
    let mut one = || kernel::diff(black_box(words), black_box(changed), &mut expected);
    line(subject, place, ["par::diff, 1 % changed", "diff"], 16 * len, [&mut all, &mut one]);
    assert_eq!(batch, expected);

    // Twice the same deltas cancel out.
    par::accum::<Xor>(words, changed);
    kernel::accum::<Xor>(words, changed);
    assert!(words == same);
    let mut others = random_words(len, 1);
    let others = others.as_mut_words();
    let mut all = || par::accum::<Xor>(black_box(words), black_box(changed));
    let mut one = || kernel::accum::<Xor>(black_box(others), black_box(changed));
    line(subject, place, ["par::accum", "accum"], 16 * len, [&mut all, &mut one]);
}

/// The methods of tables.
fn tables(subject: &mut Subject, place: Place) {
    let len = place.words / 2;
    let (mut ours, mut theirs, mut changed) =
        (random_words(len, 1), random_words(len, 1), random_words(len, 1));
    change(changed.as_mut_words(), 1);
    let changed = &*changed.as_mut_words();

    let (mut batch, mut expected) = (DeltaBatch::<Xor>::new(), DeltaBatch::<Xor>::new());
    let mut all = || ours.par_diff(black_box(changed), &mut batch);
    let mut one = || theirs.diff(black_box(changed), &mut expected);
    let names = ["Table::par_diff, 1 % changed", "Table::diff"];
    line(subject, place, names, 16 * len, [&mut all, &mut one]);
    assert_eq!(batch, expected);

    ours.par_accum_dense_mut(changed);
    theirs.accum_dense_mut(changed);
    assert!(ours.as_mut_words() == theirs.as_mut_words());
    let mut all = || ours.par_accum_dense_mut(black_box(changed));
    let mut one = || theirs.accum_dense_mut(black_box(changed));
    let names = ["Table::par_accum_dense_mut", "Table::accum_dense_mut"];
    line(subject, place, names, 16 * len, [&mut all, &mut one]);

    let bytes = messages(1 << 20, place.words);
    let batch: DeltaBatch = (0..place.words as u32).step_by(64).map(|addr| (addr, 5)).collect();
    let (mut ours, mut theirs) = (random_words(place.words, 1), random_words(place.words, 1));
    ours.par_apply_wire(&bytes).expect("all addresses are in range");
    ours.par_accum_batch_mut(&batch).expect("as before");
    theirs.apply_wire(&bytes).expect("as before");
    theirs.accum_batch_mut(&batch).expect("as before");
    assert!(ours.as_mut_words() == theirs.as_mut_words());
    let mut all = || ours.par_apply_wire(black_box(&bytes)).expect("as before");
    let mut one = || theirs.apply_wire(black_box(&bytes)).expect("as before");
    let names = ["Table::par_apply_wire", "Table::apply_wire"];
    line(subject, place, names, bytes.len(), [&mut all, &mut one]);
    let mut all = || ours.par_accum_batch_mut(black_box(&batch)).expect("as before");
    let mut one = || theirs.accum_batch_mut(black_box(&batch)).expect("as before");
    let names = ["Table::par_accum_batch_mut", "Table::accum_batch_mut"];
    line(subject, place, names, 12 * batch.len(), [&mut all, &mut one]);
}
