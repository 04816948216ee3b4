#!/usr/bin/env bash
# Makes sure that what ci/test.sh needs is there. As root on a Debian, missing packages are installed by apt; elsewhere
# they are named. Rust itself is not installed: take it from rustup or a distribution (`rust-version` in Cargo.toml).
set -euo pipefail

missing=()
need() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
need gcc cc --version
need libc6-dev bash -c 'echo "int main(void) { return 0; }" | cc -x c -o /dev/null -'
need git git --version
# Lets calls of the system fail, in the tests of crates/checkpoint.
need strace strace -V
# Clients of atomik-node, in its tests.
need redis-tools redis-cli --version
need openssl openssl version
need python3-venv python3 -m venv --help
# Python 3.11 has tomllib.
need python3 python3 -c 'import tomllib'

if ((${#missing[@]} > 0)) && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"
    missing=()
    need 'Python 3.11 or later' python3 -c 'import tomllib'
fi
need 'cargo (Rust 1.89 or later)' cargo --version
need rustfmt cargo fmt --version
need clippy cargo clippy --version
if ((${#missing[@]} > 0)); then
    printf 'ci/setup.sh: missing: %s\n' "${missing[@]}" >&2
    exit 1
fi
