#!/usr/bin/env bash
# Runs everything that must pass: format, terms, lints, docs, tests, examples, a program without std, models.
# ci/setup.sh installs or names what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

# Flags from outside would replace those of loom-tests/.cargo/config.toml.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS
# Enough for the lines of a backtrace, and quicker to build.
export CARGO_PROFILE_DEV_DEBUG=line-tables-only

durations=()
step() {
    local begin=$SECONDS
    printf '\n== %s\n' "$*"
    "$@"
    durations+=("$((SECONDS - begin)) s: $*")
}
# The same in another folder, which has a workspace and a build configuration of its own.
step_in() {
    local folder=$1
    shift
    local begin=$SECONDS
    printf '\n== in %s: %s\n' "$folder" "$*"
    (cd "$folder" && "$@")
    durations+=("$((SECONDS - begin)) s: in $folder: $*")
}

step ./ci/setup.sh

step cargo fmt --all --check
step_in loom-tests cargo fmt --check
step_in ci/crates/no-std cargo fmt --check
step_in ci/crates/probe cargo fmt --check
step_in ci/crates/soak cargo fmt --check
step_in fuzz cargo fmt --check

step ./ci/check-terms.py
step ./ci/check-layout.py
step ./ci/record-run.py --check
step ./ci/check-dependencies.sh

step cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
step cargo clippy --no-default-features --locked -- -D warnings
step_in loom-tests cargo clippy --all-targets --release --locked -- -D warnings
step_in ci/crates/probe cargo clippy --locked -- -D warnings
step_in ci/crates/soak cargo clippy --locked -- -D warnings
# Only its lock file: the fuzz targets need a nightly compiler.
step_in fuzz cargo update --workspace --locked --quiet
step env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features --locked
step env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features --locked -p atomik-metrics
step env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features --locked -p atomik-shared
step env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --all-features --locked -p atomik-net
step env RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked -p atomik-node --lib
step ./ci/public-surface.py

# Unit, property, integration and doc tests. The examples are built, and some of the tests run them.
step cargo test --all-features --locked
# By name, since other packages turn the core's features on.
step cargo test --no-default-features --locked --lib -p atomik-core -p atomik-replica
for example in cache convergence nodes epoch_checkpoint fingerprint_gate rollback; do
    step cargo run --quiet --locked --example "$example"
done

step cargo test --all-features --locked -p atomik-shared

step cargo test --all-features --locked -p atomik-net
step cargo run --quiet --locked -p atomik-net --example cluster_metrics
step cargo test --locked -p atomik-node
step ./ci/redis-py.sh
# It waits most of the time, so other steps go on beside it.
nats_log=$(mktemp)
./ci/nats.sh >"$nats_log" 2>&1 &
nats=$!
trap 'kill "$nats" 2>/dev/null || true; rm -f "$nats_log"' EXIT
end_of_nats() {
    local status=0
    wait "$nats" || status=$?
    cat "$nats_log"
    return "$status"
}

step cargo test --all-features --locked -p atomik-metrics
step cargo run --quiet --all-features --locked -p atomik-metrics --example service -- --seconds 1 --json

# Links and runs only if the library needs no std.
step_in ci/crates/no-std cargo run --release --locked
step ./ci/no-sse2.sh

step ./ci/check-packages.py
printf '\n== ./ci/nats.sh\n'
end_of_nats

step cargo test --locked -p fan-in-demo -p atomik-benches --tests
step cargo test --release --locked -p atomik-models
# Ten thousand starts of three nodes, and a year of hourly starts of five; random lives of clusters.
step cargo test --release --locked -p atomik-replica --features damage --test replica -- --ignored folding lives

step_in loom-tests cargo test --release --locked
# Compares the tables of loom-tests/README.md with the mutants and models that there are; runs none of them.
step ./ci/mutate-orderings.py --check
# The same for the faults that the simulator of replicas must find.
step ./ci/simulator-faults.py --check
# The same for those that integration tests of the core must find.
step ./ci/test-faults.py --check

printf '\nAll passed in %s s. The longest steps:\n' "$SECONDS"
printf '%s\n' "${durations[@]}" | sort -rn | head -n 8
