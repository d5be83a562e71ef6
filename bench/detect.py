#!/usr/bin/python3
"""How soon a failure is known on all nodes, and how soon all nodes answer otherwise.

    bench/detect.py [--holdfast PROGRAM] [--nodes 5] [--rounds 5] [--only WHAT ...] [--slow]

Every node and both endpoints are in network namespaces of their own with a router between them (root). Checks are HTTP, every
1 s with a timeout of 1 s, as they are where nothing is said. What is done to an endpoint, at a random moment:

  refused   its port is closed
  silence   its address is a black hole at the router
  path      it does not reach the first node any more (told as transit; clients near that node get another answer)
  loss      twelve endpoints lose 5 % of the TCP segments that come to them, each by chance for itself
  slow      twelve answer after 420 ms, which was 200 (--slow: what is usual has to be learnt first, 11 minutes)

Prints seconds from that moment to the log line of the last node (known) and to the changed answer of the last node (answers),
asked every few milliseconds. Loss and slow answers are told and move nothing; until they are over takes minutes, so there is
one round of each.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import random
import shutil
import socket
import socketserver
import statistics
import sys
import tempfile
import threading
import time

# In place of this folder, whose dns.py is not the package.
sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent / "test")

import dns.edns  # noqa: E402
import dns.message  # noqa: E402

import mesh_test  # noqa: E402
import wires  # noqa: E402
from node import DNS_PORT, ZONE, Node, Origin, wait_for  # noqa: E402

PRIMARY, SECONDARY = "10.98.100.2", "10.98.101.2"
MANY = [f"10.98.100.{n}" for n in range(11, 23)]
BASE_S = 0.2
KNOWN = {"refused": "is down:", "silence": "is down:", "path": "transit, not the endpoint", "loss": "% of", "slow": "answers slowly"}


class Site:
    """A namespace behind the router, with the address 10.98.<number>.2."""

    def __init__(self, net, number):
        self.net, self.number, self.address = net, number, f"10.98.{number}.2"
        self.name = f"{net.tag}n{number}"
        wires.ip("netns", "add", self.name)
        wires.ip("-n", self.name, "link", "set", "lo", "up")
        wires.ip("link", "add", "e0", "netns", self.name, "type", "veth", "peer", "name", f"d{number}", "netns", net.router)
        wires.ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "e0")
        wires.ip("-n", self.name, "link", "set", "e0", "up")
        wires.ip("-n", net.router, "addr", "add", f"10.98.{number}.1/24", "dev", f"d{number}")
        wires.ip("-n", net.router, "link", "set", f"d{number}", "up")
        wires.ip("-n", self.name, "route", "add", "default", "via", f"10.98.{number}.1")

    def inside(self):
        return wires.Wire.inside(self.net, self.name)


class Net:
    def __init__(self):
        self.tag = f"hfd{os.getpid()}"
        self.router, self.sites = f"{self.tag}r", []
        wires.ip("netns", "add", self.router)
        wires.run("ip", "netns", "exec", self.router, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def site(self, number):
        self.sites.append(Site(self, number))
        return self.sites[-1]

    def route(self, *words):
        wires.ip("-n", self.router, *words)

    def close(self):
        for name in [s.name for s in self.sites] + [self.router]:
            wires.run("ip", "netns", "del", name)


class Endpoint(Origin):
    """An origin in a namespace."""

    def __init__(self, site, address):
        self.site = site
        super().__init__(address)
        self.delay = BASE_S

    def _serve(self):
        with self.site.inside():
            super()._serve()


def config(node, number):
    return f"""node: {{name: {node.name}, site: site-{number}, network: AS6450{number}, data: "%DATA%"}}
dns: {{listen: ["%DNS%"], threads: 1}}
tell: {{listen: ["%TELL%"]}}
mesh: {{listen: "10.98.{number}.2:{mesh_test.PORT}"}}
zones: [{{name: example.com, file: example.com.zone}}]
collections: {{AS64501: [192.0.2.0/24]}}
checks: {{web: {{http: "http://{{address}}:8081/", interval: 1s, timeout: 1s, hold_down: 1s}}}}
services:
  - name: api.example.com
    policy: failover
    velocity: off
    ttl: 1s
    endpoints:
      - {{name: use1, address: {PRIMARY}, role: primary, region: us-east-1, provider: aws, check: web}}
      - {{name: euw1, address: {SECONDARY}, role: secondary, region: eu-west-1, provider: gcp, check: web}}
""" + "".join(f"  - {{name: {a.replace('.', '-')}.example.com, endpoints: [{{name: one, address: {a}, check: web}}]}}\n" for a in MANY)


class Asker(threading.Thread):
    """Asks one node again and again, from its own namespace; notes when what it answers changed."""

    def __init__(self, node, subnet=None):
        super().__init__(daemon=True)
        self.node, self.answers, self.changed, self.over = node, None, 0.0, False
        options = [dns.edns.ECSOption(subnet, 24)] if subnet else []
        self.query = dns.message.make_query("api.example.com.", "A", use_edns=0, options=options).to_wire()
        self.start()

    def run(self):
        with self.node.site.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((self.node.address, DNS_PORT))
            s.settimeout(2)
            while not self.over:
                with contextlib.suppress(OSError):
                    s.send(self.query)
                    reply = dns.message.from_wire(s.recv(4096))
                    seen = [r.address for rrset in reply.answer for r in rrset]
                    if seen != self.answers:
                        self.answers, self.changed = seen, time.time()
                time.sleep(0.01)


def cluster_make(program, folder, net, count, made):
    for number in range(1, count + 1):
        node = Node(program, folder / f"node{number}", "", {"example.com.zone": ZONE})
        node.name, node.site = f"node-{number}", net.site(number)
        node.write(config(node, number))
        made.append(node)
        with node.site.inside():
            if number == 1:
                done = node.cli("init", str(node.config_path))
            else:
                done = mesh_test.join(node, mesh_test.invite(made[0]))
            assert done.returncode == 0, done.stderr
            node.start()
    for node in made:
        assert wait_for(lambda: mesh_test.sees(node, *(n.name for n in made if n is not node)), 30), node.log()


def known(node, word, since, address=PRIMARY):
    """When the node logged it of an endpoint first, since then: seconds since 1970."""
    for line in node.log().splitlines():
        if word in line and f" {address} " in line:
            at = datetime.datetime.fromisoformat(line.split()[0].removeprefix("time=").replace("Z", "+00:00")).timestamp()
            if at >= since:
                return at
    return None


class Bench:
    def __init__(self):
        self.net, self.nodes, self.askers, self.origins, self.near = Net(), [], [], [], None

    def start(self, args, folder):
        far, near = self.net.site(100), self.net.site(101)
        for address in MANY:
            wires.ip("-n", far.name, "addr", "add", f"{address}/24", "dev", "e0")
        for site, address in ((far, PRIMARY), (near, SECONDARY), *((far, a) for a in MANY)):
            self.origins.append(Endpoint(site, address))
        self.primary, self.many = self.origins[0], self.origins[2:]
        cluster_make(args.holdfast, folder, self.net, args.nodes, self.nodes)
        self.askers = [Asker(n) for n in self.nodes]
        self.near = Asker(self.nodes[0], "192.0.2.0")

    def close(self):
        for a in self.askers + [self.near] * (self.near is not None):
            a.over = True
            a.join(5)
        for node in self.nodes:
            node.stop()
        for origin in self.origins:
            origin.cut()
        self.net.close()

    def do(self, what):
        first = self.nodes[0].site.address
        if what == "refused":
            self.primary.cut()
        elif what == "silence":
            self.net.route("route", "add", "blackhole", f"{PRIMARY}/32")
        elif what == "path":
            self.net.route("rule", "add", "from", PRIMARY, "to", first, "blackhole")
        for origin in self.many:
            if what == "loss":
                origin.lose(50)
            elif what == "slow":
                origin.delay = 2.1 * BASE_S

    def undo(self, what):
        first = self.nodes[0].site.address
        if what == "silence":
            self.net.route("route", "del", "blackhole", f"{PRIMARY}/32")
        elif what == "path":
            self.net.route("rule", "del", "from", PRIMARY, "to", first, "blackhole")
        elif what == "refused":
            self.primary.heal()
            self.primary.delay = BASE_S
        for origin in self.many:
            if what == "loss":
                origin.lose(0)
            origin.delay = BASE_S

    def calm(self):
        """Everybody sees both endpoints, and nothing is found."""
        def well(node):
            out = node.cli("status", "--json", "--data", str(node.data))
            seen = json.loads(out.stdout)["endpoints"] if out.returncode == 0 else []
            return seen and all(a["state"] == "up" and a["seen"]["finding"] == "none" for e in seen for a in e["addresses"])
        for node, asker in zip(self.nodes, self.askers):
            assert wait_for(lambda: asker.answers == [PRIMARY], 30), node.log()
        assert wait_for(lambda: self.near.answers == [PRIMARY], 60), self.nodes[0].log()
        for node in self.nodes:
            assert wait_for(lambda: well(node), 300, 0.5), node.cli("status", "--data", str(node.data)).stdout

    def measure_many(self, what, most):
        self.calm()
        began = time.time()
        self.do(what)
        try:
            times = {}
            deadline = time.monotonic() + most
            while len(times) < len(MANY) and time.monotonic() < deadline:
                for address in MANY:
                    seen = [known(n, KNOWN[what], began, address) for n in self.nodes]
                    if all(seen):
                        times[address] = max(seen) - began
                time.sleep(0.5)
            return [times.get(a) for a in MANY]
        finally:
            self.undo(what)

    def measure(self, what, most):
        self.calm()
        time.sleep(2 + random.random())
        began = time.time()
        self.do(what)
        try:
            def everybody():
                return all(known(n, KNOWN[what], began) for n in self.nodes)
            if not wait_for(everybody, most, 0.1):
                return None, None
            told = max(known(n, KNOWN[what], began) for n in self.nodes) - began
            askers = {"refused": self.askers, "silence": self.askers, "path": [self.near]}.get(what, [])
            moved = bool(askers) and wait_for(lambda: all(a.answers == [SECONDARY] and a.changed > began for a in askers), 20)
            return told, max(a.changed for a in askers) - began if moved else None
        finally:
            self.undo(what)


def row(name, values):
    values = sorted(v for v in values if v is not None)
    if not values:
        return f"  {name:9}  -"
    p90 = values[min(len(values) - 1, int(len(values) * 0.9))]
    return f"  {name:9}  median {statistics.median(values):5.2f} s   90 % {p90:5.2f} s   most {values[-1]:5.2f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", default="build/plain/holdfast")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=sorted(KNOWN))
    parser.add_argument("--slow", action="store_true")
    args = parser.parse_args()
    why = wires.refused(af_xdp=False)
    if why:
        sys.exit(why)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    folder.chmod(0o755)
    socketserver.BaseServer.handle_error = lambda *_: None  # probers hang up when they like
    bench, begun = Bench(), time.time()
    try:
        bench.start(args, folder)
        for what in args.only or ["refused", "silence", "path", "loss"] + ["slow"] * args.slow:
            if what == "slow":
                time.sleep(max(0, 11 * 60 - (time.time() - begun)))
            if what in ("loss", "slow"):
                told, moved = bench.measure_many(what, 120), []
            else:
                told, moved = zip(*(bench.measure(what, 120) for _ in range(args.rounds)))
            missed = sum(t is None for t in told)
            print(f"{what}, {len(told)} times, {args.nodes} nodes" + (f", {missed} NOT KNOWN" if missed else ""))
            print(row("known", told), flush=True)
            if any(moved):
                print(row("answers", moved), flush=True)
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
