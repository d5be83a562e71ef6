"""Practice runs: shifts on a schedule, which end by themselves, or when they show that something is missing."""

from control_test import Switchboard
from node import nodes, open_path, origins, wait_for  # noqa: F401


def schedule(board, length, *more):
    board.said("practice", "add", "region:us-east-1", "--every", "60s", "--for", length, *more)


def test_a_run_moves_answers_and_brings_them_back(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    assert wait_for(lambda: board.node.metric("holdfast_endpoint_up") == 2)  # the second one was seen, too
    schedule(board, "4s", "--outcome", "api.example.com")
    assert wait_for(lambda: board.answer() == board.secondary.address, 5)
    assert "PENDING" in board.said("practice", "list")
    assert wait_for(lambda: board.answer() == board.primary.address)
    assert wait_for(lambda: "SUCCEEDED" in board.said("practice", "list"))
    # It is in the log like everything else, and once a minute is once.
    log = board.said("log")
    assert "by practice run on" in log and '"outcome":"SUCCEEDED"' in log
    assert board.said("practice", "list").count("SUCCEEDED") == 1
    assert board.said("shift", "list") == "nothing is shifted\n"


def test_a_run_that_shows_a_fault_ends_at_once(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    schedule(board, "30s", "--outcome", "api.example.com")
    assert wait_for(lambda: board.answer() == board.secondary.address, 5)
    board.secondary.cut()
    assert wait_for(lambda: "FAILED: api.example.com is not well" in board.said("practice", "list"), 8)
    assert wait_for(lambda: board.answer() == board.primary.address, 5)
    # Without the other region none begins, and that is an outcome, too.
    board.said("practice", "remove", "region:us-east-1")
    schedule(board, "30s")
    assert wait_for(lambda: "CAPACITY_CHECK_FAILED: api.example.com/euw1 is not up" in board.said("practice", "list"), 8)
    assert board.answer() == board.primary.address


def test_an_operator_comes_first(nodes, origins):  # noqa: F811
    board = Switchboard(nodes, origins)
    schedule(board, "30s")
    assert wait_for(lambda: board.answer() == board.secondary.address, 5)
    board.said("shift", "end", "region:us-east-1", "--reason", "not now")
    assert wait_for(lambda: "INTERRUPTED: an operator ended it" in board.said("practice", "list"), 5)
    assert wait_for(lambda: board.answer() == board.primary.address, 5)
    why = board.refused("practice", "add", "region:us-east-1", "--every", "1s")
    assert 'wants "every_ms" of at least 10 s' in why
    out = board.node.cli("practice", "add", "region:x", "--at", "Someday")
    assert out.returncode == 2 and "Tue 14:00" in out.stderr
