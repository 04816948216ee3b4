//! The example `prefork`, scraped while its workers are killed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The example, which Cargo builds before it runs a test.
fn example() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    folder.join("examples").join("prefork")
}

fn scrape(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn workers_that_are_killed_are_one_scrape() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let run = Command::new(example())
        .args(["--json", "--seconds", "2", "--workers", "3", "--port", &port.to_string(), "--path"])
        .arg(folder.path().join("metrics"))
        .stdout(Stdio::piped())
        .spawn()
        .expect(
            "the example is built by `cargo test -p atomik-metrics --all-features`, but not with `--test`",
        );
    // Whichever worker answers, the counts never go backwards.
    let (start, mut last, mut scrapes) = (Instant::now(), 0, 0);
    while start.elapsed() < Duration::from_millis(1_800) {
        if let Ok(answer) = scrape(port)
            && let Some(line) =
                answer.lines().find(|line| line.starts_with("http_requests_total{code=\"200\"} "))
        {
            let count: u64 = line.rsplit_once(' ').unwrap().1.parse().unwrap();
            assert!(count >= last, "{count} after {last}");
            last = count;
            scrapes += 1;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = run.wait_with_output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    assert!(scrapes > 5 && last > 0, "{scrapes} scrapes, the last of {last} requests");
    assert!(report.contains("\"exact\": true") && !report.contains("\"kills\": 0"), "{report}");
}
