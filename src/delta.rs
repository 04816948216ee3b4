//! Deltas as data: one message, and a sparse batch.

mod batch;
mod message;

pub use batch::DeltaBatch;
pub use message::{DeltaMessage, WireError};
