//! A program that counts through another version of the facade. This file is a process of its own.

use atomik_metrics::{InstallError, PROBE, install_and_probe};

#[test]
fn another_version_of_the_facade_is_noticed() {
    // What `install!` does in a crate that depends on version 0.23.
    let skewed = install_and_probe(|| metrics_0_23::counter!(PROBE).increment(1));
    assert_eq!(skewed.unwrap_err(), InstallError::NotRecording);
    let message = InstallError::NotRecording.to_string();
    assert!(message.contains("another version of the crate `metrics` than the 0.24"), "{message}");
    // And in one that depends on version 0.24.
    assert!(install_and_probe(|| metrics::counter!(PROBE).increment(1)).is_ok());
}
