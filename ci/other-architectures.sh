#!/usr/bin/env bash
# Runs the tests of atomik-core, atomik-replica, atomik-checkpoint and atomik-metrics for other architectures, under
# QEMU's user emulation.
#
#   ci/other-architectures.sh [OPTIONS] [ARCHITECTURE...]
#
#   ARCHITECTURE     Debian's name: arm64 armhf i386 ppc64el riscv64 s390x; all six by default
#   --quick          only the unit tests of atomik-core and atomik-replica, and the golden values
#   --seeds N        how many seeds the simulator runs (default 50)
#   --cache FOLDER   where the Debian root, the crates and the build results are kept, some 6 GB
#                    (default target/debian)
#   --help
#
# s390x is big-endian; armhf and i386 have 32-bit pointers; i386 runs on the processor itself. Emulation shows
# endianness, word size and alignment. It does not show the reorderings of weakly ordered memory, which are the loom
# models' subject.
#
# It must be run as root on an x86-64 Debian with apt; ci/lib/debian-root.sh says what it installs. It is not part of
# ci/test.sh: the first run takes 5 to 20 minutes for each architecture. Results are kept in ci/last-runs.md by
# RECORD=1, see ci/record-run.py.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$project/ci/lib/debian-root.sh"

usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

# The folders of the packages, and the integration tests that are left out: machine_code reads x86-64 instructions, and
# exactly_once starts a program that it was built with, which needs the emulator too.
packages='. crates/replica crates/checkpoint crates/metrics'
left_out='machine_code exactly_once'

quick='' seeds=50 folder=${CARGO_TARGET_DIR:-$project/target}/debian
while [[ ${1-} == -* ]]; do
    case $1 in
        --quick) quick=1 packages='. crates/replica' ;;
        --seeds) seeds=$2 && shift ;;
        --cache) folder=$2 && shift ;;
        --help) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
    shift
done
(($# > 0)) || set -- arm64 armhf i386 ppc64el riscv64 s390x

# describe ARCHITECTURE: sets the Rust target, the C library's prefix and the emulator.
describe() {
    case $1 in
        arm64) target=aarch64-unknown-linux-gnu triple=aarch64-linux-gnu emulator=qemu-aarch64 ;;
        armhf) target=armv7-unknown-linux-gnueabihf triple=arm-linux-gnueabihf emulator=qemu-arm ;;
        i386) target=i686-unknown-linux-gnu triple=i686-linux-gnu emulator=qemu-i386 ;;
        ppc64el) target=powerpc64le-unknown-linux-gnu triple=powerpc64le-linux-gnu emulator=qemu-ppc64le ;;
        riscv64) target=riscv64gc-unknown-linux-gnu triple=riscv64-linux-gnu emulator=qemu-riscv64 ;;
        s390x) target=s390x-unknown-linux-gnu triple=s390x-linux-gnu emulator=qemu-s390x ;;
        *) echo "no such architecture: $1" >&2 && usage >&2 && exit 2 ;;
    esac
}
for architecture; do describe "$architecture"; done

# Installs what linking for one architecture needs. Of the target's standard library only the static libraries are
# taken: the dependencies of its package serve dynamic linking and would bring a second LLVM.
install_target() {
    install_packages qemu-user "gcc-$triple" "libc6-dev-$1-cross"
    inside '
        version=$(dpkg-query -f "\${Version}" -W libstd-rust-dev)
        # Written last, so that an interrupted copy is not taken for a complete one.
        [ "$(cat "/usr/lib/rustlib/$2/version" 2>/dev/null)" = "$version" ] && exit
        cd "$(mktemp -d)"
        apt-get download -qq -o APT::Sandbox::User=root "libstd-rust-dev:$1=$version"
        dpkg -x libstd-rust-dev_*.deb .
        cp -a "usr/lib/rustlib/$2" /usr/lib/rustlib/
        echo "$version" >"/usr/lib/rustlib/$2/version"
        rm -rf "$PWD"
    ' "$1" "$target"
}

# Runs the tests of one architecture.
run_tests() {
    inside '
        target=$1 triple=$2 emulator=$3 packages=$4 left_out=$5 quick=$6
        name=${target//-/_} name=${name^^}
        export "CARGO_TARGET_${name}_LINKER=$triple-gcc"
        runner="$emulator -L /usr/$triple"
        # Where the kernel runs 32-bit programs, the processor itself, through the loader of the cross C library.
        loader=/usr/$triple/lib/ld-linux.so.2
        if [ "$emulator" = qemu-i386 ] && "$loader" --version >/dev/null 2>&1; then
            runner="$loader --library-path /usr/$triple/lib"
        fi
        export "CARGO_TARGET_${name}_RUNNER=$runner"
        # Emulation needs optimised code; the checks of a debug build stay.
        export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=false
        cd /project
        # Every integration test that is not left out.
        chosen=() tests=()
        [[ -n $quick ]] || tests=(--all-features)
        for folder in $packages; do
            chosen+=(-p "$(sed -n "/^name = /{s/.*\"\(.*\)\"/\1/p;q}" "$folder/Cargo.toml")")
            for path in "$folder"/tests/{*.rs,*/main.rs}; do
                test=${path##*tests/} test=${test%.rs} test=${test%/main}
                if [[ -e $path && " $left_out " != *" $test "* && ( -z $quick || $test == golden ) ]]; then
                    tests+=(--test "$test")
                fi
            done
        done
        cargo test --locked --no-fail-fast --target "$target" "${chosen[@]}" --lib "${tests[@]}"
    ' "$target" "$triple" "$emulator" "$packages" "$left_out" "$quick"
}

use_cache "$folder"
make_root
# PROPTEST_CASES: emulated processors are slow, and the cases are the same everywhere.
pass=("ATOMIK_SEEDS=$seeds" PROPTEST_CASES=64 "CARGO_BUILD_JOBS=${JOBS:-$(nproc)}")
compiler=$(compiler)
log=$cache/last.log
failed=()
for architecture; do
    describe "$architecture"
    printf '\n== %s, %s\n' "$architecture" "$compiler"
    install_target "$architecture"
    if ! run_tests "$architecture" 2>&1 | tee "$log"; then
        failed+=("$architecture")
        echo "FAILED: $architecture"
        continue
    fi
    passed=$(awk '/^test result: ok/ { passed += $4 } END { print passed }' "$log")
    [[ -n $quick ]] || "$project/ci/record-run.py" "ci/other-architectures.sh $architecture" \
        "$passed tests passed; $compiler"
done
((${#failed[@]} == 0)) || { echo "failed: ${failed[*]}" >&2 && exit 1; }
