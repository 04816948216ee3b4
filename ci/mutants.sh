#!/usr/bin/env bash
# Changes the code of the libraries in one place at a time and runs the tests: a mutant that passes shows a missing test.
# Needs cargo-mutants (`cargo install cargo-mutants --locked`). Without arguments it takes about two hours on two cores.
# Arguments choose mutants, as in
#
#   ci/mutants.sh --file src/epoch.rs
#
# The first three passes run the quick tests of one part, which catch nearly all mutants of that part. The last two run
# all tests on what is left. `.cargo/mutants.toml` lists the mutants that may survive, each with its reason. A mutant
# that never ends counts as caught. A complete run is kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."

# All passes share one folder, so that the dependencies are built once. It does not serve several jobs at a time.
export CARGO_TARGET_DIR=$PWD/target/mutants-build
rm -rf target/mutants.out

# cargo-mutants exits with 2 if it missed a mutant, and with 3 if it had to end one, whether it missed others or not.
mutants() {
    local status=0
    cargo mutants --output target --iterate "$@" || status=$?
    ((status == 0 || status == 2 || status == 3)) || exit "$status"
}

quick() {
    PROPTEST_CASES=32 PROPTEST_MAX_SHRINK_ITERS=0 ATOMIK_SEEDS=20 ATOMIK_SHRINKS=0 mutants "${chosen[@]}" --minimum-test-timeout 20 "$@"
}

chosen=("$@")
quick --package atomik-core --exclude 'src/{kernel,fingerprint}{.rs,/**}' -C=--lib -- -- --skip kernel:: --skip fingerprint::
quick --package atomik-core -C=--lib -C=--test=golden -- -- kernel:: fingerprint folds --skip basis_vectors
quick --package atomik-replica --features damage -C=--lib -C=--test=replica -C=--test=simulator
mutants "${chosen[@]}" --package atomik-core --minimum-test-timeout 120 \
    -C=--lib -C=--test=golden -C=--test=linearizability
missed=$(<target/mutants.out/missed.txt)
mutants "${chosen[@]}" --package atomik-replica --features damage --minimum-test-timeout 120 -C=--lib -C=--test=replica \
    -C=--test=simulator

missed+=$(<target/mutants.out/missed.txt)

if [[ -n $missed ]]; then
    printf '\nThese mutants pass all tests:\n%s\n' "$missed"
    exit 1
fi
if ((${#chosen[@]} == 0)); then
    ./ci/record-run.py ci/mutants.sh \
        'each mutant of src and crates/replica/src is caught, does not build, or is listed in .cargo/mutants.toml'
fi
