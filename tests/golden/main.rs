//! Compares messages and fingerprints with golden values. They come from the Python package `atomik-core` and from a
//! second implementation of the fingerprint; `ci/golden.sh` generates them.

mod values;

use atomik_core::kernel::{self, Level};
use atomik_core::{DeltaMessage, Fingerprint, FoldFingerprint};

/// Byte i is the high byte of (i + 1) × 0x9E3779B1 modulo 2³².
fn patterned(len: usize) -> Vec<u8> {
    (1..=len as u32).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 24) as u8).collect()
}

#[test]
fn messages_equal_those_of_the_python_package() {
    for &(addr, delta, seq, bytes) in values::MESSAGES {
        let message = DeltaMessage { addr, delta, seq };
        assert_eq!(message.to_bytes(), bytes);
        assert_eq!(DeltaMessage::from_bytes(&bytes), Ok(message));
    }
}

/// Runs a test at each level of the kernels that compute fingerprints. A level that the processor lacks is replaced
/// by the next lower one. Tests that run concurrently may change one another's level; together they still cover all.
fn at_every_level(test: impl Fn(Level)) {
    for level in [Level::Portable, Level::Sse2, Level::Avx2, Level::Avx512] {
        test(kernel::set_level(level));
    }
}

#[test]
fn folds_equal_those_of_the_python_package() {
    at_every_level(|level| {
        for &(len, value) in values::FOLDS {
            assert_eq!(FoldFingerprint::new().load(&patterned(len)), value, "{len} bytes, {level:?}");
        }
    });
}

#[test]
fn fingerprints_equal_their_definition() {
    at_every_level(|level| {
        for &(seed, len, value) in values::FINGERPRINTS {
            let data = patterned(len);
            assert_eq!(Fingerprint::with_seed(seed).load(&data), value, "{seed:#x}, {len} bytes, {level:?}");
            if seed == 0 {
                assert_eq!(Fingerprint::new().load(&data), value, "fixed seed, {len} bytes, {level:?}");
            }
        }
    });
}
