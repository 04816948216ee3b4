#!/usr/bin/env python3
"""Plants faults in the replica one at a time; each must build, and then the simulator must find it.

    ci/simulator-faults.py                 plant every fault of ci/simulator-faults.toml
    ci/simulator-faults.py --only TEXT     only those whose description contains TEXT
    ci/simulator-faults.py --seeds N       with N seeds instead of 1,000
    ci/simulator-faults.py --write         plant all, and put the results in the table of crates/replica/tests/README.md
    ci/simulator-faults.py --check         compares that table with the faults; plants none

Works on a copy in target/simulator-faults. Exits with 1 if a fault is not found or does not build. A complete run is kept
in ci/last-runs.md by RECORD=1, see ci/record-run.py.
"""

import argparse
import os
import re
import subprocess
import sys

from planting import ROOT, Copy, Table, build_tests, read_faults

FAULTS = read_faults("ci/simulator-faults.toml")["fault"]
COPY = Copy("simulator-faults", ["crates/replica"])
TABLE = Table("crates/replica/tests/README.md", "simulator-faults")
FAILED_SEED = re.compile(r"\bseed (\d+): ")


def build():
    """The executable of the simulator, or the compiler's errors."""
    options = ["--release", "--offline", "-p", "atomik-replica", "--features", "damage", "--test", "simulator"]
    options += ["--config", "profile.release.debug=false", "--config", "profile.release.incremental=true"]
    built, errors = build_tests(COPY.path, COPY.path / "target", *options)
    return (built["simulator"], "") if built else (None, errors)


def simulate(executable, seeds):
    """The first seed that fails, if any does."""
    environment = os.environ | {"ATOMIK_SEEDS": str(seeds), "ATOMIK_SHRINKS": "0"}
    done = subprocess.run([executable], env=environment, capture_output=True, text=True)
    failed = [int(seed) for seed in FAILED_SEED.findall(done.stdout + done.stderr)]
    if done.returncode and not failed:
        sys.exit(f"the simulator failed in another way than by a seed:\n{done.stdout}{done.stderr}")
    return min(failed, default=None)


def plant(fault, seeds):
    """The first seed that fails with a fault. `None` if no seed does, or if the fault does not build."""
    with COPY.planted(fault["files"]):
        executable, errors = build()
        if executable is None:
            print(f"DOES NOT BUILD  {fault['what']}:\n{errors}", flush=True)
            return None
        # Most faults are found in few seeds.
        few = min(seeds, 50)
        seed = simulate(executable, few)
        if seed is None and seeds > few:
            seed = simulate(executable, seeds)
    print(f"{'NOT FOUND' if seed is None else f'by seed {seed:<4}'}  {fault['what']}", flush=True)
    return seed


def check():
    names, rows = {fault["what"] for fault in FAULTS}, TABLE.rows()
    if wrong := names ^ rows.keys():
        sys.exit("\n".join(f"crates/replica/tests/README.md: only in its table, or not there: {name}" for name in wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.check:
        return check()
    COPY.refresh("src", "crates/replica")
    executable, errors = build()
    if executable is None:
        sys.exit(errors)
    if (seed := simulate(executable, given.seeds)) is not None:
        sys.exit(f"the simulator fails without any fault, by seed {seed}")
    chosen = [fault for fault in FAULTS if given.only in fault["what"]]
    results = {fault["what"]: plant(fault, given.seeds) for fault in chosen}
    missed = [what for what, seed in results.items() if seed is None]
    found = f"{len(chosen) - len(missed)} of {len(chosen)} faults found"
    print(found, flush=True)
    if not given.only and not missed:
        subprocess.run([ROOT / "ci/record-run.py", "ci/simulator-faults.py", found], check=True)
    if given.write and not given.only and not missed:
        TABLE.write(("fault", "found by seed"), [(what, str(seed)) for what, seed in results.items()])
    sys.exit(len(missed) > 0)


if __name__ == "__main__":
    main()
