#!/usr/bin/env python3
"""test_summary.py FILE...: adds JUnit files up; the last line is "N passed, N failed"."""

import sys
import xml.etree.ElementTree

COUNTS = ("passed", "failed", "skipped")


def count(path):
    """({passed, failed, skipped}, names of the failed) of one JUnit file."""
    counts, failed = dict.fromkeys(COUNTS, 0), []
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        tags = {child.tag for child in case}
        result = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        counts[result] += 1
        if result == "failed":
            failed.append(f"{case.get('classname') or ''} {case.get('name')}".strip())
    return counts, failed


def add(total, counts):
    for key in COUNTS:
        total[key] += counts[key]


def sentence(counts):
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    return f"{counts['passed']} passed, {counts['failed']} failed{skipped}"


def main():
    total = dict.fromkeys(COUNTS, 0)
    for path in sys.argv[1:]:
        counts, failed = count(path)
        add(total, counts)
        for name in failed:
            print(f"FAILED {name}")
    print(sentence(total))
    sys.exit(0 if total["passed"] and not total["failed"] else 1)


if __name__ == "__main__":
    main()
