"""What clients of a cluster see of its controls is one history: real processes in network namespaces of their own, clients that
change controls on every node at once, kill -9, SIGSTOP, partitions, also in one direction, and steps of clocks meanwhile, and at the end the question whether all
that was answered fits into one order (linear.py)."""

import collections
import dataclasses
import math
import os
import random
import re
import signal
import struct
import threading
import time

import pytest

from linear import UNKNOWN, Operation, linearizable
from mesh_test import PORT, ask, sees
from node import Node, open_path, wait_for  # noqa: F401
from wires import refused, run

CONTROLS = ("p/a", "p/b", "p/c")
HARMS = ("kill", "stop", "cut", "mute", "deaf", "one way", "clock")
CLIENTS, SECONDS, SEED = 6, 10, int(os.environ.get("HISTORY_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
SAME, NOT_DONE = "same", "not done"


def switchboard(state, op, taken=frozenset()):
    """linear.py's model: state is (version, ((control, value), ...)). A change says which version it made and what each of its
    controls was before; or that nothing was to be changed. `taken`: versions of which it is known who made them."""
    version, values = state
    if op.outcome == NOT_DONE:
        return [state]
    before = dict(values)
    after = {**before, **dict(op.what[1])}
    if after == before:
        return [state] if op.outcome in (SAME, UNKNOWN) else []
    changed = (version + 1, tuple(sorted(after.items())))
    if op.outcome is UNKNOWN:
        return [changed] if changed[0] not in taken else []
    if op.outcome == SAME or op.outcome[0] != changed[0]:
        return []
    was = {name: value for name, value in before.items() if after[name] != value}
    return [changed] if dict(op.outcome[1]) == was else []


def is_one_history(history, start):
    taken = frozenset(o.outcome[0] for o in history if isinstance(o.outcome, tuple))
    return linearizable(history, lambda state, op: switchboard(state, op, taken), start)


def outcome_of(reply):
    if reply is None:
        return UNKNOWN
    if not reply["ok"]:
        return UNKNOWN if reply["error"] == "ERR_UNSURE" else NOT_DONE
    if reply["message"].startswith("nothing was to be changed"):
        return SAME
    version = int(re.match(r"change (\d+): ", reply["message"]).group(1))
    return version, tuple(sorted(re.findall(r"control (\S+) is \w+; it was (\w+)", reply["message"])))


class Net:
    """A bridge, and a namespace with a wire to it for each node."""

    def __init__(self):
        self.name = f"hf{os.getpid()}{random.SystemRandom().randrange(1000)}"
        self.spaces = []
        self.hub = self.space("hub")
        self.ip(self.hub, "link", "add", "br0", "type", "bridge")
        self.ip(self.hub, "link", "set", "br0", "up")

    def space(self, name):
        name = f"{self.name}{name}"
        run("ip", "netns", "add", name, check=True)
        self.spaces.append(name)
        self.ip(name, "link", "set", "lo", "up")
        return name

    def ip(self, space, *words):
        run("ip", "-n", space, *words, check=True)

    def join(self, number):
        space = self.space(str(number))
        run("ip", "-n", self.hub, "link", "add", f"p{number}", "type", "veth", "peer", "name", "e0", "netns", space, check=True)
        self.ip(self.hub, "link", "set", f"p{number}", "master", "br0", "up")
        self.ip(space, "addr", "add", f"192.0.2.{number}/24", "dev", "e0")
        self.ip(space, "link", "set", "e0", "up")
        return space

    def cut(self, number, down):
        self.ip(self.hub, "link", "set", f"p{number}", "down" if down else "up")

    def deafen(self, to, number, deaf):
        """What node `number` sends never comes to node `to`, who is heard all the same: it goes to an address that nobody has."""
        space, peer = f"{self.name}{number}", f"192.0.2.{to}"
        if deaf:
            self.ip(space, "neigh", "replace", peer, "lladdr", "02:00:00:00:00:99", "dev", "e0", "nud", "permanent")
        else:
            self.ip(space, "neigh", "del", peer, "dev", "e0")

    def close(self):
        for space in self.spaces:
            run("ip", "netns", "del", space)


class Far(Node):
    """A node in a namespace of its own."""

    def __init__(self, net, number, clockstep, *args):
        super().__init__(*args)
        self.number, self.name, self.net = number, f"node-{number}", net
        real, self.space = self.binary, net.join(number)
        self.clock = self.folder / "clock"
        self.clock_step(0)
        self.clock.chmod(0o644)
        clock = f"env LD_PRELOAD={clockstep} HOLDFAST_TEST_CLOCK={self.clock}"
        self.binary = str(self.folder / "holdfast")
        with open(self.binary, "w") as f:
            f.write(f"#!/bin/sh\nexec ip netns exec {self.space} {clock} {real} \"$@\"\n")
        os.chmod(self.binary, 0o755)
        self.write(f"""node: {{name: {self.name}, site: site-{number}, network: AS6450{number}, data: "%DATA%"}}
dns: {{listen: ["%DNS%"], threads: 1}}
tell: {{listen: ["%TELL%"]}}
mesh: {{listen: "192.0.2.{number}:{PORT}"}}
""")

    def clock_step(self, seconds):
        with open(self.clock, "r+b" if self.clock.exists() else "wb") as f:  # mapped by the roles: never another file
            f.write(struct.pack("<q", seconds))


@pytest.fixture
def far(holdfast, build, open_path):
    if why := refused(af_xdp=False):
        pytest.skip(why)
    net, made = Net(), []
    try:
        for number in (1, 2, 3):
            node = Far(net, number, build / "libclockstep.so", holdfast, open_path / f"node{number}", "", {})
            made.append(node)
            if number == 1:
                assert node.cli("init", str(node.config_path)).returncode == 0
            else:
                token = wait_for(lambda: made[0].cli("invite", "--role", "voter", "--data", str(made[0].data)).stdout.strip())
                joined = node.cli("join", token, str(node.config_path))
                assert joined.returncode == 0, joined.stderr
            node.start()
        for node in made:
            assert wait_for(lambda node=node: sees(node, *[n.name for n in made if n is not node])), node.log()
        yield net, made
    finally:
        for node in made:
            node.stop()
        net.close()


class Clients:
    """Threads that change controls on nodes by chance, and write down what they were told and when."""

    def __init__(self, among):
        self.among, self.history, self.ends = among, [], threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(k,)) for k in range(CLIENTS)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for t in self.threads:
            t.join()

    def run(self, k):
        rng, number = random.Random(f"{SEED} client {k}"), 0
        while not self.ends.is_set():
            number += 1
            names = rng.sample(CONTROLS, rng.choice((1, 1, 2)))
            wanted = tuple(sorted((name, rng.choice(("On", "Off"))) for name in names))
            request = {"op": "change", "token": f"{k}-{number}",
                       "edits": [{"kind": "control", "name": n, "value": {"state": v}} for n, v in wanted]}
            called, said = time.monotonic(), UNKNOWN
            # Whoever is not sure asks again with the same token, elsewhere, a few times. That this time nothing was
            # done says nothing of the times before.
            for attempt in range(rng.choice((1, 4, 4, 4))):
                said = outcome_of(ask(rng.choice(self.among), request, timeout=rng.choice((0.3, 8))))
                said = UNKNOWN if said == NOT_DONE and attempt else said
                if said is not UNKNOWN:
                    break
            returned = math.inf if said is UNKNOWN else time.monotonic()
            with self.lock:
                self.history.append(Operation(str(k), called, returned, ("set", wanted), said))
            time.sleep(rng.random() * 0.05)


def harm(net, among, rng):
    """One thing that goes wrong for a moment, and comes right again."""
    node, what = rng.choice(among), rng.choice(HARMS)
    others = [n.number for n in among if n is not node]
    # From whom to whom nothing comes: nobody hears it, it hears nobody, or one link.
    ways = {"mute": [(o, node.number) for o in others], "deaf": [(node.number, o) for o in others],
            "one way": [(rng.choice(others), node.number)]}
    pid = node.pid("control")
    if what == "kill" and pid > 1:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: node.pid("control") not in (0, pid), 5)
    elif what == "stop" and pid > 1:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.3 + rng.random())
        os.kill(pid, signal.SIGCONT)
    elif what == "cut":
        net.cut(node.number, True)
        time.sleep(0.5 + rng.random())
        net.cut(node.number, False)
    elif what in ways:
        for way in ways[what]:
            net.deafen(*way, True)
        time.sleep(0.5 + 2 * rng.random())
        for way in ways[what]:
            net.deafen(*way, False)
    elif what == "clock":
        node.clock_step(rng.choice((-40, -3, 0, 3, 40)))
        time.sleep(0.5)
    return what


def test_what_clients_were_told_is_one_history(far, capsys):
    net, among = far
    edits = [{"kind": "panel", "name": "p", "value": {}}]
    edits += [{"kind": "control", "name": c, "value": {"state": "On"}} for c in CONTROLS]
    made = wait_for(lambda: (r := ask(among[0], {"op": "change", "edits": edits})) and r["ok"] and r)
    assert made, among[0].log()
    version = int(re.match(r"change (\d+)", made["message"]).group(1))
    rng, harms = random.Random(SEED), collections.Counter()
    with Clients(among) as clients:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(rng.random())
            harms[harm(net, among, rng)] += 1
        # as much as says something, however slow the disk is
        wait_for(lambda: sum(isinstance(o.outcome, tuple) for o in list(clients.history)) > 20, 30)
        time.sleep(1)
    seen = collections.Counter("unknown" if o.open else o.outcome if isinstance(o.outcome, str) else "changed"
                               for o in clients.history)
    with capsys.disabled():
        print(f"\n  seed {SEED}: {dict(seen)} while {dict(harms)}")
    assert seen["changed"] > 20, (seen, among[0].log())
    start = (version, tuple((c, "On") for c in sorted(CONTROLS)))
    assert is_one_history(clients.history, start), f"HISTORY_SEED={SEED}"
    # The saboteur: had two clients been told each other's outcome, it would have been seen.
    changes = sorted((o for o in clients.history if isinstance(o.outcome, tuple)), key=lambda o: o.called)
    first, last = changes[0], changes[-1]
    assert first.returned < last.called
    forged = [o for o in clients.history if o is not first and o is not last]
    forged += [dataclasses.replace(first, outcome=last.outcome), dataclasses.replace(last, outcome=first.outcome)]
    assert not is_one_history(forged, start)
    # And the nodes come to the same end.
    def texts():
        replies = [ask(n, {"op": "intent"}) for n in among]
        return all(replies) and {str(r["intent"]["objects"]) for r in replies}
    assert wait_for(lambda: len(texts() or "12") == 1, 15), [n.log()[-2000:] for n in among]
