#!/usr/bin/python3
"""Writes to what operators want, against etcd: writes a second that a majority has on its disks, how long one takes, and how
long none is taken after the leader's death.

    bench/intent_writes.py [--holdfast PROGRAM] [--nodes 3] [--rounds 3] [--seconds 3] [--clients 1,8,32] [--deaths 3]

Both clusters run on loopback on the same disk, and take turns. Each client writes one thing after the other, and waits for
each: it switches a routing control of its own to and fro (Holdfast: a line of JSON to a node's socket), or puts a key of its own
(etcd: the same over its HTTP gateway, on a kept connection). Clients go round the nodes, so most writes are forwarded to the
leader. Both clients are this Python process, which costs about the same for either.

    death   kill -9 of the leader while eight clients write to the others: from the kill to the next write that was confirmed
"""

import argparse
import base64
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import peers

READY_S = 30


def wait(condition, seconds=READY_S, what="a cluster"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError, KeyError, subprocess.SubprocessError, http.client.HTTPException):
            value = condition()
            if value:
                return value
        time.sleep(0.05)
    sys.exit(f"{what} did not come up")


class Cluster:
    """Processes by name, of which one leads."""

    begun = []  # every cluster of this run, those that did not come up too

    def __init__(self, folder, count):
        self.folder, self.count, self.processes = folder, count, []
        Cluster.begun.append(self)

    def kill(self, i):
        """All of one node at once."""
        p = self.processes[i]
        if p.poll() is None:
            for pid in peers.descendants(p.pid):  # the one that would start others anew first
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            p.wait()

    def stop(self):
        for i in range(len(self.processes)):
            self.kill(i)


class Holdfast(Cluster):
    name = "holdfast"

    def __init__(self, folder, count, program):
        super().__init__(folder, count)
        self.program = program
        for i in range(count):
            self.begin(i)
        self.writer(0)("ready", 0)
        for i in range(count):
            wait(lambda i=i: self.writer(i)("ready", i) or True)

    def data(self, i):
        return self.folder / f"n{i}" / "data"

    def cli(self, *words):
        out = subprocess.run([self.program, *words], capture_output=True, text=True, timeout=READY_S)
        if out.returncode:
            raise ValueError(out.stderr)
        return out.stdout.strip()

    def begin(self, i):
        folder = self.folder / f"n{i}"
        folder.mkdir()
        config = folder / "holdfast.yaml"
        ports = [peers.free_port() for _ in range(3)]
        config.write_text(f"""node: {{name: n{i}, site: s{i}, network: AS6450{i}, data: {self.data(i)}}}
dns: {{listen: ["127.0.0.1:{ports[0]}"], threads: 1}}
tell: {{listen: ["127.0.0.1:{ports[1]}"]}}
mesh: {{listen: "127.0.0.1:{ports[2]}"}}
""")
        if i == 0:
            self.cli("init", str(config))
        else:
            self.cli("join", wait(lambda: self.cli("invite", "--role", "voter", "--data", str(self.data(0)))), str(config))
        log = open(folder / "log", "wb")
        self.processes.append(subprocess.Popen([self.program, "run", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait(lambda: (self.data(i) / "run/control.sock").exists())

    def leader(self):
        leader = json.loads(self.cli("nodes", "--json", "--data", str(self.data(0))))["leader"]
        if not leader:
            raise ValueError("nobody leads")
        return int(leader[1:])

    def writer(self, i):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(str(self.data(i) / "run/control.sock"))
        f = s.makefile("rw")

        def write(key, n):
            edits = [{"kind": "panel", "name": "bench", "value": {}},
                     {"kind": "control", "name": f"bench/{key}", "value": {"state": "Off" if n % 2 else "On"}}]
            f.write(json.dumps({"op": "change", "edits": edits}) + "\n")
            f.flush()
            answer = json.loads(f.readline())
            if not answer["ok"]:
                raise OSError(answer["message"])
        return write


class Etcd(Cluster):
    name = "etcd"

    def __init__(self, folder, count):
        super().__init__(folder, count)
        peer = [peers.free_port() for _ in range(count)]
        self.ports = [peers.free_port() for _ in range(count)]
        everybody = ",".join(f"n{i}=http://127.0.0.1:{peer[i]}" for i in range(count))
        for i in range(count):
            client = f"http://127.0.0.1:{self.ports[i]}"
            log = open(folder / f"n{i}.log", "wb")
            self.processes.append(subprocess.Popen(
                ["etcd", "--name", f"n{i}", "--data-dir", str(folder / f"n{i}"), "--initial-cluster", everybody,
                 "--listen-peer-urls", f"http://127.0.0.1:{peer[i]}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer[i]}",
                 "--listen-client-urls", client, "--advertise-client-urls", client], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        for i in range(count):
            wait(lambda i=i: self.writer(i)("ready", 0) or True)

    def post(self, connection, path, body):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise OSError(text)
        return json.loads(text)

    def leader(self):
        for i in range(self.count):
            c = http.client.HTTPConnection("127.0.0.1", self.ports[i], timeout=5)
            status = self.post(c, "/v3/maintenance/status", {})
            if status["leader"] == status["header"]["member_id"]:
                return i
        raise ValueError("no leader")

    def writer(self, i):
        c = http.client.HTTPConnection("127.0.0.1", self.ports[i], timeout=10)

        def write(key, n):
            self.post(c, "/v3/kv/put", {"key": base64.b64encode(key.encode()).decode(),
                                        "value": base64.b64encode(b"Off" if n % 2 else b"On").decode()})
        return write


def drive(cluster, nodes, clients, seconds, fault=None):
    """Times (began, took) of confirmed writes; a client whose write fails goes to the next node."""
    stop, out = threading.Event(), [[] for _ in range(clients)]

    def client(k):
        turn, write = itertools.cycle(nodes[k % len(nodes):] + nodes[:k % len(nodes)]), None
        n = 0
        while not stop.is_set():
            try:
                write = write or cluster.writer(next(turn))
                began = time.monotonic()
                write(f"c{k}", n)
                out[k].append((began, time.monotonic() - began))
                n += 1
            except (OSError, ValueError, http.client.HTTPException):
                write = None
                time.sleep(0.01)
    threads = [threading.Thread(target=client, args=(k,)) for k in range(clients)]
    for t in threads:
        t.start()
    if fault:
        time.sleep(1)
        fault()
    time.sleep(seconds)
    stop.set()
    for t in threads:
        t.join()
    return sorted(itertools.chain(*out))


def rates(clusters, args):
    print(f"\n{'clients':>8} {'':10} {'writes/s':>10} {'p50 ms':>8} {'p99 ms':>8}")
    for clients in args.clients:
        seen = {c.name: [] for c in clusters}
        for _ in range(args.rounds):
            for c in clusters:
                took = sorted(t for _, t in drive(c, list(range(c.count)), clients, args.seconds))
                seen[c.name].append((len(took) / args.seconds, took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3))
        for name, rounds in seen.items():
            rate, p50, p99 = (statistics.median(r[i] for r in rounds) for i in range(3))
            print(f"{clients:>8} {name:10} {rate:>10.0f} {p50:>8.2f} {p99:>8.2f}")
        if len(clusters) > 1:
            ours, theirs = (statistics.median(r[0] for r in seen[c.name]) for c in clusters)
            print(f"{'':8} {'ratio':10} {ours / theirs:>10.2f}")


def deaths(make, args):
    print(f"\n{'death':10} ms from kill -9 of the leader to the next confirmed write")
    for kind in make:
        gaps = []
        for _ in range(args.deaths):
            with tempfile.TemporaryDirectory(dir=args.folder) as folder:
                os.chmod(folder, 0o755)  # roles run as another user
                c = kind(pathlib.Path(folder))
                try:
                    killed = []
                    leader = wait(lambda c=c: str(c.leader()), what="a leader")
                    others = [i for i in range(c.count) if i != int(leader)]

                    def fault(c=c, leader=int(leader), killed=killed):
                        killed.append(time.monotonic())
                        c.kill(leader)
                    writes = drive(c, others, 8, 12, fault)
                    after = [b + t for b, t in writes if b + t > killed[0] + 0.005 and b > killed[0]]
                    gaps.append((min(after) - killed[0]) * 1e3 if after else float("inf"))
                finally:
                    c.stop()
        print(f"{c.name:10} " + " ".join(f"{g:.0f}" for g in gaps))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", default="build/plain/holdfast")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--clients", type=lambda s: [int(n) for n in s.split(",")], default=[1, 8, 32])
    parser.add_argument("--deaths", type=int, default=3)
    args = parser.parse_args()
    args.folder = tempfile.mkdtemp(prefix="holdfast-bench-")
    os.chmod(args.folder, 0o755)
    folder = pathlib.Path(args.folder)
    program = str(pathlib.Path(args.holdfast).resolve())
    make = [lambda f: Holdfast(f, args.nodes, program)]
    if shutil.which("etcd"):
        make.append(lambda f: Etcd(f, args.nodes))
    else:
        print("etcd is not installed: Holdfast alone")
    clusters = []
    try:
        for i, kind in enumerate(make):
            (folder / str(i)).mkdir()
            clusters.append(kind(folder / str(i)))
        rates(clusters, args)
        for c in clusters:
            c.stop()
        if args.nodes > 1:
            deaths(make, args)
    finally:
        for c in Cluster.begun:
            c.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
