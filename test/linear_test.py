"""The checker of histories is checked: what it has to find it finds, and what is right it lets pass."""

import math
import random

import pytest

from linear import UNKNOWN, Operation, TooHard, controls, linearizable

START = (0, (("a", "On"), ("b", "On")))


def op(client, called, returned, *what, outcome):
    return Operation(client, called, returned, what, outcome)


def put(client, called, returned, version, **values):
    return op(client, called, returned, "set", tuple(sorted(values.items())), outcome=version)


def get(client, called, returned, **values):
    return op(client, called, returned, "get", outcome=tuple(sorted(values.items())))


def lost(client, called, **values):
    return op(client, called, math.inf, "set", tuple(sorted(values.items())), outcome=UNKNOWN)


GOOD = {
    "nothing": [],
    "one after the other": [put("x", 0, 1, 1, a="Off"), get("y", 2, 3, a="Off", b="On")],
    "at once, either way": [put("x", 0, 5, 2, a="Off"), put("y", 1, 4, 1, a="On"), get("z", 6, 7, a="Off")],
    "a read meanwhile sees the one": [put("x", 0, 5, 1, a="Off"), get("y", 1, 2, a="On")],
    "or the other": [put("x", 0, 5, 1, a="Off"), get("y", 1, 2, a="Off")],
    "unknown, and it took effect late": [lost("x", 0, a="Off"), get("y", 5, 6, a="On"), get("y", 7, 8, a="Off")],
    "unknown, and it never did": [lost("x", 0, a="Off"), put("y", 5, 6, 1, b="Off"), get("y", 7, 8, a="On", b="Off")],
    "refused changes nothing": [put("x", 0, 1, None, a="Off"), get("y", 2, 3, a="On")],
    "two in one": [put("x", 0, 1, 1, a="Off", b="Off"), get("y", 2, 3, a="Off", b="Off")],
}
BAD = {
    "a stale read": [put("x", 0, 1, 1, a="Off"), get("y", 2, 3, a="On")],
    "a write that is gone": [put("x", 0, 1, 1, a="Off"), put("y", 2, 3, 1, b="Off")],
    "back in time": [put("x", 0, 9, 1, a="Off"), get("y", 1, 2, a="Off"), get("z", 3, 4, a="On")],
    "half of a transaction": [put("x", 0, 9, 1, a="Off", b="Off"), get("y", 1, 2, a="Off", b="On")],
    "done twice": [put("x", 0, 1, 1, a="Off"), put("y", 2, 3, 3, a="On")],
    "refused, and yet done": [put("x", 0, 1, None, a="Off"), get("y", 2, 3, a="Off")],
    "out of order": [put("x", 0, 1, 2, a="Off"), put("y", 2, 3, 1, a="On")],
    "unknown cannot explain a value nobody wrote": [lost("x", 0, a="Off"), get("y", 5, 6, b="Off")],
    "unknown, undone": [lost("x", 0, a="Off"), get("y", 5, 6, a="Off"), get("y", 7, 8, a="On")],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_passes(name):
    assert linearizable(GOOD[name], controls, START)


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_found(name):
    assert not linearizable(BAD[name], controls, START)


def play(rng, count, clients):
    """A history of a real register: each operation takes effect at one moment of its time."""
    free, version, values, out = [0.0] * clients, 0, dict(START[1]), []
    moments = []
    for _ in range(count):
        c = rng.randrange(clients)
        called = free[c] + rng.random()
        effect, returned = called + rng.random() * 3, 0
        returned = effect + rng.random() * 3
        free[c] = returned
        what = rng.choice(["get", "set", "set", "lost"])
        moments.append((effect, c, called, returned, what, rng.choice("ab"), rng.choice(["On", "Off"])))
    for effect, c, called, returned, what, name, value in sorted(moments):
        if what == "get":
            out.append(get(c, called, returned, **values))
            continue
        values[name] = value
        version += 1
        out.append(lost(c, called, **{name: value}) if what == "lost" else put(c, called, returned, version, **{name: value}))
    return out


@pytest.mark.parametrize("seed", range(20))
def test_any_history_of_a_register_passes_and_a_forged_one_does_not(seed):
    rng = random.Random(seed)
    history = play(rng, 60, 5)
    assert linearizable(history, controls, START)
    # The saboteur: one answered write was forgotten. Versions behind it can no longer all be true.
    known = [i for i, o in enumerate(history) if o.what[0] == "set" and not o.open]
    assert known
    forged = list(history)
    last = max(known, key=lambda i: history[i].outcome)
    forged[last] = Operation(**{**vars(history[last]), "outcome": history[last].outcome + 1 + sum(o.open for o in history)})
    assert not linearizable(forged, controls, START)


def test_it_says_where_it_gives_up():
    history = [lost(str(i), 0, a=str(i)) for i in range(40)] + [get("z", 1, 2, a="nobody")]
    with pytest.raises(TooHard):
        linearizable(history, controls, START, limit=10_000)
