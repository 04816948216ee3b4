//! Checkpoints against what they can't do without: `cargo bench -p atomik-benches --bench checkpoint [-- [--record]]`.
//! Exits with 1 if a ratio misses its target by more than 15 %.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use atomik_benches::measure::Random;
use atomik_benches::ratio::Ratio;
use atomik_benches::run::{Run, Subject};
use atomik_checkpoint::{CheckpointKind, CheckpointStore};
use atomik_core::{Add, DeltaBatch, Table, TableEpoch};
use rusqlite::Connection;

/// The contexts of the table.
const LEN: usize = 1_000_000;
/// How many contexts there are for one that changes in an epoch.
const STRIDE: usize = 100;
/// The bytes of an address and its delta.
const CHANGE: usize = 12;

fn main() -> ExitCode {
    let mut run = Run::from_args("checkpoint");
    run.subject("checkpoint", |subject| {
        // A commit waits for the disk; in memory there is nothing to wait for, and the rest shows.
        let disk = Path::new(env!("CARGO_TARGET_TMPDIR"));
        store(subject, disk, "on the disk");
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            store(subject, memory, "in /dev/shm");
        } else {
            println!("not measured: checkpoints in /dev/shm, which this system does not have");
        }
    });
    run.finish()
}

/// The medians of a store against `TableEpoch::swap` and a bare write, which take turns on tables of their own.
fn store(subject: &mut Subject, folder: &Path, place: &str) {
    let turns = if subject.short { 15 } else { 101 };
    let folder = tempfile::tempdir_in(folder).expect("the folder can be written");
    let mut store = CheckpointStore::open(folder.path().join("store.db"))
        .expect("it is new")
        .with_full_every(1_000.try_into().expect("it is not 0"));
    let bare = Bare::create(&folder.path().join("bare.db"));
    let (table, same) = (Table::<Add>::new(LEN), Table::<Add>::new(LEN));
    let (mut epoch, mut other) = (table.epoch(), same.epoch());
    let mut random = Random(1);
    store.save(&mut epoch, b"").expect("there is room");

    let (mut saves, mut closes, mut swaps, mut writes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for turn in 0..turns {
        let changes: Vec<usize> =
            (0..LEN).step_by(STRIDE).map(|addr| addr + random.next_u32() as usize % STRIDE).collect();
        let caller = u64::to_be_bytes(turn);
        let ours = &mut || {
            changes.iter().for_each(|&addr| table[addr].accum(turn + 1));
            let (closing, closed) = time(|| store.close(&mut epoch).expect("it is the same table"));
            let (writing, saved) = time(|| store.write(closed, &caller).expect("there is room"));
            assert_eq!(saved.kind, CheckpointKind::Sparse);
            saves.push(closing + writing);
            closes.push(closing);
        };
        let theirs = &mut || {
            changes.iter().for_each(|&addr| same[addr].accum(turn + 1));
            let (swapping, batch) = time(|| other.swap());
            assert_eq!(batch.len(), LEN / STRIDE);
            let bytes = sparse(&batch);
            let (writing, ()) = time(|| bare.write(&bytes));
            swaps.push(swapping);
            writes.push(writing);
        };
        // Each comes first as often as the other.
        let turns: [&mut dyn FnMut(); 2] = if turn % 2 == 0 { [ours, theirs] } else { [theirs, ours] };
        turns.into_iter().for_each(|turn| turn());
    }
    let recovered = store.recover::<Add>().expect("it is whole").expect("it was saved");
    assert!(recovered.states().iter().copied().eq(same.iter().map(|context| context.read())));
    assert_eq!(bare.bytes(), turns * (LEN / STRIDE * CHANGE) as u64);

    let pairs: Vec<f64> = swaps.iter().zip(&writes).map(|(swap, write)| swap + write).collect();
    let work = format!("sparse checkpoint, 1 % of a million changed, {place}");
    subject.push(Ratio::new(
        work,
        "TableEpoch::swap and a bare write of the bytes",
        [median(saves), median(pairs)],
        0.5,
    ));
    let work = format!("CheckpointStore::close, the same, {place}");
    subject.push(Ratio::new(work, "TableEpoch::swap", [median(closes), median(swaps)], 0.0));
    print_sizes(folder.path());
    if !subject.short {
        full(subject, &mut store, &bare, place);
        print_sizes(folder.path());
    }
}

/// Full checkpoints, by observers that the store does not know.
fn full(subject: &mut Subject, store: &mut CheckpointStore, bare: &Bare, place: &str) {
    let table = Table::<Add>::from_iter(1..=LEN as u64);
    let (mut saves, mut pairs) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let mut epoch = TableEpoch::new(&table);
        let (saving, saved) = time(|| store.save(&mut epoch, b"").expect("there is room"));
        assert_eq!(saved.kind, CheckpointKind::Full);
        saves.push(saving);
        let mut epoch = TableEpoch::new(&table);
        let (swapping, batch) = time(|| epoch.swap());
        assert!(batch.is_empty());
        let bytes: Vec<u8> = epoch.reference().iter().flat_map(|state| state.to_be_bytes()).collect();
        // What it replaces is removed, as a full checkpoint removes those before it.
        let (writing, ()) = time(|| bare.replace(&bytes));
        pairs.push(swapping + writing);
    }
    assert_eq!(bare.bytes(), 8 * LEN as u64);
    let work = format!("full checkpoint of a million, {place}");
    subject.push(Ratio::new(
        work,
        "TableEpoch::swap and a bare write of the bytes",
        [median(saves), median(pairs)],
        0.0,
    ));
}

/// Prints the sizes of the store's files.
fn print_sizes(folder: &Path) {
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let bytes = std::fs::metadata(folder.join(name)).map_or(0, |file| file.len());
        println!("  {name}: {:.1} MB", bytes as f64 / 1e6);
    }
}

/// The bytes of a sparse checkpoint.
fn sparse(batch: &DeltaBatch<Add>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(batch.len() * CHANGE);
    for (addr, delta) in batch.iter() {
        bytes.extend(addr.to_be_bytes());
        bytes.extend(delta.to_be_bytes());
    }
    bytes
}

/// A file of SQLite with the settings of a store, to which bytes are written in one row, a transaction each.
struct Bare(Connection);

impl Bare {
    fn create(path: &Path) -> Self {
        let connection = Connection::open(path).expect("the folder can be written");
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 CREATE TABLE bytes (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;",
            )
            .expect("it is new");
        Self(connection)
    }

    fn write(&self, bytes: &[u8]) {
        let mut insert =
            self.0.prepare_cached("INSERT INTO bytes (bytes) VALUES (?)").expect("the table is there");
        insert.execute([bytes]).expect("there is room");
    }

    fn replace(&self, bytes: &[u8]) {
        let transaction = self.0.unchecked_transaction().expect("there is no other");
        self.0.execute("DELETE FROM bytes", []).expect("the table is there");
        self.write(bytes);
        transaction.commit().expect("there is room");
    }

    fn bytes(&self) -> u64 {
        let total: i64 = self
            .0
            .query_row("SELECT sum(length(bytes)) FROM bytes", [], |row| row.get(0))
            .expect("the table is there");
        total.cast_unsigned()
    }
}

fn time<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let start = Instant::now();
    let result = work();
    (nanoseconds(start.elapsed()), result)
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}
