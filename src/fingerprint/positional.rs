//! The fingerprint that sees where a word stands.

use core::fmt;

use super::keys::Keys;
use super::value::{value_of, value_of_word};
use super::{IndexOutOfRange, Tracked};
use crate::algebra::{DisplayWord, Xor};

/// A positional fingerprint of a buffer: has it changed since [`load`](Self::load)? Meant as a gate in
/// front of expensive work. It sees reordered words, repeated ones and the length, follows single changes
/// in O(1), and is **no MAC**: who knows the seed can make two buffers of one value.
///
/// **Construction.** The data are 64-bit little-endian words, the last one padded with zeros, in blocks of
/// 1,024. With ⊗ for the multiplication in GF(2)\[x\] (carry-less) and keys k, s, t, l from the seed
/// ([SplitMix64]):
///
/// - a block's 128 bits are p(b) = ⊕ⱼ word(j) ⊗ k(j);
/// - L = ⊕ of low(p(b)) ⊗ s(b) ⊕ high(p(b)) ⊗ t(b) over the blocks, reduced modulo x⁶⁴ + x⁴ + x³ + x + 1;
/// - the value is L ⊕ (the length in bytes ⊗ l, reduced).
///
/// L is linear over XOR: the L of a delta is the delta of the L's. So [`accum`](Self::accum) costs three
/// multiplications whatever the size of the data.
///
/// **Collision bound.** For independent uniform keys, and two buffers chosen without knowledge of them, the
/// values are equal with a probability of at most 2⁻⁶³: a block that differs gives equal p with at most 2⁻⁶⁴,
/// else the second level is a multilinear hash over GF(2⁶⁴), which adds 2⁻⁶⁴; buffers of different lengths
/// collide with 2⁻⁶⁴. SplitMix64 stretches 64 bits to all keys, so they are not independent: with a random seed
/// ([`with_seed`](Self::with_seed)) the bound is what to expect of data that nobody made against this
/// generator, and no promise. Who knows the generator can make two buffers of n words that collide for about n
/// of the 2⁶⁴ seeds; with [`new`](Self::new), whose seed is fixed, two that collide always. The scheme is
/// multilinear hashing ([Carter and Wegman]), with carry-less multiplication as in [CLHASH].
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
/// [SplitMix64]: https://doi.org/10.1145/2660193.2660195
/// [Carter and Wegman]: https://doi.org/10.1016/0022-0000(79)90044-8
/// [CLHASH]: https://arxiv.org/abs/1503.03465
#[derive(Clone)]
pub struct Fingerprint {
    keys: Keys,
    tracked: Tracked,
}

impl Fingerprint {
    /// A fingerprint of no data with the fixed seed 0: equal data give equal values everywhere.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: Keys::fixed(), tracked: Tracked { reference: 0, value: 0, len: 0 } }
    }

    /// A fingerprint of no data with a seed of one's own; for the collision bound, a random one. Computes
    /// 1,024 keys and keeps them, 8 KiB.
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
        Self { keys: Keys::seeded(seed), tracked: Tracked::default() }
    }

    /// Takes `data` as the reference and returns the value. O(n).
    pub fn load(&mut self, data: &[u8]) -> u64 {
        self.tracked.load(value_of(data, &self.keys), data.len())
    }

    /// Looks at `data` anew, against the same reference, and returns the value. O(n).
    pub fn update(&mut self, data: &[u8]) -> u64 {
        self.tracked.update(value_of(data, &self.keys), data.len())
    }

    /// Whether the value differs from the reference's: if so, the data changed; if not, they did not, but for
    /// a collision (see the [type](Self)).
    #[must_use]
    pub fn changed(&self) -> bool {
        self.tracked.changed()
    }

    /// The value of the data now: 0 for no data.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.tracked.value
    }

    /// Follows a change of one word without a look at the data: word `index` became word ^ `delta`. O(1).
    ///
    /// For words that changed by something else than XOR, such as those of a table on
    /// [`Add`](crate::Add), use [`replace`](Self::replace).
    ///
    /// ```
    /// use atomik_core::Fingerprint;
    ///
    /// let mut followed = Fingerprint::new();
    /// followed.load(&[0; 800]);
    /// followed.accum(3, 0xFF)?; // the word's lowest byte is the data's byte 24
    ///
    /// let mut data = [0; 800];
    /// data[24] = 0xFF;
    /// assert_eq!(followed.value(), Fingerprint::new().load(&data));
    /// # Ok::<(), atomik_core::IndexOutOfRange>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`IndexOutOfRange`] past the last word; the value stays. In a partial last word, bits beyond the
    /// data are taken as given.
    pub fn accum(&mut self, index: usize, delta: u64) -> Result<(), IndexOutOfRange> {
        self.tracked.check(index)?;
        self.tracked.value ^= value_of_word(index, delta, &self.keys);
        Ok(())
    }

    /// Follows a change of one word without a look at the data: word `index` was `old` and is `new`. O(1).
    ///
    /// # Errors
    ///
    /// As [`accum`](Self::accum).
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
            .field("value", &DisplayWord::<Xor>::new(self.tracked.value))
            .field("changed", &self.changed())
            .finish()
    }
}
