//! A Redis server on a Unix socket, and its clients.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::workers::ADDRESSES;

/// The requests that are sent before the answers are read.
const PIPELINE: u64 = 1_000;

/// A server of this program's own, which ends with it.
pub(crate) struct Server {
    process: Child,
    client: Client,
}

impl Server {
    /// Starts a server that keeps everything in memory and listens at a path only.
    pub(crate) fn start(path: &Path) -> Result<Self, String> {
        let mut process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(path)
            .current_dir(path.parent().expect("it is in a folder"))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("redis-server can't be started ({error}); Debian's package has this name")
            })?;
        let start = Instant::now();
        loop {
            match Client::connect(path) {
                Ok(client) => return Ok(Self { process, client }),
                Err(error) if start.elapsed() > Duration::from_secs(10) => {
                    let _ = process.kill();
                    let _ = process.wait();
                    return Err(format!("redis-server does not answer: {error}"));
                }
                Err(_) => sleep(Duration::from_millis(10)),
            }
        }
    }

    /// The sum of all counts.
    pub(crate) fn total(&mut self) -> u64 {
        let all = (0..ADDRESSES).map(|addr| request(addr, 0)).collect::<Vec<_>>().concat();
        let answers = exchange(&mut self.client.stream, &all, ADDRESSES);
        let answers = String::from_utf8(answers).expect("numbers are text");
        answers.lines().map(|line| line[1..].parse::<u64>().expect("a number follows the colon")).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection, and what is sent over it again and again.
pub(crate) struct Client {
    stream: UnixStream,
    pipeline: Vec<u8>,
}

/// The bytes of one request: to add to the count of an address.
fn request(addr: usize, delta: u64) -> Vec<u8> {
    let (key, delta) = (format!("count:{addr}"), delta.to_string());
    format!("*3\r\n$6\r\nINCRBY\r\n${}\r\n{key}\r\n${}\r\n{delta}\r\n", key.len(), delta.len()).into_bytes()
}

impl Client {
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let pipeline = (0..PIPELINE).flat_map(|i| request(i as usize % ADDRESSES, 1)).collect();
        Ok(Self { stream, pipeline })
    }

    /// Counts 1 at each address in turn.
    pub(crate) fn count(&mut self, deltas: u64) {
        assert_eq!(deltas % PIPELINE, 0);
        for _ in 0..deltas / PIPELINE {
            exchange(&mut self.stream, &self.pipeline, PIPELINE as usize);
        }
    }
}

/// Sends requests, and returns their answers of a line each.
fn exchange(stream: &mut UnixStream, requests: &[u8], count: usize) -> Vec<u8> {
    stream.write_all(requests).expect("the server reads");
    let (mut answers, mut lines) = (Vec::with_capacity(16 * count), 0);
    let mut buffer = [0; 64 << 10];
    while lines < count {
        let read = stream.read(&mut buffer).expect("the server answers");
        assert_ne!(read, 0, "the server closed the connection");
        lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count();
        answers.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(answers[0], b':', "{}", String::from_utf8_lossy(&answers));
    answers
}
