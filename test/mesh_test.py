"""Nodes of a cluster, on loopback: init, invite, join, who sees whom, expelling; and everybody who is no node."""

import concurrent.futures
import json
import pathlib
import re
import socket
import struct
import subprocess
import time

import pytest

from node import nodes, open_path, wait_for  # noqa: F401

PORT = 7443


def config(node, name, extra=""):
    return f"""node: {{name: {name}, site: site-{name}, network: AS64500, data: "%DATA%"}}
dns: {{listen: ["%DNS%"], threads: 1}}
tell: {{listen: ["%TELL%"]}}
mesh: {{listen: "{node.address}:{PORT}"{extra}}}
zones: [{{name: example.com, file: example.com.zone}}]
"""


@pytest.fixture
def cluster(nodes):
    return Cluster(nodes)


class Cluster:
    def __init__(self, nodes):
        self.make = nodes
        self.count = 0

    def node(self, name=None, extra=""):
        """A host with a configuration; no node of anything yet."""
        self.count += 1
        node = self.make("")
        node.name = name or f"node-{self.count}"
        node.write(config(node, node.name, extra))
        return node

    def first(self, extra=""):
        node = self.node(extra=extra)
        made = node.cli("init", str(node.config_path))
        assert made.returncode == 0, made.stderr
        node.start()
        assert wait_for(lambda: view(node)), node.log()
        return node

    def joined(self, inviter, *args, extra=""):
        node = self.node(extra=extra)
        made = join(node, invite(inviter, *args))
        assert made.returncode == 0, made.stderr
        return node.start()


def ask(node, request, timeout=10.0):
    """One request on the control socket; None where nothing came back."""
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(str(node.data / "run" / "control.sock"))
            s.sendall(json.dumps(request).encode() + b"\n")
            reply = b""
            while not reply.endswith(b"\n"):
                part = s.recv(1 << 16)
                if not part:
                    return None
                reply += part
    except OSError:
        return None
    return json.loads(reply)


def view(node):
    """What `holdfast nodes` says, by name."""
    out = node.cli("nodes", "--json", "--data", str(node.data))
    return {n["name"]: n for n in json.loads(out.stdout)["nodes"]} if out.returncode == 0 else {}


def sees(node, *names):
    seen = view(node)
    return all(seen.get(name, {}).get("linked") for name in names)


def invite(node, *args):
    def ask():
        out = node.cli("invite", "--data", str(node.data), *args)
        return out if "has not heard of a leader" not in out.stderr else None  # it has just joined itself

    out = wait_for(ask)
    assert out and out.returncode == 0, out
    return out.stdout.strip()


def join(node, token):
    return node.cli("join", token, str(node.config_path))


def refused(node, token, sentence):
    out = join(node, token)
    assert out.returncode == 1 and sentence in out.stderr, out.stderr
    assert not (node.data / "mesh").exists()


def test_a_second_node_joins_and_is_expelled(cluster):
    a = cluster.first()
    b = cluster.joined(a)
    assert wait_for(lambda: sees(a, "node-2") and sees(b, "node-1")), a.log() + b.log()
    there = wait_for(lambda: {"sees", "round_trip_us"} <= view(a)["node-2"].keys() and view(a)["node-2"])
    assert there["sees"] == ["node-1"]
    assert there["version"] and there["certificate_end"] > time.time() + 80 * 86400
    assert abs(there["clock_offset_us"]) < 1e6 and there["round_trip_us"] > 0 and there["lag"] == 0
    assert a.metric("holdfast_links_up") == 1 and a.metric("holdfast_link_bytes_total") > 0
    out = a.cli("nodes", "--data", str(a.data))
    assert "node-2" in out.stdout and "this node" in out.stdout and "CUT OFF" not in out.stdout
    assert (b.data / "mesh").stat().st_mode & 0o777 == 0o700
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in (b.data / "mesh").iterdir())

    again = b.cli("init", str(b.config_path))
    assert again.returncode == 1 and "already" in again.stderr

    out = a.cli("nodes", "expel", "node-2", "--data", str(a.data))
    assert out.returncode == 0, out.stderr
    assert wait_for(lambda: not sees(b, "node-1"), 3)
    assert view(a)["node-2"]["role"] == "expelled" and not sees(a, "node-2")
    # it is told, either by the change itself, which it may still have had to decide on, or by who cut the link
    assert wait_for(lambda: view(b)["node-2"]["role"] == "expelled"
                    or "membership" in view(b)["node-1"].get("reason", ""))
    if view(b)["node-2"]["role"] == "expelled":  # it says so of itself, and not that it is cut off
        assert "EXPELLED" in b.cli("nodes", "--data", str(b.data)).stdout
        reply = ask(b, {"op": "change", "edits": [{"kind": "panel", "name": "p", "value": {}}]})
        assert not reply["ok"] and "this node was expelled from its cluster" in reply["message"], reply
    b.stop()
    c = cluster.node(name="node-2")  # the same host, set up anew
    assert join(c, invite(a)).returncode == 0
    c.start()
    assert wait_for(lambda: sees(a, "node-2")) and view(a)["node-2"]["id"] == 3


def test_the_last_voters_stay(cluster):
    a = cluster.first()
    for order in (["expel", "node-1"], ["demote", "node-1"]):
        out = a.cli("nodes", *order, "--data", str(a.data))
        assert out.returncode == 1, out.stdout
    out = a.cli("nodes", "expel", "node-1", "--force", "--data", str(a.data))
    assert out.returncode == 1 and "last voter" in out.stderr
    out = a.cli("nodes", "expel", "nobody", "--data", str(a.data))
    assert out.returncode == 1 and "no node of this name" in out.stderr


def test_a_token_works_once(cluster):
    """Also when five use it in the same moment."""
    a = cluster.first()
    token = invite(a)
    hosts = [cluster.node() for _ in range(5)]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        outcomes = list(pool.map(lambda n: join(n, token), hosts))
    assert sorted(o.returncode for o in outcomes) == [0, 1, 1, 1, 1], [o.stderr for o in outcomes]
    assert all("used already" in o.stderr for o in outcomes if o.returncode)
    assert len(view(a)) == 2
    refused(cluster.node(), token, "used already")


def test_what_is_wrong_is_said(cluster, holdfast):
    a = cluster.first()
    host = cluster.node()
    token = invite(a)
    refused(host, "hello", "this is no token")
    refused(host, token[:-3], "missing or mistyped")
    refused(host, token[:20] + ("a" if token[20] != "a" else "b") + token[21:], "missing or mistyped")
    refused(cluster.node(name="node-1"), token, "the name node-1 is taken by node 1")
    elsewhere = cluster.node()
    elsewhere.write(config(elsewhere, elsewhere.name, ', address: "127.0.0.1:9"'))
    refused(elsewhere, token, "nobody answers at 127.0.0.1:9")
    short = invite(a, "--for", "300ms")
    time.sleep(0.4)
    refused(host, short, "expired")
    alone = cluster.node()
    alone.write(config(alone, alone.name).replace("mesh:", "# mesh:"))
    assert "listens for the others" in join(alone, token).stderr
    host.start()
    assert "a node runs" in join(host, token).stderr
    for said, sentence in ((token + "\n", "a node runs"), ("hello", "this is no token")):
        out = subprocess.run([holdfast, "join", "-", str(host.config_path)], input=said, capture_output=True, text=True,
                             timeout=20)
        assert out.returncode == 1 and sentence in out.stderr, out.stderr
    a.stop()
    refused(cluster.node(), token, "Connection refused")


def test_a_clock_that_is_wrong_is_said(cluster, build):
    a = cluster.first()
    host, token = cluster.node(), invite(a)
    ahead = host.folder / "ahead"
    ahead.write_bytes(struct.pack("<q", 600))
    out = host.cli("join", token, str(host.config_path),
                   env={"LD_PRELOAD": str(build / "libclockstep.so"), "HOLDFAST_TEST_CLOCK": str(ahead)})
    assert out.returncode == 1 and re.search("clock of the node that joins is (599|600) s ahead", out.stderr), out.stderr


def test_another_cluster_in_between(cluster):
    """Its nodes have good certificates, by another authority: the joining node tells nobody its secret."""
    a, other = cluster.first(), cluster.first()
    token = invite(a)
    a.stop()
    other.stop()
    other.write(config(a, other.name))  # the stranger sits at the address of the token
    other.start()
    assert wait_for(lambda: view(other))
    refused(cluster.node(), token, "not of the cluster that this invitation is for")


def tls(address, *args):
    return subprocess.run(["openssl", "s_client", "-connect", f"{address}:{PORT}", *args], input=b"", capture_output=True,
                          timeout=10)


def test_strangers(cluster):
    """Old TLS, no certificate, noise, silence: refused, bounded, and a link comes up beside them."""
    a = cluster.first()
    out = tls(a.address, "-tls1_2", "-alpn", "holdfast-mesh/1")
    assert out.returncode != 0 and b"protocol version" in out.stderr, out.stderr
    out = tls(a.address, "-tls1_3", "-alpn", "h2")
    assert b"no application protocol" in out.stderr, out.stderr
    tls(a.address, "-tls1_3")
    assert wait_for(lambda: "is no node (ALPN)" in a.log())
    tls(a.address, "-tls1_3", "-alpn", "holdfast-mesh/1")
    assert wait_for(lambda: "shows no certificate" in a.log())
    open_now = len(list(pathlib.Path(f"/proc/{a.pid('control')}/fd").iterdir()))
    silent = [socket.create_connection((a.address, PORT)) for _ in range(200)]
    for s in silent[::2]:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert wait_for(lambda: "event=link.flood" in a.log()), a.log()
    assert len(list(pathlib.Path(f"/proc/{a.pid('control')}/fd").iterdir())) <= open_now + 70
    b = cluster.joined(a)
    assert wait_for(lambda: sees(a, b.name), 5), a.log()
    assert wait_for(lambda: a.metric("holdfast_links_refused_total") >= 200, 10)
    for s in silent:
        s.close()


def test_a_node_that_begins_while_it_runs(cluster):
    """init beside a running node: it takes its identity up by itself, with what its operators wanted before."""
    a = cluster.node()
    a.start()
    before = a.pid("control")
    assert a.cli("init", str(a.config_path)).returncode == 0
    assert wait_for(lambda: view(a))
    assert a.pid("control") == before


def values(node, kind):
    """Objects of the intent, by name."""
    objects = ask(node, {"op": "intent"})["intent"]["objects"]
    return {o["name"]: o["value"] for o in objects if o["kind"] == kind}


def test_keys_and_authority_are_replaced(cluster):
    """Both keys are listed meanwhile, and nothing restarts."""
    a = cluster.first()
    before, pid = values(a, "node")["node-1"], a.pid("control")
    pair = (a.data / "mesh/node.pem").read_text()
    assert a.cli("nodes", "renew", "--data", str(a.data)).returncode == 0
    assert wait_for(lambda: values(a, "node")["node-1"].get("next_key")), a.log()
    assert values(a, "node")["node-1"]["key"] == before["key"]
    assert wait_for(lambda: values(a, "node")["node-1"]["key"] != before["key"]), a.log()
    assert wait_for(lambda: "next_key" not in values(a, "node")["node-1"])
    assert (a.data / "mesh/node.pem").read_text() != pair
    authority = set(values(a, "authority"))
    assert a.cli("nodes", "authority", "--data", str(a.data)).returncode == 0
    assert len(values(a, "authority")) == 2
    assert wait_for(lambda: len(values(a, "authority")) == 1), a.log()
    newer = values(a, "authority").keys()
    assert not newer & authority and values(a, "node")["node-1"]["authority"] in newer
    a.write(config(a, "node-1").replace("site-node-1", "elsewhere"))
    assert a.cli("reload", "--data", str(a.data)).returncode == 0
    assert wait_for(lambda: view(a)["node-1"]["site"] == "elsewhere")
    assert a.pid("control") == pid
    b = cluster.joined(a)  # by the new authority
    assert wait_for(lambda: sees(a, b.name) and sees(b, a.name))


def certificates(folder, names, authority=True):
    """An authority of the operator's own, and a certificate for each name."""
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=folder)

    if authority:
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
                "ca.pem", "-subj", "/CN=ours", "-days", "5")
    for name in names:
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
                f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                f"{name}.pem", "-days", "2")
    for f in folder.iterdir():
        f.chmod(0o644)


def test_certificates_of_ones_own(cluster, open_path):
    folder = open_path / "tls"
    folder.mkdir(mode=0o755)
    certificates(folder, ["one", "two"])

    def files(name):
        return f', certificate: "{folder}/{name}.pem", key: "{folder}/{name}.key", ca: "{folder}/ca.pem"'

    a = cluster.first(files("one"))
    token = invite(a)
    refused(cluster.node(), token, "certificates of their own")
    b = cluster.node(extra=files("two"))
    out = join(b, token)
    assert out.returncode == 0, out.stderr
    b.start()
    assert wait_for(lambda: sees(a, b.name) and sees(b, a.name))
    assert not (a.data / "mesh/authority.pem").exists() and not (b.data / "mesh/node.pem").exists()
    key = values(a, "node")["node-1"]["key"]  # another key and certificate in the same files
    certificates(folder, ["three"], authority=False)
    (folder / "three.key").replace(folder / "one.key")
    (folder / "three.pem").replace(folder / "one.pem")
    assert wait_for(lambda: values(a, "node")["node-1"]["key"] != key, 15), a.log()


def downs(*nodes):
    return sum(n.log().count("event=link.down") for n in nodes)


def test_three_nodes(cluster):
    """Asked anywhere, done everywhere; every key and the authority are replaced while all links stay up."""
    a = cluster.first()
    b = cluster.joined(a)
    assert wait_for(lambda: sees(a, b.name) and sees(b, a.name))
    c = cluster.joined(b, "--role", "learner")
    every = [a, b, c]
    assert wait_for(lambda: all(sees(n, *(o.name for o in every)) for n in every)), a.log()
    assert (b.data / "mesh/authority.pem").stat().st_size > 0 and not (c.data / "mesh/authority.pem").exists()

    assert wait_for(lambda: all("certificate_end" in n for n in view(a).values()))
    before = {name: n["certificate_end"] for name, n in view(a).items()}
    old = (a.data / "mesh/authorities.pem").read_text()
    time.sleep(1.1)  # ends are told in seconds
    calm = downs(*every)
    assert b.cli("nodes", "authority", "--data", str(b.data)).returncode == 0

    def moved():
        return all((n.data / "mesh/authorities.pem").read_text().count("BEGIN") == 1
                   and (n.data / "mesh/authorities.pem").read_text() != old for n in every)

    assert wait_for(moved, 20), a.log() + b.log() + c.log()
    assert wait_for(lambda: all(n.get("certificate_end", 0) > before[name] for name, n in view(a).items()))
    assert downs(*every) == calm, a.log() + b.log() + c.log()
    assert all(sees(n, *(o.name for o in every)) for n in every)

    assert c.cli("nodes", "promote", c.name, "--data", str(c.data)).returncode == 0
    assert wait_for(lambda: (c.data / "mesh/authority.pem").exists()), "a voter has the authority's key"
    assert (c.data / "mesh/authority.pem").read_text().startswith((c.data / "mesh/authorities.pem").read_text())
    c.stop()
    assert wait_for(lambda: not sees(a, c.name))
    out = a.cli("nodes", "expel", b.name, "--data", str(a.data))
    assert out.returncode == 1 and "no majority" in out.stderr, out.stdout
    c.start()
    assert wait_for(lambda: sees(a, c.name))
    assert a.cli("nodes", "demote", c.name, "--data", str(a.data)).returncode == 0
    assert wait_for(lambda: (c.data / "mesh/authority.pem").stat().st_size == 0), "a learner has not"

    assert c.cli("nodes", "expel", c.name, "--data", str(b.data)).returncode == 0
    assert wait_for(lambda: not sees(a, c.name) and not sees(b, c.name), 3) and sees(a, b.name)
