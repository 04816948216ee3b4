//! What the benchmarks share.

pub mod fan_in;
pub mod kernels;
pub mod measure;
pub mod record;
pub mod roof;
