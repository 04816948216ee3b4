//! Settings: from the command line, the environment and a file, in this order.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use atomik_net::Nats;
use clap::{Parser, ValueEnum};
use serde::Deserialize;

/// A cache of counters and words without a leader. Every Redis client can use it.
///
/// Each node takes writes and answers reads at once; the nodes of a cluster converge. Keys are the numbers from 0 to
/// LEN - 1.
#[derive(Clone, Debug, Default, Parser, Deserialize)]
#[command(name = "atomik-node", version)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Reads settings from a file in TOML, with the long names of these options as keys.
    #[arg(long, value_name = "FILE", env = "ATOMIK_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// The number of this node, which is its name in the cluster.
    #[arg(long, value_name = "NUMBER", env = "ATOMIK_ID")]
    id: Option<u64>,
    /// Listens for other nodes.
    #[arg(long, value_name = "ADDR", env = "ATOMIK_LISTEN")]
    listen: Option<String>,
    /// Connects to another node. May be given several times.
    #[arg(long, value_name = "ADDR", env = "ATOMIK_PEERS", value_delimiter = ',')]
    peer: Vec<String>,
    /// Listens for clients, in the protocol of Redis.
    #[arg(long, value_name = "ADDR", env = "ATOMIK_REDIS")]
    redis: Option<String>,
    /// The numbers of all nodes of the cluster, so that restarts leave nothing behind.
    #[arg(long, value_name = "NUMBER", env = "ATOMIK_MEMBERS", value_delimiter = ',')]
    members: Vec<u64>,
    /// Keeps what this node knows in a file.
    #[arg(long, value_name = "FILE", env = "ATOMIK_STORE")]
    store: Option<PathBuf>,
    /// What deltas do: sums of counters, or bits that are flipped.
    #[arg(long, value_name = "ALGEBRA", env = "ATOMIK_ALGEBRA")]
    algebra: Option<AlgebraName>,
    /// How many keys there are. The same on all nodes.
    #[arg(long, value_name = "WORDS", env = "ATOMIK_LEN")]
    len: Option<usize>,
    /// The name of the cluster. The same on all nodes.
    #[arg(long, value_name = "NAME", env = "ATOMIK_CLUSTER")]
    cluster: Option<String>,
    /// How often what was written is sent, in milliseconds.
    #[arg(long, value_name = "MS", env = "ATOMIK_TICK")]
    tick: Option<u64>,
    /// Sends and receives datagrams, too, at this address.
    #[arg(long, value_name = "ADDR", env = "ATOMIK_UDP")]
    udp: Option<String>,
    /// Sends datagrams to another node. May be given several times.
    #[arg(long, value_name = "ADDR", env = "ATOMIK_UDP_PEERS", value_delimiter = ',')]
    udp_peer: Vec<String>,
    /// Reaches the other nodes through a server of NATS, such as nats://127.0.0.1:4222. Its JetStream keeps what they
    /// wrote for nodes that come later.
    #[arg(long, value_name = "URL", env = "ATOMIK_NATS")]
    nats: Option<String>,
    /// Logs in at NATS by a file of credentials.
    #[arg(long, value_name = "FILE", env = "ATOMIK_NATS_CREDS")]
    nats_creds: Option<PathBuf>,
    /// On how many servers of NATS the stream is kept, if this node makes it.
    #[arg(long, value_name = "NUMBER", env = "ATOMIK_NATS_REPLICAS")]
    nats_replicas: Option<usize>,
    /// The certificate of this node, in PEM. Nodes then speak TLS and show certificates to each other.
    #[arg(long, value_name = "FILE", env = "ATOMIK_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// The private key of this node, in PEM.
    #[arg(long, value_name = "FILE", env = "ATOMIK_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// The certificate of the authority that signed the certificates of all nodes, in PEM.
    #[arg(long, value_name = "FILE", env = "ATOMIK_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// Serves metrics for Prometheus at /metrics and the state of health at /healthz.
    #[arg(long, value_name = "ADDR", env = "ATOMIK_HTTP")]
    http: Option<String>,
    /// Reads the password for clients from a file, or takes it from ATOMIK_PASSWORD.
    #[arg(long, value_name = "FILE", env = "ATOMIK_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// Allows addresses that others can reach, without TLS or a password.
    #[arg(long, env = "ATOMIK_INSECURE")]
    insecure: bool,
    /// Starts three nodes, writes to all of them, kills one and brings it back, and shows how they converge.
    #[arg(long)]
    #[serde(skip)]
    pub demo: bool,
}

/// The names of the algebras.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlgebraName {
    /// Sums of signed numbers.
    Add,
    /// Bits.
    Xor,
}

/// The settings of a node, complete and allowed.
#[derive(Clone, Debug)]
pub struct Config {
    /// The number of the node.
    pub id: u64,
    /// Where it listens for other nodes.
    pub listen: Option<String>,
    /// Where other nodes are.
    pub peers: Vec<String>,
    /// Where it listens for clients.
    pub redis: String,
    /// The numbers of all nodes.
    pub members: Vec<u64>,
    /// The file of the store.
    pub store: Option<PathBuf>,
    /// What deltas do.
    pub algebra: AlgebraName,
    /// The number of keys.
    pub len: usize,
    /// The name of the cluster.
    pub cluster: String,
    /// How often what was written is sent, in milliseconds.
    pub tick: u64,
    /// Where it sends and receives datagrams.
    pub udp: Option<String>,
    /// Where datagrams go.
    pub udp_peers: Vec<String>,
    /// The server of NATS.
    pub nats: Option<Nats>,
    /// Certificate, key and authority.
    pub tls: Option<[Vec<u8>; 3]>,
    /// Where it serves metrics.
    pub http: Option<String>,
    /// The password of clients.
    pub password: Option<Vec<u8>>,
}

/// Settings that can't be used.
#[derive(Debug)]
pub struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

fn error<T>(text: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(text.into()))
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|cause| ConfigError(format!("{option} {}: {cause}", path.display())))
}

impl Options {
    /// Takes what is missing from the file that they name.
    fn with_file(mut self) -> Result<Self, ConfigError> {
        let Some(path) = &self.config else { return Ok(self) };
        let text = String::from_utf8(read("--config", path)?)
            .map_err(|_| ConfigError(format!("--config {}: it is not UTF-8", path.display())))?;
        let file: Self = toml::from_str(&text)
            .map_err(|cause| ConfigError(format!("--config {}: {cause}", path.display())))?;
        self.id = self.id.or(file.id);
        self.listen = self.listen.or(file.listen);
        self.redis = self.redis.or(file.redis);
        self.store = self.store.or(file.store);
        self.algebra = self.algebra.or(file.algebra);
        self.len = self.len.or(file.len);
        self.cluster = self.cluster.or(file.cluster);
        self.tick = self.tick.or(file.tick);
        self.udp = self.udp.or(file.udp);
        self.nats = self.nats.or(file.nats);
        self.nats_creds = self.nats_creds.or(file.nats_creds);
        self.nats_replicas = self.nats_replicas.or(file.nats_replicas);
        self.tls_cert = self.tls_cert.or(file.tls_cert);
        self.tls_key = self.tls_key.or(file.tls_key);
        self.tls_ca = self.tls_ca.or(file.tls_ca);
        self.http = self.http.or(file.http);
        self.password_file = self.password_file.or(file.password_file);
        self.insecure |= file.insecure;
        for (given, from_file) in [(&mut self.peer, file.peer), (&mut self.udp_peer, file.udp_peer)] {
            if given.is_empty() {
                *given = from_file;
            }
        }
        if self.members.is_empty() {
            self.members = file.members;
        }
        Ok(self)
    }

    /// The server of NATS, which may ask for the certificate of this node.
    fn nats(&self) -> Result<Option<Nats>, ConfigError> {
        let Some(servers) = &self.nats else {
            return match (&self.nats_creds, self.nats_replicas) {
                (None, None) => Ok(None),
                (Some(_), _) => error("--nats-creds without --nats"),
                (_, Some(_)) => error("--nats-replicas without --nats"),
            };
        };
        let open =
            |server: &&str| !server.trim().starts_with("tls://") && !is_loopback(server_address(server));
        if !self.insecure
            && let Some(server) = servers.split(',').find(open)
        {
            return error(format!(
                "{}: a server that others can reach needs the scheme tls://, or --insecure",
                server_address(server)
            ));
        }
        let mut nats = Nats::new(servers).replicas(self.nats_replicas.unwrap_or(1).max(1));
        if let Some(path) = &self.nats_creds {
            nats = nats.credentials(path);
        }
        if let (Some(certificate), Some(key), Some(authority)) = (&self.tls_cert, &self.tls_key, &self.tls_ca)
        {
            nats = nats.authority(authority).certificate(certificate, key);
        }
        Ok(Some(nats))
    }

    /// The settings, if they are complete and nothing is open that should not be.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names what is missing, wrong or not safe.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        let all = self.with_file()?;
        let Some(id) = all.id else { return error("--id is missing: the number of this node") };
        let password = match (&all.password_file, std::env::var_os("ATOMIK_PASSWORD")) {
            (Some(path), _) => {
                let mut password = read("--password-file", path)?;
                // Editors end a file with a line break.
                while password.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                    password.pop();
                }
                Some(password)
            }
            (None, Some(password)) => Some(password.into_encoded_bytes()),
            (None, None) => None,
        };
        if password.as_ref().is_some_and(Vec::is_empty) {
            return error("the password is empty");
        }
        let tls = match (&all.tls_cert, &all.tls_key, &all.tls_ca) {
            (None, None, None) => None,
            (Some(cert), Some(key), Some(ca)) => {
                Some([read("--tls-cert", cert)?, read("--tls-key", key)?, read("--tls-ca", ca)?])
            }
            _ => return error("--tls-cert, --tls-key and --tls-ca belong together"),
        };
        let nats = all.nats()?;
        let redis = all.redis.unwrap_or_else(|| "127.0.0.1:6379".to_owned());
        if !all.insecure {
            let open = |address: &String| !is_loopback(address);
            if tls.is_none()
                && let Some(address) = all.listen.iter().chain(&all.peer).find(|address| open(address))
            {
                return error(format!(
                    "{address}: nodes that others can reach need --tls-cert, --tls-key and --tls-ca, or --insecure"
                ));
            }
            if let Some(address) = all.udp.iter().chain(&all.udp_peer).find(|address| open(address)) {
                return error(format!(
                    "{address}: datagrams are not protected; beyond this machine they need --insecure"
                ));
            }
            if password.is_none() && open(&redis) {
                return error(format!(
                    "{redis}: clients that others can be need a password, by --password-file or ATOMIK_PASSWORD, or --insecure"
                ));
            }
            if let Some(address) = all.http.iter().find(|address| open(address)) {
                return error(format!(
                    "{address}: metrics are not protected; beyond this machine they need --insecure"
                ));
            }
        }
        let len = all.len.unwrap_or(100_000);
        if len == 0 {
            return error("--len 0: a table has at least one key");
        }
        Ok(Config {
            id,
            listen: all.listen,
            peers: all.peer,
            redis,
            members: all.members,
            store: all.store,
            algebra: all.algebra.unwrap_or(AlgebraName::Add),
            len,
            cluster: all.cluster.unwrap_or_else(|| "atomik".to_owned()),
            tick: all.tick.unwrap_or(10).max(1),
            udp: all.udp,
            udp_peers: all.udp_peer,
            nats,
            tls,
            http: all.http,
            password,
        })
    }
}

/// The host and port of a server of NATS, without what logs in there.
fn server_address(url: &str) -> &str {
    let rest = url.trim().split_once("://").map_or(url.trim(), |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    rest.trim_end_matches('/')
}

/// Whether an address is one of this machine, which no other can reach.
fn is_loopback(address: &str) -> bool {
    if let Ok(address) = address.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &str) -> Result<Config, String> {
        let arguments = std::iter::once("atomik-node").chain(arguments.split_whitespace());
        let options = Options::try_parse_from(arguments).map_err(|error| error.to_string())?;
        options.into_config().map_err(|error| error.to_string())
    }

    #[test]
    fn what_others_can_reach_needs_protection() {
        assert!(config("--id 1 --listen 127.0.0.1:7001 --peer localhost:7002 --peer [::1]:7003").is_ok());
        for (arguments, needs) in [
            ("--listen 0.0.0.0:7001", "--tls-cert"),
            ("--peer example.org:7001", "--tls-cert"),
            ("--peer 10.0.0.1:7001", "--tls-cert"),
            ("--udp 0.0.0.0:7001", "--insecure"),
            ("--redis 0.0.0.0:6379", "--password-file"),
            ("--http 0.0.0.0:80", "--insecure"),
            ("--nats 10.0.0.1:4222", "tls://"),
        ] {
            let refused = config(&format!("--id 1 {arguments}")).unwrap_err();
            let address = arguments.split_once(' ').unwrap().1;
            assert!(refused.contains(needs) && refused.contains(address), "{refused}");
            assert!(config(&format!("--id 1 {arguments} --insecure")).is_ok());
        }
    }

    #[test]
    fn a_server_of_nats_that_others_can_reach_needs_tls() {
        for server in ["127.0.0.1:4222", "nats://localhost:4222", "nats://a:b@127.0.0.1:1,nats://[::1]:2/"] {
            assert!(config(&format!("--id 1 --nats {server}")).unwrap().nats.is_some(), "{server}");
        }
        assert!(config("--id 1 --nats tls://nats.example.org:4222").is_ok());
        for server in
            ["nats://127.0.0.1:1,nats://me:secret@10.0.0.1:4222", "ws://nats.example.org", "example.org"]
        {
            let refused = config(&format!("--id 1 --nats {server}")).unwrap_err();
            assert!(refused.contains("tls://") && !refused.contains("secret"), "{refused}");
            assert!(config(&format!("--id 1 --insecure --nats {server}")).is_ok());
        }
        assert!(config("--id 1 --nats-creds a.creds").unwrap_err().contains("--nats-creds"));
        assert!(config("--id 1 --nats-replicas 3").unwrap_err().contains("--nats-replicas"));
    }

    #[test]
    fn the_command_line_comes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("id = 7\nlen = 50\npeer = ['127.0.0.1:1']\nalgebra = 'xor'\nmembers = [7, 8]\n");
        let arguments = format!("--config {} --len 60 --members 7", path.display());
        let config_of = config(&arguments).unwrap();
        assert_eq!((config_of.id, config_of.len, config_of.algebra), (7, 60, AlgebraName::Xor));
        assert_eq!((config_of.peers, config_of.members), (vec!["127.0.0.1:1".to_owned()], vec![7]));
        write("id = 7\nlenght = 50\n");
        assert!(config(&arguments).unwrap_err().contains("lenght"));
        assert!(config("--config /nowhere/node.toml").unwrap_err().contains("/nowhere/node.toml"));
    }

    #[test]
    fn what_is_missing_or_impossible_is_named() {
        assert!(config("").unwrap_err().contains("--id"));
        assert!(config("--id 1 --len 0").unwrap_err().contains("--len"));
        assert!(config("--id 1 --tls-cert a.pem").unwrap_err().contains("--tls-key"));
        assert!(config("--id 1 --algebra max").unwrap_err().contains("max"));
    }
}
