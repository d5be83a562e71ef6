#!/usr/bin/env python3
"""analyze.py BUILD: gcc -fanalyzer over the pure sources, two at a time."""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

import check_purity
import tree


def analyze(command):
    words = shlex.split(command["command"])
    words = words[:words.index("-o")] + words[words.index("-o") + 2:]
    words = [w for w in words if w not in ("-MD", "-Werror")]
    for option in ("-MQ", "-MF"):
        if option in words:
            del words[words.index(option):words.index(option) + 2]
    out = subprocess.run([*words, "-fanalyzer", "-Werror", "-O1", "-o", os.devnull], cwd=command["directory"],
                         capture_output=True, text=True)
    return out.stderr if out.returncode else ""


def main():
    commands = []
    for command in json.loads((pathlib.Path(sys.argv[1]) / "compile_commands.json").read_text()):
        source = (pathlib.Path(command["directory"]) / command["file"]).resolve()
        if source.is_relative_to(tree.ROOT / "src"):
            name = str(source.relative_to(tree.ROOT))
            if not check_purity.is_shell(name) and not tree.is_test(source):
                commands.append(command)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [text for text in pool.map(analyze, commands) if text]
    print("".join(said), end="")
    print(f"{len(commands)} files analyzed")
    sys.exit(1 if said or not commands else 0)


main()
