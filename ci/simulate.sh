#!/usr/bin/env bash
# Runs the simulator of replicas over many seeds: ci/simulate.sh [SEEDS [FIRST]], by default a million from 0. If a seed
# fails, it is named, and its case is made smaller. A seed takes about a millisecond of one core. Results are kept in
# ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."

export ATOMIK_SEEDS=${1:-1000000} ATOMIK_FIRST_SEED=${2:-0}
cargo test --release --locked -p atomik-replica --features damage --test simulator -- --nocapture
./ci/record-run.py "ci/simulate.sh${*:+ $*}" "$ATOMIK_SEEDS seeds from $ATOMIK_FIRST_SEED: all converged"
