#!/usr/bin/env bash
# Runs the tests of the kernels, of what is built on them, and of all other modules with unsafe code, under
# AddressSanitizer. Needs a nightly toolchain. The kernels' tests put their slices at the very end of their memory, so that
# an access past it is found. Results are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export RUSTFLAGS=-Zsanitizer=address RUSTDOCFLAGS=-Zsanitizer=address
# Some tests ask for more memory than there is, and expect null.
export ASAN_OPTIONS=allocator_may_return_null=1
# Naming the target keeps the flags from build scripts.
cargo +nightly test --locked -p atomik-core --lib --features rayon,serde --target x86_64-unknown-linux-gnu \
    -- kernel:: table:: delta:: fingerprint:: context:: slots:: fan_in:: | tee "$log"
./ci/record-run.py ci/address-sanitizer.sh "$(sed -n 's/^test result: ok\. \([0-9]* passed\).*/\1/p' "$log"), no report"
