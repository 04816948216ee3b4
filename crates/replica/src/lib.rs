//! Tables of 64-bit states that converge over any network.
//!
//! The threads of a node change a table through an [`atomik_core::TableFanIn`], with one store for a delta. A
//! [`Replica`] observes the fan-in, exchanges packets with the replicas of other nodes, and merges what they send. No
//! thread waits for the network, and no node coordinates the others.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use atomik_core::{Add, TableFanIn};
//! use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};
//!
//! let cluster = ClusterConfig::new("page views", 1_000);
//! let start = |node| {
//!     let local = Arc::new(TableFanIn::<Add>::new(1_000));
//!     (Replica::new(&cluster, Arc::clone(&local), ReplicaId::draw(node)).unwrap(), local)
//! };
//! let ((mut here, local), (mut there, _)) = (start(1), start(2));
//!
//! local.producer().accum(7, 42);
//! here.tick();
//! while let Some((_, packet)) = here.poll_transmit() {
//!     there.receive(Duration::ZERO, Peer(1), &packet)?; // the time, by a clock of the program
//! }
//! assert_eq!(there.view().read(7), 42);
//! # Ok::<(), atomik_replica::PacketError>(())
//! ```
//!
//! # What it is
//!
//! A [state-based CRDT][crdt]:
//!
//! - **Totals of each origin.** An origin is one start of one node. What travels is not a delta, but what all deltas of
//!   an origin to an address compose to. The total of one writer is idempotent: when it arrives twice, late, or through
//!   another node, it replaces itself. The state of an address is the composition of the totals of all origins.
//! - **Version vectors.** The table is cut into shards. Each change of a shard by its origin is a new version, and a
//!   later version replaces an earlier one. Replicas compare their version vectors and ask each other for what they
//!   lack. Any holder of a shard can answer for any version, in one frame. So there is no log, no retransmission window
//!   and no separate snapshot.
//! - **Last-writer-wins registers.** [`Replica::load`] sets an address to a value, with a timestamp from a Lamport
//!   counter. The greatest timestamp wins at every replica. Totals beside a register are those of the deltas that were
//!   made in knowledge of it.
//!
//! Both groups of the core work: [`Add`](atomik_core::Add) for counters, [`Xor`](atomik_core::Xor) for bit sets and for
//! values that one node writes at a time.
//!
//! [crdt]: https://en.wikipedia.org/wiki/Conflict-free_replicated_data_type
//!
//! # Pages
//!
//! - [`Replica`] has its calls by who makes them: receive, transmit, store, timers, events.
//! - [`docs::driving`] is the loop of a program around a replica, and what recovers from what.
//! - [`docs::growing`] is about tables that must grow.
//! - [`docs::wire`] is the format of what replicas exchange, byte by byte.
//!
//! # Trade-offs
//!
//! - **Memory follows writers.** Each origin that wrote costs what it touched, on every replica and for good: about 8.7
//!   bytes a word. Every start of a node is a new origin. [`ClusterConfig::with_max_origins`] is the bound.
//! - **Concurrent writes of a value need [`load`](Replica::load).** Two concurrent [`put`](Replica::put)s compose to a
//!   value that neither wrote.
//! - **Incarnations must never repeat.** If two starts of a node have the same id, states can diverge. See
//!   [`ReplicaId`].
//! - **Reads of live states are not linearizable.** See [`View`]. [`Replica::merged`] is the state at known versions.
//! - **Replicas trust each other.** Checksums find damage. Encryption and authentication are the transport's.
//! - **A frame is as long as its shard needs.** For datagrams, make shards small:
//!   [`ClusterConfig::with_shard_words`].
//!
//! # Features
//!
//! - `std` (default): [`ReplicaId::draw`], and checksums by the processor's instruction. Without it, the crate is
//!   `no_std` and needs `alloc`.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

/// The programs in the README are compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod block;
mod change_set;
mod changes;
mod checksum;
mod cluster_config;
#[cfg(any(test, feature = "damage"))]
#[doc(hidden)]
pub mod damage;
pub mod docs;
mod error;
mod frame;
mod lifetimes;
mod outbox;
mod outgoing;
mod packet_error;
mod peer;
mod plane;
mod received;
mod register;
mod registers;
mod replica;
mod replica_id;
mod report;
mod requests;
mod shape;
mod shard;
mod state;
mod store_queue;
mod stored;
mod timers;
mod timing;
mod version_sums;

pub use cluster_config::ClusterConfig;
pub use error::ReplicaError;
pub use frame::FrameHeader;
pub use packet_error::{PacketErrorKind, PacketField};
pub use peer::{Peer, Recipient};
pub use received::{PacketError, Received};
pub use replica::{Event, Replica, ShardDigest, Transaction, View};
pub use replica_id::ReplicaId;
pub use stored::{StoredPart, StoredShard};
pub use timing::Timing;
