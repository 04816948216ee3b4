#!/usr/bin/env python3
"""Prints the result of a check that is not part of the test command, as a row of ci/last-runs.md.

    ci/record-run.py COMMAND RESULT    called by a script when its check has passed
    ci/record-run.py --check           is the table well formed, and are its commands still there?

With RECORD=1 in the environment the row takes the place of the last one of the same command, or is added. The date is
today's; the commit is the one that is checked out, with a + if the work tree differs from it.
"""

import datetime
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "ci" / "last-runs.md"
ROW = re.compile(r"\| `(?P<command>[^`|\n]+)` \| (?P<result>[^|\n]+) \| (?P<date>\d{4}-\d\d-\d\d) \| `(?P<commit>[0-9a-f]{7,}\+?)` \|")


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def commit():
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!ci/last-runs.md")
    return git("rev-parse", "--short=7", "HEAD").strip() + ("+" if changed else "")


def record(command, result):
    row = f"| `{command}` | {result} | {datetime.date.today()} | `{commit()}` |"
    print(row)
    if not ROW.fullmatch(row):
        sys.exit("this is no row of ci/last-runs.md: a cell is empty or has a | or a line break in it")
    if not os.environ.get("RECORD"):
        return
    lines = TABLE.read_text().splitlines()
    last = [at for at, line in enumerate(lines) if line.startswith(f"| `{command}` |")]
    if last:
        lines[last[0]] = row
    else:
        lines.append(row)
    TABLE.write_text("\n".join(lines) + "\n")


def check():
    wrong = []
    for line in TABLE.read_text().splitlines():
        if not line.startswith("| `"):
            continue
        row = ROW.fullmatch(line)
        if not row:
            wrong.append(f"no row: {line}")
            continue
        script = row["command"].split()[0]
        if script.startswith("ci/") and not (ROOT / script).exists():
            wrong.append(f"no such script: {script}")
    if wrong:
        sys.exit("ci/last-runs.md:\n" + "\n".join(wrong))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--check"]:
            check()
        case [command, result]:
            record(command, result)
        case _:
            sys.exit(__doc__)
