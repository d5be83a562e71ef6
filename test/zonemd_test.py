"""Digests of whole zones (RFC 8976): verified before a zone is taken, made for zones that change here; dnspython and
ldns-verify-zone agree."""

import subprocess

import dns.message
import dns.query
import dns.rdatatype
import dns.tsigkeyring
import dns.update
import dns.zone
import dns.zonetypes
import pytest

from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from primary import SECRET, primaries, zone_text  # noqa: F401 (fixtures)

ZONE = "example.com"
HEAD = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig: {k1: {secret: """ + SECRET + """}}
zones:
"""


def digested(text, algorithm=dns.zonetypes.DigestHashAlgorithm.SHA384):
    """The zone with its digest, as dnspython makes it."""
    zone = dns.zone.from_text(text, ZONE, relativize=False)
    digest = zone.compute_digest(algorithm)
    return text + f"@ 300 ZONEMD {digest.to_text()}\n"


def transferred(node, keyname="k1"):
    ring = dns.tsigkeyring.from_text({keyname: ("hmac-sha256", SECRET)})
    xfr = dns.query.xfr(node.address, ZONE, port=DNS_PORT, keyring=ring, relativize=False, lifetime=10)
    return dns.zone.from_xfr(xfr, relativize=False)


def serial(node):
    words = node.short(ZONE, "SOA")
    return words and int(node.dig("+short", ZONE, "SOA").split()[2])


@pytest.mark.parametrize("denial", ["", "nsec", "nsec3"])
def test_made_for_what_changes_here(nodes, tmp_path, denial):  # noqa: F811
    """Signed or not; again with each update, whose new serial and signatures it is over."""
    sign = f", dnssec: {{denial: {denial}}}" if denial else ""
    rules = "update: {rules: [{key: k1, types: [A, TXT]}]}"
    text = zone_text(1, "@ 300 ZONEMD 1 1 1 " + "00" * 48, "b.ent TXT \"below\"")
    node = nodes(HEAD + f"  - {{name: {ZONE}, file: z, zonemd: generate, transfer: {{keys: k1}}, {rules}{sign}}}\n",
                 {"z": text}).start()
    ring = dns.tsigkeyring.from_text({"k1": ("hmac-sha256", SECRET)})
    for number in range(3):
        zone = transferred(node)
        zone.verify_digest()
        path = tmp_path / f"z{number}"
        path.write_text(zone.to_text(relativize=False))
        out = subprocess.run(["ldns-verify-zone", "-ZZ" if denial else "-Z", str(path)], capture_output=True, text=True,
                             timeout=20)
        assert out.returncode == 0, out.stdout + out.stderr
        before = serial(node)
        assert zone.get_rdataset(zone.origin, "ZONEMD")[0].serial == before
        assert len(zone.get_rdataset(zone.origin, "ZONEMD")) == 1
        update = dns.update.UpdateMessage(ZONE, keyring=ring)
        update.add(f"new{number}", 60, "A", "192.0.2.7")
        assert dns.query.tcp(update, node.address, port=DNS_PORT, timeout=5).rcode() == 0
        assert wait_for(lambda: serial(node) > before), node.log()


@pytest.mark.parametrize("denial", ["", "nsec"])
def test_what_is_made_is_no_difference(nodes, denial):  # noqa: F811
    """`zone diff` says what the file would change: not the digest, that follows from all the rest; but one that the file has itself."""
    sign = f", dnssec: {{denial: {denial}}}" if denial else ""
    node = nodes(HEAD + f"  - {{name: {ZONE}, file: z, zonemd: generate, transfer: {{keys: k1}}{sign}}}\n", {"z": zone_text(1)}).start()
    file, data = node.folder / "z", ["--data", str(node.data)]
    assert wait_for(lambda: node.cli("zone", "served", ZONE, *data).stdout.count(" ZONEMD ") >= 1)
    out = node.cli("zone", "diff", str(file), ZONE, *data)
    assert (out.returncode, out.stdout) == (0, ""), out
    file.write_text(zone_text(1, "more 300 TXT new"))
    out = node.cli("zone", "diff", str(file), ZONE, *data)
    assert out.returncode == 1 and out.stdout == f'+ more.{ZONE}. 300 IN TXT "new"\n', out
    file.write_text(zone_text(1, "more 300 ZONEMD 1 1 241 " + "00" * 48))  # not at the apex: no digest of the zone
    out = node.cli("zone", "diff", str(file), ZONE, *data)
    assert out.returncode == 1 and out.stdout.startswith(f"+ more.{ZONE}. 300 IN ZONEMD "), out
    lines = len(out.stdout.splitlines())
    file.write_text(zone_text(1, "@ 300 ZONEMD 1 1 241 " + "00" * 48))  # of a private algorithm: nobody can say that it is wrong
    out = node.cli("zone", "diff", str(file), ZONE, *data)
    assert out.returncode == 1 and lines == 1 and f"+ {ZONE}. 300 IN ZONEMD " in out.stdout, out


def test_a_wrong_one_keeps_the_old_zone(nodes):  # noqa: F811
    """L3: at a reload, with place and remedy; the same text without `verify` is taken."""
    config = HEAD + f"  - {{name: {ZONE}, file: z}}\n"
    node = nodes(config, {"z": digested(zone_text(1))}).start()
    good = digested(zone_text(2, "more A 192.0.2.9"))
    (node.folder / "z").write_text(good.replace("192.0.2.9", "192.0.2.10"))
    done = node.cli("reload", "--data", str(node.data))
    assert done.returncode != 0 and "z:13:1: the zone's digest (ZONEMD, SHA-384) does not match" in done.stderr, done.stderr
    assert "zonemd: ignore" in done.stderr and serial(node) == 1
    (node.folder / "z").write_text(good)
    assert node.cli("reload", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: serial(node) == 2) and node.short(ZONE, "TYPE63")
    checked = node.cli("zone", "check", str(node.folder / "z"), ZONE)
    assert checked.returncode == 0, checked.stderr
    (node.folder / "z").write_text(digested(zone_text(3)).replace("192.0.2.1\n", "192.0.2.2\n"))
    checked = node.cli("zone", "check", str(node.folder / "z"), ZONE)
    assert checked.returncode != 0 and "does not match" in checked.stderr
    node.write(config.replace("file: z", "file: z, zonemd: ignore"))
    assert node.cli("reload", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: serial(node) == 3)


def test_transfers(nodes, primaries):  # noqa: F811
    """What a primary sends is looked at when it comes; what is held goes on being served."""
    quick = "1 1 604800 60"
    p = primaries("knot", {ZONE: digested(zone_text(1, timers=quick), dns.zonetypes.DigestHashAlgorithm.SHA512)})
    config = HEAD + f"  - {{name: {ZONE}, primaries: [\"{p.address}:{DNS_PORT}\"], transfer: {{keys: k1}}, zonemd: require}}\n"
    node = nodes(config, {}).start()
    assert wait_for(lambda: serial(node) == 1), node.log()
    transferred(node).verify_digest()
    p.change(ZONE, digested(zone_text(2, "new A 192.0.2.9", timers=quick)).replace("192.0.2.9", "192.0.2.10"))
    assert wait_for(lambda: "does not match what the zone holds" in node.log()), node.log()
    assert serial(node) == 1
    p.change(ZONE, zone_text(3, timers=quick))
    assert wait_for(lambda: "the zone has no digest (ZONEMD)" in node.log()), node.log()
    assert serial(node) == 1
    p.change(ZONE, digested(zone_text(4, "new A 192.0.2.9", timers=quick)))
    assert wait_for(lambda: serial(node) == 4), node.log()
    transferred(node).verify_digest()
