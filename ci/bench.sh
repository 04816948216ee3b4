#!/usr/bin/env bash
# Measures, and writes the tables and plots of BENCHMARKS.md and the raw results in benches/record. Leave the
# machine alone meanwhile. Whole, it takes about a quarter of an hour; with names of parts, those alone:
#
#   ./ci/bench.sh [clean] [build] [fan_in_threads] [fan_in_ratios] [kernel[=REGEX]] [kernel_ratios]
#                 [kernel_native] [kernel_threads] [stream] [report]
#
# `kernel='kernel_(fold|accum)'` sweeps two of the kernels. `report` needs what all the others left in target, and
# `clean` removes that, lest an earlier run's be taken for this one's.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS

bench() {
    local name=$1
    shift
    cargo bench -p atomik-benches --locked --bench "$name" -- "$@"
}

# XXH3 takes the widest vectors that a build allows: this one allows all that the machine has.
native() {
    RUSTFLAGS="-C target-cpu=native" cargo bench -p atomik-benches --locked \
        --target-dir "${CARGO_TARGET_DIR:-target}/native" --bench kernel_ratios "$@"
}

# A missed target is told by the table, and is no reason to leave it out; a run that ended early, which saved nothing,
# is.
ratios() {
    local saved=${CARGO_TARGET_DIR:-target}/ratios/$1.json
    shift
    rm -f "$saved"
    "$@" || [[ -f $saved ]]
}

part() {
    case $1 in
        clean) rm -rf "${CARGO_TARGET_DIR:-target}"/{criterion,ratios} ;;
        build)
            cargo bench -p atomik-benches --locked --no-run
            native --no-run
            ;;
        fan_in_threads) bench fan_in_threads ;;
        fan_in_ratios) ratios fan_in bench fan_in_ratios ;;
        kernel) bench kernel ;;
        kernel=*) bench kernel "${1#kernel=}" ;;
        kernel_ratios) ratios kernel bench kernel_ratios --save kernel ;;
        kernel_native) ratios kernel_native native -- --save kernel_native Fingerprint ;;
        kernel_threads) ratios kernel_threads bench kernel_threads --save kernel_threads ;;
        stream) ratios stream bench stream ;;
        report) cargo run --release -p atomik-benches --locked --bin report ;;
        *)
            echo "ci/bench.sh: there is no part $1" >&2
            exit 2
            ;;
    esac
}

if (($# == 0)); then
    set -- clean build fan_in_threads fan_in_ratios kernel kernel_ratios kernel_native kernel_threads stream report
fi
for name; do
    echo "== $name, $(date -u +%T)"
    part "$name"
done
