#!/usr/bin/env bash
# Runs random lives of clusters whose nodes start again, and the rules of folding in lockstep with the replica, over many
# seeds: ci/simulate-starts.sh [SEEDS [FIRST]], by default a million from 0. The rules take a tenth as many. A life takes
# about two milliseconds of one core. If a seed fails, it is named. Results are kept in ci/last-runs.md by RECORD=1, see
# ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."

seeds=${1:-1000000}
export ATOMIK_FIRST_SEED=${2:-0}
export ATOMIK_SEEDS=$((seeds / 10))
cargo test --release --locked -p atomik-models --test folding -- lockstep
ATOMIK_SEEDS=$seeds cargo test --release --locked -p atomik-replica --features damage --test replica -- --ignored many_random
./ci/record-run.py "ci/simulate-starts.sh${*:+ $*}" "$seeds seeds from $ATOMIK_FIRST_SEED: all converged, a plane a node"
