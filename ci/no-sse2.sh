#!/usr/bin/env bash
# Checks the library for x86-64 without SSE2, as kernels of operating systems and UEFI applications are built.
#
#   ci/no-sse2.sh [--targets [--cache FOLDER]]
#
#   --targets        build for x86_64-unknown-none and x86_64-unknown-uefi, in a Debian root; no part of ci/test.sh.
#                    The result is kept in ci/last-runs.md by RECORD=1, see ci/record-run.py
#   --cache FOLDER   where that root is kept (default target/debian); the same folder serves
#                    ci/other-architectures.sh
#
# Without --targets, the installed compiler checks the library for the host with SSE2 switched off. It can't generate code
# for that, since the host's ABI returns floating-point numbers in SSE registers; the real targets have another ABI. They
# need a core library of their own, hence the source of the standard library and Debian's compiler, as
# ci/lib/debian-root.sh provides them.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${CARGO_TARGET_DIR:-$project/target}/debian

if [[ ${1-} != --targets ]]; then
    # The name of the target keeps the flags from build scripts.
    export RUSTFLAGS='-Ctarget-feature=-sse2,-sse -Dwarnings' CARGO_BUILD_TARGET=x86_64-unknown-linux-gnu
    if rustc --print cfg --target "$CARGO_BUILD_TARGET" $RUSTFLAGS 2>/dev/null | grep -q '^target_feature="sse'; then
        echo 'ci/no-sse2.sh: this compiler does not switch SSE2 off; use --targets' >&2
        exit 1
    fi
    cd "$project"
    exec cargo check -p atomik-core --lib --no-default-features --locked --quiet \
        --target-dir "${CARGO_TARGET_DIR:-target}/no-sse2"
fi
shift
if [[ ${1-} == --cache ]]; then
    folder=$2
fi

source "$project/ci/lib/debian-root.sh"
use_cache "$folder"
make_root
install_packages rust-src
# Debian's compiler is a stable one, and building the standard library is unstable.
pass=(RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=/target/no-sse2)
for target in x86_64-unknown-none x86_64-unknown-uefi; do
    printf '\n== %s, %s\n' "$target" "$(compiler)"
    inside '
        cd /project
        if rustc --print cfg --target "$1" | grep -q "^target_feature=\"sse"; then
            echo "$1 has SSE2 here" >&2
            exit 1
        fi
        cargo build -p atomik-core --lib --no-default-features --locked -Zbuild-std=core,alloc --target "$1"
    ' "$target"
done
"$project/ci/record-run.py" 'ci/no-sse2.sh --targets' \
    "x86_64-unknown-none and x86_64-unknown-uefi: atomik-core builds; $(compiler)"
