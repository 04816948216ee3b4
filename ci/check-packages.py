#!/usr/bin/env python3
"""Builds the packages as they would be published, and checks what is in them.

- `cargo package` of all crates that can be published: each is built from its package alone, those that depend on
  another one with the packaged form of that one.
- No package has simulators or test files in it, and each file that the README links to is in its package.
- atomik-core has less than 420 KiB of files, without the lock file and the second manifest that cargo adds.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMITS = {"atomik-core": 420 * 1024}
ADDED = ("Cargo.lock", "Cargo.toml.orig")
NOT_SHIPPED = re.compile(r"(^|/)(tests?|simulator|faults?|mutants)(/|\.rs$)")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)[^)]*\)")


def cargo(*arguments, **options):
    return subprocess.run(["cargo", *arguments], cwd=ROOT, check=True, **options)


def package(packages, target):
    """Packages and builds them. An earlier run's sources and build results are removed first: cargo takes what has the
    same version, in a registry at the same path, for the same."""
    shutil.rmtree(target, ignore_errors=True)
    home = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    for crate in packages:
        # The names of registries without a host begin with a dash.
        for stale in home.glob(f"registry/*/-*/{crate['name']}-{crate['version']}*"):
            stale.unlink() if stale.is_file() else shutil.rmtree(stale)
    names = [argument for crate in packages for argument in ("--package", crate["name"])]
    cargo("package", "--locked", "--allow-dirty", "--quiet", "--target-dir", str(target), *names)


def main():
    listed = cargo("metadata", "--no-deps", "--locked", "--format-version", "1", capture_output=True)
    metadata = json.loads(listed.stdout)
    packages = [crate for crate in metadata["packages"] if crate["publish"] != []]
    target = pathlib.Path(metadata["target_directory"]) / "check-packages"
    package(packages, target)
    wrong = []
    for crate in packages:
        name, folder = crate["name"], f"{crate['name']}-{crate['version']}/"
        archive = target / "package" / f"{folder[:-1]}.crate"
        with tarfile.open(archive) as packed:
            files = {entry.name.removeprefix(folder): entry.size for entry in packed if entry.isfile()}
            readme = packed.extractfile(folder + "README.md").read().decode() if "README.md" in files else ""
        size = sum(size for file, size in files.items() if file not in ADDED)
        print(f"{name}: {len(files)} files, {size / 1000:.0f} KB, {archive.stat().st_size / 1000:.0f} KB packed")
        if size > LIMITS.get(name, size):
            wrong.append(f"{name} has {size} bytes of files, more than {LIMITS[name]}")
        wrong += [f"{name} has {file} in its package" for file in sorted(files) if NOT_SHIPPED.search(file)]
        needed = {"README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", *LINK.findall(readme)}
        for link in sorted(needed):
            if not any(file == link or file.startswith(link.rstrip("/") + "/") for file in files):
                wrong.append(f"{name} lacks {link}")
        for field in ("description", "license", "keywords", "categories"):
            if not crate[field]:
                wrong.append(f"{name} has no {field}")
        if not crate["metadata"] or "rs" not in crate["metadata"].get("docs", {}):
            wrong.append(f"{name} has no metadata for docs.rs")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
