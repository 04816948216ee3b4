#!/usr/bin/env bash
# Uses everything but replicas at once for some minutes; the outcome is known.
#
#   ci/soak.sh [MINUTES]            as it is; 5 minutes by default
#   ci/soak.sh [MINUTES] address    under AddressSanitizer, with a nightly toolchain
#
# The sanitizer first runs a planted use after free, which it must find. ci/thread-sanitizer.sh runs the soak under
# ThreadSanitizer. Results are kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
set -euo pipefail
ci=$(cd "$(dirname "$0")" && pwd)
cd "$ci/crates/soak"

minutes=${1:-5}
sanitizer=${2:-none}
seconds=$(awk "BEGIN { print int($minutes * 60) }")
log=$(mktemp)
trap 'rm -f "$log"' EXIT

case $sanitizer in
    none)
        cargo run --release --locked --quiet -- "$seconds" | tee "$log"
        "$ci/record-run.py" "ci/soak.sh $minutes" "$(tail -n 1 "$log")"
        ;;
    address)
        target=$(rustc -vV | sed -n 's/^host: //p')
        folder=$PWD/target/address
        RUSTFLAGS=-Zsanitizer=address \
            cargo +nightly build --release --locked --quiet --target "$target" --target-dir "$folder"
        soak=$folder/$target/release/atomik-soak
        if "$soak" use-after-free >"$log" 2>&1 || ! grep -q 'Sanitizer: ' "$log"; then
            echo 'AddressSanitizer did not find the planted use after free' >&2
            exit 1
        fi
        echo "found, as planted: $(grep -m1 'Sanitizer: ' "$log")"
        "$soak" "$seconds" | tee "$log"
        "$ci/record-run.py" "ci/soak.sh $minutes address" "$(tail -n 1 "$log"); no report but the planted one"
        ;;
    *)
        sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2
        exit 2
        ;;
esac
