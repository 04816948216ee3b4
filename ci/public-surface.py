#!/usr/bin/env python3
"""Compares the public items of the published crates with ci/public-surface/, so that a change of them is seen.

    ci/public-surface.py            compare
    ci/public-surface.py --write    accept the items as they are now

The items are read from the pages that rustdoc writes, with all features: types, functions and constants with their
signatures, methods, trait implementations, and the automatic traits that a user relies on.
"""

import difflib
import html
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEPT = ROOT / "ci" / "public-surface"
# Traits that no user can name.
UNSTABLE = ("StructuralPartialEq",)
AUTOMATIC = ("Send", "Sync", "Unpin", "UnwindSafe", "RefUnwindSafe")
DECLARATION = re.compile(r'<pre class="rust item-decl">(.*?)</pre>', re.S)
# An implementation, an item of one, or the start of a list of them.
PART = re.compile(
    r'<div id="(?P<list>[\w-]+-list)">|<h2 id="deref-methods|'
    r'<(?P<level>h[34]) class="code-header">(?P<code>.*?)</(?P=level)>',
    re.S,
)


def plain(code):
    """The text of a piece of a page on one line."""
    code = re.sub(r"<summary.*?</summary>", "", code, flags=re.S)
    code = re.sub(r'<div class="(where|code-attribute)">|</div>', " ", code)
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", code)))
    text = text.replace("( ", "(").replace(", )", ")").replace("ⓘ", "")
    return text.strip().rstrip(",")


def traits_together(headers):
    """Implementations of several traits by the same type on one line."""
    found = {}
    for header in headers:
        at, depth = len("impl"), 0
        while at < len(header) and (depth or header[at] != " "):
            depth += (header[at] == "<") - (header[at] == ">" and header[at - 1] != "-")
            at += 1
        trait, _, implementer = header[at + 1 :].partition(" for ")
        if trait not in UNSTABLE:
            found.setdefault((header[:at], implementer), []).append(trait)
    return [f"{start} {', '.join(traits)} for {implementer}" for (start, implementer), traits in sorted(found.items())]


def implementations(page):
    """Each implementation with the items in it; trait implementations with their associated types alone."""
    found, kind = {}, None
    for part in PART.finditer(page):
        if part["list"]:
            kind = part["list"].removesuffix("-list")
        elif not part["code"]:
            kind = None
        elif kind in ("implementations", "trait-implementations", "synthetic-implementations"):
            code = plain(part["code"])
            if part["level"] == "h3":
                automatic = re.search(r" !?(\w+) for ", code) if kind.startswith("synthetic") else None
                items = None if automatic and automatic[1] not in AUTOMATIC else found.setdefault(code, [])
            elif items is not None and (kind == "implementations" or code.startswith("type ")):
                items.append(code)
    return found


def surface(docs):
    """The items of a crate, one a line."""
    lines = []
    links = re.findall(r'<li><a href="([^"]+)">', (docs / "all.html").read_text())
    items = {re.sub(r"\w+\.(\w+)\.html$", r"\1", link).replace("/", "::"): docs / link for link in links}
    for path, file in sorted(items.items()):
        page = file.read_text()
        lines.append(f"{path}: {plain(DECLARATION.search(page)[1])}")
        found = sorted(implementations(page).items())
        for header, items in found:
            if items or " for " not in header:
                lines.append(f"    {header}")
                lines += [f"        {item}" for item in sorted(items)]
        headers = [header for header, items in found if not items and " for " in header]
        lines += [f"    {line}" for line in traits_together(headers)]
    return lines


def published():
    """The names of the workspace's packages that can be published."""
    listed = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--locked", "--format-version", "1"], cwd=ROOT, capture_output=True, check=True
    )
    metadata = json.loads(listed.stdout)
    names = sorted(package["name"] for package in metadata["packages"] if package["publish"] != [])
    return names, pathlib.Path(metadata["target_directory"])


def main():
    names, target = published()
    chosen = [argument for name in names for argument in ("--package", name)]
    flags = os.environ | {"RUSTDOCFLAGS": "-D warnings"}
    subprocess.run(
        ["cargo", "doc", "--no-deps", "--all-features", "--locked", "--quiet", *chosen], cwd=ROOT, env=flags, check=True
    )
    changed = False
    for name in names:
        now = surface(target / "doc" / name.replace("-", "_"))
        kept = KEPT / f"{name}.txt"
        before = kept.read_text().splitlines() if kept.exists() else []
        if sys.argv[1:] == ["--write"]:
            KEPT.mkdir(exist_ok=True)
            kept.write_text("\n".join(now) + "\n")
        elif now != before:
            changed = True
            print("\n".join(difflib.unified_diff(before, now, f"{name}, as kept", f"{name}, as it is", n=1, lineterm="")))
    if changed:
        sys.exit("The public surface has changed. If that is meant, run ci/public-surface.py --write.")


if __name__ == "__main__":
    main()
