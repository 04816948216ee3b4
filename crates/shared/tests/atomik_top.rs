//! `atomik-top --once` on files whose writers are alive, dead or killed meanwhile.
#![cfg(feature = "top")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use atomik_core::Add;
use atomik_shared::SharedFanIn;
use serde_json::Value;

/// Where the other process finds the file.
const FILE: &str = "ATOMIK_TEST_FILE";

fn top(path: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_atomik-top"))
        .args(["--once", "--interval", "50"])
        .args(more)
        .arg(path)
        .output()
        .unwrap()
}

fn json(path: &Path) -> Value {
    let output = top(path, &["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_program_gets_totals_and_lanes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts");
    let counts = SharedFanIn::<Add>::create(&path, 1_000, 4).unwrap();
    let mut producer = counts.producer_labelled("this one").unwrap();
    producer.accum(7, 42);
    drop(counts.producer_labelled("gone").unwrap());

    // One that claims a lane, counts, and is killed.
    let mut killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "counts_until_it_is_killed"])
        .env(FILE, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(killed.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("counted")), "the other process could not count");
    let pid = killed.id();
    let alive = json(&path);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let dead = json(&path);

    for (report, state) in [(&alive, "alive"), (&dead, "dead")] {
        assert_eq!((&report["kind"], &report["algebra"]), (&"fan-in".into(), &"add".into()));
        assert_eq!(report["totals"].as_array().unwrap().len(), 2, "{report}");
        assert_eq!((&report["totals"][0]["addr"], &report["totals"][0]["total"]), (&7.into(), &142.into()));
        assert_eq!((&report["totals"][1]["addr"], &report["totals"][1]["total"]), (&8.into(), &1.into()));
        let lanes = report["lanes"].as_array().unwrap();
        let states: Vec<_> = lanes.iter().map(|lane| lane["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["alive", state, "unused", "unused"], "{report}");
        assert_eq!((&lanes[0]["label"], &lanes[0]["sum"]), (&"this one".into(), &42.into()));
        assert_eq!((&lanes[0]["pid"], &lanes[1]["pid"]), (&std::process::id().into(), &pid.into()));
        assert_eq!((&lanes[1]["label"], &lanes[1]["sum"]), (&"killed".into(), &101.into()));
        assert_eq!(lanes[1]["incarnation"], 2, "the one that is gone had this lane too");
        assert_eq!(lanes[2]["pid"], Value::Null);
    }
}

/// The other process.
#[test]
#[ignore = "called by the test above, which kills it"]
fn counts_until_it_is_killed() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let counts = SharedFanIn::<Add>::open(path).unwrap();
    let mut producer = counts.producer_labelled("killed").unwrap();
    producer.accum(7, 100);
    producer.accum(8, 1);
    println!("counted");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn a_rate_is_what_was_added_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts");
    let counts = SharedFanIn::<Add>::create(&path, 10, 2).unwrap();
    let mut producer = counts.producer().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                producer.accum(3, 1);
            }
        });
        let report = json(&path);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        report
    });
    let (seconds, total) = (report["seconds"].as_f64().unwrap(), &report["totals"][0]);
    let (rate, counted) = (total["rate"].as_f64().unwrap(), total["total"].as_f64().unwrap());
    assert!(seconds >= 0.05 && total["addr"] == 3, "{report}");
    assert!(rate > 0.0 && rate * seconds <= counted && total["changed"] == true, "{report}");
}

#[test]
fn people_get_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts");
    let counts = SharedFanIn::<Add>::create(&path, 10, 2).unwrap();
    counts.producer_labelled("worker 1").unwrap().accum(3, 5);
    let text = String::from_utf8(top(&path, &[]).stdout).unwrap();
    assert!(text.contains("fan-in of 10 on add, 0 of 2 lanes alive"), "{text}");
    let lane = text.lines().find(|line| line.ends_with("worker 1")).expect("the lane has a line");
    assert!(lane.contains("returned") && lane.contains(" 5 "), "{lane}");
}

#[test]
fn other_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in [("text", "no file of atomik-shared. ".repeat(100)), ("empty", String::new())] {
        let path = folder.path().join(name);
        std::fs::write(&path, contents).unwrap();
        let output = top(&path, &["--json"]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(message.starts_with("atomik-top: ") && message.contains(name), "{message}");
    }
}
