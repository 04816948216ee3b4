//! A node: a replica on tokio.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use atomik_core::{Algebra, TableFanIn, TableProducer};
use atomik_replica::{ReplicaId, View};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::changes::{Changes, Mailbox};
use crate::error::NodeError;
use crate::input::{Call, Input};
use crate::stats::{Counters, Stats};
use crate::status::Status;
use crate::tcp::Transport;

/// A node of a cluster: a table that this process and others write, and that converges.
///
/// Threads write by [`producers`](Self::producer) and read through [`views`](Self::view); they never wait for the
/// network or the disk. One task owns the [`Replica`](atomik_replica::Replica) and moves its packets. Everything that
/// [`docs::driving`](atomik_replica::docs::driving) lists is recovered from. When the last clone of a node is dropped
/// without [`shutdown`](Self::shutdown), its tasks end at once, as in a crash.
///
/// ```
/// use atomik_core::Add;
/// use atomik_net::Node;
/// use atomik_replica::ClusterConfig;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cluster = ClusterConfig::new("page views", 100_000).with_members([1, 2]);
/// let one = Node::<Add>::builder(cluster.clone(), 1).listen("127.0.0.1:0").start().await?;
/// let address = one.local_addr().expect("it listens").to_string();
/// let two = Node::<Add>::builder(cluster, 2).peer(&address).start().await?;
///
/// let mut views = one.producer();
/// views.accum(7, 1); // from any thread; never waits
/// two.reached(1).await?;
/// one.reached(1).await?;
/// one.converged().await?;
/// assert_eq!(two.view().read(7), 1);
/// # one.shutdown().await;
/// # two.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct Node<A: Algebra> {
    pub(crate) shared: Arc<Shared<A>>,
}

/// What the clones of a node share. Its tasks end with it.
pub(crate) struct Shared<A: Algebra> {
    pub(crate) local: Arc<TableFanIn<A>>,
    pub(crate) view: View<A>,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) mailboxes: Arc<Mutex<Vec<Arc<Mailbox<A>>>>>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) transport: Transport,
    pub(crate) listens_on: Option<SocketAddr>,
    pub(crate) datagrams_on: Option<SocketAddr>,
    /// The tasks of the sockets.
    pub(crate) sockets: Mutex<Vec<JoinHandle<()>>>,
    /// The task of the replica.
    pub(crate) driver: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl<A: Algebra> Drop for Shared<A> {
    fn drop(&mut self) {
        self.abort_sockets();
        if let Some(driver) = self.driver.get_mut().take() {
            driver.abort();
        }
    }
}

impl<A: Algebra> Shared<A> {
    fn abort_sockets(&self) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.drain(..).for_each(|task| task.abort());
    }
}

impl<A: Algebra> Clone for Node<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<A: Algebra> fmt::Debug for Node<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl<A: Algebra> Node<A> {
    /// A new producer, for one thread. Its deltas are sent with the next tick. Never waits.
    #[must_use]
    pub fn producer(&self) -> TableProducer<'static, A> {
        self.shared.local.producer_owned()
    }

    /// The deltas of this process, before they are merged with those of others.
    #[must_use]
    pub fn local(&self) -> &Arc<TableFanIn<A>> {
        &self.shared.local
    }

    /// The live states: what others wrote as far as it has arrived, and what this process wrote up to now. Wait-free.
    #[must_use]
    pub fn view(&self) -> &View<A> {
        &self.shared.view
    }

    /// The id of this start. It changes if another start of the node is noticed, and this one goes on.
    #[must_use]
    pub fn id(&self) -> ReplicaId {
        self.shared.status.borrow().id
    }

    /// The numbers of the nodes that are connected, in ascending order.
    #[must_use]
    pub fn peers(&self) -> Vec<u64> {
        self.shared.status.borrow().peers.iter().map(|peer| peer.0).collect()
    }

    /// Whether this start still listens for what there was before it, and sends nothing of its own yet. It ends when
    /// peers have told it, or after the times that [`Timing`](atomik_replica::Timing) sets.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.shared.status.borrow().is_listening
    }

    /// Waits until this many nodes are connected, and this start has heard from them what there was before it.
    ///
    /// # Errors
    ///
    /// [`NodeError::Ended`] if the node ends before.
    pub async fn reached(&self, peers: usize) -> Result<(), NodeError> {
        let mut status = self.shared.status.clone();
        let reached = status.wait_for(|status| status.peers.len() >= peers && !status.is_listening).await;
        reached.map(drop).map_err(|_| NodeError::Ended)
    }

    /// The address that the node listens on for connections.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.listens_on
    }

    /// The address that the node listens on for datagrams.
    #[must_use]
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        self.shared.datagrams_on
    }

    /// Connects to one more peer, as [`Builder::peer`](crate::Builder::peer) does at the start, and again whenever the
    /// connection ends. Must be called within the runtime.
    pub fn connect(&self, address: &str) {
        let task = tokio::spawn(self.shared.transport.clone().connect(address.to_owned()));
        self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// LOAD: sets an address to a value on all nodes. Of LOADs at once, the same one wins everywhere. It is done here
    /// when this returns, and travels at once.
    ///
    /// # Errors
    ///
    /// [`NodeError`] if the table has no such address, if another start of this node is known and this one has not gone
    /// on yet, or if the node has ended. Then nothing has happened.
    pub async fn load(&self, addr: usize, value: u64) -> Result<(), NodeError> {
        self.load_many(vec![(addr, value)]).await
    }

    /// Does what [`load`](Self::load) does for many addresses. All are set or none.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub async fn load_many(&self, loads: Vec<(usize, u64)>) -> Result<(), NodeError> {
        self.call(|answer| Call::Load(loads, answer)).await?.map_err(NodeError::Replica)
    }

    /// Sets an address to a value by a delta from the state that is known here. Puts at once compose to a value that
    /// nobody wrote: where that matters, use [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub async fn put(&self, addr: usize, value: u64) -> Result<(), NodeError> {
        self.call(|answer| Call::Put(addr, value, answer)).await?.map_err(NodeError::Replica)
    }

    /// Sets the members of the cluster: see [`Replica::set_members`](atomik_replica::Replica::set_members).
    ///
    /// # Errors
    ///
    /// [`NodeError::Ended`] if the node has ended.
    pub async fn set_members(&self, nodes: impl IntoIterator<Item = u64>) -> Result<(), NodeError> {
        let nodes = nodes.into_iter().collect();
        self.call(|answer| Call::SetMembers(nodes, answer)).await
    }

    /// What changes from now on: deltas of other nodes, and LOADs of all. What this process writes by producers is not
    /// among it.
    #[must_use]
    pub fn changes(&self) -> Changes<A> {
        let (changes, mailbox) = Changes::new();
        self.shared.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).push(mailbox);
        changes
    }

    /// Waits until all peers that can be reached have everything that is here now. Returns how many of them had to be
    /// waited for.
    ///
    /// It may take for ever if a peer takes nothing: give it a time limit. A peer that is not reached any more is not
    /// waited for.
    ///
    /// # Errors
    ///
    /// [`NodeError::Ended`] if the node has ended.
    pub async fn converged(&self) -> Result<usize, NodeError> {
        self.call(Call::Converge).await
    }

    /// A digest of the merged states. Nodes that have the same states have the same digest. Reads the whole table.
    ///
    /// # Errors
    ///
    /// [`NodeError::Ended`] if the node has ended.
    pub async fn digest(&self) -> Result<u64, NodeError> {
        self.call(Call::Digest).await
    }

    /// Waits until the task of the node answers: it lives, and has done what it was asked before.
    ///
    /// # Errors
    ///
    /// [`NodeError::Ended`] if the node has ended.
    pub async fn answers(&self) -> Result<(), NodeError> {
        self.call(Call::Answer).await
    }

    async fn call<R>(&self, call: impl FnOnce(oneshot::Sender<R>) -> Call) -> Result<R, NodeError> {
        let (answer, answered) = oneshot::channel();
        self.shared.inputs.send(Input::Call(call(answer))).await.map_err(|_| NodeError::Ended)?;
        answered.await.map_err(|_| NodeError::Ended)
    }

    /// What the node has sent, received, dropped and refused.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    /// Ends the node in order: what producers wrote is made a last version, announced and stored, and peers have two
    /// seconds to ask for what they missed. Stop the producers before. All clones of the node end.
    pub async fn shutdown(self) {
        let _ = self.shared.inputs.send(Input::Call(Call::ShutDown)).await;
        // Another clone may wait already.
        let mut driver = self.shared.driver.lock().await;
        if let Some(task) = driver.as_mut() {
            let _ = task.await;
            *driver = None;
        }
        self.shared.abort_sockets();
    }
}
