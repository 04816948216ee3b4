#!/usr/bin/env bash
# Measures, and writes the tables of BENCHMARKS.md and the raw results in benches/record.
# Leave the machine alone meanwhile; takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS

cargo bench -p atomik-benches --locked --no-run
cargo bench -p atomik-benches --locked --bench fan_in_threads
# A missed target is told by the table; it is no reason to leave the table out.
for ratios in fan_in_ratios "kernel_ratios -- --short" stream; do
    # shellcheck disable=SC2086 # the second has arguments
    cargo bench -p atomik-benches --locked --bench $ratios || true
done
cargo run --release -p atomik-benches --locked --bin report
