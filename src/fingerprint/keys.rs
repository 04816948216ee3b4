//! The keys of `Fingerprint`.

use alloc::boxed::Box;

use crate::kernel::LANES;

/// The words of a block, each of which has a key of its own.
pub(super) const BLOCK_WORDS: usize = 1024;

/// The keys of the words of a block, aligned to the vectors in which the kernels load them.
#[derive(Clone)]
#[repr(align(64))]
struct WordKeys([[u64; LANES]; BLOCK_WORDS / LANES]);

/// All keys of one seed. Key n is output n, counted from 0, of the generator [SplitMix64] with that seed. The state of
/// the generator is a counter, so any output can be computed by itself.
///
/// | key | for |
/// |---|---|
/// | 0 to 1,023 | the words of a block |
/// | 1,024 | the length |
/// | 1,025 + 2b, 1,026 + 2b | the low and the high half of the sum of block b |
///
/// [SplitMix64]: https://doi.org/10.1145/2660193.2660195
#[derive(Clone)]
pub(super) struct Keys {
    seed: u64,
    words: Stored,
}

/// The keys of words are stored, since computing them would take longer than using them.
#[derive(Clone)]
enum Stored {
    Fixed,
    Seeded(Box<WordKeys>),
}

/// The seed of the fingerprints whose values can be compared everywhere.
const FIXED_SEED: u64 = 0;

static FIXED: WordKeys = WordKeys::new(FIXED_SEED);

impl WordKeys {
    const fn new(seed: u64) -> Self {
        let mut keys = [[0; LANES]; BLOCK_WORDS / LANES];
        let mut n = 0;
        while n < BLOCK_WORDS {
            keys[n / LANES][n % LANES] = key(seed, n as u64);
            n += 1;
        }
        Self(keys)
    }
}

impl Keys {
    pub(super) const fn fixed() -> Self {
        Self { seed: FIXED_SEED, words: Stored::Fixed }
    }

    pub(super) fn seeded(seed: u64) -> Self {
        Self { seed, words: Stored::Seeded(Box::new(WordKeys::new(seed))) }
    }

    /// The keys of the words of a block.
    pub(super) fn words(&self) -> &[[u64; LANES]] {
        match &self.words {
            Stored::Fixed => &FIXED.0,
            Stored::Seeded(keys) => &keys.0,
        }
    }

    /// The key of the length.
    pub(super) fn len(&self) -> u64 {
        key(self.seed, BLOCK_WORDS as u64)
    }

    /// The keys of the low and the high half of a block's sum.
    pub(super) fn block(&self, block: u64) -> [u64; 2] {
        let n = BLOCK_WORDS as u64 + 1 + 2 * block;
        [key(self.seed, n), key(self.seed, n + 1)]
    }
}

/// Output `n` of SplitMix64 started at `seed`.
const fn key(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
