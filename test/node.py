"""A node under test, the origins it watches and a client that never stops asking.

Each node and each origin gets a loopback address of its own (127.a.b.c), so tests in parallel never meet at a port.
"""

import contextlib
import ctypes
import http.server
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

DNS_PORT = 5353
TELL_PORT = 8080
API_PORT = 8090
ORIGIN_PORT = 8081
START_S = 60
PLAN_S = 15
ROLES = ("supervisor", "control", "dns", "tell")


def loopback():
    """A loopback address that nothing else uses, by chance of 1 in 16 million."""
    r = random.SystemRandom()
    return f"127.{r.randint(1, 254)}.{r.randint(0, 255)}.{r.randint(1, 254)}"


def free_port():
    """A port that no address of this machine uses, for who cannot have an address of its own. The kernel hands its ephemeral
    ports to clients at any moment, also between this look and the use; so it is none of those."""
    first, last = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    ports = [p for p in range(10000, 65536) if not first <= p <= last] or range(10000, 65536)
    while True:
        port = random.SystemRandom().choice(ports)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("0.0.0.0", port))
            return port


def wait_for(condition, timeout=10.0, step=0.02):
    """The first true value of condition(), or the last one when time is up."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(step)


def away_from_midnight(seconds=40):
    """For what says the date (UTC): it is to be one all the while."""
    left = 86400 - time.time() % 86400
    if left < seconds:
        time.sleep(left + 1)


def process_end(process):
    """Has a process that the test started end; it need not want to."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Origin:
    """An HTTP origin that can be cut off, slowed down and broken."""

    def __init__(self, address=None, port=ORIGIN_PORT):
        self.address = address or loopback()
        self.port = port
        self.status = 200
        self.delay = 0.0
        self.requests = 0
        self._server = None
        self._serve()

    def heal(self):
        self.status, self.delay = 200, 0.0
        self.cut()
        self._serve()

    def _serve(self):
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                origin.requests += 1
                time.sleep(origin.delay)
                with contextlib.suppress(OSError):  # the prober did not wait
                    self.send_response(origin.status)
                    self.send_header("Content-Length", "3")
                    self.end_headers()
                    self.wfile.write(b"ok\n")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server((self.address, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def lose(self, permille, requests_only=False):
        """So many of the TCP segments that come are lost, by chance: a filter of the listener, which connections inherit
        from it, sees them before TCP does."""
        code = []
        if requests_only:  # those with data: longer than the header, whose length is at its 13th byte
            code += [(0x30, 0, 0, 12), (0x74, 0, 0, 4), (0x24, 0, 0, 4), (0x07, 0, 0, 0), (0x80, 0, 0, 0), (0x2d, 0, 4, 0)]
        code += [(0x20, 0, 0, 0xfffff000 + 56), (0x94, 0, 0, 1000)]  # a random number: SKF_AD_RANDOM
        code += [(0x35, 1, 0, permille), (0x06, 0, 0, 0), (0x06, 0, 0, 0xffffffff)]
        steps = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in code))
        so_attach_filter = 26
        self._server.socket.setsockopt(socket.SOL_SOCKET, so_attach_filter, struct.pack("HL", len(code), ctypes.addressof(steps)))

    def mute(self):
        """Silence: the port is open, nothing is accepted or answered."""
        if self._server:
            self._server.shutdown()

    def cut(self):
        """Gone: connections are refused."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Asker:
    """Asks for A records without a pause, from several threads, and keeps account of every answer."""

    def __init__(self, node, names, allowed, threads=2, pause=0.001):
        self.node, self.names, self.allowed, self.pause = node, names, set(allowed), pause
        self.asked = self.answered = 0
        self.lost, self.wrong, self.seen = [], [], {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(threads)]

    def __enter__(self):
        for t in self._threads:
            t.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for t in self._threads:
            t.join(10)

    def _run(self, seed):
        rng = random.Random(seed)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((self.node.address, DNS_PORT))
            s.settimeout(3)
            while not self._stop.is_set():
                self._ask(s, rng)
                time.sleep(self.pause)

    def _ask(self, s, rng):
        name = rng.choice(self.names)
        query = dns.message.make_query(name, "A")
        with self._lock:
            self.asked += 1
        try:
            s.send(query.to_wire())
            while True:
                reply = dns.message.from_wire(s.recv(4096))
                if reply.id == query.id:
                    break
        except (socket.timeout, OSError) as e:
            with self._lock:
                self.lost.append((time.monotonic(), name, repr(e)))
            return
        addresses = [r.address for rrset in reply.answer for r in rrset if r.rdtype == dns.rdatatype.A]
        with self._lock:
            self.answered += 1
            for a in addresses:
                self.seen[a] = self.seen.get(a, 0) + 1
            if reply.rcode() != dns.rcode.NOERROR or not addresses or not set(addresses) <= self.allowed:
                self.wrong.append((time.monotonic(), name, reply.to_text()))


class Node:
    """`holdfast run` in a folder of its own."""

    def __init__(self, binary, folder, config, zones, env=None):
        self.binary, self.folder, self.env = str(binary), pathlib.Path(folder), env
        self.address = loopback()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # roles may run as another user than root
        self.data = self.folder / "data"
        self.config_path = self.folder / "holdfast.yaml"
        self.process = None
        for name, text in zones.items():
            (self.folder / name).write_text(text)
        self.write(config)

    def write(self, config):
        """config: text with {address}-free placeholders %DNS%, %TELL%, %API%, %DATA%."""
        text = config.replace("%DNS%", f"{self.address}:{DNS_PORT}").replace("%TELL%", f"{self.address}:{TELL_PORT}")
        text = text.replace("%API%", f"{self.address}:{API_PORT}")
        self.config_path.write_text(text.replace("%DATA%", str(self.data)))

    def start(self, wait="ready"):
        self.log_path = self.folder / "log"
        begin = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "run", str(self.config_path)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(self.env or {})})
        if wait == "ready":
            assert wait_for(lambda: "event=node.ready" in self.log()[begin:] or self.process.poll() is not None, START_S), self.log()
            assert self.process.poll() is None, self.log()
            if "event=plan.none" in self.log()[begin:]:  # a busy machine, on which the first plan took its time
                wait_for(lambda: "event=plan.loaded" in self.log()[begin:], PLAN_S)
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def pid(self, role):
        """From the header of the role's mapped counters (model/stats.h)."""
        with contextlib.suppress(OSError):
            data = (self.data / "run" / f"{role}.stats").read_bytes()[:32]
            if len(data) == 32:
                return struct.unpack_from("<8sIIII", data)[4]
        return 0

    def kill(self, role, sig=signal.SIGKILL):
        pid = self.pid(role)
        assert pid > 1, f"no process for {role}"
        os.kill(pid, sig)
        return pid

    def wait_restart(self, role, old_pid, timeout=10):
        assert wait_for(lambda: self.pid(role) not in (0, old_pid), timeout), f"{role} was not restarted\n{self.log()}"

    def stop(self):
        pids = [self.pid(r) for r in ROLES]
        if self.process and self.process.poll() is None:
            process_end(self.process)
        for pid in pids:  # roles outlive a killed supervisor
            if pid > 1 and str(self.data) in cmdline(pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def cli(self, *args, check=False, timeout=30, env=None):
        return subprocess.run([self.binary, *args], capture_output=True, text=True, timeout=timeout, check=check,
                              stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})

    def said(self, *words):
        """What an operator's command says that is carried out."""
        out = self.cli(*words, "--data", str(self.data))
        assert out.returncode == 0, out
        return out.stdout

    def refused(self, *words):
        """Why one is not."""
        out = self.cli(*words, "--data", str(self.data))
        assert out.returncode == 1 and out.stderr, out
        return out.stderr

    def dig(self, *args):
        out = subprocess.run(["dig", f"@{self.address}", "-p", str(DNS_PORT), "+tries=1", "+time=3", *args],
                             capture_output=True, text=True, timeout=20)
        return out.stdout

    def short(self, name, rtype="A", *args):
        return sorted(self.dig("+short", name, rtype, *args).split())

    def metrics(self):
        out = subprocess.run(["curl", "-sS", "--max-time", "5", f"http://{self.address}:{TELL_PORT}/metrics"],
                             capture_output=True, text=True, timeout=20)
        return out.stdout

    def metric(self, name, labels=""):
        """Sum of the samples of a metric whose labels contain the text."""
        values = re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", self.metrics(), re.M)
        return sum(float(v) for l, v in values if labels in l)

    def generations(self):
        """Generations of the plans in the folder, oldest first."""
        return sorted(int(p.stem) for p in (self.data / "plan").glob("*.plan") if not p.name.startswith("."))


def cmdline(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


ZONE = """$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www CNAME api
static A 192.0.2.80
"""


def failover_config(primary, secondary, extra="", check_extra="", service_extra=""):
    """The usual node of a test: one zone, one failover service with a fast check."""
    return f"""node: {{name: n1, site: here, network: AS64500, data: "%DATA%"}}
dns:  {{listen: ["%DNS%"], threads: 2}}
tell: {{listen: ["%TELL%"]}}
zones:
  - {{name: example.com, file: example.com.zone}}
checks:
  web: {{http: "http://{{address}}:{primary.port}/healthz", host: api.example.com, interval: 250ms,
        timeout: 200ms, rise: 2, fall: 3, hold_down: 1s{check_extra}}}
services:
  - name: api.example.com
    policy: failover
    ttl: 5s
{service_extra}    endpoints:
      - {{name: use1, address: {primary.address}, region: us-east-1, provider: aws, role: primary,
         capacity: 40000/s, check: web}}
      - {{name: euw1, address: {secondary.address}, region: eu-west-1, provider: aws, role: secondary,
         capacity: 40000/s, check: web}}
{extra}"""


@pytest.fixture
def open_path():
    """A temporary folder that every user may enter: roles run as another user than root. (pytest's own tmp_path is
    closed to others, and closed again by every pytest that starts.)"""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def nodes(holdfast, open_path):
    """Makes nodes and ends them, whatever happens: nodes(config, zones={...}, env={...})."""
    made = []

    def make(config, zones=None, env=None):
        node = Node(holdfast, open_path / f"node{len(made)}", config, zones or {"example.com.zone": ZONE}, env)
        made.append(node)
        return node

    yield make
    for node in made:
        node.stop()


@pytest.fixture
def origins():
    made = []

    def make(count=2, port=ORIGIN_PORT):
        new = [Origin(port=port) for _ in range(count)]
        made.extend(new)
        return new

    yield make
    for o in made:
        o.cut()
