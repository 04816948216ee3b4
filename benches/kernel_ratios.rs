//! The kernels against their roofs and rivals, in one run: `cargo bench -p atomik-benches --bench
//! kernel_ratios [-- --short] [-- part of a kernel's name]`. `--short` leaves out the lower levels. Exits with 1 where a ratio misses its target by more
//! than 15 %.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Mutex;

use atomik_benches::measure::{Random, race};
use atomik_benches::record::{Ratio, Ratios};
use atomik_benches::roof::bare_loads;
use atomik_core::kernel::{self, Level};
use atomik_core::{AtomikTable, DeltaBatch, DeltaMessage, Fingerprint, Xor};
use xxhash_rust::xxh3::xxh3_64;

/// Where data lie: the number of words that a kernel with one and with two operands works on.
struct Place {
    name: &'static str,
    words: usize,
    rounds: usize,
}

const PLACES: [Place; 4] = [
    Place { name: "L1", words: 3 << 10, rounds: 300 },
    Place { name: "L2", words: 128 << 10, rounds: 200 },
    Place { name: "L3", words: 4 << 20, rounds: 10 },
    Place { name: "memory", words: 64 << 20, rounds: 3 },
];

/// Targets at the four places; 0 where there is none.
type Targets = [f64; 4];

struct Report {
    filter: Option<String>,
    ratios: Ratios,
}

impl Report {
    fn wants(&self, kernel: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| kernel.contains(filter.as_str()))
    }

    /// One line, from the nanoseconds that each took for `bytes`.
    fn line(
        &mut self,
        names: [&str; 2],
        level: Level,
        place: &str,
        bytes: usize,
        times: [f64; 2],
        target: f64,
    ) {
        let [kernel, rival] = names;
        let [ours, theirs] = times;
        print!("{:6.1} GB/s  ", bytes as f64 / ours);
        self.ratios.push(Ratio {
            work: format!("{kernel}, {place}, {level:?}"),
            rival: rival.into(),
            ours,
            theirs,
            target,
        });
    }
}

/// Takes a result that nobody wants.
fn let_go<T: Copy>(_: T) {}

/// A 64-byte-aligned slice of random words, as the table that owns it.
fn random_words(len: usize, seed: u64) -> AtomikTable {
    let mut random = Random(seed);
    let mut table = AtomikTable::new(len);
    table.as_mut_words().fill_with(|| random.next_u64());
    table
}

fn main() -> ExitCode {
    // Cargo passes `--bench`.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let mut report = Report { filter, ratios: Ratios::default() };
    let best = kernel::level();
    let short = std::env::args().any(|arg| arg == "--short");
    for level in [Level::Avx512, Level::Avx2, Level::Sse2, Level::Portable] {
        if kernel::force_level(level) != level || (short && level != best) {
            continue;
        }
        let main = level == best;
        for (index, place) in PLACES.iter().enumerate() {
            let at = |targets: Targets| if main { targets[index] } else { 0.0 };
            fold(&mut report, level, place, at([0.90, 0.90, 0.95, 0.95]));
            accum(&mut report, level, place, at([0.80, 0.90, 0.95, 0.0]));
            equal(&mut report, level, place, at([1.6, 1.15, 0.97, 0.97]));
            diff_unchanged(&mut report, level, place, at([0.80, 0.90, 0.95, 0.95]));
            diff_changed(&mut report, level, place, 1, at([5.0, 5.0, 1.4, 1.4]));
            diff_changed(&mut report, level, place, 50, at([3.5, 6.0, 3.0, 3.0]));
            fingerprint(&mut report, level, place, at(fingerprint_targets()));
        }
        short_equal(&mut report, level, if main { 1.0 } else { 0.0 });
    }
    kernel::force_level(best);
    apply_wire_small(&mut report, best);
    apply_wire_large(&mut report, best);
    report.ratios.save("kernel");
    if report.ratios.all_reached() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fold(report: &mut Report, level: Level, place: &Place, target: f64) {
    if !report.wants("fold") {
        return;
    }
    let mut table = random_words(place.words, 1);
    let words = &*table.as_mut_words();
    assert_eq!(kernel::fold::<Xor>(words), words.iter().fold(0, |a, b| a ^ b));
    let times = race(
        place.rounds,
        [&mut || let_go(black_box(kernel::fold::<Xor>(black_box(words)))), &mut || {
            bare_loads(level, black_box(words))
        }],
    );
    report.line(["fold", "bare loads"], level, place.name, 8 * place.words, times, target);
}

fn accum(report: &mut Report, level: Level, place: &Place, target: f64) {
    if !report.wants("accum") {
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
        place.rounds,
        [&mut || kernel::accum::<Xor>(black_box(dst), black_box(deltas)), &mut || {
            black_box(&mut *copy).copy_from_slice(black_box(deltas))
        }],
    );
    report.line(["accum", "copy_from_slice"], level, place.name, 4 * place.words, times, target);
}

fn equal(report: &mut Report, level: Level, place: &Place, target: f64) {
    if !report.wants("equal") {
        return;
    }
    let (mut a, mut b) = (random_words(place.words / 2, 1), random_words(place.words / 2, 1));
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    assert!(kernel::equal(a, b));
    let times = race(
        place.rounds,
        [&mut || let_go(black_box(kernel::equal(black_box(a), black_box(b)))), &mut || {
            let_go(black_box(black_box(a) == black_box(b)))
        }],
    );
    report.line(["equal", "=="], level, place.name, 8 * place.words, times, target);
}

fn short_equal(report: &mut Report, level: Level, target: f64) {
    if !report.wants("short") {
        return;
    }
    let (mut a, mut b) = (random_words(64, 1), random_words(64, 1));
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    for len in (1..=16).chain([20, 24, 31, 32, 33, 40, 48, 56, 63, 64]) {
        let (a, b) = (&a[..len], &b[..len]);
        let times = race(
            40,
            [&mut || let_go(black_box(kernel::equal(black_box(a), black_box(b)))), &mut || {
                let_go(black_box(black_box(a) == black_box(b)))
            }],
        );
        report.line(["short equal", "=="], level, &len.to_string(), 16 * len, times, target);
    }
}

fn diff_unchanged(report: &mut Report, level: Level, place: &Place, target: f64) {
    if !report.wants("diff") {
        return;
    }
    let (mut a, mut b) = (random_words(place.words / 2, 1), random_words(place.words / 2, 1));
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    let mut batch = DeltaBatch::<Xor>::new();
    kernel::diff(a, b, &mut batch);
    assert!(batch.is_empty());
    let times = race(
        place.rounds,
        [&mut || kernel::diff(black_box(a), black_box(b), black_box(&mut batch)), &mut || {
            let_go(black_box(kernel::equal(black_box(a), black_box(b))))
        }],
    );
    report.line(["diff, nothing changed", "equal"], level, place.name, 8 * place.words, times, target);
}

fn diff_changed(report: &mut Report, level: Level, place: &Place, percent: u32, target: f64) {
    if !report.wants("diff") {
        return;
    }
    let (mut a, mut b) = (random_words(place.words / 2, 1), random_words(place.words / 2, 1));
    let mut random = Random(7);
    for word in b.as_mut_words() {
        if random.next_u32() % 100 < percent {
            *word ^= u64::from(random.next_u32()) + 1;
        }
    }
    let (a, b) = (&*a.as_mut_words(), &*b.as_mut_words());
    let mut batch = DeltaBatch::<Xor>::new();
    let mut pairs = Vec::new();
    kernel::diff(a, b, &mut batch);
    plain_diff(a, b, &mut pairs);
    assert!(batch.iter().eq(pairs.iter().copied()));
    let times = race(
        place.rounds,
        [&mut || kernel::diff(black_box(a), black_box(b), black_box(&mut batch)), &mut || {
            plain_diff(black_box(a), black_box(b), black_box(&mut pairs))
        }],
    );
    let name = format!("diff, {percent} % changed");
    report.line([&name, "loop with Vec::push"], level, place.name, 8 * place.words, times, target);
}

fn plain_diff(reference: &[u64], state: &[u64], pairs: &mut Vec<(u32, u64)>) {
    pairs.clear();
    for (addr, (old, new)) in (0..).zip(reference.iter().zip(state)) {
        if old != new {
            pairs.push((addr, old ^ new));
        }
    }
}

/// XXH3 takes the widest vectors that the build allows.
fn fingerprint_targets() -> Targets {
    if cfg!(target_feature = "avx512f") { [1.5, 1.5, 1.0, 1.0] } else { [3.5, 3.5, 1.3, 1.3] }
}

fn fingerprint(report: &mut Report, level: Level, place: &Place, target: f64) {
    if !report.wants("fingerprint") || (level < Level::Avx2 && place.words > 1 << 20) {
        return;
    }
    use zerocopy::IntoBytes;
    let mut table = random_words(place.words, 1);
    let data = table.as_mut_words().as_bytes();
    let mut fingerprint = Fingerprint::new();
    let times = race(
        place.rounds,
        [&mut || let_go(black_box(fingerprint.load(black_box(data)))), &mut || {
            let_go(black_box(xxh3_64(black_box(data))))
        }],
    );
    report.line(["fingerprint", "XXH3"], level, place.name, data.len(), times, target);
}

/// Messages for random addresses below `len`.
fn messages(count: usize, len: usize) -> Vec<u8> {
    let mut random = Random(11);
    let message = |seq| {
        let addr = ((u64::from(random.next_u32()) * len as u64) >> 32) as u32;
        DeltaMessage { addr, delta: random.next_u64(), seq }.to_bytes()
    };
    (0..count as u32).flat_map(message).collect()
}

/// 4 M messages, half of them by each of two threads, under one lock; and by one thread that owns the table.
fn apply_wire_small(report: &mut Report, level: Level) {
    if !report.wants("apply_wire") {
        return;
    }
    for len in [256, 4 << 10, 64 << 10] {
        let bytes = messages(4 << 20, len);
        let mut table = AtomikTable::new(len);
        let words = table.as_mut_words();
        let locked = Mutex::new(vec![0; len]);
        kernel::apply_wire::<Xor>(words, &bytes).unwrap();
        under_lock(&locked, &bytes);
        assert_eq!(words, *locked.lock().unwrap());
        let times = race(
            3,
            [&mut || kernel::apply_wire::<Xor>(black_box(words), black_box(&bytes)).unwrap(), &mut || {
                under_lock(black_box(&locked), black_box(&bytes))
            }],
        );
        report.line(["apply_wire", "Mutex"], level, &format!("{len}"), bytes.len(), times, 15.0);
    }
}

fn under_lock(table: &Mutex<Vec<u64>>, bytes: &[u8]) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    std::thread::scope(|scope| {
        for half in [first, second] {
            scope.spawn(move || {
                for message in half.chunks_exact(16) {
                    let message = DeltaMessage::from_bytes(message).unwrap();
                    table.lock().unwrap()[message.addr as usize] ^= message.delta;
                }
            });
        }
    });
}

fn apply_wire_large(report: &mut Report, level: Level) {
    if !report.wants("apply_wire") {
        return;
    }
    for (count, len) in [(4 << 20, 256), (4 << 20, 64 << 10), (4 << 20, 1 << 20), (4 << 20, 32 << 20)] {
        let bytes = messages(count, len);
        let (mut ours, mut plain) = (random_words(len, 1), random_words(len, 1));
        let (ours, plain) = (ours.as_mut_words(), plain.as_mut_words());
        kernel::apply_wire::<Xor>(ours, &bytes).unwrap();
        plain_apply(plain, &bytes);
        assert!(ours == plain);
        let times = race(
            5,
            [&mut || kernel::apply_wire::<Xor>(black_box(ours), black_box(&bytes)).unwrap(), &mut || {
                plain_apply(black_box(plain), black_box(&bytes))
            }],
        );
        let target = if len >= 32 << 20 { 1.2 } else { 0.0 };
        report.line(
            ["apply_wire", "plain loop"],
            level,
            &format!("{} K", len >> 10),
            bytes.len(),
            times,
            target,
        );
    }
}

fn plain_apply(words: &mut [u64], bytes: &[u8]) {
    for message in bytes.chunks_exact(16) {
        let message = DeltaMessage::from_bytes(message).unwrap();
        words[message.addr as usize] ^= message.delta;
    }
}
