#!/usr/bin/env python3
"""Makes tests/golden.rs: values that the Rust code must give, from sources that share no code with it.

- Wire messages and fold fingerprints come from the Python package atomik-core 0.4.0.
- Fingerprints come from the definition in the docs of `Fingerprint`, on Python's big integers.

Called by ci/golden.sh, which provides the package.
"""

import atomik_core
from atomik_core import DeltaMessage, Fingerprint

MASK = (1 << 64) - 1
BLOCK = 1024


def patterned(length):
    """Data that the Rust test makes too: byte i is the high byte of (i + 1) * 0x9E3779B1 mod 2**32."""
    return bytes(((i + 1) * 0x9E3779B1 & 0xFFFFFFFF) >> 24 for i in range(length))


def key(seed, n):
    z = (seed + (n + 1) * 0x9E3779B97F4A7C15) & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def multiply(a, b):
    """The product of two polynomials over GF(2)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = a << 1, b >> 1
    return product


def remainder(product):
    """Modulo x^64 + x^4 + x^3 + x + 1, by long division."""
    modulus = (1 << 64) | 0b11011
    while product.bit_length() > 64:
        product ^= modulus << (product.bit_length() - 65)
    return product


def positional(seed, data):
    padded = data + b"\0" * (-len(data) % 8)
    words = [int.from_bytes(padded[i : i + 8], "little") for i in range(0, len(padded), 8)]
    total = multiply(len(data), key(seed, BLOCK))
    for block in range(0, len(words), BLOCK):
        bits = 0
        for j, word in enumerate(words[block : block + BLOCK]):
            bits ^= multiply(word, key(seed, j))
        n = BLOCK + 1 + 2 * (block // BLOCK)
        total ^= multiply(bits & MASK, key(seed, n)) ^ multiply(bits >> 64, key(seed, n + 1))
    return remainder(total)


def rows(name, doc, kind, lines):
    print(f"\n/// {doc}\npub(crate) const {name}: &[{kind}] = &[")
    for line in lines:
        print(f"    {line},")
    print("];")


LENGTHS = [0, 1, 7, 8, 9, 16, 63, 64, 65, 1000, 8191, 8192, 8193, 20000]
MESSAGES = [
    (0, 0, 0),
    (1, 0xCAFE, 7),
    (0xFFFFFFFF, MASK, 0xFFFFFFFF),
    (0x01020304, 0x05060708090A0B0C, 0x0D0E0F10),
    (0x80000000, 1 << 63, 0x80000000),
]

assert atomik_core.__version__ == "0.4.0", atomik_core.__version__
print("//! Golden values. Made by `ci/golden.sh`; do not edit.")
rows(
    "MESSAGES",
    "addr, delta, seq, and the bytes that the Python package makes of them.",
    "(u32, u64, u32, [u8; 16])",
    (
        f"({a:#x}, {d:#x}, {s:#x}, {list(DeltaMessage(addr=a, delta=d, seq=s).to_bytes())})"
        for a, d, s in MESSAGES
    ),
)
rows(
    "FOLDS",
    "The length of patterned data, and the Python package's fingerprint of them.",
    "(usize, u64)",
    (f"({n}, {Fingerprint().load(patterned(n)):#018x})" for n in LENGTHS),
)
rows(
    "FINGERPRINTS",
    "A seed, the length of patterned data, and their positional fingerprint.",
    "(u64, usize, u64)",
    (f"({s:#x}, {n}, {positional(s, patterned(n)):#018x})" for s in (0, 0xA70311C) for n in LENGTHS),
)
