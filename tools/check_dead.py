#!/usr/bin/env python3
"""Nothing lies about unused: C files that no meson.build names, headers that nobody includes, functions that a header
offers and only their own file or tests use. tools/kept.txt lists what is kept on purpose."""

import re

import tree

WORD = re.compile(r"[A-Za-z_]\w*")
# A prototype: a name and its arguments at the end of a declaration that is not a typedef, a macro or a definition.
PROTOTYPE = re.compile(r"^(?!\s*(?:typedef|static|#|struct\s+\w+\s*\{|enum\s))(?=\S)[^;{}#=()]*?\b(?P<name>\w+)\((?P<rest>[^;{}]*);",
                       re.M)
ATTRIBUTE = re.compile(r"\b(?:__attribute__|printf_like|cleanup)\s*\((?:[^()]|\([^()]*\))*\)+|\b(?:must_check|pure_function|"
                       r"const_function|no_return|cache_aligned)\b")


def kept(root):
    """First words of the lines of tools/kept.txt: names of functions."""
    path = root / "tools" / "kept.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def check_sources(root):
    for path in tree.files(root, ("src", "sim"), {".c"}):
        named = False
        folder = path.parent
        while not named and folder != root.parent:
            build = folder / "meson.build"
            named = build.exists() and f"'{path.name}'" in build.read_text()
            named = named or (build.exists() and f"'{path.relative_to(folder)}'" in build.read_text())
            folder = folder.parent
        if not named:
            yield f"{path.relative_to(root)}:1: no meson.build names this file"


def check_headers(root, texts):
    included = {}
    for path, text in texts.items():
        for name in re.findall(r'#\s*include\s*"([^"]+)"', text):
            included.setdefault(name, set()).add(path)
    for path in texts:
        if path.suffix != ".h" or not path.is_relative_to(root / "src"):
            continue
        own = {path, path.with_name(path.stem + "_test.c")}
        if not included.get(str(path.relative_to(root / "src")), set()) - own:
            yield f"{path.relative_to(root)}:1: nobody includes this header"


def prototypes(text):
    def blank(match):
        # A declaration begins in the first column: an attribute there is taken for a word of the type.
        first = match.start() == 0 or match.string[match.start() - 1] == "\n"
        return re.sub(r"[^\n]", "x" if first else " ", match.group())

    text = ATTRIBUTE.sub(blank, re.sub(r"#.*?(?<!\\)\n", "\n", text, flags=re.S))
    for match in PROTOTYPE.finditer(text):
        if not match["rest"].startswith("*"):
            yield match["name"], tree.line_of(text, match.start("name"))


def test_helpers(texts, root):
    """Headers whose first comment says that they are for tests, and that nothing but tests (and their own file) includes."""
    found = set()
    for path, text in texts.items():
        comment = re.match(r"\s*/\*.*?\*/", text, re.S)
        if path.suffix == ".h" and comment and re.search(r"\b(?:tests?|benches|benchmarks?)\b", comment[0]):
            wanted = f'"{path.relative_to(root / "src")}"' if path.is_relative_to(root / "src") else ""
            includers = {p for p, t in texts.items() if wanted and wanted in t} - {path.with_suffix(".c")}
            if all(tree.is_test(p) for p in includers):
                found.add(path)
    return found


def check_functions(root, texts):
    bare = {path: tree.bare_c(text) for path, text in texts.items()}
    users = {}
    for path, text in bare.items():
        for word in set(WORD.findall(text)):
            users.setdefault(word, set()).add(path)
    exempt, helpers = kept(root), test_helpers(texts, root)
    for path, text in bare.items():
        if path.suffix != ".h" or not path.is_relative_to(root / "src") or tree.is_test(path):
            continue
        for name, line in prototypes(text):
            definition = re.compile(rf"^[A-Za-z_][^;{{}}#=]*\b{name}\([^;{{}}]*\)\s*\{{", re.M)
            others = {p for p in users[name] if p != path and not tree.is_test(p) and not definition.search(bare[p])}
            macro = re.search(rf"#\s*define[^\n]*(?:\\\n[^\n]*)*\b{name}\b", text)
            pair = re.search(r"_(free|done)$", name)  # the other half of what is used: tests need it
            if not (others or macro or pair or path in helpers or name in exempt):
                yield f"{path.relative_to(root)}:{line}: {name}() is used by nobody but its own file or tests"


def check(root):
    texts = {path: path.read_text() for path in tree.c_files(root)}
    findings = list(check_sources(root)) + list(check_headers(root, texts)) + list(check_functions(root, texts))
    return sorted(findings)


if __name__ == "__main__":
    tree.main(check)
