//! Longer pages: a program around a replica, tables that grow, clusters in operation, and the format of what replicas
//! exchange.

pub mod driving;
pub mod growing;
pub mod operating;
pub mod wire;
