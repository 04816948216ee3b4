//! Throughput of the kernels from 8 words to 256 MiB, at every level, with the roof of bare loads beside them:
//! `cargo bench -p atomik-benches --bench kernel [-- filter]`. Criterion's groups are `kernel/LEVEL`.

use std::hint::black_box;
use std::time::Duration;

use atomik_benches::measure::Random;
use atomik_benches::roof::bare_loads;
use atomik_core::kernel::{self, Level};
use atomik_core::{Add, Algebra, AtomikTable, DeltaBatch, Fingerprint, Xor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use zerocopy::IntoBytes;

/// Words in each operand: in L1, L2, L3 and memory.
const SIZES: [usize; 9] = [8, 64, 512, 2 << 10, 16 << 10, 64 << 10, 512 << 10, 4 << 20, 32 << 20];

fn random_words(len: usize, seed: u64) -> AtomikTable {
    let mut random = Random(seed);
    let mut table = AtomikTable::new(len);
    table.as_mut_words().fill_with(|| random.next_u64());
    table
}

/// What every kernel gives must be what a plain loop gives, or its speed is worth nothing.
fn assert_right<A: Algebra>(a: &[u64], b: &[u64]) {
    assert_eq!(kernel::fold::<A>(a), a.iter().fold(0, |total, &word| A::compose(total, word)));
    let mut sums = a.to_vec();
    kernel::accum::<A>(&mut sums, b);
    assert!(sums.iter().zip(a.iter().zip(b)).all(|(&sum, (&a, &b))| sum == A::compose(a, b)));
    assert_eq!(kernel::first_difference(a, b), a.iter().zip(b).position(|(a, b)| a != b));
    let mut batch = DeltaBatch::<A>::new();
    kernel::diff(a, b, &mut batch);
    let mut words = a.to_vec();
    kernel::apply(&mut words, &batch).expect("the batch is of this length");
    assert!(words == b);
}

fn kernels(criterion: &mut Criterion) {
    let best = kernel::level();
    for level in [Level::Avx512, Level::Avx2, Level::Sse2, Level::Portable] {
        if kernel::force_level(level) != level {
            continue;
        }
        let mut group = criterion.benchmark_group(format!("kernel/{level:?}"));
        group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
        group.sample_size(10);
        for len in SIZES {
            let (mut a, mut b) = (random_words(len, 1), random_words(len, 1));
            let mut random = Random(7);
            for word in b.as_mut_words().iter_mut().filter(|_| random.next_u32().is_multiple_of(100)) {
                *word ^= 1;
            }
            assert_right::<Xor>(a.as_mut_words(), b.as_mut_words());
            assert_right::<Add>(a.as_mut_words(), b.as_mut_words());
            let mut same = random_words(len, 1);
            let (same, b) = (&*same.as_mut_words(), &*b.as_mut_words());
            let a = a.as_mut_words();
            let bytes = 8 * len as u64;
            let mut batch = DeltaBatch::<Xor>::new();
            let mut fingerprint = Fingerprint::new();

            group.throughput(Throughput::Bytes(bytes));
            group.bench_function(BenchmarkId::new("bare loads", bytes), |bencher| {
                bencher.iter(|| bare_loads(level, black_box(b)));
            });
            group.bench_function(BenchmarkId::new("fold", bytes), |bencher| {
                bencher.iter(|| kernel::fold::<Xor>(black_box(b)));
            });
            group.bench_function(BenchmarkId::new("fingerprint", bytes), |bencher| {
                bencher.iter(|| fingerprint.load(black_box(b.as_bytes())));
            });
            group.throughput(Throughput::Bytes(2 * bytes));
            group.bench_function(BenchmarkId::new("equal", bytes), |bencher| {
                bencher.iter(|| kernel::equal(black_box(a), black_box(same)));
            });
            group.bench_function(BenchmarkId::new("diff, 1 %", bytes), |bencher| {
                bencher.iter(|| kernel::diff(black_box(a), black_box(b), &mut batch));
            });
            group.bench_function(BenchmarkId::new("accum", bytes), |bencher| {
                bencher.iter(|| kernel::accum::<Xor>(black_box(a), black_box(b)));
            });
        }
        group.finish();
    }
    kernel::force_level(best);
}

criterion_group!(benches, kernels);
criterion_main!(benches);
