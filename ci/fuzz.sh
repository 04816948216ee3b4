#!/usr/bin/env bash
# Fuzzes each target for the given number of seconds, 60 by default.
# Needs a nightly toolchain and a C++ compiler. The targets are plain programs that fuzz when they are run; cargo-fuzz
# can run them too, but is not needed. Results are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

export RUSTFLAGS='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address -Cdebug-assertions -Ccodegen-units=1'
RUSTFLAGS=$(echo $RUSTFLAGS)
target=x86_64-unknown-linux-gnu
cargo +nightly build --release --locked --target "$target"
seconds=${1:-60}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
inputs=()
for name in kernels wire packets frames stored exposition shared_header requests connections datagrams; do
    mkdir -p "corpus/$name" "artifacts/$name"
    "${CARGO_TARGET_DIR:-target}/$target/release/$name" -max_total_time="$seconds" -max_len=8192 \
        -artifact_prefix="artifacts/$name/" "corpus/$name" 2>&1 | tee "$log"
    inputs+=("$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log") of \`$name\`")
done
list=$(printf '%s, ' "${inputs[@]}")
../ci/record-run.py "ci/fuzz.sh $seconds" "no finding in the inputs tried: ${list%, }"
