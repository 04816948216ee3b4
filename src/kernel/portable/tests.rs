use super::*;
use proptest::prelude::*;

/// By the definition: shift and XOR.
fn defined(a: u64, b: u64) -> u128 {
    (0..64).filter(|i| b >> i & 1 == 1).fold(0, |product, i| product ^ u128::from(a) << i)
}

proptest! {
    #[test]
    fn products(a: u64, b: u64) {
        prop_assert_eq!(clmul(a, b), defined(a, b));
    }
}

#[test]
fn products_of_words_with_the_most_carries() {
    for (a, b) in [(u64::MAX, u64::MAX), (1 << 63, 1 << 63), (u64::MAX, 1), (0, u64::MAX)] {
        assert_eq!(clmul(a, b), defined(a, b));
    }
}
