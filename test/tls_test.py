"""DNS over TLS: kdig, openssl s_client, dnspython and unbound as clients; certificates that change, bad ones among them."""

import base64
import contextlib
import hashlib
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import dns.edns
import dns.message
import dns.query
import dns.rdatatype
import dns.rrset
import pytest

from node import DNS_PORT, ZONE, nodes, open_path, wait_for  # noqa: F401 (fixtures)

TLS_PORT = 8530
UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:
  listen: ["%DNS%"]
  threads: 2
  tls: {listen: ["%ADDRESS%:8530"], certificate: tls.pem, key: tls.key%MORE%}
%DNSMORE%tell: {listen: ["%TELL%"]}
zones:
  - {name: example.com, file: example.com.zone, transfer: {allow: 127.0.0.0/8%TRANSFER%}}
"""


def run(*args, **more):
    return subprocess.run(args, capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, **more)


class Issuer:
    """A certificate authority of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0
        self.ca = folder / "ca.pem"
        made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                   "-subj", "/CN=test authority", "-keyout", folder / "ca.key", "-out", self.ca)
        assert made.returncode == 0, made.stderr

    def issue(self, name="ns.example.com", days=2):
        """(certificate, key) as text."""
        self.count += 1
        key, request, out = (self.folder / f"{self.count}.{e}" for e in ("key", "csr", "pem"))
        extra = self.folder / "extra"
        extra.write_text(f"subjectAltName=DNS:{name}\n")
        made = run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                   "-keyout", key, "-out", request)
        assert made.returncode == 0, made.stderr
        made = run("openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key",
                   "-set_serial", str(1000 + self.count), "-days", str(days), "-extfile", extra, "-out", out)
        assert made.returncode == 0, made.stderr
        return out.read_text() + self.ca.read_text(), key.read_text()


@pytest.fixture
def issuer(open_path):  # noqa: F811
    folder = open_path / "authority"
    folder.mkdir()
    return Issuer(folder)


def put(node, pair):
    """As an operator's tool does: file by file, each by a rename; the key for root alone."""
    for name, text, mode in (("tls.pem", pair[0], 0o644), ("tls.key", pair[1], 0o600)):
        aside = node.folder / (name + ".new")
        aside.write_text(text)
        aside.chmod(mode)
        aside.rename(node.folder / name)


def start(nodes, issuer, more="", dns_more="", zones=None, pair=None, service="", transfer=""):  # noqa: F811
    text = CONFIG.replace("%MORE%", more).replace("%DNSMORE%", dns_more).replace("%TRANSFER%", transfer) + service
    node = nodes(text, zones or {"example.com.zone": ZONE})
    node.write(text.replace("%ADDRESS%", node.address))
    put(node, pair or issuer.issue())
    node.start()
    assert wait_for(lambda: "role=dns event=tls.identity" in node.log()), node.log()
    return node


def kdig(node, *args, port=TLS_PORT):
    return run("kdig", f"@{node.address}", "-p", str(port), "+retry=0", "+time=3", *args).stdout


def serial_shown(node):
    """Serial number of the certificate that a new connection is shown."""
    with socket.create_connection((node.address, TLS_PORT), timeout=5) as s, UNVERIFIED.wrap_socket(s) as t:
        der = t.getpeercert(binary_form=True)
    out = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-serial"], input=der, capture_output=True, timeout=10)
    return int(out.stdout.decode().strip().split("=")[1], 16)


def test_clients(nodes, issuer):  # noqa: F811
    node = start(nodes, issuer)
    out = kdig(node, "+tls", f"+tls-ca={issuer.ca}", "+tls-hostname=ns.example.com", "static.example.com")
    assert "192.0.2.80" in out and "TLS1.3" in out, out
    out = kdig(node, "+tls", f"+tls-ca={issuer.ca}", "+tls-hostname=other.example.com", "static.example.com")
    assert "192.0.2.80" not in out
    q = dns.message.make_query("static.example.com", "A")
    context = ssl.create_default_context(cafile=str(issuer.ca))
    reply = dns.query.tls(q, node.address, port=TLS_PORT, timeout=5, ssl_context=context, server_hostname="ns.example.com")
    assert reply.answer[0][0].address == "192.0.2.80"
    assert wait_for(lambda: node.metric("holdfast_dns_queries_total", 'transport="tls"') == 2)
    assert node.metric("holdfast_dns_tls_handshakes_total", 'result="full"') >= 2
    # the key is for root alone, and what the roles read is for them alone
    assert (node.data / "run" / "tls").stat().st_mode & 0o777 == 0o600


def s_client(node, *args, text=b"", until):
    """What openssl s_client says of a connection on which `text` is sent: to its end, or until it has said a word of these."""
    p = subprocess.Popen(["openssl", "s_client", "-connect", f"{node.address}:{TLS_PORT}", *args],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    p.stdin.write(text)
    p.stdin.flush()
    out, deadline = b"", time.monotonic() + 10
    while until.encode() not in out and time.monotonic() < deadline:
        if select.select([p.stdout], [], [], 0.1)[0]:
            more = os.read(p.stdout.fileno(), 65536)
            if not more:
                break
            out += more
    p.stdin.close()
    out += p.stdout.read()
    p.wait(10)
    return out.decode(errors="replace")


def test_refusals(nodes, issuer):  # noqa: F811
    """BCP 195: no old version, no other protocol, no early data, no renegotiation."""
    node = start(nodes, issuer)
    none = "Cipher is (NONE)"
    assert none in s_client(node, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", until=none)
    assert "no application protocol" in s_client(node, "-alpn", "http/1.1", until=none)
    good = s_client(node, "-alpn", "dot", until="Max Early Data")
    assert "ALPN protocol: dot" in good and "TLSv1.3" in good and "Max Early Data: 0" in good, good
    old = s_client(node, "-tls1_2", text=b"R\n", until="no renegotiation")
    assert "TLSv1.2" in old and "no renegotiation" in old, old
    assert none in s_client(node, "-tls1_2", "-cipher", "AES128-SHA", until=none)
    assert wait_for(lambda: node.metric("holdfast_dns_tls_handshakes_total", 'result="failed"') >= 3)
    assert "192.0.2.80" in kdig(node, "+tls", "static.example.com")


def test_sessions_survive_a_restart(nodes, issuer, open_path):  # noqa: F811
    node = start(nodes, issuer)
    session = open_path / "session"
    assert "New, TLSv1.3" in s_client(node, "-sess_out", session, until="Max Early Data")  # of the ticket, which comes last
    old = node.kill("dns")
    node.wait_restart("dns", old)
    assert wait_for(lambda: "192.0.2.80" in kdig(node, "+tls", "static.example.com"))
    assert "Reused, TLSv1.3" in s_client(node, "-sess_in", session, until="Reused")
    assert wait_for(lambda: node.metric("holdfast_dns_tls_handshakes_total", 'result="resumed"') == 1)


class Stream:
    """Asks over TLS without a pause: on one kept connection, or on a new one for each query."""

    def __init__(self, node, kept):
        self.node, self.kept = node, kept
        self.answered, self.failed = 0, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(10)

    def _connect(self):
        return UNVERIFIED.wrap_socket(socket.create_connection((self.node.address, TLS_PORT), timeout=5))

    def _run(self):
        wire = dns.message.make_query("static.example.com", "A").to_wire()
        s = None
        while not self._stop.is_set():
            try:
                s = s or self._connect()
                s.sendall(struct.pack("!H", len(wire)) + wire)
                head = self._exactly(s, 2)
                dns.message.from_wire(self._exactly(s, struct.unpack("!H", head)[0])).answer[0]
                self.answered += 1
            except (OSError, IndexError, EOFError) as e:
                self.failed.append(repr(e))
                s = None
            if not self.kept and s:
                s.close()
                s = None
            time.sleep(0.001)

    @staticmethod
    def _exactly(s, n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise EOFError("closed")
            data += more
        return data


def test_certificates_change(nodes, issuer):  # noqa: F811
    """Under a stream of queries: the new one is shown, a bad one is not, and no connection is dropped."""
    node = start(nodes, issuer)
    assert serial_shown(node) == 1001
    with Stream(node, True) as kept, Stream(node, False) as fresh:
        put(node, issuer.issue())
        assert wait_for(lambda: serial_shown(node) == 1002), node.log()
        third = issuer.issue()
        put(node, (third[0], issuer.issue()[1]))  # not its key
        assert wait_for(lambda: "role=supervisor event=tls.certificate" in node.log() and "level=error" in node.log())
        line = next(l for l in node.log().splitlines() if "event=tls.certificate" in l and "level=error" in l)
        assert "tls.pem" in line and "not the certificate's" in line, line
        (node.folder / "tls.pem").write_text("nothing")
        assert wait_for(lambda: "there is no certificate in PEM" in node.log())
        (node.folder / "tls.pem").unlink()
        os.kill(node.process.pid, signal.SIGHUP)
        assert wait_for(lambda: "event=reload" in node.log() or node.metric("holdfast_reloads_total") >= 1)
        assert serial_shown(node) == 1002
        before = kept.answered
        put(node, third)
        assert wait_for(lambda: serial_shown(node) == 1003), node.log()
        assert wait_for(lambda: kept.answered > before + 10)
    assert kept.failed == [] and fresh.failed == []
    assert kept.answered > 100 and fresh.answered > 50


def test_restart_with_control_dead_and_files_gone(nodes, issuer):  # noqa: F811
    """L1: what was shown before is shown."""
    node = start(nodes, issuer)
    (node.folder / "tls.pem").unlink()
    (node.folder / "tls.key").unlink()
    os.kill(node.pid("control"), signal.SIGSTOP)
    try:
        old = node.kill("dns")
        node.wait_restart("dns", old)
        assert wait_for(lambda: "192.0.2.80" in kdig(node, "+tls", "static.example.com")), node.log()
        assert serial_shown(node) == 1001
    finally:
        os.kill(node.pid("control"), signal.SIGCONT)
    node.stop()
    node.start()
    assert wait_for(lambda: "192.0.2.80" in kdig(node, "+tls", "static.example.com")), node.log()


def test_upgrade(nodes, issuer):  # noqa: F811
    """Its sockets are handed over as the others are: whoever connects is served."""
    node = start(nodes, issuer)
    with Stream(node, False) as fresh:
        assert wait_for(lambda: fresh.answered > 20)
        done = node.cli("upgrade", "--data", str(node.data), timeout=60)
        assert done.returncode == 0, done.stderr + node.log()
        after = fresh.answered
        assert wait_for(lambda: fresh.answered > after + 20)
    # the old one closes what it has when it goes, so a query may have to be asked again, but nobody is turned away
    assert [f for f in fresh.failed if "refused" in f.lower()] == []
    assert len(fresh.failed) <= 2, fresh.failed


def test_check(nodes, issuer):  # noqa: F811
    node = start(nodes, issuer)
    assert node.cli("check", str(node.config_path)).returncode == 0
    put(node, (issuer.issue()[0], issuer.issue()[1]))
    wrong = node.cli("check", str(node.config_path))
    assert wrong.returncode == 1 and "tls.pem:1:1: it cannot be shown over TLS: the private key" in wrong.stderr, wrong.stderr


def test_unbound_forwards_over_tls(nodes, issuer, open_path):  # noqa: F811
    node = start(nodes, issuer)
    folder = open_path / "unbound"
    folder.mkdir()
    (folder / "unbound.conf").write_text(f"""server:
  interface: {node.address}
  port: 5399
  do-daemonize: no
  use-syslog: no
  logfile: ""
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  do-not-query-localhost: no
  tls-cert-bundle: "{issuer.ca}"
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: {node.address}@{TLS_PORT}#ns.example.com
""")
    unbound = subprocess.Popen(["unbound", "-d", "-c", folder / "unbound.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: "192.0.2.80" in kdig(node, "static.example.com", port=5399), 10)
        assert node.metric("holdfast_dns_queries_total", 'transport="tls"') >= 1
    finally:
        unbound.terminate()
        unbound.wait(10)


def test_padding_and_keepalive(nodes, issuer):  # noqa: F811
    node = start(nodes, issuer)
    out = kdig(node, "+tls", "+padding", "+ednsopt=11", "static.example.com")
    assert "Received 468 B" in out and "PADDING" in out, out
    assert "0064" in out, out  # ten seconds, in tenths
    plain = kdig(node, "+tcp", "+padding", "+ednsopt=11", "static.example.com", port=DNS_PORT)
    assert "Received 468 B" not in plain and "0064" in plain, plain


def test_answers_of_a_silent_control_say_so(nodes, issuer):  # noqa: F811
    """RFC 8914: Stale Answer, for what health decides, until control is back."""
    node = start(nodes, issuer, dns_more="  stale_after: 1s\n", service="""services:
  - {name: api.example.com, policy: simple, endpoints: [{name: a, address: 192.0.2.7}]}
""")
    stale = lambda name: "Stale Answer" in node.dig(name, "+edns")  # noqa: E731
    assert "192.0.2.7" in node.dig("api.example.com") and not stale("api.example.com")
    os.kill(node.pid("control"), signal.SIGSTOP)
    try:
        assert wait_for(lambda: stale("api.example.com"), 6)
        assert not stale("static.example.com")
        assert wait_for(lambda: node.metric("holdfast_dns_stale") == 1)
    finally:
        os.kill(node.pid("control"), signal.SIGCONT)
    assert wait_for(lambda: not stale("api.example.com"), 6)


def test_transfers_over_tls(nodes, issuer):  # noqa: F811
    """RFC 9103: the whole zone, and nothing of it in clear; queries on the same connection go on."""
    big = ZONE + "\n".join(f"host-{i} TXT \"{'x' * 200}\"" for i in range(3000)) + "\n"
    node = start(nodes, issuer, zones={"example.com.zone": big})
    out = kdig(node, "+tls", f"+tls-ca={issuer.ca}", "+tls-hostname=ns.example.com", "AXFR", "example.com")
    assert out.count("TXT") == 3000 and "host-2999" in out and out.count("SOA") == 2, out[-500:]


def test_transfers_over_tls_alone(nodes, issuer):  # noqa: F811
    node = start(nodes, issuer, transfer=", tls_only: true")
    assert "192.0.2.80" not in kdig(node, "AXFR", "example.com", port=DNS_PORT)
    assert wait_for(lambda: node.metric("holdfast_dns_transfers_total", 'result="refused"') == 1)
    assert "192.0.2.80" in kdig(node, "+tls", "AXFR", "example.com")


def test_padded_transfers(nodes, issuer):  # noqa: F811
    """The lengths of messages do not tell how much there is of a zone, or whether there is anything new."""
    big = ZONE + "\n".join(f"host-{i} TXT \"{'x' * 200}\"" for i in range(300)) + "\n"
    node = start(nodes, issuer, zones={"example.com.zone": big})
    sizes = {}
    padding = [dns.edns.GenericOption(12, b"")]
    for what, query in {
        "whole": dns.message.make_query("example.com", "AXFR", use_edns=0, options=padding),
        "current": dns.message.make_query("example.com", "IXFR", use_edns=0, options=padding),
        "plain": dns.message.make_query("example.com", "AXFR", use_edns=0),
    }.items():
        if what == "current":
            serial = node.dig("+short", "example.com", "SOA").split()[2]
            query.authority.append(dns.rrset.from_text("example.com.", 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
        wire = query.to_wire()
        with socket.create_connection((node.address, TLS_PORT), timeout=5) as s, UNVERIFIED.wrap_socket(s) as t:
            t.sendall(struct.pack("!H", len(wire)) + wire)
            read, soas, sizes[what] = t.makefile("rb"), 0, []
            while soas < (1 if what == "current" else 2):
                message = read.read(struct.unpack("!H", read.read(2))[0])
                sizes[what].append(len(message))
                reply = dns.message.from_wire(message, one_rr_per_rrset=True)
                soas += sum(r.rdtype == dns.rdatatype.SOA for r in reply.answer)
    assert len(sizes["whole"]) > 3 and len(sizes["current"]) == 1, sizes
    assert {*sizes["whole"], *sizes["current"]} == {sizes["whole"][0]}, sizes
    assert len(set(sizes["plain"])) > 1, sizes


def pin_of(certificate):
    """SHA-256 of the public key, in base64 (RFC 7858 4.2)."""
    key = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=certificate.encode(), capture_output=True, timeout=10).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, capture_output=True, timeout=10).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def axfr(node, folder, pair, context=None, sessions=None):
    """The rcode and the answers of a transfer's first message, asked by who shows this certificate."""
    context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if pair:
        both = folder / "shown.pem"
        both.write_text("".join(pair))
        context.load_cert_chain(both)
    wire = dns.message.make_query("example.com", "AXFR").to_wire()
    session = sessions[-1] if sessions else None
    with socket.create_connection((node.address, TLS_PORT), timeout=5) as s, context.wrap_socket(s, session=session) as t:
        t.sendall(struct.pack("!H", len(wire)) + wire)
        read = t.makefile("rb")
        reply = dns.message.from_wire(read.read(struct.unpack("!H", read.read(2))[0]))
        if sessions is not None:
            assert t.session_reused == bool(session)
            sessions.append(t.session)
    return reply.rcode(), len(reply.answer)


def test_mutual_tls(nodes, issuer, open_path):  # noqa: F811
    """RFC 9103 9.3.3: the zone is for those who prove to have a key that is known, and for nobody else."""
    ours, other, server = issuer.issue("ns2.example.net"), issuer.issue("ns2.example.net"), issuer.issue()
    pins = f", pins: [\"{'A' * 43}=\", \"{pin_of(ours[0])}\"]"
    node = start(nodes, issuer, transfer=pins, pair=server)
    assert axfr(node, open_path, ours)[0] == 0
    assert axfr(node, open_path, other) == (5, 0)
    assert axfr(node, open_path, None) == (5, 0)
    assert "192.0.2.80" not in kdig(node, "AXFR", "example.com", port=DNS_PORT)
    assert "192.0.2.80" in kdig(node, "+tls", "static.example.com"), "answers are for everybody"
    # a session that is resumed is of who began it
    for pair, rcode in ((ours, 0), (other, 5)):
        context, sessions = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), []
        for _ in range(2):
            assert axfr(node, open_path, pair, context, sessions)[0] == rcode
    # another node is secondary
    text = f"""node: {{name: n2, site: here, network: AS64500, data: "%DATA%"}}
dns: {{listen: ["%DNS%"]}}
tell: {{listen: ["%TELL%"]}}
zones:
  - {{name: example.com, primaries: ["{node.address}:{TLS_PORT} tls pin {pin_of(server[0])} cert CERT"]}}
"""
    good, bad = (nodes(text.replace("CERT", f"{n}.pem"), {f"{n}.pem": "".join(p)}).start() for n, p in (("a", ours), ("b", other)))
    assert wait_for(lambda: good.short("static.example.com") == ["192.0.2.80"]), good.log()
    assert wait_for(lambda: "rcode=5" in bad.log()), bad.log()
    assert bad.short("static.example.com") == []


def test_handshakes_are_paced(nodes, issuer):  # noqa: F811
    """L7: who connects beyond the rate waits in the kernel and is served in turn; others notice nothing."""
    node = start(nodes, issuer, more=", handshakes: 10")
    with contextlib.ExitStack() as stack:
        begun = time.monotonic()
        waiting = [stack.enter_context(socket.create_connection((node.address, TLS_PORT), timeout=10)) for _ in range(30)]
        threads = [threading.Thread(target=lambda s=s: stack.enter_context(UNVERIFIED.wrap_socket(s))) for s in waiting]
        for t in threads:
            t.start()
        assert node.short("static.example.com") == ["192.0.2.80"]
        for t in threads:
            t.join(10)
        took = time.monotonic() - begun
        assert wait_for(lambda: node.metric("holdfast_dns_tls_handshakes_total", 'result="full"') == 30)
        assert 1.5 < took < 9, took
        assert node.metric("holdfast_dns_tls_delayed_total") > 0
