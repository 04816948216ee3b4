use super::*;

#[test]
fn the_generator_is_splitmix64() {
    // The reference implementation's first outputs for the seed 1234567.
    assert_eq!(key(1_234_567, 0), 6_457_827_717_110_365_317);
    assert_eq!(key(1_234_567, 1), 3_203_168_211_198_807_973);
    assert_eq!(key(1_234_567, 2), 9_817_491_932_198_370_423);
}

#[test]
fn each_use_has_outputs_of_its_own() {
    for (keys, seed) in [(Keys::fixed(), 0), (Keys::seeded(7), 7)] {
        assert!(keys.words().as_flattened().iter().copied().eq((0..1_024).map(|n| key(seed, n))));
        assert_eq!(keys.len(), key(seed, 1_024));
        assert_eq!(keys.block(0), [key(seed, 1_025), key(seed, 1_026)]);
        assert_eq!(keys.block(3), [key(seed, 1_031), key(seed, 1_032)]);
    }
}
