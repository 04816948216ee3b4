#!/usr/bin/env bash
# Measures the kernels' ratios against their roofs and rivals in short form, and fails on a miss of more than
# 15 %. Leave the machine alone meanwhile; takes about three minutes. No part of ci/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS

cargo bench -p atomik-benches --locked --no-run --bench kernel_ratios
status=0
cargo bench -p atomik-benches --locked --bench kernel_ratios -- --short || status=1
# XXH3 takes the widest vectors that a build allows.
RUSTFLAGS="-C target-cpu=native" cargo bench -p atomik-benches --locked \
    --target-dir "${CARGO_TARGET_DIR:-target}/native" --bench kernel_ratios -- --short Fingerprint || status=1
exit $status
