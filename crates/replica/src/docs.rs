//! Longer pages: a program around a replica, tables that grow, and the format of what replicas exchange.

pub mod driving;
pub mod growing;
pub mod wire;
