"""Primaries for tests: Knot and NSD, a TLS front for either, and one in Python that says what it is told to."""

import contextlib
import datetime
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

import dns.exception
import dns.message
import dns.query
import dns.rrset
import pytest

from node import DNS_PORT, loopback, wait_for
from servers import PROGRAMS, SECRET, command, knot_head, nsd_head



def zone_text(serial, *lines, timers="3600 2 604800 60"):
    return "\n".join([
        "$TTL 300", f"@ SOA ns hostmaster {serial} {timers}", "@ NS ns", "ns A 192.0.2.53",
        "www A 192.0.2.1", "mail A 192.0.2.25", "@ MX 10 mail", "*.w TXT \"wild\"", "sub NS ns.sub",
        "ns.sub A 192.0.2.99", "alias CNAME www", *lines]) + "\n"


class Primary:
    """Knot or NSD with zones that tests can change."""

    def __init__(self, kind, zones, notify=(), key=False, catalog=None, signed=False, update=None):
        if not os.path.exists(PROGRAMS[kind]):
            pytest.skip(f"no {kind} here")
        self.kind, self.zones, self.key = kind, dict(zones), key
        self.notify, self.catalog, self.signed, self.update = list(notify), catalog, signed, update
        self.address = loopback()
        self.folder = tempfile.mkdtemp(prefix=f"hf-{kind}-")
        for name, text in zones.items():
            self.write(name, text)
        getattr(self, "_" + kind)()
        self.start()

    def write(self, name, text):
        pathlib.Path(self.folder, f"{name}.zone").write_text(text)

    def change(self, name, text):
        self.write(name, text)
        self.control("zone-reload" if self.kind == "knot" else "reload", name)

    def change_seen(self, name, text):
        """The same, and it answers with the new serial."""
        before = self.serial(name)
        self.change(name, text)
        assert wait_for(lambda: self.serial(name) not in (before, None))

    def have(self, zones):
        """Other zones than before (Knot). It makes its catalog anew some time later."""
        self.zones = dict(zones)
        for name, text in zones.items():
            self.write(name, text)
        self._knot()
        self.control("reload")

    def control(self, *words):
        tool = {"knot": ["/usr/sbin/knotc", "-s", f"{self.folder}/knot.sock"],
                "nsd": ["/usr/sbin/nsd-control", "-c", f"{self.folder}/conf"]}[self.kind]
        done = subprocess.run([*tool, *words], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _knot(self):
        key = "key: k1" if self.key else ""
        remotes = "".join(f"  - id: r{i}\n    address: {a}@{DNS_PORT}\n    {key}\n" for i, a in enumerate(self.notify))
        member = f"    catalog-role: member\n    catalog-zone: {self.catalog}\n" if self.catalog else ""
        member += "    dnssec-signing: on\n" if self.signed else ""
        names = ", ".join(f"r{i}" for i in range(len(self.notify)))
        zones = "".join(f"  - domain: {z}\n    file: {z}.zone\n{member}" for z in self.zones)
        update = f"  - id: in\n    address: 127.0.0.0/8\n    action: update\n    key: {self.update}\n" if self.update else ""
        if self.catalog:
            zones += f"  - domain: {self.catalog}\n    catalog-role: generate\n"
        self._configure(knot_head(self.address, self.folder, "k1", "u1") + f"""{"remote:" if remotes else ""}
{remotes}
acl:
  - id: out
    address: 127.0.0.0/8
    action: transfer
    {key}
{update}template:
  - id: default
    storage: {self.folder}
    acl: [out{", in" if self.update else ""}]
    zonefile-load: difference
    journal-content: all
    zonefile-sync: -1
    {f'notify: [{names}]' if names else ''}
zone:
{zones}""")

    def _nsd(self):
        key = "k1" if self.key else "NOKEY"
        notify = "".join(f"  notify: {a}@{DNS_PORT} {key}\n" for a in self.notify)
        zones = "".join(f"zone:\n  name: {z}\n  zonefile: {z}.zone\n  provide-xfr: 127.0.0.0/8 {key}\n"
                        f"  store-ixfr: yes\n  create-ixfr: yes\n{notify}" for z in self.zones)
        self._configure(nsd_head(self.address, self.folder, "k1", control=True) + zones)

    def _configure(self, text):
        pathlib.Path(self.folder, "conf").write_text(text)

    def start(self):
        self.log = open(f"{self.folder}/log", "ab")
        self.process = subprocess.Popen(command(self.kind, f"{self.folder}/conf"), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for name in self.zones:
            assert wait_for(lambda n=name: self.process.poll() is not None or self.serial(n) is not None) and \
                self.process.poll() is None, pathlib.Path(self.folder, "log").read_text()
        return self

    def serial(self, name):
        with contextlib.suppress(dns.exception.DNSException, OSError):
            reply = dns.query.udp(dns.message.make_query(name, "SOA"), self.address, port=DNS_PORT, timeout=1)
            return reply.answer[0][0].serial if reply.answer else None
        return None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.log.close()
            self.process = None

    def stop(self):
        self.kill()
        text = pathlib.Path(self.folder, "log").read_text(errors="replace")
        shutil.rmtree(self.folder, ignore_errors=True)
        return text


class TlsFront:
    """TLS 1.3 with ALPN "dot" before a primary's TCP port, with a certificate of its own."""

    PORT = 8853

    def __init__(self, primary, name="ns1.example", alpn=("dot",), expired=False):
        self.primary, self.address = primary, loopback()
        self.folder = tempfile.mkdtemp(prefix="hf-tls-")
        self.ca = f"{self.folder}/cert.pem"
        os.chmod(self.folder, 0o755)
        self.pin = self._certificate(name, expired)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(self.ca, f"{self.folder}/key.pem")
        if alpn:
            self.context.set_alpn_protocols(list(alpn))
        self.connections = 0
        self.asked = []  # the first bytes that each connection sent
        self.listener = socket.create_server((self.address, self.PORT))
        threading.Thread(target=self._serve, daemon=True).start()

    def _certificate(self, name, expired):
        import base64
        import hashlib

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        end = now - datetime.timedelta(hours=1) if expired else now + datetime.timedelta(days=1)
        certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
                       .public_key(key.public_key()).serial_number(7)
                       .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(end)
                       .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
                       .add_extension(x509.BasicConstraints(True, None), True)
                       .sign(key, hashes.SHA256()))
        pathlib.Path(self.ca).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pathlib.Path(self.folder, "key.pem").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(public).digest()).decode()

    def _serve(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(plain,), daemon=True).start()

    def _pass(self, plain):
        with contextlib.suppress(OSError, ssl.SSLError), plain:
            with self.context.wrap_socket(plain, server_side=True) as outer, \
                    socket.create_connection((self.primary.address, DNS_PORT), 5) as inner:
                self.connections += 1
                threading.Thread(target=self._pump, args=(inner, outer), daemon=True).start()
                self.asked.append(outer.recv(16384))
                inner.sendall(self.asked[-1])
                self._pump(outer, inner)

    def _pump(self, source, target):
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            while data := source.recv(16384):
                target.sendall(data)

    def stop(self):
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return ""


def framed(wire):
    return struct.pack("!H", len(wire)) + wire


class Liar:
    """Answers SOA questions over UDP and hands TCP connections to a function that writes what it likes."""

    def __init__(self, serial=100):
        self.address, self.serial, self.script = loopback(), serial, None
        self.asked, self.transfers = [], 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.address, DNS_PORT))
        self.tcp = socket.create_server((self.address, DNS_PORT))
        threading.Thread(target=self._udp, daemon=True).start()
        threading.Thread(target=self._tcp, daemon=True).start()

    def soa(self, name, serial=None):
        return dns.rrset.from_text(name, 300, "IN", "SOA", f"ns.{name} h.{name} {serial or self.serial} 2 1 604800 60")

    def _udp(self):
        while True:
            try:
                wire, client = self.udp.recvfrom(4096)
            except OSError:
                return
            with contextlib.suppress(Exception):
                query = dns.message.from_wire(wire)
                self.asked.append(query.question[0].name)
                reply = dns.message.make_response(query)
                reply.flags |= 0x0400
                reply.answer.append(self.soa(str(query.question[0].name)))
                self.udp.sendto(reply.to_wire(), client)

    def _tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError, struct.error, dns.exception.DNSException), connection:
            connection.settimeout(20)
            length = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))[0]
            query = dns.message.from_wire(connection.recv(length, socket.MSG_WAITALL))
            self.transfers += 1
            if self.script:
                self.script(self, query, connection)

    def reply(self, query, *rrsets):
        reply = dns.message.make_response(query)
        reply.flags |= 0x0400
        reply.index = None
        for rrset in rrsets:
            reply.answer.append(rrset)
        return reply.to_wire(max_size=65535)

    def stop(self):
        self.udp.close()
        self.tcp.close()
        return ""


@pytest.fixture
def primaries():
    made = []

    def make(what, *args, **more):
        made.append({"tls": TlsFront, "liar": Liar}[what](*args, **more) if what in ("tls", "liar")
                    else Primary(what, *args, **more))
        return made[-1]

    yield make
    for p in reversed(made):
        print(p.stop())
