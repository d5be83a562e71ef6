#!/usr/bin/python3
"""Answers side by side: Holdfast, NSD, Knot, gdnsd, PowerDNS and a bare UDP echo (the floor of this kernel).

One zone of many names, asked in random order by dnsperf; steered names against gdnsd's weighted plugin. The servers take
turns, round after round, in one run, so that what disturbs the machine disturbs all of them. Server and client are pinned to
one core each, every server has one UDP thread. CPU is the server's own accounting (/proc), user and system.

    bench/dns_answers.py --build BUILD-FOLDER [--names 100000] [--rounds 5] [--seconds 2]
                         [--only static,nxdomain,steered,tcp] [--strict]

BUILD-FOLDER has dns_rig_bench (the name server with plans made by hand) and dns_echo_bench. PowerDNS takes part in the
steered contest where it is installed. --strict exits 1 where Holdfast costs more than the best peer.
"""

import argparse
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[min(1, len(CORES) - 1)]
TICK = os.sysconf("SC_CLK_TCK")
ZONE = "bench.test"
PDNS = shutil.which("pdns_server", path=os.environ.get("PATH", "") + ":/usr/sbin")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def descendants(pid):
    found = [pid]
    for p in found:
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/children") as f:
                    found += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return found


def cpu_seconds(pid):
    """(user, system) of a process and its children."""
    user = system = 0
    for p in descendants(pid):
        with open(f"/proc/{p}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        user += int(fields[11])
        system += int(fields[12])
    return user / TICK, system / TICK


class Server:
    """A peer with its private folder, one UDP thread, pinned once it answers."""

    def __init__(self, name, folder, files, argv, port):
        self.name, self.port = name, port
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        for path, text in files(self.folder, port).items():
            path = os.path.join(self.folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE)] + argv(self.folder, port),
            stdin=subprocess.PIPE, stdout=self.log, stderr=subprocess.STDOUT)

    def wait(self, name):
        query = os.urandom(2) + bytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        query += b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0\0\1\0\1"
        deadline = time.monotonic() + 60
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.connect(("127.0.0.1", self.port))
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    s.send(query)
                    if s.recv(4096)[3] & 15 == 0:
                        break
                    time.sleep(0.1)
                except OSError:
                    time.sleep(0.1)
            else:
                with open(self.log.name) as f:
                    sys.exit(f"{self.name} does not answer: {f.read()[-2000:]}")
        for p in descendants(self.process.pid):  # knotd pins its own threads
            subprocess.run(["taskset", "-a", "-p", "-c", str(SERVER_CORE), str(p)],
                           stdout=subprocess.DEVNULL, check=True)

    def stop(self):
        self.process.stdin.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def zone_text(names):
    lines = [f"$ORIGIN {ZONE}.", "$TTL 3600", "@ SOA ns1 host 1 7200 3600 1209600 300", "@ NS ns1", "ns1 A 192.0.2.1"]
    lines += [f"{n} A 192.0.2.{i % 254 + 1}" for i, n in enumerate(names)]
    return "\n".join(lines) + "\n"


def holdfast(build, text, spec):
    def files(folder, port):
        return {"zone": text, "spec": f"zone {ZONE} {folder}/zone\n" + spec}

    def argv(folder, port):
        return [f"{build}/dns_rig_bench", folder + "/data", folder + "/spec", "127.0.0.1", str(port), "1"]

    return files, argv


def echo(build):
    return (lambda folder, port: {}), (lambda folder, port: [f"{build}/dns_echo_bench", "127.0.0.1", str(port)])


def nsd(text):
    def files(folder, port):
        return {"zone": text, "nsd.conf": f"""server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  verbosity: 0
remote-control:
  control-enable: no
zone:
  name: {ZONE}
  zonefile: zone
"""}

    return files, (lambda folder, port: ["/usr/sbin/nsd", "-d", "-c", folder + "/nsd.conf"])


def knot(text):
    def files(folder, port):
        return {"zone": text, "knot.conf": f"""server:
  listen: 127.0.0.1@{port}
  rundir: {folder}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {folder}/db
zone:
  - domain: {ZONE}
    storage: {folder}
    file: zone
    zonefile-sync: -1
    journal-content: none
"""}

    return files, (lambda folder, port: ["/usr/sbin/knotd", "-c", folder + "/knot.conf"])


def gdnsd(text, plugins=""):
    def files(folder, port):
        return {"zones/" + ZONE: text, "run/x": "", "state/x": "", "config": f"""options => {{
  listen => {{ 127.0.0.1 => {{ udp_threads = 1, tcp_threads = 1 }} }},
  dns_port = {port},
  run_dir = {folder}/run,
  state_dir = {folder}/state,
}}
{plugins}
"""}

    return files, (lambda folder, port: ["/usr/sbin/gdnsd", "-c", folder, "start"])


def powerdns(text, lua):
    def files(folder, port):
        return {"zone": text + lua, "named.conf": f'zone "{ZONE}" {{ type master; file "{folder}/zone"; }};\n',
                "pdns.conf": f"""launch=bind
bind-config={folder}/named.conf
enable-lua-records=shared
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
receiver-threads=1
distributor-threads=1
webserver=no
api=no
loglevel=3
"""}

    return files, (lambda folder, port: [PDNS, "--config-dir=" + folder, "--daemon=no", "--guardian=no"])


def measure(server, queries, seconds, tcp):
    before, start = cpu_seconds(server.process.pid), time.monotonic()
    argv = ["taskset", "-c", str(CLIENT_CORE), "dnsperf", "-s", "127.0.0.1", "-p", str(server.port),
            "-d", queries, "-l", str(seconds), "-c", "8", "-q", "200"]
    done = subprocess.run(argv + (["-m", "tcp"] if tcp else []), capture_output=True, text=True)
    after = cpu_seconds(server.process.pid)

    def number(label):
        found = re.search(label + r":?\s+([\d.]+)", done.stdout)
        return float(found.group(1)) if found else 0.0

    completed = number("Queries completed")
    if not completed:
        sys.exit(f"dnsperf against {server.name} failed:\n{done.stdout}{done.stderr}")
    user, system = ((a - b) / completed * 1e6 for a, b in zip(after, before))
    return {"user": user, "system": system, "cpu": user + system,
            "qps": number("Queries per second"), "latency": number(r"Average Latency \(s\)") * 1e6,
            "lost": number("Queries lost")}


def contest(title, servers, queries, options, tcp=False):
    print(f"\n{title}: {options.rounds} rounds of {options.seconds} s, server on core {SERVER_CORE}, "
          f"client on core {CLIENT_CORE}", flush=True)
    results = {s.name: [] for s in servers}
    for _ in range(options.rounds):
        for s in servers:
            results[s.name].append(measure(s, queries, options.seconds, tcp))
    middle = {n: {k: statistics.median(r[k] for r in rs) for k in rs[0]} for n, rs in results.items()}
    peers = {n: m["cpu"] for n, m in middle.items() if n not in ("holdfast", "echo")}
    best = min(peers.values())
    print(f"{'':10} {'user us':>8} {'sys us':>8} {'CPU us':>8} {'vs best peer':>12} {'queries/s':>10} {'latency us':>10} {'lost':>6}")
    for name, m in middle.items():
        print(f"{name:10} {m['user']:8.2f} {m['system']:8.2f} {m['cpu']:8.2f} {m['cpu'] / best:12.2f} "
              f"{m['qps']:10.0f} {m['latency']:10.0f} {m['lost']:6.0f}")
    ratio = middle["holdfast"]["cpu"] / best
    print(f"holdfast costs {ratio:.2f} x the best peer ({min(peers, key=peers.get)})", flush=True)
    return ratio


def query_file(folder, name, lines):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return path


def run(options, folder):
    dice = random.Random(1)
    names = [f"host-{i:06d}" for i in range(options.names)]
    text = zone_text(names)
    weighted = "service lb.bench.test bench.test 5 weighted 192.0.2.1=3,192.0.2.2=2,192.0.2.3=1\n"
    plugin = """plugins => { weighted => { lb => { multi = false, service_types = up,
      a = [ 192.0.2.1, 3 ], b = [ 192.0.2.2, 2 ], c = [ 192.0.2.3, 1 ] } } }"""
    build = options.build
    makers = {"echo": echo(build), "holdfast": holdfast(build, text, weighted),
              "gdnsd": gdnsd(text + "lb 5 DYNA weighted!lb\n", plugin), "nsd": nsd(text), "knot": knot(text)}
    if PDNS and "steered" in options.only:
        makers["powerdns"] = powerdns(zone_text(names[:1]), 'lb 5 LUA A "pickwrandom({{3,\'192.0.2.1\'},'
                                      '{2,\'192.0.2.2\'},{1,\'192.0.2.3\'}})"\n')
    servers, ratios = {}, {}
    try:
        for n, maker in makers.items():
            servers[n] = Server(n, folder, *maker, free_port())
        for s in servers.values():
            s.wait(f"{names[0]}.{ZONE}")
        asked = [f"{n}.{ZONE} A" for n in names]
        dice.shuffle(asked)
        everyone = list(servers.values())
        steering = [s for s in everyone if s.name in ("echo", "holdfast", "gdnsd", "powerdns")]
        everyone = [s for s in everyone if s.name != "powerdns"]
        if "static" in options.only:
            ratios["static"] = contest(f"{options.names} names in random order, A",
                                       everyone, query_file(folder, "static", asked), options)
        if "nxdomain" in options.only:
            mixed = [a if dice.random() < 0.5 else "x" + a for a in asked]
            ratios["nxdomain"] = contest("half of the names do not exist", everyone,
                                         query_file(folder, "mixed", mixed), options)
        if "steered" in options.only:
            ratios["steered"] = contest("one weighted name", steering,
                                        query_file(folder, "steered", [f"lb.{ZONE} A"]), options)
        if "tcp" in options.only:
            ratios["tcp"] = contest("over TCP, kept connections", [servers[n] for n in ("holdfast", "gdnsd", "nsd", "knot")],
                                    query_file(folder, "tcp", asked), options, tcp=True)
    finally:
        for s in servers.values():
            s.stop()
    return ratios


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", required=True, help="folder with dns_rig_bench and dns_echo_bench")
    p.add_argument("--names", type=int, default=100000)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--strict", action="store_true", help="exit 1 where Holdfast costs more than the best peer")
    p.add_argument("--only", default="static,nxdomain,steered,tcp", type=lambda s: s.split(","))
    options = p.parse_args()
    options.build = os.path.abspath(options.build)
    options.seconds = int(options.seconds) if options.seconds == int(options.seconds) else options.seconds
    folder = tempfile.mkdtemp(prefix="dns-bench-")
    try:
        ratios = run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    worst = max(ratios.values())
    print("\n" + ", ".join(f"{k} {v:.2f}" for k, v in ratios.items()) + f": worst ratio to the best peer {worst:.2f}")
    sys.exit(options.strict and worst > 1)


if __name__ == "__main__":
    main()
