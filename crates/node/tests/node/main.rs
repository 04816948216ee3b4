//! The program: what clients ask and are answered, who is refused, and what it survives.

mod clients;
mod commands;
mod hostile;
mod kills;
mod program;
mod transports;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A node in a process of its own, which ends with this.
struct Process {
    child: Child,
    ready: String,
}

impl Process {
    fn start(arguments: &str) -> Self {
        let mut child = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.starts_with("ready "), "{arguments}: {ready:?}");
        Self { child, ready }
    }

    /// An address that the node printed.
    fn address(&self, name: &str) -> &str {
        let field = self.ready.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        field.unwrap_or_else(|| panic!("no {name} in {:?}", self.ready))
    }

    fn client(&self) -> Client {
        Client::connect(self.address("redis"))
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the status after it.
    fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_atomik-node"));
    command.args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

/// A node of its own, with 1,000 keys.
fn alone(arguments: &str) -> Process {
    Process::start(&format!("--id 1 --len 1000 --redis 127.0.0.1:0 {arguments}"))
}

/// A connection, and replies as they are on it.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// The bytes of the next reply, as text.
    fn reply(&mut self) -> String {
        let mut reply = String::new();
        self.0.read_line(&mut reply).unwrap();
        let count = |reply: &str| reply[1..].trim_end().parse::<usize>().unwrap();
        match reply.as_bytes().first() {
            Some(b'$') => {
                let mut bytes = vec![0; count(&reply) + 2];
                self.0.read_exact(&mut bytes).unwrap();
                reply += &String::from_utf8(bytes).unwrap();
            }
            Some(b'*') => {
                for _ in 0..count(&reply) {
                    reply += &self.reply();
                }
            }
            _ => {}
        }
        reply
    }

    /// The reply to a request, whose words are separated by spaces.
    fn call(&mut self, request: &str) -> String {
        let words: Vec<&str> = request.split(' ').collect();
        let mut bytes = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| bytes += &format!("${}\r\n{word}\r\n", word.len()));
        self.send(bytes.as_bytes());
        self.reply()
    }

    /// The value of a key.
    fn get(&mut self, key: usize) -> i64 {
        let reply = self.call(&format!("GET {key}"));
        reply.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("{reply:?}"))
    }

    /// Whether the other end has closed the connection.
    fn is_closed(&mut self) -> bool {
        self.0.read(&mut [0; 1]).is_ok_and(|len| len == 0)
    }
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(30), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
