#!/usr/bin/env python3
"""Results of foreign suites: one line per test, `name<TAB>PASSED|FAILED|SKIPPED`, from whatever each suite prints.

report.py go LOG OUT.tsv        output of `go test -v`
report.py cargo LOG OUT.tsv     output of `cargo test`
report.py junit XML OUT.tsv     a JUnit file
report.py missed BASE NEW LATER tests that passed in BASE and not in NEW, without those that LATER gives a reason for
report.py merge TSV AGAIN       takes over what passed when it was run again
report.py together OUT RUN...   several runs as one: passed is what passed every time; otherwise FLAKY says how often
report.py table BASELINES OUT SUITE...   the table, beside Apache Kafka's, and every miss
"""
import os
import re
import sys
import xml.etree.ElementTree as xml


def read(path):
    if not os.path.exists(path):
        return {}
    with open(path) as lines:
        return dict(line.rstrip("\n").split("\t")[:2] for line in lines if "\t" in line)


def write(path, results):
    with open(path, "w") as out:
        out.writelines(f"{name}\t{results[name]}\n" for name in sorted(results))


def go(log):
    words = {"PASS": "PASSED", "FAIL": "FAILED", "SKIP": "SKIPPED"}
    results = {}
    for line in open(log, errors="replace"):
        if found := re.search(r"=== RUN\s+(\S+)", line):
            # A test that starts and never ends has failed.
            results.setdefault(found[1], "FAILED")
        elif found := re.search(r"--- (PASS|FAIL|SKIP): (\S+)", line):
            results[found[2]] = words[found[1]]
    return results


def cargo(log):
    words = {"ok": "PASSED", "FAILED": "FAILED", "ignored": "SKIPPED"}
    results, file, started, speaker = {}, "", None, None
    for line in open(log, errors="replace"):
        if found := re.search(r"Running (?:unittests )?\S*?(\w+)\.rs", line):
            file = found[1]
        # With --show-output: what a test that passed had said. One that says that it skips itself has not run.
        if found := re.match(r"---- (\S+) stdout ----", line):
            speaker = f"{file}::{found[1]}"
        elif re.match(r"[Ss]kipping\b", line) and results.get(speaker) == "PASSED":
            results[speaker] = "SKIPPED"
        if found := re.match(r"test (\S+?)(?: - should panic)? \.\.\. ?(.*)", line):
            started = f"{file}::{found[1]}"
            results.setdefault(started, "FAILED")
            line = found[2]
        # With output between, the word comes at the end of a later line.
        if started and (found := re.search(r"(ok|FAILED|ignored)\s*$", line)):
            results[started] = words[found[1]]
    return results


def junit(path):
    results = {}
    for case in xml.parse(path).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        name = f"{case.get('classname')}::{case.get('name')}"
        result = "FAILED" if kinds & {"failure", "error"} else "SKIPPED" if "skipped" in kinds else "PASSED"
        # A test whose clean-up fails is listed twice.
        results[name] = "FAILED" if results.get(name) == "FAILED" else result
    return results


def missed(base, new):
    return sorted(name for name, result in base.items() if result == "PASSED" and new.get(name) != "PASSED")


def together(runs):
    results = {}
    for name in sorted({name for run in runs for name in run}):
        each = [run.get(name, "FAILED") for run in runs]
        passed = each.count("PASSED")
        results[name] = each[0] if len(set(each)) == 1 else f"FLAKY {passed}/{len(each)}" if passed else "FAILED"
    return results


def counts(results):
    values = list(results.values())
    passed, skipped = values.count("PASSED"), values.count("SKIPPED")
    return f"{passed} / {len(values) - passed - skipped} / {skipped}"


def table(baselines, out, suites):
    """Tests that wait for something that is not there yet say so in SUITE.later.tsv; without those it is the classic part."""
    print("| suite | passed / failed / skipped | Apache Kafka 4.3.1 | of those it passes | of its classic part |")
    print("|---|--:|--:|--:|--:|")
    misses, unexplained = [], 0
    for suite in suites:
        base, new = read(f"{baselines}/{suite}.tsv"), read(f"{out}/{suite}.tsv")
        later, flaky = read(f"{baselines}/{suite}.later.tsv"), read(f"{baselines}/{suite}.flaky.tsv")
        passable = [name for name, result in base.items() if result == "PASSED"]
        lost = missed(base, new)
        classic = [name for name in passable if name not in later]
        kept = [name for name in classic if name not in lost]
        share = f" ({100 * len(kept) / len(classic):.1f} %)" if classic else ""
        print(f"| {suite} | {counts(new)} | {counts(base)} | {len(passable) - len(lost)} of {len(passable)} | {len(kept)} of {len(classic)}{share} |")
        for name in lost:
            why = later.get(name) or flaky.get(name, "")
            unexplained += not why
            misses.append((suite, name, new.get(name, "ABSENT"), why))
    if misses:
        print("\nKafka passes and we do not:")
        for suite, name, result, why in misses:
            print(f"  {result:9} {suite} {name}" + (f"  ({why})" if why else ""))
    return 1 if unexplained else 0


def main(kind, *args):
    if kind in ("go", "cargo", "junit"):
        results = {"go": go, "cargo": cargo, "junit": junit}[kind](args[0])
        write(args[1], results)
        print(counts(results))
    elif kind == "missed":
        print("\n".join(sorted(set(missed(read(args[0]), read(args[1]))) - set(read(args[2])))))
    elif kind == "merge":
        results = read(args[0])
        results.update({name: result for name, result in read(args[1]).items() if result == "PASSED"})
        write(args[0], results)
    elif kind == "together":
        write(args[0], together([read(path) for path in args[1:]]))
    elif kind == "table":
        return table(args[0], args[1], args[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
