//! One shared state word and its four operations.

#[cfg(not(atomik_loom))]
mod words;

use core::fmt;
use core::marker::PhantomData;

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::algebra::{Add, Algebra, DisplayWord, Kind, Xor};
use crate::sync::{AtomicU64, Ordering, const_fn};

/// A state that any number of threads can change concurrently. It is one
/// [`AtomicU64`](core::sync::atomic::AtomicU64), 8 bytes, and each operation on it is one instruction:
///
/// | operation | atomic | x86-64 |
/// |---|---|---|
/// | [`load(v)`](Self::load) | store, Release | `mov` |
/// | [`accum(d)`](Self::accum) | `fetch_xor` or `fetch_add`, Release, result unused | `lock xor`, `lock add` |
/// | [`read()`](Self::read) | load, Acquire | `mov` |
/// | [`swap(v)`](Self::swap) | swap, AcqRel | `xchg` |
///
/// **Ordering.** A thread that reads a state sees everything that the writer of each delta in it did before.
/// `accum` continues the release sequence of the writes before it. `load` publishes only what its own thread did
/// before, and ends the release sequence that it overwrites. `swap` continues it. The operations are linearizable.
///
/// **Progress.** The operations are wait-free on x86-64, on AArch64 with LSE and on RISC-V with A. They are
/// lock-free where a read-modify-write is a loop (AArch64 without LSE, 32-bit x86), or where a 64-bit store is one
/// too (32-bit ARM).
///
/// Deltas compose by the algebra `A`: [`AtomikContext`] is the context on [`Xor`], and [`Counter`] is the one on
/// [`Add`]. Epochs belong to the observers of a context, and not to the context; see [`epoch`](Self::epoch). Where
/// many threads change one state all the time, [`FanIn`](crate::FanIn) is much faster.
///
/// ```
/// use atomik_core::{AtomikContext, Counter};
///
/// static HITS: Counter = Counter::new(0);
///
/// let context = AtomikContext::new(0xCAFE);
/// std::thread::scope(|scope| {
///     for delta in [0x00FF, 0xFF00, 0x00FF] {
///         let context = &context;
///         scope.spawn(move || {
///             context.accum(delta);
///             HITS.accum(1);
///         });
///     }
/// });
/// assert_eq!(context.read(), 0xCAFE ^ 0xFF00);
/// assert_eq!(HITS.read(), 3);
/// ```
#[repr(transparent)]
pub struct Context<A: Algebra> {
    state: AtomicU64,
    algebra: PhantomData<fn() -> A>,
}

/// A [`Context`] on [`Xor`], ATOMiK's own algebra.
pub type AtomikContext = Context<Xor>;

/// A [`Context`] on [`Add`], which is addition modulo 2⁶⁴.
pub type Counter = Context<Add>;

impl<A: Algebra> Context<A> {
    const_fn! {
        /// Creates a context in state `v`. It can be a `static`.
        #[must_use]
        pub const fn new(v: u64) -> Self {
            Self { state: AtomicU64::new(v), algebra: PhantomData }
        }
    }

    /// LOAD: the state becomes `v`, whatever it was. This is one store with Release ordering. It is wait-free
    /// except on 32-bit ARM.
    ///
    /// A concurrent delta takes effect either before the load, which overwrites it, or after the load, which it then
    /// changes. To learn which state was overwritten, use [`swap`](Self::swap).
    #[inline]
    #[doc(alias = "store")]
    pub fn load(&self, v: u64) {
        // Release: pairs with the Acquire in `read` and `swap`.
        self.state.store(v, Ordering::Release);
    }

    /// ACCUM: the state becomes state ∘ `delta`. This is one read-modify-write with Release ordering. It is
    /// wait-free where the target has an instruction for it (see [`Context`]).
    ///
    /// It returns nothing, because an XOR that returned the old state would be a compare-exchange loop on x86-64.
    #[inline]
    #[doc(alias = "fetch_xor")]
    #[doc(alias = "fetch_add")]
    pub fn accum(&self, delta: u64) {
        // Release: pairs with the Acquire in `read` and `swap`. No Acquire, since nothing comes back.
        match A::KIND {
            Kind::Xor => self.state.fetch_xor(delta, Ordering::Release),
            Kind::Add => self.state.fetch_add(delta, Ordering::Release),
        };
    }

    /// READ: the state. This is one load with Acquire ordering. It is wait-free.
    #[inline]
    #[must_use]
    #[doc(alias = "load")]
    pub fn read(&self) -> u64 {
        // Acquire: pairs with the Release in `load`, `accum`, `swap` and `accum_alone`.
        self.state.load(Ordering::Acquire)
    }

    /// SWAP(v): the state becomes `v`, and the old state is returned. No delta is lost in between. This is one
    /// read-modify-write with AcqRel ordering, and its progress is that of [`accum`](Self::accum).
    ///
    /// SWAP without a value, which starts a new epoch and does not change the state, is
    /// [`Epoch::swap`](crate::Epoch::swap).
    #[inline]
    #[must_use = "to set the state without the old one, use `load`"]
    pub fn swap(&self, v: u64) -> u64 {
        // Acquire: pairs with the Release of each delta in the old state. Release: pairs with the Acquire
        // in `read` and `swap`.
        self.state.swap(v, Ordering::AcqRel)
    }

    /// Takes a delta back by accumulating its inverse, which on [`Xor`] is the delta itself. Deltas that others have
    /// accumulated since stay. Progress and ordering are those of [`accum`](Self::accum).
    ///
    /// A [`load`](Self::load) since then has overwritten the delta. Taking it back nevertheless changes the state that
    /// was loaded.
    ///
    /// ```
    /// let counter = atomik_core::Counter::new(40);
    /// counter.accum(5);
    /// counter.accum(2);
    /// counter.rollback(5);
    /// assert_eq!(counter.read(), 42);
    /// ```
    #[inline]
    pub fn rollback(&self, delta: u64) {
        self.accum(A::invert(delta));
    }

    /// The state, without an atomic access. The exclusive borrow guarantees that no other thread uses the context.
    #[cfg(not(atomik_loom))]
    #[inline]
    pub fn get_mut(&mut self) -> &mut u64 {
        self.state.get_mut()
    }

    /// Consumes the context and returns its state, without an atomic access.
    #[inline]
    #[must_use]
    pub fn into_inner(self) -> u64 {
        self.state.into_inner()
    }

    /// ACCUM by the only writer of the context: a load and a store instead of a read-modify-write. A delta that
    /// another thread accumulated concurrently would be lost.
    #[inline]
    pub(crate) fn accum_alone(&self, delta: u64) {
        // Relaxed: the last write was made by this writer, or by one that handed the context over to it.
        let state = self.state.load(Ordering::Relaxed);
        self.load(A::compose(state, delta));
    }

    /// READ without ordering, for readers of many contexts. A reader that passes a state on must issue one
    /// `fence(Acquire)` after its reads.
    #[inline]
    pub(crate) fn read_relaxed(&self) -> u64 {
        // Relaxed: the caller's fence(Acquire) pairs with the Release of the writers. (`table::states::are_equal`
        // passes no state on and needs no fence.)
        self.state.load(Ordering::Relaxed)
    }
}

impl Counter {
    /// Adds a floating-point number to a state that is the bits of one. Lock-free, Release.
    pub(crate) fn accum_f64(&self, value: f64) {
        // Relaxed: the exchange below decides.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let sum = (f64::from_bits(state) + value).to_bits();
            // Release: pairs with the Acquire in `read`. On failure only the state matters: Relaxed.
            match self.state.compare_exchange_weak(state, sum, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(current) => state = current,
            }
        }
    }

    /// READ as a signed number, for a counter that also counts down: the state modulo 2⁶⁴, taken from
    /// −2⁶³ to 2⁶³ − 1. Progress and ordering are those of [`read`](Self::read).
    ///
    /// A count down is a delta of `1u64.wrapping_neg()`, or a [`rollback`](Self::rollback) of 1. All deltas to
    /// a counter take effect in one order, so a count that never falls below zero is never read below zero.
    /// (That is different for a [`FanIn`](crate::FanIn), whose reads are not of one instant.)
    ///
    /// ```
    /// use atomik_core::Counter;
    ///
    /// let balance = Counter::new(0);
    /// balance.accum(40);
    /// balance.rollback(42);
    /// assert_eq!(balance.read_signed(), -2);
    /// assert_eq!(balance.read(), u64::MAX - 1);
    /// ```
    #[inline]
    #[must_use]
    pub fn read_signed(&self) -> i64 {
        self.read().cast_signed()
    }
}

impl<A: Algebra> Default for Context<A> {
    fn default() -> Self {
        Self::new(A::IDENTITY)
    }
}

impl<A: Algebra> From<u64> for Context<A> {
    fn from(v: u64) -> Self {
        Self::new(v)
    }
}

impl<A: Algebra> fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&DisplayWord::<A>::new(self.read())).finish()
    }
}

/// One state that can be read and accumulated into through a shared reference: a [`Context`], a
/// [`FanIn`](crate::FanIn), a [`TableEntry`](crate::TableEntry), or a reference, an `Arc` or a `Box` of one.
///
/// This trait is sealed. It exists so that [`Epoch`](crate::Epoch) and [`Rollback`](crate::Rollback) work on each of
/// them.
pub trait Source: sealed::Sealed {
    /// How deltas compose.
    type Algebra: Algebra;

    /// READ: the present state.
    fn read(&self) -> u64;

    /// ACCUM: the state becomes state ∘ `delta`.
    fn accum(&self, delta: u64);
}

impl<A: Algebra> sealed::Sealed for Context<A> {}

impl<A: Algebra> Source for Context<A> {
    type Algebra = A;

    #[inline]
    fn read(&self) -> u64 {
        self.read()
    }

    #[inline]
    fn accum(&self, delta: u64) {
        self.accum(delta);
    }
}

pub(crate) mod sealed {
    /// The types that may be a source of states.
    pub trait Sealed {}
}

/// A pointer to a source of states is one too.
macro_rules! forward_source {
    ($($pointer:ty),*) => {$(
        impl<T: sealed::Sealed + ?Sized> sealed::Sealed for $pointer {}

        impl<T: Source + ?Sized> Source for $pointer {
            type Algebra = T::Algebra;

            #[inline]
            fn read(&self) -> u64 {
                (**self).read()
            }

            #[inline]
            fn accum(&self, delta: u64) {
                (**self).accum(delta);
            }
        }
    )*};
}
forward_source!(&T, Box<T>, Arc<T>);

#[cfg(test)]
mod tests;
