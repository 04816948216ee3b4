//! Pages for those who run nodes.

#[cfg(feature = "nats")]
#[cfg_attr(docsrs, doc(cfg(feature = "nats")))]
pub mod nats;

#[cfg(all(test, feature = "nats"))]
mod tests;
