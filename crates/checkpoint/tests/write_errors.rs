//! Writes that fail at every place of a store's files, and syncs that fail: nothing that was saved is lost.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use atomik_checkpoint::CheckpointStore;
use atomik_core::{Add, Table};

const LEN: usize = 3_000;
const CHECKPOINTS: u8 = 8;
/// Where the other process finds the store.
const STORE: &str = "ATOMIK_TEST_STORE";

/// A limit of the size of files makes every write past it fail. It is moved through all that a process writes: the
/// creation of the store, its database, and its log of writes.
#[test]
fn what_was_saved_before_a_failed_write_is_recovered() {
    let (mut failed, mut saved_some) = (0, 0);
    // In units of 512 or 1,024 bytes, as the shell has them. The index of a log takes 64 or 32; a page of the database
    // has 4,096 bytes.
    for limit in (0..64).step_by(21).chain((64..400).step_by(11)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        // The signal is ignored, so that the write returns an error.
        let limited = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &limit.to_string()])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "saves_until_a_write_fails"])
            .env(STORE, &path)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let output = String::from_utf8(limited.stdout).unwrap();
        assert!(limited.status.success(), "limit {limit}: {output}");
        let saved = output.lines().filter(|line| line.starts_with("saved ")).count();
        if let Some(error) = output.lines().find(|line| line.starts_with("failed: ")) {
            assert!(error.contains("store.db"), "{error}");
            failed += 1;
            saved_some += u32::from(saved > 0);
        } else {
            assert_eq!(saved, usize::from(CHECKPOINTS), "limit {limit}: {output}");
        }
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(!names.iter().any(|name| name.contains(".new")), "left by the creation: {names:?}");
        assert_eq!(recovers(&path), saved, "limit {limit}");
    }
    println!("{failed} processes failed, {saved_some} had saved before");
    assert!(failed > 20 && saved_some > 20, "{failed} processes failed, {saved_some} had saved before");
}

/// Every call of fsync and fdatasync fails once, or also all calls after it: those for the folder, the new file, its log
/// and its database. What could not be synced may be there all the same.
#[test]
#[cfg(target_os = "linux")]
fn what_was_saved_before_a_failed_sync_is_recovered() {
    let (mut failed, mut saved_some) = (0, 0);
    for (call, later) in (1..).flat_map(|call| [(call, ""), (call, "+")]) {
        let folder = tempfile::tempdir().unwrap();
        let (path, calls) = (folder.path().join("store.db"), folder.path().join("calls"));
        let traced = Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e"])
            .arg(format!("inject=fsync,fdatasync:error=EIO:when={call}{later}"))
            .arg("-o")
            .arg(&calls)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "saves_until_a_write_fails"])
            .env(STORE, &path)
            .stderr(Stdio::inherit())
            .output()
            .expect("strace is installed by ci/setup.sh");
        let output = String::from_utf8(traced.stdout).unwrap();
        assert!(traced.status.success(), "call {call}{later}: {output}");
        let saved = output.lines().filter(|line| line.starts_with("saved ")).count();
        if !fs::read_to_string(&calls).unwrap().contains("(INJECTED)") {
            assert_eq!(saved, usize::from(CHECKPOINTS), "{output}");
            break;
        }
        match output.lines().find(|line| line.starts_with("failed: ")) {
            Some(error) => {
                assert!(error.contains("store.db"), "{error}");
                failed += 1;
                saved_some += u32::from(saved > 0);
            }
            // SQLite makes the folder's entry durable if it can, and does not rely on it.
            None => assert_eq!(saved, usize::from(CHECKPOINTS), "call {call}{later}: {output}"),
        }
        let recovered = recovers(&path);
        assert!((saved..=saved + 1).contains(&recovered), "call {call}{later}: {recovered}, {output}");
    }
    println!("{failed} processes failed, {saved_some} had saved before");
    assert!(failed > 16 && saved_some > 12, "{failed} processes failed, {saved_some} had saved before");
}

/// A process without a fault recovers what was saved, and goes on. Returns how many checkpoints it found.
fn recovers(path: &Path) -> usize {
    let mut store = CheckpointStore::open(path).unwrap();
    store.check().unwrap();
    let recovered = store.recover::<Add>().unwrap();
    let saved = recovered.as_ref().map_or(0, |recovered| recovered.caller()[0] + 1);
    let table = recovered.as_ref().map_or_else(|| Table::new(LEN), |recovered| recovered.to_table());
    let expected = |addr| (0..saved).map(|number| delta(number, addr)).sum::<u64>();
    assert!(table.iter().enumerate().all(|(addr, state)| state.read() == expected(addr)), "{saved} saved");
    let mut epoch = recovered.map_or_else(|| table.epoch(), |recovered| recovered.resume(&table));
    table[0].accum(1);
    store.save(&mut epoch, b"").unwrap();
    saved.into()
}

/// What is accumulated at an address before a checkpoint.
fn delta(number: u8, addr: usize) -> u64 {
    if addr % 7 == usize::from(number) % 7 { 1 + u64::from(number) } else { 0 }
}

/// The other process.
#[test]
#[ignore = "called by the tests above, with a fault"]
fn saves_until_a_write_fails() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let save = || {
        let mut store = CheckpointStore::open(path)?;
        let table = Table::<Add>::new(LEN);
        let mut epoch = table.epoch();
        for number in 0..CHECKPOINTS {
            table.iter().enumerate().for_each(|(addr, state)| state.accum(delta(number, addr)));
            store.save(&mut epoch, &[number])?;
            println!("saved {number}");
        }
        Ok::<(), atomik_checkpoint::CheckpointError<atomik_checkpoint::SqliteError>>(())
    };
    if let Err(error) = save() {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        println!("failed: {error}: {}", source.unwrap_or_default());
    }
}
