"""What nodes share of their configuration: zones, checks and services that are changed at run time."""

import json
import textwrap

from mesh_test import Cluster, sees
from node import nodes, open_path, origins, wait_for  # noqa: F401

ZONE = textwrap.dedent("""\
    $ORIGIN example.com.
    $TTL 3600
    @    IN SOA ns1 hostmaster (7 7200 900 1209600 300)
         IN NS  ns1
    ns1  IN A   192.0.2.53
    www  IN A   192.0.2.1
         IN A   192.0.2.2
    txt  IN TXT "a; \\"b\\"" "c"
    a    IN A   192.0.2.3
    b    IN A   192.0.2.4
    """)


OWN = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 2}
tell: {listen: ["%TELL%"]}
"""


class Sharing:
    """A node whose own file has nothing but what is its own."""

    def __init__(self, nodes, origins):
        self.primary, self.secondary = origins(2)
        self.node = nodes(OWN, zones={"unused": ""}).start()
        self.said, self.refused = self.node.said, self.node.refused
        self.folder = self.node.folder / "share"
        self.folder.mkdir()

    def file(self, config, zone=ZONE):
        (self.folder / "example.com.zone").write_text(zone)
        path = self.folder / "shared.yaml"
        path.write_text(json.dumps(config))
        return str(path)

    def service(self):
        ends = [{"name": "use1", "address": self.primary.address, "role": "primary", "check": "web"},
                {"name": "euw1", "address": self.secondary.address, "role": "secondary", "check": "web"}]
        return {"name": "api.example.com", "policy": "failover", "ttl": "1s", "endpoints": ends}

    def everything(self):
        check = {"http": f"http://{{address}}:{self.primary.port}/", "interval": "100ms", "timeout": "100ms"}
        return {"zones": [{"name": "example.com", "file": "example.com.zone"}], "checks": {"web": check},
                "services": [self.service()]}

    def short(self, *words):
        return sorted(self.node.dig("+short", *words).splitlines())

    def serial(self):
        soa = self.short("example.com", "SOA")
        return int(soa[0].split()[2]) if soa else 0


def test_zones_and_services_are_shared_at_run_time(nodes, origins):  # noqa: F811
    s = Sharing(nodes, origins)
    path = s.file(s.everything())
    dry = s.said("share", path, "--dry-run")
    assert "add zone example.com" in dry and "add service api.example.com" in dry
    assert s.short("www.example.com", "A") == []
    assert "change 1: " in s.said("share", path, "--reason", "a first zone")
    assert wait_for(lambda: s.short("www.example.com", "A") == ["192.0.2.1", "192.0.2.2"])
    assert s.short("txt.example.com", "TXT") == ['"a; \\"b\\"" "c"']
    assert wait_for(lambda: s.short("api.example.com", "A") == [s.primary.address])
    first = s.serial()
    assert first == 8  # what the file says, and the number of the change
    # The same again changes nothing.
    assert s.said("share", path) == "nothing is to be changed\n"
    # One set of records; the serial moves by itself, and undo brings back what was.
    s.said("record", "set", "www.example.com", "a", "192.0.2.9", "--ttl", "60")
    assert wait_for(lambda: s.short("www.example.com", "A") == ["192.0.2.9"])
    assert s.serial() == 9
    assert "www.example.com. 60 IN A 192.0.2.9\n" in s.said("record", "list", "example.com")
    s.said("undo", "2")
    assert wait_for(lambda: s.short("www.example.com", "A") == ["192.0.2.1", "192.0.2.2"])
    assert s.serial() == 10
    assert "a first zone" in s.said("log")
    # Steering follows the shared check.
    s.primary.cut()
    assert wait_for(lambda: s.short("api.example.com", "A") == [s.secondary.address])
    # What is shown is a file that share takes, and it says the same.
    shown = s.folder / "shown.yaml"
    shown.write_text(s.said("share", "show"))
    assert s.said("share", str(shown), "--prune") == "nothing is to be changed\n"
    # A restart has it all, from the node's folder alone.
    s.node.stop()
    s.node.start()
    assert wait_for(lambda: s.short("www.example.com", "A") == ["192.0.2.1", "192.0.2.2"])
    assert s.serial() == 10


def test_what_is_wrong_is_refused_and_changes_nothing(nodes, origins):  # noqa: F811
    s = Sharing(nodes, origins)
    s.said("share", s.file(s.everything()))
    assert wait_for(lambda: s.short("a.example.com", "A") == ["192.0.2.3"])
    # Problems are told with their places: of the file, of the part, of the records.
    wrong = s.everything()
    wrong["services"][0]["policy"] = "fastest"
    why = s.refused("share", s.file(wrong))
    assert "shared service api.example.com:1:" in why and "fastest" in why
    wrong = s.everything()
    del wrong["checks"]
    wrong["services"][0]["endpoints"][0]["check"] = "nothing"
    assert "nothing" in s.refused("share", s.file(wrong))
    why = s.refused("share", s.file(s.everything(), ZONE + "www IN CNAME a\n"))
    assert "shared records of example.com" in why and "www.example.com" in why
    why = s.refused("share", s.file(s.everything(), ZONE + "bad IN A 192.0.2\n"))
    assert "example.com.zone:11:10:" in why
    assert "each node's own" in s.refused("share", s.file({"node": {"name": "x"}}))
    assert "follows from its changes" in s.refused("share", s.file({"zones": [{"name": "example.org", "serial": "date"}]}))
    # A zone that has no SOA cannot be served, so it is not taken.
    assert "no SOA record" in s.refused("share", s.file({"zones": [{"name": "example.org"}]}))
    assert "SOA" in s.refused("record", "remove", "example.com", "SOA")
    # L3: to lose a third wants to be said.
    why = s.refused("share", s.file(s.everything(), "\n".join(ZONE.split("\n")[:5]) + "\n"))
    assert "example.com would lose 4 of its 7 sets of records" in why and "--force" in why
    assert s.short("a.example.com", "A") == ["192.0.2.3"] and s.serial() == 8
    s.said("share", s.file(s.everything(), "\n".join(ZONE.split("\n")[:5]) + "\n"), "--force")
    assert wait_for(lambda: s.short("a.example.com", "A") == [])
    # A zone goes with all its records; a service needs none to be there.
    assert "change " in s.said("share", "remove", "service", "api.example.com")
    s.said("share", "remove", "zone", "example.com", "--force")
    assert wait_for(lambda: "REFUSED" in s.node.dig("ns1.example.com"))


def test_a_node_keeps_what_it_has_where_its_own_file_disagrees(nodes, origins):  # noqa: F811
    """The file of this node names a zone that is shared already: the reload is refused, serving goes on."""
    s = Sharing(nodes, origins)
    s.said("share", s.file(s.everything()))
    assert wait_for(lambda: s.short("a.example.com", "A") == ["192.0.2.3"])
    config = s.node.config_path.read_text()
    s.node.config_path.write_text(config + "zones: [{name: example.com, file: x.zone}]\n")
    out = s.node.cli("reload", "--data", str(s.node.data))
    assert out.returncode == 1 and "example.com was named before" in out.stderr, out
    assert s.short("a.example.com", "A") == ["192.0.2.3"]


def test_what_one_node_takes_every_node_serves(nodes):  # noqa: F811
    cluster = Cluster(nodes)
    a = cluster.first()
    b, c = cluster.joined(a), cluster.joined(a)
    assert wait_for(lambda: sees(c, "node-1", "node-2")), c.log()
    folder = b.folder / "share"
    folder.mkdir()
    (folder / "z").write_text(ZONE.replace("example.com", "example.org"))
    (folder / "shared.yaml").write_text("zones: [{name: example.org, file: z}]\n")
    assert wait_for(lambda: b.cli("share", str(folder / "shared.yaml"), "--data", str(b.data)).returncode == 0, 15)
    for n in (a, b, c):
        assert wait_for(lambda n=n: n.short("www.example.org") == ["192.0.2.1", "192.0.2.2"]), n.log()
    out = c.cli("record", "set", "www.example.org", "A", "192.0.2.7", "--data", str(c.data))
    assert out.returncode == 0, out.stderr
    for n in (a, b, c):
        assert wait_for(lambda n=n: n.short("www.example.org") == ["192.0.2.7"]), n.log()
    serials = {tuple(n.dig("+short", "example.org", "SOA").split()[2:3]) for n in (a, b, c)}
    assert len(serials) == 1, serials
