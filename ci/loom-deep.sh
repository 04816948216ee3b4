#!/usr/bin/env bash
# The loom models with their deeper bounds on preemptions, or none: see `bounded_model`. Arguments choose models.
set -euo pipefail
cd "$(dirname "$0")/../loom-tests"
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS
LOOM_DEEP=1 exec cargo test --release --locked -- "$@"
