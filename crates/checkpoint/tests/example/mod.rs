//! The example `exactly_once` as a process.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The example, which Cargo builds before it runs a test.
pub(crate) fn example() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    folder.join("examples").join(format!("exactly_once{}", std::env::consts::EXE_SUFFIX))
}

pub(crate) fn start(input: &Path, store: &Path, threads: u64) -> Child {
    Command::new(example())
        .args(["--json", "--every", "3", "--threads", &threads.to_string(), "--input"])
        .arg(input)
        .arg("--store")
        .arg(store)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example is built by `cargo test -p atomik-checkpoint`, but not with `--test`")
}

/// How long a run may take before it counts as hung. One that has the machine to itself takes well under a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// The report of a run that ends by itself.
pub(crate) fn report(mut run: Child) -> Value {
    let start = Instant::now();
    while run.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            run.kill().unwrap();
            panic!("a run did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(1));
    }
    // What it printed fits into the pipes, so it did not have to wait for a reader.
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The totals of a report, without what depends on interruptions.
pub(crate) fn totals(report: &Value) -> [&Value; 4] {
    ["lines", "bytes", "digest", "histogram"].map(|name| &report[name])
}

pub(crate) fn write_input(path: &Path, lines: u64) {
    let mut text = String::new();
    for line in 0..lines {
        writeln!(text, "{line} {}", "x".repeat((line * line % 97) as usize)).unwrap();
    }
    fs::write(path, text).unwrap();
}
