#!/usr/bin/env python3
"""Text that may not stand in any file: where and by whom this was made, and untidy white space."""

import re

import tree

COLUMNS_MAX = 100
# Put together from pieces, so that this file passes its own check.
FORBIDDEN = [(re.compile(pattern, re.I if ignore else 0), why) for pattern, ignore, why in [
    (r"(?<![\w.$}~-])/wo" r"rk/", False, "the path of one machine"),
    (r"/tm" r"p/hf\b", False, "the path of one machine"),
    (r"/(?:ho" r"me|Us" r"ers)/(?!\$|<|user\b)\w+/", False, "the path of one machine"),
    (r"/ro" r"ot/\w", False, "the path of one machine"),
    (r"\b(?:pyp" r"i\.org|files\.python" r"hosted\.org|registry\.npm" r"js\.org|proxy\.gol" r"ang\.org|index\.crat"
     r"es\.io|static\.crat" r"es\.io|deb\.deb" r"ian\.org|ghcr\.i" r"o|quay\.i" r"o)\b", True, "the host of a registry"),
    (r"\biss" r"ue #?\d", True, "the number of a task"),
    (r"\bco-auth" r"ored-by\b", True, "who made it"),
    (r"\b(?:anthr" r"opic|cla" r"ude|open" r"ai|chat" r"gpt|cop" r"ilot|language mod" r"el)\b", True, "what made it"),
]]
BINARY = {".png", ".mmdb", ".pcap", ".gz", ".zst"}


def check_text(name, text, is_c):
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, why in FORBIDDEN:
            if pattern.search(line):
                yield f"{name}:{number}: names {why}: {pattern.search(line)[0]}"
        if line != line.rstrip():
            yield f"{name}:{number}: white space at the end of the line"
        if is_c and "\t" in line:
            yield f"{name}:{number}: a tab"
        if is_c and len(line) > COLUMNS_MAX:
            yield f"{name}:{number}: {len(line)} columns, the limit is {COLUMNS_MAX}"
    if text and not text.endswith("\n"):
        yield f"{name}:{text.count(chr(10)) + 1}: no newline at the end of the file"


def check(root):
    findings = []
    for path in tree.files(root):
        name = str(path.relative_to(root))
        if name.startswith("corpus/") or path.suffix in BINARY:
            continue
        data = path.read_bytes()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            findings.append(f"{name}:1: is not UTF-8")
            continue
        if "\0" not in text:
            findings += check_text(name, text, path.suffix in (".c", ".h"))
    return findings


if __name__ == "__main__":
    tree.main(check)
