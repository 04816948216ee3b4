//! Which level of instructions the kernels run on.
//!
//! The atomic here is `core`'s own, not the one of `sync`: a cached choice among functions with equal
//! results is nothing for a model checker.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
#[cfg(feature = "std")]
use std::sync::OnceLock;

use super::keys::Keys;
use super::level::Level;
#[cfg(feature = "std")]
use super::level::ParseLevelError;
use crate::algebra::Algebra;
use crate::delta::Changes;

/// A level's kernels. [`available`] and [`kernels`] hand out only those that this processor can run.
#[allow(clippy::type_complexity, reason = "the types are the kernels' signatures")]
pub(super) struct Kernels {
    pub(super) level: Level,
    /// Its level and what else tells it apart, for tests' messages.
    #[cfg_attr(not(test), expect(dead_code))]
    pub(super) name: &'static str,
    /// Asks the processor.
    pub(super) runs_here: fn() -> bool,
    // Each pair is in the order of `Kind`.
    pub(super) fold: [unsafe fn(&[u64]) -> u64; 2],
    pub(super) accum: [unsafe fn(&mut [u64], &[u64]); 2],
    pub(super) equal: unsafe fn(&[u64], &[u64]) -> bool,
    pub(super) first_difference: unsafe fn(&[u64], &[u64]) -> Option<usize>,
    pub(super) diff: [unsafe fn(u32, &[u64], &[u64], bool, &mut Changes); 2],
    pub(super) fingerprint: unsafe fn(&[u8], &Keys) -> u64,
    pub(super) carryless_product: unsafe fn(u64, u64) -> u128,
}

// SAFETY, for the calls in this block: the kernels' one condition is that the processor has the level's
// instructions, and `runs_here` was asked before `self` was handed out.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Kernels {
    #[inline]
    pub(super) fn fold<A: Algebra>(&self, words: &[u64]) -> u64 {
        unsafe { self.fold[A::KIND as usize](words) }
    }

    #[inline]
    pub(super) fn accum<A: Algebra>(&self, words: &mut [u64], deltas: &[u64]) {
        unsafe { self.accum[A::KIND as usize](words, deltas) }
    }

    #[inline]
    pub(super) fn equal(&self, a: &[u64], b: &[u64]) -> bool {
        unsafe { (self.equal)(a, b) }
    }

    #[inline]
    pub(super) fn first_difference(&self, a: &[u64], b: &[u64]) -> Option<usize> {
        unsafe { (self.first_difference)(a, b) }
    }

    #[inline]
    pub(super) fn diff<A: Algebra>(
        &self,
        base: u32,
        reference: &[u64],
        state: &[u64],
        prefetches: bool,
        changes: &mut Changes,
    ) {
        unsafe { self.diff[A::KIND as usize](base, reference, state, prefetches, changes) }
    }

    #[inline]
    pub(super) fn fingerprint(&self, data: &[u8], keys: &Keys) -> u64 {
        unsafe { (self.fingerprint)(data, keys) }
    }

    #[inline]
    pub(super) fn carryless_product(&self, a: u64, b: u64) -> u128 {
        unsafe { (self.carryless_product)(a, b) }
    }
}

/// All levels that were compiled, the best first. The last runs everywhere.
static LEVELS: &[&Kernels] = &[
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    &super::x86_64::avx512::KERNELS,
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    &super::x86_64::avx512::narrow::KERNELS,
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    &super::x86_64::avx2::KERNELS,
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    &super::x86_64::avx2::narrow::KERNELS,
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    &super::x86_64::sse2::KERNELS,
    &super::portable::KERNELS,
];

/// The kernels in use: null, or one of `LEVELS`.
static CHOSEN: AtomicPtr<Kernels> = AtomicPtr::new(ptr::null_mut());

/// All kernels that this processor can run, the best first.
#[cfg(test)]
pub(super) fn available() -> impl Iterator<Item = &'static Kernels> {
    LEVELS.iter().copied().filter(|kernels| (kernels.runs_here)())
}

/// The kernels in use.
#[inline]
pub(super) fn kernels() -> &'static Kernels {
    // Relaxed: what the pointer leads to was there before the program started.
    let chosen = CHOSEN.load(Ordering::Relaxed);
    // SAFETY: only null and pointers to statics are ever stored.
    unsafe { chosen.as_ref() }.unwrap_or_else(|| choose(Level::Avx512))
}

/// Takes the best kernels that the processor can run, of at most `highest` and of at most the level in the
/// environment.
#[cold]
pub(super) fn choose(highest: Level) -> &'static Kernels {
    #[cfg(feature = "std")]
    let highest = match environment() {
        Ok(Some(cap)) => highest.min(*cap),
        Ok(None) | Err(_) => highest,
    };
    let runs = |kernels: &&&Kernels| kernels.level <= highest && (kernels.runs_here)();
    let kernels = LEVELS.iter().find(runs).copied().unwrap_or(&super::portable::KERNELS);
    // Relaxed: as in `kernels`.
    CHOSEN.store(ptr::from_ref(kernels).cast_mut(), Ordering::Relaxed);
    kernels
}

/// The level that the variable `ATOMIK_LEVEL` named when this was first called.
#[cfg(feature = "std")]
pub(super) fn environment() -> &'static Result<Option<Level>, ParseLevelError> {
    static ENVIRONMENT: OnceLock<Result<Option<Level>, ParseLevelError>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| match std::env::var_os("ATOMIK_LEVEL") {
        Some(name) if !name.is_empty() => name.to_string_lossy().parse().map(Some),
        _ => Ok(None),
    })
}

/// Whether the processor has a feature: asked at run time, or without `std` decided by the compiler's
/// target features.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
macro_rules! has {
    ($feature:tt) => {{
        #[cfg(feature = "std")]
        {
            std::arch::is_x86_feature_detected!($feature)
        }
        #[cfg(not(feature = "std"))]
        {
            cfg!(target_feature = $feature)
        }
    }};
}
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
pub(super) use has;

/// Instantiates every kernel for one set of features, and the table of them.
macro_rules! level {
    (
        name: $level:ident / $name:literal,
        line: $line:ty,
        block: $block:path,
        product: $product:path,
        features: [$($feature:tt),*],
    ) => {
        /// The functions in which the level's features are on; the algorithms are inlined into them.
        ///
        /// # Safety
        ///
        /// The contract of [`line`](crate::kernel::line), for each.
        mod instances {
            use crate::algebra::Algebra;
            use crate::delta::Changes;
            use crate::kernel::keys::Keys;
            use crate::kernel::{carryless, compare, dense};

            $(#[target_feature(enable = $feature)])*
            pub(super) unsafe fn fold<A: Algebra>(words: &[u64]) -> u64 {
                // SAFETY: the contract is the caller's.
                unsafe { dense::fold::<$line, A>(words) }
            }

            $(#[target_feature(enable = $feature)])*
            pub(super) unsafe fn accum<A: Algebra>(words: &mut [u64], deltas: &[u64]) {
                // SAFETY: the contract is the caller's.
                unsafe { dense::accum::<$line, A>(words, deltas) }
            }

            $(#[target_feature(enable = $feature)])*
            pub(super) unsafe fn equal(a: &[u64], b: &[u64]) -> bool {
                // SAFETY: the contract is the caller's.
                unsafe { compare::equal::<$line>(a, b) }
            }

            $(#[target_feature(enable = $feature)])*
            pub(super) unsafe fn first_difference(a: &[u64], b: &[u64]) -> Option<usize> {
                // SAFETY: the contract is the caller's.
                unsafe { compare::first_difference::<$line>(a, b) }
            }

            $(#[target_feature(enable = $feature)])*
            pub(super) unsafe fn diff<A: Algebra>(
                base: u32,
                reference: &[u64],
                state: &[u64],
                prefetches: bool,
                changes: &mut Changes,
            ) {
                // SAFETY: the contract is the caller's.
                unsafe { compare::diff::<$line, A>(base, reference, state, prefetches, changes) }
            }

            $(#[target_feature(enable = $feature)])*
            pub(super) unsafe fn fingerprint(data: &[u8], keys: &Keys) -> u64 {
                // SAFETY: the contract is the caller's. Closures, since unsafe functions are no `Fn`; written here
                // they have the level's features.
                unsafe {
                    carryless::fingerprint(
                        data,
                        keys,
                        |data, keys| $block(data, keys),
                        |a, b| $product(a, b),
                    )
                }
            }
        }

        /// The level's kernels.
        pub(in crate::kernel) static KERNELS: crate::kernel::dispatch::Kernels = {
            use crate::algebra::{Add, Xor};
            crate::kernel::dispatch::Kernels {
                level: crate::kernel::level::Level::$level,
                name: $name,
                runs_here: || true $(&& crate::kernel::dispatch::has!($feature))*,
                fold: [instances::fold::<Xor>, instances::fold::<Add>],
                accum: [instances::accum::<Xor>, instances::accum::<Add>],
                equal: instances::equal,
                first_difference: instances::first_difference,
                diff: [instances::diff::<Xor>, instances::diff::<Add>],
                fingerprint: instances::fingerprint,
                carryless_product: $product,
            }
        };
    };
}
pub(super) use level;
