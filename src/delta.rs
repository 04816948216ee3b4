//! Deltas as data: one message, a sparse batch, and a stream of messages.

mod batch;
mod message;
mod received;
mod stream;

pub(crate) use batch::Changes;
pub use batch::{AddressOutOfRange, DeltaBatch, DeltaBatchIter};
pub use message::{DeltaMessage, WireError};
pub use stream::{DeltaStream, StreamError};
