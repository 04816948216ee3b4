#!/usr/bin/env python3
"""Proves, for all 64-bit words, what the library takes for granted; called by ci/prove-algebra.sh.

Each claim is given twice: as the library relies on it, which must hold for all words (its negation has no model),
and broken in one place, which must not. Exits with 1 if a claim can't be proved or a broken one can.
"""

import sys

from z3 import BoolVal, BitVec, BitVecVal, Concat, Extract, If, LShR, Not, Or, Solver, UGE, ZeroExt, unsat, sat

W = 64
ZERO = BitVecVal(0, W)


def words(names):
    return [BitVec(name, W) for name in names.split()]


a, b, c, d = words("a b c d")
GROUPS = {
    "Xor": (lambda x, y: x ^ y, lambda x: x),
    "Add": (lambda x, y: x + y, lambda x: -x),
}


def saturating(x, y):
    total = x + y
    return If(UGE(total, x), total, BitVecVal(2**W - 1, W))


def laws(name, compose, invert):
    """The group laws, each with a broken variant: another operation, or the inverse left out."""
    delta = lambda old, new: compose(invert(old), new)
    rotated = lambda x, y: compose(x, Concat(Extract(W - 2, 0, y), Extract(W - 1, W - 1, y)))
    yield f"{name}: associative", compose(compose(a, b), c) == compose(a, compose(b, c)), (
        rotated(rotated(a, b), c) == rotated(a, rotated(b, c))
    )
    yield f"{name}: commutative", compose(a, b) == compose(b, a), rotated(a, b) == rotated(b, a)
    yield f"{name}: identity", compose(a, ZERO) == a, compose(a, BitVecVal(1, W)) == a
    yield f"{name}: inverse", compose(a, invert(a)) == ZERO, compose(a, invert(~a)) == ZERO
    yield f"{name}: delta leads from old to new", compose(a, delta(a, b)) == b, compose(a, delta(b, a)) == b + 1
    yield f"{name}: rollback after others' deltas", (
        compose(compose(compose(a, b), c), invert(b)) == compose(a, c)
    ), saturating(saturating(saturating(a, b), c), -b) == saturating(a, c)
    # Reads r0 = a, r1 = b, r2 = c of one observer: its epochs compose to what lies between first and last.
    yield f"{name}: epochs telescope", (
        compose(delta(a, b), delta(b, c)) == delta(a, c)
    ), compose(delta(a, b), delta(d, c)) == delta(a, c)


def lanes(name, compose):
    """Eight words in a 512-bit register, as the kernels hold them."""
    xs = words("x0 x1 x2 x3 x4 x5 x6 x7")
    ys = words("y0 y1 y2 y3 y4 y5 y6 y7")
    one = lambda values: Concat(*reversed(values))
    lane = lambda vector, i: Extract(64 * i + 63, 64 * i, vector)
    wide = lambda x, y: compose(x, y)
    if name == "Xor":
        right = wide(one(xs), one(ys)) == one([compose(x, y) for x, y in zip(xs, ys)])
        wrong = wide(one(xs), one(ys)) == one([compose(x, y) for x, y in zip(xs, ys[1:] + ys[:1])])
    else:
        # Lane by lane: a carry must not leave its lane, as it does in one wide addition.
        right = one([compose(lane(one(xs), i), lane(one(ys), i)) for i in range(8)]) == one(
            [compose(x, y) for x, y in zip(xs, ys)]
        )
        wrong = wide(one(xs), one(ys)) == one([compose(x, y) for x, y in zip(xs, ys)])
    yield f"{name}: accum, lane by lane", right, wrong

    def fold(values):
        total = ZERO
        for value in values:
            total = compose(total, value)
        return total

    # Two registers of four lanes, then halves: the order in which a vector fold composes.
    halves = [compose(xs[i], xs[i + 4]) for i in range(4)]
    tree = compose(compose(halves[0], halves[2]), compose(halves[1], halves[3]))
    twice = compose(compose(halves[0], halves[2]), compose(halves[1], halves[1]))
    yield f"{name}: fold in a tree", tree == fold(xs), twice == fold(xs)


def comparisons():
    xs, ys = words("x0 x1 x2 x3"), words("y0 y1 y2 y3")
    differences = [x ^ y for x, y in zip(xs, ys)]
    any_of = differences[0] | differences[1] | differences[2] | differences[3]
    all_of = differences[0] ^ differences[1] ^ differences[2] ^ differences[3]
    differ = Or(*[x != y for x, y in zip(xs, ys)])
    yield "equal: the OR of the XORs is zero", (any_of == ZERO) == Not(differ), (all_of == ZERO) == Not(differ)
    # An equality of 64-bit lanes from one of 32-bit halves, as SSE2 has it: both halves.
    low, high = Extract(31, 0, a) == Extract(31, 0, b), Extract(63, 32, a) == Extract(63, 32, b)
    yield "equal: a word by its halves", If(low, high, False) == (a == b), Or(low, high) == (a == b)


def fingerprints():
    """The positional fingerprint is linear over XOR: multiplication in GF(2)[x] and reduction are."""

    shift, bit = BitVec("shift", 2 * W), BitVec("bit", 1)

    def partial(x):
        """What one bit of the key contributes to the product with x: the product is the XOR of these."""
        return If(bit == 1, ZeroExt(W, x) << shift, BitVecVal(0, 2 * W))

    yield "fingerprint: each partial product of a delta", (
        partial(a ^ b) == partial(a) ^ partial(b)
    ), partial(a + b) == partial(a) ^ partial(b)

    # The reduction is made of shifts and XORs, so it is linear if a shift is, and right if it is for each power.
    p, q = BitVec("p", 2 * W), BitVec("q", 2 * W)
    yield "fingerprint: a shift of a delta", LShR(p ^ q, shift) == LShR(p, shift) ^ LShR(q, shift), (
        LShR(p + q, shift) == LShR(p, shift) + LShR(q, shift)
    )
    powers = [1 << degree for degree in range(2 * W - 1)]
    yield "fingerprint: reduction by folding twice", (
        BoolVal(all(folded(power, 2) == remainder(power) for power in powers))
    ), BoolVal(all(folded(power, 1) == remainder(power) for power in powers))


def folded(product, times):
    """Modulo x^64 + x^4 + x^3 + x + 1, by folding the high half onto the low one."""
    for _ in range(times):
        high, low = product >> W, product % 2**W
        product = low ^ high ^ (high << 1) ^ (high << 3) ^ (high << 4)
    return product


def remainder(product):
    """The same by long division."""
    while product.bit_length() > W:
        product ^= (1 << W | 0b11011) << (product.bit_length() - W - 1)
    return product


def decide(claim):
    solver = Solver()
    solver.set("timeout", 30_000)
    solver.add(Not(claim))
    return solver.check()


def main():
    claims = []
    for name, (compose, invert) in GROUPS.items():
        claims += [*laws(name, compose, invert), *lanes(name, compose)]
    claims += [*comparisons(), *fingerprints()]
    failures = 0
    for name, claim, broken in claims:
        holds, refuted = decide(claim) == unsat, decide(broken) == sat
        failures += not (holds and refuted)
        print(f"{'proved' if holds else 'NOT PROVED':10} {'refuted' if refuted else 'NOT REFUTED':11} {name}", flush=True)
    print(f"{len(claims)} claims proved, and as many broken ones refuted" if not failures else f"{failures} fail")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
