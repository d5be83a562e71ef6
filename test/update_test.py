"""DNS UPDATE: nsupdate, dnspython and what certbot, octoDNS and external-dns send; nothing confirmed is ever lost."""

import os
import signal
import shutil
import socket
import stat
import struct
import subprocess

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.zone
import pytest

from node import DNS_PORT, nodes, open_path, origins, wait_for  # noqa: F401 (fixtures)

SECRET = "c2VjcmV0IG9mIHRoaXMgdGVzdCwgMzIgYnl0ZXMh"

KEYRING = dns.tsigkeyring.from_text({k: ("hmac-sha256", SECRET) for k in ("all.", "acme.", "dyn.", "host.example.com.", "other.")})

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 2}
tell: {listen: ["%TELL%"]}
tsig:
  all: {secret: """ + SECRET + """}
  acme: {secret: """ + SECRET + """}
  dyn: {secret: """ + SECRET + """}
  host.example.com: {secret: """ + SECRET + """}
  other: {secret: """ + SECRET + """}
zones:
  - name: example.com
    file: example.com.zone
    transfer: {keys: all}
    update:
      rules:
        - {key: all, types: [A, AAAA, TXT, CNAME, MX, NS, SOA, SRV, TYPE65280]}
        - {key: acme, names: "_acme-challenge.*", types: TXT}
        - {key: dyn, names: ["*.dyn"], types: [A, AAAA]}
        - {key: host.example.com, names: [self, "*.self"]}
  - {name: closed.example, file: closed.zone}
"""

ZONE = """$TTL 300
@ SOA ns1.example.net. hostmaster.example.net. 10 3600 600 86400 60
@ NS ns1.example.net.
www A 192.0.2.1
www A 192.0.2.2
mail MX 10 www
"""


def start(nodes, config=CONFIG, zone=ZONE, **more):  # noqa: F811
    node = nodes(config, {"example.com.zone": zone, "closed.zone": ZONE})
    return node.start(**more)


def nsupdate(node, text, key="all", *options, secret=SECRET, zone="example.com"):
    """rcode by name, as nsupdate says it."""
    script = f"server {node.address} {DNS_PORT}\nzone {zone}\n{text}\nsend\n"
    p = subprocess.run(["nsupdate", "-t", "20", *options, *(["-y", f"hmac-sha256:{key}:{secret}"] if key else [])],
                       input=script, capture_output=True, text=True, timeout=60)
    said = p.stderr + p.stdout
    if p.returncode == 0 and "failed" not in said:
        return "NOERROR"
    return said.split("update failed: ")[-1].split("\n")[0].strip() if "update failed: " in said else said.strip()


def ask(node, name, rtype="A", **more):
    return dns.query.udp(dns.message.make_query(name, rtype, **more), node.address, port=DNS_PORT, timeout=5)


def values(node, name, rtype="A"):
    return sorted(r.to_text() for s in ask(node, name, rtype).answer for r in s)


def serial(node):
    return ask(node, "example.com", "SOA").answer[0][0].serial


def seen(node, name, rtype, expected):
    return wait_for(lambda: values(node, name, rtype) == expected, 5)


def update(node, key="all", tcp=False, build=None, **more):
    u = dns.update.Update("example.com", keyring=KEYRING, keyname=key, **more)
    build(u)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(u, node.address, port=DNS_PORT, timeout=10)


def test_nsupdate_adds_and_deletes(nodes):  # noqa: F811
    node = start(nodes)
    assert nsupdate(node, "update add new.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "new.example.com", "A", ["192.0.2.9"])
    assert serial(node) == 11
    assert nsupdate(node, "update delete www.example.com A 192.0.2.1\nupdate add Www.Example.com 30 TXT \"Two words\"") == "NOERROR"
    assert seen(node, "www.example.com", "A", ["192.0.2.2"])
    assert values(node, "www.example.com", "TXT") == ['"Two words"']
    assert nsupdate(node, "update delete new.example.com") == "NOERROR"
    assert wait_for(lambda: ask(node, "new.example.com").rcode() == dns.rcode.NXDOMAIN)
    assert serial(node) == 13


def test_each_rcode(nodes):  # noqa: F811
    node = start(nodes)
    rows = [
        ("prereq yxdomain nobody.example.com", "NXDOMAIN"), ("prereq nxdomain www.example.com", "YXDOMAIN"),
        ("prereq yxrrset www.example.com MX", "NXRRSET"), ("prereq nxrrset www.example.com A", "YXRRSET"),
        ("prereq yxrrset www.example.com A 192.0.2.1", "NXRRSET"),
    ]
    for line, rcode in rows:
        assert nsupdate(node, f"{line}\nupdate add new.example.com 60 A 192.0.2.9") == rcode, line
    assert "BADSIG" in nsupdate(node, "update add new.example.com 60 A 192.0.2.9", secret="bm90IHRoZSBzZWNyZXQ=")
    assert "BADKEY" in nsupdate(node, "update add new.example.com 60 A 192.0.2.9", "nobody")
    assert nsupdate(node, "update add new.example.com 60 A 192.0.2.9", None) == "REFUSED"
    assert ask(node, "new.example.com").rcode() == dns.rcode.NXDOMAIN
    assert serial(node) == 10
    for zone, rcode in (("closed.example", dns.rcode.REFUSED), ("nowhere.example", dns.rcode.NOTAUTH)):
        u = dns.update.Update(zone, keyring=KEYRING, keyname="all", keyalgorithm="hmac-sha256")
        u.add("x", 60, "A", "192.0.2.9")
        u.use_edns(0)
        reply = dns.query.udp(u, node.address, port=DNS_PORT, timeout=5)
        assert reply.rcode() == rcode
        if rcode == dns.rcode.REFUSED:
            assert "not changed by updates" in reply.options[0].text
    u = dns.update.Update("example.com", keyring=KEYRING, keyname="all", keyalgorithm="hmac-sha256")
    u.add("www.example.net.", 60, "A", "192.0.2.9")
    assert dns.query.udp(u, node.address, port=DNS_PORT, timeout=5).rcode() == dns.rcode.NOTZONE
    assert not (node.data / "zones").exists()  # nothing was changed, so the text is still what counts
    assert wait_for(lambda: node.metric("holdfast_updates_total", "refused") == 11), node.metrics()


def test_rules_of_keys(nodes):  # noqa: F811
    node = start(nodes)
    rows = [
        ("acme", "update add _acme-challenge.example.com 60 TXT token", "NOERROR"),
        ("acme", "update add _acme-challenge.www.example.com 60 TXT token", "NOERROR"),
        ("acme", "update add _acme-challenge.www.example.com 60 CAA 0 issue \"ca.example\"", "REFUSED"),
        ("acme", "update add www.example.com 60 TXT token", "REFUSED"),
        ("dyn", "update add a.b.dyn.example.com 60 AAAA 2001:db8::1", "NOERROR"),
        ("dyn", "update add dyn.example.com 60 AAAA 2001:db8::1", "REFUSED"),
        ("host.example.com", "update add host.example.com 60 A 192.0.2.7", "NOERROR"),
        ("host.example.com", "update add x.host.example.com 60 SSHFP 4 2 " + "00" * 32 + "", "NOERROR"),
        ("host.example.com", "update add www.example.com 60 A 192.0.2.7", "REFUSED"),
        ("other", "update add www.example.com 60 A 192.0.2.7", "REFUSED"),
        ("all", "update add x.example.com 60 NSEC y.example.com A", "REFUSED"),
    ]
    for key, line, rcode in rows:
        assert nsupdate(node, line, key) == rcode, line
    assert seen(node, "_acme-challenge.www.example.com", "TXT", ['"token"'])
    assert seen(node, "a.b.dyn.example.com", "AAAA", ["2001:db8::1"])


def test_what_could_not_be_served_is_refused(nodes):  # noqa: F811
    """A delegation to a name server that is an alias (RFC 2181 10.3): the zone would be refused as a whole (L2)."""
    node = start(nodes)
    u = dns.update.Update("example.com", keyring=KEYRING, keyname="all", keyalgorithm="hmac-sha256")
    u.add("alias", 60, "CNAME", "example.org.")
    u.add("sub", 60, "NS", "alias")
    u.use_edns(0)
    reply = dns.query.udp(u, node.address, port=DNS_PORT, timeout=5)
    assert reply.rcode() == dns.rcode.REFUSED
    assert "alias.example.com" in reply.options[0].text


def test_glue_may_come_later(nodes):  # noqa: F811
    """RFC 2136 asks for no order: the delegation first, the address of its name server in another message; and the other way round when it goes."""
    node = start(nodes)
    assert nsupdate(node, "update add sub.example.com 60 NS ns.sub.example.com") == "NOERROR"

    def referral(glue):
        r = ask(node, "www.sub.example.com")
        return not r.answer and [x.rdtype for x in r.authority] == [2] and [a.address for rr in r.additional for a in rr] == glue

    assert wait_for(lambda: referral([])), ask(node, "www.sub.example.com")
    assert nsupdate(node, "update add ns.sub.example.com 60 A 192.0.2.7") == "NOERROR"
    assert wait_for(lambda: referral(["192.0.2.7"])), ask(node, "www.sub.example.com")
    assert nsupdate(node, "update delete ns.sub.example.com A") == "NOERROR"
    assert wait_for(lambda: referral([])), ask(node, "www.sub.example.com")
    pid = node.kill("control")
    node.wait_restart("control", pid)
    assert wait_for(lambda: nsupdate(node, "update add later.example.com 60 A 192.0.2.8") == "NOERROR")  # once control is there


def test_large_updates_over_tcp(nodes):  # noqa: F811
    node = start(nodes)

    def build(u):
        for i in range(1200):
            u.add(f"n{i}", 60, "A", f"10.1.{i // 250}.{i % 250}")
            u.add(f"n{i}", 60, "TXT", "x" * 10)
    assert update(node, tcp=True, build=build).rcode() == dns.rcode.NOERROR
    assert seen(node, "n1199.example.com", "A", ["10.1.4.199"])
    assert update(node, tcp=True, build=lambda u: [u.delete(f"n{i}") for i in range(500)]).rcode() == dns.rcode.REFUSED  # L3
    assert update(node, tcp=True, build=lambda u: [u.delete(f"n{i}") for i in range(300)]).rcode() == dns.rcode.NOERROR
    assert wait_for(lambda: ask(node, "n299.example.com").rcode() == dns.rcode.NXDOMAIN)
    assert values(node, "n300.example.com") == ["10.1.1.50"]


def test_many_at_once_share_a_batch(nodes):  # noqa: F811
    """Messages that fail do not take those beside them along."""
    node = start(nodes)
    sockets, kinds = [], {}
    for i in range(40):
        s = socket.create_connection((node.address, DNS_PORT), 10)
        u = dns.update.Update("example.com", keyring=KEYRING, keyname="all", keyalgorithm="hmac-sha256")
        if i % 10 == 9:
            u.add(f"lost{i}", 60, "TYPE65401", "\\# 17 03777777076578616d706c65036e657400")  # an ALIAS: cannot be served
        elif i % 10 == 8:
            u.present(f"nobody{i}")
        else:
            u.add(f"b{i}", 60, "A", "192.0.2.9")
        wire = u.to_wire()
        s.sendall(struct.pack("!H", len(wire)) + wire)
        sockets.append((s, i))
    for s, i in sockets:
        kinds[i] = dns_read(s)[3] & 15
        s.close()
    for i, rcode in kinds.items():
        assert rcode == {9: 5, 8: 3}.get(i % 10, 0), i
    assert seen(node, "b37.example.com", "A", ["192.0.2.9"])
    assert all(values(node, f"b{i}.example.com") == ["192.0.2.9"] for i in range(40) if i % 10 < 8)


def dns_read(s):
    def exactly(n):
        data = b""
        while len(data) < n:
            part = s.recv(n - len(data))
            assert part
            data += part
        return data
    return exactly(struct.unpack("!H", exactly(2))[0])


def test_content_is_the_truth_after_a_restart(nodes):  # noqa: F811
    node = start(nodes)
    assert nsupdate(node, "update add new.example.com 60 A 192.0.2.9") == "NOERROR"
    node.stop()
    node.start()
    assert seen(node, "new.example.com", "A", ["192.0.2.9"])
    assert serial(node) == 11
    assert stat.S_IMODE((node.data / "zones").stat().st_mode) == 0o700
    assert stat.S_IMODE((node.data / "zones" / "example.com" / "journal").stat().st_mode) == 0o600
    # the text is edited: said, and not taken
    (node.folder / "example.com.zone").write_text(ZONE.replace("192.0.2.1", "192.0.2.77").replace(" 10 3600", " 99 3600"))
    before = len(node.log())
    assert "holdfast zone import example.com" in node.said("reload")  # who asks is told, not the log alone
    assert "was changed and is not read" in node.said("zone", "reload", "example.com")
    assert values(node, "www.example.com") == ["192.0.2.1", "192.0.2.2"]
    said = node.log()[before:]
    assert "was changed and is not read" in said and str(node.data / "zones" / "example.com") in said
    assert nsupdate(node, "update add newer.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "newer.example.com", "A", ["192.0.2.9"])
    assert serial(node) == 12
    diff = node.cli("zone", "diff", str(node.folder / "example.com.zone"), "example.com", "--data", str(node.data))
    assert diff.returncode == 1 and "- newer.example.com. 60 IN A 192.0.2.9" in diff.stdout, diff.stdout + diff.stderr
    assert "newer.example.com. 60 IN A" in node.cli("zone", "served", "example.com", "--data", str(node.data)).stdout
    # as it says: from the text again, with a serial that secondaries take for newer
    shutil.rmtree(node.data / "zones" / "example.com")
    assert node.cli("zone", "reload", "example.com", "--data", str(node.data)).returncode == 0
    assert seen(node, "www.example.com", "A", ["192.0.2.2", "192.0.2.77"])
    assert serial(node) == 99


def made(node):
    """How many zones the newest start of control compiled."""
    return int(node.log().split("event=control.started")[-1].split("zones_made=")[1].split()[0])


def test_content_that_did_not_change_is_not_compiled_again(nodes):  # noqa: F811
    """Neither by a start nor by a reload; an update, an edit of the text or a restored backup is seen."""
    node = start(nodes)
    assert nsupdate(node, "update add new.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "new.example.com", "A", ["192.0.2.9"])
    node.stop()
    node.start()
    assert made(node) == 0 and values(node, "new.example.com") == ["192.0.2.9"]
    assert "(0 made anew)" in node.cli("reload", "--data", str(node.data)).stdout
    assert nsupdate(node, "update add newer.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "newer.example.com", "A", ["192.0.2.9"])
    assert nsupdate(node, "update add newest.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "newest.example.com", "A", ["192.0.2.9"])
    starts = node.log().count("event=control.started")
    node.kill("control")  # no time to note anything
    assert wait_for(lambda: node.log().count("event=control.started") > starts)
    assert made(node) == 1 and seen(node, "newest.example.com", "A", ["192.0.2.9"])
    text = (node.folder / "example.com.zone").read_text()
    (node.folder / "example.com.zone").write_text(text + "more A 192.0.2.3\n")
    for _ in range(2):  # said each time
        before = node.log().count("was changed and is not read")
        assert "(1 made anew)" in node.cli("reload", "--data", str(node.data)).stdout
        assert node.log().count("was changed and is not read") == before + 1
    (node.folder / "example.com.zone").write_text(text)
    node.cli("reload", "--data", str(node.data), check=True)
    base = node.data / "zones" / "example.com"
    subprocess.run(["cp", "-a", base, node.folder / "backup"], check=True)
    assert nsupdate(node, "update add last.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "last.example.com", "A", ["192.0.2.9"])
    node.stop()
    shutil.rmtree(base)
    subprocess.run(["cp", "-a", node.folder / "backup", base], check=True)
    node.start()
    assert wait_for(lambda: ask(node, "last.example.com").rcode() == dns.rcode.NXDOMAIN) and made(node) == 1


def test_nothing_confirmed_is_lost_when_control_is_killed(nodes):  # noqa: F811
    """Killed right behind each answer: before what was journalled could be published."""
    node = start(nodes)
    confirmed = []
    for i in range(6):
        for k in range(4):
            name = f"k{i}x{k}"
            try:
                reply = update(node, build=lambda u, name=name: u.add(name, 60, "A", "192.0.2.9"))
            except dns.tsig.PeerError:
                raise
            except dns.exception.DNSException:
                continue  # not signed: SERVFAIL while control is away
            if reply.rcode() == dns.rcode.NOERROR:
                confirmed.append(name)
        node.kill("control")
        assert wait_for(lambda: nsupdate(node, "update delete nobody.example.com") == "NOERROR", 10)
    assert len(confirmed) >= 12
    for name in confirmed:
        assert seen(node, f"{name}.example.com", "A", ["192.0.2.9"]), name


def test_a_torn_journal(nodes):  # noqa: F811
    node = start(nodes)
    for i in range(3):
        assert nsupdate(node, f"update add t{i}.example.com 60 A 192.0.2.9") == "NOERROR"
    node.stop()
    journal = node.data / "zones" / "example.com" / "journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-5])
    node.start()
    assert seen(node, "t1.example.com", "A", ["192.0.2.9"])
    assert nsupdate(node, "update add t3.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "t3.example.com", "A", ["192.0.2.9"])
    assert "event=held.torn" in node.log()


def test_damaged_content_is_refused_and_the_zone_goes_on(nodes):  # noqa: F811
    node = start(nodes)
    for i in range(2):
        assert nsupdate(node, f"update add d{i}.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "d1.example.com", "A", ["192.0.2.9"])
    node.stop()
    base = node.data / "zones" / "example.com" / "base"
    data = bytearray(base.read_bytes())
    data[100] ^= 1
    base.write_bytes(bytes(data))
    node.start()
    assert values(node, "d1.example.com") == ["192.0.2.9"]  # as it was served before
    assert "restore the folder from a backup" in node.log()
    assert nsupdate(node, "update add d2.example.com 60 A 192.0.2.9") == "SERVFAIL"
    assert values(node, "d1.example.com") == ["192.0.2.9"]


def test_without_control_updates_fail_at_once_and_queries_go_on(nodes):  # noqa: F811
    node = start(nodes)
    node.kill("control", signal.SIGSTOP)
    u = dns.update.Update("example.com")
    u.add("x", 60, "A", "192.0.2.9")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((node.address, DNS_PORT))
        for _ in range(300):  # more than can wait
            s.send(u.to_wire())
        for _ in range(50):
            assert values(node, "www.example.com") == ["192.0.2.1", "192.0.2.2"]
        s.settimeout(5)
        assert s.recv(512)[3] & 15 == dns.rcode.SERVFAIL
    node.kill("control", signal.SIGCONT)
    assert wait_for(lambda: nsupdate(node, "update add y.example.com 60 A 192.0.2.9") == "NOERROR", 10)


# ---- clients as they are ----

def test_certbot(nodes):  # noqa: F811
    """The client class of Debian's python3-certbot-dns-rfc2136, unmodified: SOA queries and updates signed, over TCP."""
    plugin = pytest.importorskip("certbot_dns_rfc2136._internal.dns_rfc2136")
    node = start(nodes)
    client = plugin._RFC2136Client(node.address, DNS_PORT, "acme.", SECRET, dns.tsig.HMAC_SHA256)
    for name in ("_acme-challenge.example.com", "_acme-challenge.www.example.com"):
        client.add_txt_record(name, "one", 120)
        client.add_txt_record(name, "two", 120)
        assert seen(node, name, "TXT", ['"one"', '"two"'])
        client.del_txt_record(name, "one")
        assert seen(node, name, "TXT", ['"two"'])
        client.del_txt_record(name, "two")
    with pytest.raises(Exception, match="REFUSED"):
        client.add_txt_record("www.example.com", "x", 120)


ACME = """{{"pebble": {{"listenAddress": "{address}:14000", "managementListenAddress": "{address}:15000", "certificate": "{folder}/acme.pem",
 "privateKey": "{folder}/acme.key", "httpPort": 5002, "tlsPort": 5001, "ocspResponderURL": "", "externalAccountBindingRequired": false}}}}
"""


def test_certbot_gets_certificates(nodes):  # noqa: F811
    """certbot as Debian has it, from end to end: an authority (pebble) looks for what certbot put here."""
    node = start(nodes)
    folder, address = node.folder, node.address
    (folder / "acme.json").write_text(ACME.format(address=address, folder=folder))
    (folder / "rfc2136.ini").write_text(f"dns_rfc2136_server = {address}\ndns_rfc2136_port = {DNS_PORT}\ndns_rfc2136_name = acme.\n"
                                        f"dns_rfc2136_secret = {SECRET}\ndns_rfc2136_algorithm = HMAC-SHA256\n")
    (folder / "rfc2136.ini").chmod(0o600)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=acme",
                    "-addext", f"subjectAltName=IP:{address}", "-keyout", folder / "acme.key", "-out", folder / "acme.pem"],
                   check=True, capture_output=True, timeout=20)
    with open(folder / "acme.log", "wb") as log:
        pebble = subprocess.Popen(["pebble", "-config", folder / "acme.json", "-dnsserver", f"{address}:{DNS_PORT}"], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"})

    def certbot(*args):
        for seconds in ("1", "10"):  # the authority looks once: where a disk stands still that may be too early
            p = subprocess.run(["certbot", "certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email", "--server",
                                f"https://{address}:14000/dir", "--config-dir", folder / "etc", "--work-dir", folder / "work", "--logs-dir", folder / "logs",
                                "--dns-rfc2136", "--dns-rfc2136-credentials", folder / "rfc2136.ini", "--dns-rfc2136-propagation-seconds", seconds, *args],
                               capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                               env={**os.environ, "REQUESTS_CA_BUNDLE": str(folder / "acme.pem")})
            if p.returncode == 0:
                return
        pytest.fail(p.stdout + p.stderr + (folder / "acme.log").read_text() + node.log())

    try:
        assert wait_for(lambda: "Listening on" in (folder / "acme.log").read_text()), (folder / "acme.log").read_text()
        before = serial(node)
        certbot("-d", "example.com", "-d", "*.example.com")  # two values of one name
        made = subprocess.run(["openssl", "x509", "-in", folder / "etc/live/example.com/cert.pem", "-noout", "-ext", "subjectAltName"],
                              capture_output=True, text=True, timeout=10).stdout
        assert "DNS:*.example.com" in made and "DNS:example.com" in made
        assert serial(node) > before and seen(node, "_acme-challenge.example.com", "TXT", [])
    finally:
        pebble.kill()
        pebble.wait()


OCTO = """$TTL 3600
@ SOA ns1.example.net. hostmaster.example.net. 10 3600 600 86400 60
@ NS ns1.example.net.
@ MX 10 mail
@ CAA 0 issue "ca.example.net"
@ TXT "v=spf1 -all"
mail A 192.0.2.25
www CNAME @
sub NS ns1.sub
sub DS 12345 13 2 49FD46E6C4B45C55D4AC69CBD3CD34AC1AFE51DE49FD46E6C4B45C55D4AC69CB
ns1.sub A 192.0.2.53
_sip._tcp SRV 10 20 5060 mail
nap NAPTR 100 10 "S" "SIP+D2U" "!^.*$!sip:a@example.com!" _sip._udp
svc HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.7
*.wild A 192.0.2.77
"""


def test_octodns(nodes):  # noqa: F811
    """What octoDNS's Rfc2136Provider does: the zone whole over AXFR, then all changes in one message over TCP, TSIG on both. A
    change is the set's deletion and what it becomes; a deletion names each record. dnspython compresses names in SRV and NAPTR."""
    config = CONFIG.replace("A, AAAA, TXT, CNAME, MX, NS, SOA, SRV, TYPE65280", '"A", AAAA, CAA, CNAME, DS, HTTPS, MX, NAPTR, NS, SRV, TXT')
    node = start(nodes, config, OCTO)
    keys = {"keyring": KEYRING, "keyname": dns.name.from_text("all"), "keyalgorithm": dns.tsig.HMAC_SHA256}

    def transfer():
        z = dns.zone.from_xfr(dns.query.xfr(node.address, "example.com", port=DNS_PORT, lifetime=10, relativize=False, **keys), relativize=False)
        return {(n.to_text(), dns.rdatatype.to_text(s.rdtype)): (s.ttl, sorted(r.to_text() for r in s)) for n, s in z.iterate_rdatasets()}

    long = " ".join(f'"{c * 255}"' for c in "xyz")
    wanted = transfer()
    before = dict(wanted)
    changes = [("_sip._tcp", "SRV", None), ("sub", "DS", None), ("www", "CNAME", None), ("svc", "HTTPS", None),
               ("www", "A", (3600, ["192.0.2.80"])), ("_xmpp._tcp", "SRV", (3600, ["5 1 5222 mail.example.com.", "5 2 5223 ."])),
               ("new", "A", (60, ["192.0.2.5", "192.0.2.6"])), ("new", "TXT", (3600, ['"hello world"'])),
               ("@", "CAA", (3600, ['0 issue "ca.example.net"', '128 iodef "mailto:a@example.com"'])),
               ("@", "MX", (3600, ["10 mail.example.com.", "20 mx2.example.net."])),
               ("@", "NS", (3600, ["ns1.example.net.", "ns3.example.net."])), ("@", "TXT", (120, [r'"k;v \"quoted\""', long])),
               ("nap", "NAPTR", (3600, ['200 10 "S" "SIP+D2U" "!^.*$!sip:a@example.com!" _sip._udp.example.com.'])),
               ("sub", "NS", (3600, ["mail.example.com.", "ns1.sub.example.com."])), ("*.wild", "A", (3600, ["192.0.2.78"]))]
    u = dns.update.Update("example.com.", **keys)
    for name, rtype in ((n + ".example.com.", t) for n, t, s in changes if not s):
        u.delete(name, rtype, *wanted.pop((name, rtype))[1])
    for name, rtype, (ttl, data) in ((n, t, s) for n, t, s in changes if s):
        name = "example.com." if name == "@" else name + ".example.com."
        (u.replace if (name, rtype) in before else u.add)(name, ttl, rtype, *data)
        wanted[(name, rtype)] = (ttl, data)
    assert dns.query.tcp(u, node.address, port=DNS_PORT, timeout=10).rcode() == dns.rcode.NOERROR, node.log()
    assert wait_for(lambda: transfer() != before)
    now = transfer()
    assert now.pop(("example.com.", "SOA")) != wanted.pop(("example.com.", "SOA"))
    assert now == wanted


def test_external_dns(nodes):  # noqa: F811
    """The shapes of external-dns: the old records removed one by one, the new ones inserted, its TXT registry beside them, in one
    message (Remove and Insert of miekg/dns), over TCP."""
    node = start(nodes)
    text = '"heritage=external-dns,external-dns/owner=default"'

    def create(u):
        u.add("app", 0, "A", "192.0.2.20")
        u.add("app", 0, "TXT", text)

    def change(u):
        u.delete("app", "A", "192.0.2.20")  # class NONE: Remove
        u.add("app", 300, "A", "192.0.2.21")
        u.add("app", 300, "A", "192.0.2.22")
        u.delete("app", "TXT", text)
        u.add("app", 300, "TXT", text)

    def remove(u):
        u.delete("app", "A", "192.0.2.21")
        u.delete("app", "A", "192.0.2.22")
        u.delete("app", "TXT", text)

    for build, expected in ((create, ["192.0.2.20"]), (change, ["192.0.2.21", "192.0.2.22"]), (remove, [])):
        assert update(node, tcp=True, build=build).rcode() == dns.rcode.NOERROR
        assert seen(node, "app.example.com", "A", expected)
    assert ask(node, "app.example.com").rcode() == dns.rcode.NXDOMAIN


# ---- with what the node makes itself ----

def test_a_signed_zone(nodes):  # noqa: F811
    node = start(nodes, CONFIG.replace("    update:\n", "    dnssec: on\n    update:\n"))
    assert nsupdate(node, "update add new.example.com 60 A 192.0.2.9") == "NOERROR"
    assert seen(node, "new.example.com", "A", ["192.0.2.9"])
    keys = ask(node, "example.com", "DNSKEY", want_dnssec=True).answer[0]
    answer = ask(node, "new.example.com", "A", want_dnssec=True).answer
    name = dns.name.from_text("example.com")
    dns.dnssec.validate(answer[0], answer[1], {name: keys})
    assert nsupdate(node, "update add example.com 60 CDS 0 0 0 00") == "REFUSED"


def test_a_steered_name(nodes, origins):  # noqa: F811
    (origin,) = origins(1)
    service = f"""
services:
  - name: api.example.com
    endpoints: [{{name: one, address: {origin.address}}}]
"""
    node = start(nodes, CONFIG + service)
    u = dns.update.Update("example.com", keyring=KEYRING, keyname="all", keyalgorithm="hmac-sha256")
    u.add("api", 60, "A", "192.0.2.9")
    u.use_edns(0)
    reply = dns.query.udp(u, node.address, port=DNS_PORT, timeout=5)
    assert reply.rcode() == dns.rcode.REFUSED
    assert reply.options[0].code == 18 and "by health" in reply.options[0].text
    assert nsupdate(node, "update add api.example.com 60 TXT beside") == "NOERROR"
    assert seen(node, "api.example.com", "TXT", ['"beside"'])
    assert values(node, "api.example.com") == [origin.address]


def test_notify_is_answered(nodes):  # noqa: F811
    node = start(nodes)
    m = dns.message.make_query("example.com", "SOA")
    m.set_opcode(4)
    assert dns.query.udp(m, node.address, port=DNS_PORT, timeout=5).rcode() == dns.rcode.NOTAUTH
