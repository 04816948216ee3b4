//! The example `exactly_once` as a process that is killed again and again.
//!
//! `ATOMIK_KILLS` is how often: 30 unless set. `ci/kill.sh` sets it to 1,000. The time is bounded: no run may take longer
//! than a minute, and a kill takes one run, or a few.

mod example;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use example::{report, start, totals, write_input};

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

    // Kills at any moment from the start of a run to its end, also if it waits for the disk longer than the first one did.
    // Some runs end before that by themselves.
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
