#!/usr/bin/python3
"""What TLS handshakes cost those who ask over UDP: latency of a busy server with and without a flood of new connections.

    bench/handshakes.py [--holdfast PROGRAM] [--rounds 3] [--load 0.5] [--no-trace] [--strict]

Everything of a server is on one core, where handshakes compete with answers, and half of the UDP queries that it can answer are asked (open loop,
as in reload.py). Within one run, calm seconds and seconds with a flood take turns. In those clients connect, shake hands (TLS 1.3, no
tickets) and leave, as many as the other core can make; Holdfast takes 500 a second (`dns.tls.handshakes`), or as many as are written. NSD, whose
one process does both, is measured beside it. `own` and `of` are those of reload.py.
"""

import argparse
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import peers
import reload

FLOOD_S, CLIENTS, GOAL = 0.95, 6, 1.2
NAMES = [f"n{i}" for i in range(1000)]
KINDS = ("default", "many")  # limits of Holdfast: its own, and more than can be made
LIMITS = {"default": "", "many": ", handshakes: 100000"}


def flood(port):
    """For each line that is read, somewhat less than a second of handshakes; prints how many were finished."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def run(until, done):
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as s, context.wrap_socket(s):
                    done.append(1)
            except OSError:
                pass

    for _ in sys.stdin:
        done = []
        threads = [threading.Thread(target=run, args=(time.monotonic() + FLOOD_S, done)) for _ in range(CLIENTS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        print(len(done), flush=True)


class Contestant(reload.Contestant):
    def __init__(self, name, maker, folder):
        super().__init__(name, maker, folder, str(peers.CORES[0]), None)
        words = [sys.executable, os.path.abspath(__file__), "--flood", str(self.server.port + 1)]
        self.flood = subprocess.Popen(["taskset", "-c", str(peers.CORES[-1])] + words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.floods, self.made = 0, []

    def change(self, kind):
        """A second of handshakes."""
        self.flood.stdin.write("go\n")
        self.flood.stdin.flush()
        self.floods += 1
        return True

    def floods_end(self):
        self.made += [int(self.flood.stdout.readline()) for _ in range(self.floods)]
        self.floods = 0

    def stop(self):
        self.flood.kill()
        self.flood.wait()
        self.server.stop()


def holdfast(options, pem, text, limit):
    def make(folder, address, port):
        tls = f', tls: {{listen: ["{address}:{port + 1}"], certificate: {pem}, key: {pem}{LIMITS[limit]}}}'
        return peers.holdfast(options.holdfast, "bench.test", text, tls)(folder, address, port)
    return make


def measure(options, folder):
    pem = os.path.join(folder, "tls.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=bench", "-days", "2",
                    "-keyout", pem + ".key", "-out", pem + ".crt"], check=True, capture_output=True)
    with open(pem, "w") as f:
        f.write(open(pem + ".key").read() + open(pem + ".crt").read())
    os.chmod(pem, 0o644)
    text = peers.zone_text("bench.test", NAMES)
    contestants, worst = [], 0
    try:
        for name, maker in [(f"holdfast-{k}", holdfast(options, pem, text, k)) for k in KINDS] + [("nsd", peers.nsd("bench.test", text, tls=pem))]:
            c = Contestant(name, maker, folder)
            contestants.append(c)
            c.server.wait("n1.bench.test")
            c.rate = int(reload.capacity(options.queries, c.server.port) * options.load)
            print(f"{name}: {c.rate} queries a second")
        for _ in range(options.rounds):
            for c in contestants:
                reload.one_round(c, ("flood",) * 3, options)
                c.floods_end()
        for c in contestants:
            print(f"{c.name}: {statistics.mean(c.made) / FLOOD_S:.0f} handshakes a second")
            ratio = reload.summary(c, c.server.core)
            worst = max(worst, ratio if c.name == "holdfast-default" else 0)
    finally:
        for c in contestants:
            c.stop()
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", default="build/plain/holdfast")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load", type=float, default=0.5, help="part of the capacity that is asked")
    parser.add_argument("--no-trace", dest="trace", action="store_false", help="do not trace the scheduler")
    parser.add_argument("--strict", action="store_true", help=f"fail where p99 of UDP is more than x{GOAL} of calm, at Holdfast's own limit")
    parser.add_argument("--flood", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flood:
        return flood(options.flood)
    folder = tempfile.mkdtemp(prefix="holdfast-bench-")
    os.chmod(folder, 0o755)
    options.rates = [1.0]
    options.loader, options.stalls = (os.path.join(os.path.dirname(options.holdfast), p) for p in ("dns_load_bench", "core_stalls_bench"))
    options.names, options.queries = f"{folder}/names", f"{folder}/queries"
    with open(options.queries, "w") as f, open(options.names, "w") as g:
        f.writelines(f"{n}.bench.test A\n" for n in NAMES)
        g.writelines(f"{n}.bench.test\n" for n in NAMES)
    os.sched_setaffinity(0, {peers.CORES[-1]})
    try:
        worst = measure(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if options.strict and worst > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
