//! The replica: one more observer of local producers, and one end of the protocol.

mod awaiting;
#[cfg(any(test, feature = "damage"))]
mod damage;
mod events;
mod hearing;
mod identity;
mod inspection;
mod integrity;
mod merged_digests;
mod receive;
mod refetch;
mod starts;
mod store;
mod timeout;
mod transmit;
mod view;

pub use events::Event;
pub use integrity::ShardDigest;
pub use store::Transaction;
pub use view::View;

use alloc::sync::Arc;
use alloc::vec::Vec;

use atomik_core::{Algebra, DeltaBatch, ExclusiveTableEpoch, TableFanIn, TableProducer};

use crate::cluster_config::ClusterConfig;
use crate::error::ReplicaError;
use crate::frame::FrameContext;
use crate::lifetimes::Lifetimes;
use crate::outbox::Outbox;
use crate::plane::Plane;
use crate::register::LoadTimestamp;
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;
use crate::state::ReplicaState;
use crate::store_queue::StoreQueue;
use crate::timers::Timers;
use crate::timing::Timing;
use awaiting::Awaited;
use events::EventQueue;
use hearing::Hearings;
use merged_digests::MergedDigests;
use refetch::Refetches;
use starts::Reports;

/// How many deltas the batch of a tick may have for its memory to be kept: 48 KiB.
const BATCH_KEPT: usize = 4_096;

/// A node's copy of a table that converges with the copies of other nodes.
///
/// It is a state-based CRDT. For each origin, which is one start of one node, it keeps the *totals* of that origin's
/// deltas, and a *version vector* orders these: a later version of an origin's totals replaces an earlier one. The
/// merged state of an address is the composition of all totals. An address that was [loaded](Self::load) is a
/// last-writer-wins register, stamped by a Lamport counter, with the totals that were made in knowledge of that LOAD.
/// Totals are idempotent, so a packet may be lost, duplicated, delayed for any time and arrive in any order from any
/// peer.
///
/// Producers write to a [`TableFanIn`] and do not know about replication. The replica is an observer of that fan-in.
/// It belongs to one thread. Readers on other threads have a [`View`].
///
/// **Convergence.** Once links heal and version vectors have been exchanged, the [`merged`](Self::merged) states of all
/// replicas are equal. They are the initial base, composed with all deltas that reached any of the replicas; for a
/// loaded address, the winning value, composed with the deltas made in knowledge of it. This was checked in a million
/// simulated clusters of 2 to 6 nodes and, for a few small clusters, in all reachable states.
///
/// **Lifetimes.** Each start of a node has a plane of its own. If [members](ClusterConfig::with_members) are named, the
/// next start of a node folds the planes of its earlier ones into its own, as soon as all members have reported what
/// they have of them. So a cluster of N nodes keeps N planes, however often they start. A start that a later one has
/// overtaken
/// [stops](Event::Superseded). [`docs::operating`](crate::docs::operating) says what that means for those who run nodes.
///
/// **Memory.** A replica holds three tables of 8 bytes a word: merged states, remote states, and the reference of the
/// tick; and a fourth if [changes are observed](Self::observe_changes). Beside them are a plane for each local producer
/// and an eighth of a byte a word for what was seen of it, the base if there is one, and about 8.7 bytes for each word
/// that an origin touched, in blocks of 64 words. So n writers that write everywhere take n tables. A loaded address
/// takes up to 72 bytes more, and up to 88 for each origin that wrote to it since. An origin that never wrote takes
/// nothing.
///
/// With members, the last report of each is kept, and the own one: up to 100 bytes for each shard of each start that
/// has ended and is not folded yet, and as much for each member. After a fold nothing of it is left but the latter.
///
/// What waits is bounded too. An own change that was not announced takes up to a quarter of a byte for each word of its
/// shard. A shard that a peer has and this replica lacks takes up to 300 bytes, an answer that a peer wants up to 80:
/// [`ClusterConfig::with_max_waiting`] bounds both. Frames that wait for the store have a
/// [bound in bytes](ClusterConfig::with_max_withheld). While a tick runs, its deltas take up to 24 bytes for each address
/// that changed. All of this was measured with an allocator that counts.
///
/// **Trust.** All replicas of a cluster trust one another. Checksums detect damage, not intent: an origin can write
/// what it likes under its own id.
///
/// # Calls
///
/// A replica does no I/O and has no clock. The program tells it what happened, and polls it for what is to be done:
///
/// | | what happened | what is to be done |
/// |---|---|---|
/// | network | [`receive`](Self::receive), [`remove_peer`](Self::remove_peer) | [`poll_transmit`](Self::poll_transmit) |
/// | store | [`stored`](Self::stored), [`store_failed`](Self::store_failed) | [`poll_store`](Self::poll_store) |
/// | time | [`handle_timeout`](Self::handle_timeout) | [`poll_timeout`](Self::poll_timeout) |
/// | states | [`put`](Self::put), [`load`](Self::load) | [`poll_changes`](Self::poll_changes), after [`observe_changes`](Self::observe_changes) |
/// | failures | [`refetch`](Self::refetch), after an event | [`poll_event`](Self::poll_event) |
///
/// After any call in the middle, poll each on the right until it returns `None`, and `poll_timeout` at last: its time
/// is that of the next call of `handle_timeout`. The order of the others does not matter, except that what `poll_store`
/// gives decides what may leave. A replica without a store needs no `poll_store`.
///
/// The timers make the calls that recur: [`tick`](Self::tick), [`heartbeat`](Self::heartbeat),
/// [`send_version_vector`](Self::send_version_vector), [`hello`](Self::hello) and [`audit`](Self::audit). A program may
/// make them too, at any time. [`merged`](Self::merged), [`version_vector`](Self::version_vector) and others that take
/// `&self` only look.
///
/// [`docs::driving`](crate::docs::driving) has the loop that does all of this.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use atomik_core::{Add, TableFanIn};
/// use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};
///
/// let cluster = ClusterConfig::new("page views", 1_000);
/// let start = |node| {
///     let local = Arc::new(TableFanIn::<Add>::new(1_000));
///     (Replica::new(&cluster, Arc::clone(&local), ReplicaId::draw(node)).unwrap(), local)
/// };
/// let ((mut here, local), (mut there, _)) = (start(1), start(2));
///
/// let mut producer = local.producer();
/// producer.accum(7, 40);
/// producer.accum(7, 2);
/// here.tick();
/// while let Some((_, packet)) = here.poll_transmit() {
///     for _ in 0..3 {
///         there.receive(Duration::ZERO, Peer(1), &packet)?; // duplicates change nothing
///     }
/// }
/// assert_eq!(there.merged()[7], 42);
/// # Ok::<(), atomik_replica::PacketError>(())
/// ```
pub struct Replica<A: Algebra> {
    context: FrameContext,
    id: ReplicaId,
    max_origins: usize,
    state: ReplicaState<A>,
    ticks: ExclusiveTableEpoch<Arc<TableFanIn<A>>>,
    /// The deltas of the last tick. If they are few, it is kept to reuse its memory.
    batch: DeltaBatch<A>,
    /// For `put`. A producer takes a plane, so the first `put` makes it.
    producer: Option<TableProducer<'static, A>>,
    outbox: Outbox,
    packet_len: usize,
    store: Option<StoreQueue>,
    events: EventQueue,
    /// Whether another instance was seen under the own id.
    cloned: bool,
    hearings: Hearings,
    refetches: Refetches,
    lifetimes: Lifetimes,
    reports: Reports,
    awaited: Awaited,
    merged_digests: MergedDigests,
    /// The length in bytes from which on a transaction takes no further shard.
    max_transaction: usize,
    timing: Timing,
    timers: Timers,
    /// The last shard whose digest went out.
    last_digest: Option<ShardKey>,
    /// The last shard that a timer audited.
    last_audit: usize,
}

/// Starting.
impl<A: Algebra> Replica<A> {
    /// Starts a replica without a store. It learns from its peers what the cluster knows. `id` must have a new
    /// incarnation.
    ///
    /// The replica takes the exclusive observer of the fan-in, so a fan-in has one replica in its whole life. Deltas
    /// that producers made before are in the first tick.
    ///
    /// Before the first tick or load, exchange version vectors with one peer ([`hello`](Self::hello)), unless there is
    /// none. Otherwise deltas may be made in ignorance of a LOAD, and be void. The replicas converge all the same.
    ///
    /// # Errors
    ///
    /// [`ReplicaError`] if the cluster's settings are impossible or belong to another table, or if the fan-in has given
    /// out its exclusive observer.
    pub fn new(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        id: ReplicaId,
    ) -> Result<Self, ReplicaError> {
        Self::start(cluster, local, id, Vec::new(), Lifetimes::new(id), false)
    }

    /// Starts a replica that knows these planes.
    fn start(
        cluster: &ClusterConfig,
        local: Arc<TableFanIn<A>>,
        id: ReplicaId,
        planes: Vec<Plane>,
        lifetimes: Lifetimes,
        has_store: bool,
    ) -> Result<Self, ReplicaError> {
        if id.incarnation == u64::MAX {
            return Err(ReplicaError::Incarnation { id });
        }
        let shape = cluster.checked_shape(local.len())?;
        let ticks = local.exclusive_epoch_owned().ok_or(ReplicaError::SecondReplica)?;
        let mut replica = Self {
            context: FrameContext::new::<A>(cluster.digest()),
            id,
            max_origins: cluster.max_origins,
            state: ReplicaState::new(shape, cluster.base().cloned(), id, planes),
            ticks,
            batch: DeltaBatch::new(),
            producer: None,
            outbox: Outbox::new(cluster, shape.shard_words, cluster.timing.answer),
            packet_len: cluster.packet_len,
            store: has_store.then(|| StoreQueue::new(cluster.max_withheld)),
            events: EventQueue::default(),
            cloned: false,
            hearings: Hearings::default(),
            refetches: Refetches::default(),
            lifetimes,
            reports: Reports::default(),
            awaited: Awaited::default(),
            merged_digests: MergedDigests::default(),
            max_transaction: cluster.transaction_len,
            timing: cluster.timing,
            timers: Timers::default(),
            last_digest: None,
            last_audit: 0,
        };
        if let Some(members) = &cluster.members {
            replica.set_members(members.iter().copied());
        }
        Ok(replica)
    }
}

/// The application's calls.
impl<A: Algebra> Replica<A> {
    /// Makes versions from what local producers wrote since the last tick. Returns how many addresses changed.
    ///
    /// A tick costs what changed: it reads only the blocks of 64 addresses that a producer touched since the last tick,
    /// at 8 bytes an address for each local producer, and for each block of each producer a mark of 8 bytes. The first
    /// tick reads everything. A table of at most 512 words is read as a whole, and so is the plane of a producer that
    /// is older than the replica, until its next delta: make the replica before the producers ([`TableFanIn`] says
    /// why).
    ///
    /// A tick does not take the deltas of one instant: it may contain a delta to one address and miss an earlier delta
    /// to another, which is then in the next tick.
    pub fn tick(&mut self) -> usize {
        if self.cloned {
            return 0;
        }
        let mut batch = core::mem::take(&mut self.batch);
        self.ticks.swap_into(&mut batch);
        self.make_versions(batch.addresses(), batch.deltas());
        let changed = batch.len();
        if changed <= BATCH_KEPT {
            self.batch = batch;
        }
        changed
    }

    /// Does for one address what a tick does for all.
    fn tick_at(&mut self, addr: usize) {
        let delta = self.ticks.swap_at(addr);
        if delta != A::IDENTITY {
            self.make_versions(&[addr as u32], &[delta]);
        }
    }

    /// Makes a version of each shard in which local producers changed something. The addresses ascend.
    fn make_versions(&mut self, mut addrs: &[u32], mut deltas: &[u64]) {
        let shape = self.state.shape();
        while let Some(&first) = addrs.first() {
            let key = ShardKey { origin: self.id, shard: shape.shard_of(first) };
            let range = shape.range(key.shard);
            let len = addrs.partition_point(|&addr| (addr as usize) < range.end);
            let (shard_addrs, later_addrs) = addrs.split_at(len);
            let (shard_deltas, later_deltas) = deltas.split_at(len);
            (addrs, deltas) = (later_addrs, later_deltas);

            shard_addrs.iter().for_each(|&addr| self.state.check_own(addr));
            let changes = self.outbox.changes_since(key.shard, self.state.version(key));
            for &addr in shard_addrs {
                let offset = addr as usize - range.start;
                if self.state.registers().is_loaded(addr) {
                    changes.insert_entry(offset);
                } else {
                    changes.insert_word(offset);
                }
            }
            self.state.tick(key.shard, shard_addrs.iter().copied().zip(shard_deltas.iter().copied()));
            Self::note_version(&mut self.outbox, &mut self.store, key);
        }
        self.report_damage();
    }

    /// Sets the state of an address to `v`, by a delta from the state that this replica knows. Takes what local
    /// producers wrote to this address into a version, and then its own delta, as a tick would. Costs a read of the
    /// address in the fan-in, and no tick.
    ///
    /// Two concurrent puts compose to a value that neither of them wrote: on `Add`, puts of 7 and 9 over a state of 50
    /// give −34. Where others write too, use [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// [`ReplicaError::Address`] if the table has no such address. Then nothing has happened.
    pub fn put(&mut self, addr: usize, v: u64) -> Result<(), ReplicaError> {
        self.check_addr(addr)?;
        self.check_id()?;
        self.tick_at(addr);
        let delta = A::delta(self.state.merged()[addr], v);
        let local = self.ticks.get_ref();
        self.producer.get_or_insert_with(|| local.producer_owned()).accum(addr, delta);
        self.tick_at(addr);
        Ok(())
    }

    /// LOAD: sets the state of an address to `v` at every replica. Takes what local producers wrote to this address
    /// into a version before, as a tick would. Costs a read of the address in the fan-in, and no tick.
    ///
    /// Of all LOADs of an address, the same one wins at every replica: the one with the greatest Lamport counter, which
    /// each LOAD sets above all counters that its replica has seen. Ids break ties.
    ///
    /// A LOAD voids deltas that were ticked before their replica heard of it, and keeps all others. A delta that races
    /// with it may go either way, but goes the same way everywhere. Producers never wait for a LOAD.
    ///
    /// # Errors
    ///
    /// [`ReplicaError::Address`] if the table has no such address, and [`ReplicaError::LoadsExhausted`] after 2^63 - 1
    /// LOADs of it. Then nothing has happened.
    pub fn load(&mut self, addr: usize, v: u64) -> Result<(), ReplicaError> {
        self.load_many(&[(addr, v)])
    }

    /// Does what [`load`](Self::load) does, for many addresses: each with the value beside it. All are set or none. If
    /// an address is there twice, the later value wins.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), for the first address that can't be set. Then nothing has happened.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use atomik_core::{Add, TableFanIn};
    /// use atomik_replica::{ClusterConfig, Replica, ReplicaId};
    ///
    /// let local = Arc::new(TableFanIn::<Add>::new(1_000));
    /// let mut here = Replica::new(&ClusterConfig::new("limits", 1_000), local, ReplicaId::draw(1))?;
    /// here.load_many(&[(7, 42), (999, 5)])?;
    /// assert_eq!((here.merged()[7], here.merged()[999]), (42, 5));
    /// assert!(here.load_many(&[(7, 0), (1_000, 0)]).is_err());
    /// assert_eq!(here.merged()[7], 42);
    /// # Ok::<(), atomik_replica::ReplicaError>(())
    /// ```
    pub fn load_many(&mut self, loads: &[(usize, u64)]) -> Result<(), ReplicaError> {
        for &(addr, _) in loads {
            self.check_addr(addr)?;
        }
        // First of all, since a damaged counter may look like the last one.
        loads.iter().for_each(|&(addr, _)| self.state.check_own(addr as u32));
        self.report_damage();
        for &(addr, _) in loads {
            // As if all were to this address.
            let counter = self.state.registers().next_counter(addr as u32);
            if counter.saturating_add(loads.len() as u64 - 1) >= LoadTimestamp::COUNTER_LIMIT {
                return Err(ReplicaError::LoadsExhausted { addr });
            }
        }
        self.check_id()?;
        let shape = self.state.shape();
        for &(addr, v) in loads {
            self.tick_at(addr);
            let key = ShardKey { origin: self.id, shard: shape.shard_of(addr as u32) };
            let changes = self.outbox.changes_since(key.shard, self.state.version(key));
            changes.insert_entry(addr - shape.range(key.shard).start);
            self.state.load(addr as u32, v, self.ticks.reference());
            Self::note_version(&mut self.outbox, &mut self.store, key);
        }
        self.report_damage();
        Ok(())
    }

    /// Records a shard's new version, to be stored or, without a store, announced in the next heartbeat.
    fn note_version(outbox: &mut Outbox, store: &mut Option<StoreQueue>, key: ShardKey) {
        match store {
            Some(store) => store.mark_unstored(key),
            None => outbox.mark_dirty(key),
        }
    }

    fn check_id(&self) -> Result<(), ReplicaError> {
        if self.cloned { Err(ReplicaError::ClonedIdentity { id: self.id }) } else { Ok(()) }
    }

    fn check_addr(&self, addr: usize) -> Result<(), ReplicaError> {
        let len = self.len();
        if addr < len { Ok(()) } else { Err(ReplicaError::Address { addr, len }) }
    }
}
