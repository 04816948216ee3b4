//! What a node has sent, received, dropped and refused.

use std::sync::atomic::{AtomicU64, Ordering};

/// Declares the counters, and the numbers that are read from them.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a node has done since its start. Each number only grows, unless it says something else.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Stats {
            /// The numbers with their names.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }

        /// The counters behind [`Stats`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.read(),)* }
            }
        }
    };
}

counters! {
    /// Packets that were given to a connection or to UDP.
    packets_sent,
    /// Their bytes.
    bytes_sent,
    /// Packets that arrived.
    packets_received,
    /// Their bytes.
    bytes_received,
    /// Packets that were not sent because the peer can't be reached now.
    dropped_unreachable,
    /// Packets that were not sent because the peer is slow: it is told the newest versions when it has caught up.
    dropped_slow,
    /// Datagrams that the system did not take.
    dropped_datagrams,
    /// Datagrams that were incomplete for too long, or too many at once.
    dropped_fragments,
    /// Datagrams that are none of this protocol.
    refused_datagrams,
    /// Packets with damage, or of another cluster.
    refused_packets,
    /// Sections that were skipped by a rule of the replica: too many origins, addresses beyond the table, unknown
    /// kinds.
    skipped_sections,
    /// Frames that led to a new version.
    frames_applied,
    /// Frames that were known already.
    frames_known,
    /// Frames that start from a version that is not known here: the peer is asked for what is missing.
    frames_gaps,
    /// Frames of starts that have ended, above what any member has reported.
    frames_late,
    /// Shards that were asked for, because a peer's version vector has later versions.
    shards_asked,
    /// Frames that were sent to one peer, because it asked for them.
    frames_resent,
    /// Connections that were made by this node.
    connections_made,
    /// Connections that were made by peers.
    connections_taken,
    /// Connections that ended.
    connections_ended,
    /// How many connections there are now.
    connections,
    /// Attempts to connect that failed.
    connections_failed,
    /// Connections that were refused because there were too many.
    refused_too_many,
    /// Connections that were refused because their handshake was not one of this version.
    refused_handshake,
    /// Connections that were refused because the peer belongs to another cluster or algebra.
    refused_cluster,
    /// Connections that were refused because they came from this node itself.
    refused_self,
    /// Connections that ended because nothing arrived in time.
    timed_out,
    /// Connections that ended because a peer announced more bytes than a packet may have.
    refused_length,
    /// TLS handshakes that failed.
    refused_tls,
    /// Connections to a server of NATS that were made.
    nats_connected,
    /// Versions of shards that the stream at NATS was seen to have.
    nats_listed,
    /// Shards that were put into the stream.
    nats_put,
    /// Shards that were fetched from the stream.
    nats_got,
    /// Requests to a server of NATS that failed, and failures that it reported.
    nats_failed,
    /// How often the stream had lost shards, and was listed again from the beginning.
    nats_reopened,
    /// How often the stream could not be used because a limit of the server or a setting does not fit.
    refused_nats,
    /// Transactions that were stored.
    stored,
    /// Transactions that the store did not take.
    store_failed,
    /// How often this start went on under another incarnation.
    renewals,
    /// Events of the replica, which name failures of memory or disks.
    events,
}

/// A counter of one kind of event.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        // Relaxed: numbers for people, which order nothing.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn sub(&self, count: u64) {
        // Relaxed: as above.
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        // Relaxed: as above.
        self.0.load(Ordering::Relaxed)
    }
}
