#!/usr/bin/env bash
# Generates the golden values of the tests, or with --check compares them with those in tests/golden.
# Needs python3 with venv, and PyPI. Results of --check are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."

source ci/lib/python.sh
use_python golden-venv atomik-core==0.4.0
made=$(mktemp)
trap 'rm -f "$made"' EXIT
"$python" ci/golden.py >"$made"
rustfmt --edition 2024 --config-path . "$made"
if [ "${1-}" = --check ]; then
    diff tests/golden/values.rs "$made"
    ./ci/record-run.py 'ci/golden.sh --check' 'the values of the Python package are those in tests/golden'
else
    cp "$made" tests/golden/values.rs
fi
