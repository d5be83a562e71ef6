#!/usr/bin/env python3
"""No function is longer than 70 lines, from its first line to its closing brace."""

import re

import tree

LINES_MAX = 70
# Our style puts a function's braces, and nothing else that follows a ")" line, in the first column.
FUNCTION = re.compile(r"^(?P<head>[A-Za-z_][^;{}#]*\([^;{}]*\)[^;{}=]*)\n\{\n.*?^\}", re.M | re.S)


def check(root):
    findings = []
    for path in tree.c_files(root):
        text = tree.bare_c(path.read_text())
        for match in FUNCTION.finditer(text):
            lines = match.group().count("\n") + 1
            if lines > LINES_MAX:
                name = re.search(r"(\w+)\s*\(", match["head"])[1]
                findings.append(f"{path.relative_to(root)}:{tree.line_of(text, match.start())}: "
                                f"{name}() has {lines} lines, the limit is {LINES_MAX}")
    return findings


if __name__ == "__main__":
    tree.main(check)
