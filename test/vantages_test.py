"""Three real nodes in three networks look at the same endpoints, each over a way of its own (a port of its own at the same
address, so that one way can be cut and not the others)."""

import json
import time

import pytest

import mesh_test
from node import Origin, nodes, open_path, wait_for  # noqa: F401

WAY = 8090  # and the number of the node


def config(node, name, primary, secondary):
    number = int(name.rsplit("-", 1)[1])
    return f"""node: {{name: {name}, site: site-{number}, network: AS6450{number}, data: "%DATA%"}}
dns: {{listen: ["%DNS%"], threads: 1}}
tell: {{listen: ["%TELL%"]}}
mesh: {{listen: "{node.address}:{mesh_test.PORT}"}}
zones: [{{name: example.com, file: example.com.zone}}]
collections: {{AS64502: [192.0.2.0/24]}}
checks:
  web: {{http: "http://{{address}}:{WAY + number}/", interval: 250ms, timeout: 250ms, hold_down: 1s}}
services:
  - name: api.example.com
    policy: failover
    ttl: 1s
    endpoints:
      - {{name: use1, address: {primary}, role: primary, region: us-east-1, provider: aws, check: web}}
      - {{name: euw1, address: {secondary}, role: secondary, region: eu-west-1, provider: gcp, check: web}}
"""


class Ways:
    """An endpoint that each node reaches over its own port."""

    def __init__(self):
        first = Origin(port=WAY + 1)
        self.address = first.address
        self.ways = {1: first, 2: Origin(self.address, WAY + 2), 3: Origin(self.address, WAY + 3)}

    def cut(self, *numbers):
        for n in numbers or self.ways:
            self.ways[n].cut()

    def heal(self):
        for way in self.ways.values():
            way.heal()


@pytest.fixture
def world(nodes, monkeypatch):
    primary, secondary = Ways(), Ways()
    monkeypatch.setattr(mesh_test, "config",
                        lambda node, name, extra="": config(node, name, primary.address, secondary.address))
    cluster = mesh_test.Cluster(nodes)
    members = [cluster.first()]
    members += [cluster.joined(members[0]), cluster.joined(members[0])]
    yield members, primary, secondary
    primary.cut()
    secondary.cut()


def status(node):
    out = node.cli("status", "--json", "--data", str(node.data))
    return json.loads(out.stdout) if out.returncode == 0 else {}


def votes(node):
    return sorted(v["node"] for v in status(node).get("vantages", []) if v["state"] == "votes")


def seen(node):
    for e in status(node).get("endpoints", []):
        if e["name"] == "use1":
            return e["addresses"][0]["seen"], e["addresses"][0]["state"]
    return {}, ""


def test_what_is_usual_is_damaged(nodes):
    """It is learnt again; nothing else follows from it."""
    node = nodes("")
    endpoint, other = Ways(), Ways()
    node.name = "node-1"
    node.write(config(node, node.name, endpoint.address, other.address).replace("mesh:", "# mesh:"))
    node.data.mkdir(exist_ok=True)
    (node.data / "latency.usual").write_bytes(b"HFUSUAL\0 and then noise")
    (node.data / "latency.usual").chmod(0o644)
    node.start()
    assert wait_for(lambda: node.short("api.example.com") == [endpoint.address])
    assert wait_for(lambda: "usual.read" in node.log()), node.log()
    assert wait_for(lambda: seen(node)[1] == "up")
    assert wait_for(lambda: seen(node)[0]["p50"] > 0, 15), seen(node)
    assert status(node)["vantages"] == [] and seen(node)[0]["finding"] == "none"
    endpoint.cut()
    other.cut()


def test_requests_that_are_sent_again(nodes):
    """Loss is told of a way on which no probe fails: the kernel had to send requests twice."""
    node = nodes("")
    origin, other = Origin(port=WAY + 1), Ways()
    node.name = "node-1"
    text = config(node, node.name, origin.address, other.address).replace("mesh:", "# mesh:")
    node.write(text.replace("interval: 250ms, timeout: 250ms", "interval: 800ms, timeout: 800ms"))
    node.start()
    assert wait_for(lambda: seen(node)[1] == "up", 10), node.log()
    origin.lose(250, requests_only=True)
    assert wait_for(lambda: seen(node)[0]["finding"] == "loss", 90, 0.2), seen(node)
    found, state = seen(node)
    assert state == "up" and found["loss"] > 0.02
    assert found["loss_of"] == "segments" and "% of TCP segments since" in found["sentence"], found
    assert "is down" not in node.log()
    origin.cut()
    other.cut()


def test_nodes_take_turns(nodes, monkeypatch):
    """Three nodes with the same check probe a third of its interval apart, whenever each of them began."""
    origin, other = Origin(port=WAY), Origin(port=WAY)
    monkeypatch.setattr(mesh_test, "config", lambda node, name, extra="": config(node, name, origin.address, other.address)
                        .replace(f":{WAY + int(name[-1])}/", f":{WAY}/").replace("250ms", "1s"))
    cluster = mesh_test.Cluster(nodes)
    members = [cluster.first()]
    members += [cluster.joined(members[0]), cluster.joined(members[0])]
    for n in members:
        assert wait_for(lambda: votes(n) == ["node-1", "node-2", "node-3"], 15), n.log()

    def gaps():
        times, count = [], origin.requests
        while len(times) < 8:
            if origin.requests != count:
                count = origin.requests
                times.append(time.monotonic())
            time.sleep(0.002)
        return [b - a for a, b in zip(times, times[1:])]

    for _ in range(10):  # a busy machine may delay some
        seen_gaps = gaps()
        if all(0.26 < g < 0.41 for g in seen_gaps):
            break
    else:
        pytest.fail(f"they probe at {seen_gaps}")
    origin.cut()
    other.cut()


def test_votes_of_three(world):
    (node, second, third), primary, secondary = world
    everybody = [node, second, third]
    for n in everybody:
        assert wait_for(lambda: votes(n) == ["node-1", "node-2", "node-3"], 15), status(n).get("vantages")
        assert wait_for(lambda: seen(n)[1] == "up", 10), n.log()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address], 5)

    # one path is cut: told, and nothing moves (L8)
    primary.cut(2)
    told = "answers from AS64501 and AS64503; unreachable from AS64502 since"  # a vantage may miss a beat, and be silent so long

    def sentence():
        found, state = seen(node)
        return found["sentence"] if (found.get("finding"), state) == ("transit", "up") and told in found["sentence"] else None

    said = wait_for(sentence, 10)
    assert said and "connect refused; transit, not the endpoint" in said, seen(node)
    assert node.short("api.example.com") == [primary.address]
    words, data = said.split(" since ")[0], ("--data", str(node.data))
    assert wait_for(lambda: words in node.cli("status", *data).stdout), (words, node.cli("status", *data))
    out = wait_for(lambda: words in (out := node.cli("explain", "api.example.com", *data).stdout) and out)
    assert out and "Votes: of 3 networks" in out, node.cli("explain", "api.example.com", *data)

    # but for the clients behind it
    assert wait_for(lambda: node.short("api.example.com", "A", "+subnet=192.0.2.0/24") == [secondary.address], 5)
    assert node.short("api.example.com", "A", "+subnet=198.51.100.0/24") == [primary.address]

    # most of the networks fail: down, and the answers move
    cut = time.monotonic()
    primary.cut(3)
    assert wait_for(lambda: all(n.short("api.example.com") == [secondary.address] for n in everybody), 10), seen(node)
    print(f"\ncut until all nodes answer otherwise: {time.monotonic() - cut:.2f} s")
    assert wait_for(lambda: all(seen(n)[1] == "down" for n in everybody), 5)
    assert "of 3 networks 2 say down, 1 up" in node.log()

    primary.heal()
    assert wait_for(lambda: seen(node)[1] == "up" and node.short("api.example.com") == [primary.address], 15), seen(node)
    assert wait_for(lambda: node.metric("holdfast_vantages_voting") == 3), status(node).get("vantages")
    assert node.metric("holdfast_sample_tables_total", 'result="taken"') > 5

    # who is silent has no vote; a node left alone decides nothing by itself
    second.stop()
    third.stop()
    assert wait_for(lambda: votes(node) == ["node-1"], 10), status(node).get("vantages")
    primary.cut(1)
    assert wait_for(lambda: seen(node)[0].get("finding") == "undecided", 15), seen(node)
    assert seen(node)[1] == "up" and node.short("api.example.com") == [primary.address]
    assert "only 1 of 3 networks can say anything" in seen(node)[0]["sentence"]
