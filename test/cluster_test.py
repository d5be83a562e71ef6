"""What operators want, decided together: three real nodes on loopback, and what happens to them."""

import contextlib
import concurrent.futures
import json
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest

import linear
from mesh_test import Cluster, ask, sees
from node import Asker, nodes, open_path, wait_for  # noqa: F401

PANEL = [{"kind": "panel", "name": "p", "value": {}}] + \
        [{"kind": "control", "name": f"p/{c}", "value": {"state": "On"}} for c in "abc"]


@pytest.fixture
def three(nodes):
    cluster = Cluster(nodes)
    a = cluster.first()
    among = [a, cluster.joined(a), cluster.joined(a)]
    names = [n.name for n in among]
    for n in among:
        assert wait_for(lambda n=n: sees(n, *[m for m in names if m != n.name])), n.log()
    assert wait_for(lambda: all(n.metric("holdfast_replica_quorum") for n in among)), a.log()
    assert wait_for(lambda: len({n.metric("holdfast_replica_applied") for n in among}) == 1), a.log()
    assert ask(a, {"op": "change", "edits": PANEL})["ok"]
    return among


def leader(among):
    """Who leads, where just one says that it does; what they say is up to a second old."""
    leads = [n for n in among if n.process.poll() is None and n.metric("holdfast_replica_leads") == 1]
    return leads[0] if len(leads) == 1 else None


def leads(among):
    """The same, waited for."""
    lead = wait_for(lambda: leader(among))
    assert lead, [n.log()[-2000:] for n in among]
    return lead


def flip(names, state, **more):
    names = [names] if isinstance(names, str) else names
    return {"op": "change", "edits": [{"kind": "control", "name": f"p/{n}", "value": {"state": state}} for n in names], **more}


def states(node):
    """What the node wants at this moment: ((control, state), ...)."""
    reply = ask(node, {"op": "intent"})
    return {o["name"]: o["value"]["state"] for o in reply["intent"]["objects"] if o["kind"] == "control"} if reply else {}


def crash(node):
    """As if the machine went away."""
    for role in ("control", "dns", "tell"):
        os.kill(node.pid(role), signal.SIGSTOP)
    node.process.kill()
    node.process.wait()
    for role in ("control", "dns", "tell"):
        os.kill(node.pid(role), signal.SIGKILL)


def is_cut_off(node):
    """It knows that it is alone. A leader finds that out later than that its links are down, and so long takes changes, of
    which it cannot say then whether they will be done."""
    return node.metric("holdfast_replica_quorum") == 0 and node.metric("holdfast_replica_leads") == 0


def kept(node):
    """What it wants as its disk has it, once a second: what it would go on with after a restart without its cluster."""
    objects = json.loads((node.data / "intent.json").read_text())["objects"]
    return {o["name"]: o["value"]["state"] for o in objects if o["kind"] == "control"}


def accepted(among, since, state, limit=30.0):
    """Seconds until somebody has a change accepted."""
    number = 0
    while time.monotonic() - since < limit:
        number += 1
        reply = ask(among[number % len(among)], flip("a", state, token=f"t{since}"), 3)
        if reply and reply["ok"]:
            return time.monotonic() - since
        time.sleep(0.01)
    return None


def test_any_node_changes_what_all_want(three):
    for i, n in enumerate(three):
        reply = ask(n, flip("abc"[i], "Off", reason="drill", token=f"token-{i}"))
        assert reply["ok"] and "is Off" in reply["message"], reply
        assert states(n)["p/" + "abc"[i]] == "Off"  # whoever was told sees it
    assert ask(three[0], flip("c", "Off", token="token-2")) == reply  # asked again: told again, not done again
    for n in three:
        assert wait_for(lambda n=n: list(states(n).values()) == ["Off"] * 3), n.log()
    texts = {json.dumps(ask(n, {"op": "intent"})["intent"], sort_keys=True) for n in three}
    assert len(texts) == 1


def test_a_late_retry_changes_nothing(three):
    """More changes came between than the history holds, and a restart: who asks again is told that it was done."""
    first = ask(three[0], flip("a", "Off", token="late"))
    assert first["ok"] and ask(three[1], flip("a", "On"))["ok"]
    number = re.match(r"change (\d+): ", first["message"]).group(1)
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda i: ask(three[i % 3], {"op": "change", "edits": [
            {"kind": "control", "name": "p/b", "value": {"state": "On", "gates": [f"region:r{i}"]}}]}), range(1010)))
    assert all(m and m["ok"] for m in made)
    last = three[2]
    pid = last.pid("control")
    last.kill("control")
    last.wait_restart("control", pid)
    assert wait_for(lambda: (ask(last, flip("c", "Off", token="other")) or {}).get("ok"), 10), last.log()
    assert int(number) not in [c["version"] for c in ask(last, {"op": "intent"})["intent"]["history"]]
    for n in reversed(three):
        again = ask(n, flip("a", "Off", token="late"))
        assert again["ok"] and again["message"] == f"change {number}: it was made before", again
    assert wait_for(lambda: all(states(n).get("p/a") == "On" for n in three))
    assert three[0].metric("holdfast_outcomes_remembered") > 1000 and three[0].metric("holdfast_outcomes_forgotten_total") == 0


def seconds_without(among, state, end, begin):
    """From when `end` befalls the leader until somebody has a change accepted; nobody who asks for names notices. `begin` brings
    it back, and it learns what was changed."""
    lead = leads(among)
    others = [n for n in among if n is not lead]
    with Asker(others[0], ["static.example.com"], ["192.0.2.80"]) as asker:
        since = time.monotonic()
        end(lead)
        took = accepted(others, since, state)
        begin(lead)
        assert took, others[0].log()
        for n in among:
            assert wait_for(lambda n=n: states(n).get("p/a") == state), n.log()
    assert asker.answered and not asker.lost and not asker.wrong, (asker.lost[:3], asker.wrong[:3])
    return took


def test_the_leader_dies(three, capsys):
    # Three times at most: where a disk stands still for a second an election takes so much longer.
    dead = [seconds_without(three, "Off", crash, lambda n: n.start())]
    while min(dead) >= 2 and len(dead) < 3:
        dead.append(seconds_without(three, ("Off", "On")[len(dead) % 2], crash, lambda n: n.start()))
    stopped = seconds_without(three, ("Off", "On")[len(dead) % 2], lambda n: n.kill("control", signal.SIGSTOP),
                              lambda n: n.kill("control", signal.SIGCONT))
    assert min(dead) < 2 and stopped < 7, (dead, stopped)
    with capsys.disabled():
        print(f"\n  next accepted change: {min(dead) * 1000:.0f} ms after the leader's machine died, "
              f"{stopped * 1000:.0f} ms after its process was stopped")


def test_a_leader_that_ends_hands_over(three):
    lead = leads(three)
    others = [n for n in three if n is not lead]
    term = lead.metric("holdfast_replica_term")
    lead.stop()
    # one election, and none of those that a silent leader leaves behind
    assert leads(others).metric("holdfast_replica_term") == term + 1, others[0].log()
    assert "event=replica.handover worked=true" in lead.log(), lead.log()


def test_cut_off(three):
    """L1: a node alone goes on; it changes nothing, at once, and says who is missing."""
    alone, *others = three
    assert ask(alone, flip("b", "Off"))["ok"]
    for n in others:
        crash(n)
    assert wait_for(lambda: is_cut_off(alone), 10), alone.log()
    since = time.monotonic()
    reply = ask(alone, flip("b", "On"))
    assert time.monotonic() - since < 1
    assert not reply["ok"] and reply["error"] == "ERR_QUORUM", reply
    assert "2 of 3 voters are needed" in reply["message"] and "node-2 and node-3 cannot be reached" in reply["message"]
    assert states(alone)["p/b"] == "Off" and alone.short("static.example.com") == ["192.0.2.80"]
    assert wait_for(lambda: kept(alone).get("p/b") == "Off"), alone.log()
    pid = alone.pid("control")
    alone.kill("control")
    alone.wait_restart("control", pid)
    assert wait_for(lambda: states(alone).get("p/b") == "Off"), alone.log()  # what it wants outlives a restart
    others[0].start()
    assert wait_for(lambda: (ask(alone, flip("b", "On")) or {}).get("ok"), 10), alone.log()


def test_a_damaged_log_never_votes_and_always_serves(three):
    lead = leads(three)
    follower = next(n for n in three if n is not lead)
    for i in range(20):
        assert ask(follower, flip("c", "On" if i % 2 else "Off"))["ok"]
    time.sleep(0.6)  # what was written last is sealed
    wanted = states(follower)
    follower.stop()
    log = sorted((follower.data / "replica").glob("*/log-*"))[0]
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0x10
    log.write_bytes(data)
    follower.start()
    assert wait_for(lambda: follower.metric("holdfast_replica_halted") == 1), follower.log()
    assert states(follower) == wanted and follower.short("static.example.com") == ["192.0.2.80"]
    reply = ask(follower, flip("c", "On"))
    assert reply["error"] == "ERR_REFUSED" and "damaged" in reply["message"]
    assert "replica.halted" in follower.log() and "is damaged at byte" in follower.log()
    others = [n for n in three if n is not follower]
    assert leads(others)
    assert ask(others[0], flip("c", "On"))["ok"]
    # It does not begin anew while it counts, and does once it is demoted; then it can be promoted again.
    time.sleep(1)
    assert follower.metric("holdfast_replica_halted") == 1
    said = others[0].cli("nodes", "demote", follower.name, "--data", str(others[0].data))
    assert said.returncode == 0, said.stderr
    assert wait_for(lambda: follower.metric("holdfast_replica_halted") == 0), follower.log()
    assert wait_for(lambda: states(follower) == states(others[0]) and states(follower)["p/c"] == "On"), follower.log()
    said = others[0].cli("nodes", "promote", follower.name, "--data", str(others[0].data))
    assert said.returncode == 0, said.stderr
    assert wait_for(lambda: (ask(follower, flip("a", "Off")) or {}).get("ok")), follower.log()
    assert wait_for(lambda: [n["role"] for n in json.loads(
        others[0].cli("nodes", "--json", "--data", str(others[0].data)).stdout)["nodes"]] == ["voter"] * 3)
    time.sleep(1)
    others[1].stop()  # its vote counts again
    assert wait_for(lambda: (ask(follower, flip("b", "Off")) or {}).get("ok"), 10), follower.log()


def test_a_full_disk_halts_and_the_node_comes_back_by_itself(three, open_path):
    lead = leads(three)
    follower = next(n for n in three if n is not lead)
    others = [n for n in three if n is not follower]
    folder, kept = follower.data / "replica", open_path / "kept"
    follower.stop()
    subprocess.run(["cp", "-a", folder, kept], check=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", folder], check=True)
        follower.start()
        assert wait_for(lambda: follower.metric("holdfast_replica_quorum") == 1), follower.log()
        pid, ballast = follower.pid("control"), folder / "ballast"
        with open(ballast, "wb", buffering=0) as f, contextlib.suppress(OSError):
            while True:
                f.write(b"x" * 4096)
        wide = {"reason": "x" * 400}  # what the log's last page has room for is soon used up
        assert wait_for(lambda: all(ask(others[0], flip("a", s, **wide))["ok"] for s in ("Off", "On")) and
                        follower.metric("holdfast_replica_halted") == 1), follower.log()
        assert follower.short("static.example.com") == ["192.0.2.80"]
        said = follower.cli("nodes", "--data", str(follower.data)).stdout
        assert "THIS NODE VOTES NO MORE" in said and "No space left" in said and "goes on by itself" in said, said
        for i in range(5):
            assert ask(others[0], flip("b", "On" if i % 2 else "Off"))["ok"]
        time.sleep(1.5)  # it tries, and does not say that it has come back
        assert follower.metric("holdfast_replica_halted") == 1
        ballast.unlink()
        assert wait_for(lambda: follower.metric("holdfast_replica_halted") == 0), follower.log()
        assert wait_for(lambda: states(follower) == states(others[0])), follower.log()
        assert follower.pid("control") == pid and "replica.resumed" in follower.log()
        others[1].stop()  # its vote counts again
        assert wait_for(lambda: (ask(follower, flip("c", "Off")) or {}).get("ok"), 10), follower.log()
    finally:
        follower.stop()
        subprocess.run(["umount", "-l", folder], capture_output=True)


def test_override(three):
    """Cut off, a node is changed by hand; everybody who looks sees it; with its cluster again, it is laid aside."""
    alone, *others = three
    command = ("override", "--yes-i-am-cut-off", "control", "off", "p/b", "--data", str(alone.data))
    out = alone.cli(*command)
    assert out.returncode == 1 and "a majority of the voters can be reached" in out.stderr
    for n in others:
        crash(n)
    assert wait_for(lambda: alone.metric("holdfast_replica_quorum") == 0, 10), alone.log()
    out = alone.cli("override", "control", "off", "p/b", "--data", str(alone.data))  # nobody types the confirmation
    assert out.returncode == 1 and "not confirmed" in out.stderr and states(alone)["p/b"] == "On"
    out = alone.cli(*command)
    assert out.returncode == 0 and "OVERRIDE, on this node alone" in out.stdout and states(alone)["p/b"] == "Off"
    pid = alone.pid("control")
    alone.kill("control")
    alone.wait_restart("control", pid)
    assert wait_for(lambda: states(alone).get("p/b") == "Off") and states(alone)["p/a"] == "On", alone.log()
    assert wait_for(lambda: alone.metric("holdfast_overrides") == 1)
    assert "OVERRIDE" in alone.cli("status", "--data", str(alone.data)).stdout
    assert "OVERRIDE" in alone.cli("explain", "static.example.com", "--data", str(alone.data)).stdout
    seen = alone.cli("nodes", "--data", str(alone.data)).stdout
    assert "OVERRIDE: this node goes by 1 change(s)" in seen and re.search(r"cluster \w+, change \d{1,3}:", seen), seen
    for what in (("control", "list"), ("rule", "list"), ("shift", "list"), ("incident", "list"), ("log",)):
        assert "OVERRIDE" in alone.cli(*what, "--data", str(alone.data)).stderr, what
    for n in others:
        n.start()
    assert wait_for(lambda: states(alone).get("p/b") == "On", 10), alone.log()
    assert "override.laid.aside" in alone.log() and wait_for(lambda: alone.metric("holdfast_overrides") == 0)
    assert (alone.data / "override.json.laid-aside").exists() and not (alone.data / "override.json").exists()
    assert wait_for(lambda: (ask(alone, flip("b", "Off")) or {}).get("ok"), 10), alone.log()
    assert wait_for(lambda: all(states(n).get("p/b") == "Off" for n in others))
    assert "OVERRIDE" not in alone.cli("control", "list", "--data", str(alone.data)).stderr


class Clients:
    """Write and read controls on all nodes at once, and note what they were told, and when."""

    def __init__(self, among, count=4):
        self.among, self.history, self.stopping = among, [], threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(count)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for t in self.threads:
            t.join(20)

    def run(self, number):
        rng = random.Random(number)
        while not self.stopping.is_set():
            node = rng.choice(self.among)
            called = time.monotonic()
            what, outcome = self.read(node) if rng.random() < 0.4 else self.write(node, rng)
            op = linear.Operation(f"client-{number}", called, time.monotonic(), what, outcome)
            with self.lock:
                self.history.append(op)
            time.sleep(rng.random() * 0.05)

    @staticmethod
    def read(node):
        reply = ask(node, {"op": "intent", "agreed": True}, 8)
        if not reply or not reply["ok"]:
            return ("get",), linear.UNKNOWN
        return ("get",), tuple(sorted((o["name"], o["value"]["state"]) for o in reply["intent"]["objects"] if o["kind"] == "control"))

    @staticmethod
    def write(node, rng):
        names, state = rng.sample("abc", rng.choice((1, 2))), rng.choice(("On", "Off"))
        reply = ask(node, flip(names, state), 8)
        what = ("set", tuple(sorted((f"p/{n}", state) for n in names)))
        if not reply or reply.get("error") == "ERR_UNSURE":
            return what, linear.UNKNOWN
        said = re.match(r"change (\d+):", reply["message"]) if reply["ok"] else None
        return what, int(said[1]) if said else None


def test_histories_are_linearizable(three):
    """Controls are one atomic object, whatever happens to the processes."""
    begun = ask(three[0], {"op": "intent"})["intent"]["version"]
    state = (begun, tuple((f"p/{n}", "On") for n in "abc"))
    rng = random.Random(7)
    with Clients(three) as clients:
        for _ in range(4):
            time.sleep(0.7)
            node = leader(three) or rng.choice(three)
            if rng.random() < 0.5:
                node.kill("control")
            else:
                pid = node.kill("control", signal.SIGSTOP)
                time.sleep(1.2)
                os.kill(pid, signal.SIGCONT)
        # as much as says something, however slow the disk is
        assert wait_for(lambda: sum(o.outcome is not linear.UNKNOWN for o in list(clients.history)) > 40, 60), len(clients.history)
    assert linear.linearizable(clients.history, linear.controls, state), clients.history
