//! The main job, run as a user runs it: the built example, its output and its exit status.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::xxh3_64;

/// The example's program, built with the profile of this test. (Cargo hands tests the paths of programs, but not
/// of examples, and doesn't build examples for a test that is run alone.)
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--example", "fan_in", "--message-format", "json", "--quiet"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "the example does not build");
        let messages = String::from_utf8(built.stdout).unwrap();
        let executable = messages.lines().find_map(|message| {
            let message: Value = serde_json::from_str(message).unwrap();
            let ours = message["target"]["name"] == "fan_in";
            message["executable"].as_str().filter(|_| ours).map(PathBuf::from)
        });
        executable.expect("cargo names the example's program")
    })
}

fn command<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(program());
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

/// The one object that a successful run with `--json` prints.
fn object(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "status and standard error");
    serde_json::from_slice(&output.stdout).expect("exactly one JSON object")
}

/// What `--json` says of a file with these bytes, shared among `threads` threads.
fn of_bytes(bytes: &[u8], threads: usize) -> Value {
    let file = file(bytes);
    object(&run(["--json", "--threads", &threads.to_string(), "--input", path(&file)]))
}

/// Lines, bytes and digest by the definition, with nothing of the example's own.
fn expected(bytes: &[u8]) -> (u64, u64, String) {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines: Vec<&[u8]> =
        if bytes.is_empty() { Vec::new() } else { text.split(|&byte| byte == b'\n').collect() };
    let digest = lines.iter().fold(0, |digest, line| digest ^ xxh3_64(line));
    (lines.len() as u64, bytes.len() as u64, format!("0x{digest:016x}"))
}

/// Runs on these bytes and compares with the definition.
fn check(bytes: &[u8], threads: usize) {
    let object = of_bytes(bytes, threads);
    let (lines, size, digest) = expected(bytes);
    assert_eq!(object["lines"], lines);
    assert_eq!(object["bytes"], size);
    assert_eq!(object["digest"], *digest);
    assert_eq!(object["threads"], threads);
    assert_eq!(object["agree"], true);
}

/// A refusal: status 2, one line on standard error that names what is wrong, and nothing else.
fn refused(output: &Output, what: &str) {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(errors.matches('\n').count(), 1, "{errors}");
    assert!(errors.ends_with('\n') && errors.contains(what), "{errors:?} does not name {what:?}");
}

/// Lines of many lengths, some of them empty.
fn sample() -> Vec<u8> {
    (0..3000usize).flat_map(|i| [vec![b'a' + (i % 26) as u8; i * i % 977], vec![b'\n']].concat()).collect()
}

#[test]
fn the_object_has_the_documented_keys() {
    let object = of_bytes(b"one\ntwo\n", 2);
    let keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["agree", "bytes", "digest", "lines", "methods", "threads"]);
    let methods = object["methods"].as_array().unwrap();
    let names: Vec<&str> = methods.iter().map(|method| method["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["fan_in", "mutex", "parking_lot", "atomic"]);
    for method in methods {
        assert_eq!(method.as_object().unwrap().len(), 3);
        let seconds = method["seconds"].as_f64().unwrap();
        let events = method["events_per_second"].as_f64().unwrap() * seconds;
        assert!(seconds > 0.0 && (events - 2.0).abs() < 1e-6, "{method}");
    }
}

#[test]
fn totals_are_those_of_the_definition() {
    let bytes = sample();
    check(&bytes, 2);
    check(&bytes[..bytes.len() - 1], 2);
}

#[test]
fn any_number_of_threads_comes_to_the_same() {
    for threads in 1..=9 {
        check(&sample(), threads);
    }
    check(b"two\nlines", 64);
}

#[test]
fn an_empty_file_gives_zeros() {
    check(b"", 2);
    assert_eq!(of_bytes(b"", 2)["digest"], "0x0000000000000000");
    let file = file(b"");
    assert_eq!(run(["--input", path(&file)]).status.code(), Some(0));
}

#[test]
fn empty_lines_count_but_none_after_the_last_line_end() {
    assert_eq!(of_bytes(b"\n", 1)["lines"], 1);
    assert_eq!(of_bytes(b"\n\n", 3)["lines"], 2);
    assert_eq!(of_bytes(b"\nx", 3)["lines"], 2);
    check(b"\n\n\nx\n\n", 3);
}

#[test]
fn any_bytes_are_data() {
    check(b"\xff\xfe\n\0\0\n\xc3(\r\n\x1b[31m\n", 2);
}

#[test]
fn a_long_line_is_an_event_like_any_other() {
    // Debug builds hash some hundred times slower.
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
    assert!(report.contains("\n2,000,000 events, 2 threads,"), "{report}");
    assert!(report.contains("All four agree"), "{report}");
    // Three buckets with lines in them, and the empty ones between them.
    let histogram = report.split_once("Lines by length").unwrap().1.lines().skip(1);
    let rows: Vec<(String, usize)> =
        histogram.map(|row| (row.replace(['█', ' '], ""), row.matches('█').count())).collect();
    let expected = [("01", 12), ("13", 36), ("2to30", 0), ("4to71", 12)];
    assert_eq!(rows, expected.map(|(row, bar)| (row.to_owned(), bar)));
    assert!(report.lines().all(|line| line.chars().count() <= 80), "{report}");
}

#[test]
fn without_input_it_makes_its_own_lines() {
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
    refused(&run(["--frobnicate"]), "fan_in: unexpected argument '--frobnicate' found (try --help)\n");
    refused(&run(["access.log"]), "access.log");
    refused(&run(["--json", "--input"]), "--input");
}

#[test]
fn help_and_version_are_no_errors() {
    for flag in ["--help", "--version"] {
        let output = run([flag]);
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
        assert!(String::from_utf8(output.stdout).unwrap().contains("fan_in"));
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
            // The superuser needs no permission, so it runs the program as nobody.
            command.uid(65534);
        }
        match command.output() {
            Ok(output) => refused(&output, path(&file)),
            Err(error) => eprintln!("not tested: nobody may not run the program ({error})"),
        }
    }

    #[test]
    fn a_pipe_is_read_whole() {
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
    fn a_reader_that_has_seen_enough_is_no_error() {
        let file = file(&sample());
        let mut child =
            command(["--input", path(&file)]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(0), ""));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_output_that_fails_is_named() {
        let file = file(b"line\n");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command(["--input", path(&file)]).stdout(full).output().unwrap();
        refused(&output, "standard output");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_with_less_in_it_than_its_length_is_refused_by_name() {
        // sysfs says one page for each of its files.
        let short = "/sys/kernel/mm/transparent_hugepage/enabled";
        if Path::new(short).exists() {
            refused(&run(["--json", "--input", short]), short);
        }
    }
}
