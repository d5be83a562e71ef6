"""The models of doc/models, searched whole by spin: the design holds in every interleaving, and each
saboteur is caught by the assertion that is meant to catch it (L2, L3, L10)."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODELS = Path(__file__).resolve().parent.parent / "doc" / "models"
SECONDS_MAX = 120  # each search takes a few; the rest is for a machine that is busy
MEMORY_MAX_MB = 1000


def search(tmp_path, model, options=()):
    """Compiles the model and searches all of it; what pan printed."""
    for path in MODELS.glob("*.pml"):
        shutil.copy(path, tmp_path)
    run = dict(cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
               timeout=SECONDS_MAX)
    made = subprocess.run(["spin", "-a", *(f"-D{o}" for o in options), model], **run)
    assert made.returncode == 0, made.stdout
    built = subprocess.run(["gcc", "-w", "-O2", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MAX_MB}",
                            "-o", "pan", "pan.c"], **run)
    assert built.returncode == 0, built.stdout
    return subprocess.run(["./pan", "-m100000"], **run).stdout


def count(pattern, text):
    found = re.search(pattern, text)
    assert found, text
    return int(float(found.group(1)))


def trail(tmp_path, model, options=()):
    """The story that leads to the violation."""
    told = subprocess.run(["spin", "-t", "-p", *(f"-D{o}" for o in options), model], cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=SECONDS_MAX)
    return told.stdout


# The model is cut into searches of some seconds each; together they cover every pair of its parts.
@pytest.mark.parametrize("model, options, states_min", [
    ("publish.pml", ["HARMS=0", "GENERATIONS=5"], 1_000_000),
    ("publish.pml", ["LOADERS=1"], 500_000),
    ("publish.pml", ["PUBLISHERS=2", "HARMS=0", "LOADERS=1"], 1_000_000),
    ("publish.pml", ["HARMS=1", "CRASHES=0", "GENERATIONS=3"], 100_000),
    ("wakeup.pml", ["OBJECTS=5"], 50_000),
], ids=lambda value: "-".join(value) if isinstance(value, list) else str(value))
def test_the_design_holds(tmp_path, model, options, states_min):
    out = search(tmp_path, model, options)
    assert count(r"errors: (\d+)", out) == 0, out
    assert "Search not completed" not in out and "max search depth too small" not in out, out
    assert count(r"([\d.e+]+) states, stored", out) >= states_min, out
    unreached = out[out.index("unreached in proctype"):]
    assert "assert" not in unreached, unreached  # every assertion was put to the test


@pytest.mark.parametrize("model, options, assertion", [
    ("publish_2025.pml", [], "older_applied"),
    ("publish_2025.pml", ["ONLY_EMPTY"], "answer_is_empty"),
    ("wakeup_wrong.pml", [], "used_after_free"),
    ("wakeup.pml", ["RELAXED"], "used_after_free"),
    ("publish.pml", ["SABOTAGE_ONCE", "HARMS=0"], "older_applied"),
    ("publish.pml", ["SABOTAGE_AGE", "LOADERS=1"], "plan_dangles"),
    ("publish.pml", ["SABOTAGE_DAMAGED", "LOADERS=1"], "plan_dangles"),
    ("publish.pml", ["SABOTAGE_PINS", "LOADERS=1"], "plan_dangles"),
    ("publish.pml", ["SABOTAGE_ORDER", "LOADERS=1"], "plan_dangles"),
    ("publish.pml", ["SABOTAGE_ROOM", "LOADERS=1"], "disk_is_empty"),
    ("publish.pml", ["SABOTAGE_LOCK", "PUBLISHERS=2", "HARMS=0", "LOADERS=1"], "plan_dangles"),
    ("publish.pml", ["SABOTAGE_DEAF", "LOADERS=1"], "newest_unserved"),
], ids=lambda value: "-".join(value) if isinstance(value, list) else str(value))
def test_the_saboteur_is_caught(tmp_path, model, options, assertion):
    out = search(tmp_path, model, options)
    assert count(r"errors: (\d+)", out) == 1, out
    assert re.search(rf"assertion violated\s+!\s*\({assertion}\)", out), out
    told = trail(tmp_path, model, options)
    assert f"text of failed assertion: assert(!({assertion}))" in told, told
