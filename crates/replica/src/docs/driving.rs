//! The loop of a program around a replica, which recovers from everything that the network, the disk and peers do.
//!
//! A replica does no I/O and has no clock. A program tells it what happened, and asks it what to do: what to send, what
//! to store, and when to call again. The code below is all that has to stand between a replica and the program's
//! sockets, files and timers. It is complete. The repository's simulator drives its nodes by this very file, over a
//! network that loses, repeats and damages packets, and with stores that fail. You may copy it. `atomik-net` has
//! a node on tokio that does the same over TCP, TLS, UDP and NATS.
//!
//! ```
#![doc = include_str!("node.rs")]
//! ```
//!
//! # The program around it
//!
//! One thread owns the node. It waits for inputs, but no longer than until the next turn, and calls
//! `handle` for each and then `turn`:
//!
//! ```text
//! let mut due = node.turn(clock.elapsed());
//! while !node.has_ended(clock.elapsed()) {
//!     match inputs.recv_timeout(due.saturating_sub(clock.elapsed())) {
//!         Ok(input) => node.handle(clock.elapsed(), input),
//!         Err(Timeout) => {}
//!     }
//!     due = node.turn(clock.elapsed());
//! }
//! ```
//!
//! The example `nodes` does this with threads, channels, UDP sockets and files. The times are those of any monotonic
//! clock. Other threads make deltas by producers of the fan-in, and read through [`View`](crate::View)s; they never
//! meet the node.
//!
//! # What recovers from what
//!
//! | what happens | what repairs it |
//! |---|---|
//! | A packet is lost. | The next [heartbeat](crate::Replica::heartbeat) names the new version. A peer that lacks it asks. |
//! | A heartbeat, request or answer is lost. | The next [version vector](crate::Replica::send_version_vector) names everything. |
//! | A packet arrives twice, late, out of order, or from someone else. | Totals replace themselves, so nothing has to be repaired. |
//! | A packet is damaged. | Its checksums show it, and it counts as lost. |
//! | A peer was cut off, or is new. | [`hello`](crate::Replica::hello) asks for its version vector. |
//! | A node starts. | Its timer says hello until a peer was heard out, and ticks afterwards. See [`is_listening`](crate::Replica::is_listening). |
//! | A peer is gone. | [`remove_peer`](crate::Replica::remove_peer) drops what waits for it. |
//! | The disk is slow. | Shards change while they are written, and are in a later transaction again. Nothing leaves before it is stored. |
//! | A write fails. | [`store_failed`](crate::Replica::store_failed) puts its shards into the next transaction, which can be polled after a pause. |
//! | The process is killed. | The store has all that peers were told. [`restore`](crate::Replica::restore) takes it under a [new id](crate::ReplicaId::draw). |
//! | The store is lost, or is an old backup. | Peers have what it told them, and send it. |
//! | Memory or a disk changes bits. | [Audits](crate::Replica::audit) and digests find it. An [`Event`](crate::Event) says what to do. |
//! | Another instance runs, or ran, under the same id. | The replica [stops](crate::Event::Cloned) under it. The program [renews](crate::Replica::renew) it with an incarnation that it draws. |
//! | A later start of the node is known. | The replica [stops](crate::Event::Superseded) under its id, as above. |
//! | The node was started before. | If [members](crate::ClusterConfig::with_members) are named, its next start folds what the earlier ones wrote into its own plane: see [`docs::operating`](super::operating). |
//! | The clock stands still or goes back. | Timers wait. Nothing else depends on the time. |
//!
//! # Events
//!
//! What the replica can repair, it repairs. The rest needs a decision, which is the program's: see each
//! [`Event`](crate::Event).
//!
//! # Shutting down
//!
//! `ShutDown` makes a last version of what the producers wrote, announces it, and goes on for two seconds more. Peers
//! that missed the announcement ask in that time. A node with a store ends only when the store has everything, and its
//! next start tells the rest. For a node without a store these seconds are the last chance: if no peer hears of a
//! version, it is lost. Stop the producers before.
//!
//! # How often
//!
//! [`Timing`](crate::Timing) has the intervals. Each tick of a node that changed something sends the totals of the
//! changed addresses once to each peer, however often they changed. Heartbeats name shards that changed, and version
//! vectors name all.
