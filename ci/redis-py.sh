#!/usr/bin/env bash
# Uses a node by redis-py, the Redis client of Python. The client comes from PyPI, into target/redis-py.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=${CARGO_TARGET_DIR:-target}/redis-py
if ! "$environment/bin/python" -c 'import redis' 2>/dev/null; then
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r ci/redis-py.txt
fi
cargo build --quiet --locked -p atomik-node
"$environment/bin/python" ci/redis-py.py "${CARGO_TARGET_DIR:-target}/debug/atomik-node"
