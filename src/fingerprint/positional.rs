//! The fingerprint that depends on the positions of words.

use core::fmt;

use super::keys::Keys;
use super::stream::Stream;
use super::value::{value_of, value_of_word};
use super::{IndexOutOfRange, Tracked};
use crate::algebra::{DisplayWord, Xor};

/// A positional fingerprint of some data: have they changed since [`load`](Self::load)?
///
/// It is meant as a gate in front of expensive work. The value depends on the order, the repetition and the number of the
/// words, and it can follow a change of one word in O(1). It is **not a MAC**: anyone who knows the seed can construct
/// collisions.
///
/// ```
/// use atomik_core::Fingerprint;
///
/// let mut data = *b"an expensive model's input";
/// let mut fingerprint = Fingerprint::new();
/// fingerprint.load(&data);
///
/// data[3] = b'E';
/// fingerprint.update(&data);
/// assert!(fingerprint.changed()); // so do the work again
/// ```
///
/// **Streams.** Data that come in pieces are passed to [`write`](Self::write). [`finish`](Self::finish) then does what
/// [`update`](Self::update) does with all of them at once. The value does not depend on how the data are divided, and
/// no more than 64 bytes of them are kept. With the feature `std`, a fingerprint is also an
/// [`io::Write`](std::io::Write), so that [`io::copy`](std::io::copy) from a file or a socket works.
///
/// ```
/// use atomik_core::Fingerprint;
///
/// let mut fingerprint = Fingerprint::new();
/// fingerprint.load(b"one piece of data");
///
/// for piece in ["one ", "piece ", "of data"] {
///     fingerprint.write(piece.as_bytes());
/// }
/// fingerprint.finish();
/// assert!(!fingerprint.changed());
/// ```
///
/// **Construction.** The data are a sequence of 64-bit little-endian words, the last one padded with zeros, in blocks of
/// 1,024. With ⊗ for the multiplication in GF(2)\[x\] (carry-less) and keys k, s, t, l from the seed
/// ([SplitMix64]):
///
/// - the sum of a block, of 128 bits, is p(b) = ⊕ⱼ word(j) ⊗ k(j);
/// - L = ⊕ of low(p(b)) ⊗ s(b) ⊕ high(p(b)) ⊗ t(b) over the blocks, reduced modulo x⁶⁴ + x⁴ + x³ + x + 1;
/// - the value is L ⊕ (the length in bytes ⊗ l, reduced).
///
/// L is linear over XOR: the L of a delta is the delta of the L's. So [`accum`](Self::accum) costs three
/// multiplications, however long the data are.
///
/// **Collision bound.** For independent uniform keys, and two inputs that are chosen without knowledge of them, the
/// values are equal with a probability of at most 2⁻⁶³. A block that differs has the same p with a probability of at most
/// 2⁻⁶⁴; if it differs, the second level is a multilinear hash over GF(2⁶⁴), which adds 2⁻⁶⁴; inputs of different
/// lengths collide with 2⁻⁶⁴. SplitMix64 derives all keys from 64 bits, so they are not independent. With a random seed
/// ([`with_seed`](Self::with_seed)) the bound is what to expect of data that were not constructed against this
/// generator, but it is not guaranteed. Given the generator, one can construct two inputs of n words that collide for
/// about n of the 2⁶⁴ seeds. For [`new`](Self::new), whose seed is fixed, one can construct two inputs that always
/// collide. The scheme is multilinear hashing ([Carter and Wegman]), with carry-less multiplication as in [CLHASH].
///
/// [SplitMix64]: https://doi.org/10.1145/2660193.2660195
/// [Carter and Wegman]: https://doi.org/10.1016/0022-0000(79)90044-8
/// [CLHASH]: https://arxiv.org/abs/1503.03465
#[derive(Clone)]
pub struct Fingerprint {
    keys: Keys,
    tracked: Tracked,
    stream: Stream,
}

impl Fingerprint {
    /// A fingerprint of no data with the seed 0. Equal data have equal values everywhere.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: Keys::fixed(), tracked: Tracked::new(), stream: Stream::new() }
    }

    /// A fingerprint of no data with a given seed. The collision bound needs a random one.
    ///
    /// Computes 1,024 keys and stores them, 8 KiB.
    ///
    /// ```
    /// use std::hash::{BuildHasher, RandomState};
    /// use atomik_core::Fingerprint;
    ///
    /// let mut fingerprint = Fingerprint::with_seed(RandomState::new().hash_one(0));
    /// fingerprint.load(b"data");
    /// assert!(!fingerprint.changed());
    /// ```
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self { keys: Keys::seeded(seed), tracked: Tracked::new(), stream: Stream::new() }
    }

    /// Makes `data` the reference and the current data, and returns the value. Takes O(n).
    pub fn load(&mut self, data: &[u8]) -> u64 {
        self.tracked.load(value_of(data, &self.keys), data.len() as u64)
    }

    /// Makes `data` the current data, which are compared with the same reference as before, and returns the value. Takes
    /// O(n).
    pub fn update(&mut self, data: &[u8]) -> u64 {
        self.tracked.update(value_of(data, &self.keys), data.len() as u64)
    }

    /// Appends a piece of data to the stream. Takes O(n).
    ///
    /// The current data, the reference and all other calls are not affected before [`finish`](Self::finish).
    pub fn write(&mut self, piece: &[u8]) {
        self.stream.write(piece, &self.keys);
    }

    /// Ends the stream: makes the data that were written since the last `finish` the current data, as
    /// [`update`](Self::update) does, and returns their value. Takes O(1).
    ///
    /// To compare later data with them, call [`set_reference`](Self::set_reference).
    pub fn finish(&mut self) -> u64 {
        let stream = core::mem::replace(&mut self.stream, Stream::new());
        self.tracked.update(stream.value(&self.keys), stream.len())
    }

    /// Whether the values of the current data and of the reference differ. If they do, the data changed. If they don't,
    /// the data are the same, unless there is a collision (see the [type](Self)).
    #[must_use]
    pub fn changed(&self) -> bool {
        self.tracked.changed()
    }

    /// The value of the current data, which is 0 for no data.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.tracked.current.value
    }

    /// Makes the current data the reference, so that nothing has changed. Takes O(1).
    ///
    /// ```
    /// let mut fingerprint = atomik_core::Fingerprint::new();
    /// fingerprint.write(b"first version");
    /// fingerprint.finish();
    /// fingerprint.set_reference();
    ///
    /// fingerprint.update(b"second version");
    /// assert!(fingerprint.changed());
    /// ```
    pub fn set_reference(&mut self) {
        self.tracked.reference = self.tracked.current;
    }

    /// Makes the reference the current data again, and discards an unfinished stream. Takes O(1).
    ///
    /// ```
    /// let mut fingerprint = atomik_core::Fingerprint::new();
    /// let value = fingerprint.load(b"data");
    /// fingerprint.update(b"changed");
    /// fingerprint.reset();
    /// assert!(!fingerprint.changed());
    /// assert_eq!(fingerprint.value(), value);
    /// ```
    pub fn reset(&mut self) {
        self.tracked.current = self.tracked.reference;
        self.stream = Stream::new();
    }

    /// Follows a change of one word without reading the data: the word at `index` became word ^ `delta`. Takes O(1).
    ///
    /// For words that were not changed by XOR, such as those of a table on [`Add`](crate::Add), use
    /// [`replace`](Self::replace).
    ///
    /// ```
    /// use atomik_core::Fingerprint;
    ///
    /// let mut followed = Fingerprint::new();
    /// followed.load(&[0; 800]);
    /// followed.accum(3, 0xFF)?; // the lowest byte of the word is byte 24 of the data
    ///
    /// let mut data = [0; 800];
    /// data[24] = 0xFF;
    /// assert_eq!(followed.value(), Fingerprint::new().load(&data));
    /// # Ok::<(), atomik_core::IndexOutOfRange>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`IndexOutOfRange`] if the current data have no such word. The value is unchanged then. If the last word is a
    /// partial one, its missing bytes are taken as they are in `delta`.
    pub fn accum(&mut self, index: usize, delta: u64) -> Result<(), IndexOutOfRange> {
        self.tracked.check(index)?;
        self.tracked.current.value ^= value_of_word(index, delta, &self.keys);
        Ok(())
    }

    /// Follows a change of one word without reading the data: the word at `index` was `old` and is `new`. Takes O(1).
    ///
    /// # Errors
    ///
    /// Those of [`accum`](Self::accum).
    pub fn replace(&mut self, index: usize, old: u64, new: u64) -> Result<(), IndexOutOfRange> {
        self.accum(index, old ^ new)
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint")
            .field("value", &DisplayWord::<Xor>::new(self.value()))
            .field("changed", &self.changed())
            .finish()
    }
}

super::io_write!(Fingerprint);
