#!/usr/bin/env bash
# A real Prometheus server scrapes the example `service` of atomik-metrics, in text and with native histograms, and what it
# stored is queried by its HTTP interface. The protobuf format is decoded with the official definition as well, and
# OpenMetrics is read by the official Python parser.
#
#   ./ci/prometheus.sh [SECONDS]      seconds of load, 12 unless given
#
# Needs root on Debian, to install the packages prometheus, protobuf-compiler, libprotobuf-dev and golang-github-prometheus-client-model-dev
# if they are missing, curl, and python3 with venv and PyPI. Results are kept in ci/last-runs.md by RECORD=1, see
# ci/record-run.py.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-12}

packages=(prometheus protobuf-compiler libprotobuf-dev golang-github-prometheus-client-model-dev)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
    apt-get update -qq
    # The package starts a server of its own on systems that start services; only the program is wanted.
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
fi
proto=$(dpkg -L golang-github-prometheus-client-model-dev | grep '/metrics\.proto$')
cargo build --release --locked -p atomik-metrics --features axum --example service
service=${CARGO_TARGET_DIR:-target}/release/examples/service

work=$(mktemp -d)
started=()
finish() {
    ((${#started[@]} == 0)) || kill "${started[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check prometheus_client==0.22.1

port=19190
scraped=19191
"$service" --port "$scraped" --seconds "$((seconds + 6))" --json >"$work/json" &
service_pid=$!
started+=("$service_pid")
cat >"$work/prometheus.yml" <<YAML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: service
    static_configs: [{targets: ['127.0.0.1:$scraped']}]
YAML

# server NAME PORT FLAG...: starts a server that stores in a folder of its own.
server() {
    local name=$1 at=$2
    shift 2
    prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/$name" \
        --web.listen-address="127.0.0.1:$at" --log.level=warn "$@" >"$work/$name.log" 2>&1 &
    started+=($!)
}
server text "$port"
server native "$((port + 10))" --enable-feature=native-histograms
sleep "$seconds"

fetch() { curl --silent --show-error --fail --header "Accept: $1" "http://127.0.0.1:$scraped/metrics"; }
fetch 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited' >"$work/protobuf"
fetch 'application/openmetrics-text;version=1.0.0' >"$work/openmetrics"
fetch 'text/plain' >"$work/text.txt"
"$work/venv/bin/python" ci/prometheus.py "$work" "$proto" "$port" "$((port + 10))"

wait "$service_pid"
started=("${started[@]:1}")
grep -q '"exact": true' "$work/json"
cat "$work/json"
if grep -h 'level=\(warn\|error\)' "$work"/*.log; then
    echo 'ci/prometheus.sh: a server complained' >&2
    exit 1
fi
version=$(prometheus --version 2>&1 | sed -n '1s/^prometheus, version \([^ ]*\).*/\1/p')
./ci/record-run.py "ci/prometheus.sh $seconds" \
    "Prometheus $version stored what the service counted; the official parsers read the other formats"
