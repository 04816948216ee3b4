#!/usr/bin/env bash
# Kills processes with SIGKILL at random moments, 1,000 times unless said, and compares what they counted:
#
#   ./ci/kill.sh [KILLS [checkpoint|shared]]
#
# - the example exactly_once of atomik-checkpoint: its totals are those of a run that is not interrupted;
# - the example processes of atomik-shared, whose processes report what they did, and processes that claim lanes and append
#   metadata.
#
# A thousand of the first take five minutes. Results are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."
export ATOMIK_KILLS=${1:-1000}
packages=${2:-checkpoint shared}

for package in $packages; do
    # `cargo test` builds the examples too, but not if it is given the name of a test.
    cargo build --release --locked -p "atomik-$package" --examples
    case $package in
    checkpoint)
        cargo test --release --locked -p atomik-checkpoint --test exactly_once -- --nocapture
        result='the totals are those of a run that is not interrupted'
        ;;
    shared)
        cargo test --release --locked -p atomik-shared --test kill -- --nocapture
        result='every account is exact, of processes that count and of those that claim lanes and append metadata'
        ;;
    *)
        echo "no such package: $package" >&2
        exit 1
        ;;
    esac
    ./ci/record-run.py "ci/kill.sh $ATOMIK_KILLS $package" "$result"
done
