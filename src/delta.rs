//! Deltas as data: one message, and a sparse batch.

mod batch;
mod message;

pub(crate) use batch::Hex;
pub use batch::{AddressOutOfRange, DeltaBatch};
pub use message::{DeltaMessage, WireError};
