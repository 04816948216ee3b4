//! Nodes and NATS: what a server does for them, how it is set up, and what it costs.
//!
//! ```no_run
//! use atomik_core::Add;
//! use atomik_net::{Nats, Node};
//! use atomik_replica::ClusterConfig;
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = ClusterConfig::new("page views", 100_000).with_members([1, 2, 3]);
//! let nats = Nats::new("nats://127.0.0.1:4222");
//! let node = Node::<Add>::builder(cluster, 1).nats(nats).store("node-1.db").start().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What happens
//!
//! Nodes of one cluster that reach the same servers reach each other. None of them needs the address of another, and a
//! packet to all leaves its node once, however many nodes there are. All protocol is between the nodes, as over TCP:
//! a packet that NATS loses is asked for again.
//!
//! The stream of JetStream has one message for each shard of each start that wrote: the newest version, as a whole
//! frame. So a node that comes when all others are gone gets what they wrote.
//!
//! **The server is a cache, and never the truth.** An acknowledgement of JetStream may precede the write to the disk,
//! and a backup may be restored. So whenever a node reaches a server again, it lists what the stream has, and puts what
//! the stream lacks: at once what it wrote itself, and within half a minute what others wrote and did not put. Every ten
//! seconds or so it counts the messages, and does the same if there are fewer than were listed. What any node
//! knows that runs, or that comes back with its store, gets into a stream that was deleted, emptied or restored from a
//! backup. What is lost is what only the stream had.
//!
//! | what | how |
//! |---|---|
//! | what changed, heartbeats, requests and answers | at once, to the subjects `all` and `to`, and not kept |
//! | a shard that changed | once in an [interval](crate::Nats::interval), into the stream. At most 64 are under way, each until it is acknowledged |
//! | what the stream has | listed by an ordered consumer, which sees headers only. It is made again, with growing pauses, when it fails |
//! | a shard that the stream has in a later version | fetched by a direct get, from any server that has the stream |
//! | a shard of an earlier start that was folded | removed by the start that folded it |
//!
//! # Settings
//!
//! The first node makes the stream, with the [replicas](crate::Nats::replicas) and the [kind of
//! store](crate::Nats::in_memory) of its settings. It may exist before. Its name is `atomik-CLUSTER`, and its subjects
//! are `atomik.CLUSTER.shard.*.*.*`, where `CLUSTER` is the digest of the cluster in 16 hexadecimal digits, and `-1` for
//! addition or `-0` for XOR. It needs:
//!
//! | setting | value |
//! |---|---|
//! | `max_msgs_per_subject` | 1 |
//! | `allow_direct` | true |
//! | `retention` | limits |
//! | `max_age` | 0 |
//! | `max_msgs` | none, or at least the shards of the table |
//! | `max_bytes`, `max_msg_size` | none, or at least one frame |
//!
//! A node that finds another value, or a server whose `max_payload` is shorter than the longest packet of the cluster,
//! or an account that may not keep one frame, does not start, and names the limit. The longest packet is
//! [`max_packet_len`](atomik_replica::ClusterConfig::max_packet_len): 246 KB with the default settings, and the default
//! `max_payload` is 1 MB. A node that meets such a server later, or a full account, logs it, counts it in
//! [`Stats`](crate::Stats), and goes on without the stream.
//!
//! A user needs these permissions: to publish and subscribe `atomik.CLUSTER.>`, to publish `$JS.API.>`, and to subscribe
//! `_INBOX.>`.
//!
//! # Leaf nodes and super-clusters
//!
//! A server near the nodes that is a *leaf node* of a hub sends each packet to the hub once, and each packet from there
//! to its own nodes. If the leaf has a JetStream of its own, name the [domain](crate::Nats::domain) of the hub, so that
//! all nodes use the same stream; or leave the domain away at each leaf and let each have a stream of its own: nodes
//! converge all the same, and each stream fills with what its nodes know.
//!
//! In a *super-cluster*, the stream is in one of the clusters. Gateways carry packets only to clusters in which a node of
//! the cluster is. While they are cut, each side goes on by itself; the side without the stream has no cache until it is
//! back.
//!
//! # What it costs
//!
//! Let `n` nodes change `c` addresses of one shard in each of `t` ticks a second, and let each have written `w` addresses
//! in all. In bytes a second:
//!
//! - a node announces `r = t (80 + 16 c) + 400`. The last term is for heartbeats and digests: it was measured for three
//!   nodes and one shard; with many shards it is 850;
//! - it puts `80 + 16 w` into the stream, if the interval is one second;
//! - it receives `(n - 1) (r + 300)`: the last term is for what the consumer lists;
//! - over TCP, it sends `(n - 1) r`, over `n - 1` connections. Through NATS it sends once, and the servers do the rest.
//!
//! A node keeps 8.7 bytes for each address that each origin wrote, and the stream has a message of `230 + 16 w` bytes
//! for each origin. A server takes about 420 bytes of memory for each message besides (measured with 100,000 messages in
//! files, on version 2.15). These are the numbers for a table of 1,000 counters, of which each node changes 100 in each of ten ticks a
//! second (three nodes on one machine announced 17.2 KB a second each):
//!
//! | nodes | a node sends over TCP | through NATS | a node receives | servers send | memory of a node | stream |
//! |---|---|---|---|---|---|---|
//! | 10 | 155 KB/s | 33 KB/s | 158 KB/s | 1.6 MB/s | 87 KB | 162 KB |
//! | 1,000 | 17 MB/s | 33 KB/s | 17 MB/s | 17 GB/s | 8.7 MB | 16 MB |
//! | 100,000 | 1.7 GB/s | 33 KB/s | 1.8 GB/s | 175 TB/s | 870 MB | 1.6 GB |
//!
//! So ten nodes may as well be a mesh of TCP; for a thousand, NATS saves connections and most of what nodes send, and
//! needs a cluster of servers; and a hundred thousand nodes can't all hear each other, whatever carries the packets. Two
//! things help.
//!
//! **Few nodes, many writers.** Threads, processes of one machine (`atomik-shared`) and clients of `atomik-node` are not
//! nodes. If each of a hundred nodes counts for a thousand clients, the cluster has a hundred.
//!
//! **A tree of clusters.** The nodes are divided into clusters. One node of each is in the cluster above, too, whose
//! table has a row for each cluster below it: it sets its row to what its own cluster has. That is a LOAD of a total and
//! not a delta, so it may be done twice, by a node that starts again, or by two nodes of one cluster at once. The sum of
//! the rows is the total.
//!
//! ```no_run
//! use atomik_core::Add;
//! use atomik_net::Node;
//!
//! /// Sets a row of the table above to what the cluster below has. It must not write to that cluster by producers.
//! async fn carry(below: &Node<Add>, above: &Node<Add>, row: usize) -> Result<(), atomik_net::NodeError> {
//!     let len = below.view().len();
//!     let mut changes = below.changes();
//!     // What was there before the first change.
//!     let all = (0..len).map(|addr| (row * len + addr, below.view().read(addr)));
//!     above.load_many(all.collect()).await?;
//!     while let Some(batch) = changes.next().await {
//!         let addresses = batch.iter().map(|(addr, _)| addr as usize);
//!         let loads = addresses.map(|addr| (row * len + addr, below.view().read(addr)));
//!         above.load_many(loads.collect()).await?;
//!         // Once a second is enough for a table that people read.
//!         tokio::time::sleep(std::time::Duration::from_secs(1)).await;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! An address that was loaded takes 44 bytes in a frame, and about 150 in the memory of each node of its cluster. The
//! 100,000 nodes of above as a tree of three levels, if each row changes as a whole once a second:
//!
//! | level | clusters | nodes of each | a node receives | memory of a node | servers of one cluster send |
//! |---|---|---|---|---|---|
//! | leaves | 2,000 | 50 | 860 KB/s | 435 KB | 43 MB/s |
//! | middle | 40 | 50 | 2.2 MB/s | 7.5 MB | 110 MB/s |
//! | top | 1 | 40 | 1.7 MB/s | 6.0 MB | 70 MB/s |
//!
//! # Safety
//!
//! Everyone who may publish to the subjects of a cluster takes part in it, and the stream has what nodes wrote in the
//! clear. Give the cluster an account of its own, log in with [credentials](crate::Nats::credentials), and use the scheme
//! `tls` wherever others can listen. What is no packet or no shard is refused by its checksums, and counted.
