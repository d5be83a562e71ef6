"""What a node says beside its answers, and what it grants: extended errors, NSID, CHAOS, cookies, rate limits; DNAME."""

import os
import re
import signal
import socket
import subprocess
import time

import dns.edns
import dns.message
import dns.query
import dns.rcode

from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401 (fixtures)

ZONE = """$ORIGIN example.com.
$TTL 3600
@        SOA ns1 host.example.com. 2024010101 7200 3600 1209600 300
@        NS ns1
ns1      A 192.0.2.1
www      A 192.0.2.80
moved    DNAME new
a.new    A 192.0.2.81
"""

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns: {listen: ["%DNS%"], threads: 1EXTRA}
tell: {listen: ["%TELL%"]}
zones: [{name: example.com, file: example.com.zone}]
services: [{name: api.example.com, endpoints: [{name: a, address: 198.51.100.1}]}]
"""


def start(nodes, extra=""):  # noqa: F811
    return nodes(CONFIG.replace("EXTRA", extra and ", " + extra), {"example.com.zone": ZONE}).start()


def dig(node, *words):
    return subprocess.run(["dig", f"@{node.address}", "-p", str(DNS_PORT), "+tries=1", "+time=3", *words],
                          capture_output=True, text=True, timeout=20, check=True).stdout


def cookie(output):
    found = re.search(r"COOKIE: ([0-9a-f]+)( \((good|bad|echoed)\))?", output)
    return found and found.group(1)


def test_by_default(nodes):  # noqa: F811
    node = start(nodes)
    out = dig(node, "www.example.org", "+nsid")
    assert "status: REFUSED" in out and "EDE: 20 (Not Authoritative)" in out and "NSID" not in out, out
    for name in ["version.bind", "id.server", "hostname.bind", "version.server"]:
        assert "status: REFUSED" in dig(node, "CH", "TXT", name)
    first = dig(node, "www.example.com")
    assert "(good)" in first and len(cookie(first)) == 48, first
    assert "EDE" not in first
    out = dig(node, "a.moved.example.com", "+nocookie")
    assert re.search(r"moved.example.com.\s+3600\s+IN\s+DNAME\s+new.example.com.", out), out
    assert re.search(r"a.moved.example.com.\s+3600\s+IN\s+CNAME\s+a.new.example.com.", out) and "192.0.2.81" in out, out


def test_own_secret_stays(nodes):  # noqa: F811
    node = start(nodes)
    before = cookie(dig(node, "www.example.com"))
    node.stop()
    node.start()
    out = dig(node, "www.example.com", f"+cookie={before}")
    assert cookie(out) == before, out
    forged = f"{before[:-2]}{int(before[-2:], 16) ^ 1:02x}"
    for send in (dns.query.udp, dns.query.tcp):  # without a question: is it good still? (RFC 7873 5.4)
        for given, rcode in ((before, 0), (forged, dns.rcode.BADCOOKIE), (before[:16], 0)):
            bare = dns.message.Message()
            bare.use_edns(0, options=[dns.edns.GenericOption(10, bytes.fromhex(given))])
            reply = send(bare, node.address, 5, DNS_PORT)
            got = reply.options[0].data.hex()  # a new one is of the second in which it is made
            assert (reply.rcode(), reply.question, reply.answer) == (rcode, [], []), reply
            assert got == before if given == before else len(got) == 48 and got.startswith(before[:16]), (got, before)


def test_as_configured(nodes):  # noqa: F811
    secret, old = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
    node = start(nodes, "nsid: ams1, chaos: {version: holdfast, id: n1.example}, "
                        f'cookies: {{secret: "{secret}", required: true}}')
    out = dig(node, "www.example.com", "+nsid")
    assert "NSID: 61 6d 73 31" in out and "status: NOERROR" in out, out  # dig learns its cookie by BADCOOKIE
    assert '"holdfast"' in dig(node, "CH", "TXT", "version.bind")
    assert '"n1.example"' in dig(node, "CH", "TXT", "id.server")
    assert "status: BADCOOKIE" in dig(node, "www.example.com", "+nobadcookie")
    assert "192.0.2.80" in dig(node, "www.example.com", "+nocookie")
    good = cookie(dig(node, "www.example.com"))
    # another node with the secret rolled over takes it, and gives a new one
    other = start(nodes, f'cookies: {{secret: "{old}", previous: "{secret}", required: true}}')
    out = dig(other, "www.example.com", "+nobadcookie", f"+cookie={good}")
    assert "status: NOERROR" in out and cookie(out) != good, out


def test_secrets_change_without_a_restart(nodes):  # noqa: F811
    """As the nodes of one address do it: the new one is accepted everywhere, then made with, then alone."""
    a, b = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
    node = nodes(CONFIG.replace("EXTRA", ", cookies: {file: secrets, required: true}"), {"example.com.zone": ZONE, "secrets": a + "\n"})
    file = node.folder / "secrets"
    file.chmod(0o600)
    node.start()
    pid = node.pid("dns")

    def put(*secrets):
        taken = node.log().count("event=cookies.secrets")
        aside = node.folder / "aside"
        aside.write_text("# of the fleet\n" + "\n".join(secrets) + "\n")
        aside.rename(file)
        assert wait_for(lambda: node.log().count("event=cookies.secrets") > taken), node.log()

    old = cookie(dig(node, "www.example.com"))
    put(a, b)
    assert cookie(dig(node, "www.example.com", "+nobadcookie", f"+cookie={old}")) == old
    put(b, a)
    out = dig(node, "www.example.com", "+nobadcookie", f"+cookie={old}")
    new = cookie(out)
    assert "status: NOERROR" in out and new != old, out
    taken = node.log().count("event=cookies.file")
    file.write_text("no secret\n")  # a slip changes nothing
    assert wait_for(lambda: node.log().count("event=cookies.file") > taken), node.log()
    assert cookie(dig(node, "www.example.com", "+nobadcookie", f"+cookie={new}")) == new
    put(b)
    assert "status: BADCOOKIE" in dig(node, "www.example.com", "+nobadcookie", f"+cookie={old}")
    assert cookie(dig(node, "www.example.com", "+nobadcookie", f"+cookie={new}")) == new
    assert node.pid("dns") == pid
    # what is in service outlives everybody else
    os.kill(node.process.pid, signal.SIGKILL)
    node.process.wait()
    assert cookie(dig(node, "www.example.com", "+nobadcookie", f"+cookie={new}")) == new


def test_own_secrets_age(nodes):  # noqa: F811
    node = start(nodes, "cookies: {rotate: 1h, required: true}")
    old = cookie(dig(node, "www.example.com"))
    file = node.data / "run" / "cookies"
    for lines in (2, 3, 3):
        os.utime(file, (time.time() - 3700,) * 2)
        assert wait_for(lambda: len(file.read_text().split()) == lines and file.stat().st_mtime > time.time() - 60), node.log()
    ask = ("www.example.com", "+nobadcookie")
    assert wait_for(lambda: "status: BADCOOKIE" in dig(node, *ask, f"+cookie={old}")), node.log()
    young = cookie(dig(node, "www.example.com"))
    os.utime(file, (time.time() - 3700,) * 2)
    # The next one is made with; the one before is good all the while.
    assert wait_for(lambda: cookie(dig(node, *ask, f"+cookie={young}")) != young), node.log()
    assert "status: NOERROR" in dig(node, *ask, f"+cookie={young}")
    assert file.stat().st_mode & 0o777 == 0o600


def flood(node, name, count):
    """Answers' sizes to so many queries from one socket."""
    wire = dns.message.make_query(name, "A", use_edns=0).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.connect((node.address, DNS_PORT))
        sizes = []
        for i in range(0, count, 50):
            for _ in range(50):
                s.send(wire)
            s.settimeout(0.05)
            try:
                while True:
                    sizes.append(s.recv(4096))
            except TimeoutError:
                pass
    return wire, sizes


def test_rate_limit(nodes):  # noqa: F811
    node = start(nodes, "rrl: {rate: 10, slip: 4}")
    began = time.monotonic()
    wire, got = flood(node, "www.example.com", 1000)
    seconds = time.monotonic() - began
    whole = [g for g in got if not g[2] & 2]
    cut = [g for g in got if g[2] & 2]
    assert 10 <= len(whole) <= 10 * (seconds + 2), (len(whole), seconds)
    assert 150 <= len(cut) <= 250 and max(map(len, cut)) <= len(wire), len(cut)
    # a client that is there gets its answer over TCP, and with a cookie over UDP
    assert "192.0.2.80" in dig(node, "www.example.com", "+tcp")
    metrics = node.metrics()
    assert 'holdfast_dns_limited_total{action="truncated"}' in metrics, metrics
