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

/// The kernels in use.
static CHOSEN: Choice = Choice::none();

/// Null until the first choice, then one of `LEVELS` or `PORTABLE`.
///
/// Every access is Relaxed and pairs with nothing: what the pointer leads to was there before the program started.
struct Choice(AtomicPtr<Kernels>);

impl Choice {
    const fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    fn get(&self) -> Option<&'static Kernels> {
        // Relaxed: as for the type.
        let chosen = self.0.load(Ordering::Relaxed);
        // SAFETY: only null and pointers to statics are ever stored, by the methods below.
        unsafe { chosen.as_ref() }
    }

    /// Makes the choice, whatever it was before.
    fn set(&self, kernels: &'static Kernels) {
        // Relaxed: as for the type.
        self.0.store(ptr::from_ref(kernels).cast_mut(), Ordering::Relaxed);
    }

    /// Makes the choice if there is none yet, and returns the choice that holds.
    fn get_or_set(&self, kernels: &'static Kernels) -> &'static Kernels {
        let new = ptr::from_ref(kernels).cast_mut();
        // Relaxed: as for the type. An exchange, because `set` may have been called since `get` found no choice, and a
        // cap must not be lost.
        match self.0.compare_exchange(ptr::null_mut(), new, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => kernels,
            // SAFETY: as in `get`; the exchange fails only where the pointer is not null.
            Err(chosen) => unsafe { &*chosen },
        }
    }
}

/// All kernels that this processor can run, the best first.
#[cfg(test)]
pub(super) fn available() -> impl Iterator<Item = &'static Kernels> {
    LEVELS.into_iter().chain([PORTABLE]).filter(|kernels| (kernels.is_available)())
}

/// The kernels in use.
#[inline]
pub(super) fn kernels() -> &'static Kernels {
    CHOSEN.get().unwrap_or_else(choose_first)
}

/// Chooses the best kernels, unless another thread chooses some meanwhile.
#[cold]
fn choose_first() -> &'static Kernels {
    CHOSEN.get_or_set(best(Level::HIGHEST))
}

/// Chooses the best kernels of at most the level `highest`, whatever was chosen before.
#[cold]
pub(super) fn choose(highest: Level) -> &'static Kernels {
    let kernels = best(highest);
    CHOSEN.set(kernels);
    kernels
}

/// The best kernels that the processor can run, of at most the level `highest` and at most the level in the
/// environment.
fn best(highest: Level) -> &'static Kernels {
    #[cfg(feature = "std")]
    let highest = match environment() {
        Ok(Some(cap)) => highest.min(*cap),
        Ok(None) | Err(_) => highest,
    };
    let is_usable = |kernels: &&Kernels| kernels.level <= highest && (kernels.is_available)();
    LEVELS.into_iter().find(is_usable).unwrap_or(PORTABLE)
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

#[cfg(test)]
mod tests;
