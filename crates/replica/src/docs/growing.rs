//! A table that must grow.
//!
//! A fan-in has a fixed length, and so has a replica. But the replicas of a cluster may have tables of different
//! lengths, so a cluster grows node by node. It never shrinks.
//!
//! # Node by node
//!
//! Give each node a longer table when it starts the next time. Nothing else has to be done, in any order of nodes, and
//! the others go on:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use atomik_core::{Add, TableFanIn};
//! use atomik_replica::{ClusterConfig, Peer, Replica, ReplicaId};
//!
//! let start = |node, len: usize| {
//!     let cluster = ClusterConfig::new("page views", len).with_shard_words(64);
//!     Replica::new(&cluster, Arc::new(TableFanIn::<Add>::new(len)), ReplicaId::draw(node)).unwrap()
//! };
//! let (mut short, mut long) = (start(1, 128), start(2, 256));
//! long.put(5, 50)?;
//! long.put(200, 60)?;
//! while let Some((_, packet)) = long.poll_transmit() {
//!     short.receive(Duration::ZERO, Peer(2), &packet)?;
//! }
//! assert_eq!(short.merged()[5], 50); // the rest is skipped
//!
//! // It starts again with a longer table, here without a store, and asks for what it lacks.
//! let mut grown = start(1, 256);
//! for packet in long.version_vector_packets() {
//!     grown.receive(Duration::ZERO, Peer(2), &packet)?;
//! }
//! while let Some((_, request)) = grown.poll_transmit() {
//!     long.receive(Duration::ZERO, Peer(1), &request)?;
//! }
//! while let Some((_, answer)) = long.poll_transmit() {
//!     grown.receive(Duration::ZERO, Peer(2), &answer)?;
//! }
//! assert_eq!((grown.merged()[5], grown.merged()[200]), (50, 60));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - A replica skips what is about addresses that it does not have. It counts that in
//!   [`Received::beyond_table`](crate::Received::beyond_table), and an [`Event::Skipped`](crate::Event::Skipped) names
//!   it. It does not forward these addresses either: until enough nodes have grown, they have fewer holders.
//! - Grow by whole shards. If the last shard of the shorter table is not full, a frame that has addresses beyond the
//!   table is skipped as a whole, so that the shorter table lags behind in this shard until it has grown, too. Nothing
//!   diverges, but it asks for the shard again and again.
//! - A [base](crate::ClusterConfig::with_base) gets identities at the new addresses, and is otherwise the same.
//! - A store fits a longer table. [`restore`](crate::Replica::restore) refuses the store of a table that was longer.
//!
//! # A new cluster
//!
//! What the replicas of a cluster agree on can't change while it runs: the size of a shard, the base, and the algebra.
//! Then, or to leave the planes of nodes that never start again behind, all nodes begin a new cluster, whose base is
//! the merged states of the old one:
//!
//! 1. On each node, producers move to a new fan-in. It needs no replica yet: what they write is in the first tick of
//!    the new one.
//! 2. When all producers of all nodes have moved, each old replica makes its last tick. They exchange version vectors
//!    until all [merged](crate::Replica::merged) states are equal.
//! 3. Each node starts a replica of the new cluster, with another name, on the new fan-in. The base is the merged
//!    states, with identities at new addresses.
//!
//! A node that takes part in step 3 too early has another base. Its packets are refused as
//! [`Foreign`](crate::PacketErrorKind::Foreign), so a mistake does not corrupt states: start that node again with the
//! base of the others. Deltas and LOADs that reach the old cluster after step 2 are lost. So prefer the other way where
//! it does.
