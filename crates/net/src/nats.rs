//! NATS: packets through a server, and a stream of JetStream that keeps the newest version of each shard.

mod broker;
mod connection;
mod error;
mod events;
mod limits;
mod settings;
mod stream;
mod subjects;

pub use error::NatsError;
pub use settings::Nats;

pub(crate) use broker::Broker;
pub(crate) use connection::{NatsContext, connect};
pub(crate) use events::{BROKER, NatsEvent};
