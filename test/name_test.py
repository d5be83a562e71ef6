"""A name beside an address: a real resolver (unbound) asks a real name server for it, and what breaks is the zone."""

import json
import shutil
import subprocess

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from node import DNS_PORT, ORIGIN_PORT, Origin, loopback, nodes, open_path, wait_for  # noqa: F401

VENDOR = """$TTL 1
@ SOA ns1 admin {serial} 3600 600 604800 1
@ NS ns1
ns1 A 192.0.2.53
{records}
"""
ROOT = ". 3600 SOA a.root. admin.root. 1 3600 600 604800 3600\n. 3600 NS a.root.\na.root. 3600 A 192.0.2.1\n"


class Vendor:
    """Whose names break: a node that serves vendor.test, and a resolver that asks it."""

    def __init__(self, nodes, folder, records):  # noqa: F811
        self.serial = 1
        self.zone = lambda records: VENDOR.format(serial=self.serial, records=records)
        self.node = nodes("""node: {name: v1, site: v, network: AS64510, data: "%DATA%"}
dns: {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones: [{name: vendor.test, file: vendor.zone}]
""", {"vendor.zone": self.zone(records)})
        self.node.start()
        self.address = loopback()
        folder.mkdir()
        (folder / "root.zone").write_text(ROOT)
        (folder / "unbound.conf").write_text(f"""server:
  interface: {self.address}
  port: {DNS_PORT}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  module-config: "iterator"
  local-zone: "test." nodefault
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  num-threads: 1
remote-control:
  control-enable: no
auth-zone:
  name: "."
  zonefile: "root.zone"
  for-downstream: no
  for-upstream: yes
stub-zone:
  name: "vendor.test"
  stub-addr: {self.node.address}@{DNS_PORT}
""")
        self.log = folder / "unbound.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [shutil.which("unbound") or "/usr/sbin/unbound", "-d", "-c", str(folder / "unbound.conf")],
                stdout=log, stderr=log)
        assert wait_for(lambda: self.answers("vendor.test", "SOA") and self.answers(".", "NS"), 10), self.log.read_text()

    def answers(self, name, rtype):
        try:
            query = dns.message.make_query(name, rtype, use_edns=0, payload=1232)
            return bool(dns.query.udp(query, self.address, port=DNS_PORT, timeout=2).answer)
        except (OSError, dns.exception.Timeout):
            return False

    def change(self, records):
        self.serial += 1
        (self.node.folder / "vendor.zone").write_text(self.zone(records))
        assert self.node.cli("reload", "--data", str(self.node.data)).returncode == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def world(nodes, open_path):  # noqa: F811
    origin = Origin(port=ORIGIN_PORT)
    vendor = Vendor(nodes, open_path / "unbound", f"api A {origin.address}")
    node = nodes(f"""node: {{name: n1, site: here, network: AS64500, data: "%DATA%",
  resolvers: "{vendor.address}:{DNS_PORT}"}}
dns: {{listen: ["%DNS%"], threads: 1}}
tell: {{listen: ["%TELL%"]}}
zones: [{{name: example.com, file: example.com.zone}}]
checks:
  web: {{http: "http://{{address}}:{ORIGIN_PORT}/", interval: 250ms, timeout: 250ms, fall: 2, hold_down: 1s}}
services:
  - name: api.example.com
    policy: simple
    ttl: 1s
    endpoints:
      - {{name: use1, address: {origin.address}, hostname: api.vendor.test, check: web}}
""")
    node.start()
    yield node, vendor, origin
    vendor.stop()
    origin.cut()


def name_of(node):
    out = node.cli("status", "--json", "--data", str(node.data))
    return json.loads(out.stdout)["endpoints"][0]["names"][0] if out.returncode == 0 else {}


def explained(node):
    return node.cli("explain", "api.example.com", "--data", str(node.data)).stdout


def found(node):
    return name_of(node)["seen"]["finding"]


def test_the_name_breaks(world):
    node, vendor, origin = world
    assert wait_for(lambda: name_of(node)["state"] == "up", 10), name_of(node)
    labels = 'endpoint="use1",name="api.vendor.test",family="ipv4"'
    assert node.metric("holdfast_endpoint_name_up", labels) == 1
    assert node.metric("holdfast_endpoint_up", f'address="{origin.address}"') == 1
    for records, reason, words in [
        ("", "resolve-nxdomain", "does not resolve since"),
        ("api TXT gone", "resolve-nodata", "(an empty answer); its address"),
        (f"api A {loopback()}", "resolve-wrong", "leads to an address that fails since"),
    ]:
        vendor.change(records)
        assert wait_for(lambda: name_of(node)["reason"] == reason and found(node) == "name", 15), name_of(node)
        sentence = name_of(node)["seen"]["sentence"]
        assert words in sentence and sentence.endswith(f"its address {origin.address} answers: DNS, not the server")
        out = explained(node)
        assert "by name api.vendor.test (A) it FAILS for" in out and sentence.split(" since ")[0] in out, out
        assert sentence.split(" since ")[0] in node.cli("status", "--data", str(node.data)).stdout
        # and no answer moves for it (L3)
        assert node.short("api.example.com") == [origin.address]
        assert node.metric("holdfast_endpoint_name_broken", labels) == 1
    vendor.change(f"api A {origin.address}")
    assert wait_for(lambda: name_of(node)["state"] == "up" and found(node) == "none", 15), name_of(node)
    assert "verdict.finding" in node.log() and "DNS, not the server" in node.log()
    assert node.metric("holdfast_endpoint_name_broken", labels) == 0


def test_its_servers_are_gone(world):
    node, vendor, origin = world
    assert wait_for(lambda: name_of(node)["state"] == "up", 10), name_of(node)
    vendor.node.stop()
    assert wait_for(lambda: found(node) == "name", 20), name_of(node)
    assert name_of(node)["reason"] in ("resolve-servfail", "resolve-timeout")
    assert node.short("api.example.com") == [origin.address]


def test_the_resolver_is_gone(world):
    """That is this node's own trouble, and says nothing about the name (L8)."""
    node, vendor, origin = world
    assert wait_for(lambda: name_of(node)["state"] == "up", 10), name_of(node)
    vendor.process.kill()
    assert wait_for(lambda: "resolvers.silent" in node.log(), 20), node.log()
    assert name_of(node)["state"] == "up" and found(node) == "none"
    assert wait_for(lambda: name_of(node)["frozen"], 10), name_of(node)
    assert node.short("api.example.com") == [origin.address]
