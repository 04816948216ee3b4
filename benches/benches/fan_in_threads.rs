//! Fan-in and its rivals with 1, 2, 4 and 8 threads, by Criterion: `cargo bench -p atomik-benches --bench
//! fan_in_threads`. The time is that of one delta of each thread.

use std::time::Duration;

use atomik_benches::methods::{
    BareStore, Cell, Channel, Contatori, Context, FetchXor, Hytra, InMemory, InRegister, Method, ParkingLot,
    StdMutex, StdRwLock, TableWithoutHandle, WithoutHandle, run,
};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn method<M: Method>(group: &mut BenchmarkGroup<'_, WallTime>, threads: usize) {
    group.bench_function(BenchmarkId::new(M::NAME, threads), |bencher| {
        bencher.iter_custom(|deltas| run::<M>(threads, deltas));
    });
}

fn fan_in(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan_in");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    for threads in [1, 2, 4, 8] {
        group.throughput(Throughput::Elements(threads as u64));
        method::<InRegister>(&mut group, threads);
        method::<InMemory>(&mut group, threads);
        method::<WithoutHandle>(&mut group, threads);
        method::<TableWithoutHandle>(&mut group, threads);
        method::<Context>(&mut group, threads);
        method::<BareStore>(&mut group, threads);
        method::<FetchXor>(&mut group, threads);
        method::<StdMutex>(&mut group, threads);
        method::<ParkingLot>(&mut group, threads);
        method::<StdRwLock>(&mut group, threads);
        method::<Cell>(&mut group, threads);
        method::<Channel>(&mut group, threads);
        method::<Hytra>(&mut group, threads);
        method::<Contatori>(&mut group, threads);
    }
    group.finish();
}

criterion_group!(benches, fan_in);
criterion_main!(benches);
