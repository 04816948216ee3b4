#!/usr/bin/env bash
# Uses all but replicas at once for some minutes, with a known outcome.
#
#   ci/soak.sh [MINUTES]            as it is; default 5
#   ci/soak.sh [MINUTES] address    under AddressSanitizer: must pass
#   ci/soak.sh [MINUTES] thread     under ThreadSanitizer: advisory, since std is not instrumented here
#
# The sanitizers need a nightly toolchain and run a planted fault first, which they must find.
set -euo pipefail
cd "$(dirname "$0")/crates/soak"

minutes=${1:-5}
sanitizer=${2:-none}
seconds=$(awk "BEGIN { print int($minutes * 60) }")
if [ "$sanitizer" = none ]; then
    exec cargo run --release --locked --quiet -- "$seconds"
fi

target=$(rustc -vV | sed -n 's/^host: //p')
flags="-Zsanitizer=$sanitizer"
fault=use-after-free
if [ "$sanitizer" = thread ]; then
    flags+=' -Cunsafe-allow-abi-mismatch=sanitizer'
    fault=race
fi
folder=$PWD/target/$sanitizer
RUSTFLAGS=$flags cargo +nightly build --release --locked --quiet --target "$target" --target-dir "$folder"
soak=$folder/$target/release/atomik-soak

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if "$soak" $fault >"$log" 2>&1 || ! grep -q "Sanitizer: " "$log"; then
    echo "the sanitizer did not find the planted $fault" >&2
    exit 1
fi
echo "the planted $fault was found: $(grep -m1 'Sanitizer: ' "$log")"
"$soak" "$seconds"
