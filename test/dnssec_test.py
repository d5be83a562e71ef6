"""Signed zones before validators that are not ours: unbound and delv follow a chain of trust that starts at a zone
signed here, through DS records to zones of every algorithm and both kinds of denial, one unsigned among them;
ldns-verify-zone and dnspython check the zones as they are."""

import re
import shutil
import subprocess
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401: fixtures
from validator import Unbound

# zone: how it is signed
ZONES = {
    "test": "on",
    "nsec.test": "on",
    "nsec3.test": "{denial: nsec3, algorithm: ed25519}",
    "rsa.test": "{denial: nsec3, keys: split, algorithm: rsasha256}",
    "split.test": "{keys: split, algorithm: ecdsap256sha256}",
    "plain.test": None,
}
CHILDREN = [z for z in ZONES if z != "test"]
SIGNED = [z for z, how in ZONES.items() if how]

CHILD = """$ORIGIN {zone}.
$TTL 300
@ SOA ns.test. host.test. 1 3600 600 86400 60
@ NS ns.test.
@ MX 10 mail
mail A 192.0.2.25
www A 192.0.2.80
www A 192.0.2.81
www AAAA 2001:db8::80
txt TXT "a text"
alias CNAME www
chain CNAME alias
away CNAME www.nsec3.test.
gone CNAME missing
*.wild A 192.0.2.99
*.wild TXT "w"
*.wildalias CNAME www
a.b.ent A 192.0.2.7
secure NS ns.secure
secure DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.secure A 192.0.2.53
insecure NS ns.insecure
ns.insecure A 192.0.2.54
"""

# name, type -> what has to come
QUESTIONS = [
    ("@", "SOA", "NOERROR"),
    ("@", "NS", "NOERROR"),
    ("@", "DNSKEY", "NOERROR"),
    ("@", "MX", "NOERROR"),
    ("www", "A", "NOERROR"),
    ("www", "AAAA", "NOERROR"),
    ("txt", "TXT", "NOERROR"),
    ("alias", "A", "NOERROR"),
    ("chain", "AAAA", "NOERROR"),
    ("away", "A", "NOERROR"),
    ("x.wild", "A", "NOERROR"),
    ("x.y.wild", "TXT", "NOERROR"),
    ("x.wildalias", "A", "NOERROR"),
    ("www", "MX", "NODATA"),
    ("@", "CAA", "NODATA"),
    ("alias", "TXT", "NODATA"),
    ("x.wild", "MX", "NODATA"),
    ("ent", "A", "NODATA"),
    ("b.ent", "A", "NODATA"),
    ("wild", "A", "NODATA"),
    ("missing", "A", "NXDOMAIN"),
    ("a.b.c.missing", "A", "NXDOMAIN"),
    ("x.www", "A", "NXDOMAIN"),
    ("aaa", "A", "NXDOMAIN"),
    ("zzz", "A", "NXDOMAIN"),
    ("c.b.ent", "A", "NXDOMAIN"),
    ("gone", "A", "NXDOMAIN"),
    ("secure", "DS", "NOERROR"),
    ("insecure", "DS", "NODATA"),
]


def parent_zone(address, ds=()):
    lines = ["$ORIGIN test.", "$TTL 300", "@ SOA ns host 1 3600 600 86400 60", "@ NS ns", f"ns A {address}",
             "www A 192.0.2.1"]
    for zone in CHILDREN:
        lines.append(f"{zone}. NS ns")
    return "\n".join([*lines, *ds]) + "\n"


def config_of(zones):
    lines = ['node: {name: n1, site: here, network: AS64500, data: "%DATA%"}', 'dns: {listen: ["%DNS%"], threads: 2}',
             'tell: {listen: ["%TELL%"]}', "zones:"]
    for zone, how in zones.items():
        lines.append(f"  - {{name: {zone}, file: {zone}.zone" + (f", dnssec: {how}}}" if how else "}"))
    return "\n".join(lines) + "\n"


def ask(node, name, rtype, do=True, tcp=True, size=1232):
    query = dns.message.make_query(name, rtype, want_dnssec=do, payload=size, use_edns=0)
    query.flags &= ~dns.flags.RD
    how = dns.query.tcp if tcp else dns.query.udp
    return how(query, node.address, port=DNS_PORT, timeout=5)


def dnskeys(node, zone):
    response = ask(node, zone, "DNSKEY")
    return response.find_rrset(response.answer, dns.name.from_text(zone), dns.rdataclass.IN, dns.rdatatype.DNSKEY)


def ds_lines(node, zone):
    seps = [k for k in dnskeys(node, zone) if k.flags & 1]
    assert seps, zone
    return [f"{zone}. DS {dns.dnssec.make_ds(dns.name.from_text(zone), k, 'SHA256')}" for k in seps]


@pytest.fixture
def chain(nodes):  # noqa: F811
    """A node that serves the whole chain, with the DS records of the children in the parent."""
    files = {f"{z}.zone": CHILD.format(zone=z) for z in CHILDREN}
    files["test.zone"] = parent_zone("192.0.2.53")
    node = nodes(config_of(ZONES), files)
    node.start()
    # Making keys may take longer than the name server waits for its first plan.
    assert wait_for(lambda: ask(node, "test", "DNSKEY").answer), node.log()
    ds = [line for z in SIGNED if z != "test" for line in ds_lines(node, z)]
    (node.folder / "test.zone").write_text(parent_zone(node.address, ds))
    done = node.cli("reload", "--data", str(node.data))
    assert done.returncode == 0, done.stdout + done.stderr
    assert wait_for(lambda: ask(node, "nsec.test", "DS").answer), node.log()
    return node


# ---- validators ----


def validator_of(node, folder, zones=tuple(ZONES)):
    """A resolver that trusts the key of test and asks the node alone."""
    anchors = [line.replace("test. DS", "test. IN DS") for line in ds_lines(node, "test")]
    unbound = Unbound(folder, anchors, {z: f"{node.address}@{DNS_PORT}" for z in zones})
    assert unbound.answers("test", "SOA"), unbound.log.read_text()
    return unbound


@pytest.fixture
def unbound(chain, open_path):  # noqa: F811
    u = validator_of(chain, open_path / "unbound")
    yield u
    u.stop()


def outcome(response):
    data = [r for r in response.answer if r.rdtype not in (dns.rdatatype.RRSIG, dns.rdatatype.CNAME)]
    if response.rcode() == dns.rcode.NOERROR and not data:
        return "NODATA"
    return dns.rcode.to_text(response.rcode())


def full(name, zone):
    return zone if name == "@" else f"{name}.{zone}"


def test_unbound_validates(chain, unbound):
    """Every kind of answer is secure where the zone is signed, and insecure, not bogus, where it is not."""
    wrong = []
    for zone in CHILDREN:
        for name, rtype, wanted in QUESTIONS:
            if rtype == "DNSKEY" and not ZONES[zone]:
                continue
            response = unbound.ask(full(name, zone), rtype)
            secure = bool(response.flags & dns.flags.AD)
            expected = bool(ZONES[zone])
            if outcome(response) != wanted or secure != expected:
                wrong.append(f"{full(name, zone)} {rtype}: {outcome(response)} ad={secure}, "
                             f"not {wanted} ad={expected}")
    assert not wrong, "\n".join(wrong) + unbound.log.read_text()[-4000:]


def test_a_forged_answer_is_seen(chain, unbound):
    """The checker catches a saboteur (L10): a child whose DS is of another key is bogus."""
    zone = (chain.folder / "test.zone").read_text()
    lines = [re.sub(r"(?<=SHA256 ).*", "", l) for l in zone.splitlines() if not l.startswith("rsa.test. DS")]
    tag = ds_lines(chain, "nsec.test")[0].split("DS ", 1)[1]
    (chain.folder / "test.zone").write_text("\n".join([*lines, f"rsa.test. DS {tag}"]) + "\n")
    assert chain.cli("reload", "--data", str(chain.data)).returncode == 0
    assert wait_for(lambda: tag.split()[0] in str(ask(chain, "rsa.test", "DS").answer))
    assert unbound.ask("www.rsa.test", "A").rcode() == dns.rcode.SERVFAIL
    assert unbound.ask("www.nsec.test", "A").rcode() == dns.rcode.NOERROR


def test_delv(chain, open_path):  # noqa: F811
    anchor = open_path / "bind.keys"
    key = next(k for k in dnskeys(chain, "test") if k.flags & 1)
    ds = dns.dnssec.make_ds(dns.name.from_text("test"), key, "SHA256")
    anchor.write_text(f'trust-anchors {{ test. static-ds {ds.key_tag} {ds.algorithm} {ds.digest_type} '
                      f'"{ds.digest.hex()}"; }};\n')

    def delv(name, rtype):
        out = subprocess.run(["delv", f"@{chain.address}", "-p", str(DNS_PORT), "-a", str(anchor), "+root=test",
                              name, rtype], capture_output=True, text=True, timeout=30)
        return out.stdout + out.stderr

    for zone in SIGNED:
        assert "fully validated" in delv(f"www.{zone}", "A"), delv(f"www.{zone}", "A")
    for zone in [z for z in SIGNED if z != "test"]:
        for name, rtype in (("x.wild", "A"), ("chain", "AAAA")):
            assert "fully validated" in delv(f"{name}.{zone}", rtype), delv(f"{name}.{zone}", rtype)
        for name, rtype in (("www", "MX"), ("missing", "A"), ("ent", "A"), ("x.wild", "MX")):
            text = delv(f"{name}.{zone}", rtype)
            assert "negative response, fully validated" in text, text


# ---- the zones as a whole ----


def compiled(node, zone):
    """The newest compiled file of a zone, as text."""
    for path in sorted((node.data / "store").glob("*.zone"), key=lambda p: p.stat().st_mtime, reverse=True):
        out = node.cli("zone", "show", str(path))
        if out.returncode == 0 and re.search(rf"^{re.escape(zone)}\. \d+ IN SOA", out.stdout):
            return out.stdout
    raise AssertionError(f"no compiled {zone}")


def test_verify_zone(chain, open_path):  # noqa: F811
    for zone in SIGNED:
        path = open_path / f"{zone}.signed"
        path.write_text(compiled(chain, zone))
        out = subprocess.run(["ldns-verify-zone", str(path)], capture_output=True, text=True, timeout=60)
        assert out.returncode == 0, zone + out.stdout + out.stderr


def test_every_signature_holds(chain):
    """dnspython verifies each signed set of each answer, referrals too; nothing that must be signed is bare."""
    keys = {dns.name.from_text(z): dnskeys(chain, z) for z in SIGNED}
    questions = [*QUESTIONS, ("x.secure", "A", ""), ("x.insecure", "A", ""), ("www.secure", "MX", "")]
    for zone in [z for z in SIGNED if z != "test"]:
        for name, rtype, _ in questions:
            response = ask(chain, full(name, zone), rtype)
            for section in (response.answer, response.authority, response.additional):
                check_section(section, keys, f"{full(name, zone)} {rtype}")


def check_section(section, keys, what):
    sets = {(r.name, r.rdtype): r for r in section if r.rdtype != dns.rdatatype.RRSIG}
    signatures = {(r.name, r.covers): r for r in section if r.rdtype == dns.rdatatype.RRSIG}
    for (name, rtype), rrset in sets.items():
        glue = any(label in (b"secure", b"insecure") for label in name.labels) and rtype not in (
            dns.rdatatype.DS, dns.rdatatype.NSEC)
        if glue:
            assert (name, rtype) not in signatures, what
        else:
            assert (name, rtype) in signatures, f"{what}: {rrset} is not signed"
    for (name, rtype), rrsigs in signatures.items():
        assert (name, rtype) in sets, f"{what}: signature without {name} {rtype}"
        dns.dnssec.validate(sets[name, rtype], rrsigs, {z: k for z, k in keys.items()})


def test_two_signers(nodes):  # noqa: F811
    """The signing moves from one server to another: each has the other's DNSKEY in its text, so whichever of the two a
    cache has a DNSKEY set from, what it has from the other validates (RFC 8901 2.1.2, RFC 6781 4.3.5.1)."""
    zone, origin = "nsec.test", dns.name.from_text("nsec.test")
    config, file = config_of({zone: "on"}), f"{zone}.zone"
    signers = [nodes(config, {file: CHILD.format(zone=zone)}).start() for _ in range(2)]
    own = [dnskeys(node, zone) for node in signers]
    for node, other in zip(signers, reversed(own)):
        (node.folder / file).write_text(CHILD.format(zone=zone) + f"{zone}. 3600 DNSKEY {other[0]}\n")
        node.said("reload")
    for i, node in enumerate(signers):
        assert wait_for(lambda: len(dnskeys(node, zone)) == 2), node.log()
        assert set(dnskeys(node, zone)) == {own[0][0], own[1][0]}
        check_section(ask(node, zone, "DNSKEY").answer, {origin: own[i]}, "its own key signs the set")
        for name in ("www", "missing", "x.wild"):
            response = ask(signers[1 - i], full(name, zone), "A")
            check_section([*response.answer, *response.authority], {origin: dnskeys(node, zone)}, name)
    (signers[1].folder / file).write_text(CHILD.format(zone=zone))  # the move is over
    signers[1].said("reload")
    assert wait_for(lambda: dnskeys(signers[1], zone) == own[1])


def test_truncation(chain):
    """Where it does not fit, TC and nothing else; TCP has it whole."""
    for zone in ("nsec.test", "rsa.test"):
        small = ask(chain, f"missing.{zone}", "A", tcp=False, size=512)
        whole = ask(chain, f"missing.{zone}", "A")
        assert bool(small.flags & dns.flags.TC) == (len(whole.to_wire()) > 512)
        assert not small.flags & dns.flags.TC or not small.answer + small.authority
        assert not whole.flags & (dns.flags.TC | dns.flags.AD)
        assert whole.ednsflags & dns.flags.DO


def test_without_do(chain):
    for zone in SIGNED:
        for name in ("www", "missing"):
            response = ask(chain, f"{name}.{zone}", "A", do=False)
            text = response.to_text()
            assert "RRSIG" not in text and "NSEC" not in text, text


# ---- steered names ----

STEERED = {
    "test": "on",
    "nsec.test": "on",
    "nsec3.test": "{denial: nsec3}",
}


def steered_config(origin):
    lines = [config_of(STEERED), "checks:",
             f'  web: {{http: "http://{{address}}:{origin.port}/", interval: 250ms, timeout: 200ms, rise: 1, fall: 2}}',
             "services:"]
    for zone in ("nsec.test", "nsec3.test"):
        for name, more in (("up", ""), ("many", ""), ("down", ", when_all_down: nodata"), ("'*.star'", "")):
            full_name = f"'*.star.{zone}'" if "*" in name else f"{name}.{zone}"
            lines.append(f"  - {{name: {full_name}, policy: multivalue, ttl: 5s{more}, velocity: off, endpoints: [")
            count = 10 if name == "many" else 1
            check = ", check: web" if name == "down" else ""
            address = origin.address if name == "down" else "192.0.2.{}"
            lines.append(", ".join(f'{{name: e{i}, address: "{address.format(i)}"{check}}}' for i in range(1, count + 1)))
            lines.append("]}")
    return "\n".join(lines) + "\n"


def test_steered(nodes, open_path):  # noqa: F811
    """Answers of the plan are signed whatever they are: any window of many addresses, a wildcard's, none at all."""
    from node import Origin

    origin = Origin()
    files = {f"{z}.zone": CHILD.format(zone=z) for z in ("nsec.test", "nsec3.test")}
    files["test.zone"] = parent_zone("192.0.2.53")
    node = nodes(steered_config(origin), files)
    node.start()
    # Making keys may take longer than the name server waits for its first plan.
    assert wait_for(lambda: ask(node, "test", "DNSKEY").answer), node.log()
    ds = [line for z in ("nsec.test", "nsec3.test") for line in ds_lines(node, z)]
    (node.folder / "test.zone").write_text(parent_zone(node.address, ds))
    assert node.cli("reload", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: ask(node, "nsec.test", "DS").answer), node.log()
    unbound = validator_of(node, open_path / "unbound")
    try:
        for zone in ("nsec.test", "nsec3.test"):
            assert wait_for(lambda: ask(node, f"down.{zone}", "A").answer), node.log()
            for name, rtype, wanted in (("up", "A", "NOERROR"), ("many", "A", "NOERROR"), ("x.star", "A", "NOERROR"),
                                        ("up", "AAAA", "NODATA"), ("up", "TXT", "NODATA"), ("x.star", "AAAA", "NODATA"),
                                        ("x.star", "TXT", "NODATA"), ("down", "A", "NOERROR")):
                response = unbound.ask(f"{name}.{zone}", rtype)
                assert outcome(response) == wanted and response.flags & dns.flags.AD, f"{response}" + node.log()[-2000:]
            keys = {dns.name.from_text(zone): dnskeys(node, zone)}
            for _ in range(30):
                check_section(ask(node, f"many.{zone}", "A").answer, keys, "many")
        origin.cut()
        for zone in ("nsec.test", "nsec3.test"):
            assert wait_for(lambda: not ask(node, f"down.{zone}", "A").answer, 20), node.log()
            assert wait_for(lambda: outcome(unbound.ask(f"down.{zone}", "A")) == "NODATA", 20)
            response = unbound.ask(f"down.{zone}", "A")
            assert response.flags & dns.flags.AD, f"{response}" + unbound.log.read_text()[-3000:]
    finally:
        unbound.stop()
        origin.cut()


# ---- changes ----


def signatures_of(node, zone, name, rtype):
    response = ask(node, name, rtype)
    return sorted(str(r) for s in response.answer if s.rdtype == dns.rdatatype.RRSIG for r in s)


def reload_of(node, accept=()):
    return node.cli("reload", "--data", str(node.data), *[x for z in accept for x in ("--accept-shrink", z)])


def test_reload_keeps_signatures(chain):
    """ECDSA signatures differ at each making, so equal ones were kept."""
    before = signatures_of(chain, "nsec.test", "www.nsec.test", "A")
    text = CHILD.format(zone="nsec.test").replace(" 1 3600 600", " 2 3600 600") + "new A 192.0.2.90\n"
    (chain.folder / "nsec.test.zone").write_text(text)
    assert reload_of(chain).returncode == 0
    assert wait_for(lambda: ask(chain, "new.nsec.test", "A").answer)
    assert signatures_of(chain, "nsec.test", "www.nsec.test", "A") == before
    assert signatures_of(chain, "nsec.test", "new.nsec.test", "A")


def test_lost_keys_never_unsign(chain):
    """L3: with the keys gone a reload is refused and what was served goes on; so does a restart."""
    before = signatures_of(chain, "nsec.test", "www.nsec.test", "A")
    shutil.move(str(chain.data / "keys" / "nsec.test"), str(chain.folder / "keys.away"))
    done = reload_of(chain)
    assert done.returncode != 0, done.stdout
    assert "nsec.test" in done.stdout + done.stderr
    assert signatures_of(chain, "nsec.test", "www.nsec.test", "A") == before
    chain.stop()
    chain.start()
    assert signatures_of(chain, "nsec.test", "www.nsec.test", "A") == before
    assert wait_for(lambda: chain.metric("holdfast_dnssec_zones_stuck") == 1), chain.log()
    assert chain.metric("holdfast_dnssec_zones") == len(SIGNED)
    assert chain.metric("holdfast_dnssec_signatures_end_timestamp_seconds") > time.time() + 5 * 86400
    shutil.move(str(chain.folder / "keys.away"), str(chain.data / "keys" / "nsec.test"))
    assert reload_of(chain).returncode == 0
    assert wait_for(lambda: chain.metric("holdfast_dnssec_zones_stuck") == 0), chain.log()


def test_unsigned_by_mistake(chain):
    """Leaving `dnssec` out of the configuration does not take the signatures away."""
    text = chain.config_path.read_text()
    chain.config_path.write_text(text.replace("{name: nsec.test, file: nsec.test.zone, dnssec: on}",
                                              "{name: nsec.test, file: nsec.test.zone}"))
    reload_of(chain)
    assert signatures_of(chain, "nsec.test", "www.nsec.test", "A")
