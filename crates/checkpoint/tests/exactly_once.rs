//! The example `exactly_once` as a process that is killed again and again.
//!
//! `ATOMIK_KILLS` is how often: 30 unless set. `ci/kill.sh` sets it to 1,000. The time is bounded: no run may take longer
//! than a minute, and a kill takes one run, or a few.

use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The example, which Cargo builds before it runs a test.
fn example() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    folder.join("examples").join(format!("exactly_once{}", std::env::consts::EXE_SUFFIX))
}

fn start(input: &Path, store: &Path, threads: u64) -> Child {
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
fn report(mut run: Child) -> Value {
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
fn totals(report: &Value) -> [&Value; 4] {
    ["lines", "bytes", "digest", "histogram"].map(|name| &report[name])
}

fn write_input(path: &Path, lines: u64) {
    let mut text = String::new();
    for line in 0..lines {
        writeln!(text, "{line} {}", "x".repeat((line * line % 97) as usize)).unwrap();
    }
    fs::write(path, text).unwrap();
}

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(0) % below
}

#[test]
fn totals_are_exact_however_often_the_process_is_killed() {
    let kills: u64 =
        std::env::var("ATOMIK_KILLS").map_or(30, |kills| kills.parse().expect("ATOMIK_KILLS is a number"));
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.log");
    // A short run mostly creates its store. The long form is built by a compiler that optimizes, and has the time.
    let lines = if kills > 30 { 2_000_000 } else { 300_000 };
    write_input(&input, lines);
    let started = Instant::now();
    let expected = report(start(&input, &folder.path().join("uninterrupted.db"), 2));
    let uninterrupted = started.elapsed();
    assert_eq!((&expected["lines"], &expected["restarts"]), (&lines.into(), &0.into()));

    // Kills at any moment from the start of a run to its end, also if it waits for the disk longer than the first one
    // did. Some runs end before that by themselves.
    let longest = 2 * uninterrupted.as_micros() as u64;
    let (mut killed, mut runs, mut stores) = (0, 0, 0);
    while killed < kills {
        stores += 1;
        let store = folder.path().join(format!("killed-{stores}.db"));
        let mut kills_of_store = 0;
        let found = loop {
            runs += 1;
            assert!(
                runs <= 10 * kills + 100,
                "only {killed} of {runs} runs could be killed before their end"
            );
            let mut run = start(&input, &store, 1 + random(4));
            thread::sleep(Duration::from_micros(random(longest)));
            if killed == kills || run.try_wait().unwrap().is_some() {
                break report(run);
            }
            run.kill().unwrap();
            run.wait().unwrap();
            (killed, kills_of_store) = (killed + 1, kills_of_store + 1);
            if killed % 50 == 0 {
                println!("{killed} of {kills} kills, on {stores} stores");
            }
        };
        assert_eq!(totals(&found), totals(&expected), "after {kills_of_store} kills");
        assert!(found["restarts"].as_u64().unwrap() <= kills_of_store);
        fs::remove_file(&store).unwrap();
    }
    println!("{killed} kills in {runs} runs on {stores} stores, all totals exact");
}

#[test]
fn a_finished_run_has_nothing_left_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (input, store) = (folder.path().join("input.log"), folder.path().join("store.db"));
    write_input(&input, 1_000);
    let first = report(start(&input, &store, 3));
    let again = report(start(&input, &store, 2));
    assert_eq!(totals(&again), totals(&first));
    assert_eq!(again["restarts"], 1);
    assert!(again["checkpoints"].as_u64() > first["checkpoints"].as_u64());
}

#[test]
fn another_input_is_refused_and_the_store_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (input, store) = (folder.path().join("input.log"), folder.path().join("store.db"));
    write_input(&input, 1_000);
    let first = report(start(&input, &store, 1));
    let other = folder.path().join("other.log");
    write_input(&other, 1_001);
    let output = start(&other, &store, 1).wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("other.log"), "{message}");
    assert_eq!(totals(&report(start(&input, &store, 1))), totals(&first));
}
