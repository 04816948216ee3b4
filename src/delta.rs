//! Deltas as data: one message, and a sparse batch.

mod batch;
mod message;
#[cfg(feature = "serde")]
mod serde;

pub(crate) use batch::Changes;
pub use batch::{AddressOutOfRange, DeltaBatch};
pub use message::{DeltaMessage, WireError};
