//! A recorder for the [`metrics`] facade. Threads that record share no memory that they write, counters are exact,
//! histograms can be added up, and the result is rendered in Prometheus' formats.
//!
//! ```
//! # fn main() -> Result<(), atomik_metrics::InstallError> {
//! let handle = atomik_metrics::install()?; // metrics::counter!, gauge! and histogram! record here from now on
//! metrics::counter!("requests_total", "route" => "/").increment(1);
//! println!("{}", handle.render()); // Prometheus text
//!
//! let latency = atomik_metrics::histogram("request_seconds", &[("route", "/")]); // without the facade
//! latency.record(0.0042);
//! # Ok(())
//! # }
//! ```
//!
//! # Trade-offs
//!
//! - **Writes are cheap, and reads are expensive.** Each thread adds to memory of its own. This takes a load and a store,
//!   without a locked instruction and without a cache line that another thread writes. A read adds up the parts of all
//!   threads.
//! - **Memory grows with the number of threads times the number of series.** A counter takes 8 bytes for each thread
//!   that counts. A [`Histogram`] at schema 3 takes 2.3 KB for each thread that records, and 768 bytes more for each
//!   further run of eight octaves. The memory of ended threads is used again. Memory does not depend on how often
//!   something is recorded, nor on whether anybody scrapes.
//! - **A scrape does not show one instant.** It includes every event that happened before it. Of the events that happen
//!   during the scrape, it may include a later one and miss an earlier one.
//! - **Label sets are kept** as long as the recorder lives, unless an [idle timeout](Builder::idle_timeout) is set.
//!
//! # What is where
//!
//! - [`install()`] and [`handle()`] are about the recorder of the process. [`Recorder`] and [`Builder`] make further
//!   recorders and change settings.
//! - A [`Handle`] renders series, registers them without the facade, and makes observers.
//! - [`Counter`], [`Gauge`] and [`Histogram`] are handles of series.
//! - A [`HistogramSnapshot`] is a histogram as plain data, which can be merged, sent, and asked for quantiles. Its
//!   [`Schema`] is its resolution.
//! - A [`MetricsEpoch`] tells what changed since it last looked.
//! - The module `shared`, behind the feature of this name, has a recorder whose series are in a file that processes
//!   share.
//! - [`Format`] lists the formats of the exposition. The module `http`, behind the features `axum`, `hyper` and `http`,
//!   serves them.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod activity;
mod bounds;
mod builder;
mod catalog;
mod counter;
mod counter_table;
mod epoch;
mod exposition;
mod gauge;
mod handle_cache;
mod histogram;
#[cfg(feature = "http")]
pub mod http;
mod install;
mod lanes;
#[cfg(atomik_loom)]
#[doc(hidden)]
pub mod models;
mod names;
mod once_box;
mod recorder;
mod schema;
mod settings;
#[cfg(all(feature = "shared", target_os = "linux", target_pointer_width = "64"))]
pub mod shared;
mod snapshot;
mod storage;
mod sync;

pub use builder::Builder;
pub use counter::Counter;
pub use epoch::{Changes, MetricsEpoch, Series};
pub use exposition::Format;
pub use gauge::Gauge;
pub use histogram::Histogram;
pub use install::{InstallError, counter, gauge, handle, histogram, install, install_and_probe};
pub use recorder::{Handle, PROBE, Recorder};
pub use schema::Schema;
pub use snapshot::{HistogramSnapshot, SnapshotError};

/// The README's program is compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
