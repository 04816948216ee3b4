//! The demo as a user runs it: its output and its exit status.

use std::fs;
use std::io::Write;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::xxh3_64;

fn command<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fan-in-demo"));
    command.args(args).stdin(Stdio::null());
    command
}

fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    command(args).output().unwrap()
}

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

/// Parses the one object that a successful run with `--json` prints.
fn object(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "status and standard error");
    serde_json::from_slice(&output.stdout).expect("exactly one JSON object")
}

/// The output of `--json` for a file with these bytes and this number of threads.
fn of_bytes(bytes: &[u8], threads: usize) -> Value {
    let file = file(bytes);
    object(&run(["--json", "--threads", &threads.to_string(), "--input", path(&file)]))
}

/// Lines, bytes and digest by definition, without any code of the demo.
fn expected(bytes: &[u8]) -> (u64, u64, String) {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines: Vec<&[u8]> =
        if bytes.is_empty() { Vec::new() } else { text.split(|&byte| byte == b'\n').collect() };
    let digest = lines.iter().fold(0, |digest, line| digest ^ xxh3_64(line));
    (lines.len() as u64, bytes.len() as u64, format!("0x{digest:016x}"))
}

/// Runs the demo on these bytes and compares with the definition.
fn check(bytes: &[u8], threads: usize) {
    let object = of_bytes(bytes, threads);
    let (lines, size, digest) = expected(bytes);
    assert_eq!(object["lines"], lines);
    assert_eq!(object["bytes"], size);
    assert_eq!(object["digest"], *digest);
    assert_eq!(object["threads"], threads);
    assert_eq!(object["agree"], true);
}

/// Asserts a refusal: status 2 and nothing but one line on standard error, which names what is wrong.
fn refused(output: &Output, what: &str) {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(errors.matches('\n').count(), 1, "{errors}");
    assert!(errors.ends_with('\n') && errors.contains(what), "{errors:?} does not name {what:?}");
}

/// Lines of many lengths, including empty ones.
fn sample() -> Vec<u8> {
    (0..3000usize).flat_map(|i| [vec![b'a' + (i % 26) as u8; i * i % 977], vec![b'\n']].concat()).collect()
}

/// The number of events of the second table for a short input.
const LEAST_EVENTS: u64 = if cfg!(debug_assertions) { 20_000 } else { 2_000_000 };

/// Checks the names, keys and rates of all methods, which accumulated `count` events.
fn check_methods(methods: &Value, count: f64) {
    let methods = methods.as_array().unwrap();
    let names: Vec<&str> = methods.iter().map(|method| method["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["fan_in", "mutex", "parking_lot", "atomic"]);
    for method in methods {
        assert_eq!(method.as_object().unwrap().len(), 3);
        let seconds = method["seconds"].as_f64().unwrap();
        let events = method["events_per_second"].as_f64().unwrap() * seconds;
        assert!(seconds > 0.0 && (events / count - 1.0).abs() < 1e-6, "{method}");
    }
}

#[test]
fn the_object_has_the_documented_keys() {
    let object = of_bytes(b"one\ntwo\n", 2);
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["accumulation", "agree", "bytes", "digest", "lines", "methods", "threads"]);
    check_methods(&object["methods"], 2.0);
    let accumulation = &object["accumulation"];
    assert_eq!(accumulation.as_object().unwrap().len(), 2);
    assert_eq!(accumulation["events"], LEAST_EVENTS);
    check_methods(&accumulation["methods"], LEAST_EVENTS as f64);
}

#[test]
fn totals_match_the_definition() {
    let bytes = sample();
    check(&bytes, 2);
    check(&bytes[..bytes.len() - 1], 2);
}

#[test]
fn totals_do_not_depend_on_the_number_of_threads() {
    for threads in 1..=9 {
        check(&sample(), threads);
    }
    check(b"two\nlines", 64);
}

#[test]
fn an_empty_file_has_no_lines() {
    check(b"", 2);
    assert_eq!(of_bytes(b"", 2)["digest"], "0x0000000000000000");
    let file = file(b"");
    assert_eq!(run(["--input", path(&file)]).status.code(), Some(0));
}

#[test]
fn empty_lines_count_but_nothing_follows_the_last_line_end() {
    assert_eq!(of_bytes(b"\n", 1)["lines"], 1);
    assert_eq!(of_bytes(b"\n\n", 3)["lines"], 2);
    assert_eq!(of_bytes(b"\nx", 3)["lines"], 2);
    check(b"\n\n\nx\n\n", 3);
}

#[test]
fn bytes_that_are_not_text_are_accepted() {
    check(b"\xff\xfe\n\0\0\n\xc3(\r\n\x1b[31m\n", 2);
}

#[test]
fn a_long_line_is_an_event_like_any_other() {
    // A debug build hashes about a hundred times more slowly.
    let length = if cfg!(debug_assertions) { 4_000_000 } else { 100_000_000 };
    let mut bytes = b"before\n".to_vec();
    bytes.resize(length, b'x');
    bytes.extend(b"\nafter");
    check(&bytes, 3);
}

#[test]
fn the_report_shows_totals_tables_and_histogram() {
    let bytes = [b"x\n".repeat(3), b"\n".to_vec(), b"seven b\n".to_vec()].concat();
    let file = file(&bytes);
    let output = run(["--input", path(&file), "--threads", "2"]);
    let report = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let (_, _, digest) = expected(&bytes);
    let after = |word: &str| -> Vec<&str> {
        let line = report.lines().find(|line| line.trim_start().starts_with(word));
        line.unwrap_or_else(|| panic!("no {word:?} in {report}")).split_whitespace().skip(1).collect()
    };
    assert_eq!(after("lines "), ["5"]);
    assert_eq!(after("bytes ")[0], bytes.len().to_string());
    assert_eq!(after("digest "), [&digest]);
    for method in ["fan_in", "mutex", "parking_lot", "atomic"] {
        assert_eq!(report.matches(&format!("\n  {method} ")).count(), 2, "{method} in {report}");
    }
    let events = if cfg!(debug_assertions) { "20,000" } else { "2,000,000" };
    assert!(report.contains(&format!("\n{events} events, 2 threads,")), "{report}");
    assert!(report.contains("All four agree"), "{report}");
    // Three buckets that are not empty, and the bucket between them.
    let histogram = report.split_once("Lines by length").unwrap().1.lines().skip(1);
    let rows: Vec<(String, usize)> =
        histogram.map(|row| (row.replace(['█', ' '], ""), row.matches('█').count())).collect();
    let expected = [("01", 12), ("13", 36), ("2to30", 0), ("4to71", 12)];
    assert_eq!(rows, expected.map(|(row, bar)| (row.to_owned(), bar)));
    assert!(report.lines().all(|line| line.chars().count() <= 80), "{report}");
}

#[test]
fn without_input_it_generates_lines() {
    let object = object(&run(["--json"]));
    assert_eq!(object["lines"], 2_000_000);
    assert_eq!(object["digest"], "0x11c942a0e262dc2a");
    assert_eq!(object["agree"], true);
}

#[test]
fn bad_input_is_refused_by_name() {
    refused(&run(["--input", "no such\nfile"]), r"no such\nfile");
    let directory = env!("CARGO_MANIFEST_DIR");
    refused(&run(["--input", directory]), directory);
    refused(&run(["--input", directory]), "is a directory");
}

#[test]
fn a_bad_command_line_is_refused_by_name() {
    refused(&run(["--threads", "0"]), "--threads");
    refused(&run(["--threads", "-1"]), "-1");
    refused(&run(["--threads", "two"]), "two");
    refused(&run(["--threads", "18446744073709551616"]), "18446744073709551616");
    refused(&run(["--threads"]), "--threads");
    refused(&run(["--threads", "t\nwo"]), "t wo");
    refused(&run(["--frobnicate"]), "fan-in-demo: unexpected argument '--frobnicate' found (try --help)\n");
    refused(&run(["access.log"]), "access.log");
    refused(&run(["--json", "--input"]), "--input");
}

#[test]
fn help_and_version_succeed() {
    for flag in ["--help", "--version"] {
        let output = run([flag]);
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
        assert!(String::from_utf8(output.stdout).unwrap().contains("fan-in-demo"));
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::thread;

    #[test]
    fn a_file_without_permission_is_refused_by_name() {
        let file = file(b"secret\n");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o000)).unwrap();
        let mut command = command(["--input", path(&file)]);
        if File::open(file.path()).is_ok() {
            // The superuser needs no permission, so run the program as nobody.
            command.uid(65534);
        }
        match command.output() {
            Ok(output) => refused(&output, path(&file)),
            Err(error) => eprintln!("not tested: the user nobody can't run the program ({error})"),
        }
    }

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let bytes = sample();
        let mut child = command(["--json", "--threads", "3", "--input", "/dev/stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(&sample()).unwrap());
            let object = object(&child.wait_with_output().unwrap());
            let (lines, size, digest) = expected(&bytes);
            assert_eq!((&object["lines"], &object["bytes"]), (&lines.into(), &size.into()));
            assert_eq!(object["digest"], *digest);
        });
    }

    #[test]
    fn a_reader_that_closes_the_pipe_early_is_not_an_error() {
        let file = file(&sample());
        let mut child =
            command(["--input", path(&file)]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(0), ""));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_failing_output_is_named() {
        let file = file(b"line\n");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command(["--input", path(&file)]).stdout(full).output().unwrap();
        refused(&output, "standard output");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_shorter_than_its_length_is_refused_by_name() {
        // sysfs reports a length of one page for each of its files.
        let short = "/sys/kernel/mm/transparent_hugepage/enabled";
        if Path::new(short).exists() {
            refused(&run(["--json", "--input", short]), short);
        }
    }
}
