//! The choice of the level on which the kernels run.
//!
//! The atomic here is `core`'s own and not one of `sync`. It caches a choice among functions with equal results, so
//! there is nothing for a model checker to find.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
#[cfg(feature = "std")]
use std::sync::OnceLock;

use super::kernels::Kernels;
use super::level::Level;
#[cfg(feature = "std")]
use super::level::ParseLevelError;
use super::portable;

/// The levels of the architecture, the best first.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use super::x86_64::LEVELS;
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
static LEVELS: [&Kernels; 0] = [];

/// The level that runs everywhere.
static PORTABLE: &Kernels = &portable::KERNELS;

/// The kernels in use: null, or one of `LEVELS`, or `PORTABLE`.
static CHOSEN: AtomicPtr<Kernels> = AtomicPtr::new(ptr::null_mut());

/// All kernels that this processor can run, the best first.
#[cfg(test)]
pub(super) fn available() -> impl Iterator<Item = &'static Kernels> {
    LEVELS.into_iter().chain([PORTABLE]).filter(|kernels| (kernels.is_available)())
}

/// The kernels in use.
#[inline]
pub(super) fn kernels() -> &'static Kernels {
    // Relaxed: what the pointer leads to was there before the program started.
    let chosen = CHOSEN.load(Ordering::Relaxed);
    // SAFETY: only null and pointers to statics are ever stored.
    unsafe { chosen.as_ref() }.unwrap_or_else(|| choose(Level::Avx512))
}

/// Chooses the best kernels that the processor can run, of at most the level `highest` and at most the level in the
/// environment.
#[cold]
pub(super) fn choose(highest: Level) -> &'static Kernels {
    #[cfg(feature = "std")]
    let highest = match environment() {
        Ok(Some(cap)) => highest.min(*cap),
        Ok(None) | Err(_) => highest,
    };
    let is_usable = |kernels: &&Kernels| kernels.level <= highest && (kernels.is_available)();
    let kernels = LEVELS.into_iter().find(is_usable).unwrap_or(PORTABLE);
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
