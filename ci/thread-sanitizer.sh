#!/usr/bin/env bash
# Runs the tests of the fan-ins, tables and slots, and the soak, under ThreadSanitizer, with an instrumented standard
# library. Any report fails.
#
#   ci/thread-sanitizer.sh [OPTIONS]
#
#   --minutes N      how long the soak runs (default 1)
#   --cache FOLDER   where the Debian root, the crates and the build results are kept (default target/debian);
#                    the same folder serves ci/other-architectures.sh
#   --help
#
# First it plants two races, which the sanitizer must find: one in the soak itself, and one in a copy of the library,
# in which `Context::load`, by which a producer publishes its deltas, stores Relaxed instead of Release. The tree is
# not touched.
#
# ThreadSanitizer needs a standard library that is instrumented too, or it does not see the synchronization in there.
# Debian packages the library's source and the sanitizer's run time for its own compiler, so this runs in a Debian
# root: as root on an x86-64 Debian with apt; ci/lib/debian-root.sh says what it installs.
# The first run takes about ten minutes. Results are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$project/ci/lib/debian-root.sh"

usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

minutes=1 folder=${CARGO_TARGET_DIR:-$project/target}/debian
while (($# > 0)); do
    case $1 in
        --minutes) minutes=$2 && shift ;;
        --cache) folder=$2 && shift ;;
        --help) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done

use_cache "$folder"
make_root
llvm=$(inside 'rustc -vV | sed -n "s/^LLVM version: \([0-9]*\).*/\1/p"')
install_packages rust-src "libclang-rt-$llvm-dev"
compiler=$(compiler)

target=x86_64-unknown-linux-gnu
pass=(
    # Debian's compiler is a stable one; both options below are unstable.
    RUSTC_BOOTSTRAP=1
    RUSTFLAGS=-Zsanitizer=thread
    CARGO_UNSTABLE_BUILD_STD=std,panic_unwind
    "CARGO_BUILD_TARGET=$target"
    CARGO_TARGET_DIR=/target/thread-sanitizer
    CARGO_PROFILE_DEV_OPT_LEVEL=1
    CARGO_PROFILE_DEV_DEBUG=line-tables-only
    PROPTEST_CASES=16
    "CARGO_BUILD_JOBS=${JOBS:-$(nproc)}"
)
# The compiler looks for the run time under a name of its own.
inside '
    lib=/usr/lib/rustlib/$1/lib
    mkdir -p "$lib"
    ln -sf "$(dpkg -L "libclang-rt-$2-dev" | grep -m1 "/libclang_rt.tsan-x86_64.a$")" \
        "$lib/librustc-stable_rt.tsan.a"
' "$target" "$llvm"

# soak FOLDER ARGUMENT: builds the soak of the tree in FOLDER and runs it.
soak() {
    inside '
        cd "$1/ci/crates/soak"
        cargo build --release --locked --quiet
        exec "$CARGO_TARGET_DIR/$CARGO_BUILD_TARGET/release/atomik-soak" "$2"
    ' "$@"
}

# must_find WHAT FOLDER ARGUMENT: the sanitizer must report a race in this run of the soak.
log=$cache/thread-sanitizer.log
must_find() {
    if soak "$2" "$3" >"$log" 2>&1 || ! grep -q 'WARNING: ThreadSanitizer: data race' "$log"; then
        tail -n 20 "$log" >&2
        echo "ThreadSanitizer did not find $1" >&2
        exit 1
    fi
    echo "found: $1"
}

printf '\n== planted races, %s\n' "$compiler"
must_find 'a race planted in the soak' /project race
# The copy is made anew each time, beside the crates, where the root can read it.
copy=$cache/target/planted-race
rm -rf "$copy"
mkdir "$copy"
trap 'rm -rf "$copy"' EXIT
(cd "$project" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy")
planted=src/context.rs
sed -i '/pub fn load(/,/^    }/s/Ordering::Release/Ordering::Relaxed/' "$copy/$planted"
if cmp -s "$project/$planted" "$copy/$planted"; then
    echo "ci/thread-sanitizer.sh: $planted has no Release store in \`load\` any more; plant the race elsewhere" >&2
    exit 1
fi
must_find 'the Release store of a producer made Relaxed' /target/planted-race 5

printf '\n== unit tests\n'
inside '
    cd /project
    cargo test --locked -p atomik-core --lib -- fan_in:: table:: slots::
' 2>&1 | tee "$log"
passed=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$log")

printf '\n== soak\n'
soak /project "$(awk "BEGIN { print int($minutes * 60) }")" | tee "$log"
"$project/ci/record-run.py" ci/thread-sanitizer.sh \
    "both planted races found; $passed unit tests and the soak ($(tail -n 1 "$log")) without a report; $compiler"
