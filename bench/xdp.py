#!/usr/bin/python3
"""Raw packets (AF_XDP) against sockets, and against Knot's, over a veth pair between two network namespaces.

One zone of many names, asked in random order by kxdpgun, itself over AF_XDP. The servers take turns, round after round, in one
run, one server thread on one core, the client on another. Printed per answer, as medians of the rounds:

- server: CPU time of the server's processes and of the kernel thread that receives for its interface (from the scheduler, in
  nanoseconds; user and system of the processes from ticks, which are rough)
- both: the client's as well
- answers a second: at a rate that no server here keeps up with. On a machine with two cores the client takes one of them

The interfaces receive in threads of their own (threaded NAPI). Without them a veth receives on the core of whoever sends, packet by
packet, so that each side pays for the other's work.

    bench/xdp.py --holdfast PROGRAM [--names 100000] [--rounds 5] [--seconds 2] [--rate 200000] [--flood 1500000] [--nice -15]
                 [--profile]

Needs root, kxdpgun and knotd. --profile prints where a core's time goes under the flood (perf).
"""

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from peers import CORES, Meter, Server, holdfast, knot, zone_text

SERVER_CORE, CLIENT_CORE = CORES[-1], CORES[0]
ZONE = "bench.test"
SERVER, CLIENT = "10.98.0.1", "10.98.0.2"
TAG = str(os.getpid())
NS_SERVER, NS_CLIENT = f"hfbs{TAG}", f"hfbc{TAG}"


# GRO gives a veth the polled receiving (NAPI) that a network card has; then that can get a thread.
THREADED = """
import array, fcntl, socket, struct, sys
value = array.array("B", struct.pack("II", 0x2c, 1))  # ETHTOOL_SGRO
request = struct.pack("16sP", sys.argv[1].encode(), value.buffer_info()[0])
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, request.ljust(40, b"\\0"))
open(f"/sys/class/net/{sys.argv[1]}/threaded", "w").write("1")
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def wire_make():
    ip("netns", "add", NS_SERVER)
    ip("netns", "add", NS_CLIENT)
    ip("link", "add", "s0", "netns", NS_SERVER, "type", "veth", "peer", "name", "c0", "netns", NS_CLIENT)
    for ns, dev, address in ((NS_SERVER, "s0", SERVER), (NS_CLIENT, "c0", CLIENT)):
        ip("-n", ns, "link", "set", "lo", "up")
        ip("-n", ns, "addr", "add", f"{address}/24", "dev", dev)
        ip("-n", ns, "link", "set", dev, "up")
        ip("netns", "exec", ns, sys.executable, "-c", THREADED, dev)


def receivers(dev):
    """The kernel threads that receive for an interface."""
    found = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/comm") as f:
                if f.read().startswith(f"napi/{dev}-"):
                    found.append(int(p))
        except OSError:
            pass
    return found


def wire_end():
    for ns in (NS_SERVER, NS_CLIENT):
        subprocess.run(["ip", "netns", "del", ns], capture_output=True)


class RawServer(Server):
    """A server at the far end of the cable."""

    def __init__(self, name, maker, folder):
        super().__init__(name, maker, folder, SERVER, 53, SERVER_CORE, NS_SERVER, NS_CLIENT)

    def wait(self, name):
        super().wait(name)
        if "xdp.refused" in self.said():
            sys.exit(f"{self.name} has no raw packets: {self.said()[-2000:]}")

    def stop(self):
        super().stop()
        ip("-n", NS_SERVER, "link", "set", "dev", "s0", "xdp", "off")  # Knot leaves its filter behind


def gun(queries, rate, seconds, server):
    """(answers, seconds, CPU of the server's processes, user, system, of receiving for it, of the client)"""
    receiving, others = receivers("s0"), receivers("c0")
    for p, core in [(p, SERVER_CORE) for p in receiving] + [(p, CLIENT_CORE) for p in others]:
        subprocess.run(["taskset", "-p", "-c", str(core), str(p)], stdout=subprocess.DEVNULL, check=False)
        os.setpriority(os.PRIO_PROCESS, p, os.getpriority(os.PRIO_PROCESS, 0))
    own, received, aside = Meter(server.processes()), Meter(receiving), Meter(others)
    client = subprocess.Popen(["ip", "netns", "exec", NS_CLIENT, "taskset", "-c", str(CLIENT_CORE), "kxdpgun", "-I", "c0", "-t",
                               str(seconds), "-Q", str(rate), "-i", queries, SERVER], stdout=subprocess.PIPE, text=True)
    out = client.stdout.read()
    _, _, used = os.wait4(client.pid, 0)
    client.returncode = 0
    total, user, system = own.read()
    aside.pids = others or receivers("c0")  # there once the client has its filter
    answers = int(re.search(r"total replies:\s+(\d+)", out)[1])
    took = float(re.search(r"duration: (\S+) s", out)[1])
    return answers, took, total, user, system, received.read()[0], used.ru_utime + used.ru_stime + aside.read()[0]


def profile(server, queries, rate, folder):
    data = os.path.join(folder, "perf.data")
    client = subprocess.Popen(["ip", "netns", "exec", NS_CLIENT, "taskset", "-c", str(CLIENT_CORE), "kxdpgun", "-I", "c0", "-t", "3",
                               "-Q", str(rate), "-i", queries, SERVER], stdout=subprocess.DEVNULL)
    time.sleep(0.7)
    subprocess.run(["perf", "record", "-q", "-F", "4000", "-p",
                    ",".join(map(str, server.processes() + receivers("s0"))), "-e", "cpu-clock", "-o", data, "sleep", "1.5"], capture_output=True)
    client.wait()
    out = subprocess.run(["perf", "report", "-i", data, "--stdio", "--sort", "comm,symbol", "--percent-limit", "1"],
                         capture_output=True, text=True).stdout
    print(f"\n{server.name}: where its time goes under the flood")
    print("\n".join(" ".join(l.split())[:80] for l in out.splitlines() if l.strip() and not l.startswith("#")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--holdfast", required=True)
    parser.add_argument("--names", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rate", type=int, default=200000)
    parser.add_argument("--flood", type=int, default=1500000)
    parser.add_argument("--only", default="echo-xdp,holdfast-xdp,knot-xdp,holdfast-sockets,knot-sockets")
    parser.add_argument("--nice", type=int, default=0, help="priority of servers and client, on a machine with other work")
    parser.add_argument("--profile", action="store_true")
    o = parser.parse_args()
    if o.nice:  # where each session is a group of its own, priority is the group's
        os.setsid() if os.getpid() != os.getsid(0) else None
        os.nice(o.nice)
        with open("/proc/self/autogroup", "w") as f:
            f.write(str(o.nice))
    folder = tempfile.mkdtemp(prefix="holdfast-xdp-")
    os.chmod(folder, 0o755)
    rng = random.Random(1)
    names = [f"n{i:06}x{rng.randrange(16**6):06x}" for i in range(o.names)]
    text = zone_text(ZONE, names)
    queries = os.path.join(folder, "queries")
    with open(queries, "w") as f:
        f.writelines(f"{n}.{ZONE}. A\n" for n in rng.sample(names, len(names)))
    echo = os.path.join(os.path.dirname(o.holdfast), "xdp_echo_bench")
    makers = {
        "echo-xdp": lambda folder, address, port: [os.path.abspath(echo), "s0", address, str(port)],
        "holdfast-xdp": holdfast(o.holdfast, ZONE, text, ", xdp: [s0]"),
        "holdfast-sockets": holdfast(o.holdfast, ZONE, text),
        "knot-xdp": knot(ZONE, text, xdp="s0"),
        "knot-sockets": knot(ZONE, text),
    }
    results = {n: [] for n in o.only.split(",")}
    print(f"{o.names} names, {o.rounds} rounds of {o.seconds} s; load {os.getloadavg()[0]:.1f}, "
          f"server on core {SERVER_CORE}, client on core {CLIENT_CORE}", flush=True)
    server = None
    try:
        wire_make()
        for round_number in range(o.rounds):
            for name in results:
                server = RawServer(f"{name}-{round_number}", makers[name], folder)
                server.wait(f"{names[0]}.{ZONE}")
                gun(queries, o.rate // 4, 1, server)  # warm
                paced = gun(queries, o.rate, o.seconds, server)
                flood = gun(queries, o.flood, o.seconds, server)
                results[name].append((paced, flood))
                if o.profile and round_number == o.rounds - 1:
                    profile(server, queries, o.flood, folder)
                server.stop()
                server = None
        print(f"\n{'':18}{f'at {o.rate}/s: us an answer':>53}{'flooded: us an answer':>34}")
        print(f"{'':18}{'server':>9}{'user':>9}{'system':>9}{'receive':>9}{'both':>9}{'lost':>8}"
              f"{'server':>10}{'receive':>9}{'both':>9}{'answers/s':>14}")
        for name, rounds in results.items():
            def median(part, value):
                return statistics.median(value(r[part]) for r in rounds)

            def us(part, *fields):
                return median(part, lambda r: sum(r[i] for i in fields) / max(1, r[0]) * 1e6)

            lost = 100 - 100 * median(0, lambda r: r[0] / (o.rate * o.seconds))
            print(f"{name:18}{us(0, 2, 5):9.2f}{us(0, 3):9.2f}{us(0, 4):9.2f}{us(0, 5):9.2f}{us(0, 2, 5, 6):9.2f}{lost:7.1f}%"
                  f"{us(1, 2, 5):10.2f}{us(1, 5):9.2f}{us(1, 2, 5, 6):9.2f}{median(1, lambda r: r[0] / r[1]):14,.0f}")
    finally:
        if server:
            server.stop()
        wire_end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
