"""The servers that benchmarks compare: how each is configured, started, pinned to a core, measured and stopped.

A maker is a function (folder, address, port) that writes a server's files into its private folder and returns the command
that starts it. Each server gets one UDP and one TCP thread.

    server = Server("nsd", nsd("bench.test", text), folder, "127.0.0.1", free_port(), core)
    server.wait("ns1.bench.test")
    meter = Meter(server.processes())
    ...
    total, user, system = meter.read()
    server.stop()
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

CLONE_NEWNET = 0x40000000
CORES = sorted(os.sched_getaffinity(0))
PDNS = shutil.which("pdns_server", path=os.environ.get("PATH", "") + ":/usr/sbin")


# ---- processes and what they use ----


def free_port():
    """One that is free, and the next one as well: TLS is served there."""
    while True:
        with socket.socket() as s, socket.socket() as following:
            s.bind(("127.0.0.1", 0))
            try:
                following.bind(("127.0.0.1", s.getsockname()[1] + 1))
            except (OSError, OverflowError):
                continue
            return s.getsockname()[1]


def descendants(pid):
    """A process and its children, and theirs."""
    found = [pid]
    for p in found:
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/children") as f:
                    found += [int(c) for c in f.read().split()]
        except OSError:
            pass
    return found


def pin(pids, core):
    """All threads of processes on one core."""
    for p in pids:
        subprocess.run(["taskset", "-a", "-p", "-c", str(core), str(p)], stdout=subprocess.DEVNULL, check=False)


class Meter:
    """CPU seconds of processes since it was made. The sum is the scheduler's, in nanoseconds. The split between user and system
    goes by samples: of perf, some thousand a second by a timer of their own, where there is one; else of the kernel's
    accounting, which looks a few hundred times a second, at ticks that servers may keep step with. `exact` says which."""

    RATE = 3989

    def __init__(self, pids, sample=False):
        self.pids, self.perf, self.exact = pids, None, False
        if sample and shutil.which("perf"):
            self.data = tempfile.NamedTemporaryFile(prefix="holdfast-perf-")
            self.perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(self.RATE), "-o", self.data.name,
                                          "-p", ",".join(map(str, pids))], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.1)
        self.begin = self.now()

    def now(self):
        total, user, system = 0.0, 0, 0
        for p in self.pids:
            try:
                for t in os.listdir(f"/proc/{p}/task"):
                    with open(f"/proc/{p}/task/{t}/schedstat") as f:
                        total += int(f.read().split()[0]) / 1e9
                with open(f"/proc/{p}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            user += int(fields[11])
            system += int(fields[12])
        return total, user, system

    def samples(self):
        """(user, system) as perf saw it, or nothing."""
        self.perf.send_signal(signal.SIGINT)
        self.perf.wait()
        out = subprocess.run(["perf", "script", "-i", self.data.name, "-F", "ip"], capture_output=True, text=True).stdout.split()
        self.data.close()
        system = sum(int(ip, 16) >> 63 for ip in out)
        return (len(out) - system, system) if out else None

    def read(self):
        """(all, user, system) in seconds."""
        total, user, system = (n - b for n, b in zip(self.now(), self.begin))
        sampled = self.samples() if self.perf else None
        if sampled:
            self.exact = True
            user, system = sampled
        user = total * user / max(1, user + system)
        return total, user, total - user


def resident_mb(pids):
    """Memory of processes; what they share is counted once, in parts (Pss)."""
    kib = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/smaps_rollup") as f:
                kib += sum(int(l.split()[1]) for l in f if l.startswith("Pss:"))
        except OSError:
            pass
    return kib / 1024


def udp_socket(namespace=None):
    """A socket in a network namespace: it stays there when the thread comes home."""
    if not namespace:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"no way into {namespace}")
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)


class Server:
    """A server with its private folder. namespace: the network namespace it runs in; ask_from: that of its client."""

    def __init__(self, name, maker, folder, address, port, core, namespace=None, ask_from=None):
        self.name, self.address, self.port, self.core = name, address, port, core
        self.inside = ["ip", "netns", "exec", namespace] if namespace else []
        self.ask_from = ask_from
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o755)
        argv = maker(self.folder, address, port)
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen(self.inside + ["taskset", "-c", str(core)] + argv, stdin=subprocess.PIPE,
                                        stdout=self.log, stderr=subprocess.STDOUT)

    def processes(self):
        return descendants(self.process.pid)

    def said(self):
        with open(self.log.name) as f:
            return f.read()

    def answers(self, name):
        query = os.urandom(2) + bytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        query += b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0\0\1\0\1"
        with udp_socket(self.ask_from) as s:
            s.settimeout(0.2)
            try:
                s.connect((self.address, self.port))
                s.send(query)
                return s.recv(4096)[3] & 15 == 0
            except OSError:
                return False

    def wait(self, name, seconds=60):
        """Until a name is answered; then all threads are pinned again, for knotd pins its own."""
        deadline = time.monotonic() + seconds
        while not self.answers(name):
            if time.monotonic() > deadline or self.process.poll() is not None:
                sys.exit(f"{self.name} does not answer: {self.said()[-2000:]}")
            time.sleep(0.1)
        pin(self.processes(), self.core)

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


# ---- makers ----


def zone_text(zone, names):
    """A zone of A records."""
    lines = [f"$ORIGIN {zone}.", "$TTL 3600", "@ SOA ns1 host 1 7200 3600 1209600 300", "@ NS ns1", "ns1 A 192.0.2.1"]
    lines += [f"{n} A 192.0.2.{i % 254 + 1}" for i, n in enumerate(names)]
    return "\n".join(lines) + "\n"


def put(folder, files):
    for path, text in files.items():
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)


def others_put(folder, others):
    """Files of more zones: name -> text."""
    put(folder, {f"more/{name}": text for name, text in (others or {}).items()})
    return others or {}


def holdfast(program, zone, text, dns="", more="", others=None):
    """A whole node. dns: more keys of `dns`, with a comma in front; more: more of the configuration."""
    def make(folder, address, port):
        zones = "".join(f"  - {{name: {o}, file: more/{o}}}\n" for o in others_put(folder, others))
        put(folder, {"zone": text, "holdfast.yaml": f"""node: {{name: bench, site: here, network: AS64500, data: "{folder}/data"}}
dns: {{listen: ["{address}:{port}"], threads: 1{dns}}}
tell: {{listen: []}}
log: {{level: warn}}
zones:
  - {{name: {zone}, file: zone}}
{zones}{more}"""})
        return [os.path.abspath(program), "run", f"{folder}/holdfast.yaml"]

    return make


def nsd(zone, text, others=None, tls=""):
    """tls: a file with certificate and key; served over TLS on the next port."""
    def make(folder, address, port):
        zones = "".join(f"zone:\n  name: {o}\n  zonefile: more/{o}\n" for o in others_put(folder, others))
        over = f"""  ip-address: {address}@{port + 1}
  tls-service-pem: "{tls}"
  tls-service-key: "{tls}"
  tls-port: {port + 1}
""" if tls else ""
        put(folder, {"zone": text, "nsd.conf": f"""server:
  ip-address: {address}@{port}
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  verbosity: 0
  rrl-ratelimit: 0
{over}remote-control:
  control-enable: no
zone:
  name: {zone}
  zonefile: zone
{zones}"""})
        return ["/usr/sbin/nsd", "-d", "-c", folder + "/nsd.conf"]

    return make


def knot(zone, text, xdp=None, others=None):
    """xdp: the interface whose raw packets it reads, in place of a socket."""
    def make(folder, address, port):
        more = "".join(f"""  - domain: {o}
    storage: {folder}/more
    file: {o}
    zonefile-sync: -1
    journal-content: none
""" for o in others_put(folder, others))
        listen = f"xdp:\n  listen: {xdp}@{port}\n" if xdp else ""
        sockets = "" if xdp else f"  listen: {address}@{port}\n"
        put(folder, {"zone": text, "knot.conf": f"""server:
  rundir: {folder}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
{sockets}{listen}database:
  storage: {folder}/db
zone:
  - domain: {zone}
    storage: {folder}
    file: zone
    zonefile-sync: -1
    journal-content: none
{more}"""})
        return ["/usr/sbin/knotd", "-c", folder + "/knot.conf"]

    return make


def gdnsd(zone, text, plugins="", others=None):
    def make(folder, address, port):
        put(folder, {f"zones/{o}": t for o, t in (others or {}).items()})
        put(folder, {"zones/" + zone: text, "run/x": "", "state/x": "", "config": f"""options => {{
  listen => {{ {address} => {{ udp_threads = 1, tcp_threads = 1 }} }},
  dns_port = {port},
  run_dir = {folder}/run,
  state_dir = {folder}/state,
}}
{plugins}
"""})
        return ["/usr/sbin/gdnsd", "-c", folder, "start"]

    return make


def powerdns(zone, text):
    def make(folder, address, port):
        put(folder, {"zone": text, "named.conf": f'zone "{zone}" {{ type master; file "{folder}/zone"; }};\n',
                     "pdns.conf": f"""launch=bind
bind-config={folder}/named.conf
enable-lua-records=shared
local-address={address}
local-port={port}
socket-dir={folder}
receiver-threads=1
distributor-threads=1
webserver=no
api=no
loglevel=3
"""})
        return [PDNS, "--config-dir=" + folder, "--daemon=no", "--guardian=no"]

    return make
