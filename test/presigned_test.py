"""Zones that were signed elsewhere (dnssec-signzone) are served with just those signatures: by every algorithm, with NSEC
and NSEC3, salt, iterations and opt-out, as unbound, delv and a transfer see them; what is wrong with them is said and
takes nothing off the air."""

import re
import subprocess

import dns.dnssec
import dns.flags
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest

from dnssec_test import CHILD, QUESTIONS, ask, ds_lines, full, outcome, parent_zone, reload_of, validator_of
from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401: fixtures

# zone: algorithm, options of dnssec-signzone
ZONES = {
    "nsec.test": ("ECDSAP256SHA256", []),
    "salt.test": ("ECDSAP256SHA256", ["-3", "c0ffee", "-H", "5"]),
    "optout.test": ("ECDSAP256SHA256", ["-3", "-", "-H", "0", "-A"]),
    "ed.test": ("ED25519", ["-3", "-", "-H", "0"]),
    "rsa.test": ("RSASHA256", []),
    "rsa512.test": ("RSASHA512", []),
    "p384.test": ("ECDSAP384SHA384", ["-3", "-", "-H", "0"]),
}
MORE = "sub.ent2 NS ns.elsewhere.test.\nd.sub3 NS ns.elsewhere.test.\nMixed-Case A 192.0.2.9\n"
MORE_QUESTIONS = [("sub.ent2", "DS", "NODATA"), ("ent2", "A", "NODATA"), ("x.ent2", "A", "NXDOMAIN"),
                  ("sub3", "TXT", "NODATA"), ("mixed-case", "A", "NOERROR"), ("mixed-case", "MX", "NODATA")]


def run(*words, **more):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=60, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """zone: the text that another signer made."""
    texts = {}
    for zone, (algorithm, options) in ZONES.items():
        folder = tmp_path_factory.mktemp(zone)
        size = ["-b", "1024"] if algorithm.startswith("RSA") else []
        run("dnssec-keygen", "-q", "-a", algorithm, *size, "-f", "KSK", zone, cwd=folder)
        run("dnssec-keygen", "-q", "-a", algorithm, *size, zone, cwd=folder)
        (folder / "plain").write_text(CHILD.format(zone=zone) + MORE)
        run("dnssec-signzone", "-S", "-x", "-o", zone, "-f", "signed", *options, "plain", cwd=folder)
        texts[zone] = (folder / "signed").read_text()
    return texts


CONFIG = """
node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns: {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
  - {name: test, file: test.zone, dnssec: on}
"""


@pytest.fixture
def served(nodes, signed):  # noqa: F811
    """A node that serves them, under a parent that it signs itself."""
    zones = "".join(f'  - {{name: {z}, file: {z}.zone, transfer: {{allow: [127.0.0.0/8]}}}}\n' for z in ZONES)
    parent = parent_zone("192.0.2.53").split("nsec.test.")[0] + "".join(f"{z}. NS ns\n" for z in ZONES)
    files = {f"{z}.zone": text for z, text in signed.items()}
    node = nodes(CONFIG + zones, {**files, "test.zone": parent})
    node.start()
    ds = [line for z in ZONES for line in ds_lines(node, z)]
    (node.folder / "test.zone").write_text(parent + "\n".join(ds) + "\n")
    assert reload_of(node).returncode == 0
    assert wait_for(lambda: ask(node, "nsec.test", "DS").answer), node.log()
    return node


def records(text, zone):
    found = set()
    parsed = dns.zone.from_text(text, origin=zone, relativize=False)
    for name, ttl, data in parsed.iterate_rdatas():
        found.add((name.canonicalize(), ttl, data.rdtype, data.to_digestable(dns.name.root)))
    return found


def test_validators(served, open_path):  # noqa: F811
    unbound = validator_of(served, open_path / "unbound", ["test", *ZONES])
    wrong = []
    try:
        for zone in ZONES:
            optout = "optout" in zone
            for name, rtype, wanted in QUESTIONS + MORE_QUESTIONS:
                if name == "away":
                    wanted = "NXDOMAIN"
                response = unbound.ask(full(name, zone), rtype)
                secure = bool(response.flags & dns.flags.AD)
                # RFC 5155 9.2: what falls into an opt-out span is answered, but not as authentic.
                if outcome(response) != wanted or not secure and not (optout and wanted != "NOERROR" or "x." in name):
                    wrong.append(f"{full(name, zone)} {rtype}: {outcome(response)} ad={secure}, not {wanted}")
        assert not wrong, "\n".join(wrong) + unbound.log.read_text()[-4000:]
    finally:
        unbound.stop()


def test_delv(served, open_path):  # noqa: F811
    key = ds_lines(served, "test")[0].split(" DS ")[1].split()
    anchor = open_path / "bind.keys"
    anchor.write_text(f'trust-anchors {{ test. static-ds {key[0]} {key[1]} {key[2]} "{key[3]}"; }};\n')
    for zone in ZONES:
        for name, rtype in (("www", "A"), ("x.wild", "A"), ("mixed-case", "MX"), ("ent", "A"), ("missing", "A")):
            out = run("delv", f"@{served.address}", "-p", DNS_PORT, "-a", anchor, "+root=test", full(name, zone), rtype)
            spanned = zone == "optout.test" and name in ("x.wild", "missing")  # RFC 5155 9.2
            assert "fully validated" in out or spanned and "unsigned answer" in out, out


def test_transfers_give_back_what_came(served, signed):
    for zone in ZONES:
        messages = dns.query.xfr(served.address, zone, port=DNS_PORT, relativize=False, lifetime=10)
        got = dns.zone.from_xfr(messages, relativize=False)
        assert records(got.to_text(relativize=False), zone) == records(signed[zone], zone), zone


def test_wrong_but_on_the_air(served, signed):
    """L3: without one signature, and with a gap in the chain, all else stays valid, and the log says what is wrong."""
    zone = "nsec.test"
    # The signer's file is in no order.
    lines = re.sub(r"(\ntxt\.nsec\.test\.\t[^\n]*)\n\t+(\d+\t)?RRSIG\tTXT [^)]*\)", r"\1", signed[zone])
    assert lines != signed[zone]
    (served.folder / f"{zone}.zone").write_text(lines.replace(" 3600 ; refresh", " 3601 ; refresh"))
    done = reload_of(served)
    assert done.returncode == 0, done.stdout + done.stderr
    assert wait_for(lambda: "no signature by a key of the zone" in served.log()), served.log()
    assert wait_for(lambda: not any(r.rdtype == dns.rdatatype.RRSIG for r in ask(served, f"txt.{zone}", "TXT").answer))
    assert any(r.rdtype == dns.rdatatype.RRSIG for r in ask(served, f"www.{zone}", "A").answer)


def test_no_new_keys_under_given_signatures(served):
    """`dnssec: on` for a zone whose DS is of another's key would make it bogus."""
    text = served.config_path.read_text()
    served.config_path.write_text(text.replace("file: ed.test.zone", "file: ed.test.zone, dnssec: on"))
    done = reload_of(served)
    assert done.returncode != 0 and "signatures it came with" in done.stdout + done.stderr
    assert any(r.rdtype == dns.rdatatype.RRSIG for r in ask(served, "www.ed.test", "A").answer)
