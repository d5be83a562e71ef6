"""holdfast zone import: zones from other name servers as master files."""

import subprocess

import dns.zone
import pytest

from node import DNS_PORT, loopback
from primary import SECRET, framed, primaries, zone_text  # noqa: F401 (fixtures)

KEY_FILE = f'key "k1" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'


@pytest.fixture
def run(holdfast):
    return lambda *words: subprocess.run([holdfast, "zone", "import", *words], capture_output=True, text=True, timeout=30)


def at(server, port=DNS_PORT):
    return f"{server.address}:{port}"


def same(text, expected, name="example.com"):
    return dns.zone.from_text(text, name, relativize=False) == dns.zone.from_text(expected, name, relativize=False)


@pytest.mark.parametrize("kind", ["knot", "nsd"])
def test_a_zone_comes_whole(run, primaries, tmp_path, kind):  # noqa: F811
    """Many messages, signed; NSD signs each hundredth only."""
    big = zone_text(7, *(f'n{i} TXT "{"x" * 200}"' for i in range(9000)))
    p = primaries(kind, {"example.com": big}, key=True)
    out, key = tmp_path / "z", tmp_path / "k1.key"
    key.write_text(KEY_FILE)
    done = run("example.com", "--from", at(p), "--key", str(key), "--out", str(out))
    assert done.returncode == 0 and "serial 7" in done.stdout, done.stderr
    assert same(out.read_text(), big)
    lines = out.read_text().splitlines()
    assert lines[1].split()[3] == "SOA" and lines[2].split()[3] == "NS"
    again = run("Example.COM.", "--from", at(p), "--key", str(key), "--out", str(out))
    assert again.returncode == 1 and "there already" in again.stderr
    assert run("example.com", "--from", at(p)).returncode == 1
    key.write_text(KEY_FILE.replace(SECRET[:4], SECRET[4:8]))
    bad = run("example.com", "--from", at(p), "--key", str(key))
    assert bad.returncode == 1 and not bad.stdout and ("NOTAUTH: it does" in bad.stderr or "REFUSED: it does" in bad.stderr), bad.stderr


def test_over_tls(run, primaries, tmp_path):  # noqa: F811
    p = primaries("knot", {"example.com": zone_text(7)})
    front = primaries("tls", p)
    said = ("example.com", "--from", at(front, front.PORT))
    done = run(*said, "--out", "-", "--tls", "ns1.example", "--ca", front.ca)
    assert done.returncode == 0 and same(done.stdout, zone_text(7)), done.stderr
    assert front.connections == 1
    wrong = run(*said, "--tls", "ns2.example", "--ca", front.ca)
    assert wrong.returncode == 1 and "hostname mismatch" in wrong.stderr, wrong.stderr
    unknown = run(*said, "--tls", "ns1.example")
    assert unknown.returncode == 1 and "self-signed" in unknown.stderr, unknown.stderr
    old = primaries("tls", p, expired=True)
    expired = run("example.com", "--from", at(old, old.PORT), "--tls", "ns1.example", "--ca", old.ca)
    assert expired.returncode == 1 and "expired" in expired.stderr, expired.stderr
    web = primaries("tls", p, alpn=("http/1.1",))
    assert run("example.com", "--from", at(web, web.PORT), "--tls", "ns1.example", "--ca", web.ca).returncode == 1


def test_nothing_is_written_of_half_a_zone(run, primaries, tmp_path):  # noqa: F811
    liar, out = primaries("liar"), tmp_path / "z"

    def half(self, query, connection):
        connection.sendall(framed(self.reply(query, self.soa("example.com."))))

    liar.script = half
    done = run("example.com", "--from", at(liar), "--out", str(out))
    assert done.returncode == 1 and "closed the connection" in done.stderr
    liar.script = lambda self, query, connection: connection.sendall(framed(self.reply(query)))
    done = run("example.com", "--from", at(liar), "--out", str(out))
    assert done.returncode == 1 and "no records" in done.stderr
    assert not out.exists()
    liar.script = lambda self, query, connection: connection.sendall(
        framed(self.reply(query, self.soa("example.com."), self.soa("example.com."))))
    done = run("example.com", "--from", at(liar), "--out", str(out))
    assert done.returncode == 1 and "NS" in done.stderr  # a zone that no name server may serve
    assert not out.exists()


def test_nobody_listens(run):
    done = run("example.com", "--from", f"{loopback()}:{DNS_PORT}")
    assert done.returncode == 1 and "refused" in done.stderr
    assert run("example.com").returncode == 2
    assert run("example.com", "--from", "ns1.example").returncode == 1
