#!/usr/bin/env bash
# Measures, writes the raw results to benches/record/PROCESSOR, and writes the tables and plots of BENCHMARKS.md.
# Leave the machine alone meanwhile. The whole run takes about twenty minutes. With names of parts, it runs only those:
#
#   ./ci/bench.sh [build] [fan_in_threads] [fan_in_ratios] [fan_in_growth] [kernel_ratios] [kernel_native]
#                 [kernel_threads] [kernel_sweep] [stream] [tick_growth] [replica_growth] [checkpoint] [processes] [nodes]
#                 [metrics] [metrics_memory] [page]
#
# A part can be limited to some of its subjects: `kernel_ratios=fold,accum`, `kernel_sweep=fold`. Each part replaces
# its own records, which carry the commit that they were measured at. `page` only writes BENCHMARKS.md again.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS
target=${CARGO_TARGET_DIR:-target}

bench() {
    local name=$1
    shift
    cargo bench -p atomik-benches --locked --bench "$name" -- "$@"
}

# XXH3 uses the widest registers that a build allows. This build allows all that the machine has.
native() {
    RUSTFLAGS="-C target-cpu=native" cargo bench -p atomik-benches --locked \
        --target-dir "$target/native" --bench kernel_ratios "$@"
}

report() {
    cargo run --release -p atomik-benches --locked --quiet --bin report -- "$@"
}

# Criterion leaves its results in target/criterion. Those of an earlier run must not be taken for this one's.
criterion() {
    rm -rf "$target/criterion"
    bench "$@"
    report --keep
}

part() {
    local name=$1 subjects=()
    shift
    IFS=, read -ra subjects <<<"${1:-}"
    case $name in
        build)
            cargo bench -p atomik-benches --locked --no-run
            cargo bench -p atomik-metrics-benches --locked --no-run
            cargo build --release -p atomik-benches --locked --bin report
            native --no-run
            ;;
        fan_in_threads) criterion fan_in_threads ;;
        kernel_sweep) criterion kernel_sweep "kernel_($(IFS='|' && echo "${subjects[*]:-.*}"))/" ;;
        kernel_native) native -- --record fingerprint ;;
        fan_in_ratios | fan_in_growth | kernel_ratios | kernel_threads | stream | tick_growth | replica_growth | checkpoint | processes)
            bench "$name" --record "${subjects[@]}"
            ;;
        nodes)
            cargo build --release --locked -p atomik-node
            ATOMIK_NATS_SERVER=$(./ci/nats.sh --server)
            export ATOMIK_NATS_SERVER
            bench nodes --record "${subjects[@]}"
            ;;
        metrics) cargo bench -p atomik-metrics-benches --locked --bench metrics -- --record "${subjects[@]}" ;;
        metrics_memory) cargo bench -p atomik-metrics-benches --locked --bench memory -- --record ;;
        page) report ;;
        *)
            echo "ci/bench.sh: there is no part $name" >&2
            exit 2
            ;;
    esac
}

if (($# == 0)); then
    set -- build fan_in_threads fan_in_ratios fan_in_growth kernel_ratios kernel_native kernel_threads kernel_sweep \
        stream tick_growth replica_growth checkpoint processes nodes metrics metrics_memory page
fi
for name; do
    echo "== $name, $(date -u +%T)"
    subjects=
    [[ $name != *=* ]] || subjects=${name#*=}
    part "${name%%=*}" "$subjects"
done
