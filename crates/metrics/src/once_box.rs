//! A box that is allocated on first use.

use core::marker::PhantomData;
use core::{fmt, ptr};

use crate::sync::{AtomicPtr, Ordering};

/// A cell that is written once. Unlike [`std::sync::OnceLock`], it takes one word, and no thread ever waits for
/// another: if several threads make a value at the same time, the first one to install its value wins.
pub(crate) struct OnceBox<T> {
    value: AtomicPtr<T>,
    owns: PhantomData<T>,
}

impl<T> OnceBox<T> {
    /// The value, if there is one. Wait-free.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the Release in `get_or_init`, so that the value is seen initialised.
        let value = self.value.load(Ordering::Acquire);
        // SAFETY: the pointer is null or was installed by `get_or_init`; only `drop` frees the box.
        unsafe { value.as_ref() }
    }
}

impl<T: Send + Sync> OnceBox<T> {
    /// The value. It is made if there is none. Lock-free except for the allocator and `make`.
    #[inline]
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        match self.get() {
            Some(value) => value,
            None => self.init(make()),
        }
    }

    #[cold]
    fn init(&self, value: T) -> &T {
        let made = Box::into_raw(Box::new(value));
        // Release: pairs with the Acquire in `get`, which also serves the loser of a race: failure is Relaxed.
        let installed =
            self.value.compare_exchange(ptr::null_mut(), made, Ordering::Release, Ordering::Relaxed);
        if installed.is_err() {
            // SAFETY: the box was made above, and no other thread has seen it.
            drop(unsafe { Box::from_raw(made) });
        }
        self.get().expect("a value was just installed")
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
            // SAFETY: the box was installed by `get_or_init` and is freed only here.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceBox").field(&self.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Barrier};

    #[test]
    fn the_first_value_stays() {
        let cell = OnceBox::default();
        assert_eq!(cell.get(), None);
        // Making the outer value installs an inner one in the meantime.
        assert_eq!(cell.get_or_init(|| *cell.get_or_init(|| 1) + 1), &1);
        assert_eq!(cell.get_or_init(|| 2), &1);
    }

    #[test]
    fn values_that_lose_and_the_value_of_a_dropped_cell_are_dropped() {
        let value = Arc::new(());
        let cell = OnceBox::default();
        let barrier = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    cell.get_or_init(|| Arc::clone(&value));
                });
            }
        });
        assert_eq!(Arc::strong_count(&value), 2);
        drop(cell);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
