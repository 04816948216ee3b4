//! Processes that are killed with SIGKILL at random moments.
//!
//! `ATOMIK_KILLS` is how often, in each test: 30 unless set. `ci/kill.sh` sets it to 1,000.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use atomik_core::Add;
use atomik_shared::{FanInSize, LaneState, SharedErrorKind, SharedFanIn, SharedView};
use serde_json::Value;

fn kills() -> u64 {
    std::env::var("ATOMIK_KILLS").map_or(30, |kills| kills.parse().expect("ATOMIK_KILLS is a number"))
}

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(0) % below
}

/// The example, which Cargo builds before it runs a test.
fn example() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    folder.join("examples/processes")
}

/// Reads a file over and over while its writers are killed: no state ever goes back, and every lane can be looked at.
fn watch(path: &Path, is_over: &AtomicBool) -> u64 {
    let view = loop {
        match SharedView::<Add>::open(path) {
            Ok(view) => break view,
            Err(error) if matches!(error.kind(), SharedErrorKind::Io { .. }) => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    let (mut before, mut now) = (vec![0; view.len()], vec![0; view.len()]);
    let mut reads = 0;
    while !is_over.load(Ordering::Relaxed) {
        view.snapshot(&mut now);
        let backward = before.iter().zip(&now).position(|(before, now)| before > now);
        assert_eq!(backward, None);
        std::mem::swap(&mut before, &mut now);
        for lane in view.lanes().unwrap() {
            let label = lane.label.unwrap_or_default();
            assert!(label.is_empty() || label.starts_with("process "), "{label}");
        }
        reads += 1;
        thread::sleep(Duration::from_millis(1));
    }
    reads
}

/// The example kills its processes. What is in the file is what they did, to the call.
#[test]
fn accounts_are_exact_however_often_processes_are_killed() {
    const EVERY: u64 = 50;
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let (mut killed, mut round) = (0, 0);
    while killed < kills() {
        let path = folder.path().join(format!("round-{round}"));
        round += 1;
        let seconds = ((kills() - killed) * EVERY / 1_000 + 1).min(30);
        let mut command = Command::new(example());
        command.args(["--json", "--producers", "4", "--kill-every", &EVERY.to_string()]);
        command.args(["--seconds", &seconds.to_string(), "--path"]).arg(&path);
        let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let run = run.expect("the example is built by `cargo test -p atomik-shared`, but not with `--test`");
        let is_over = AtomicBool::new(false);
        let output = thread::scope(|scope| {
            let watching = scope.spawn(|| watch(&path, &is_over));
            let output = run.wait_with_output().unwrap();
            is_over.store(true, Ordering::Relaxed);
            assert!(watching.join().unwrap() > 10);
            output
        });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        println!("{report}");
        let number = |name: &str| report[name].as_u64().unwrap();
        assert_eq!(report["exact"], true);
        assert!(number("reported") > 0);
        // Each batch that was under way has at most 1,000 calls.
        assert!(number("under_way") <= 1_000 * number("killed"), "{report}");
        killed += number("killed");
    }
}

/// What a process of the test below does until it is killed: it claims a lane, counts, tells in the metadata how far it
/// has come, and returns the lane.
#[test]
fn child() {
    let Some(path) = std::env::var_os("ATOMIK_CHILD") else { return };
    let fan_in = SharedFanIn::<Add>::open(path).unwrap();
    loop {
        let mut producer = fan_in.producer_labelled("child").unwrap();
        for _ in 0..10 {
            producer.accum(0, 1);
        }
        producer.accum(1, 10);
        let mut writer = fan_in.metadata_writer().unwrap();
        let entries = writer.metadata().entries().count();
        // Its length depends on the number, so that an entry that is cut would show.
        let entry = format!("{entries} {}", "x".repeat(entries % 50));
        if writer.append(entry.as_bytes()).is_err() {
            return;
        }
    }
}

/// A process is killed anywhere between claiming a lane and returning it, with or without the lock of the metadata.
#[test]
fn claims_and_metadata_survive_kills() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = folder.path().join("file");
    let size = FanInSize::new(2, 1).metadata(4 << 20);
    let fan_in = SharedFanIn::<Add>::create_with(&path, size).unwrap();
    let mut dead = 0;
    for _ in 0..kills() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child", "--exact"]).env("ATOMIK_CHILD", &path).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_micros(random(20_000)));
        child.kill().unwrap();
        child.wait().unwrap();

        let lane = fan_in.lanes().unwrap().remove(0);
        assert_ne!(lane.state, LaneState::Alive);
        dead += u64::from(lane.state == LaneState::Dead);
        // The lane is free, and so is the lock of the metadata.
        let (counted, told) = (fan_in.read(0), fan_in.read(1));
        assert!((told..=told + 10).contains(&counted), "{counted} {told}");
        let mut producer = fan_in.producer().unwrap();
        producer.accum(0, 10 - (counted - told) % 10);
        if counted != told || fan_in.read(0) != told {
            producer.accum(1, fan_in.read(0) - told);
        }
        drop(producer);
        assert_eq!(fan_in.read(0), fan_in.read(1));
        drop(fan_in.metadata_writer().unwrap());
        for (number, entry) in fan_in.metadata().entries().enumerate() {
            assert_eq!(entry, format!("{number} {}", "x".repeat(number % 50)).as_bytes());
        }
    }
    let entries = fan_in.metadata().entries().count();
    println!("{} kills: {dead} of an owner of the lane, {entries} entries", kills());
    assert!(dead > 0, "no child was killed while it had the lane");
    assert!(entries as u64 <= fan_in.read(1) / 10);
}
