"""The tree as text: the house rules hold, and each check has been seen to catch a breach."""

import json
import pathlib
import shutil
import subprocess

import check_banned
import check_dead
import check_floors
import check_length
import check_purity
import check_words
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEPT = ["src", "sim", "test", "tools", "doc", "meson.build"]


def none(findings):
    assert not findings, "\n".join(findings)


@pytest.fixture
def copy(tmp_path):
    """A copy of the tree that a test may spoil."""
    root = tmp_path / "tree"
    root.mkdir()
    for name in KEPT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
        else:
            shutil.copy(source, root / name)
    return root


def plant(root, name, text):
    """Writes a file and gives what a check says about it alone."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

    def said(check, *arguments):
        return [f.split(": ", 1)[1] for f in check(root, *arguments) if f.startswith(name + ":")]

    return said


def test_floors_of_the_tree():
    none(check_floors.check(ROOT))


@pytest.mark.parametrize("name, include, says", [
    ("src/base/planted.c", '"seam/clock.h"', "higher floor src/seam"),
    ("src/wire/planted.c", '"seam/clock.h"', "neighbour src/seam"),
    ("src/seam/planted.h", '"wire/dname.h"', "neighbour src/wire"),
    ("src/serve/dns/planted.c", '"decide/decide.h"', "neighbour src/decide"),
    ("src/model/planted.c", '"observe/observe_io.h"', "higher floor src/observe"),
    ("src/model/planted.c", '"plan.h"', "not a path from src/"),
    ("src/model/planted.c", '"../base/map.h"', "not a path from src/"),
    ("src/model/planted.c", "<base/map.h>", "angle brackets"),
    ("src/model/planted.c", '"test/check_main.h"', "higher floor test"),
    ("src/prog/planted.c", '"cellar/planted.h"', "not a path from src/"),
    ("src/cellar/planted.c", '"base/map.h"', "not in doc/FLOORS"),
])
def test_floors_catches(copy, name, include, says):
    said = plant(copy, name, f"#include {include}\n")(check_floors.check)
    assert len(said) == 1 and says in said[0], said


@pytest.mark.parametrize("name, include", [
    ("src/prog/planted.c", '"serve/dns/planted.h"'),
    ("src/serve/dns/planted_test.c", '"test/check_main.h"'),
    ("src/wire/planted.c", '"base/map.h"'),
    ("src/wire/planted.c", "<string.h>"),
    ("sim/planted.c", '"decide/decide.h"'),
])
def test_floors_lets_pass(copy, name, include):
    plant(copy, "src/serve/dns/planted.h", "#pragma once\n")
    assert plant(copy, name, f"#include {include}\n")(check_floors.check) == []


def test_floors_catches_headers_in_a_circle(copy):
    plant(copy, "src/model/planted_a.h", '#pragma once\n#include "model/planted_b.h"\n')
    plant(copy, "src/model/planted_b.h", '#pragma once\n#include "model/planted_c.h"\n')
    plant(copy, "src/model/planted_c.h", '#pragma once\n#include "model/planted_a.h"\n')
    found = [f for f in check_floors.check(copy) if "planted" in f]
    assert len(found) == 1 and "include each other" in found[0], found


@pytest.fixture
def compiled(copy):
    """compiled({name: text}) compiles these into a build folder of their own and gives what purity says of them."""

    def make(sources):
        build = copy / "build"
        build.mkdir()
        commands = []
        for number, (name, text) in enumerate(sources.items()):
            plant(copy, name, text)
            subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", "-I", copy / "src", "-c", copy / name, "-o", build / f"{number}.o"],
                           check=True)
            commands.append({"directory": str(build), "file": str(copy / name), "output": f"{number}.o"})
        (build / "compile_commands.json").write_text(json.dumps(commands))
        return check_purity.check(copy, build)

    return make


def test_purity_of_the_tree(build):
    none(check_purity.check(ROOT, build))


IMPURE = {
    "clock_gettime": "#include <time.h>\nint f(void);\nint f(void) { struct timespec t; return clock_gettime(0, &t); }",
    "open": "#include <fcntl.h>\nint f(void);\nint f(void) { return open(\"x\", 0); }",
    "socket": "#include <sys/socket.h>\nint f(void);\nint f(void) { return socket(1, 1, 0); }",
    "getenv": "#include <stdlib.h>\nchar *f(void);\nchar *f(void) { return getenv(\"HOME\"); }",
    "puts": "#include <stdio.h>\nvoid f(void);\nvoid f(void) { printf(\"x\\n\"); }",
    "stderr": "#include <stdio.h>\nvoid f(void);\nvoid f(void) { fprintf(stderr, \"%d\", 1); }",
    "pthread_create": "#include <pthread.h>\nvoid *f(void *);\nvoid *f(void *x) { pthread_t t; "
                      "pthread_create(&t, 0, f, x); return x; }",
    "exit": "#include <stdlib.h>\nvoid f(void);\nvoid f(void) { exit(1); }",
    "uv_now": "void *uv_now(void *); void *f(void *x);\nvoid *f(void *x) { return (char *)uv_now(x) + 1; }",
    "json_load_file": "void *json_load_file(void *); void *f(void *x);\nvoid *f(void *x) { return (char *)json_load_file(x) + 1; }",
}


@pytest.mark.parametrize("symbol", IMPURE)
def test_purity_catches(compiled, symbol):
    found = compiled({"src/model/planted.c": IMPURE[symbol]})
    assert any(f.startswith("src/model/planted.c:") and f"refers to {symbol}," in f for f in found), found


def test_purity_catches_a_call_of_our_own_shell(compiled):
    found = compiled({"src/seam/planted.c": "int door(void);\nint door(void) { return 1; }",
                      "src/model/planted.c": "int door(void), f(void);\nint f(void) { return door() + 1; }"})
    assert found == ["src/model/planted.c:1: calls door(), which a shell (seam, prog or *_io.c) defines"]


def test_purity_lets_shells_and_computing_pass(compiled):
    none(compiled({"src/seam/planted.c": IMPURE["open"], "src/model/planted_io.c": IMPURE["socket"],
                   "src/model/planted_test.c": IMPURE["puts"],
                   "src/model/planted.c": "#include <stdio.h>\n#include <string.h>\nint f(char *, char *);\n"
                                          "int f(char *a, char *b) { return snprintf(a, 9, \"%s\", b) + (int)strlen(b); }"}))


def test_purity_wants_a_build(copy):
    (copy / "compile_commands.json").write_text("[]")
    assert "build first" in check_purity.check(copy, copy)[0]


def test_banned_of_the_tree():
    none(check_banned.check(ROOT))


@pytest.mark.parametrize("call", ["strcpy(a, b)", "sprintf (a, b)", "x = rand()", "system(a)", "assert(a)", "alloca(3)",
                                  "localtime(&t)", "p = malloc(3)", "p = strdup(a)", "if (atoi(s) > 3)"])
def test_banned_catches(copy, call):
    said = plant(copy, "src/model/planted.c", f"void f(void)\n{{\n    {call};\n}}\n")(check_banned.check)
    assert len(said) == 1 and "is banned: use" in said[0], said


def test_banned_lets_pass(copy):
    text = """/* strcpy(a, b) is banned */
struct random r; // system(x)
const char *s = "atoi(x)";
void f(void)
{
    ck_assert(1); snprintf(a, 1, "x"); x.rand(3); x->system(1); my_malloc(3); strtok_r(a, b, c);
}
"""
    assert plant(copy, "src/model/planted.c", text)(check_banned.check) == []
    assert plant(copy, "src/model/planted_test.c", "void *p = malloc(3);\n")(check_banned.check) == []
    assert plant(copy, "src/model/planted.h", "#include <assert.h>\n")(check_banned.check) != []


def test_dead_of_the_tree():
    none(check_dead.check(ROOT))


def test_dead_catches_files(copy):
    said = plant(copy, "src/model/planted.c", "\n")(check_dead.check)
    assert said == ["no meson.build names this file"]
    (copy / "src/model/meson.build").write_text("modules += [{'sources': ['planted.c']}]\n")
    assert plant(copy, "src/model/planted.c", "\n")(check_dead.check) == []
    assert plant(copy, "src/model/planted.h", "#pragma once\n")(check_dead.check) == ["nobody includes this header"]


def test_dead_catches_functions(copy):
    header = "#pragma once\nmust_check int planted_used(int a,\n                     int b);\nint planted_dead(void);\n" \
             "must_check const char *planted_dead_too(const char *a, void (*each)(int)) printf_like(1, 2)\n    __attribute__((malloc));\n"
    plant(copy, "src/model/planted.c", '#include "model/planted.h"\nint planted_used(int a, int b)\n{\n    return a + b;\n}\n'
          "int planted_dead(void)\n{\n    return planted_used(1, 2);\n}\n")
    plant(copy, "src/model/planted_test.c", '#include "model/planted.h"\nint x = planted_dead();\n')
    plant(copy, "src/prog/planted.c", '#include "model/planted.h"\nint y = planted_used(1, 2);\n/* planted_dead() */\n')
    said = plant(copy, "src/model/planted.h", header)(check_dead.check)
    assert said == [f"{name}() is used by nobody but its own file or tests" for name in ("planted_dead", "planted_dead_too")]
    (copy / "tools/kept.txt").write_text("planted_dead  for the next room\nplanted_dead_too  and this\n")
    assert plant(copy, "src/model/planted.h", header)(check_dead.check) == []


def test_length_of_the_tree():
    none(check_length.check(ROOT))


def test_length_catches(copy):
    def function(lines):
        return "static int\nplanted(int a)\n{\n" + "    a++;\n" * (lines - 4) + "}\n"

    assert plant(copy, "src/model/planted.c", function(70))(check_length.check) == []
    said = plant(copy, "src/model/planted.c", function(70) + function(71))(check_length.check)
    assert said == ["planted() has 71 lines, the limit is 70"]
    brace_in_text = 'int planted(void)\n{\n    f("\\\n}\\\n");\n' + "    g('}');\n" * 66 + "    g();\n" * 5 + "}\n"
    assert len(plant(copy, "src/model/planted.c", brace_in_text)(check_length.check)) == 1


def test_words_of_the_tree():
    none(check_words.check(ROOT))


@pytest.mark.parametrize("line", ["see /wo" "rk/main/x", "/tm" "p/hf/y", "cd /ho" "me/ann/src", "from https://pyp" "i.org/simple",
                                  "Co-Auth" "ored-By: x", "for iss" "ue 7", "trailing ", "Cla" "ude"])
@pytest.mark.parametrize("name", ["src/model/planted.c", "doc/planted.md", "planted.yaml"])
def test_words_catches(copy, name, line):
    said = plant(copy, name, f"first\n{line}\n")(check_words.check)
    assert len(said) == 1, said


def test_words_catches_width_tabs_and_ends(copy):
    said = plant(copy, "src/model/planted.c", "x" * 100 + "\n" + "x" * 101 + "\n\ty\n" + "é" * 100)(check_words.check)
    assert said == ["101 columns, the limit is 100", "a tab", "no newline at the end of the file"]
    assert plant(copy, "doc/planted.md", "x" * 500 + "\n\ty\nnet/work/x issue tracker\n")(check_words.check) == []


def test_format_of_the_tree():
    """The pinned version only: others format otherwise."""
    program = shutil.which("clang-format-14")
    assert program, "clang-format-14 is missing: make deps"
    files = [str(p) for folder in ("src", "sim", "test", "bench") for p in sorted((ROOT / folder).rglob("*.[ch]"))]
    out = subprocess.run([program, "--dry-run", "-Werror", *files], cwd=ROOT, capture_output=True, text=True)
    wrong = sorted({line.split(":")[0].removeprefix(f"{ROOT}/") for line in out.stderr.splitlines() if "violations]" in line})
    assert out.returncode == 0, "make format would change: " + " ".join(wrong)


def test_format_catches(tmp_path):
    shutil.copy(ROOT / ".clang-format", tmp_path)
    (tmp_path / "planted.c").write_text("int  f( void ){return 1;}\n")
    out = subprocess.run(["clang-format-14", "--dry-run", "-Werror", "planted.c"], cwd=tmp_path, capture_output=True, text=True)
    assert out.returncode != 0
