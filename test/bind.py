"""BIND 9 beside a node under test: primary of zones, secondary of the node's, consumer of its catalogs."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import dns.exception
import dns.message
import dns.query
import pytest

from node import DNS_PORT, free_port, process_end, wait_for
from primary import SECRET


class Bind:
    """zones: name -> text; secondary, catalogs: names of zones that come from `node`, signed with k1."""

    def __init__(self, zones=(), secondary=(), catalogs=(), node=None, notify=(), update=(), start=True):
        # BIND listens on addresses that interfaces have, so it cannot have one of its own.
        self.address, self.port = "127.0.0.1", free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hf-bind-"))
        self.zones, self.secondary, self.catalogs = dict(zones), list(secondary), list(catalogs)
        self.node, self.notify, self.update = node, list(notify), list(update)
        self.written = int(time.time()) - 1000
        for name, text in self.zones.items():
            self._write(name, text)
        self._configure()
        self.process = None
        if start:
            self.start()

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(["/usr/sbin/named", "-g", "-n", "1", "-c", str(self.folder / "conf")], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, cwd=self.folder)
        assert wait_for(lambda: "running\n" in self.text() or self.process.poll() is not None, 20) and self.process.poll() is None, self.text()

    def text(self):
        return (self.folder / "log").read_text(errors="replace")

    def _configure(self):
        source = f"{{ {self.node.address} port {DNS_PORT} key k1; }}" if self.node else ""
        told = " ".join(f"{a} port {DNS_PORT};" for a in self.notify)
        body = "".join(f'zone "{z}" {{ type primary; file "{z}.zone"; allow-transfer {{ 127.0.0.0/8; }}; '
                       f'also-notify {{ {told} }}; {"allow-update { key k1; };" if z in self.update else ""} }};\n' for z in self.zones)
        body += "".join(f'zone "{z}" {{ type secondary; primaries {source}; file "{z}.held"; allow-notify {{ 127.0.0.0/8; }}; }};\n'
                        for z in [*self.secondary, *self.catalogs])
        catalogs = "".join(f'zone "{z}" default-primaries {source} in-memory no zone-directory "{self.folder}" min-update-interval 1;\n'
                           for z in self.catalogs)
        (self.folder / "conf").write_text(f"""options {{
  directory "{self.folder}"; pid-file "{self.folder}/pid"; session-keyfile "{self.folder}/session.key";
  managed-keys-directory "{self.folder}"; lock-file none; dnssec-validation no; recursion no; notify explicit;
  listen-on port {self.port} {{ {self.address}; }}; listen-on-v6 {{ none; }};
  {f"catalog-zones {{ {catalogs} }};" if catalogs else ""}
}};
controls {{ }};
key k1 {{ algorithm hmac-sha256; secret "{SECRET}"; }};
{body}""")

    def _write(self, name, text):
        """named looks at the times of files in seconds, and does not read one that is of the same second as what it has."""
        path = self.folder / f"{name}.zone"
        path.write_text(text)
        self.written += 1
        os.utime(path, (self.written, self.written))

    def change(self, name, text):
        self._write(name, text)
        self.process.send_signal(signal.SIGHUP)

    def ask(self, name, rtype="A"):
        try:
            return dns.query.udp(dns.message.make_query(name, rtype), self.address, port=self.port, timeout=1)
        except (dns.exception.DNSException, OSError):
            return None

    def values(self, name, rtype="A"):
        reply = self.ask(name, rtype)
        return sorted(r.to_text() for s in reply.answer for r in s) if reply else None

    def stop(self):
        if not self.process:
            return ""
        process_end(self.process)
        self.log.close()
        text = self.text()
        shutil.rmtree(self.folder, ignore_errors=True)
        return text


@pytest.fixture
def binds():
    made = []

    def make(*args, **more):
        made.append(Bind(*args, **more))
        return made[-1]

    yield make
    for b in made:
        print(b.stop())
