#!/usr/bin/env bash
# Runs the kernels' tests, and those of what is built on them, under AddressSanitizer. Needs a nightly
# toolchain. The tests put their slices at the very end of their memory, so that a load or store past it is seen.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS=-Zsanitizer=address RUSTDOCFLAGS=-Zsanitizer=address
# The target is named, or build scripts would be sanitized too.
cargo +nightly test --locked --lib --features rayon,serde --target x86_64-unknown-linux-gnu \
    -- kernel:: table:: delta:: fingerprint::
