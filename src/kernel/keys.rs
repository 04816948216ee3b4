//! What `Fingerprint` multiplies by.

use alloc::boxed::Box;

/// Words in a block, each with a key of its own.
pub(super) const BLOCK: usize = 1024;

/// The keys of a block's words, aligned like the lines that the kernels load.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct BlockKeys(pub(super) [u64; BLOCK]);

/// All keys that one seed gives: key n is output n (from 0) of the generator [SplitMix64] started at the
/// seed. It can be computed at any n at once, since the generator's state is a counter.
///
/// | key | use |
/// |---|---|
/// | 0 to 1,023 | the words of a block |
/// | 1,024 | the length |
/// | 1,025 + 2b, 1,026 + 2b | the low and the high half of block b |
///
/// [SplitMix64]: https://doi.org/10.1145/2660193.2660195
#[derive(Clone)]
pub(crate) struct Keys {
    seed: u64,
    words: Words,
}

/// The keys of a block's words are looked up, not computed.
#[derive(Clone)]
enum Words {
    Fixed,
    Seeded(Box<BlockKeys>),
}

/// The seed of fingerprints whose values can be compared everywhere.
const FIXED_SEED: u64 = 0;

static FIXED: BlockKeys = {
    let mut keys = [0; BLOCK];
    let mut n = 0;
    while n < BLOCK {
        keys[n] = key(FIXED_SEED, n as u64);
        n += 1;
    }
    BlockKeys(keys)
};

impl Keys {
    pub(crate) const fn fixed() -> Self {
        Self { seed: FIXED_SEED, words: Words::Fixed }
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        let mut keys = Box::new(BlockKeys([0; BLOCK]));
        for (n, word) in (0..).zip(&mut keys.0) {
            *word = key(seed, n);
        }
        Self { seed, words: Words::Seeded(keys) }
    }

    /// The keys of the words of a block.
    pub(super) fn words(&self) -> &BlockKeys {
        match &self.words {
            Words::Fixed => &FIXED,
            Words::Seeded(keys) => keys,
        }
    }

    /// The key of the length.
    pub(super) fn len(&self) -> u64 {
        key(self.seed, BLOCK as u64)
    }

    /// The keys of the low and the high half of a block.
    pub(super) fn block(&self, block: usize) -> (u64, u64) {
        let n = BLOCK as u64 + 1 + 2 * block as u64;
        (key(self.seed, n), key(self.seed, n + 1))
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
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The reference implementation's first outputs for the seed 1234567.
        assert_eq!(key(1_234_567, 0), 6_457_827_717_110_365_317);
        assert_eq!(key(1_234_567, 1), 3_203_168_211_198_807_973);
        assert_eq!(key(1_234_567, 2), 9_817_491_932_198_370_423);
    }

    #[test]
    fn each_use_has_its_outputs_of_the_generator() {
        for (keys, seed) in [(Keys::fixed(), 0), (Keys::seeded(7), 7)] {
            assert!(keys.words().0.iter().copied().eq((0..1_024).map(|n| key(seed, n))));
            assert_eq!(keys.len(), key(seed, 1_024));
            assert_eq!(keys.block(0), (key(seed, 1_025), key(seed, 1_026)));
            assert_eq!(keys.block(3), (key(seed, 1_031), key(seed, 1_032)));
        }
    }
}
