//! Longer pages: patterns, names, and arguments that span several types.

pub mod epochs;
pub mod patterns;
pub mod python;
pub mod threads;
