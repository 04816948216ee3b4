//! A server of NATS in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context};
use tempfile::TempDir;

/// A server on a port of its own, with a store of its own. It ends with this.
pub(crate) struct Server {
    folder: TempDir,
    child: Option<Child>,
    port: u16,
    config: String,
    /// What stands in the block of JetStream besides the store.
    jetstream: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with_config("")
    }

    /// A server with these lines in its configuration.
    pub(crate) fn with_config(config: &str) -> Self {
        let mut server = Self::stopped(config);
        server.run();
        server
    }

    /// A server that does not run yet, but has a port.
    pub(crate) fn stopped(config: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            child: None,
            port: free_port(),
            config: config.to_owned(),
            jetstream: String::new(),
        }
    }

    /// A hub and a leaf node of it, each with a JetStream in a domain of its own.
    pub(crate) fn hub_and_leaf() -> (Self, Self) {
        let port = free_port();
        let start = |domain: &str, leaf_nodes: String| {
            let mut server = Self::stopped(&format!("leafnodes {{ {leaf_nodes} }}"));
            server.jetstream = format!(", domain: {domain}");
            server.run();
            server
        };
        let hub = start("hub", format!("host: 127.0.0.1, port: {port}"));
        let leaf = start("leaf", format!("remotes: [{{ url: \"nats://127.0.0.1:{port}\" }}]"));
        (hub, leaf)
    }

    /// Where its stream is.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Runs it, and waits until it answers.
    pub(crate) fn run(&mut self) {
        assert!(self.child.is_none());
        let config = self.folder.path().join("server.conf");
        let store = self.store();
        let text = format!(
            "host: 127.0.0.1\nport: {}\njetstream {{ store_dir: {store:?}{} }}\n{}\n",
            self.port, self.jetstream, self.config
        );
        std::fs::write(&config, text).unwrap();
        let program = std::env::var_os("ATOMIK_NATS_SERVER").expect("./ci/nats.sh runs these tests");
        let log = self.folder.path().join("server.log");
        let child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .arg("-l")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(begin.elapsed() < Duration::from_secs(20), "the server does not answer: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends a signal to it, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// JetStream, for a look at the stream.
    pub(crate) async fn context(&self) -> Context {
        jetstream::new(async_nats::connect(self.url()).await.unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free just now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
