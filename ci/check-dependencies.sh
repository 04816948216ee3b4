#!/usr/bin/env bash
# Makes a package that depends on atomik-core, and checks which packages its lock file has and which of them are built.
# The core promises to be light: no procedural macro, no build script of its own, and the models' packages are not even
# locked.
set -euo pipefail
cd "$(dirname "$0")/.."
core=$PWD
dependent=$(mktemp -d)
trap 'rm -rf "$dependent"' EXIT

mkdir "$dependent/src"
touch "$dependent/src/lib.rs"
cat >"$dependent/Cargo.toml" <<TOML
[package]
name = "dependent"
version = "0.0.0"
edition = "2024"

[dependencies]
atomik-core = { path = "$core" }
TOML
# The same versions as here.
cp Cargo.lock "$dependent/"
cd "$dependent"
cargo generate-lockfile --quiet --offline 2>/dev/null || cargo generate-lockfile --quiet

expected='atomik-core crossbeam-utils dependent safe_arch'
check() {
    local found
    found=$(sort -u | tr '\n' ' ')
    if [[ ${found% } != "$expected" ]]; then
        echo "$1 of a dependent of atomik-core: ${found% }; expected: $expected" >&2
        exit 1
    fi
}
sed -n 's/^name = "\(.*\)"/\1/p' Cargo.lock | check 'the lock file'
cargo tree --locked --edges normal,build --prefix none --format '{p}' | cut -d' ' -f1 | check 'the built packages'
