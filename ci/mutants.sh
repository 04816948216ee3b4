#!/usr/bin/env bash
# Changes the code of src in one place at a time and runs the tests: a mutant that passes shows a missing test.
# Needs cargo-mutants (`cargo install cargo-mutants --locked`). Takes hours for all of src; arguments choose, as in
#
#   ci/mutants.sh --file src/epoch.rs
#   ci/mutants.sh --shard 0/8
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo mutants --output target --profile release "$@"
