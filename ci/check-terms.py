#!/usr/bin/env python3
"""Looks for words and phrases that the project has agreed not to use; ci/terms.txt lists them.

A space in a phrase also matches a line break, with the comment marker that follows it. Of the comments in Rust files,
patterns for code look at what stands in backticks.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIST = ROOT / "ci" / "terms.txt"
LEFT_OUT = (":!ci/terms.txt", ":!*Cargo.lock", ":!benches/record")
BREAK = r"\s+(?:(?://[/!]?|#+|\||>)\s+)?"


def terms():
    """Each term of the list: the kind of file, the pattern and what to say instead."""
    for number, line in enumerate(LIST.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("->")]
        kind, _, pattern = fields[0].partition(" ")
        if len(fields) != 2 or kind not in ("code", "prose"):
            sys.exit(f"ci/terms.txt:{number}: not `code PATTERN -> INSTEAD` or `prose PATTERN -> INSTEAD`")
        yield kind, re.compile(BREAK.join(pattern.strip().split(" "))), fields[1]


def without_prose(text):
    """Rust source of the same length, with comments blanked but for what stands in backticks."""
    quoted = re.compile(r"(`[^`\n]*`)|[^`]")
    return re.sub(r"//[^\n]*", lambda comment: quoted.sub(lambda part: part[1] or " ", comment[0]), text)


def main():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", ".", *LEFT_OUT],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    agreed, found = list(terms()), 0
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if not file.is_file():
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        for kind, pattern, instead in agreed:
            if kind == "code" and file.suffix != ".rs":
                continue
            for match in pattern.finditer(without_prose(text) if kind == "code" else text):
                line = text.count("\n", 0, match.start()) + 1
                print(f"{name}:{line}: {' '.join(match[0].split())!r}: say {instead}")
                found += 1
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
