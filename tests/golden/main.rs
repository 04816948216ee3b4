//! Values that come from elsewhere: the Python package `atomik-core`, and a second implementation of the
//! fingerprint. `ci/golden.sh` makes them.

mod values;

use atomik_core::{DeltaMessage, Fingerprint, FoldFingerprint};

/// Byte i is the high byte of (i + 1) × 0x9E3779B1 modulo 2³².
fn patterned(len: usize) -> Vec<u8> {
    (1..=len as u32).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 24) as u8).collect()
}

#[test]
fn messages_are_the_python_packages() {
    for &(addr, delta, seq, bytes) in values::MESSAGES {
        let message = DeltaMessage { addr, delta, seq };
        assert_eq!(message.to_bytes(), bytes);
        assert_eq!(DeltaMessage::from_bytes(&bytes), Ok(message));
    }
}

#[test]
fn folds_are_the_python_packages() {
    for &(len, value) in values::FOLDS {
        assert_eq!(FoldFingerprint::new().load(&patterned(len)), value, "{len} bytes");
    }
}

#[test]
fn fingerprints_are_the_definitions() {
    for &(seed, len, value) in values::FINGERPRINTS {
        assert_eq!(Fingerprint::with_seed(seed).load(&patterned(len)), value, "seed {seed:#x}, {len} bytes");
        if seed == 0 {
            assert_eq!(Fingerprint::new().load(&patterned(len)), value, "fixed seed, {len} bytes");
        }
    }
}
