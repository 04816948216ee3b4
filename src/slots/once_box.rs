//! A box made on first use.

use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ptr;

use crate::sync::{AtomicPtr, Ordering};

/// A cell that is empty until it gets its one value, which then stays. Where several threads make one at
/// once, the first to install it wins and the others drop theirs: nobody waits.
pub(crate) struct OnceBox<T> {
    value: AtomicPtr<T>,
    owns: PhantomData<T>,
}

impl<T> OnceBox<T> {
    /// The value, if there is one. Wait-free.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the Release in `get_or_init`.
        let value = self.value.load(Ordering::Acquire);
        // SAFETY: null, or a box leaked by `get_or_init` that is freed only by `drop`.
        unsafe { value.as_ref() }
    }
}

impl<T: Send + Sync> OnceBox<T> {
    /// The value, which is made if there is none. Lock-free but for `make`.
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let made = Box::into_raw(Box::new(make()));
        // Release: pairs with the Acquire in `get`. A loser goes on to that Acquire: Relaxed.
        let installed =
            self.value.compare_exchange(ptr::null_mut(), made, Ordering::Release, Ordering::Relaxed);
        if installed.is_err() {
            // SAFETY: made above, and nobody else has seen it.
            drop(unsafe { Box::from_raw(made) });
        }
        self.get().expect("the value was just installed")
    }
}

impl<T> Default for OnceBox<T> {
    fn default() -> Self {
        Self { value: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }
}

impl<T> Drop for OnceBox<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` means that all other accesses happened before.
        let value = self.value.load(Ordering::Relaxed);
        if !value.is_null() {
            // SAFETY: leaked by `get_or_init`, and freed only here.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_stays() {
        let cell = OnceBox::default();
        assert_eq!(cell.get(), None);
        assert_eq!(cell.get_or_init(|| 1), &1);
        assert_eq!(cell.get_or_init(|| 2), &1);
        assert_eq!(cell.get(), Some(&1));
    }

    #[test]
    fn one_of_two_values_made_at_once_wins() {
        let cell = OnceBox::default();
        // Making the outer value installs an inner one meanwhile.
        let value = cell.get_or_init(|| *cell.get_or_init(|| 1) + 1);
        assert_eq!(value, &1);
    }

    #[test]
    fn a_dropped_cell_drops_its_value() {
        let value = alloc::sync::Arc::new(());
        let cell = OnceBox::default();
        cell.get_or_init(|| value.clone());
        assert_eq!(alloc::sync::Arc::strong_count(&value), 2);
        drop(cell);
        assert_eq!(alloc::sync::Arc::strong_count(&value), 1);
    }
}
