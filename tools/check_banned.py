#!/usr/bin/env python3
"""Calls that nobody makes, each with what to use instead."""

import re

import tree

BANNED = {
    "strcpy": "struct text, or memcpy with a length",
    "strcat": "struct text",
    "stpcpy": "struct text",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "disk_read",
    "strtok": "a loop over strcspn",
    "atoi": "integer_parse",
    "atol": "integer_parse",
    "atoll": "integer_parse",
    "atof": "strtod, with its end checked",
    "alloca": "a fixed buffer or an arena",
    "rand": "struct random",
    "srand": "random_init",
    "random": "struct random",
    "srandom": "random_init",
    "drand48": "struct random",
    "system": "process_spawn",
    "popen": "process_spawn",
    "gmtime": "gmtime_r",
    "localtime": "wall time is shown in UTC",
    "ctime": "wall time is shown as RFC 3339",
    "asctime": "wall time is shown as RFC 3339",
    "assert": "invariant()",
}
ALLOCATION = {name: "mem_new, mem_resize, mem_string or an arena"
              for name in ("malloc", "calloc", "realloc", "reallocarray", "strdup", "strndup", "asprintf")}


def check(root):
    findings = []
    for path in tree.c_files(root):
        name = str(path.relative_to(root))
        banned = dict(BANNED)
        if name != "src/base/memory.c" and not tree.is_test(path):
            banned |= ALLOCATION
        text = tree.bare_c(path.read_text())
        # A name after "." or "->" is a member, "struct random {" and "struct random r" are not calls.
        for match in re.finditer(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(", text):
            findings.append(f"{name}:{tree.line_of(text, match.start())}: {match[1]}() is banned: use {banned[match[1]]}")
        for match in re.finditer(r"#\s*include\s*<assert\.h>", path.read_text()):
            findings.append(f"{name}:{tree.line_of(path.read_text(), match.start())}: <assert.h> is banned: use invariant()")
    return findings


if __name__ == "__main__":
    tree.main(check)
