"""Is a history of concurrent operations linearizable?

A history is what clients saw: when each operation was called and when it returned, by one clock, and what it said. It is
linearizable if all of it can be put into one order in which every operation takes effect at some moment between its call and
its return, and says what it would have said then (Herlihy and Wing 1990). The search is that of Wing and Gong (1993) with
Lowe's memory of (operations done, state) that led nowhere (2017). An operation whose outcome is not known may have taken effect
at any moment after its call, or never.

A model is a function (state, operation) -> the states that may follow, empty where the operation could not have said what it
said; states and operations' outcomes are hashable. `controls` is the model of routing controls.
"""

import dataclasses
import math

UNKNOWN = object()  # an outcome: the client was never told


@dataclasses.dataclass(frozen=True)
class Operation:
    client: str
    called: float
    returned: float  # math.inf: never
    what: tuple  # ("get",) or ("set", ((name, value), ...))
    outcome: object  # of get: ((name, value), ...) ; of set: the version that it made, None: refused; or UNKNOWN

    @property
    def open(self):
        return self.outcome is UNKNOWN


class TooHard(Exception):
    """The search was given up: neither yes nor no."""


def controls(state, op):
    """state: (version, ((name, value), ...)), sorted by name. A set is one transaction and makes the next version; a refused one
    changes nothing; a get sees all controls, or those that it names."""
    version, values = state
    if op.what[0] == "get":
        seen = dict(values)
        return [state] if all(seen.get(name) == value for name, value in op.outcome) else []
    if op.outcome is None:
        return [state]
    merged = dict(values)
    merged.update(op.what[1])
    after = (version + 1, tuple(sorted(merged.items())))
    if op.open:
        return [after]
    return [after] if op.outcome == after[0] else []


def linearizable(history, model, state, limit=2_000_000):
    """True, or False; TooHard after `limit` steps. The outcome of an unknown read says nothing: it is left out."""
    ops = sorted((o for o in history if not (o.open and o.what[0] == "get")), key=lambda o: (o.called, o.returned))
    ends = [math.inf if o.open else o.returned for o in ops]
    owed = sum(1 << i for i, o in enumerate(ops) if not o.open)
    seen, stack, steps = set(), [(0, state)], 0
    while stack:
        done, state = stack.pop()
        if done & owed == owed:
            return True
        # What is next was called before the first of the rest had returned.
        horizon = min(end for i, end in enumerate(ends) if not done >> i & 1)
        for i, op in enumerate(ops):
            if op.called > horizon:
                break
            if done >> i & 1:
                continue
            for after in model(state, op):
                steps += 1
                if steps > limit:
                    raise TooHard(f"{len(ops)} operations, {steps} steps")
                key = (done | 1 << i, after)
                if key not in seen:
                    seen.add(key)
                    stack.append(key)
    return False
