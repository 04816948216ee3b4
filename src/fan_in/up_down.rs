//! A gauge that goes up and down.

use alloc::sync::Arc;
use core::fmt;

use super::{FanIn, Producer};
use crate::algebra::Add;
use crate::sync::const_fn;

/// A gauge that many threads move up and down, such as the number of connections in flight. It never reads below zero if
/// it starts at zero or above, stays below 2⁶³, and each down follows its own up.
///
/// A [`FanIn<Add>`](FanIn) into which ups and downs are accumulated alike reads below zero now and then: of an up and a
/// down that are made during a read, the read may include the down and miss the up. This type keeps the ups in one fan-in
/// and the downs in another, and reads the downs first. If a read includes a down, then the up before it has happened
/// before the second fan-in is read, so it is included too.
///
/// A read may be too high, by the ups made while it goes on whose downs it misses. Where a gauge has to be read at one
/// instant, use a [`Counter`](crate::Counter) and [`read_signed`](crate::Counter::read_signed).
///
/// "Follows" means that the up happens before the down: on the same thread, or handed over to another one by a channel, a
/// lock or an atomic. A writer costs and takes what two writers of a [`FanIn`] do.
///
/// ```
/// use atomik_core::UpDown;
///
/// static CONNECTIONS: UpDown = UpDown::new(0);
///
/// struct Connection;
///
/// impl Connection {
///     fn open() -> Self {
///         CONNECTIONS.up(1);
///         Self
///     }
/// }
///
/// impl Drop for Connection {
///     fn drop(&mut self) {
///         CONNECTIONS.down(1);
///     }
/// }
///
/// let (first, _second) = (Connection::open(), Connection::open());
/// std::thread::spawn(|| drop(first)).join().unwrap();
/// assert_eq!(CONNECTIONS.read(), 1);
/// ```
pub struct UpDown {
    ups: FanIn<Add>,
    downs: FanIn<Add>,
}

impl UpDown {
    const_fn! {
        /// Creates a gauge that starts at `start`. It allocates nothing, and may be a `static`.
        #[must_use]
        pub const fn new(start: i64) -> Self {
            Self { ups: FanIn::new(start.cast_unsigned()), downs: FanIn::new(0) }
        }
    }

    /// Moves the gauge up by `n`, as [`FanIn::accum`] accumulates.
    #[inline]
    pub fn up(&self, n: u64) {
        self.ups.accum(n);
    }

    /// Moves the gauge down by `n`, as [`FanIn::accum`] accumulates.
    #[inline]
    pub fn down(&self, n: u64) {
        self.downs.accum(n);
    }

    /// READ: the start and all ups, less all downs, modulo 2⁶⁴ and taken from −2⁶³ to 2⁶³ − 1. Wait-free, and
    /// Acquire: loads each slot of the downs and then each slot of the ups.
    #[inline]
    #[must_use]
    pub fn read(&self) -> i64 {
        let downs = self.downs.read();
        // Not before the downs: see the type. The Acquire in `FanIn::read` keeps the order.
        self.ups.read().wrapping_sub(downs).cast_signed()
    }

    /// A writer with two slots of its own, for as long as the gauge is borrowed, as [`FanIn::producer`].
    ///
    /// # Panics
    ///
    /// As [`FanIn::producer`].
    #[inline]
    #[must_use]
    pub fn producer(&self) -> UpDownProducer<'_> {
        UpDownProducer { ups: self.ups.producer(), downs: self.downs.producer(), _gauge: None }
    }

    /// Does what [`producer`](Self::producer) does, for `'static`: the producer keeps the gauge alive, as that of
    /// [`FanIn::producer_owned`] keeps its fan-in.
    ///
    /// # Panics
    ///
    /// As [`FanIn::producer`].
    #[must_use]
    pub fn producer_owned(self: &Arc<Self>) -> UpDownProducer<'static> {
        // SAFETY: the producer's field `_gauge` keeps the gauge alive, where it is. It is dropped after the fields that
        // borrow from the gauge, and no method gives these out.
        let gauge: &'static Self = unsafe { &*Arc::as_ptr(self) };
        UpDownProducer { _gauge: Some(Arc::clone(self)), ..gauge.producer() }
    }

    /// The start and the total of all ups, modulo 2⁶⁴.
    #[must_use]
    pub fn ups(&self) -> &FanIn<Add> {
        &self.ups
    }

    /// The total of all downs.
    #[must_use]
    pub fn downs(&self) -> &FanIn<Add> {
        &self.downs
    }
}

impl Default for UpDown {
    fn default() -> Self {
        Self::new(0)
    }
}

impl fmt::Debug for UpDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UpDown").field(&self.read()).finish()
    }
}

/// A writer of an [`UpDown`] with slots of its own.
///
/// Made by [`UpDown::producer`] for as long as a borrow lasts, or by [`UpDown::producer_owned`] for `'static`.
#[derive(Debug)]
pub struct UpDownProducer<'a> {
    ups: Producer<'a, Add>,
    downs: Producer<'a, Add>,
    /// The gauge, if this keeps it alive. Last, because fields are dropped in their order.
    _gauge: Option<Arc<UpDown>>,
}

impl UpDownProducer<'_> {
    /// Moves the gauge up by `n`, as [`Producer::accum`] accumulates.
    #[inline]
    pub fn up(&mut self, n: u64) {
        self.ups.accum(n);
    }

    /// Moves the gauge down by `n`, as [`Producer::accum`] accumulates.
    #[inline]
    pub fn down(&mut self, n: u64) {
        self.downs.accum(n);
    }
}

#[cfg(test)]
mod tests;
