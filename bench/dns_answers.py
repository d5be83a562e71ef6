#!/usr/bin/python3
"""Answers side by side: Holdfast, NSD, Knot, gdnsd, PowerDNS and a bare UDP echo (the floor of this kernel).

One zone of many names, asked in random order by dnsperf; steered names against gdnsd's weighted plugin; with DO, the same zone
signed beforehand (dnssec-signzone, ECDSA P-256, NSEC), so that all serve the same signatures. The servers take
turns, round after round, in one run, so that what disturbs the machine disturbs all of them. Server and client are pinned to
one core each, every server has one UDP thread. CPU is the scheduler's sum for the server's processes; the split into user
and system is sampled by perf where there is one (peers.Meter).

    bench/dns_answers.py --build BUILD-FOLDER [--names 100000] [--rounds 5] [--seconds 2]
                         [--only static,nxdomain,steered,tcp,tls,signed] [--strict]

dnsperf waits for answers: its core is full before that of the servers, and they pay for waking it. The signed zone is also
asked by dns_flood_bench, which never sleeps: from a thousand addresses, and from one port.

BUILD-FOLDER has dns_rig_bench (the name server with plans made by hand), dns_echo_bench, dns_flood_bench and holdfast. Over TLS a whole node is
measured, with NSD as its peer, on kept connections. PowerDNS takes part in the
steered contest where it is installed. --strict exits 1 where Holdfast costs more than the best peer.
"""

import argparse
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

from peers import CORES, PDNS, Meter, Server, free_port, gdnsd, holdfast, knot, nsd, powerdns, put, zone_text

SERVER_CORE, CLIENT_CORE = CORES[0], CORES[min(1, len(CORES) - 1)]
ZONE = "bench.test"
MANY = 1000  # clients


def rig(build, text, spec):
    """The name server alone, with plans made by hand."""
    def make(folder, address, port):
        put(folder, {"zone": text, "spec": f"zone {ZONE} {folder}/zone\n" + spec})
        return [f"{build}/dns_rig_bench", folder + "/data", folder + "/spec", address, str(port), "1"]

    return make


def echo(build, length=0):
    """length: of what comes back, at least."""
    return lambda folder, address, port: [f"{build}/dns_echo_bench", address, str(port), str(length)]


def answer_length(server, name):
    """Of what a server answers to A with DO."""
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\1" + labels + b"\0\0\1\0\1" + b"\0\0\x29\x10\0\0\0\x80\0\0\0", ("127.0.0.1", server.port))
        return len(s.recv(65535))


def signed_text(folder, text):
    """The zone as a signer would give it."""
    os.makedirs(folder)
    put(folder, {"plain": text})

    def run(*words):
        subprocess.run([str(w) for w in words], cwd=folder, check=True, capture_output=True)

    run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", ZONE)
    run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", ZONE)
    run("dnssec-signzone", "-S", "-x", "-O", "full", "-o", ZONE, "-f", "signed", "plain")
    with open(os.path.join(folder, "signed")) as f:
        return f.read()


def dnsperf(*more):
    """A client that waits for answers, with eight ports."""
    return lambda server, queries, seconds: [
        "dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d", queries, "-l", str(seconds), "-c", "8", "-q", "200",
        *(w.format(tls=server.port + 1) for w in more)]


def flood(build, clients):
    """One that never waits, so that the server's core is busy: with one port, or as many clients."""
    return lambda server, queries, seconds: [
        f"{build}/dns_flood_bench", "127.0.0.1", str(server.port), str(max(1, round(seconds))), queries, str(clients), "do"]


def measure(server, queries, seconds, client):
    meter = Meter(server.processes(), sample=True)
    done = subprocess.run(["taskset", "-c", str(CLIENT_CORE)] + client(server, queries, seconds), capture_output=True, text=True)
    used = meter.read()

    def number(label):
        found = re.search(label + r":?\s+([\d.]+)", done.stdout)
        return float(found.group(1)) if found else 0.0

    completed = number("Queries completed")
    if not completed:
        sys.exit(f"the client of {server.name} failed:\n{done.stdout}{done.stderr}")
    cpu, user, system = (u / completed * 1e6 for u in used)
    return {"user": user, "system": system, "cpu": cpu,
            "qps": number("Queries per second"), "latency": number(r"Average Latency \(s\)") * 1e6,
            "lost": number("Queries lost")}


def contest(title, servers, queries, options, client=dnsperf()):
    print(f"\n{title}: {options.rounds} rounds of {options.seconds} s, server on core {SERVER_CORE}, "
          f"client on core {CLIENT_CORE}", flush=True)
    results = {s.name: [] for s in servers}
    for _ in range(options.rounds):
        for s in servers:
            results[s.name].append(measure(s, queries, options.seconds, client))
    middle = {n: {k: statistics.median(r[k] for r in rs) for k in rs[0]} for n, rs in results.items()}
    peers = {n: m["cpu"] for n, m in middle.items() if n not in ("holdfast", "echo")}
    best = min(peers.values())
    print(f"{'':10} {'user us':>8} {'sys us':>8} {'CPU us':>8} {'vs best peer':>12} {'queries/s':>10} {'latency us':>10} {'lost':>6}")
    for name, m in middle.items():
        print(f"{name:10} {m['user']:8.3f} {m['system']:8.2f} {m['cpu']:8.2f} {m['cpu'] / best:12.2f} "
              f"{m['qps']:10.0f} {m['latency']:10.0f} {m['lost']:6.0f}")
    ratio = middle["holdfast"]["cpu"] / best
    print(f"holdfast costs {ratio:.2f} x the best peer ({min(peers, key=peers.get)})", flush=True)
    return ratio


def query_file(folder, name, lines):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return path


def contest_signed(options, folder, text, asked, dice, servers, ratios):
    """With DO. `servers` gets those that are started, `ratios` what they cost."""
    signed = signed_text(os.path.join(folder, "signer"), text)

    def start(name, maker, below="signed"):
        servers[name] = Server(name, maker, os.path.join(folder, below), "127.0.0.1", free_port(), SERVER_CORE)
        servers[name].wait(f"ns1.{ZONE}")
        return servers[name]

    name = asked[0].split()[0]
    ours = start("holdfast", rig(options.build, signed, ""))
    there, none = answer_length(ours, name), answer_length(ours, "x" + name)
    start("nsd", nsd(ZONE, signed))
    start("knot", knot(ZONE, signed))
    start("echo", echo(options.build, there))
    mixed = [a if dice.random() < 0.5 else "x" + a for a in asked]
    ratios["signed"] = contest(f"{options.names} signed names in random order, A with DO ({there} bytes, of the echo too)", list(servers.values()),
                               query_file(folder, "asked", asked), options, dnsperf("-D"))
    for title, clients in (("signed, many clients", MANY), ("signed, one port", 1)):
        ratios[title] = contest(f"{title}, the server busy", list(servers.values()), os.path.join(folder, "asked"), options,
                                flood(options.build, clients))
    servers.pop("echo").stop()
    start("echo", echo(options.build, (there + none) // 2), "signed-mixed")
    ratios["signed nxdomain"] = contest(f"half of the names do not exist, with DO ({there} and {none} bytes, of the echo the mean)",
                                        list(servers.values()), query_file(folder, "mixed", mixed), options, dnsperf("-D"))


def contest_tls(options, folder, text, asked, servers, ratios):
    """On kept connections. `servers` gets those that are started, `ratios` what they cost."""
    pem = os.path.join(folder, "tls.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=bench", "-keyout", pem, "-out", pem + ".certificate"], check=True, capture_output=True)
    with open(pem + ".certificate") as certificate, open(pem, "a") as both:
        both.write(certificate.read())
    port = free_port()
    tls = f', tls: {{listen: ["127.0.0.1:{port + 1}"], certificate: {pem}, key: {pem}}}'
    servers["holdfast"] = Server("holdfast", holdfast(f"{options.build}/holdfast", ZONE, text, tls), os.path.join(folder, "tls"),
                                 "127.0.0.1", port, SERVER_CORE)
    servers["nsd"] = Server("nsd", nsd(ZONE, text, tls=pem), os.path.join(folder, "tls"), "127.0.0.1", free_port(), SERVER_CORE)
    for s in servers.values():
        s.wait(f"ns1.{ZONE}")
    ratios["tls"] = contest("over TLS, kept connections", list(servers.values()), query_file(folder, "asked", asked), options,
                            dnsperf("-m", "dot", "-p", "{tls}"))


def run(options, folder):
    dice = random.Random(1)
    names = [f"host-{i:06d}" for i in range(options.names)]
    text = zone_text(ZONE, names)
    weighted = "service lb.bench.test bench.test 5 weighted 192.0.2.1=3,192.0.2.2=2,192.0.2.3=1\n"
    plugin = """plugins => { weighted => { lb => { multi = false, service_types = up,
      a = [ 192.0.2.1, 3 ], b = [ 192.0.2.2, 2 ], c = [ 192.0.2.3, 1 ] } } }"""
    build = options.build
    makers = {"echo": echo(build), "holdfast": rig(build, text, weighted),
              "gdnsd": gdnsd(ZONE, text + "lb 5 DYNA weighted!lb\n", plugin), "nsd": nsd(ZONE, text), "knot": knot(ZONE, text)}
    if PDNS and "steered" in options.only:
        makers["powerdns"] = powerdns(ZONE, zone_text(ZONE, names[:1]) + 'lb 5 LUA A "pickwrandom({{3,\'192.0.2.1\'},'
                                      '{2,\'192.0.2.2\'},{1,\'192.0.2.3\'}})"\n')
    servers, ratios = {}, {}
    try:
        for n, maker in makers.items():
            servers[n] = Server(n, maker, folder, "127.0.0.1", free_port(), SERVER_CORE)
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
                                    query_file(folder, "tcp", asked), options, dnsperf("-m", "tcp"))
        if "tls" in options.only:
            for s in servers.values():
                s.stop()
            servers = {}
            contest_tls(options, folder, text, asked, servers, ratios)
        if "signed" in options.only:
            for s in servers.values():
                s.stop()
            servers = {}
            contest_signed(options, folder, text, asked, dice, servers, ratios)
    finally:
        for s in servers.values():
            s.stop()
    return ratios


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", required=True, help="folder with dns_rig_bench, dns_echo_bench, dns_flood_bench")
    p.add_argument("--names", type=int, default=100000)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--strict", action="store_true", help="exit 1 where Holdfast costs more than the best peer")
    p.add_argument("--only", default="static,nxdomain,steered,tcp,tls,signed", type=lambda s: s.split(","))
    options = p.parse_args()
    options.build = os.path.abspath(options.build)
    options.seconds = int(options.seconds) if options.seconds == int(options.seconds) else options.seconds
    folder = tempfile.mkdtemp(prefix="dns-bench-")
    os.chmod(folder, 0o755)  # the roles of a node run as another user
    try:
        ratios = run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    worst = max(ratios.values())
    print("\n" + ", ".join(f"{k} {v:.2f}" for k, v in ratios.items()) + f": worst ratio to the best peer {worst:.2f}")
    sys.exit(options.strict and worst > 1)


if __name__ == "__main__":
    main()
