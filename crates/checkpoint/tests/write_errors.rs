//! Writes that fail while the example `exactly_once` runs: nothing that was saved is lost.
#![cfg(unix)]

mod example;

use std::fs;
use std::process::{Command, Stdio};

use example::{example, report, start, totals, write_input};

/// A limit of the size of files lets every write past it fail. It is moved through all that a run writes: the creation of
/// the store, the database, and its log of writes.
#[test]
fn a_run_after_failed_writes_continues_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.log");
    write_input(&input, 60_000);
    let expected = report(start(&input, &folder.path().join("uninterrupted.db"), 2));

    let (mut failed, mut continued) = (0, 0);
    // In units of 512 or 1,024 bytes, as the shell has them. The store takes 64 or 32 of them when it is created, for the
    // index of its log; a page of the database has 4,096 bytes.
    for limit in (0..64).step_by(21).chain((64..200).step_by(5)) {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        // The signal is ignored, so that the write returns an error.
        let limited = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &limit.to_string()])
            .arg(example())
            .args(["--json", "--every", "0", "--threads", "2", "--input"])
            .arg(&input)
            .arg("--store")
            .arg(&store)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        if !limited.status.success() {
            failed += 1;
            let message = String::from_utf8(limited.stderr).unwrap();
            assert!(message.starts_with("exactly_once: ") && message.contains("store.db"), "{message}");
        }
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(!names.iter().any(|name| name.contains(".new")), "left by the creation: {names:?}");
        let unlimited = report(start(&input, &store, 2));
        assert_eq!(totals(&unlimited), totals(&expected), "limit {limit}");
        continued += u32::from(unlimited["restarts"] == 1);
    }
    println!("{failed} runs failed, {continued} were continued");
    assert!(failed > 10, "only {failed} runs failed");
    assert!(continued > 3, "only {continued} runs had something to continue from");
}
