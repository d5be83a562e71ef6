#!/usr/bin/python3
"""What reloads cost those who ask: p99 of a busy server with and without reloads of one zone among many, by how often they come.

    bench/reload.py [--holdfast PROGRAM] [--rounds 3] [--rates 5,1,0.2] [--load 0.5] [--others 10000] [--place one,two] [--peers]
                    [--no-trace] [--strict]

The load is open-loop (dns_load_bench at a fixed rate, a fraction of what the server can do), so that a pause shows as latency of all
that waited. Within one run of the client, calm seconds and seconds with changes take turns; of each stretch only seconds in which there is
a change are counted, so that a rare change is not hidden among calm seconds. What is compared are the medians of the seconds' quantiles: of a
second with a change, and of a calm one.

    zone    a reload of a zone of 50,000 names
    plan    a plan swap, by an order that drains an endpoint or takes that back (Holdfast alone)

    --rates        changes a second
    --place one    all of the server on one core, the client on another: what compiles competes with what answers
    --place two    the server on both cores, the client on one of them
    --peers        Knot and NSD as well, which reload the same zone

The client runs at real-time priority on the last core if that is allowed, and what makes the changes does so before the round or talks to the server's
socket: so neither disturbs the measurement. Where perf may trace the scheduler, more is known. `own` is the part of the time in which the server's
busiest thread was ready to run and another thread of the server had the core: what the server does to itself. A thread at
real-time priority on each core (core_stalls_bench) says when nobody could run there: while a thread of the server held the core in the
kernel, that is the server's doing; else the machine stood still. Queries that came while a stranger had the core or the machine stood still, or while what
had piled up meanwhile was worked off, are left out, in calm and change alike: so latencies mean something on a machine that others use too.
`of` says how many are left.
"""

import argparse
import array
import bisect
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import peers

NAMES, OTHERS = 50_000, 10_000
QUANTILES = (0.5, 0.99, 0.999)
PART_LEAST = 0.8  # of the queries of a second, for it to count
GOAL, GOAL_RATE = 1.2, 1.0  # at so many changes a second
CALM_S, SPILL_S, STRETCH_S, LATER_S = 2.0, 0.6, 2.0, 0.1
MARGIN_S, LOST_NS = 0.0002, 10**9
STALL_S = 0.0003
MORE = """services:
  - {name: api.bench.test, policy: weighted, endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}]}
"""


def text(serial):
    return (f"$ORIGIN bench.test.\n$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"
            + "".join(f"n{i} A 192.0.2.{(i + serial) % 250}\n" for i in range(NAMES)))


def client(words):
    return (["chrt", "-f", "1"] if os.geteuid() == 0 else []) + ["taskset", "-c", str(peers.CORES[-1])] + words


def capacity(queries, port):
    words = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", queries, "-l", "2", "-c", "4", "-T", "1", "-t", "2"]
    out = subprocess.run(client(words), capture_output=True, text=True, timeout=60).stdout
    return float(re.search(r"Queries per second:\s+([\d.]+)", out)[1])


def load(program, port, rate, seconds, names, file, meanwhile):
    """([when sent, seconds], [microseconds until the answer]) of each query, and how many were lost. meanwhile: called once it runs."""
    words = [program, "127.0.0.1", str(port), str(rate), str(seconds), names, file]
    process = subprocess.Popen(client(words), stdout=subprocess.PIPE, text=True)
    meanwhile()
    out = process.communicate(timeout=seconds * 2 + 30)[0]
    log = array.array("Q")
    with open(file, "rb") as f:
        log.frombytes(f.read())
    return [t / 1e9 for t in log[::2]], [min(t, LOST_NS) / 1e3 for t in log[1::2]], int(out.split()[3])


def waits(pids):
    """By thread: (nanoseconds on a core, nanoseconds waited for one)."""
    found = {}
    for p in pids:
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/schedstat") as f:
                    found[t] = [int(n) for n in f.read().split()[:2]]
        except OSError:
            pass
    return found


class Core:
    def __init__(self):
        self.running, self.since = None, 0.0
        self.long = []  # [(from, to)] that one of the server's threads had it for long


class Trace:
    """Of the scheduler, on all cores: who wakes the server may be on another one."""

    EVENTS = "sched:sched_switch,sched:sched_waking"

    def __init__(self, wanted, folder):
        self.file, self.process = f"{folder}/trace", None
        if wanted and shutil.which("perf") and os.geteuid() == 0:
            self.process = subprocess.Popen(["perf", "record", "-q", "-k", "mono", "-a", "-m", "4096", "-e", self.EVENTS, "-o", self.file],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.3)

    def lines(self):
        """(core, when, event, what) of each event; the last is how perf ended."""
        script = subprocess.Popen(["perf", "script", "-i", self.file, "-F", "cpu,time,event,trace"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        for line in script.stdout:
            core, when, event, what = line.split(None, 3)
            yield int(core[1:-1]), float(when[:-1]), event, what
        if script.wait():
            sys.exit("perf cannot read what it recorded")

    def read(self, thread, own):
        """[(from, to)] while `thread` was ready to run and one of `own` had its core, the same of strangers, and the cores; None where nothing was traced."""
        if not self.process:
            return None
        self.process.send_signal(2)
        self.process.wait()
        switch = re.compile(r"prev_pid=(\d+) .*prev_state=(\S+) ==> .*next_pid=(\d+)")
        woken = re.compile(rf" pid={thread} .*target_cpu=(\d+)")
        ready, held, strange, cores = None, [], [], {c: Core() for c in peers.CORES}
        for number, when, event, what in self.lines():
            core = cores.setdefault(number, Core())
            if event == "sched:sched_waking:":
                match = woken.search(what)
                if ready is None and match and all(c.running != thread for c in cores.values()):
                    ready = when, int(match[1])
                continue
            before, state, after = switch.search(what).groups()
            if ready and ready[1] == number and core.running not in (None, "0", thread):
                (held if core.running in own else strange).append((max(core.since, ready[0]), when))
            if core.running in own and when - core.since > STALL_S / 2:
                core.long.append((core.since, when))
            if after == thread:
                ready = None
            elif before == thread and state.startswith("R"):
                ready = when, number
            core.running, core.since = after, when
        return held, strange, cores


class Stalls:
    """Of all cores."""

    def __init__(self, program, wanted, folder):
        self.processes = {}
        for core in peers.CORES if wanted and os.geteuid() == 0 else []:
            file = f"{folder}/stalls-{core}"
            self.processes[core] = file, subprocess.Popen([program, str(core), "600", file])

    def read(self, cores):
        """[(from, to)] while nobody ran on one of them, and none of the server's threads was the reason."""
        found = []
        for core, (file, process) in self.processes.items():
            process.terminate()
            process.wait()
            times = array.array("Q")
            with open(file, "rb") as f:
                times.frombytes(f.read())
            times = [t / 1e9 for t in times]
            found += [(a, b) for a, b in zip(times[::2], times[1::2])
                      if b - a > STALL_S and sum(max(0, min(b, d) - max(a, c)) for c, d in cores[core].long) < (b - a) / 2]
        return found


def say(folder, order):
    """One request to a Holdfast node; False where it was refused."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(f"{folder}/data/run/control.sock")
        s.sendall(json.dumps(order).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            part = s.recv(65536)
            if not part:
                break
            reply += part
    return json.loads(reply).get("ok") is True


class Contestant:
    """A server and how it is told of changes."""

    def __init__(self, name, maker, folder, cores, reload):
        self.name, self.reload = name, reload
        self.server = peers.Server(name, maker, folder, "127.0.0.1", peers.free_port(), cores)
        self.zone = os.path.join(self.server.folder, "zone")
        self.seen, self.turn = {}, 0

    def prepare(self):
        """Versions of the zone, so that a reload costs a rename here."""
        self.versions = []
        for serial in (2, 3):
            self.versions.append(text(serial).encode())

    def write(self):
        """The next version; serials of both go round, which a master file may do."""
        self.turn += 1
        body = self.versions[self.turn % 2].replace(b"host %d " % (2 + self.turn % 2), b"host %d " % (10 + self.turn), 1)
        with open(self.zone + ".new", "wb") as f:
            f.write(body)
        os.rename(self.zone + ".new", self.zone)

    def change(self, kind):
        if kind == "zone":
            self.write()
            return self.reload(self.server)
        self.turn += 1
        return say(self.server.folder, {"op": "order", "endpoint": "api.bench.test/a", "state": "drained" if self.turn % 2 else "auto",
                                        "reason": "bench", "force": True})


def holdfast_reload(server):
    return say(server.folder, {"op": "reload", "zones": ["bench.test"], "accept_shrink": [], "fresh": False})


def knot_reload(server):
    return subprocess.run(["/usr/sbin/knotc", "-c", f"{server.folder}/knot.conf", "zone-reload", "bench.test"],
                          capture_output=True).returncode == 0


def nsd_reload(server):
    server.process.send_signal(1)
    return True


class Stretch:
    """Some seconds of a run: calm (rate 0), or with so many changes of a kind a second."""

    def __init__(self, begin, kind, rate):
        self.begin, self.kind, self.rate = begin, kind, rate
        self.end = begin + (max(STRETCH_S, 1 / rate) if rate else SPILL_S + CALM_S)
        count = round((self.end - begin) * rate)
        self.changes = [begin + LATER_S + i / rate for i in range(count)]

    def seconds(self):
        """[(kind and rate, from, to)] of those that count: what a change leaves behind is not calm yet; of rare changes the second after each counts."""
        first = self.begin + (0 if self.rate else SPILL_S)
        count = 1 if 0 < self.rate < 1 else round(self.end - first - 0.1)
        return [((self.kind, self.rate), first + i, first + i + 1) for i in range(count)]


def stretches(kinds, rates):
    """Calm before and after each."""
    found = [Stretch(0, "calm", 0)]
    for rate in rates:
        for kind in kinds:
            found.append(Stretch(found[-1].end, kind, rate))
            found.append(Stretch(found[-1].end, "calm", 0))
    return found


def changes_make(c, plan, ret_failed):
    begin = time.monotonic()
    for stretch in plan:
        for at in stretch.changes:
            time.sleep(max(0, begin + at - time.monotonic()))
            ret_failed.append(not c.change(stretch.kind))
    return begin


def undisturbed(sent, took, strange):
    """Without what came while a stranger had the core, and as long again after it."""
    kept, at = [], 0
    windows = [(a - MARGIN_S, b + (b - a) + MARGIN_S) for a, b in strange if b - a > MARGIN_S]
    until = 0.0
    for when, latency in zip(sent, took):
        while at < len(windows) and windows[at][0] <= when:
            until = max(until, windows[at][1])
            at += 1
        if when >= until:
            kept.append((when, latency))
    return kept


def one_round(c, kinds, options):
    plan, failed, begin = stretches(kinds, options.rates), [], []
    before = waits(c.server.processes())
    trace, stalls = Trace(options.trace, c.server.folder), Stalls(options.stalls, options.trace, c.server.folder)
    sent, took, lost = load(options.loader, c.server.port, c.rate, int(plan[-1].end + 1), options.names, f"{c.server.folder}/latencies",
                            lambda: begin.append(changes_make(c, plan, failed)))
    after = waits(c.server.processes())
    busiest = max(before, key=lambda t: after.get(t, [0, 0])[0] - before[t][0])
    traced = trace.read(busiest, {*before, *after} - {busiest})
    held, strange = traced[:2] if traced else ([], [])
    strange += stalls.read(traced[2] if traced else {c: Core() for c in peers.CORES})
    kept = undisturbed(sent, took, sorted(strange))
    when, rows = [k[0] for k in kept], {}
    for key, first, last in ((k, begin[0] + a, begin[0] + b) for s in plan for k, a, b in s.seconds()):
        times = sorted(k[1] for k in kept[bisect.bisect(when, first):bisect.bisect(when, last)])
        part = len(times) / max(1, bisect.bisect(sent, last) - bisect.bisect(sent, first))
        own = sum(b - a for a, b in held if first <= a < last) / (last - first) if traced else None
        rows.setdefault(key, []).append(([times[int(len(times) * q)] for q in QUANTILES] if part > PART_LEAST else None, own, part))
    for key, seconds in rows.items():
        c.seen.setdefault(key, []).extend(seconds)
        print(f"{c.name:8}  {says(key):10} {latencies(seconds)}  of {statistics.mean(s[2] for s in seconds):4.0%}", flush=True)
    print(f"{c.name:8}  {sum(failed)} of {len(failed)} changes failed, {lost} of {len(sent)} queries lost", flush=True)


def says(key):
    return f"{key[0]} {key[1]:g}/s" if key[1] else key[0]


def typical(seconds):
    """Of seconds of one kind: the median p50, p99, p99.9, or nothing."""
    seen = [s[0] for s in seconds if s[0]]
    return [statistics.median(s[i] for s in seen) for i in range(len(QUANTILES))] if seen else None


def latencies(seconds):
    seen, own = typical(seconds), [s[1] for s in seconds if s[1] is not None]
    words = "  ".join(f"p{q * 100:g} {t:5.0f} us" for q, t in zip(QUANTILES, seen)) if seen else "too little is left"
    return words + (f"  own {statistics.mean(own):6.2%}" if own else "")


def summary(c, cores):
    """The worst p99 against calm among those that the goal is for; infinite where nothing can be said."""
    worst, calm = 0, typical(c.seen["calm", 0])
    for key, seconds in c.seen.items():
        seen = typical(seconds)
        ratios = "  ".join(f"x{a / b:.2f}" for a, b in zip(seen, calm)) if seen and calm else "-"
        print(f"{c.name}, server on core {cores}, {says(key):10} of {sum(bool(s[0]) for s in seconds):3} seconds: {latencies(seconds)}"
              + (f"  of calm: {ratios}" if key[1] else ""))
        if 0 < key[1] <= GOAL_RATE:
            worst = max(worst, seen[1] / calm[1] if seen and calm else float("inf"))
    return worst


def measure(place, options, folder):
    cores = str(peers.CORES[0]) if place == "one" else ",".join(map(str, peers.CORES))
    others = {f"z{i}.test": peers.zone_text(f"z{i}.test", ["www", "mail"]) for i in range(options.others)}
    makers = [("holdfast", peers.holdfast(options.holdfast, "bench.test", text(1), more=MORE, others=others), holdfast_reload)]
    if options.peers:
        makers += [("knot", peers.knot("bench.test", text(1), others=others), knot_reload),
                   ("nsd", peers.nsd("bench.test", text(1), others=others), nsd_reload)]
    contestants = []
    worst = 0
    os.makedirs(f"{folder}/{place}", 0o755)
    try:
        for name, maker, reload in makers:
            c = Contestant(name, maker, f"{folder}/{place}", cores, reload)
            contestants.append(c)
            c.server.wait("ns1.bench.test")
            c.prepare()
            c.rate = int(capacity(options.queries, c.server.port) * options.load)
            print(f"{name}, server on core {cores}: {c.rate} queries a second")
        for _ in range(options.rounds):
            for c in contestants:
                one_round(c, ("zone", "plan") if c.name == "holdfast" else ("zone",), options)
        print(f"medians of the seconds of {options.rounds} rounds; the goal is p99 under x{GOAL} at up to {GOAL_RATE:g} change a second")
        for c in contestants:
            ratio = summary(c, cores)
            worst = max(worst, ratio if c.name == "holdfast" else 0)
    finally:
        for c in contestants:
            c.server.stop()
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", default="build/plain/holdfast")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", default="5,1,0.2", type=lambda s: [float(r) for r in s.split(",")], help="changes a second")
    parser.add_argument("--load", type=float, default=0.5, help="part of the capacity that is asked")
    parser.add_argument("--others", type=int, default=OTHERS, help="how many other zones there are")
    parser.add_argument("--place", default="one,two")
    parser.add_argument("--peers", action="store_true", help="Knot and NSD too")
    parser.add_argument("--no-trace", dest="trace", action="store_false", help="do not trace the scheduler")
    parser.add_argument("--strict", action="store_true", help="fail where the goal is missed")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="holdfast-bench-")
    os.chmod(folder, 0o755)
    options.queries = f"{folder}/queries"
    options.names = f"{folder}/names"
    options.loader, options.stalls = (os.path.join(os.path.dirname(options.holdfast), p) for p in ("dns_load_bench", "core_stalls_bench"))
    names = [f"n{i * 7919 % NAMES}.bench.test" for i in range(NAMES)]
    with open(options.queries, "w") as f, open(options.names, "w") as g:
        f.writelines(f"{n} A\n" for n in names)
        g.writelines(f"{n}\n" for n in names)
    os.sched_setaffinity(0, {peers.CORES[-1]})
    try:
        worst = max(measure(place, options, folder) for place in options.place.split(","))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if options.strict and worst > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
