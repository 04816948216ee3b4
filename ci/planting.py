"""What the scripts that plant faults share: faults as edits of files, a copy of the tree, builds, and tables of results.

A fault in a TOML file says `what` it is, and replaces `old` in `file` by `new`; with several such edits, each is an
`[[fault.edit]]`. The old text stands in its file exactly once, so a fault that no longer fits the code is noticed.
"""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def read_faults(path):
    """The content of a TOML file of faults. Each fault gets `files`: the new texts of the files that it changes."""
    content = tomllib.loads((ROOT / path).read_text())
    for fault in content["fault"]:
        fault["files"] = {}
        for edit in fault.get("edit", [fault]):
            file = edit["file"]
            text = fault["files"].get(file) or (ROOT / file).read_text()
            if text.count(edit["old"]) != 1:
                sys.exit(f"{path}: {file} has the old text of {fault['what']!r} {text.count(edit['old'])} times")
            fault["files"][file] = text.replace(edit["old"], edit["new"])
    return content


def build_tests(folder, target, *options):
    """The programs that `cargo test` with these options builds in a folder, by name. Or `None`, and the errors."""
    command = ["cargo", "test", "--no-run", "--message-format", "json", "--quiet", "--target-dir", str(target), *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        errors = [line["message"]["rendered"] for line in lines if line.get("reason") == "compiler-message"]
        return None, "".join(errors) + done.stderr
    built = [line for line in lines if line.get("reason") == "compiler-artifact" and line.get("executable")]
    return {line["target"]["name"]: line["executable"] for line in built}, ""


class Copy:
    """A copy of the packages of this workspace that a script needs, in a folder under target. Of the root package's
    manifest only the targets of the kinds in `keep` are kept."""

    def __init__(self, folder, members, keep=()):
        self.path, self.members = ROOT / "target" / folder, members
        self.left_out = "|".join({"bench", "bin", "example", "test"} - set(keep))

    def refresh(self, *folders):
        for folder in folders:
            shutil.rmtree(self.path / folder, ignore_errors=True)
            # With new times, or cargo would take what the last fault left for up to date.
            ignore = shutil.ignore_patterns("target")
            shutil.copytree(ROOT / folder, self.path / folder, ignore=ignore, copy_function=shutil.copyfile)
        manifest = (ROOT / "Cargo.toml").read_text()
        manifest = re.sub(r"(?ms)^(default-)?members = \[.*?\]\n", "", manifest)
        members = ", ".join(f'"{member}"' for member in self.members)
        manifest = manifest.replace("[workspace]\n", f"[workspace]\nmembers = [{members}]\n", 1)
        manifest = re.sub(rf"(?ms)^\[(\[({self.left_out})\]\]).*?(?=^\[|\Z)", "", manifest)
        (self.path / "Cargo.toml").write_text(manifest)
        shutil.copy(ROOT / "Cargo.lock", self.path)

    @contextlib.contextmanager
    def planted(self, files):
        """The copy with these files changed, for as long as the context lasts."""
        unplanted = {file: (self.path / file).read_text() for file in files}
        try:
            for file, text in files.items():
                (self.path / file).write_text(text)
            yield
        finally:
            for file, text in unplanted.items():
                (self.path / file).write_text(text)


class Table:
    """A table in a Markdown file, between two comments with its name."""

    def __init__(self, path, name):
        self.path = ROOT / path
        self.begin, self.end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"

    def rows(self):
        """The rows as a mapping from the first column to the others."""
        text = self.path.read_text()
        inside = text[text.index(self.begin) : text.index(self.end)]
        rows = [row.strip("| ").split(" | ") for row in inside.splitlines() if row.startswith("| ")]
        return {row[0]: row[1] if len(row) == 2 else tuple(row[1:]) for row in rows[1:]}

    def write(self, head, rows):
        text = self.path.read_text()
        lines = "".join(f"| {' | '.join(row)} |\n" for row in [head, *rows])
        head_line, _, rest = lines.partition("\n")
        table = f"{head_line}\n|{'---|' * len(head)}\n{rest}"
        self.path.write_text(text[: text.index(self.begin)] + self.begin + table + text[text.index(self.end) :])
