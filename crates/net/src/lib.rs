//! Nodes of [`atomik-replica`](atomik_replica) on tokio: tables that several processes or machines write at once, and
//! that converge without a leader.
//!
//! [`Node`] is a replica with its sockets, its timers and, if it is to outlive its process, a store. Producers and
//! readers never wait for any of these. Nodes speak over TCP, over TLS with the feature `tls`, over UDP, and through
//! servers of NATS with the feature `nats`.
//!
//! | | |
//! |---|---|
//! | [`Node`] | a node that runs |
//! | [`Builder`] | its settings |
//! | [`Changes`] | what changes because of others |
//! | [`Stats`] | what was sent, received, dropped and refused |
//! | `Tls` | certificates, with the feature `tls` |
//! | `Nats` | a server of NATS, with the feature `nats`: see `docs::nats` |
//!
//! # Trade-offs
//!
//! - Every node keeps what every node wrote: memory and traffic grow with the number of nodes that write.
//!   `atomik-replica` says how.
//! - Nodes trust one another. TLS keeps others out; what a node writes is taken as it is.
//! - A delta travels with the next tick, ten times a second unless [`Timing`](atomik_replica::Timing) says otherwise.
//!
//! # Feature flags
//!
//! - **store** (on by default): `Builder::store`, a file of SQLite.
//! - **tls**: `Builder::tls`, by rustls.
//! - **nats**: `Builder::nats`, by async-nats.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
mod builder;
mod changes;
pub mod docs;
mod driver;
mod error;
mod handshake;
mod input;
mod link;
#[cfg(feature = "nats")]
mod nats;
mod node;
mod outgoing;
mod stats;
mod status;
#[cfg(feature = "store")]
mod store;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod udp;

pub use builder::Builder;
pub use changes::Changes;
pub use error::{NodeError, StartError};
#[cfg(feature = "nats")]
pub use nats::{Nats, NatsError};
pub use node::Node;
pub use stats::Stats;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

/// The README's program is compiled with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
