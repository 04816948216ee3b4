//! The list of the kernels, and what is generated from it.
//!
//! To add a kernel, write its algorithm over [`Vector`](super::vector::Vector) and add its signature to the list. The
//! macros below give it a field and a method of [`Kernels`] and an instance on every level.

use super::level::Level;
use super::vector::LANES;
use crate::algebra::Algebra;
use crate::delta::Changes;

/// The list: the module and the signature of each algorithm. Hands them to another macro, after its arguments.
macro_rules! kernels {
    ($macro:ident! $arguments:tt) => {
        $macro! {
            $arguments
            // For any vector and algebra.
            {
                dense::fold(words: &[u64]) -> u64;
                dense::accum(words: &mut [u64], deltas: &[u64]) -> ();
                diff::diff(base: u32, old: &[u64], new: &[u64], prefetches: bool, changes: &mut Changes) -> ();
            }
            // For any vector.
            {
                compare::equal(a: &[u64], b: &[u64]) -> bool;
                compare::first_difference(a: &[u64], b: &[u64]) -> Option<usize>;
                clmul::clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128;
                clmul::clmul_sum_few(words: &[u64], keys: &[u64]) -> u128;
            }
        }
    };
}
pub(super) use kernels;

/// Generates the type of a level's kernels.
macro_rules! kernels_type {
    (
        {}
        { $($g_module:ident::$generic:ident($($g_argument:ident: $g_type:ty),*) -> $g_result:ty;)* }
        { $($p_module:ident::$plain:ident($($p_argument:ident: $p_type:ty),*) -> $p_result:ty;)* }
    ) => {
        /// The kernels of a level. [`dispatch`](super::dispatch) gives out only those that this processor can run.
        #[allow(clippy::type_complexity, reason = "the types are the kernels' signatures")]
        pub(super) struct Kernels {
            pub(super) level: Level,
            /// The level, and what distinguishes these kernels from others of it.
            #[cfg(test)]
            pub(super) name: &'static str,
            /// Whether the processor has all instructions that the kernels use.
            pub(super) is_available: fn() -> bool,
            // In the order of `algebra::Kind`.
            $(pub(super) $generic: [unsafe fn($($g_type),*) -> $g_result; 2],)*
            $(pub(super) $plain: unsafe fn($($p_type),*) -> $p_result,)*
        }

        impl Kernels {
            $(
                #[inline]
                pub(super) fn $generic<A: Algebra>(&self, $($g_argument: $g_type),*) -> $g_result {
                    // SAFETY: `dispatch` asked `is_available` before it gave `self` out.
                    unsafe { self.$generic[A::KIND as usize]($($g_argument),*) }
                }
            )*
            $(
                #[inline]
                pub(super) fn $plain(&self, $($p_argument: $p_type),*) -> $p_result {
                    // SAFETY: `dispatch` asked `is_available` before it gave `self` out.
                    unsafe { (self.$plain)($($p_argument),*) }
                }
            )*
        }
    };
}
kernels! { kernels_type! {} }

/// Generates the constant `KERNELS`: the kernels of a level, for its vector and with its features.
macro_rules! level {
    (
        { level: $level:ident, name: $name:literal, vector: $vector:ty, features: $features:tt }
        { $($g_module:ident::$generic:ident($($g_argument:ident: $g_type:ty),*) -> $g_result:ty;)* }
        { $($p_module:ident::$plain:ident($($p_argument:ident: $p_type:ty),*) -> $p_result:ty;)* }
    ) => {
        /// The functions in which the features of the level are enabled. The algorithms are inlined into them.
        ///
        /// # Safety
        ///
        /// The contract of [`vector`](crate::kernel::vector), for each.
        mod instances {
            use crate::algebra::Algebra;
            use crate::delta::Changes;
            use crate::kernel::vector::LANES;

            $(
                crate::kernel::kernels::with_features! { $features
                    pub(super) unsafe fn $generic<A: Algebra>($($g_argument: $g_type),*) -> $g_result {
                        // SAFETY: the contract is the caller's.
                        unsafe { crate::kernel::$g_module::$generic::<$vector, A>($($g_argument),*) }
                    }
                }
            )*
            $(
                crate::kernel::kernels::with_features! { $features
                    pub(super) unsafe fn $plain($($p_argument: $p_type),*) -> $p_result {
                        // SAFETY: the contract is the caller's.
                        unsafe { crate::kernel::$p_module::$plain::<$vector>($($p_argument),*) }
                    }
                }
            )*
        }

        /// The kernels of the level.
        pub(in crate::kernel) const KERNELS: crate::kernel::kernels::Kernels = {
            use crate::algebra::{Add, Xor};
            crate::kernel::kernels::Kernels {
                level: crate::kernel::level::Level::$level,
                #[cfg(test)]
                name: $name,
                is_available: || crate::kernel::kernels::has!($features),
                $($generic: [instances::$generic::<Xor>, instances::$generic::<Add>],)*
                $($plain: instances::$plain,)*
            }
        };
    };
}
pub(super) use level;

/// Enables features in a function.
macro_rules! with_features {
    ([$($feature:literal),*] $($function:tt)*) => {
        $(#[target_feature(enable = $feature)])*
        $($function)*
    };
}
pub(super) use with_features;

/// Whether the processor has all of these features. With `std` the processor is asked; without it, the target decides.
macro_rules! has {
    ([$($feature:tt),*]) => {
        true $(&& {
            #[cfg(feature = "std")]
            let has = std::arch::is_x86_feature_detected!($feature);
            #[cfg(not(feature = "std"))]
            let has = cfg!(target_feature = $feature);
            has
        })*
    };
}
pub(super) use has;
