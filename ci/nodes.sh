#!/usr/bin/env bash
# Lets nodes converge behind a network that fails in all ways, kills nodes under load, many times, and opens ten thousand
# connections:
# ci/nodes.sh [ROUNDS], by default 1,000. Results are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."

export ATOMIK_ROUNDS=${1:-1000}
cargo test --release --locked -p atomik-net --all-features --test nodes -- proxy --nocapture
cargo test --release --locked -p atomik-node --test node -- kills --nocapture
# A connection is a file at each end.
(ulimit -n 18000 && cargo test --release --locked -p atomik-node --test node -- --ignored connections --nocapture)
./ci/record-run.py "ci/nodes.sh${*:+ $*}" "$ATOMIK_ROUNDS rounds each of connections, datagrams and kills: all states as accounted; 15,000 connections at once"
