//! Nodes of [`atomik-replica`](atomik_replica) on tokio: tables that several processes or machines write at once, and
//! that converge without a leader.
//!
//! [`Node`] is a replica with its sockets, its timers and, if it is to outlive its process, a store. Producers and
//! readers never wait for any of these. Nodes speak over TCP, over TLS with the feature `tls`, and over UDP.
//!
//! | | |
//! |---|---|
//! | [`Node`] | a node that runs |
//! | [`Builder`] | its settings |
//! | [`Changes`] | what changes because of others |
//! | [`Stats`] | what was sent, received, dropped and refused |
//! | `Tls` | certificates, with the feature `tls` |
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

#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
mod builder;
mod changes;
mod driver;
mod error;
mod handshake;
mod input;
mod link;
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
pub use node::Node;
pub use stats::Stats;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

/// The README's program is compiled with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
