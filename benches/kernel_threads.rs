//! What two cores do: `kernel::par` against one thread, and folding beside the FPGA of ATOMiK's own:
//! `cargo bench -p atomik-benches --bench kernel_threads [-- [--save NAME] ["two cores" | par]]`. Exits with 1
//! where a target is missed by more than 15 %.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use atomik_benches::kernels::{PLACES, change, level_name, messages, random_words};
use atomik_benches::measure::{VISITS, let_go, race};
use atomik_benches::record::Run;
use atomik_benches::roof::bare_loads;
use atomik_core::{DeltaBatch, Xor, kernel};

fn main() -> ExitCode {
    let mut run = Run::from_args();
    two_cores(&mut run);
    on_all_threads(&mut run);
    run.finish()
}

/// What ATOMiK's README gives for its FPGA, in deltas a nanosecond.
const FPGA: f64 = 69.7;

/// Deltas in each core's L1, half of it.
const IN_L1: usize = 3 << 10;

/// Two cores that each fold deltas in their own L1, over and over, beside the roof of bare loads and the FPGA.
fn two_cores(run: &mut Run) {
    if !run.wants("two cores") {
        return;
    }
    let level = kernel::level();
    let (mut fold, mut roof) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..500 {
        fold = fold.min(each_on_two_cores(kernel::fold::<Xor>));
        roof = roof.min(each_on_two_cores(|words| {
            bare_loads(level, words);
            words.len() as u64
        }));
    }
    let names = ["fold by two cores", "ATOMiK's FPGA"];
    run.line(names, level_name(level), "L1", 8, [fold, 1.0 / FPGA], 100.0 / FPGA);
    run.line(["fold by two cores", "bare loads"], level_name(level), "L1", 8, [fold, roof], 0.9);
}

/// The nanoseconds of a delta, of two threads together that call this on words of their own.
fn each_on_two_cores(routine: impl Fn(&[u64]) -> u64 + Sync) -> f64 {
    const CALLS: usize = 4_000;
    let ready = AtomicU32::new(0);
    let work = |seed| {
        let mut table = random_words(IN_L1, seed);
        let words = &*table.as_mut_words();
        let expected = routine(words).wrapping_mul(CALLS as u64);
        // Release and Acquire: neither starts before both are ready.
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
        let other = scope.spawn(|| work(2));
        (work(1), other.join().expect("it does not panic"))
    });
    let time = first.1.max(second.1) - first.0.min(second.0);
    time.as_nanos() as f64 / (2 * CALLS * IN_L1) as f64
}

/// The kernels on all threads against one.
fn on_all_threads(run: &mut Run) {
    use kernel::par;
    if !run.wants("par") {
        return;
    }
    let level = level_name(kernel::level());
    for place in &PLACES[2..] {
        let len = place.words / 2;
        let (mut a, mut same, mut changed) =
            (random_words(len, 1), random_words(len, 1), random_words(len, 1));
        change(changed.as_mut_words(), 1);
        let (same, changed) = (&*same.as_mut_words(), &*changed.as_mut_words());
        let (mut batch, mut expected) = (DeltaBatch::<Xor>::new(), DeltaBatch::<Xor>::new());
        let mut line = |work: &str, rival: &str, bytes, all: &mut dyn FnMut(), one: &mut dyn FnMut()| {
            run.line([work, rival], level, place.name, bytes, race(VISITS, place.rounds, [all, one]), 0.0);
        };
        assert_eq!(par::fold::<Xor>(changed), kernel::fold::<Xor>(changed));
        line(
            "par::fold",
            "fold",
            8 * len,
            &mut || let_go(black_box(par::fold::<Xor>(black_box(changed)))),
            &mut || let_go(black_box(kernel::fold::<Xor>(black_box(changed)))),
        );
        assert!(par::equal(a.as_mut_words(), same));
        let words = &*a.as_mut_words();
        line(
            "par::equal",
            "equal",
            16 * len,
            &mut || let_go(black_box(par::equal(black_box(words), black_box(same)))),
            &mut || let_go(black_box(kernel::equal(black_box(words), black_box(same)))),
        );
        par::diff(words, changed, &mut batch);
        kernel::diff(words, changed, &mut expected);
        assert_eq!(batch, expected);
        line(
            "par::diff, 1 % changed",
            "diff",
            16 * len,
            &mut || par::diff(black_box(words), black_box(changed), &mut batch),
            &mut || kernel::diff(black_box(words), black_box(changed), &mut expected),
        );
        let table = Mutex::new(a);
        let lock = || table.lock().expect("nobody panics");
        line(
            "Table::par_diff, 1 % changed",
            "Table::diff",
            16 * len,
            &mut || lock().par_diff(black_box(changed), &mut batch),
            &mut || lock().diff(black_box(changed), &mut expected),
        );
        assert_eq!(batch, expected);
        // Twice the same deltas leave nothing.
        lock().par_accum_dense_mut(changed);
        lock().accum_dense_mut(changed);
        assert!(*lock().as_mut_words() == *same);
        line(
            "par::accum",
            "accum",
            16 * len,
            &mut || par::accum::<Xor>(black_box(lock().as_mut_words()), black_box(changed)),
            &mut || kernel::accum::<Xor>(black_box(lock().as_mut_words()), black_box(changed)),
        );
        line(
            "Table::par_accum_dense_mut",
            "Table::accum_dense_mut",
            16 * len,
            &mut || lock().par_accum_dense_mut(black_box(changed)),
            &mut || lock().accum_dense_mut(black_box(changed)),
        );
        let bytes = messages(1 << 20, place.words);
        let batch: DeltaBatch = (0..place.words as u32).step_by(64).map(|addr| (addr, 5)).collect();
        let (mut ours, mut theirs) = (random_words(place.words, 1), random_words(place.words, 1));
        ours.par_apply_wire(&bytes).expect("addresses are of the table");
        ours.par_accum_batch_mut(&batch).expect("as before");
        theirs.apply_wire(&bytes).expect("as before");
        theirs.accum_batch_mut(&batch).expect("as before");
        assert!(ours.as_mut_words() == theirs.as_mut_words());
        line(
            "Table::par_apply_wire",
            "Table::apply_wire",
            bytes.len(),
            &mut || ours.par_apply_wire(black_box(&bytes)).expect("as before"),
            &mut || theirs.apply_wire(black_box(&bytes)).expect("as before"),
        );
        line(
            "Table::par_accum_batch_mut",
            "Table::accum_batch_mut",
            12 * batch.len(),
            &mut || ours.par_accum_batch_mut(black_box(&batch)).expect("as before"),
            &mut || theirs.accum_batch_mut(black_box(&batch)).expect("as before"),
        );
    }
}
