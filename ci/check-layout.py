#!/usr/bin/env python3
"""Compares the tree in DEVELOPMENT.md with the files, and the imports with the order of the tree.

1. Each path of the tree exists. Each file and folder at the top is in the tree, and a folder whose contents are listed
   there is listed completely, tests apart.
2. The layer rule: a source file imports only from files that stand above it in the tree. An import of a name that
   another module re-exports counts as one from the file that defines the name. Test code is exempt.
3. A package depends only on packages of this workspace that stand above it.

In the tree, a line is a path, relative to the folder that it is indented under, then two spaces and a description. A
line may name several paths, with commas between them. They are one layer, as is a folder without contents: files of
one layer may import each other.
"""

import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = re.compile(r"## Layout\n.*?```text\n(.*?)```", re.S)


class Tree:
    """The layout as DEVELOPMENT.md tells it: the paths with their line numbers."""

    def __init__(self, text):
        self.lines = {}
        folders = []
        for number, line in enumerate(TREE.search(text)[1].splitlines()):
            depth = (len(line) - len(line.lstrip())) // 2
            del folders[depth:]
            names = re.split(r"\s{2,}", line.strip())[0].split(", ")
            for name in names:
                self.lines["".join(folders) + name] = number
            folders.append(names[0])

    def rank(self, path):
        """The line of a file, or that of the innermost folder that holds it."""
        holders = [path, *(f"{parent}/" for parent in pathlib.PurePosixPath(path).parents)]
        return next((self.lines[holder] for holder in holders if holder in self.lines), None)

    def has_contents(self, folder):
        return any(path.startswith(folder) and path != folder for path in self.lines)


def packages_of(tree, files):
    """The folders of the tree that hold a library, each with its modules."""
    folders = sorted(path for path in tree.lines if path.endswith("src/") and f"{path}lib.rs" in files)
    return {folder: modules(folder, files) for folder in folders}


def check_paths(tree, files, packages):
    for path in tree.lines:
        if not (path in files or any(file.startswith(path) for file in files if path.endswith("/"))):
            yield f"DEVELOPMENT.md: there is no {path}"
    built = {module.file for package in packages.values() for module in package.values()}
    tests = {file for file in files if file.startswith(tuple(packages)) and file not in built}
    missing = set()
    for file in files - tests:
        folder = ""
        for part in pathlib.PurePosixPath(file).parts:
            path = folder + part + ("" if folder + part == file else "/")
            if path not in tree.lines and not tree.has_contents(path):
                missing.add(path)
            folder = path
            if not tree.has_contents(path):
                break
    for path in sorted(missing):
        yield f"DEVELOPMENT.md: the tree lacks {path}"


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def closing(code, at):
    """Where the brace at `at` is closed."""
    depth = 0
    for end in range(at, len(code)):
        depth += (code[end] == "{") - (code[end] == "}")
        if depth == 0:
            return end
    return len(code)


def expand(use):
    """The paths of a use declaration, each with the name that it binds."""
    use = re.sub(r"\s+", " ", use).strip()
    brace = use.find("{")
    if brace < 0:
        path, _, alias = use.partition(" as ")
        parts = path.strip().split("::")
        if parts[-1] == "self":
            parts.pop()
        return [(parts, alias.strip() or parts[-1])]
    prefix, inside, depth, start, found = use[:brace], use[brace + 1 : closing(use, brace)], 0, 0, []
    for at, letter in enumerate(inside + ","):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            if inside[start:at].strip():
                found += expand(prefix + inside[start:at].strip())
            start = at + 1
    return found


class Module:
    """One source file of a package."""

    USE = re.compile(r"(?P<public>\bpub(?:\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]+);")
    PATH = re.compile(r"(?<!\bin )\b(?:crate|super|self)(?:::\w+)++(?!::\$)")

    def __init__(self, file, path):
        self.file, self.path = file, path
        code = re.sub(r"//[^\n]*", blank, (ROOT / file).read_text())
        code = re.sub(r'"(?:[^"\\]|\\.)*"', blank, code)
        for test in list(re.finditer(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:pub(?:\(\w+\))? )?mod \w+ \{", code)):
            end = closing(code, test.end() - 1)
            code = code[: test.start()] + re.sub(r"[^\n]", " ", code[test.start() : end]) + code[end:]
        self.tests = set(re.findall(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:pub(?:\(\w+\))? )?mod (\w+);", code))
        code = re.sub(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:pub(?:\([^)]*\))? )?(?:use|mod) [^;{]*(?:\{[^;]*)?;", blank, code)
        self.code = code
        self.children = set(re.findall(r"\bmod (\w+);", code))
        self.inline = [
            (inline.start(), closing(code, inline.end() - 1)) for inline in re.finditer(r"\bmod \w+ \{", code)
        ]
        self.bound, self.globs = {}, []
        for use in self.USE.finditer(code):
            for parts, name in expand(use["tree"]):
                absolute = self.absolute(parts, use.start())
                if absolute and name == "*":
                    self.globs.append(absolute[:-1])
                elif absolute:
                    self.bound[name] = absolute

    def absolute(self, parts, at):
        """A path from the root of the package, or None where it leads out of it."""
        base = self.path + [None for start, end in self.inline if start < at < end]
        if parts[0] == "crate":
            return parts[1:]
        if parts[0] in self.children and base == self.path:
            return self.path + parts
        if parts[0] not in ("self", "super"):
            return None
        while parts and parts[0] in ("self", "super"):
            base = base[:-1] if parts[0] == "super" else base
            parts = parts[1:]
        return [part for part in base if part] + parts

    def paths(self):
        """Each path into the package that the code names, with its place."""
        rest = self.USE.sub(blank, self.code)
        for use in self.USE.finditer(self.code):
            for parts, name in expand(use["tree"]):
                # A name that is only passed on is not used here.
                if not use["public"] or re.search(rf"\b{re.escape(name)}\b", rest):
                    yield use.start(), self.absolute(parts, use.start())
        for path in self.PATH.finditer(rest):
            yield path.start(), self.absolute(path[0].split("::"), path.start())
        for path in re.finditer(r"(?<![\w:])(\w+)::(\w+)", rest):
            if path[1] in self.children:
                yield path.start(), self.path + [path[1], path[2]]


def modules(folder, files):
    """The modules of a package by path, without those that are only built for tests."""
    found, waiting = {}, [([], f"{folder}lib.rs")]
    while waiting:
        path, file = waiting.pop()
        module = found[tuple(path)] = Module(file, path)
        for child in module.children - module.tests:
            stem = folder + "/".join([*path, child])
            child_file = next((name for name in (f"{stem}.rs", f"{stem}/mod.rs") if name in files), None)
            if child_file:
                waiting.append(([*path, child], child_file))
    return found


def definition(package, path, seen=()):
    """The module that defines what a path names."""
    at = ()
    for index, part in enumerate(path):
        if at + (part,) in package:
            at += (part,)
            continue
        module, rest = package[at], path[index + 1 :]
        ways = [module.bound[part]] if part in module.bound else []
        ways += [[*glob, part] for glob in module.globs]
        for way in ways:
            if (tuple(way) not in seen) and way != path:
                target = definition(package, way + rest, (*seen, tuple(path)))
                if part in module.bound or defines(package[target], (way + rest)[-1]):
                    return target
        break
    return at


def defines(module, name):
    return re.search(rf"\b(?:fn|struct|enum|trait|type|const|static|mod|union|macro_rules!)\s+{re.escape(name)}\b", module.code)


def check_layers(tree, packages):
    for package in packages.values():
        for module in package.values():
            own = tree.rank(module.file)
            for at, path in module.paths():
                if path is None:
                    continue
                target = package[definition(package, path)]
                rank = tree.rank(target.file)
                if target is module or rank is None or own is None or rank <= own:
                    continue
                line = module.code.count("\n", 0, at) + 1
                yield f"{module.file}:{line}: {'::'.join(path)} is in {target.file}, which does not stand above"


def check_packages(tree, files):
    """Dependencies between the packages of the workspace; development dependencies may point anywhere."""
    packages = {}
    for file in files:
        if re.fullmatch(r"(crates/[^/]+/)?Cargo\.toml", file):
            manifest = tomllib.loads((ROOT / file).read_text())
            folder = file.removesuffix("Cargo.toml")
            packages[manifest["package"]["name"]] = (file, tree.rank(folder or "src/lib.rs"), manifest)
    for file, rank, manifest in packages.values():
        tables = [manifest, *manifest.get("target", {}).values()]
        for table in tables:
            for kind in ("dependencies", "build-dependencies"):
                for name, given in table.get(kind, {}).items():
                    name = given.get("package", name) if isinstance(given, dict) else name
                    if name in packages and not packages[name][1] < rank:
                        yield f"{file}: {name} does not stand above"


def main():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = {file for file in listed.stdout.splitlines() if (ROOT / file).exists()}
    tree = Tree((ROOT / "DEVELOPMENT.md").read_text())
    packages = packages_of(tree, files)
    wrong = [*check_paths(tree, files, packages), *check_layers(tree, packages), *check_packages(tree, files)]
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
