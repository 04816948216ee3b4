//! Longer pages: a program around a replica.

pub mod driving;
