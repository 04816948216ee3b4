//! A store in a file: what it survives, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;

use atomik_checkpoint::{CheckpointError, CheckpointStore, SqliteErrorKind};
use atomik_core::{Add, Table, TableEpoch};
use tempfile::TempDir;

const LEN: usize = 3_000;

type Error = CheckpointError<atomik_checkpoint::SqliteError>;

/// A store with some checkpoints, and what each of them contains: the caller's bytes are its number.
fn filled(folder: &TempDir, checkpoints: u8) -> (CheckpointStore, PathBuf, Vec<Vec<u64>>) {
    let path = folder.path().join("store.db");
    let mut store = CheckpointStore::open(&path).unwrap();
    let table = Table::<Add>::new(LEN);
    let mut epoch = table.epoch();
    let mut states = Vec::new();
    for number in 0..checkpoints {
        for addr in (usize::from(number)..LEN).step_by(7) {
            table[addr].accum(1 + u64::from(number));
        }
        store.save(&mut epoch, &[number]).unwrap();
        states.push(epoch.reference().to_vec());
    }
    (store, path, states)
}

/// What a store recovers must be one of the checkpoints that were saved. Returns its number.
fn recovered_number(path: &Path, saved: &[Vec<u64>]) -> Result<Option<u8>, Error> {
    let Some(recovered) = CheckpointStore::open(path)?.recover::<Add>()? else { return Ok(None) };
    let &[number] = recovered.caller() else { panic!("the caller's bytes are {:?}", recovered.caller()) };
    assert_eq!(recovered.epoch(), u64::from(number));
    assert!(recovered.states() == saved[usize::from(number)], "states of no checkpoint");
    Ok(Some(number))
}

fn kind(error: &Error) -> &SqliteErrorKind {
    match error {
        CheckpointError::Log(error) => error.kind(),
        _ => panic!("not an error of the file: {error}"),
    }
}

#[test]
fn a_store_is_recovered_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path, saved) = filled(&folder, 5);
    drop(store);
    assert_eq!(recovered_number(&path, &saved).unwrap(), Some(4));
    CheckpointStore::open(&path).unwrap().check().unwrap();
    // The creation leaves nothing beside the file.
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store.db"]);
}

#[test]
fn an_epoch_of_any_number_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = CheckpointStore::open(folder.path().join("store.db")).unwrap();
    let table = Table::<Add>::new(3);
    for number in [u64::MAX - 1, 1 << 63, 0] {
        let mut epoch = TableEpoch::resume(&table, &[0; 3], number);
        table[1].accum(1);
        store.save(&mut epoch, b"").unwrap();
        assert_eq!(store.recover::<Add>().unwrap().unwrap().epoch(), number);
    }
}

#[test]
fn the_rows_can_be_read_by_any_tool() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, path, saved) = filled(&folder, 1);
    let connection = rusqlite::Connection::open(path).unwrap();
    let word: String = connection
        .query_row("SELECT hex(substr(words, 1 + 8 * 7, 8)) FROM piece", [], |row| row.get(0))
        .unwrap();
    assert_eq!(u64::from_str_radix(&word, 16).unwrap(), saved[0][7]);
}

/// A crash leaves a prefix of the log of writes. Whatever its length, an earlier checkpoint is recovered, and the longer
/// it is the later.
#[test]
fn a_torn_log_of_writes_gives_an_earlier_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, path, saved) = filled(&folder, 6);
    let log = fs::read(folder.path().join("store.db-wal")).unwrap();
    assert!(log.len() > 20_000, "{} bytes", log.len());
    let copy = tempfile::tempdir().unwrap();
    let path_of_copy = copy.path().join("store.db");
    let mut last = None;
    // Around each frame of 24 + 4,096 bytes, and in its middle.
    let frames = (32..log.len()).step_by(4_120);
    let lengths =
        frames.flat_map(|frame| [frame, frame + 1, frame + 24, frame + 2_000]).filter(|&at| at < log.len());
    for length in lengths.chain([log.len()]) {
        fs::copy(&path, &path_of_copy).unwrap();
        fs::write(copy.path().join("store.db-wal"), &log[..length]).unwrap();
        let _ = fs::remove_file(copy.path().join("store.db-shm"));
        let found = recovered_number(&path_of_copy, &saved).unwrap();
        assert!(found >= last, "{length} bytes: {found:?} after {last:?}");
        last = found;
    }
    assert_eq!(last, Some(5));
}

#[test]
fn a_file_cut_at_any_page_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path, saved) = filled(&folder, 6);
    drop(store);
    let bytes = fs::read(&path).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("copy.db");
    for length in (0..bytes.len()).step_by(4_096).flat_map(|page| [page, page + 100]) {
        fs::write(&path, &bytes[..length.min(bytes.len() - 1)]).unwrap();
        let found = recovered_number(&path, &saved);
        let error = found.expect_err(&format!("{length} of {} bytes were accepted", bytes.len()));
        let text = format!(
            "{error}: {}",
            std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
        );
        assert!(text.contains("copy.db") || matches!(error, CheckpointError::Damaged { .. }), "{text}");
        assert!(text.contains("Restore a copy"), "no word about what to do at {length}: {error:?}");
    }
}

/// SQLite has no checksums of its own, so each flipped bit has to meet one of ours or break the structure.
#[test]
fn no_flipped_bit_is_recovered_as_a_state() {
    let folder = tempfile::tempdir().unwrap();
    let (store, path, saved) = filled(&folder, 3);
    drop(store);
    let bytes = fs::read(&path).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("copy.db");
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(61) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        for name in ["copy.db-wal", "copy.db-shm"] {
            let _ = fs::remove_file(copy.path().join(name));
        }
        // Panics if what is recovered was never saved.
        match recovered_number(&path, &saved) {
            Ok(found) => assert_eq!(found, Some(2), "bit {} of byte {at}", at % 8),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100, "only {refused} of the flips were seen at all");
}

#[test]
fn an_empty_file_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, b"").unwrap();
    let error = CheckpointStore::open(&path).unwrap_err();
    assert!(matches!(kind(&error), SqliteErrorKind::Empty), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn a_log_without_its_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, path, _) = filled(&folder, 3);
    let copy = tempfile::tempdir().unwrap();
    let lost = copy.path().join("store.db");
    fs::copy(path.with_file_name("store.db-wal"), copy.path().join("store.db-wal")).unwrap();
    let error = CheckpointStore::open(&lost).unwrap_err();
    assert!(matches!(kind(&error), SqliteErrorKind::OrphanedLog { .. }), "{error:?}");
}

#[test]
fn files_of_other_kinds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.db");
    fs::write(&path, "not a database, but long enough to be one. ".repeat(100)).unwrap();
    let error = CheckpointStore::open(&path).unwrap_err();
    assert!(matches!(kind(&error), SqliteErrorKind::Damaged { .. }), "{error:?}");

    let path = folder.path().join("foreign.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE checkpoint (x)").unwrap();
    drop(connection);
    let bytes = fs::read(&path).unwrap();
    let error = CheckpointStore::open(&path).unwrap_err();
    assert!(matches!(kind(&error), SqliteErrorKind::Foreign { .. }), "{error:?}");
    assert!(fs::read(&path).unwrap() == bytes, "another program's file was changed");

    let (store, path, _) = filled(&folder, 1);
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    let error = CheckpointStore::open(&path).unwrap_err();
    assert!(matches!(kind(&error), SqliteErrorKind::Version { found: 2, expected: 1 }), "{error:?}");

    let error = CheckpointStore::open(folder.path().join("missing/store.db")).unwrap_err();
    assert!(matches!(kind(&error), SqliteErrorKind::Sqlite(_) | SqliteErrorKind::Io(_)), "{error:?}");
}

#[test]
fn of_stores_that_are_created_at_once_one_wins() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let start = Barrier::new(4);
        let open = || {
            start.wait();
            let mut store = CheckpointStore::open(&path).unwrap();
            match store.save(&mut Table::<Add>::new(10).epoch(), b"") {
                Ok(_) => true,
                Err(CheckpointError::Overtaken { .. }) => false,
                Err(error) => panic!("{error:?}"),
            }
        };
        let saved: Vec<bool> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(saved.contains(&true));
        assert!(CheckpointStore::open(&path).unwrap().recover::<Add>().unwrap().is_some());
    }
}

/// After a write that failed because the disk was full, the last checkpoint is still there, and the next save makes up
/// for the epoch that could not be written.
#[test]
fn a_full_disk_loses_nothing() {
    let Some(mount) = Mount::tmpfs("400k") else {
        eprintln!("not run: mounting a tmpfs takes root");
        return;
    };
    let path = mount.folder.path().join("store.db");
    let mut store = CheckpointStore::open(&path).unwrap();
    let table = Arc::new(Table::<Add>::new(20_000));
    let mut epoch = TableEpoch::new(Arc::clone(&table));
    table[1].accum(1);
    store.save(&mut epoch, &[1]).unwrap();

    let filler = mount.folder.path().join("filler");
    while fs::write(&filler, vec![0; fs::metadata(&filler).map_or(0, |file| file.len() as usize) + 4_096])
        .is_ok()
    {}
    table[2].accum(2);
    let error = store.save(&mut epoch, &[2]).unwrap_err();
    assert!(matches!(kind(&error), SqliteErrorKind::DiskFull), "{error:?}");
    let recovered = CheckpointStore::open(&path).unwrap().recover::<Add>().unwrap().unwrap();
    assert_eq!((recovered.states()[1], recovered.states()[2], recovered.caller()), (1, 0, &[1][..]));

    fs::remove_file(&filler).unwrap();
    table[3].accum(3);
    store.save(&mut epoch, &[3]).unwrap();
    let recovered = CheckpointStore::open(&path).unwrap().recover::<Add>().unwrap().unwrap();
    assert_eq!((&recovered.states()[..4], recovered.caller()), (&[0, 1, 2, 3][..], &[3][..]));
}

/// A small file system of the test's own, which is unmounted at its end.
struct Mount {
    folder: TempDir,
}

impl Mount {
    /// `None` if this process may not mount.
    fn tmpfs(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self { folder })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}
