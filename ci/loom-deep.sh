#!/usr/bin/env bash
# The loom models without their preemption bounds: every interleaving. Takes long; arguments choose models.
set -euo pipefail
cd "$(dirname "$0")/../loom-tests"
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS
LOOM_WHOLE=1 exec cargo test --release --locked -- "$@"
