//! The load: requests one after another, each over a connection of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many requests were sent, and how many of them were answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requests {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
}

/// Threads that send requests.
pub(crate) struct Load {
    is_stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Requests>>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let threads = (0..2).map(|_| {
            let is_stopped = Arc::clone(&is_stopped);
            std::thread::spawn(move || {
                let mut requests = Requests::default();
                // Relaxed: the requests are handed over when the thread is joined.
                while !is_stopped.load(Ordering::Relaxed) {
                    requests.sent += 1;
                    requests.answered += u64::from(get(address, "/").is_ok_and(|body| body == "hello"));
                }
                requests
            })
        });
        Self { threads: threads.collect(), is_stopped }
    }

    /// Stops, and tells how many requests there were.
    pub(crate) fn stop(self) -> Requests {
        // Relaxed: as above.
        self.is_stopped.store(true, Ordering::Relaxed);
        let requests = self.threads.into_iter().map(|thread| thread.join().expect("it doesn't panic"));
        requests.fold(Requests::default(), |a, b| Requests {
            sent: a.sent + b.sent,
            answered: a.answered + b.answered,
        })
    }
}

/// Waits until a worker answers a scrape, for ten seconds at most.
pub(crate) fn wait_until_ready(address: SocketAddr) -> io::Result<()> {
    let start = Instant::now();
    loop {
        match get(address, "/metrics") {
            Ok(_) => return Ok(()),
            Err(error) if start.elapsed() > Duration::from_secs(10) => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The body of an answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if head.starts_with("HTTP/1.1 200 ") {
        Ok(body.to_owned())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not 200, or is cut"))
    }
}
