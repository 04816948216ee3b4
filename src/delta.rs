//! Deltas as data: one message, and a sparse batch.

mod batch;
mod message;

pub use batch::{AddressOutOfRange, DeltaBatch};
pub(crate) use batch::{Changes, Hex};
pub use message::{DeltaMessage, WireError};
