#!/usr/bin/env bash
# Measures the kernels' ratios to their limits and rivals in short form, and fails if a target is missed by more than
# 15 %. Leave the machine alone meanwhile. Takes about three minutes, and is not part of ci/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS

cargo bench -p atomik-benches --locked --no-run --bench kernel_ratios
status=0
cargo bench -p atomik-benches --locked --bench kernel_ratios -- --short || status=1
# XXH3 uses the widest registers that a build allows.
RUSTFLAGS="-C target-cpu=native" cargo bench -p atomik-benches --locked \
    --target-dir "${CARGO_TARGET_DIR:-target}/native" --bench kernel_ratios -- --short fingerprint || status=1
exit $status
