#!/usr/bin/env bash
# Runs the Python package atomik-core 0.4.0 and a Rust `DeltaStream` against each other, and the Python programs of the
# documentation. Needs python3 with venv, and PyPI.
# Results are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
source ci/lib/python.sh
use_python golden-venv atomik-core==0.4.0
cargo build --quiet --locked --example interop
exchanged=$("$python" ci/interop.py "$target/debug/examples/interop")
echo "$exchanged"
"$python" ci/patterns.py
./ci/record-run.py ci/interop.sh "$exchanged"
