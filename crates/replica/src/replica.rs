//! The replica: one more observer of local producers, and the protocol between nodes.

mod integrity;
mod receive;
mod store;
mod transmit;
mod view;

pub use integrity::{Event, ShardDigest};
pub use receive::Received;
pub use store::{StoredShard, Transaction};
pub use view::View;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::cluster_config::ClusterConfig;
use super::error::ReplicaError;
use super::frame::FrameContext;
use super::outbox::{Change, Key, Outbox};
use super::replica_id::{LoadTimestamp, ReplicaId};
use super::shard::Plane;
use super::state::State;
use atomik_core::{Algebra, DeltaBatch, ExclusiveTableEpoch, TableFanIn, TableProducer};

/// A node's end of the protocol by which the tables of many nodes converge.
///
/// Producers write to a [`TableFanIn`] and know nothing of it. The replica observes that fan-in:
/// [`tick`](Self::tick) makes a version of what changed, which [`poll_transmit`](Self::poll_transmit) hands out
/// for the peers, and [`receive`](Self::receive) takes in what peers sent. Packets may be lost, doubled,
/// delayed for years and come in any order from anyone: what travels are totals of one origin under a version,
/// and hearing a total again changes nothing. It does no I/O and has no clock; a transport calls it. It is for
/// one thread; readers on others have a [`View`].
///
/// **What converges.** When the links heal and the vectors have gone round, the [`merged`](Self::merged)
/// states of all replicas are equal: the initial base, all deltas that reached any of them, and of an
/// address that was [loaded](Self::load) the winning value and the deltas made in knowledge of it. So it was in
/// a million simulated clusters of 2 to 6 nodes (`ci/simulate.sh`; `loom-tests/README.md` has the last run's date
/// and commit), and in all states of a few small ones (`models`).
///
/// **What it costs.** Words of 8 bytes, a table each: merged, remote, the tick's reference; a plane for
/// each local producer; the base, if there is one; and about 8.3 bytes for each word that each origin touched,
/// by blocks of 64. With n writers that all write everywhere, n tables. An address that was loaded takes some 60
/// bytes more, and 48 for each origin that wrote to it since. An origin that never wrote takes nothing.
///
/// **Who is trusted.** Everyone in the cluster. Checksums find damage, not intent; an origin can write what it
/// likes under its own name.
///
/// ```
/// use std::sync::Arc;
/// use atomik_core::{Add, TableFanIn};
/// use atomik_replica::{ClusterConfig, ReplicaId, Peer, Replica};
///
/// let cluster = ClusterConfig::new("page views", 1_000);
/// let start = |node| {
///     let local = Arc::new(TableFanIn::<Add>::new(1_000));
///     // Really drawn from a clock and random bits.
///     let origin = ReplicaId { node, incarnation: 0x5EED };
///     (Replica::new(&cluster, Arc::clone(&local), origin).unwrap(), local)
/// };
/// let ((mut here, local), (mut there, _)) = (start(1), start(2));
///
/// let mut producer = local.producer();
/// producer.accum(7, 40);
/// producer.accum(7, 2);
/// here.tick();
/// while let Some((_, packet)) = here.poll_transmit() {
///     for _ in 0..3 {
///         there.receive(Peer(1), &packet)?; // three times: no matter
///     }
/// }
/// assert_eq!(there.merged()[7], 42);
/// # Ok::<(), atomik_replica::PacketError>(())
/// ```
pub struct Replica<A: Algebra> {
    context: FrameContext,
    bounds: Bounds,
    origin: ReplicaId,
    state: State<A>,
    ticks: ExclusiveTableEpoch<Arc<TableFanIn<A>>>,
    /// What a tick found; kept for its memory.
    batch: DeltaBatch<A>,
    /// For `put`; it costs a plane, so it is made by the first.
    producer: Option<TableProducer<'static, A>>,
    outbox: Outbox,
    store: Option<store::Progress>,
    events: VecDeque<Event>,
    /// The shards whose digests went out last.
    digests_done: Option<Key>,
}

/// What bounds a replica's memory.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    origins: usize,
    packet_len: usize,
    waiting: usize,
}

impl<A: Algebra> Replica<A> {
    /// Starts a replica without a store: what the cluster knows it hears from its peers, and `origin` is a new
    /// incarnation. A replica watches its fan-in for the fan-in's whole life; what producers wrote before goes
    /// into the first tick.
    ///
    /// Before the first tick or load, let it hear one peer out ([`hello`](Self::hello)), or know that there is
    /// none: otherwise deltas may fall into an epoch that a LOAD ended long ago. It converges all the same.
    ///
    /// # Errors
    ///
    /// [`ReplicaError`] if the cluster's settings are impossible or not of this table, or if the fan-in has a
    /// replica already.
    pub fn new(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        origin: ReplicaId,
    ) -> Result<Self, ReplicaError> {
        Self::start(cluster, local, origin, Vec::new(), false)
    }

    /// A replica of these planes.
    fn start(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        origin: ReplicaId,
        planes: Vec<Plane>,
        has_store: bool,
    ) -> Result<Self, ReplicaError> {
        let shape = cluster.checked_shape(local.len())?;
        let ticks = local.exclusive_epoch_owned().ok_or(ReplicaError::SecondReplica)?;
        Ok(Self {
            context: FrameContext::new::<A>(cluster.digest()),
            bounds: Bounds {
                origins: cluster.max_origins,
                packet_len: cluster.packet_len,
                waiting: cluster.max_waiting,
            },
            origin,
            state: State::new(shape, cluster.base().cloned(), origin, planes),
            ticks,
            batch: DeltaBatch::new(),
            producer: None,
            outbox: Outbox::default(),
            store: has_store.then(store::Progress::default),
            events: VecDeque::new(),
            digests_done: None,
        })
    }

    /// Whose totals the own plane holds: this start of this node.
    #[must_use]
    pub fn id(&self) -> ReplicaId {
        self.origin
    }

    /// How many origins are known here, the own one included.
    #[must_use]
    pub fn origins(&self) -> usize {
        self.state.planes().len()
    }

    /// The length of the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.shape.len
    }

    /// Whether the table has no addresses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The states that all planes known here add up to, by address. What local producers wrote since the last
    /// tick isn't in them: for that there is the [`view`](Self::view).
    #[must_use]
    pub fn merged(&self) -> &[u64] {
        self.state.merged()
    }

    /// The version of a shard of an origin here: 0 if nothing is known of it.
    #[must_use]
    pub fn version(&self, origin: ReplicaId, shard: usize) -> u64 {
        self.state.have(origin, shard)
    }

    /// A reader of the live states, for any thread.
    #[must_use]
    pub fn view(&self) -> View<A> {
        View::new(Arc::clone(self.state.remote()), Arc::clone(self.ticks.get_ref()))
    }

    /// Makes versions of what local producers wrote since the last tick; returns how many addresses changed.
    ///
    /// It reads the whole fan-in: about 8 bytes of memory an address, once for each local producer. What a
    /// tick takes is not of one instant: a delta to one address may be in it, and one made before it, to
    /// another, in the next.
    pub fn tick(&mut self) -> usize {
        self.ticks.swap_into(&mut self.batch);
        #[cfg(test)]
        if planted!(TickSeesRemote) {
            self.batch.extend(core::mem::take(&mut self.state.leaked));
        }
        let shape = self.state.shape;
        let (mut addrs, mut deltas) = (self.batch.addresses(), self.batch.deltas());
        while let Some(&first) = addrs.first() {
            let shard = shape.shard_of(first);
            let end = shape.range(shard).end;
            let (of_shard, addrs_after) =
                addrs.split_at(addrs.partition_point(|&addr| (addr as usize) < end));
            let (deltas_of_shard, deltas_after) = deltas.split_at(of_shard.len());
            (addrs, deltas) = (addrs_after, deltas_after);

            let from = self.state.have(self.origin, shard);
            let change = self.outbox.changes.entry(shard).or_insert_with(|| Change::since(from));
            for &addr in of_shard {
                change.mark(addr as usize % shape.shard_words, self.state.is_loaded(addr));
            }
            self.state.tick(shard, of_shard.iter().copied().zip(deltas_of_shard.iter().copied()));
            Self::note_version(&mut self.outbox, &mut self.store, (self.origin, shard));
        }
        self.batch.len()
    }

    /// Sets the state of an address, as this replica knows it, to `v`: gives the delta that leads there through
    /// a producer of its own. Ticks before and after.
    ///
    /// Two puts at once compose to a value that neither wrote: on `Add`, from 50, puts of 7 and 9 give −34.
    /// Where others write too, use [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// [`ReplicaError::Address`] if the table has no such address; then nothing was done.
    pub fn put(&mut self, addr: usize, v: u64) -> Result<(), ReplicaError> {
        self.check_addr(addr)?;
        self.tick();
        let delta = A::delta(self.state.merged()[addr], v);
        let local = self.ticks.get_ref();
        self.producer.get_or_insert_with(|| local.producer_owned()).accum(addr, delta);
        self.tick();
        Ok(())
    }

    /// LOAD: the state of an address becomes `v`, at every replica: of all LOADs of an address the last one
    /// wins, the same one everywhere, "last" by a counter that each sets above all that it has seen.
    ///
    /// A LOAD voids the deltas that were ticked before its adoption and keeps those that were not: where a delta
    /// races it, which of both happens is arbitrary, and the same everywhere. Producers never wait for it; the
    /// live view gets it as a delta. Ticks before.
    ///
    /// # Errors
    ///
    /// [`ReplicaError::Address`] if the table has no such address, and [`ReplicaError::LoadsExhausted`] after
    /// 2^63 LOADs of it; then nothing was done.
    pub fn load(&mut self, addr: usize, v: u64) -> Result<(), ReplicaError> {
        self.check_addr(addr)?;
        if self.state.next_counter(addr as u32) >= LoadTimestamp::COUNTER_LIMIT {
            return Err(ReplicaError::LoadsExhausted { addr });
        }
        self.tick();
        let shape = self.state.shape;
        let shard = shape.shard_of(addr as u32);
        let from = self.state.have(self.origin, shard);
        let change = self.outbox.changes.entry(shard).or_insert_with(|| Change::since(from));
        change.mark(addr % shape.shard_words, true);
        self.state.load(addr as u32, v);
        Self::note_version(&mut self.outbox, &mut self.store, (self.origin, shard));
        Ok(())
    }

    /// Notes that a shard has a new version: for the heartbeat, and for the store.
    fn note_version(outbox: &mut Outbox, store: &mut Option<store::Progress>, key: Key) {
        match store {
            Some(progress) => progress.note(key),
            None => drop(outbox.dirty.insert(key)),
        }
    }

    fn check_addr(&self, addr: usize) -> Result<(), ReplicaError> {
        let len = self.len();
        if addr < len { Ok(()) } else { Err(ReplicaError::Address { addr, len }) }
    }

    /// The planes, for the simulator's checks.
    #[cfg(test)]
    pub(super) fn planes(&self) -> &[Plane] {
        self.state.planes()
    }

    /// All shards known here, by origin.
    fn keys(&self) -> BTreeSet<Key> {
        let planes = self.state.planes().iter();
        planes.flat_map(|plane| plane.shards().map(|(shard, _)| (plane.origin, shard))).collect()
    }
}

impl<A: Algebra> fmt::Debug for Replica<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("origin", &self.origin)
            .field("len", &self.len())
            .field("origins", &self.origins())
            .finish_non_exhaustive()
    }
}
