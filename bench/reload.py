#!/usr/bin/python3
"""What reloads cost those who ask: p99 of a busy server with and without continuous reloads of one zone among many.

The load is open-loop (dnsperf at a fixed rate, a fraction of what the same pair of cores can do), so that a pause shows as
latency of all that waited. Rounds with and without changes take turns. One kind of change is a reload of a zone of 50,000 names
by `holdfast reload --zone`; the other a plan swap, by an order that drains an endpoint or takes that back."""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import peers

NAMES, OTHERS = 50_000, 1_000
GOAL = 1.2
MORE = """services:
  - {name: api.bench.test, policy: weighted, endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}]}
"""


def text(serial):
    return (f"$ORIGIN bench.test.\n$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"
            + "".join(f"n{i} A 192.0.2.{(i + serial) % 250}\n" for i in range(NAMES)))


def dnsperf(queries, port, rate, seconds):
    """(latencies in microseconds, lost) of one run; rate 0: as fast as it goes."""
    words = ["taskset", "-c", str(peers.CORES[-1]), "dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", queries, "-l", str(seconds),
             "-c", "4", "-T", "1", "-t", "2"] + (["-Q", str(rate), "-v"] if rate else [])
    out = subprocess.run(words, capture_output=True, text=True, timeout=seconds * 10 + 60).stdout
    if not rate:
        return float(re.search(r"Queries per second:\s+([\d.]+)", out)[1])
    times = sorted(float(t) * 1e6 for t in re.findall(r"^> \S+ \S+ \S+ ([\d.]+)$", out, re.M))
    return times, int(re.search(r"Queries lost:\s+(\d+)", out)[1])


class Changes:
    """Makes changes one after the other until it is left."""

    def __init__(self, program, folder, kind):
        self.program, self.folder, self.kind, self.count, self.failed = program, folder, kind, 0, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    serial = 1

    def change(self):
        data = ["--data", f"{self.folder}/data"]
        if self.kind == "zone":
            Changes.serial += 1
            with open(f"{self.folder}/zone.new", "w") as f:
                f.write(text(Changes.serial))
            os.rename(f"{self.folder}/zone.new", f"{self.folder}/zone")
            return [self.program, "reload", "--zone", "bench.test", *data]
        return [self.program, "endpoint", "auto" if self.count % 2 else "drain", "api.bench.test/a", *data]

    def run(self):
        while not self.stop.is_set():
            self.failed += subprocess.run(self.change(), capture_output=True).returncode != 0
            self.count += 1
            self.stop.wait(0.2)

    def __enter__(self):
        if self.kind:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        if self.kind:
            self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", default="build/plain/holdfast")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--load", type=float, default=0.5, help="part of the capacity that is asked")
    parser.add_argument("--strict", action="store_true", help="fail where the goal is missed")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="holdfast-bench-")
    os.chmod(folder, 0o755)
    others = {f"z{i}.test": peers.zone_text(f"z{i}.test", ["www", "mail"]) for i in range(OTHERS)}
    server = peers.Server("holdfast", peers.holdfast(options.holdfast, "bench.test", text(1), more=MORE, others=others),
                          folder, "127.0.0.1", peers.free_port(), peers.CORES[0])
    try:
        server.wait("ns1.bench.test")
        queries = f"{folder}/queries"
        with open(queries, "w") as f:
            f.writelines(f"n{i * 7919 % NAMES}.bench.test A\n" for i in range(NAMES))
        capacity = dnsperf(queries, server.port, 0, 2)
        rate = int(capacity * options.load)
        print(f"capacity {capacity:.0f} answers/s; asked {rate}/s")
        seen = {"": [], "zone": [], "plan": []}
        for n in range(options.rounds):
            for kind, runs in seen.items():
                with Changes(os.path.abspath(options.holdfast), server.folder, kind) as c:
                    times, lost = dnsperf(queries, server.port, rate, options.seconds)
                p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
                runs.append(p99)
                print(f"round {n + 1}  {kind or 'calm':5} {c.count:3} changes ({c.failed} failed)  p50 {p50:5.0f} us  p99 {p99:6.0f} us  "
                      f"lost {lost} of {len(times)}")
        calm = statistics.median(seen[""])
        worst = max(statistics.median(seen[k]) / calm for k in ("zone", "plan"))
        for kind in ("zone", "plan"):
            print(f"{kind}: p99 x{statistics.median(seen[kind]) / calm:.2f} of calm (median of {options.rounds}; goal under x{GOAL})")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if options.strict and worst > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
