#!/usr/bin/env bash
# Measures the kernels' ratios to their limits and rivals in short form, and fails if a target is missed by more than
# 15 %. Leave the machine alone meanwhile. Takes about three minutes, and is not part of ci/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS

cargo bench -p atomik-benches --locked --no-run --bench kernel_ratios
cargo bench -p atomik-benches --locked --bench kernel_ratios -- --short
