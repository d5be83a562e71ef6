"""What the checks of the tree share: which files there are, C without its comments, how a check is run by hand."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEFT_OUT = {"build", "__pycache__", "node_modules"}


def files(root, folders=("",), suffixes=None):
    """Files below root/folder, sorted; hidden ones and build folders are left out."""
    found = set()
    for folder in folders:
        for path in (root / folder).rglob("*"):
            parts = path.relative_to(root).parts
            if any(p in LEFT_OUT or p.startswith("build-") or (p.startswith(".") and p != ".ci") for p in parts[:-1]):
                continue
            if path.is_file() and (suffixes is None or path.suffix in suffixes):
                found.add(path)
    return sorted(found)


def c_files(root, folders=("src", "sim", "test", "bench")):
    return files(root, folders, {".c", ".h"})


def is_test(path):
    """Is this C file a test, a fuzz target or a benchmark, or a helper of those?"""
    return bool(re.search(r"_(test|fuzz|bench)(_io)?\.[ch]$", path.name)) or bool({"sim", "test", "bench"} & set(path.parts[-4:-1]))


TOKENS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def bare_c(text):
    """C text with comments and the inside of literals blanked; lines and columns stay."""

    def blank(match):
        token = match.group()
        if token[0] in "\"'":
            return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[0]
        return re.sub(r"[^\n]", " ", token)

    return TOKENS.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def main(check):
    """Runs check(root, *arguments) and prints what it finds; the command line is [ROOT [ARGUMENTS]]."""
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    findings = check(root, *sys.argv[2:])
    for finding in findings:
        print(finding)
    sys.exit(1 if findings else 0)
