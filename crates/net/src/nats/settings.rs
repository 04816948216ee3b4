//! How a node uses NATS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a node uses NATS: which server, and how its stream is made. [`docs::nats`](crate::docs::nats) says what happens.
///
/// ```
/// use std::time::Duration;
///
/// use atomik_net::Nats;
///
/// let nats = Nats::new("tls://nats.example.org:4222").credentials("node.creds").replicas(3);
/// # let _ = nats;
/// ```
#[derive(Clone)]
pub struct Nats {
    pub(super) servers: String,
    pub(super) credentials: Option<PathBuf>,
    pub(super) authority: Option<PathBuf>,
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
    pub(super) domain: Option<String>,
    pub(super) replicas: usize,
    pub(super) in_memory: bool,
    pub(super) interval: Duration,
}

impl Nats {
    /// A server, such as `nats://127.0.0.1:4222`, or several of a cluster with commas between them. The scheme `tls`
    /// encrypts the connection. A name and a password, or a token, may stand before the host, as
    /// `nats://name:password@host:4222`.
    #[must_use]
    pub fn new(servers: &str) -> Self {
        Self {
            servers: servers.to_owned(),
            credentials: None,
            authority: None,
            certificate: None,
            domain: None,
            replicas: 1,
            in_memory: false,
            interval: Duration::from_secs(1),
        }
    }

    /// Logs in by a file with the credentials of a user, a JWT and its seed, as `nsc` writes it.
    #[must_use]
    pub fn credentials(mut self, path: impl AsRef<Path>) -> Self {
        self.credentials = Some(path.as_ref().to_owned());
        self
    }

    /// Takes only servers whose certificate was signed by this authority, in PEM, or by one that the system knows.
    #[must_use]
    pub fn authority(mut self, path: impl AsRef<Path>) -> Self {
        self.authority = Some(path.as_ref().to_owned());
        self
    }

    /// Shows a certificate to the server, with its private key, both in PEM.
    #[must_use]
    pub fn certificate(mut self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.certificate = Some((certificate.as_ref().to_owned(), key.as_ref().to_owned()));
        self
    }

    /// Uses the stream of another JetStream domain: that of the hub, if the server is a leaf node with a JetStream of
    /// its own.
    #[must_use]
    pub fn domain(mut self, domain: &str) -> Self {
        self.domain = Some(domain.to_owned());
        self
    }

    /// Sets on how many servers of a cluster the stream is kept, if this node creates it. The default is 1.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Keeps the stream in the memory of the server, if this node creates it. The default is in files.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// Sets how often shards that changed are put into the stream. The default is one second. Between, only what
    /// changed is sent, and not kept.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }
}

impl From<&str> for Nats {
    fn from(servers: &str) -> Self {
        Self::new(servers)
    }
}

/// Without the servers, whose addresses may contain passwords.
impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats")
            .field("credentials", &self.credentials)
            .field("domain", &self.domain)
            .field("replicas", &self.replicas)
            .field("in_memory", &self.in_memory)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
