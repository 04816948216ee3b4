#!/usr/bin/env bash
# Runs the loom models with their deeper bounds on preemptions, or with none: see `bounded_model`. Arguments choose
# models. A complete run is kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
ci=$(cd "$(dirname "$0")" && pwd)
cd "$ci/../loom-tests"
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS

log=$(mktemp)
trap 'rm -f "$log"' EXIT
LOOM_DEEP=1 cargo test --release --locked -- "$@" | tee "$log"
if (($# == 0)); then
    sum=$(awk '/^test result: ok/ { passed += $4; sub(/s$/, "", $NF); seconds += $NF }
        END { printf "%d models passed, %d s", passed, seconds }' "$log")
    "$ci/record-run.py" ci/loom-deep.sh "$sum"
fi
