#!/usr/bin/env bash
# Kills the example exactly_once with SIGKILL at random moments, 1,000 times unless said, and compares its totals with
# those of a run that is not interrupted:
#
#   ./ci/kill.sh [KILLS]
#
# A thousand take five minutes. Results are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."
export ATOMIK_KILLS=${1:-1000}
# `cargo test` builds the example too, but not if it is given the name of a test.
cargo build --release --locked -p atomik-checkpoint --example exactly_once
cargo test --release --locked -p atomik-checkpoint --test exactly_once -- --nocapture
./ci/record-run.py "ci/kill.sh $ATOMIK_KILLS" 'the totals are those of a run that is not interrupted'
