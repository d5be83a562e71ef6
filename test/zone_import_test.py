"""holdfast zone import into a running node: the whole content of a zone that updates change, as one change."""

import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from node import DNS_PORT, away_from_midnight, nodes, open_path, origins, wait_for  # noqa: F401 (fixtures)
from primary import SECRET, primaries, zone_text  # noqa: F401 (fixtures)

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig: {k1: {secret: """ + SECRET + """}}
zones:
  - {name: example.com, file: example.com.zone, update: {rules: [{key: k1}]}}
  - {name: text.example, file: text.zone}
  - {name: away.example, primaries: 127.0.0.1:1}
"""


@pytest.fixture
def node(nodes, open_path):  # noqa: F811
    return start(nodes)


def start(nodes, config=CONFIG, text=zone_text(10)):  # noqa: F811
    return nodes(config, {"example.com.zone": text, "text.zone": zone_text(10)}).start()


def run(node, *words):
    done = node.cli("zone", "import", *words, "--config", str(node.config_path))
    return done.returncode, done.stdout + done.stderr


def put(node, text, name="new.zone"):
    (node.folder / name).write_text(text)
    return str(node.folder / name)


def serial(node, zone="example.com"):
    return int(node.dig("+short", zone, "SOA").split()[2])


last = None  # answer to an update


def update(node, *add):
    u = dns.update.Update("example.com", keyring=dns.tsigkeyring.from_text({"k1": ("hmac-sha256", SECRET)}))
    u.add(*add)
    u.use_edns(0)
    global last
    last = dns.query.udp(u, node.address, port=DNS_PORT, timeout=10)
    return last.rcode()


def test_a_file_becomes_the_content(node):
    path = put(node, zone_text(10, "new A 192.0.2.77").replace("www A 192.0.2.1", "www A 192.0.2.2"))
    status, said = run(node, "example.com", path, "--dry-run")
    assert status == 0 and "+ new.example.com. 300 IN A 192.0.2.77" in said and "nothing was changed" in said, said
    assert not (node.data / "zones").exists()
    status, said = run(node, "Example.COM.", path)
    assert status == 0 and "1 records go, 2 come, serial 10 becomes 11" in said, said
    assert "- www.example.com. 300 IN A 192.0.2.1" in said and "+ www.example.com. 300 IN A 192.0.2.2" in said
    assert wait_for(lambda: node.short("new.example.com") == ["192.0.2.77"])
    assert serial(node) == 11 and node.short("www.example.com") == ["192.0.2.2"]
    assert "event=zone.imported" in node.log()
    assert run(node, "example.com", path) == (0, "zone example.com holds exactly that already\n")
    # updates go on from there, and it outlives a restart
    assert update(node, "later", 60, "A", "192.0.2.78") == dns.rcode.NOERROR
    node.stop()
    node.start()
    assert wait_for(lambda: node.short("later.example.com") == ["192.0.2.78"]) and node.short("new.example.com") == ["192.0.2.77"]
    # a newer serial of the file is the zone's
    status, said = run(node, "example.com", put(node, zone_text(500)))
    assert status == 0 and "serial 12 becomes 500" in said and "- later.example.com." in said, said
    assert wait_for(lambda: serial(node) == 500)


def test_what_is_refused(node):
    path = put(node, zone_text(11))
    for zone, why in (("text.example", "is what its file"), ("away.example", "comes from its primaries"),
                      ("nowhere.example", "has no zone")):
        status, said = run(node, zone, path)
        assert status == 1 and why in said, said
    status, said = run(node, "example.com", put(node, zone_text(11, "bad A 192.0.2")))
    assert status == 1 and "new.zone:12:" in said, said
    status, said = run(node, "example.com", put(node, zone_text(11, "cut NS ns.cut")))
    assert status == 1 and "ns.cut.example.com" in said, said
    status, said = run(node, "example.com", put(node, zone_text(11, "lost ALIAS www.example.net.")))
    assert status == 1 and "asks no other server" in said, said
    assert serial(node) == 10 and not (node.data / "zones" / "example.com").exists()
    # nor what an update would make of it: after a restart that could not be loaded
    assert update(node, "lost", 60, "TYPE65401", "\\# 17 03777777076578616d706c65036e657400") == dns.rcode.REFUSED
    assert "asks no other server" in last.options[0].text


def test_a_third_less_has_to_be_meant(nodes):  # noqa: F811
    node = start(nodes, text=zone_text(10, *(f"n{i} A 192.0.2.1" for i in range(20))))
    status, said = run(node, "example.com", put(node, zone_text(11)))
    assert status == 1 and "would lose 20 of its" in said and "--accept-shrink" in said, said
    assert serial(node) == 10
    status, said = run(node, "example.com", put(node, zone_text(11)), "--accept-shrink")
    assert status == 0, said
    assert wait_for(lambda: serial(node) == 11)


def test_the_serial_served_is_the_one_that_was_told(nodes):  # noqa: F811
    """A policy that could choose another number when the content is loaded."""
    away_from_midnight()
    node = start(nodes, CONFIG.replace("update:", "serial: date, update:"))
    assert serial(node) % 100 == 0
    for k in (1, 2):
        assert update(node, f"u{k}", 60, "A", "192.0.2.9") == dns.rcode.NOERROR
        assert wait_for(lambda k=k: serial(node) % 100 == k)
    status, said = run(node, "example.com", put(node, zone_text(7, "new A 192.0.2.77")))
    told = int(said.split(" becomes ")[1].split()[0])
    assert status == 0 and told % 100 == 3, said
    assert wait_for(lambda: serial(node) == told)
    node.stop()
    (node.data / "plan").rename(node.data / "plan.gone")  # nobody knows what was served
    node.start()
    assert wait_for(lambda: serial(node) == told)


def test_content_that_is_damaged_is_mended(node):
    assert update(node, "u", 60, "A", "192.0.2.9") == dns.rcode.NOERROR
    assert wait_for(lambda: serial(node) == 11)
    base = node.data / "zones" / "example.com" / "base"
    base.write_bytes(base.read_bytes()[:-9])
    assert update(node, "v", 60, "A", "192.0.2.9") == dns.rcode.SERVFAIL
    status, said = run(node, "example.com", put(node, zone_text(3, "w A 192.0.2.8")))
    assert status == 0 and "cannot be read, and is replaced" in said, said
    assert wait_for(lambda: serial(node) == 12) and node.short("w.example.com") == ["192.0.2.8"]
    assert update(node, "v", 60, "A", "192.0.2.9") == dns.rcode.NOERROR


@pytest.mark.parametrize("signed", [False, True])
def test_from_a_name_server(nodes, primaries, signed):  # noqa: F811
    """Signed by Knot: into a zone that is signed here without its signatures, else with them."""
    node = start(nodes, CONFIG.replace("file: example.com.zone,", "file: example.com.zone, dnssec: on,") if signed else CONFIG)
    p = primaries("knot", {"example.com": zone_text(40, *(f"k{i} TXT {'x' * 200}" for i in range(900)))}, key=True, signed=True)
    status, said = run(node, "example.com", "--from", f"{p.address}:{DNS_PORT}", "--key", "k1")
    assert status == 0 and "+ k0.example.com." in said, said
    assert ("left out" in said) == signed
    assert wait_for(lambda: node.short("k7.example.com", "TXT") == ['"' + "x" * 200 + '"'])
    ours, theirs = (set(dns.query.udp(dns.message.make_query("example.com", "DNSKEY"), a, port=DNS_PORT).answer[0])
                    for a in (node.address, p.address))
    assert ours == theirs if not signed else not ours & theirs
    if not signed:
        assert serial(node) == p.serial("example.com")
        status, said = run(node, "example.com", put(node, zone_text(7)), "--accept-shrink")
        assert status == 0, said  # unsigned again: as the file says


def test_names_that_health_answers(nodes, origins):  # noqa: F811
    (origin,) = origins(1)
    node = start(nodes, CONFIG + f"services: [{{name: api.example.com, endpoints: [{{name: a, address: {origin.address}}}]}}]\n")
    status, said = run(node, "example.com", put(node, zone_text(11, "api A 192.0.2.7")))
    assert status == 1 and "api.example.com" in said, said
    status, said = run(node, "example.com", put(node, zone_text(11, "api TXT beside", "@ ALIAS api")))
    assert status == 0, said
    assert wait_for(lambda: node.short("example.com") == [origin.address])


def test_zones_that_updates_made_to_lead_to_each_other(nodes):  # noqa: F811
    """Each change was fine while the other zone was there; a start has to be, too (L1)."""
    node = nodes(CONFIG.replace("name: text.example, file: text.zone", "name: example.net, file: text.zone, update: {rules: [{key: k1}]}"),
                 {"example.com.zone": zone_text(10), "text.zone": zone_text(10)}).start()
    for zone, other in (("example.com", "example.net"), ("example.net", "example.com")):
        status, said = run(node, zone, put(node, zone_text(10, f"to ALIAS www.{other}.")))
        assert status == 0, said
        assert wait_for(lambda z=zone: node.short(f"to.{z}") == ["192.0.2.1"])
    node.stop()
    node.start()
    assert "has ALIAS records onto a zone that has some onto it" in node.log()
    assert [node.short(f"to.{z}") for z in ("example.com", "example.net")] == [["192.0.2.1"]] * 2
    status, said = run(node, "example.com", put(node, zone_text(10).replace("www A 192.0.2.1", "www A 192.0.2.9")))
    assert status == 0, said  # and all goes on
    assert wait_for(lambda: node.short("to.example.net") == ["192.0.2.9"])
