//! How often a replica does what recurs.

use core::time::Duration;

/// How often a replica does what recurs, and how long it listens after its start.
///
/// These are the intervals of [`Replica::handle_timeout`](crate::Replica::handle_timeout). An interval of zero turns
/// its timer off: the program then makes the call itself, or goes without. The replicas of a cluster may differ in all
/// of these.
///
/// ```
/// use std::time::Duration;
/// use atomik_replica::{ClusterConfig, Timing};
///
/// let timing = Timing::new().with_tick(Duration::from_millis(50)).with_listening(Duration::from_secs(10));
/// let cluster = ClusterConfig::new("page views", 100_000).with_timing(timing);
/// # let _ = cluster;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    pub(crate) tick: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) version_vector: Duration,
    pub(crate) listening: Duration,
    pub(crate) waiting: Duration,
    pub(crate) answer: Duration,
    pub(crate) store_retry: Duration,
    pub(crate) digests: usize,
    pub(crate) audits: usize,
}

impl Timing {
    /// The default intervals.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tick: Duration::from_millis(10),
            heartbeat: Duration::from_secs(1),
            version_vector: Duration::from_secs(10),
            listening: Duration::from_secs(5),
            waiting: Duration::from_secs(3),
            answer: Duration::from_secs(1),
            store_retry: Duration::from_secs(1),
            digests: 8,
            audits: 1,
        }
    }

    /// Sets the time between two [ticks](crate::Replica::tick). The default is 10 ms.
    ///
    /// A delta of a producer leaves its node one interval later at most. Each tick announces an address once, however
    /// often it changed.
    #[must_use]
    pub const fn with_tick(mut self, interval: Duration) -> Self {
        self.tick = interval;
        self
    }

    /// Sets the time between two [heartbeats](crate::Replica::heartbeat). The default is one second.
    ///
    /// A peer notices a lost announcement one interval later at most. While the replica listens, this is also the time
    /// between two [hellos](crate::Replica::hello).
    #[must_use]
    pub const fn with_heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval;
        self
    }

    /// Sets the time between two [version vectors](crate::Replica::send_version_vector) that go to all peers. The
    /// default is ten seconds.
    ///
    /// A peer that was cut off notices what it lacks one interval later at most, if its heartbeats did not show it.
    #[must_use]
    pub const fn with_version_vector(mut self, interval: Duration) -> Self {
        self.version_vector = interval;
        self
    }

    /// Sets how long a replica listens after its start, if it does not hear a peer out earlier. The default is five
    /// seconds; zero is for a node that has no peers.
    ///
    /// A replica that listens makes no ticks of its own. See [`Replica::is_listening`](crate::Replica::is_listening).
    #[must_use]
    pub const fn with_listening(mut self, most: Duration) -> Self {
        self.listening = most;
        self
    }

    /// Sets how long a start waits for a member before it takes frames, if the replica has
    /// [members](crate::ClusterConfig::with_members). The default is three seconds; with zero, it waits until
    /// [`Replica::end_wait`](crate::Replica::end_wait).
    #[must_use]
    pub const fn with_waiting(mut self, most: Duration) -> Self {
        self.waiting = most;
        self
    }

    /// Sets after how long an answer of a peer is overdue. The default is one second.
    ///
    /// What this replica lacks is asked of one peer. If the answer is overdue, it is asked of the next peer that has
    /// it.
    #[must_use]
    pub const fn with_answer(mut self, most: Duration) -> Self {
        self.answer = most;
        self
    }

    /// Sets how long [`poll_store`](crate::Replica::poll_store) waits after a transaction that failed. The default is
    /// one second.
    #[must_use]
    pub const fn with_store_retry(mut self, after: Duration) -> Self {
        self.store_retry = after;
        self
    }

    /// Sets the number of shards whose digests a heartbeat carries, in turn. The default is 8.
    #[must_use]
    pub const fn with_digests(mut self, digests: usize) -> Self {
        self.digests = digests;
        self
    }

    /// Sets the number of shards that are [audited](crate::Replica::audit) with each heartbeat, in turn. The default
    /// is 1.
    #[must_use]
    pub const fn with_audits(mut self, audits: usize) -> Self {
        self.audits = audits;
        self
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::new()
    }
}
