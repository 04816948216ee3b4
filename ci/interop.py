#!/usr/bin/env python3
"""Exchanges deltas between a `DeltaStream` of the Python package atomik-core 0.4.0 and one in Rust.

ci/interop.sh passes the path of the example `interop`, which reads 16-byte messages from its standard input, applies
them, and answers each by a message of its own on its standard output.
"""

import random
import subprocess
import sys

from atomik_core import DeltaMessage, DeltaStream

ROUNDS = 2_000
ADDRESSES = 256

random.seed(1)
initial = [random.getrandbits(64) for _ in range(ADDRESSES)]
here = DeltaStream(width=64)
peer = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def read(count):
    data = peer.stdout.read(count)
    assert len(data) == count, f"the peer ended after {len(data)} of {count} bytes"
    return data


for addr, state in enumerate(initial):
    here.load(addr, state)
    peer.stdin.write(state.to_bytes(8, "big"))
for number in range(1, ROUNDS + 1):
    here.accum(random.randrange(ADDRESSES), random.getrandbits(64))
    for message in here.pending():
        assert message.seq == number
        peer.stdin.write(message.to_bytes())
    peer.stdin.flush()
    answer = DeltaMessage.from_bytes(read(16))
    assert answer.seq == number, (answer, number)
    here.apply(answer)
peer.stdin.close()
theirs = [int.from_bytes(read(8), "big") for _ in range(ADDRESSES)]
ours = [here.read(addr) for addr in range(ADDRESSES)]
assert peer.wait() == 0
assert ours == theirs, "the two sides differ"
assert ours != initial
print(f"{ROUNDS} messages each way between Python and Rust; all {ADDRESSES} states are equal")
