"""Changes without a gap: while zones are reloaded, plans swapped, keys rolled, the name server killed and the program
replaced, a client that asks more than a thousand times a second loses nothing, and no answer is of two versions."""

import os
import shutil
import signal
import socket
import threading
import time

import dns.message

from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns: {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone, dnssec: on}
services:
  - name: api.example.com
    policy: weighted
    ttl: 5s
    endpoints:
      - {name: a, address: 198.51.100.1}
      - {name: b, address: 198.51.100.2}
"""
STEERED = {bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2])}


def zone(version):
    """Two records in one answer, and one alone, that say the version."""
    return f"""$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster {version} 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
pair A 192.0.2.{version}
pair A 203.0.113.{version}
one A 192.0.2.{version}
""" + "".join(f"n{i} A 192.0.2.{i % 250}\n" for i in range(3000))


def addresses(reply):
    """Of a response to a question for A without EDNS: the data of its answer, from behind, which has no compression."""
    count = int.from_bytes(reply[6:8], "big")
    return [reply[len(reply) - 16 * (i + 1):][12:16] for i in range(count)]


class Stream:
    """One question after the other without a pause, each sent again when it was lost; everything that is wrong is kept."""

    def __init__(self, node):
        self.node, self.asked, self.lost, self.wrong, self.version = node, 0, 0, [], 0
        self.wires = {n: dns.message.make_query(f"{n}.example.com.", "A").to_wire()[2:] for n in ("pair", "one", "api")}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(10)
        self.rate = self.asked / (time.monotonic() - self.began)

    def judge(self, name, reply):
        if reply[3] & 15 or not reply[6] << 8 | reply[7]:
            self.wrong.append((name, "rcode or empty", reply.hex()))
            return
        got = addresses(reply)
        if name == "api":
            if not set(got) <= STEERED:
                self.wrong.append((name, got))
            return
        versions = {a[3] for a in got}
        if len(versions) != 1 or len(got) != (2 if name == "pair" else 1):
            self.wrong.append((name, "of two versions", got))
        elif min(versions) < self.version:
            self.wrong.append((name, "older than what was answered before", got, self.version))
        self.version = max(self.version, *versions)

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((self.node.address, DNS_PORT))
            s.settimeout(1.5)
            while not self.stop.is_set():
                for name, wire in self.wires.items():
                    self.asked += 1
                    number = (self.asked & 0xffff).to_bytes(2, "big")
                    try:
                        s.send(number + wire)
                        reply = s.recv(4096)
                        while reply[:2] != number:
                            reply = s.recv(4096)
                    except OSError:
                        self.lost += 1
                        continue
                    self.judge(name, reply)


def reload(node, version):
    (node.folder / "example.com.zone").write_text(zone(version))
    reply = node.cli("reload", "--data", str(node.data))
    assert reply.returncode == 0, reply.stderr
    assert wait_for(lambda: node.short("one.example.com") == [f"192.0.2.{version}"], 8), node.log()


def test_nothing_is_lost_and_nothing_is_half(nodes, open_path, holdfast):  # noqa: F811
    program = open_path / "holdfast"
    shutil.copy2(holdfast, program)
    node = nodes(CONFIG, {"example.com.zone": zone(1)})
    node.binary = str(program)
    node.start()
    kills = 0
    with Stream(node) as stream:
        for version in range(2, 6):
            reload(node, version)
        for order in ("drain", "auto"):  # plans are swapped, and each is signed
            assert node.cli("endpoint", order, "api.example.com/a", "--data", str(node.data)).returncode == 0
            time.sleep(0.2)
        assert node.cli("dnssec", "roll", "example.com", "--data", str(node.data)).returncode == 0
        reload(node, 6)
        before = stream.lost
        assert before == 0 and not stream.wrong, (stream.lost, stream.wrong[:3])
        for _ in range(2):
            pid = node.kill("dns", signal.SIGKILL)
            node.wait_restart("dns", pid)
            kills += 1
            assert wait_for(lambda: node.short("one.example.com") == ["192.0.2.6"], 5)
        assert stream.lost <= kills, "more was lost than what the killed process held"
        lost = stream.lost
        aside = open_path / "new"
        shutil.copy2(holdfast, aside)
        os.rename(aside, program)
        assert node.cli("upgrade", "--data", str(node.data), timeout=60).returncode == 0
        reload(node, 7)
        assert stream.lost == lost, "the upgrade lost something"
        assert wait_for(lambda: stream.version == 7, 3)
    assert stream.version == 7 and not stream.wrong, stream.wrong[:3]
    assert stream.rate > 300, stream.rate  # thousands where the machine has nothing else to do
