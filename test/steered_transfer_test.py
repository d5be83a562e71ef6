"""Zones with steered names at other providers' name servers: they have what the plan answers now, some tenths of a
second later, with a serial of its own; NSD and Knot fetch it by IXFR when they are told."""

import subprocess
import time

import dns.dnssec
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.zone
import pytest

from node import DNS_PORT, ZONE, failover_config, nodes, open_path, origins, wait_for  # noqa: F401 (fixtures)
from secondaries import SECRET, secondaries  # noqa: F401
from serial_test import newer, serial
from transfer_test import KEYRING, axfr, xfr_query

API = dns.name.from_text("api.example.com")


def config(a, b, dnssec="off", notify="", service_extra=""):
    to = f', notify: "{notify}"' if notify else ""
    text = failover_config(a, b, service_extra=service_extra)
    return text.replace("zones:\n", f"tsig:\n  k1: {{secret: {SECRET}}}\nzones:\n").replace(
        "file: example.com.zone", f"file: example.com.zone, dnssec: {dnssec}, transfer: {{keys: [k1]{to}}}")


def addresses(zone, name=API, rtype="A"):
    found = zone.get_rdataset(name, rtype)
    return sorted(r.address for r in found) if found else []


def zone_of(node):
    return axfr(node, "example.com", "k1")


def zone_serial(zone):
    return zone.get_rdataset(zone.origin, "SOA")[0].serial


def follows(node, wanted, name=API):
    """Others are given this, sooner or later: a form that took a second to make, since the disk stood still, is not made anew
    for twenty."""
    return wait_for(lambda: addresses(agrees(node), name) == wanted, 60)


def agrees(node):
    """What the SOA speaks of can be fetched: before and after, it is not newer than what AXFR gives."""
    before = serial(node, "example.com")
    z = zone_of(node)
    assert not newer(before, zone_serial(z)), (before, zone_serial(z))
    return z


def verify(zone, folder):
    """As ldns sees it: every signature, the NSEC or NSEC3 chain, and that nothing is missing."""
    path = folder / "fetched.zone"
    path.write_text(zone.to_text(relativize=False))
    out = subprocess.run(["ldns-verify-zone", str(path)], capture_output=True, text=True, timeout=30)
    assert out.returncode == 0, out.stdout + out.stderr


def test_the_form_follows_the_plan(nodes, origins):  # noqa: F811
    a, b = origins()
    node = nodes(config(a, b)).start()
    assert wait_for(lambda: node.short("api.example.com") == [a.address])
    assert follows(node, [a.address])
    first = agrees(node)
    assert first.get_rdataset(API, "A").ttl == 5 and addresses(first, dns.name.from_text("static.example.com")) == ["192.0.2.80"]
    old = zone_of(node)
    a.cut()
    assert follows(node, [b.address]), node.log()[-2000:]
    assert newer(serial(node, "example.com"), zone_serial(first))
    q = xfr_query("example.com", "IXFR", KEYRING, "k1", "hmac-sha256", serial=zone_serial(first))
    dns.query.inbound_xfr(node.address, old, port=DNS_PORT, query=q, timeout=10)
    assert old == zone_of(node)
    y = ("-y", f"hmac-sha256:k1:{SECRET}")
    steps = node.dig("+tcp", *y, "+noall", "+answer", "example.com", f"IXFR={zone_serial(first)}").splitlines()
    assert len(steps) == 6, steps  # four times the SOA, one address that goes, one that comes
    a.heal()
    assert follows(node, [a.address]), node.log()[-2000:]


def test_restart_and_kill(nodes, origins):  # noqa: F811
    """With control dead what was published is handed out; and no serial ever goes back."""
    a, b = origins()
    node = nodes(config(a, b, service_extra="    when_all_down: nodata\n")).start()
    assert follows(node, [a.address])
    seen = serial(node, "example.com")
    for round_ in range(3):
        a.cut() if round_ % 2 == 0 else a.heal()
        wanted = [b.address] if round_ % 2 == 0 else [a.address]
        time.sleep(0.7 + 0.15 * round_)  # about when the change is found, and a form is made
        pid = node.pid("control")
        node.kill("control")
        z = agrees(node)
        assert not newer(seen, zone_serial(z)) and addresses(z)
        node.wait_restart("control", pid)
        assert follows(node, wanted), node.log()[-2000:]
        assert newer(serial(node, "example.com"), seen)
        seen = serial(node, "example.com")
    node.stop()
    node.start()
    assert follows(node, [b.address])
    assert serial(node, "example.com") == seen  # the answers are those that were handed out before
    b.cut()  # both: the operator wants no answer then, so there is none to be handed out either
    assert follows(node, []), node.log()[-2000:]


@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_signed_forms_are_whole(nodes, origins, denial):  # noqa: F811
    a, b = origins()
    node = nodes(config(a, b, "{denial: " + denial + "}")).start()
    assert follows(node, [a.address])
    verify(zone_of(node), node.folder)
    first = zone_of(node)
    a.cut()
    assert follows(node, [b.address]), node.log()[-2000:]
    verify(zone_of(node), node.folder)
    q = xfr_query("example.com", "IXFR", KEYRING, "k1", "hmac-sha256", serial=zone_serial(first))
    out = node.dig("+tcp", "-y", f"hmac-sha256:k1:{SECRET}", "+noall", "+answer", "example.com",
                   f"IXFR={zone_serial(first)}").splitlines()
    assert len(out) == 4 + 2 + 4, out  # the SOA's signature and that of the address: gone and come
    dns.query.inbound_xfr(node.address, first, port=DNS_PORT, query=q, timeout=10)
    assert first == zone_of(node)
    verify(first, node.folder)


@pytest.mark.parametrize("kind", ["nsd", "knot"])
def test_a_region_dies_and_secondaries_know(nodes, secondaries, origins, kind):  # noqa: F811
    """The SOA's refresh is an hour. Measured from when our own answer moves to when the secondary's does."""
    a, b = origins()
    node = nodes(config(a, b, "on"), {"example.com.zone": ZONE})
    s = secondaries(kind, node, {"example.com": "k1"})
    text = node.config_path.read_text()
    node.config_path.write_text(text.replace("{keys: [k1]}", f'{{keys: [k1], notify: "{s.address}:{DNS_PORT} key k1"}}'))
    node.start()

    def theirs(rtype="A"):
        reply = s.ask("api.example.com", rtype)
        return sorted(r.address for r in reply.answer[0]) if reply and reply.answer else []
    assert wait_for(lambda: theirs() == [a.address], 20), node.log()[-2000:]
    a.cut()
    assert wait_for(lambda: node.short("api.example.com") == [b.address])
    began = time.monotonic()
    assert wait_for(lambda: theirs() == [b.address], 60), node.log()[-2000:]
    print(f"{kind}: {time.monotonic() - began:.2f} s after our own answer")
    keys = {dns.name.from_text("example.com"): dns.query.tcp(dns.message.make_query("example.com", "DNSKEY"), s.address,
                                                             port=DNS_PORT, timeout=3).answer[0]}
    signed = dns.query.tcp(dns.message.make_query("api.example.com", "A", want_dnssec=True), s.address, port=DNS_PORT,
                           timeout=3)
    dns.dnssec.validate(signed.answer[0], signed.answer[1], keys)
    assert "notify.unanswered" not in node.log() and "notify.refused" not in node.log()
    print(s.serial("example.com"))


def test_flapping_is_bounded(nodes, origins):  # noqa: F811
    """Health that moves all the time moves serials at most once a second, and the last word wins."""
    a, b = origins()
    node = nodes(config(a, b).replace("rise: 2, fall: 3, hold_down: 1s", "rise: 1, fall: 1, hold_down: 0s").replace(
        "ttl: 5s", "ttl: 5s\n    velocity: {remove: 100%, window: 1s}")).start()
    assert follows(node, [a.address])
    first, began = serial(node, "example.com"), time.monotonic()

    def moved():
        return (serial(node, "example.com") - first) % 2 ** 32
    while time.monotonic() - began < 5 or moved() < 2 and time.monotonic() - began < 60:
        a.status = 500 if a.status == 200 else 200
        time.sleep(0.3)
    a.status = 500
    assert follows(node, [b.address])
    assert 1 < moved() <= time.monotonic() - began + 2, moved()


def test_reloads_and_edits(nodes, origins):  # noqa: F811
    """An edit and another service: what is known of steered names stays, the rest begins with all endpoints."""
    a, b = origins()
    node = nodes(config(a, b)).start()
    a.cut()
    assert follows(node, [b.address])
    before = serial(node, "example.com")
    node.cli("reload", "--data", str(node.data), check=True)
    time.sleep(0.5)
    assert serial(node, "example.com") == before
    (node.folder / "example.com.zone").write_text(ZONE + "added A 192.0.2.200\n")
    text = node.config_path.read_text()
    node.config_path.write_text(text + """  - {name: two.example.com, endpoints: [{name: a, address: 192.0.2.1}]}
""")
    node.cli("reload", "--data", str(node.data), check=True)
    assert follows(node, ["192.0.2.200"], dns.name.from_text("added.example.com"))
    z = agrees(node)
    assert addresses(z) == [b.address] and addresses(z, dns.name.from_text("two.example.com")) == ["192.0.2.1"]
    assert newer(zone_serial(z), before)
