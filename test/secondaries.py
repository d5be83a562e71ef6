"""NSD and Knot as secondaries of a node under test."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import dns.exception
import dns.message
import dns.query
import pytest

from node import DNS_PORT, loopback, process_end
from servers import PROGRAMS, SECRET, command, knot_head, nsd_head  # noqa: F401 (SECRET: of tests)


class Secondary:
    """NSD or Knot in a folder of its own; told of the primary by its own configuration."""

    def __init__(self, kind, node, zones, key="k1"):
        self.kind, self.node = kind, node
        self.address = loopback()
        self.folder = tempfile.mkdtemp(prefix=f"holdfast-{kind}-")
        getattr(self, kind)(zones, key)

    def nsd(self, zones, key):
        body = "".join(f"""zone:
  name: {z}
  zonefile: {self.folder}/{z}.zone
  allow-notify: {self.node.address} {k or 'NOKEY'}
  allow-notify: 127.0.0.0/8 {k or 'NOKEY'}
  request-xfr: {self.node.address}@{DNS_PORT} {k or 'NOKEY'}
""" for z, k in zones.items())
        self._start("nsd", nsd_head(self.address, self.folder, key, more="  xfrd-reload-timeout: 0\n") + body)

    def knot(self, zones, key):
        self._knot(key, "".join(f"""  - domain: {z}
    master: {'signed' if k else 'plain'}
    acl: [notify, notify_signed]
""" for z, k in zones.items()))

    def catalog(self, zones, key):
        """Knot with nothing but a catalog in its configuration: its zones come from there."""
        self._knot(key, "".join(f"""  - domain: {z}
    master: signed
    acl: [notify, notify_signed]
    catalog-role: interpret
    catalog-template: [default, eu]
""" for z in zones))

    def _knot(self, key, zones):
        self._start("knot", knot_head(self.address, self.folder, key) + f"""remote:
  - id: signed
    address: {self.node.address}@{DNS_PORT}
    key: {key}
  - id: plain
    address: {self.node.address}@{DNS_PORT}
acl:
  - id: notify
    address: 127.0.0.0/8
    action: notify
  - id: notify_signed
    address: 127.0.0.0/8
    key: {key}
    action: notify
template:
  - id: default
    storage: {self.folder}
    master: signed
    acl: [notify, notify_signed]
  - id: eu
    storage: {self.folder}
    file: "{self.folder}/eu-%s.zone"
    master: signed
    acl: [notify, notify_signed]
zone:
{zones}""")

    def _start(self, kind, config):
        pathlib.Path(self.folder, "conf").write_text(config)
        self.log = open(f"{self.folder}/log", "ab")
        self.process = subprocess.Popen(command(kind, f"{self.folder}/conf"), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def ask(self, name, rtype):
        with contextlib.suppress(dns.exception.DNSException, OSError):
            return dns.query.udp(dns.message.make_query(name, rtype), self.address, port=DNS_PORT, timeout=1)
        return None

    def serial(self, name):
        reply = self.ask(name, "SOA")
        return reply.answer[0][0].serial if reply and reply.answer else None

    def stop(self):
        process_end(self.process)
        self.log.close()
        text = open(f"{self.folder}/log", errors="replace").read()
        shutil.rmtree(self.folder, ignore_errors=True)
        return text


@pytest.fixture
def secondaries():
    made = []

    def make(*args):
        program = PROGRAMS["nsd" if args[0] == "nsd" else "knot"]
        if not os.path.exists(program):
            pytest.skip(f"no {program} here")
        made.append(Secondary(*args))
        return made[-1]

    yield make
    for s in made:
        print(s.stop())
