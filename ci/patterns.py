#!/usr/bin/env python3
"""Runs the Python programs of src/docs/patterns.rs, and looks for each name of the package in src/docs/python.rs.

ci/interop.sh runs this script with the package atomik-core 0.4.0 installed.
"""

import inspect
import pathlib
import re

import atomik_core

DOCS = pathlib.Path(__file__).resolve().parent.parent / "src" / "docs"


def sections(name):
    """The sections of a page: the heading, the prose, and the code blocks with their language."""
    found, block = [], None
    for line in (DOCS / name).read_text().splitlines():
        line = line.removeprefix("//!").removeprefix(" ")
        if line.startswith("```"):
            if block is None:
                block = (line.removeprefix("```"), [])
                found[-1][2].append(block)
            else:
                block = None
        elif block:
            block[1].append(line)
        elif line.startswith("# "):
            found.append((line.removeprefix("# "), [], []))
        elif found:
            found[-1][1].append(line)
    return found


def run_programs():
    count = 0
    for heading, _, blocks in sections("patterns.rs"):
        programs = ["\n".join(code) for language, code in blocks if language == "python"]
        assert programs, f"no Python program under {heading!r}"
        for program in programs:
            exec(compile(program, heading, "exec"), {"__name__": heading})
            count += 1
    return count


def members(public):
    """The public names of a class, and the fields of a data class, which have no default."""
    return {name for name in {*dir(public), *getattr(public, "__dataclass_fields__", ())} if not name.startswith("_")}


def missing_names():
    """The names of the package that the first column of no table has. A member stands in the section of its class."""
    columns = [
        " ".join(row.split("|")[1] for row in prose if row.startswith("| `"))
        for _, prose, _ in sections("python.rs")
    ]
    for name in atomik_core.__all__:
        own = [column for column in columns if re.search(rf"\b{name}\b", column)]
        if not own:
            yield name
        public = getattr(atomik_core, name, None)
        if own and inspect.isclass(public):
            for member in sorted(members(public)):
                if not re.search(rf"\b{member}\b", own[0]):
                    yield f"{name}.{member}"


missing = list(missing_names())
assert not missing, f"not on the page of names: {missing}"
print(f"{run_programs()} Python programs of the documentation ran, and all names of the package have a counterpart")
