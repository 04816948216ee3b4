#!/usr/bin/env bash
# Proves the laws of the algebra and the identities behind the kernels for all 64-bit words, and refutes a broken
# variant of each. Needs python3 with venv, and PyPI. Results are kept in ci/last-runs.md by RECORD=1, see
# ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."

source ci/lib/python.sh
use_python smt-venv z3-solver==4.15.4.0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$python" ci/prove-algebra.py | tee "$log"
./ci/record-run.py ci/prove-algebra.sh "$(tail -n 1 "$log")"
