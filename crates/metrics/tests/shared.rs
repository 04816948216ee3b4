//! Processes that record to one file. This file's own program is started again as their process.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use atomik_core::Add;
use atomik_metrics::shared::{SharedRecorder, SharedRecorderError, SharedSize, read};
use atomik_metrics::{Format, HistogramSnapshot, Schema};
use atomik_shared::{SharedErrorKind, SharedFanIn};
use tempfile::TempDir;

const SIZE: SharedSize = SharedSize::new(2_000, 8, 8 << 10);
/// The file of a process that a test has started, and what it is to do.
const PATH: &str = "ATOMIK_METRICS_SHARED_PATH";
const WORK: &str = "ATOMIK_METRICS_SHARED_WORK";

fn path() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    (folder, path)
}

fn process(path: &Path, work: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_of_another_test", "--nocapture", "--test-threads=1"])
        .env(PATH, path)
        .env(WORK, work)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// It does nothing unless a test has started it as a process of its own.
#[test]
fn a_process_of_another_test() {
    let (Some(path), Ok(work)) = (std::env::var_os(PATH), std::env::var(WORK)) else { return };
    let recorder = SharedRecorder::open(path, SIZE).unwrap();
    metrics::with_local_recorder(&recorder, || match work.as_str() {
        "once" => {
            metrics::counter!("runs_total").increment(1);
            metrics::histogram!("values").record(0.5);
        }
        // It tells of each event after it was counted, until it is killed.
        _ => {
            let (counter, histogram) = (metrics::counter!("events_total"), metrics::histogram!("values"));
            let mut told = std::io::stderr();
            loop {
                counter.increment(1);
                histogram.record(2.0);
                told.write_all(b".").unwrap();
            }
        }
    });
}

fn counter(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn short_lived_processes_are_one_scrape_from_one_file() {
    let (folder, path) = path();
    let before = SharedRecorder::open(&path, SIZE).unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    for _ in 0..6 {
        let processes = [(); 4].map(|()| process(&path, "once"));
        for process in processes {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    for handle in [before.handle(), read(&path).unwrap()] {
        let text = handle.render();
        assert_eq!(counter(&text, "runs_total"), 24, "{text}");
        assert!(
            text.contains("values_bucket{le=\"0.5\"} 24\n") && text.contains("values_sum 12.0\n"),
            "{text}"
        );
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "there is one file");
}

#[test]
fn killed_processes_leave_every_event_that_they_told_of() {
    let (_folder, path) = path();
    let reader = SharedRecorder::open(&path, SIZE).unwrap().handle();
    let (mut told, mut kills) = (0, 0u64);
    for round in 0..5u64 {
        let mut processes = [(); 2].map(|()| process(&path, "until killed"));
        // Not before they have begun.
        for process in &mut processes {
            process.stderr.as_mut().unwrap().read_exact(&mut [0; 50]).unwrap();
            told += 50;
        }
        thread::sleep(Duration::from_millis(3 * round));
        for mut process in processes {
            process.kill().unwrap();
            let mut rest = Vec::new();
            process.stderr.take().unwrap().read_to_end(&mut rest).unwrap();
            told += rest.len() as u64;
            process.wait().unwrap();
            kills += 1;
        }
        let text = reader.render();
        let counted = counter(&text, "events_total");
        assert!(
            (told..=told + kills).contains(&counted),
            "{counted} were counted, {told} told, {kills} killed"
        );
        let values = counter(&text, "values_count");
        assert!((told..=counted).contains(&values), "{values} of {counted}");
        let sum: f64 =
            text.lines().find_map(|line| line.strip_prefix("values_sum ")).unwrap().parse().unwrap();
        assert!(
            (values..=counted).map(|values| 2.0 * values as f64).any(|expected| expected == sum),
            "{sum}"
        );
    }
}

#[test]
fn any_values_are_recorded_as_in_a_snapshot() {
    let (_folder, path) = path();
    let recorder = SharedRecorder::open(&path, SIZE).unwrap();
    let histogram = recorder.histogram("h", &[("a", "\"1\"")]).unwrap();
    let mut expected = HistogramSnapshot::new(Schema::default());
    let values = [0.25, 3.0, -3.0, 1e-300, 1e300, 0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.25];
    let mut epoch = read(&path).unwrap().epoch();
    for value in values {
        histogram.record(value);
        expected.record(value);
    }
    histogram.record_many(7.0, 5);
    expected.record_many(7.0, 5);
    let changes = epoch.swap();
    let found = changes.histogram("h").unwrap();
    assert_eq!(found.sum() - expected.sum(), 0.0);
    assert_eq!(found.count(), expected.count());
    assert!(found.positive_buckets().eq(expected.positive_buckets()), "{found:?}");
    assert!(found.negative_buckets().eq(expected.negative_buckets()), "{found:?}");
    assert_eq!(
        (found.zero(), found.nan(), found.positive_infinity(), found.negative_infinity()),
        (1, 1, 1, 1)
    );
    assert!(epoch.swap().histogram("h").is_none());
}

#[test]
fn threads_have_lanes_and_share_one_when_there_are_none_left() {
    let (_folder, path) = path();
    let recorder = SharedRecorder::open(&path, SharedSize::new(100, 3, 1 << 10)).unwrap();
    let counter = recorder.counter("c", &[]).unwrap();
    let barrier = std::sync::Barrier::new(6);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                counter.increment(1);
                barrier.wait();
                (0..1_000).for_each(|_| counter.increment(1));
            });
        }
    });
    let text = recorder.handle().render();
    assert_eq!(self::counter(&text, "c_total"), 6_006);
}

#[test]
fn a_counter_is_raised_and_never_goes_back() {
    let (_folder, path) = path();
    let recorder = SharedRecorder::open(&path, SIZE).unwrap();
    let counter = recorder.counter("c", &[]).unwrap();
    for value in [5, 3, 9, 9, 1] {
        counter.absolute(value);
    }
    counter.increment(1);
    assert_eq!(self::counter(&recorder.handle().render(), "c_total"), 10);
}

#[test]
fn events_without_room_are_counted_as_lost() {
    let (_folder, path) = path();
    // Room for two counters beside the word for lost events.
    let recorder = SharedRecorder::open(&path, SharedSize::new(3, 4, 1 << 10)).unwrap();
    metrics::with_local_recorder(&recorder, || {
        for name in ["a", "b", "c"] {
            metrics::counter!(name).increment(10);
        }
        metrics::histogram!("h").record(1.0);
    });
    let text = recorder.handle().render();
    let shown: BTreeSet<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(shown, BTreeSet::from(["a_total 10", "atomik_metrics_lost_total 2", "b_total 10"]));
    let full = recorder.counter("d", &[]).map(drop).unwrap_err();
    assert!(matches!(full, SharedRecorderError::Full { needed: 1, left: 0 }), "{full}");
    let none = recorder.histogram("h", &[]).map(drop).unwrap_err();
    assert!(matches!(none, SharedRecorderError::Full { needed: 4, left: 0 }), "{none}");
}

#[test]
fn names_without_room_are_an_error() {
    let (_folder, path) = path();
    let recorder = SharedRecorder::open(&path, SharedSize::new(100, 4, 64)).unwrap();
    let full = recorder.counter(&"x".repeat(100), &[]).map(drop).unwrap_err();
    assert!(
        matches!(&full, SharedRecorderError::File(error) if matches!(error.kind(), SharedErrorKind::MetadataFull { .. })),
        "{full}"
    );
}

#[test]
fn foreign_entries_are_not_shown_and_nothing_is_appended_to_them() {
    let (_folder, path) = path();
    let recorder = SharedRecorder::open(&path, SIZE).unwrap();
    recorder.counter("a", &[]).unwrap().increment(1);
    let file = SharedFanIn::<Add>::open(&path).unwrap();
    file.metadata_writer().unwrap().append(b"something else").unwrap();
    let damaged = recorder.counter("b", &[]).map(drop).unwrap_err();
    assert!(matches!(damaged, SharedRecorderError::Damaged), "{damaged}");
    recorder.counter("a", &[]).unwrap().increment(1);
    assert_eq!(read(&path).unwrap().render(), "# TYPE a_total counter\na_total 2\n");
}

#[test]
fn a_file_of_another_size_is_an_error() {
    let (_folder, path) = path();
    SharedRecorder::open(&path, SIZE).unwrap();
    let other = SharedRecorder::open(&path, SharedSize::default()).unwrap_err();
    assert!(
        matches!(&other, SharedRecorderError::File(error) if matches!(error.kind(), SharedErrorKind::OtherLength { .. })),
        "{other}"
    );
    assert!(matches!(read(path.with_extension("none")), Err(SharedRecorderError::File(_))));
}

#[test]
fn no_free_lane_is_an_error() {
    let (_folder, path) = path();
    let size = SharedSize::new(10, 1, 64);
    let _first = SharedRecorder::open(&path, size).unwrap();
    let second = SharedRecorder::open(&path, size).unwrap_err();
    assert!(
        matches!(&second, SharedRecorderError::File(error) if matches!(error.kind(), SharedErrorKind::NoFreeLane { .. })),
        "{second}"
    );
}

#[test]
fn gauges_and_descriptions_are_those_of_the_process() {
    let (_folder, path) = path();
    let recorder = SharedRecorder::open(&path, SIZE).unwrap();
    metrics::with_local_recorder(&recorder, || {
        metrics::describe_counter!("c", "Events.");
        metrics::counter!("c").increment(2);
        metrics::gauge!("g").set(1.5);
    });
    assert_eq!(
        recorder.handle().render(),
        "# HELP c_total Events.\n# TYPE c_total counter\nc_total 2\n# TYPE g gauge\ng 1.5\n"
    );
    let other = read(&path).unwrap();
    assert_eq!(other.render(), "# TYPE c_total counter\nc_total 2\n");
    assert!(!other.render_as(Format::Protobuf).is_empty());
}
