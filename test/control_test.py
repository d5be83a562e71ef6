"""Routing controls, safety rules, shifts, and the log of what operators changed."""

import json
import subprocess
import time

from node import failover_config, nodes, open_path, origins, wait_for  # noqa: F401


class Switchboard:
    def __init__(self, nodes, origins):
        self.primary, self.secondary = origins(2)
        self.node = nodes(failover_config(self.primary, self.secondary)).start()
        self.said, self.refused = self.node.said, self.node.refused
        assert wait_for(lambda: self.answer() == self.primary.address)

    def answer(self):
        return "".join(self.node.short("api.example.com"))

    def two_controls(self):
        self.said("control", "add", "p/a", "--gates", "endpoint:api.example.com/use1")
        self.said("control", "add", "p/b", "--gates", "endpoint:api.example.com/euw1")


def test_controls_steer_within_their_rules(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    board.two_controls()
    assert wait_for(lambda: board.answer() == board.primary.address)
    board.said("rule", "add", "p/one", "--assert", "a,b", "--atleast", "1", "--wait", "0")
    out = board.said("control", "off", "p/a", "--reason", "drill")
    assert out == "change 4: control p/a is Off; it was On\n"
    assert wait_for(lambda: board.answer() == board.secondary.address)
    assert "control p/a is Off: drill" in board.node.cli(
        "explain", "api.example.com", "--data", str(board.node.data)).stdout
    why = board.refused("control", "off", "p/b")
    assert "the assertion rule p/one would be broken: 0 of its 2 controls are On, and it wants at least 1" in why
    assert board.answer() == board.secondary.address
    # Several at once are one transaction: only what is there after it counts.
    assert board.said("control", "set", "p/b=Off", "p/a=On").startswith("change 5: ")
    assert wait_for(lambda: board.answer() == board.primary.address)
    # L3: set aside by name, and by force; what is gated still answers where nothing else may.
    assert "say --force" in board.refused("control", "off", "p/a", "--override", "p/one")
    out = board.said("control", "off", "p/a", "--override", "p/one", "--force")
    assert "overridden: p/one" in out
    time.sleep(0.5)
    assert board.answer() in (board.primary.address, board.secondary.address)
    listed = board.said("control", "list")
    assert "Off  p/a  gates endpoint:api.example.com/use1" in listed and "uid " in listed
    assert "p/one  at least 1 of a, b On; wait 0 ms" in board.said("rule", "list")


def test_gating_rule(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    board.two_controls()
    board.said("control", "add", "p/gate")
    board.said("control", "off", "p/gate")
    board.said("rule", "add", "p/g", "--gate", "gate", "--targets", "a,b", "--any", "--wait", "0")
    assert "the gating rule p/g is closed, so a stays as it is" in board.refused("control", "off", "p/a")
    board.said("control", "on", "p/gate")
    board.said("control", "off", "p/a")
    assert wait_for(lambda: board.answer() == board.secondary.address)
    # The wait period, by default 5 s, is of the rule.
    board.said("rule", "add", "p/slow", "--assert", "a,b", "--atleast", "1")
    assert "wants 5000 ms between two changes" in board.refused("control", "on", "p/a")
    assert "the rule p/g refers to the control p/gate" in board.refused("control", "remove", "p/gate")


def test_shift_ends_by_itself(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    scope = "endpoint:api.example.com/use1"
    board.said("shift", "away", scope, "--for", "4s", "--reason", "smoke")
    assert f"away from {scope} until" in board.said("shift", "list")
    assert wait_for(lambda: board.answer() == board.secondary.address)
    assert wait_for(lambda: board.answer() == board.primary.address)
    assert wait_for(lambda: board.said("shift", "list") == "nothing is shifted\n")
    board.said("shift", "away", scope, "--for", "1h")
    assert wait_for(lambda: board.answer() == board.secondary.address)
    board.said("shift", "end", scope)
    assert wait_for(lambda: board.answer() == board.primary.address)
    out = board.node.cli("shift", "away", scope, "--for", "73h", "--data", str(board.node.data))
    assert out.returncode == 2 and "72h" in out.stderr


def test_log_and_undo_outlive_control(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    board.said("endpoint", "drain", "use1", "--reason", "kernel update")
    assert wait_for(lambda: board.answer() == board.secondary.address)
    pid = board.node.kill("control")
    board.node.wait_restart("control", pid)
    assert wait_for(lambda: board.node.cli("log", "--data", str(board.node.data)).returncode == 0)
    log = board.said("log")
    assert "kernel update" in log and '+ endpoint api.example.com/use1 {"state":"drained"}' in log
    assert board.answer() == board.secondary.address
    assert board.said("undo", "1") == "change 2: endpoint api.example.com/use1 is auto; it was drained\n"
    assert wait_for(lambda: board.answer() == board.primary.address)
    assert "there is no change 9" in board.refused("undo", "9")
    history = json.loads(board.said("log", "--json"))
    assert [c["version"] for c in history] == [1, 2]
    assert history[1]["edits"][0]["before"] == {"state": "drained"}


def test_diff_takes_changes_together(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    board.two_controls()
    board.said("control", "off", "p/a")

    def diff(*words):
        out = board.node.cli("diff", *words, "--data", str(board.node.data))
        return out.returncode, out.stdout, out.stderr

    status, text, _ = diff("1")
    assert status == 1 and "- control p/a" in text and '+ control p/a {"gates"' in text and '"state":"Off"' in text
    assert "+ control p/b" in text and "  change 3\n" in text
    # What was changed there and back is nothing; what was made in between has nothing before it.
    board.said("control", "on", "p/a")
    assert diff("2") == (0, "", "") and diff("2", "3")[0] == 1
    status, text, _ = diff("0", "3")
    assert status == 1 and "+ panel p {}" in text and "- " not in text and "  2 changes, from 1 to 3" in text
    assert diff("5") == (2, "", "holdfast: the newest change is 4\n")


def test_nothing_without_a_node(holdfast, tmp_path):
    for words in (["control", "list"], ["rule", "list"], ["shift", "list"], ["log"], ["undo", "1"],
                  ["control", "on", "p/a"], ["control", "add", "p/a"]):
        out = subprocess.run([holdfast, *words, "--data", str(tmp_path)], capture_output=True, text=True, timeout=20)
        assert out.returncode == 1 and "no node answers" in out.stderr, (words, out)
    for words in (["control"], ["control", "on"], ["rule", "add", "p/r"], ["shift", "away", "region:x"], ["undo", "x"],
                  ["log", "0"], ["rule", "add", "p/r", "--assert", "a", "--all", "--any"]):
        out = subprocess.run([holdfast, *words, "--data", str(tmp_path)], capture_output=True, text=True, timeout=20)
        assert out.returncode == 2, (words, out)
