#!/usr/bin/env bash
# Generates the golden values of the tests, or with --check compares them with those in tests/golden.
# Needs python3 with venv, and PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/golden-venv
[ -x $venv/bin/python ] || python3 -m venv $venv
$venv/bin/pip install --quiet --disable-pip-version-check atomik-core==0.4.0
made=$(mktemp)
trap 'rm -f "$made"' EXIT
$venv/bin/python ci/golden.py >"$made"
rustfmt --edition 2024 --config-path . "$made"
if [ "${1-}" = --check ]; then
    diff tests/golden/values.rs "$made"
else
    cp "$made" tests/golden/values.rs
fi
