"""Master files: what Holdfast makes of them, against dnspython's own parser and nsd-checkzone."""

import random
import re
import shutil
import subprocess

import dns.rdatatype
import dns.zone
import pytest

HEAD = """$TTL 1h
@ IN SOA ns1 hostmaster.example.com. ( 2024010101 ; serial
   1h 15m ; refresh, retry
   1w 5m )
  NS ns1
ns1 A 192.0.2.1
"""

# What one line may hold, for each type. dnspython 2.3 must know the type.
DATA = {
    "A": ["192.0.2.%d" % i for i in range(1, 9)],
    "AAAA": ["2001:db8::%x" % i for i in range(1, 9)] + ["::ffff:192.0.2.1"],
    "TXT": ['"a b" c', '"semi;colon" \\059', '"\\"quoted\\""', 'caf\\195\\169 ""', "( one\n two )"],
    "MX": ["10 mail", "20 mail.example.net.", "0 ."],
    "SRV": ["0 5 5060 sip", "1 0 443 @"],
    "CAA": ['0 issue "ca.example.net; a=b"', "128 iodef mailto:x@example.com", '0 issuewild ";"'],
    "SSHFP": ["2 1 123456789abcdef67890123456789abcdef67890", "4 2 ( 00112233445566778899aabbccddeeff\n 00112233445566778899aabbccddeeff )"],
    "TLSA": ["3 1 1 d2abde240d7cd3ee6b4b28c54df034b9 7983a1d16e8a410e4561cb106618e971"],
    "NAPTR": ['100 50 "s" "http+I2L+I2C+I2R" "" _http._tcp', '10 100 "u" "E2U+sip" "!^.*$!sip:x@example.com!" .'],
    "HINFO": ['"PC" Linux', "VAX-11/780 UNIX"],
    "RP": ["admin admin-text", ". ."],
    "LOC": ["48 51 29.6 N 2 17 40.2 E 330m 10m 100m 10m", "42 21 54 N 71 06 18 W -24m 30m"],
    "URI": ['10 1 "ftp://ftp1.example.com/public"'],
    "SVCB": ["1 . port=8443", "0 other.example.net."],
    "HTTPS": ['1 . alpn="h2,h3" ipv4hint=192.0.2.1,192.0.2.2', "16 svc.example.net. mandatory=port port=53 key65280=x"],
    "DNAME": [],
    "EUI48": ["00-00-5e-00-53-2a"],
    "EUI64": ["00-00-5e-ef-10-00-00-2a"],
    "CERT": ["1 0 0 AQIDBAUGBwg="],
    "DHCID": ["AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="],
    "OPENPGPKEY": ["AQIDBAUG"],
    "AFSDB": ["1 afs"],
    "PTR": ["target", "a.b.c.example.org."],
    "APL": ["1:192.168.32.0/21 !1:192.168.38.0/28", "2:ff00::/8"],
    "DNSKEY": ["257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+ KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="],
    "CSYNC": ["66 3 A NS AAAA"],
    "ZONEMD": ["2018031500 1 1 " + "ab" * 48],
    "L32": ["10 10.1.2.0"],
    "L64": ["10 2001:0db8:1140:1000"],
    "NID": ["10 0014:4fff:ff20:ee64"],
    "LP": ["10 l64-subnet"],
    "KX": ["1 kx"],
    "SMIMEA": ["3 1 1 00ff"],
    "TYPE65400": ["\\# 4 01020304", "\\# 0"],
    "IPSECKEY": ["10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=="],
    "AMTRELAY": ["10 0 1 203.0.113.15", "10 1 3 amt"],
    "NSEC3PARAM": ["1 0 12 aabbccdd", "1 0 0 -"],
}


def show(holdfast, path, name="example.com"):
    out = subprocess.run([holdfast, "zone", "show", path, name], capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    return out.stdout


def records(zone):
    """A zone of dnspython as a set of comparable records: canonical bytes, so names in lower case."""
    return {
        (name.to_digestable(zone.origin), ttl, int(data.rdtype), data.to_digestable(zone.origin))
        for name, ttl, data in zone.iterate_rdatas()
    }


def by_dnspython(text):
    """dnspython 2.3 reads the TTL before the class only; RFC 1035 allows both."""
    text = re.sub(r"\bIN([ \t]+)300\b", r"300\1IN", text.replace("\r", ""))
    return records(dns.zone.from_text(text, "example.com.", relativize=False, check_origin=False))


def line_of(rng, owner, kind, data):
    """One record, written as people write them."""
    fields = rng.choice([["IN"], ["300"], ["300", "IN"], ["IN", "300"], ["1h30m"], []])
    kind = rng.choice([kind, kind.lower()]) if not kind.startswith("TYPE") else kind
    space = rng.choice([" ", "\t", "   "])
    line = space.join([owner, *fields, kind, data])
    if "(" not in data and rng.random() < 0.2:
        line = space.join([owner, *fields, "(", kind + "\n" + space + data, ")"])
    return line + rng.choice(["", " ; a comment", "\t;;( \"", "  "])


def zone_of(rng):
    lines = [HEAD]
    for i in range(rng.randrange(5, 60)):
        kind = rng.choice([k for k in DATA if DATA[k]])
        owner = rng.choice([f"n{i}", f"a.b{i}", f"N{i}.Example.COM.", f"*.w{i}", f"_x._y{i}", f"odd\\.{i}"])
        for j, data in enumerate(rng.sample(DATA[kind], rng.randrange(1, len(DATA[kind]) + 1))):
            lines.append(line_of(rng, "" if j and rng.random() < 0.5 else owner, kind, data) + "\n")
        if rng.random() < 0.1:
            lines.append(rng.choice(["$TTL 77\n", "\n", "; nothing\n", f"$ORIGIN s{i}.example.com.\n", "$TTL 2h\n"]))
    text = "".join(lines)
    if rng.random() < 0.3:
        text = text.replace("\n", "\r\n")
    return text.rstrip("\r\n") if rng.random() < 0.3 else text


@pytest.mark.sanitize
@pytest.mark.parametrize("seed", range(40))
def test_reads_what_dnspython_reads(holdfast, tmp_path, seed):
    text = zone_of(random.Random(seed))
    path = tmp_path / "zone"
    path.write_bytes(text.encode())
    ours = show(holdfast, path)
    assert by_dnspython(ours) == by_dnspython(text)
    # Its own output is a master file that means the same.
    again = tmp_path / "again"
    again.write_text(ours)
    assert show(holdfast, again) == ours


@pytest.mark.parametrize("seed", range(8))
def test_nsd_reads_what_it_writes(holdfast, tmp_path, seed):
    checker = shutil.which("nsd-checkzone", path="/usr/sbin:/usr/bin")
    if not checker:
        pytest.skip("nsd is not installed")
    rng = random.Random(1000 + seed)
    path, ours = tmp_path / "zone", tmp_path / "ours"
    path.write_text(zone_of(rng))
    text = show(holdfast, path)
    # NSD 4.6 does not know these.
    unknown = ("AMTRELAY", "L32", "L64", "NID", "LP", "SMIMEA", "URI")
    ours.write_text("".join(line for line in text.splitlines(True) if line.split()[3] not in unknown))
    out = subprocess.run([checker, "example.com", ours], capture_output=True, text=True, timeout=20)
    assert out.returncode == 0, out.stdout + out.stderr


def test_types_without_a_text_form(holdfast, tmp_path):
    """Known by number at most: written as RFC 3597 says."""
    path = tmp_path / "zone"
    names = ("NULL", "TYPE100", "TYPE65400")
    path.write_text(HEAD + "".join(f"x TYPE{int(dns.rdatatype.from_text(n))} \\# 3 01 02 03\n" for n in names))
    shown = show(holdfast, path)
    for name in names:
        assert f"x.example.com. 3600 IN {name} \\# 3 010203\n" in shown


def test_include(holdfast, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "zone").write_text(HEAD + "$INCLUDE sub/more inner\nafter A 192.0.2.9\n$INCLUDE \"sub/with space\"\n")
    (tmp_path / "sub/more").write_text("in A 192.0.2.8\n")
    (tmp_path / "sub/with space").write_text("spaced A 192.0.2.7")
    shown = show(holdfast, tmp_path / "zone")
    assert "in.inner.example.com. 3600 IN A 192.0.2.8\n" in shown
    assert "after.example.com. 3600 IN A 192.0.2.9\n" in shown
    assert "spaced.example.com. 3600 IN A 192.0.2.7\n" in shown


def test_problems_have_places(holdfast, tmp_path):
    (tmp_path / "more").write_text("\nx A 300.1.2.3\n")
    path = tmp_path / "zone"
    path.write_text(HEAD + "$INCLUDE more\na A 192.0.2.\nb\tNOSUCH x\nc TXT \"open\nd A 192.0.2.1\n")
    out = subprocess.run([holdfast, "zone", "check", path, "example.com"], capture_output=True, text=True, timeout=20)
    assert out.returncode == 1
    places = re.findall(r"^(.*?):(\d+):(\d+): (.+)$", out.stderr, re.M)
    assert [(p.rsplit("/", 1)[-1], int(line), int(column)) for p, line, column, _ in places] == [
        ("more", 2, 5), ("zone", 8, 5), ("zone", 9, 3), ("zone", 10, 7)]


def test_problems_of_included_files_name_them(holdfast, tmp_path):
    """Also those that only the zone as a whole shows."""
    (tmp_path / "more").write_text("\nwww A 192.0.2.3\n")
    path = tmp_path / "zone"
    path.write_text(HEAD + "www CNAME ns1\n$INCLUDE more\n")
    out = subprocess.run([holdfast, "zone", "check", path, "example.com"], capture_output=True, text=True, timeout=20)
    assert out.returncode == 1
    assert re.match(r"(.*/)?more:2:1: www\.example\.com has a CNAME record", out.stderr), out.stderr


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\x7fELF" + bytes(range(256)), b"(" * 5000, b'"' * 5000,
                                     b"\\" * 5000, b"a 1 A (\n" * 2000, b"$INCLUDE zone\n", b"." * 100000])
def test_nonsense_is_refused(holdfast, tmp_path, content):
    path = tmp_path / "zone"
    path.write_bytes(content)
    out = subprocess.run([holdfast, "zone", "check", path, "example.com"], capture_output=True, text=True, timeout=20)
    assert out.returncode == 1
    lines = out.stderr.splitlines()
    assert 1 <= len(lines) <= 101
