#!/usr/bin/env python3
"""Plants faults in the core and in the replica one at a time; each must build, and then the integration test that is
named must fail.

    ci/test-faults.py                 plant every fault of ci/test-faults.toml
    ci/test-faults.py --only TEXT     only those whose description or test contains TEXT
    ci/test-faults.py --write         plant all, and put the results in the table of tests/README.md
    ci/test-faults.py --check         compares that table with the faults; plants none

Works on a copy in target/test-faults. First all these tests must pass there. Exits with 1 if a fault is not found or does
not build. A complete run is kept in ci/last-runs.md by RECORD=1, see ci/record-run.py.
"""

import argparse
import re
import subprocess
import sys

from planting import ROOT, Copy, Table, build_tests, read_faults

FAULTS = read_faults("ci/test-faults.toml")["fault"]
COPY = Copy("test-faults", ["crates/replica"], keep=["test"])
# The test that is not one of the core, and how it is built.
OTHERS = {"replica": ["-p", "atomik-replica", "--features", "damage"]}
TABLE = Table("tests/README.md", "test-faults")
FAILED = re.compile(r"^test (\S+) .*\bFAILED$", re.M)


def named(fault):
    """The test that must fail, as the table names it."""
    function = fault.get("function")
    return f"`{fault['test']}`" + (f" {function}" if function else "")


def build(test):
    """The test's program, or `None` after the compiler's errors were printed."""
    built, errors = build_tests(COPY.path, COPY.path / "target", *OTHERS.get(test, ["-p", "atomik-core"]), "--test", test)
    if built is None:
        print(errors, file=sys.stderr)
        return None
    return built[test]


def run(program):
    """Whether the test passed, and which of its functions failed. The folder is the one in which cargo runs tests."""
    done = subprocess.run([program], cwd=COPY.path, capture_output=True, text=True, timeout=600)
    return done.returncode == 0, FAILED.findall(done.stdout)


def plant(fault):
    """Whether the test that is named fails on a fault, and the function that is named with it."""
    with COPY.planted(fault["files"]):
        program = build(fault["test"])
        passed, failed = (True, []) if program is None else run(program)
    found = not passed and ("function" not in fault or fault["function"] in failed)
    verdict = "DOES NOT BUILD" if program is None else "found    " if found else "NOT FOUND"
    print(f"{verdict}  {fault['what']}: {', '.join(failed) or fault['test']}", flush=True)
    return found


def check():
    expected, rows = {fault["what"]: named(fault) for fault in FAULTS}, TABLE.rows()
    if wrong := set(expected.items()) ^ set(rows.items()):
        sys.exit("\n".join(f"tests/README.md: only in its table, or not there: {row}" for row in sorted(wrong)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.check:
        return check()
    COPY.refresh("src", "tests", "ci/crates/probe", "crates/replica")
    chosen = [fault for fault in FAULTS if given.only in fault["what"] or given.only in fault["test"]]
    for test in dict.fromkeys(fault["test"] for fault in chosen):
        program = build(test)
        if program is None or not run(program)[0]:
            sys.exit(f"the test {test} fails without any fault")
    found = [plant(fault) for fault in chosen]
    summary = f"{sum(found)} of {len(chosen)} faults found"
    print(summary, flush=True)
    if not given.only and all(found):
        subprocess.run([ROOT / "ci/record-run.py", "ci/test-faults.py", summary], check=True)
        if given.write:
            TABLE.write(("fault", "a test that fails"), [(fault["what"], named(fault)) for fault in FAULTS])
    sys.exit(not all(found))


if __name__ == "__main__":
    main()
