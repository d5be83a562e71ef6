#!/usr/bin/python3
"""What it costs nodes to tell each other what they see: bytes and CPU, in calm and with everything flapping.

    bench/mesh.py [--holdfast PROGRAM] [--nodes 5] [--endpoints 1000] [--seconds 20] [--interval 5s]

Real nodes on loopback, each with every endpoint under a TCP check. Half of the runs have the nodes linked, half have each
alone with the same checks, so that the difference is what the links cost. `calm`: every endpoint answers. `flapping`: all of
them stop and come back together, every few seconds, with fall and rise of one. The four take turns.

The bytes of a slice are settled by the configuration (L6): those of calm and crisis are compared and have to be equal.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test")]
from node import Node, ZONE, loopback, wait_for  # noqa: E402

PORT, TICK = 7443, os.sysconf("SC_CLK_TCK")


class Switch:
    """All endpoints: one listener on every loopback address, there or not."""

    def __init__(self):
        self.listener, self.port = None, 0
        self.on()

    def on(self):
        if self.listener:
            return
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("0.0.0.0", self.port))
        self.listener.listen(4096)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()

    def off(self):
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None

    @staticmethod
    def serve(listener):
        try:
            while True:
                listener.accept()[0].close()
        except OSError:
            pass


def config(node, name, port, args, linked):
    services = "".join(
        f"  - name: s{s}.example.com\n    velocity: off\n    endpoints:\n" +
        "".join(f"      - {{name: e{e}, address: 127.60.{s}.{e + 1}, check: up}}\n" for e in range(10))
        for s in range(args.endpoints // 10))
    mesh = f'mesh: {{listen: "{node.address}:{PORT}"}}\n' if linked else ""
    return f"""node: {{name: {name}, site: {name}, network: AS{64500 + int(name[1:])}, data: "%DATA%"}}
dns: {{listen: ["%DNS%"], threads: 1}}
tell: {{listen: ["%TELL%"]}}
{mesh}zones: [{{name: example.com, file: example.com.zone}}]
checks:
  up: {{tcp: {port}, interval: {args.interval}, timeout: 900ms, rise: 1, fall: 1, hold_down: 0s}}
services:
{services}"""


def nodes_make(folder, args, switch, linked):
    made = []
    for i in range(1, args.nodes + 1):
        node = Node(args.holdfast, folder / f"{'linked' if linked else 'alone'}{i}", "", {"example.com.zone": ZONE})
        node.address = loopback()
        node.write(config(node, f"n{i}", switch.port, args, linked))
        made.append(node)
    return made


def cluster_make(made):
    first = made[0]
    first.cli("init", str(first.config_path), check=True)
    first.start()
    for node in made[1:]:
        token = wait_for(lambda: first.cli("invite", "--data", str(first.data)).stdout.strip())
        first.cli("join", token, str(node.config_path), check=True)
    for node in made[1:]:
        node.start()
    peers = len(made) - 1
    assert wait_for(lambda: all(n.metric("holdfast_links_up") == peers for n in made), 60), first.log()


def cpu(node):
    """Seconds of the control process, threads and all."""
    fields = pathlib.Path(f"/proc/{node.pid('control')}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(made, switch, seconds, flapping):
    names = ("holdfast_link_bytes_total", 'direction="out"'), ("holdfast_sample_tables_total", 'result="sent"')
    before = [(cpu(n), *(n.metric(*name) for name in names)) for n in made]
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        if flapping:
            (switch.off if switch.listener else switch.on)()
        time.sleep(3)
    took = time.monotonic() - begin
    switch.on()
    after = [(cpu(n), *(n.metric(*name) for name in names)) for n in made]
    spent, sent, slices = (sum(b[k] - a[k] for a, b in zip(before, after)) for k in range(3))
    return {"cpu": spent / took / len(made), "bytes": sent, "slices": slices, "took": took}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", default=str(ROOT / "build/plain/holdfast"))
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--endpoints", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--interval", default="5s")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    folder.chmod(0o755)
    switch, made, results = Switch(), [], {}
    try:
        for _ in range(args.rounds):
            for linked in (True, False):
                now = nodes_make(folder, args, switch, linked)
                made += now
                if linked:
                    cluster_make(now)
                else:
                    for node in now:
                        node.start()
                time.sleep(8)
                for flapping in (False, True):
                    results.setdefault((linked, flapping), []).append(measure(now, switch, args.seconds, flapping))
                for node in now:
                    node.stop()
                    shutil.rmtree(node.folder)
    finally:
        for node in made:
            node.stop()
        shutil.rmtree(folder, ignore_errors=True)
    report(args, results)


def report(args, results):
    peers = args.nodes - 1
    out = {}
    for flapping in (False, True):
        mood = "flapping" if flapping else "calm"
        cost = [statistics.median(r["cpu"] for r in results[(linked, flapping)]) for linked in (True, False)]
        runs = results[(True, flapping)]
        out[mood] = {"bytes a slice and its share of beats": round(sum(r["bytes"] for r in runs) / sum(r["slices"] for r in runs), 1),
                     "bytes a second and peer": round(sum(r["bytes"] / r["took"] for r in runs) / len(runs) / args.nodes / peers),
                     "slices a second and peer": round(sum(r["slices"] / r["took"] for r in runs) / len(runs) / args.nodes / peers, 3),
                     "cpu of control, linked": f"{cost[0]:.2%}", "cpu of control, alone": f"{cost[1]:.2%}",
                     "cpu of the links": f"{cost[0] - cost[1]:.2%}"}
    print(json.dumps({"nodes": args.nodes, "endpoints": args.endpoints, **out}, indent=2))


if __name__ == "__main__":
    main()
