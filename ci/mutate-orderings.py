#!/usr/bin/env python3
"""Weakens the library's atomics one at a time; each mutant must build, and then some loom model must fail.

    ci/mutate-orderings.py                 run every mutant
    ci/mutate-orderings.py --only TEXT     only those whose name contains TEXT
    ci/mutate-orderings.py --list          name them
    ci/mutate-orderings.py --resume 8      the next 8 of those without a result
    ci/mutate-orderings.py --models        find a mutant for each model that no mutant was seen to fail yet
    ci/mutate-orderings.py --write         put the results of runs here in place of those in loom-tests/README.md
    ci/mutate-orderings.py --check         are the tables there about these mutants and these models?

The mutants, found by reading src and crates/shared/src (apart from tests, comments, and the files that
ci/planted-faults.toml names as not modelled, each with the reason):

- each memory ordering, one step and more steps weaker, down to Relaxed;
- each fence, left out;
- each read-modify-write, made a load and a store;
- the faults in ci/planted-faults.toml: a slot shared by two writers, an epoch that reads twice, ...

Mutants that no model can fail on stand in that file too, each with its reason. A complete run ends with `--models`:
a model that fails on no mutant may be one that can't fail.

Works on a copy in target/mutants. The result of a complete run is kept in ci/last-runs.md by RECORD=1. Exits with 1 if a mutant survives or does not build, or a model fails on none.
"""

import argparse
import json
import re
import resource
import subprocess
import sys

from planting import ROOT, Copy, Table, build_tests, read_faults

COPY = Copy("mutants", ["crates/metrics", "crates/replica", "crates/shared"])
RESULTS = COPY.path / "results.json"
SEEN = COPY.path / "seen.json"
MUTANTS = Table("loom-tests/README.md", "mutants")
MODELS = Table("loom-tests/README.md", "models")
# Where orderings are weakened. Faults may be planted anywhere.
SOURCES = ["src", "crates/shared/src"]
# A model that takes this many times as long as it took unmutated, and this many seconds, counts as hung.
SLOWER, SECONDS = 20, 60

PLANTED = read_faults("ci/planted-faults.toml")
NOT_MODELLED = {left_out["file"] for left_out in PLANTED["not_modelled"]}
ACCEPTED = {accepted["mutant"]: accepted["reason"] for accepted in PLANTED.get("accepted", [])}

# The files of models, in the order in which they are tried.
FILES = ["fan_in", "table_fan_in", "marks", "up_down", "table", "epoch", "context", "linearizability", "rollback", "replica", "metrics", "shared"]

WEAKER = {
    "SeqCst": ["AcqRel", "Acquire", "Release", "Relaxed"],
    "AcqRel": ["Acquire", "Release", "Relaxed"],
    "Acquire": ["Relaxed"],
    "Release": ["Relaxed"],
    "Relaxed": [],
}
LOAD_HALF = {"AcqRel": "Acquire", "Acquire": "Acquire", "Release": "Relaxed", "Relaxed": "Relaxed"}
STORE_HALF = {"AcqRel": "Release", "Acquire": "Relaxed", "Release": "Release", "Relaxed": "Relaxed"}
NEW_VALUE = {
    "fetch_xor": "old ^ ({0})",
    "fetch_or": "old | ({0})",
    "fetch_and": "old & ({0})",
    "fetch_add": "old.wrapping_add({0})",
    "fetch_sub": "old.wrapping_sub({0})",
    "fetch_max": "old.max({0})",
    "swap": "{0}",
}
RECEIVER = r"(?P<receiver>[A-Za-z_][\w.\[\]]*)"
RMW = re.compile(RECEIVER + r"\s*\.(?P<rmw>fetch_\w+|swap|compare_exchange(?:_weak)?)\(")
FENCE = re.compile(r"\bfence\(Ordering::\w+\);")
ORDERING = re.compile(r"\bOrdering::(SeqCst|AcqRel|Acquire|Release|Relaxed)\b")


class Mutant:
    def __init__(self, file, text, start, end, new, what):
        self.file, self.mutated = file, text[:start] + new + text[end:]
        functions = re.findall(r"\bfn (\w+)", text[:start])
        where = f"`{functions[-1]}`" if functions else "top"
        self.name = f"{file.removeprefix('src/').replace('/src/', '/')} {where}: {what}"


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_of(path):
    """The file's text and a copy of the same length with comments and tests blanked."""
    text = path.read_text()
    code = re.sub(r"//[^\n]*", blank, text)
    tests = re.search(r"^#\[cfg\(test\)\]\s*mod \w+ \{", code, re.M)
    if tests:
        code = code[: tests.start()] + re.sub(r"[^\n]", " ", code[tests.start() :])
    return text, code


def arguments(code, open_at):
    """The arguments between the bracket at `open_at` and its partner, and where that one is."""
    depth, start, found = 0, open_at + 1, []
    for at in range(open_at, len(code)):
        if code[at] in "([{":
            depth += 1
        elif code[at] in ")]}":
            depth -= 1
        if depth == 0 or (depth == 1 and code[at] == ","):
            found.append(code[start:at].strip())
            start = at + 1
        if depth == 0:
            return [argument for argument in found if argument], at + 1
    sys.exit("unbalanced brackets")


def operation_at(code, at):
    """The name of the call that an ordering is an argument of."""
    depth = 0
    for back in range(at - 1, -1, -1):
        if code[back] in ")]}":
            depth += 1
        elif code[back] in "([{":
            if depth == 0:
                return re.search(r"\w*$", code[:back])[0]
            depth -= 1
    sys.exit("an ordering outside any call")


def mutants():
    found = []
    for path in [path for source in SOURCES for path in sorted((ROOT / source).rglob("*.rs"))]:
        file = path.relative_to(ROOT).as_posix()
        if file in NOT_MODELLED or path.name == "tests.rs" or "tests" in path.parts:
            continue
        text, code = code_of(path)
        if re.search(r"Ordering::(\*|\{)", code):
            sys.exit(f"{file}: import `Ordering` and write `Ordering::X`, or the mutants are not found")
        for match in FENCE.finditer(code):
            found.append(Mutant(file, text, *match.span(), "", "no fence"))
        for match in ORDERING.finditer(code):
            if code[: match.start()].endswith("fence("):
                continue
            operation = operation_at(code, match.start())
            place = ""
            if operation.startswith("compare_exchange"):
                rest = code[match.end() :].lstrip()
                place = " (success)" if rest.startswith(",") and ORDERING.match(rest[1:].lstrip()) else " (failure)"
            for weaker in WEAKER[match[1]]:
                what = f"{operation}{place} {match[1]} → {weaker}"
                found.append(Mutant(file, text, *match.span(1), weaker, what))
        for match in RMW.finditer(code):
            given, end = arguments(code, match.end() - 1)
            if not given or not ORDERING.fullmatch(given[-1]):
                continue
            new = load_and_store(match["receiver"], match["rmw"], given)
            found.append(Mutant(file, text, match.start(), end, new, f"{match['rmw']} → load and store"))
    for fault in PLANTED["fault"]:
        text = (ROOT / fault["file"]).read_text()
        start = text.index(fault["old"])
        found.append(Mutant(fault["file"], text, start, start + len(fault["old"]), fault["new"], fault["what"]))
    names = {}
    for mutant in found:
        names[mutant.name] = number = names.get(mutant.name, 0) + 1
        if number > 1:
            mutant.name += f" ({number})"
    return found


def load_and_store(receiver, rmw, given):
    if rmw.startswith("compare_exchange"):
        current, new, success, failure = given
        order = ORDERING.fullmatch(success)[1]
        # The success ordering for the load half too, so that the mutant differs in atomicity alone.
        load = LOAD_HALF[order] if LOAD_HALF[order] != "Relaxed" else ORDERING.fullmatch(failure)[1]
        return (
            f"{{ let cell = &{receiver}; let old = cell.load(Ordering::{load}); "
            f"if old == {current} {{ cell.store({new}, Ordering::{STORE_HALF[order]}); Ok(old) }} "
            f"else {{ Err(old) }} }}"
        )
    order = ORDERING.fullmatch(given[1])[1]
    return (
        f"{{ let cell = &{receiver}; let old = cell.load(Ordering::{LOAD_HALF[order]}); "
        f"cell.store({NEW_VALUE[rmw].format(given[0])}, Ordering::{STORE_HALF[order]}); old }}"
    )


def build(*files):
    """The executables of these files of models, or of all; or the compiler's errors."""
    options = ["--release", "--config", "profile.release.debug=false"]
    options += [argument for file in files for argument in ("--test", file)] or ["--tests"]
    return build_tests(COPY.path / "loom-tests", COPY.path / "target", *options)


def run(executable, test, seconds):
    """(passed, failed or hung, CPU seconds)"""
    limit = int(seconds) + 1
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [executable, "--exact", test, "--test-threads=1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime - before.ru_utime
    if done.returncode == 0:
        return "passed", took
    return ("hung" if took >= limit - 1 else "failed"), took


def baseline():
    """The models, fastest first, after all of them passed unmutated."""
    executables, errors = build()
    if executables is None:
        sys.exit(errors)
    models = []
    for name, executable in executables.items():
        listed = subprocess.run([executable, "--list"], capture_output=True, text=True, check=True).stdout
        for test in re.findall(r"^(\S+): test$", listed, re.M):
            outcome, took = run(executable, test, 600)
            if outcome != "passed":
                sys.exit(f"the model {name} {test} fails without any mutant")
            models.append((took, name, test))
    models.sort()
    for took, name, test in models:
        print(f"{took:7.2f} s  {name} {test}")
    return models


class Seen:
    """The models that were seen to fail, each with the first mutant that it failed on."""

    def __init__(self):
        self.by_model = json.loads(SEEN.read_text()) if SEEN.exists() else {}

    def missing(self, models):
        return [model for model in models if label(*model[1:]) not in self.by_model]

    def note(self, name, test, mutant):
        self.by_model.setdefault(label(name, test), mutant.name)
        SEEN.write_text(json.dumps(self.by_model, indent=1, ensure_ascii=False))

    def look(self, mutant, executables, models):
        """Runs what models of these executables were never seen to fail, for a short time each."""
        for usual, name, test in self.missing(models):
            if name in executables:
                outcome, _ = run(executables[name], test, max(10, usual * 3))
                if outcome == "failed":
                    self.note(name, test, mutant)


def label(name, test):
    return f"`{name}` {test}"


def judge(mutant, models, seen):
    """What became of the mutant, and whether that is as it should be."""
    hung = None
    with COPY.planted({mutant.file: mutant.mutated}):
        # Those that are about the mutated file first, then those that use most of the library.
        likely = [name for name in FILES if name in mutant.file]
        for file in dict.fromkeys([*likely, *FILES, *(name for _, name, _ in models)]):
            executables, errors = build(file)
            if executables is None:
                return f"does not build:\n{errors}", False
            for usual, name, test in models:
                if name != file:
                    continue
                outcome, _ = run(executables[name], test, max(SECONDS, usual * SLOWER))
                if outcome == "failed":
                    seen.note(name, test, mutant)
                    seen.look(mutant, executables, models)
                    return label(name, test), True
                if outcome == "hung":
                    hung = f"hangs in {label(name, test)}, but fails in none"
        accepted = ACCEPTED.get(mutant.name)
        return (f"none: {accepted}", True) if accepted else (hung or "survives", False)


def find_mutants_for(models, everyone, seen):
    """Goes on with models that were never seen to fail: a file of models against one mutant after another."""
    kinds = [[], [], []]
    for mutant in everyone:
        kinds[1 if "load and store" in mutant.name else 2 if "→" in mutant.name else 0].append(mutant)
    for file in dict.fromkeys(name for _, name, _ in models):
        for mutant in sum(kinds, []):
            of_file = [model for model in models if model[1] == file]
            if not seen.missing(of_file):
                break
            with COPY.planted({mutant.file: mutant.mutated}):
                seen.look(mutant, build(file)[0] or {}, of_file)
    for _, name, test in models:
        print(f"{label(name, test)}: {seen.by_model.get(label(name, test), 'FAILS ON NO MUTANT')}")
    return len(seen.missing(models))


def models_in_source():
    """The models by name, without building them."""
    found = set()
    for path in (ROOT / "loom-tests" / "tests").glob("*.rs"):
        for test in re.findall(r"^#\[test\]\nfn (\w+)", path.read_text(), re.M):
            found.add(label(path.stem, test))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--resume", type=int)
    for flag in ("--list", "--models", "--check", "--write"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    everyone = mutants()
    if missing := [file for file in NOT_MODELLED if not (ROOT / file).exists()]:
        sys.exit(f"ci/planted-faults.toml says why there are no models of files that there are not: {missing}")
    unknown = ACCEPTED.keys() - {mutant.name for mutant in everyone}
    if unknown:
        sys.exit(f"ci/planted-faults.toml accepts mutants that there are not: {unknown}")
    chosen = [mutant for mutant in everyone if given.only in mutant.name]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if given.resume:
        chosen = [mutant for mutant in chosen if not results.get(mutant.name)][: given.resume]
    if given.list:
        print("\n".join(mutant.name for mutant in chosen))
    elif given.check:
        check(everyone)
    elif given.write:
        write(everyone, results)
    else:
        COPY.refresh("src", "crates", "loom-tests", "tests")
        models, seen = baseline(), Seen()
        complete = len(chosen) == len(everyone)
        failures = 0 if given.models else judge_all(chosen, results, models, seen)
        if given.models or complete:
            failures += find_mutants_for(models, everyone, seen)
        if complete and not failures and not given.models:
            outcome = f"{len(everyone)} mutants: {len(everyone) - len(ACCEPTED)} killed, {len(ACCEPTED)} accepted"
            outcome += f"; each of {len(models)} models fails on a mutant"
            subprocess.run([ROOT / "ci/record-run.py", "ci/mutate-orderings.py", outcome], check=True)
        sys.exit(failures > 0)


def judge_all(chosen, results, models, seen):
    """How many mutants are not killed: their results are `None`."""
    survivors = 0
    for mutant in chosen:
        killer, killed = judge(mutant, models, seen)
        survivors += not killed
        print(f"{'killed' if killed else 'ALIVE '}  {mutant.name}: {killer}", flush=True)
        results[mutant.name] = killer if killed else None
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False))
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants killed")
    return survivors


def is_told(mutant, killer, models):
    """Whether the killer is a model that there is, or the reason why there is none."""
    return killer in models or (mutant in ACCEPTED and killer == f"none: {ACCEPTED[mutant]}")


def check(everyone):
    names, models = {mutant.name for mutant in everyone}, models_in_source()
    killers, faults = MUTANTS.rows(), MODELS.rows()
    wrong = (names ^ killers.keys()) | (models ^ faults.keys())
    wrong |= {killer for name, killer in killers.items() if not is_told(name, killer, models)}
    wrong |= set(faults.values()) - names
    for name in sorted(wrong):
        print(f"loom-tests/README.md: only in its tables, or not there: {name}")
    if wrong:
        sys.exit("run ci/mutate-orderings.py with --only, --resume or --models for these, and then --write")


def write(everyone, results):
    """Whole tables or nothing: what no run here was about stays as it was."""
    names, models = [mutant.name for mutant in everyone], models_in_source()
    killers = MUTANTS.rows() | results
    faults = MODELS.rows() | Seen().by_model
    missing = [name for name in names if not is_told(name, killers.get(name), models)]
    missing += sorted(model for model in models if faults.get(model) not in names)
    if missing:
        sys.exit("nothing written. Not killed, or not run; models not seen to fail:\n" + "\n".join(missing))
    MUTANTS.write(("mutant", "a model that fails"), [(name, killers[name]) for name in names])
    MODELS.write(("model", "a mutant that it fails on"), [(model, faults[model]) for model in sorted(models)])


if __name__ == "__main__":
    main()
