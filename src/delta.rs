//! Deltas as data: one message, a sparse batch, and a stream of messages.

mod batch;
mod message;
mod received;
#[cfg(feature = "serde")]
mod serde;
mod stream;

pub(crate) use batch::Changes;
pub use batch::{AddressOutOfRange, DeltaBatch};
pub use message::{DeltaMessage, WireError};
pub use stream::{DeltaStream, StreamError};
