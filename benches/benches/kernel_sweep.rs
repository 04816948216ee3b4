//! The throughput of the kernels at each level, from 8 words to 256 MiB an operand, beside their limits and rivals:
//! `cargo bench -p atomik-benches --bench kernel_sweep [-- FILTER]`. A group of Criterion's is `kernel_NAME`, its
//! functions are levels or rivals, and the parameter is the number of bytes of all operands.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use atomik_benches::kernels::{
    apply_wire_under_lock, assert_right_fingerprint, change, force, level_name, levels_here, messages,
    plain_apply, plain_apply_wire, plain_diff, random_words,
};
use atomik_benches::measure::pin_rayon;
use atomik_benches::roof::bare_loads;
use atomik_core::kernel::{self, Level, par};
use atomik_core::{Add, Algebra, AtomikTable, DeltaBatch, Fingerprint, Xor};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::IntoBytes;

/// The numbers of words in each operand, from L1 to memory.
fn sizes() -> impl Iterator<Item = usize> {
    (3..=25).map(|log| 1 << log)
}

/// The least number of words for which all threads are measured too.
const LARGE: usize = 1 << 17;

/// Whether to measure what takes long or matters to few machines, which is done at every second size.
const fn is_power_of_4(size: usize) -> bool {
    size.trailing_zeros().is_multiple_of(2)
}

/// The measurements of one kernel at one size.
struct At<'a, 'b> {
    group: &'a mut BenchmarkGroup<'b, WallTime>,
    size: usize,
}

impl<'b> At<'_, 'b> {
    fn measure<T>(&mut self, name: &str, mut routine: impl FnMut() -> T) {
        self.group.bench_function(BenchmarkId::new(name, self.size), |bencher| {
            bencher.iter(|| black_box(routine()))
        });
    }

    /// Measures each level from the best to the lowest. The best is in force afterwards.
    fn at_levels<T>(&mut self, lowest: Level, mut routine: impl FnMut() -> T) {
        let lowest = if is_power_of_4(self.size) { lowest } else { Level::Avx2 };
        for level in levels_here().into_iter().filter(|&level| level >= lowest) {
            force(level);
            self.measure(level_name(level), &mut routine);
        }
        force(Level::Avx512);
    }
}

/// Measures one kernel at all sizes. `bytes` is the size of one word of each of its operands.
fn sweep(
    criterion: &mut Criterion,
    name: &str,
    bytes: usize,
    mut at_size: impl FnMut(usize, &mut At<'_, '_>),
) {
    let mut group = criterion.benchmark_group(format!("kernel_{name}"));
    group.sample_size(10).nresamples(1000).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(150));
    for len in sizes() {
        let size = bytes * len;
        group.throughput(Throughput::Bytes(size as u64));
        at_size(len, &mut At { group: &mut group, size });
    }
    group.finish();
}

/// Asserts at each level that a kernel does what a plain loop does.
fn assert_at_levels(right: impl Fn() -> bool) {
    for level in levels_here() {
        force(level);
        assert!(right(), "wrong at {level:?}");
    }
    force(Level::Avx512);
}

fn fold(criterion: &mut Criterion) {
    fn right<A: Algebra>(words: &[u64]) -> bool {
        kernel::fold::<A>(words) == words.iter().fold(0, |total, &word| A::compose(total, word))
    }
    sweep(criterion, "fold", 8, |len, at| {
        let mut table = random_words(len, 1);
        let words = &*table.as_mut_words();
        assert_at_levels(|| right::<Xor>(words) && right::<Add>(words));
        // Bare loads work on whole blocks of 64 words.
        for level in levels_here().into_iter().filter(|&level| level > Level::Portable && len >= 64) {
            at.measure(&format!("bare loads, {}", level_name(level)), || bare_loads(level, black_box(words)));
        }
        at.at_levels(Level::Portable, || kernel::fold::<Xor>(black_box(words)));
        at.measure("Add", || kernel::fold::<Add>(black_box(words)));
        if len >= LARGE {
            assert_eq!(par::fold::<Xor>(words), kernel::fold::<Xor>(words));
            at.measure("all cores", || par::fold::<Xor>(black_box(words)));
        }
    });
}

fn accum(criterion: &mut Criterion) {
    fn right<A: Algebra>(words: &[u64], deltas: &[u64]) -> bool {
        let mut sums = words.to_vec();
        kernel::accum::<A>(&mut sums, deltas);
        sums.iter().zip(words.iter().zip(deltas)).all(|(&sum, (&a, &b))| sum == A::compose(a, b))
    }
    sweep(criterion, "accum", 16, |len, at| {
        let (mut words, mut deltas) = (random_words(len, 1), random_words(len, 2));
        let (words, deltas) = (words.as_mut_words(), &*deltas.as_mut_words());
        assert_at_levels(|| right::<Xor>(words, deltas) && right::<Add>(words, deltas));
        at.measure("copy_from_slice", || black_box(&mut *words).copy_from_slice(black_box(deltas)));
        at.at_levels(Level::Portable, || kernel::accum::<Xor>(black_box(words), black_box(deltas)));
        at.measure("Add", || kernel::accum::<Add>(black_box(words), black_box(deltas)));
        if len >= LARGE {
            // Twice the same deltas, by all threads and then by one, cancel out.
            let before = kernel::fold::<Xor>(words);
            let first = words[..64].to_vec();
            par::accum::<Xor>(words, deltas);
            assert_ne!(words[..64], first);
            kernel::accum::<Xor>(words, deltas);
            assert!(words[..64] == first && kernel::fold::<Xor>(words) == before);
            at.measure("all cores", || par::accum::<Xor>(black_box(words), black_box(deltas)));
        }
    });
}

fn equal(criterion: &mut Criterion) {
    sweep(criterion, "equal", 16, |len, at| {
        let (mut a, mut b) = (random_words(len, 1), random_words(len, 1));
        let (a, b) = (&*a.as_mut_words(), b.as_mut_words());
        for changed in [0, len / 2, len - 1] {
            b[changed] ^= 1;
            assert_at_levels(|| !kernel::equal(a, b) && kernel::first_difference(a, b) == Some(changed));
            b[changed] ^= 1;
        }
        let b = &*b;
        assert_at_levels(|| kernel::equal(a, b) && kernel::first_difference(a, b).is_none());
        at.measure("==", || black_box(a) == black_box(b));
        at.at_levels(Level::Portable, || kernel::equal(black_box(a), black_box(b)));
        at.measure("first_difference", || kernel::first_difference(black_box(a), black_box(b)));
        if len >= LARGE {
            assert!(par::equal(a, b));
            at.measure("all cores", || par::equal(black_box(a), black_box(b)));
        }
    });
}

fn diff(criterion: &mut Criterion) {
    for (name, percent) in [("diff_0", 0), ("diff_1", 1), ("diff_50", 50)] {
        sweep(criterion, name, 16, |len, at| diff_of(percent, len, at));
    }
}

fn diff_of(percent: u32, len: usize, at: &mut At<'_, '_>) {
    fn right<A: Algebra>(reference: &[u64], state: &[u64]) -> bool {
        let mut batch = DeltaBatch::<A>::new();
        kernel::diff(reference, state, &mut batch);
        let mut words = reference.to_vec();
        let changed = reference.iter().zip(state).filter(|(old, new)| old != new).count();
        kernel::apply(&mut words, &batch).is_ok() && words == state && batch.len() == changed
    }
    let (mut reference, mut state) = (random_words(len, 1), random_words(len, 1));
    change(state.as_mut_words(), percent);
    let (reference, state) = (&*reference.as_mut_words(), &*state.as_mut_words());
    assert_at_levels(|| right::<Xor>(reference, state) && right::<Add>(reference, state));
    if percent == 0 {
        at.measure("equal", || kernel::equal(black_box(reference), black_box(state)));
    } else {
        let mut pairs = Vec::new();
        at.measure("loop with Vec::push", || plain_diff(black_box(reference), black_box(state), &mut pairs));
    }
    let mut batch = DeltaBatch::<Xor>::new();
    at.at_levels(Level::Portable, || kernel::diff(black_box(reference), black_box(state), &mut batch));
    if percent == 1 {
        let mut sums = DeltaBatch::<Add>::new();
        at.measure("Add", || kernel::diff(black_box(reference), black_box(state), &mut sums));
    }
    if len >= LARGE {
        let mut others = DeltaBatch::new();
        par::diff(reference, state, &mut others);
        kernel::diff(reference, state, &mut batch);
        assert_eq!(others, batch);
        at.measure("all cores", || par::diff(black_box(reference), black_box(state), &mut others));
    }
}

fn fingerprint(criterion: &mut Criterion) {
    sweep(criterion, "fingerprint", 8, |len, at| {
        let mut table = random_words(len, 1);
        let words = table.as_mut_words();
        let mut fingerprint = Fingerprint::new();
        for level in levels_here() {
            force(level);
            assert_right_fingerprint(&mut fingerprint, words);
        }
        let bytes = words.as_bytes();
        at.measure("XXH3-64", || xxh3_64(black_box(bytes)));
        at.at_levels(Level::Portable, || fingerprint.load(black_box(bytes)));
    });
}

/// Messages to tables of all sizes. In a large table, few of them meet the same cache line.
fn apply_wire(criterion: &mut Criterion) {
    const MESSAGES: usize = 1 << 20;
    sweep(criterion, "apply_wire", 8, |len, at| {
        let messages = messages(MESSAGES, len);
        let (mut table, mut plain) = (AtomikTable::new(len), AtomikTable::new(len));
        let (words, plain) = (table.as_mut_words(), plain.as_mut_words());
        kernel::apply_wire::<Xor>(words, &messages).expect("all addresses are in range");
        plain_apply_wire(plain, &messages);
        assert!(words == plain);
        at.group.throughput(Throughput::Elements(MESSAGES as u64));
        at.measure("plain loop", || plain_apply_wire(black_box(plain), black_box(&messages)));
        at.measure("one thread", || kernel::apply_wire::<Xor>(black_box(words), black_box(&messages)));
        if is_power_of_4(at.size) {
            let locked = Mutex::new(vec![0; len]);
            apply_wire_under_lock(&locked, &messages, 2);
            let mut once = vec![0; len];
            plain_apply_wire(&mut once, &messages);
            assert!(*locked.lock().expect("no thread panics") == once);
            at.measure("loop under a contended Mutex, 2 threads", || {
                apply_wire_under_lock(&locked, black_box(&messages), 2)
            });
        }
    });
}

/// A batch that changes every 64th word.
fn apply(criterion: &mut Criterion) {
    sweep(criterion, "apply", 8, |len, at| {
        let pairs: Vec<(u32, u64)> =
            (0..len as u32).step_by(64).map(|addr| (addr, u64::from(addr) + 1)).collect();
        let batch: DeltaBatch = pairs.iter().copied().collect();
        let (mut table, mut plain) = (random_words(len, 1), random_words(len, 1));
        let (words, plain) = (table.as_mut_words(), plain.as_mut_words());
        kernel::apply(words, &batch).expect("all addresses are in range");
        plain_apply(plain, &pairs);
        assert!(words == plain);
        at.group.throughput(Throughput::Elements(pairs.len() as u64));
        at.measure("plain loop", || plain_apply(black_box(plain), black_box(&pairs)));
        at.measure("one thread", || kernel::apply(black_box(words), black_box(&batch)));
        if len >= LARGE {
            par::apply(words, &batch).expect("as before");
            plain_apply(plain, &pairs);
            assert!(words == plain);
            at.measure("all cores", || par::apply(black_box(words), black_box(&batch)));
        }
    });
}

fn pin_threads(_: &mut Criterion) {
    pin_rayon();
}

criterion_group!(benches, pin_threads, fold, accum, equal, diff, fingerprint, apply_wire, apply);
criterion_main!(benches);
