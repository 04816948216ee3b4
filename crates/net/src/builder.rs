//! The settings of a node.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
#[cfg(feature = "store")]
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atomik_core::{Algebra, TableFanIn};
use atomik_replica::{ClusterConfig, Replica, ReplicaId};
use tokio::net::{TcpListener, UdpSocket, lookup_host};
use tokio::sync::{mpsc, watch};

use crate::driver::Driver;
use crate::error::StartError;
use crate::handshake::Handshake;
use crate::link::{Limits, LinkContext};
#[cfg(feature = "nats")]
use crate::nats::{Nats, NatsContext};
use crate::node::{Node, Shared};
use crate::stats::Counters;
use crate::status::Status;
use crate::tcp::Transport;
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::udp::{Udp, receive};

/// How many inputs wait for the task of the replica, before peers have to wait.
const INPUTS: usize = 256;

/// The settings of a node, to be [started](Self::start).
#[must_use = "a node does not run before it is started"]
pub struct Builder<A: Algebra> {
    cluster: ClusterConfig,
    node: u64,
    listen: Option<String>,
    peers: Vec<String>,
    udp: Option<String>,
    udp_peers: Vec<String>,
    #[cfg(feature = "store")]
    store: Option<PathBuf>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    #[cfg(feature = "nats")]
    nats: Option<Nats>,
    limits: Limits,
    algebra: PhantomData<fn() -> A>,
}

impl<A: Algebra> fmt::Debug for Builder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, node, listen, peers, udp, udp_peers, .. } = self;
        f.debug_struct("Builder")
            .field("cluster", cluster)
            .field("node", node)
            .field("listen", listen)
            .field("peers", peers)
            .field("udp", udp)
            .field("udp_peers", udp_peers)
            .finish_non_exhaustive()
    }
}

impl<A: Algebra> Node<A> {
    /// The settings of a node, to be started. `node` is its number in the cluster, which is its name: no two nodes that
    /// run have the same one.
    pub fn builder(cluster: ClusterConfig, node: u64) -> Builder<A> {
        Builder::new(cluster, node)
    }
}

impl<A: Algebra> Builder<A> {
    fn new(cluster: ClusterConfig, node: u64) -> Self {
        let packet = cluster.max_packet_len();
        let limits =
            Limits { packet, waiting: 8 << 20, silence: Duration::from_secs(10), connections: 1_024 };
        Self {
            cluster,
            node,
            listen: None,
            peers: Vec::new(),
            udp: None,
            udp_peers: Vec::new(),
            #[cfg(feature = "store")]
            store: None,
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "nats")]
            nats: None,
            limits,
            algebra: PhantomData,
        }
    }

    /// Listens for connections of peers at an address, such as `127.0.0.1:7001`. Port 0 is any that is free.
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = Some(address.to_owned());
        self
    }

    /// Connects to a peer, which listens at this address or name, and again whenever the connection ends. Two nodes
    /// need one connection; it does not matter which of them makes it, or if both do.
    pub fn peer(mut self, address: &str) -> Self {
        self.peers.push(address.to_owned());
        self
    }

    /// Sends and receives datagrams at an address. They reach nodes that are not connected.
    ///
    /// Datagrams are neither encrypted nor is their sender checked: anyone who can send one can take part in the
    /// cluster. Use them only in networks where everybody may.
    pub fn udp(mut self, address: &str) -> Self {
        self.udp = Some(address.to_owned());
        self
    }

    /// Sends datagrams to a peer at this address. Nodes that were heard in the last minute get them in any case.
    pub fn udp_peer(mut self, address: &str) -> Self {
        self.udp_peers.push(address.to_owned());
        self
    }

    /// Keeps what the node knows in a file, which is created if it does not exist. Then nothing leaves the node before
    /// the file has it, and the next start goes on from there.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    pub fn store(mut self, path: impl AsRef<Path>) -> Self {
        self.store = Some(path.as_ref().to_owned());
        self
    }

    /// Encrypts all connections, and takes only peers with a certificate of the same authority.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Exchanges packets with all nodes of the cluster through a server of NATS, whose JetStream keeps the newest version
    /// of each shard for nodes that come later. [`docs::nats`](crate::docs::nats) says more.
    ///
    /// The address of a server is enough: `nats("nats://127.0.0.1:4222")`. If it can't be reached, the node starts all
    /// the same, and goes on trying.
    #[cfg(feature = "nats")]
    #[cfg_attr(docsrs, doc(cfg(feature = "nats")))]
    pub fn nats(mut self, nats: impl Into<Nats>) -> Self {
        self.nats = Some(nats.into());
        self
    }

    /// Sets how long a peer may be silent, how long it may take for a handshake or a packet, and how long it may not
    /// take what is sent to it, before its connection ends. The default is ten seconds. All nodes send something at
    /// least three times in their own time.
    pub fn silence(mut self, silence: Duration) -> Self {
        self.limits.silence = silence.max(Duration::from_millis(1));
        self
    }

    /// Sets how many bytes may wait for one connection. The default is 8 MiB. A peer that is slower misses packets, and
    /// is told the newest versions when it has caught up. It then asks for up to 4 MiB at a time: with less room than
    /// that, some of the answers are missed again, and are asked for after the next version vector.
    pub fn max_waiting(mut self, bytes: usize) -> Self {
        self.limits.waiting = bytes;
        self
    }

    /// Sets how many connections peers may make at once. The default is 1,024. Further ones are closed. Without TLS,
    /// anyone who can connect may take one of them, and up to [`max_waiting`](Self::max_waiting) bytes of memory with
    /// it.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections.min(tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Starts the node, within a runtime of tokio that has its timers and I/O enabled.
    ///
    /// # Errors
    ///
    /// [`StartError`] if an address can't be used, the store can't be read, or a setting of the cluster is impossible.
    /// Then nothing has been started.
    pub async fn start(self) -> Result<Node<A>, StartError> {
        let Self { cluster, node, limits, .. } = &self;
        let local = Arc::new(TableFanIn::<A>::new(cluster.len()));
        let (send, inputs) = mpsc::channel(INPUTS);
        let id = ReplicaId::draw(*node);
        #[cfg(feature = "store")]
        let (replica, store) = match &self.store {
            None => (Replica::new(cluster, Arc::clone(&local), id)?, None),
            Some(path) => {
                let (replica, store) = open(path, cluster, &local, id)?;
                (
                    replica,
                    Some(crate::store::StoreWriter::start(store, send.clone()).map_err(StartError::Thread)?),
                )
            }
        };
        #[cfg(not(feature = "store"))]
        let replica = Replica::new(cluster, Arc::clone(&local), id)?;
        let id = replica.id();

        let listener = match &self.listen {
            Some(address) => Some(listen(address, TcpListener::bind).await?),
            None => None,
        };
        let socket = match &self.udp {
            Some(address) => Some(Arc::new(listen(address, UdpSocket::bind).await?)),
            None => None,
        };
        let mut udp_peers = Vec::new();
        for address in &self.udp_peers {
            udp_peers.push(resolve(address).await?);
        }

        if *node == u64::MAX {
            return Err(StartError::NodeNumber);
        }
        let counters = Arc::<Counters>::default();
        let handshake = Handshake::new::<A>(cluster, id);
        let context =
            LinkContext { handshake, limits: *limits, inputs: send.clone(), counters: Arc::clone(&counters) };
        #[cfg(feature = "nats")]
        let nats = match self.nats.clone() {
            Some(nats) => {
                let context = NatsContext { nats, link: context.clone(), shards: replica.shards() };
                Some(crate::nats::connect(context).await.map_err(StartError::Nats)?)
            }
            None => None,
        };
        let transport = Transport {
            context: context.clone(),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
        };
        let (status, watched) = watch::channel(Status { id, peers: Vec::new(), is_listening: true });
        let mailboxes = Arc::<Mutex<Vec<_>>>::default();
        let view = replica.view();
        let mut driver = Driver::new(replica, inputs, Arc::clone(&counters), Arc::clone(&mailboxes), status);
        #[cfg(feature = "store")]
        {
            driver.store = store;
        }
        let mut sockets = Vec::new();
        #[cfg(feature = "nats")]
        if let Some((broker, tasks)) = nats {
            driver.broker = Some(broker);
            sockets.push(tokio::spawn(tasks));
        }
        let listens_on = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let datagrams_on = socket.as_ref().and_then(|socket| socket.local_addr().ok());
        if let Some(listener) = listener {
            sockets.push(tokio::spawn(transport.clone().listen(listener)));
        }
        if let Some(socket) = socket {
            driver.udp = Some(Udp::new(Arc::clone(&socket), udp_peers, *node));
            sockets.push(tokio::spawn(receive(context, socket)));
        }
        let shared = Shared {
            local,
            view,
            inputs: send,
            counters,
            mailboxes,
            status: watched,
            transport,
            listens_on,
            datagrams_on,
            sockets: Mutex::new(sockets),
            driver: tokio::sync::Mutex::new(Some(tokio::spawn(driver.run()))),
        };
        let node = Node { shared: Arc::new(shared) };
        self.peers.iter().for_each(|address| node.connect(address));
        Ok(node)
    }
}

/// Opens a store and starts a replica from it.
#[cfg(feature = "store")]
fn open<A: Algebra>(
    path: &Path,
    cluster: &ClusterConfig,
    local: &Arc<TableFanIn<A>>,
    id: ReplicaId,
) -> Result<(Replica<A>, atomik_checkpoint::ReplicaStore), StartError> {
    let mut store = atomik_checkpoint::ReplicaStore::open(path).map_err(StartError::Store)?;
    let last = store.last_start().map_err(StartError::Store)?;
    // The clock may have gone back since the last start.
    let after_last =
        last.filter(|last| last.node == id.node).map_or(0, |last| last.incarnation.saturating_add(1));
    let id = ReplicaId { incarnation: id.incarnation.max(after_last), ..id };
    let parts = store.parts().map_err(StartError::Store)?;
    let replica = Replica::restore(cluster, Arc::clone(local), id, parts)?;
    store.start(id).map_err(StartError::Store)?;
    Ok((replica, store))
}

/// The first address of a name.
async fn resolve(address: &str) -> Result<SocketAddr, StartError> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let found = match lookup_host(address).await {
        Ok(mut addresses) => addresses.next().ok_or_else(none),
        Err(error) => Err(error),
    };
    found.map_err(|source| StartError::Address { address: address.to_owned(), source })
}

async fn listen<S, F>(address: &str, bind: impl FnOnce(SocketAddr) -> F) -> Result<S, StartError>
where
    F: Future<Output = io::Result<S>>,
{
    let address = resolve(address).await?;
    bind(address).await.map_err(|source| StartError::Listen { address, source })
}
