//! The levels of x86-64, for targets that have its vector registers.
//!
//! Kernels of operating systems and UEFI applications are compiled without SSE2, and then no function may use a vector
//! register at all. So this module asks for the feature and not just for the architecture.

pub(super) mod avx2;
pub(super) mod avx512;
pub(super) mod sse2;
