#!/usr/bin/env python3
"""Builds the packages as they would be published, and checks what is in them.

- `cargo package` of all crates that can be published: each is built from its package alone, those that depend on
  another one with the packaged form of that one.
- No package has simulators or test files in it, and each file that the README links to is in its package.
- atomik-core unpacks to less than 400 KiB, as cargo counts: with the lock file and the second manifest that it adds.
"""

import json
import pathlib
import re
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMITS = {"atomik-core": 400 * 1024}
NOT_SHIPPED = re.compile(r"(^|/)(tests?|simulator|faults?|mutants)(/|\.rs$)")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)[^)]*\)")


def cargo(*arguments, **options):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, **options)


def main():
    listed = cargo("metadata", "--no-deps", "--locked", "--format-version", "1", capture_output=True)
    metadata = json.loads(listed.stdout)
    packages = [package for package in metadata["packages"] if package["publish"] != []]
    names = [argument for package in packages for argument in ("--package", package["name"])]
    cargo("package", "--locked", "--allow-dirty", "--quiet", *names)
    wrong = []
    for package in packages:
        name, folder = package["name"], f"{package['name']}-{package['version']}/"
        archive = pathlib.Path(metadata["target_directory"]) / "package" / f"{folder[:-1]}.crate"
        with tarfile.open(archive) as crate:
            files = {entry.name.removeprefix(folder): entry.size for entry in crate if entry.isfile()}
            readme = crate.extractfile(folder + "README.md").read().decode() if "README.md" in files else ""
        size = sum(files.values())
        print(f"{name}: {len(files)} files, {size / 1024:.0f} KiB unpacked, {archive.stat().st_size / 1024:.0f} KiB packed")
        if size > LIMITS.get(name, size):
            wrong.append(f"{name} unpacks to {size} bytes, more than {LIMITS[name]}")
        wrong += [f"{name} has {file} in its package" for file in sorted(files) if NOT_SHIPPED.search(file)]
        needed = {"README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", *LINK.findall(readme)}
        for link in sorted(needed):
            if not any(file == link or file.startswith(link.rstrip("/") + "/") for file in files):
                wrong.append(f"{name} lacks {link}")
        for field in ("description", "license", "keywords", "categories"):
            if not package[field]:
                wrong.append(f"{name} has no {field}")
        if not package["metadata"] or "rs" not in package["metadata"].get("docs", {}):
            wrong.append(f"{name} has no metadata for docs.rs")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
