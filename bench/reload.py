#!/usr/bin/python3
"""What reloads cost those who ask: p99 of a busy server with and without reloads of one zone among many, by how often they come.

    bench/reload.py [--holdfast PROGRAM] [--rounds 3] [--rates 5,1,0.2] [--load 0.5] [--others 10000] [--place one,two] [--peers]
                    [--no-trace] [--strict]

The load is open-loop (dns_load_bench at a fixed rate, a fraction of what the server can do), so that a pause shows as latency of all
that waited. Within one run of the client, calm seconds and seconds with changes take turns; of each stretch only seconds in which there is
a change are counted, so that a rare change is not hidden among calm seconds.

    zone    a reload of a zone of 50,000 names
    plan    a plan swap, by an order that drains an endpoint or takes that back (Holdfast alone)

    --rates        changes a second
    --place one    all of the server on one core, the client on another: what compiles competes with what answers
    --place two    the server on both cores, the client on one of them
    --peers        Knot and NSD as well, which reload the same zone

The client runs at real-time priority if that is allowed, and what makes the changes does so before the round or talks to the server's
socket: so neither disturbs the measurement. Where perf may trace the scheduler and the server has one core, two things more are known. `own` is
the part of the time in which the server's busiest thread was ready to run and another thread of the server had the core: what
the server does to itself. And queries that came while a stranger had the core, or while what had piled up meanwhile was worked off, are left out,
in calm and change alike: so latencies mean something on a machine that others use too. `of` says how many are left.
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
GOAL, GOAL_RATE = 1.2, 1.0  # at so many changes a second
CALM_S, SPILL_S, STRETCH_S, LATER_S = 2.0, 0.6, 2.0, 0.1
MARGIN_S, LOST_NS = 0.0002, 10**9
MORE = """services:
  - {name: api.bench.test, policy: weighted, endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}]}
"""


def text(serial):
    return (f"$ORIGIN bench.test.\n$TTL 300\n@ SOA ns1 host {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"
            + "".join(f"n{i} A 192.0.2.{(i + serial) % 250}\n" for i in range(NAMES)))


def client(words, alone=True):
    """On the last core; alone: the server has no part of it."""
    return (["chrt", "-f", "1"] if alone and os.geteuid() == 0 else []) + ["taskset", "-c", str(peers.CORES[-1])] + words


def capacity(queries, port):
    words = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", queries, "-l", "2", "-c", "4", "-T", "1", "-t", "2"]
    out = subprocess.run(client(words), capture_output=True, text=True, timeout=60).stdout
    return float(re.search(r"Queries per second:\s+([\d.]+)", out)[1])


def load(program, port, rate, seconds, names, file, meanwhile):
    """([when sent, seconds], [microseconds until the answer]) of each query, and how many were lost. meanwhile: called once it runs."""
    process = subprocess.Popen(client([program, "127.0.0.1", str(port), str(rate), str(seconds), names, file]), stdout=subprocess.PIPE, text=True)
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


class Trace:
    """Of the scheduler, on one core."""

    EVENTS = "sched:sched_switch,sched:sched_waking"

    def __init__(self, core, folder):
        self.file, self.process = f"{folder}/trace", None
        if core is not None and shutil.which("perf") and os.geteuid() == 0:
            self.process = subprocess.Popen(["perf", "record", "-q", "-k", "mono", "-C", core, "-m", "4096", "-e", self.EVENTS, "-o", self.file],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.3)

    def read(self, thread, own):
        """[(from, to)] while `thread` was ready to run and one of `own` had the core, and the same of strangers; None where nothing was traced."""
        if not self.process:
            return None
        self.process.send_signal(2)
        self.process.wait()
        script = subprocess.Popen(["perf", "script", "-i", self.file, "-F", "time,event,trace"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        switch = re.compile(r"prev_pid=(\d+) .*prev_state=(\S+) ==> .*next_pid=(\d+)")
        woken, running, since, ready, held, strange = f" pid={thread} ", None, 0.0, None, [], []
        for line in script.stdout:
            when, event, what = line.split(None, 2)
            when = float(when[:-1])
            if event == "sched:sched_waking:":
                if ready is None and running != thread and woken in what:
                    ready = when
                continue
            before, state, after = switch.search(what).groups()
            if ready is not None and running not in (None, "0", thread):
                (held if running in own else strange).append((max(since, ready), when))
            if after == thread:
                ready = None
            elif before == thread and state.startswith("R"):
                ready = when
            running, since = after, when
        return (held, strange) if script.wait() == 0 else None


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
        # what a change leaves behind is not calm yet; of rare changes the second after each counts
        self.counted = (begin, begin + 1) if rate and rate < 1 else (begin, self.end) if rate else (begin + SPILL_S, self.end)


def stretches(kinds, rates):
    """Calm before and after each."""
    found = [Stretch(0, "calm", 0)]
    for rate in rates:
        for kind in kinds:
            found.append(Stretch(found[-1].end, kind, rate))
            found.append(Stretch(found[-1].end, "calm", 0))
    return found


def quantile(times, part):
    return sorted(times)[int(len(times) * part)]


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
    trace = Trace(c.server.core if c.server.core.isdigit() and options.trace else None, c.server.folder)
    sent, took, lost = load(options.loader, c.server.port, c.rate, int(plan[-1].end + 1), options.names, f"{c.server.folder}/latencies",
                            lambda: begin.append(changes_make(c, plan, failed)))
    after = waits(c.server.processes())
    busiest = max(before, key=lambda t: after.get(t, [0, 0])[0] - before[t][0])
    traced = trace.read(busiest, {*before, *after} - {busiest})
    held, strange = traced or ([], [])
    kept, parts, own, all_of = undisturbed(sent, took, strange), {}, {}, {}
    when = [k[0] for k in kept]
    for s in plan:
        first, last = (begin[0] + t for t in s.counted)
        key = (s.kind, s.rate)
        parts.setdefault(key, []).extend(k[1] for k in kept[bisect.bisect(when, first):bisect.bisect(when, last)])
        all_of[key] = all_of.get(key, 0) + bisect.bisect(sent, last) - bisect.bisect(sent, first)
        own.setdefault(key, []).append(sum(b - a for a, b in held if first <= a < last) / (last - first))
    calm = {q: quantile(parts["calm", 0], q) for q in (0.5, 0.99, 0.999)}
    for key, part in parts.items():
        seen = {q: quantile(part, q) for q in calm}
        held_part = statistics.mean(own[key]) if traced else None
        c.seen.setdefault(key, []).append(([seen[q] / calm[q] for q in calm], held_part))
        print(f"{c.name:8}  {key[0]:5} {f'{key[1]:g}/s' if key[1] else '':5} p50 {seen[0.5]:5.0f} us  p99 {seen[0.99]:6.0f} us  p99.9 {seen[0.999]:6.0f} us"
              f"  own {'-' if held_part is None else f'{held_part:6.2%}'}  of {len(part) / all_of[key]:4.0%}", flush=True)
    print(f"{c.name:8}  {sum(failed)} of {len(failed)} changes failed, {lost} of {len(sent)} queries lost", flush=True)


def summary(c, cores):
    """The worst p99 against calm among those that the goal is for."""
    worst = 0
    for (kind, rate), rows in c.seen.items():
        p50, p99, p999 = (statistics.median(r[0][i] for r in rows) for i in range(3))
        own = [r[1] for r in rows if r[1] is not None]
        held = f"; held up by itself {statistics.median(own):.2%} of the time" if own else ""
        ratios = f"p50 x{p50:.2f}  p99 x{p99:.2f}  p99.9 x{p999:.2f} of calm" if rate else ""
        print(f"{c.name}, server on core {cores}, {kind} {f'{rate:g}/s' if rate else ''}: {ratios}{held}")
        if rate and rate <= GOAL_RATE:
            worst = max(worst, p99)
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
        print(f"medians of {options.rounds}; the goal is p99 under x{GOAL} at up to {GOAL_RATE:g} change a second")
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
    options.loader = os.path.join(os.path.dirname(options.holdfast), "dns_load_bench")
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
