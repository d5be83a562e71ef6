#!/usr/bin/env python3
"""Includes go down: doc/FLOORS is the table. Also: includes are written from src/, and headers form no circle."""

import re

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
OUTSIDE = {"test/check_main.h"}  # what tests in src/ may take from outside of it


def read_floors(root):
    floors = {}
    for line in (root / "doc" / "FLOORS").read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            floors[words[0]] = int(words[1])
    return floors


def folder_of(path, floors):
    """The longest folder of the table that the path lies in."""
    fitting = [f for f in floors if path.startswith(f + "/")]
    return max(fitting, key=len, default=None)


def resolve(root, included):
    return included if (root / included).exists() and not (root / "src" / included).exists() else "src/" + included


def check_include(root, floors, name, included):
    """Why `name` may not include "included", or None."""
    if included in OUTSIDE and tree.is_test(root / name):
        return None
    target = resolve(root, included)
    if not (root / target).exists():
        return f'"{included}" is not a path from src/'
    mine, theirs = folder_of(name, floors), folder_of(target, floors)
    if theirs is None:
        return f'the folder of "{included}" is not in doc/FLOORS'
    if mine == theirs or floors[theirs] < floors[mine]:
        return None
    where = "its neighbour" if floors[theirs] == floors[mine] else "the higher floor"
    return f"{mine} (floor {floors[mine]}) includes {where} {theirs} (floor {floors[theirs]}): {included}"


def circles(graph):
    """Each header that reaches itself, with the way it does."""
    found, done = [], set()

    def walk(name, way):
        if name in way:
            found.append(way[way.index(name):] + [name])
            return
        if name in done:
            return
        for target in graph.get(name, []):
            walk(target, way + [name])
        done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


def check(root):
    floors, findings, graph = read_floors(root), [], {}
    for path in tree.c_files(root):
        name, text = str(path.relative_to(root)), path.read_text()
        if folder_of(name, floors) is None:
            findings.append(f"{name}:1: its folder is not in doc/FLOORS")
            continue
        for match in INCLUDE.finditer(text):
            kind, included = match.groups()
            at = f"{name}:{tree.line_of(text, match.start())}"
            if kind == "<":
                if (root / "src" / included).exists():
                    findings.append(f"{at}: our own header in angle brackets: {included}")
                continue
            why = check_include(root, floors, name, included)
            if why:
                findings.append(f"{at}: {why}")
            elif path.suffix == ".h":
                graph.setdefault(name, []).append(resolve(root, included))
    findings += [f"{way[0]}:1: headers include each other: {' -> '.join(way)}" for way in circles(graph)]
    return findings


if __name__ == "__main__":
    tree.main(check)
