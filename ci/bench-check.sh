#!/usr/bin/env bash
# Measures the kernels' ratios against their roofs and rivals in short form, and fails on a miss of more than
# 15 %. Leave the machine alone meanwhile; takes about two minutes. No part of ci/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS

cargo bench -p atomik-benches --locked --no-run --bench kernel_ratios
cargo bench -p atomik-benches --locked --bench kernel_ratios -- --short
