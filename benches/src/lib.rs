//! What the benchmarks share.

pub mod circumstances;
pub mod kernels;
pub mod measure;
pub mod methods;
pub mod places;
pub mod ratio;
pub mod record;
pub mod roof;
pub mod run;
