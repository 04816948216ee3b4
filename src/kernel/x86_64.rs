//! The levels of x86-64, for targets that have its vector registers.
//!
//! Kernels of operating systems and UEFI applications are compiled without SSE2, and then no function may use a vector
//! register at all. So this module exists only where the target has the feature, not just the architecture.

mod avx2;
mod avx512;
mod sse2;

use super::kernels::Kernels;

/// All kernels, the best first.
pub(super) static LEVELS: [&Kernels; 5] =
    [&avx512::WIDE, &avx512::KERNELS, &avx2::WIDE, &avx2::KERNELS, &sse2::KERNELS];
