#!/usr/bin/env bash
# Fuzzes each target for as many seconds as the first argument says (60 if none).
# Needs a nightly toolchain and a C++ compiler: the targets are plain programs that fuzz when run, so that
# cargo-fuzz, which also runs them, is not needed.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

export RUSTFLAGS='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address -Cdebug-assertions -Ccodegen-units=1'
RUSTFLAGS=$(echo $RUSTFLAGS)
target=x86_64-unknown-linux-gnu
cargo +nightly build --release --locked --target "$target"
for name in kernels wire packets frames stored; do
    mkdir -p "corpus/$name" "artifacts/$name"
    "${CARGO_TARGET_DIR:-target}/$target/release/$name" -max_total_time="${1:-60}" -max_len=8192 -artifact_prefix="artifacts/$name/" \
        "corpus/$name"
done
