//! Longer pages: a program around a replica, and the format of what replicas exchange.

pub mod driving;
pub mod wire;
