"""Signed messages about zones over DNS over TLS: UPDATE and NOTIFY (RFC 7858, RFC 8945), and a validator behind a secondary."""

import ssl
import subprocess

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import pytest

from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from primary import SECRET, primaries, zone_text  # noqa: F401 (fixtures)

KEYRING = dns.tsigkeyring.from_text({"k1": ("hmac-sha256", SECRET)})
DOT_PORT = 8853

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1, tls: {listen: ["TLS"], certificate: cert.pem, key: key.pem}}
tell: {listen: ["%TELL%"]}
tsig: {k1: {secret: """ + SECRET + """}}
zones:
  - {name: example.com, file: example.com.zone, update: {rules: [{key: k1}]}}
  - {name: away.example, primaries: "PRIMARY key k1"}
"""


@pytest.fixture
def node(nodes, primaries):  # noqa: F811
    p = primaries("knot", {"away.example": zone_text(1)}, key=True)
    n = nodes(CONFIG.replace("PRIMARY", f"{p.address}:{DNS_PORT}"), {"example.com.zone": zone_text(10)})
    n.config_path.write_text(n.config_path.read_text().replace("TLS", f"{n.address}:{DOT_PORT}"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=ns1.example", "-addext", "subjectAltName=DNS:ns1.example", "-keyout", n.folder / "key.pem", "-out", n.folder / "cert.pem"], check=True, capture_output=True)
    (n.folder / "key.pem").chmod(0o644)
    n.primary = p
    return n.start()


def over_tls(node, message):
    context = ssl.create_default_context(cafile=str(node.folder / "cert.pem"))
    context.set_alpn_protocols(["dot"])
    return dns.query.tls(message, node.address, port=DOT_PORT, timeout=10, ssl_context=context, server_hostname="ns1.example")


def test_updates_over_tls(node):
    u = dns.update.Update("example.com", keyring=KEYRING, keyname="k1")
    u.add("new", 60, "A", "192.0.2.9")
    assert over_tls(node, u).rcode() == dns.rcode.NOERROR  # the answer's signature was verified, too
    assert wait_for(lambda: node.short("new.example.com") == ["192.0.2.9"])
    u = dns.update.Update("example.com", keyring=dns.tsigkeyring.from_text({"k1": ("hmac-sha256", "AAAA")}), keyname="k1")
    u.add("bad", 60, "A", "192.0.2.9")
    with pytest.raises(dns.tsig.PeerBadSignature):
        over_tls(node, u)
    u = dns.update.Update("example.com")
    u.add("bad", 60, "A", "192.0.2.9")
    assert over_tls(node, u).rcode() == dns.rcode.REFUSED
    assert node.short("bad.example.com") == []


def test_notify_over_tls(node):
    """From an address that is no primary's: the key says who it is."""
    assert wait_for(lambda: node.short("www.away.example") == ["192.0.2.1"], 15)
    node.primary.change_seen("away.example", zone_text(2, "new A 192.0.2.77"))  # tells nobody
    m = dns.message.make_query("away.example", "SOA")
    m.set_opcode(dns.opcode.NOTIFY)
    assert over_tls(node, m).rcode() == dns.rcode.REFUSED
    m.use_tsig(KEYRING, "k1")
    assert over_tls(node, m).rcode() == dns.rcode.NOERROR
    assert wait_for(lambda: node.short("new.away.example") == ["192.0.2.77"], 10), node.log()[-2000:]


def delv(node, anchor, *words):
    done = subprocess.run(["delv", f"@{node.address}", "-p", str(DNS_PORT), "-a", str(anchor), "+root=example.com", *words],
                          capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


@pytest.mark.parametrize("ours", [False, True])
def test_delv_at_a_secondary(nodes, primaries, ours):  # noqa: F811
    """Signatures that a primary made, and ours over what a primary sent, before and after a change."""
    p = primaries("knot", {"example.com": zone_text(1, "*.w2 TXT wild")}, key=True, signed=not ours)
    more = ", dnssec: on" if ours else ""
    node = nodes(CONFIG.split("zones:")[0].replace(", tls: {listen: [\"TLS\"], certificate: cert.pem, key: key.pem}", "") + f"""zones:
  - {{name: example.com, primaries: "{p.address}:{DNS_PORT} key k1"{more}}}
""", {}).start()
    assert wait_for(lambda: "RRSIG" in node.dig("+dnssec", "www.example.com"), 15)
    keys = dns.query.tcp(dns.message.make_query("example.com", "DNSKEY"), node.address, port=DNS_PORT, timeout=5).answer[0]
    anchor = node.folder / "anchor"
    anchor.write_text("trust-anchors {\n" + "".join(f'  example.com. static-key {k.flags} {k.protocol} {k.algorithm} "{dns.rdtypes.dnskeybase.base64.b64encode(k.key).decode()}";\n'
                                                    for k in keys if k.flags == 257) + "};\n")
    for round_ in range(2):
        for words in (("www.example.com", "A"), ("any.w2.example.com", "TXT"), ("nobody.example.com", "A"), ("www.example.com", "TXT")):
            said = delv(node, anchor, *words)
            assert "fully validated" in said, (words, said)
        p.change_seen("example.com", zone_text(2 + round_, "*.w2 TXT wild", f"new{round_} A 192.0.2.77"))
        node.cli("zone", "reload", "example.com", "--data", str(node.data), check=True)
        assert wait_for(lambda r=round_: node.short(f"new{r}.example.com") == ["192.0.2.77"], 15)
    assert "fully validated" in delv(node, anchor, "new1.example.com", "A")
