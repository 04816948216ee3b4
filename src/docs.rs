//! Why it works: arguments that span several types.

pub mod epochs;
