"""Incidents: told on one node, seen on all, never twice, and shown with control dead."""

import json
import pathlib
import re
import shlex

from cluster_test import crash, is_cut_off, three  # noqa: F401
from control_test import Switchboard
from mesh_test import ask
from node import nodes, open_path, origins, wait_for  # noqa: F401

PAGE = pathlib.Path(__file__).resolve().parent.parent / "doc/incidents.md"


def page_commands():
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)
    return [[shlex.split(line)[1:] for line in block.splitlines()] for block in blocks]


def test_what_the_page_shows_works(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    story, planned = page_commands()
    told = {" ".join(words[1:3]): board.said(*words) for words in story[:3]}
    assert told["open use1-errors"] == "change 1: incident use1-errors is investigating\n"
    assert "use1-errors  identified, impact major: Errors in us-east-1" in told["list"]
    assert "affects region:us-east-1, service:api.example.com" in told["list"]
    # It is seen everywhere, and touches what it touches.
    line = "INCIDENT use1-errors, impact major, identified, since 10m"
    assert wait_for(lambda: line in board.said("status"))
    explained = board.said("explain", "api.example.com")
    assert line in explained and '"A fibre is cut; traffic goes elsewhere."' in explained
    assert "INCIDENT" not in board.said("explain", "static.example.com")
    assert wait_for(lambda: board.node.metric("holdfast_incidents_unresolved", 'impact="major"') == 1)
    shown = json.loads(board.said("status", "--json"))["incidents"]
    assert [i["incident"] for i in shown] == ["use1-errors"] and shown[0]["updated_ms"] > shown[0]["created_ms"]
    # With control dead as well.
    pid = board.node.pid("control")
    board.node.kill("control")
    assert line in board.said("status")
    board.node.wait_restart("control", pid)
    assert wait_for(lambda: "use1-errors" in board.node.cli("incident", "list", "--data", str(board.node.data)).stdout)
    for words in story[3:]:
        last = board.said(*words)
    assert re.findall(r"GMT  (\w+)\n", last) == ["resolved", "monitoring", "identified", "investigating"], last
    assert "INCIDENT" not in board.said("status")
    assert wait_for(lambda: board.node.metric("holdfast_incidents_unresolved", 'impact="major"') == 0)
    assert "agreed with the provider" in board.said("log")
    assert "there is no incident that is not over" in board.said("incident", "list")
    for words in planned:
        board.said(*words)
    assert "completed" in board.said("incident", "list", "--all")
    why = board.refused("incident", "update", "new-disks", "--status", "in_progress")
    assert "what has ended stays so" in why
    board.said("undo", "7")
    assert "MAINTENANCE new-disks, in_progress, planned from Sun, 01 Dec 2030 02:00:00 GMT" in board.said("status")
    why = board.refused("incident", "open", "x", "--affects", "us-west-7")
    assert '"us-west-7" is no service, region, provider or endpoint that this node knows' in why
    assert board.node.cli("incident", "schedule", "x", "--at", "someday", "--for", "1h").returncode == 2


def told(node):
    objects = ask(node, {"op": "intent"})["intent"]["objects"]
    return {o["name"]: o["value"] for o in objects if o["kind"] == "incident"}


def test_told_on_any_node_of_three(three):  # noqa: F811
    a, b, c = three
    assert ask(a, {"op": "incident", "incident": "one", "do": "open", "title": "It is slow", "token": "t1"})["ok"]
    more = {"op": "incident", "incident": "one", "do": "update", "message": "Still.", "token": "t2", "reason": "drill"}
    first = ask(b, more)
    assert first["ok"] and ask(c, more) == first and ask(a, more) == first
    for n in three:
        assert wait_for(lambda n=n: len(told(n).get("one", {}).get("updates", [])) == 2), n.log()
        assert wait_for(lambda n=n: n.metric("holdfast_incidents_unresolved", 'impact="minor"') == 1), n.log()
    texts = {json.dumps(told(n), sort_keys=True) for n in three}
    assert len(texts) == 1
    # Two tell at once that it is over: the one moves it, the other is told that it had ended.
    assert ask(b, {"op": "incident", "incident": "one", "do": "resolve"})["ok"]
    late = ask(c, {"op": "incident", "incident": "one", "do": "update", "status": "identified"})
    assert not late["ok"] and "is resolved and cannot become identified" in late["message"]
    # Cut off, a node tells its own readers.
    for n in (b, c):
        crash(n)
    assert wait_for(lambda: is_cut_off(a), 10), a.log()
    data = ("--data", str(a.data))
    out = a.cli("incident", "open", "dark", "--title", "We are cut off", *data)
    assert out.returncode == 1 and "2 of 3 voters are needed" in out.stderr
    out = a.cli("override", "--yes-i-am-cut-off", "incident", "open", "dark", "--title", "We are cut off", *data)
    assert out.returncode == 0 and out.stdout.startswith("OVERRIDE, on this node alone"), out
    status = a.cli("status", *data).stdout
    assert "OVERRIDE: this node goes by 1 change(s)" in status and "INCIDENT dark" in status
