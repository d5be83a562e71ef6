"""The keys of a signed zone: made at first use, rolled on a running node, never lost in silence.

Time is the wall clock of the processes under test, stepped with a preloaded library. What resolvers hold is played
here: everything that a cache may still have (the parent's DS, the DNSKEY set, data and its signatures, each for as
long as its TTL) has to validate with everything else that it may have at the same time.
"""

import json
import pathlib
import re
import shutil
import stat
import struct
import subprocess
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset
import pytest
from node import DNS_PORT, ZONE, failover_config, nodes, open_path, origins, wait_for  # noqa: F401

ORIGIN = dns.name.from_text("example.com")
HOUR, DAY = 3600, 86400
DNSKEY_TTL, DS_TTL, PROPAGATION, ZONE_TTL = 600, 4 * HOUR, 60, 600
POLICY = "lifetime: 14d, dnskey_ttl: 10m, ds_ttl: 4h, propagation: 1m"


class Clock:
    def __init__(self, folder, holdfast):
        build = pathlib.Path(holdfast).resolve().parent
        found = [p for p in (build / "libclockstep.so", *build.parent.glob("**/libclockstep.so")) if p.exists()]
        assert found, "libclockstep.so is built with the tests"
        self.path = folder / "clock"
        self.path.write_bytes(struct.pack("<q", 0))
        self.path.chmod(0o644)
        self.offset = 0
        self.env = {"LD_PRELOAD": str(found[0]), "HOLDFAST_TEST_CLOCK": str(self.path)}

    def step(self, seconds):
        self.offset += seconds
        with open(self.path, "r+b") as f:
            f.write(struct.pack("<q", self.offset))

    def now(self):
        return int(time.time()) + self.offset


def signed_config(a, b, policy):
    return failover_config(a, b).replace("file: example.com.zone", f"file: example.com.zone, dnssec: {policy}")


def ask(node, name, rtype):
    query = dns.message.make_query(name, rtype, want_dnssec=True)
    return dns.query.tcp(query, node.address, port=DNS_PORT, timeout=5)


def rrset(response, name, rtype):
    """The set and its signatures."""
    name = dns.name.from_text(name)
    found = response.find_rrset(response.answer, name, dns.rdataclass.IN, rtype)
    return found, response.find_rrset(response.answer, name, dns.rdataclass.IN, dns.rdatatype.RRSIG, rtype)


def state(node, zone="example.com"):
    return json.loads((node.data / "keys" / zone / "state.json").read_text())


def stages(node):
    return {k["tag"]: (k["use"], k["stage"], k["ds"]) for k in state(node)["keys"]}


def key_times(node):
    """From the board of keys (model/key_board.h): when each zone's keys take their next step, and from when on signatures are
    late; 0: never."""
    data = (node.data / "run" / "keys").read_bytes()
    count, (size, rest) = struct.unpack_from("<I", data, 12)[0], divmod(len(data) - 40, 100)
    assert not rest
    zones = [struct.unpack_from("<qqq", data, 40 + (i + 1) * size - 24) for i in range(count)]
    return [struct.unpack_from("<q", data, 32)[0], *(at for next_event, _, alarm in zones for at in (next_event, alarm))]


def pass_time(node, clock, seconds):
    """Time goes by at once; what is due then is done, and what was made, now or by an order before, is served."""
    def late(times):
        return any(0 < at <= clock.now() for at in times)

    def served(zone, made):
        return (ask(node, zone, "SOA").answer[0][0].serial - int(made)) % 2 ** 32 < 2 ** 31  # that, or a newer one

    before, start, plans = key_times(node), len(node.log()), node.log().count("event=plan.loaded")
    clock.step(seconds)
    due = late(before)
    if due:
        assert wait_for(lambda: not late(key_times(node)), 20), (key_times(node), clock.now(), node.log()[-3000:])
    made = dict(re.findall(r"event=zone\.made zone=(\S+) serial=(\d+)", node.log()))  # the last one of each
    assert wait_for(lambda: all(served(*m) for m in made.items())), (made, node.log()[-3000:])
    if due and "event=zone.made" not in node.log()[start:]:  # steered names alone were signed anew
        wait_for(lambda: node.log().count("event=plan.loaded") > plans, 2)


class Caches:
    """What resolvers may hold, and whether it fits together."""

    def __init__(self, node, clock):
        self.node, self.clock, self.ds = node, clock, set()
        self.seen = []  # (time, DS set, (DNSKEY, RRSIG), [(data, RRSIG)])

    def look(self):
        keys = rrset(ask(self.node, "example.com", "DNSKEY"), "example.com", dns.rdatatype.DNSKEY)
        data = [rrset(ask(self.node, name, "A"), name, dns.rdatatype.A)
                for name in ("static.example.com", "api.example.com")]
        now = self.clock.now()
        self.seen.append((now, frozenset(self.ds), keys, data))
        self.seen = [s for s in self.seen if s[0] > now - DS_TTL]
        self.check(now)

    def check(self, now):
        for _, ds, _, _ in [s for s in self.seen if s[1] and s[0] > now - DS_TTL]:
            for keys, key_sigs in [s[2] for s in self.seen if s[0] > now - DNSKEY_TTL]:
                trusted = [k for k in keys if any(
                    dns.dnssec.make_ds(ORIGIN, k, "SHA256") == d for d in ds)]
                assert trusted, f"no DNSKEY fits the parent's DS: {stages(self.node)}"
                anchors = dns.rrset.from_rdata_list(ORIGIN, 0, trusted)
                dns.dnssec.validate(keys, key_sigs, {ORIGIN: anchors}, now=now)
                for data in [s[3] for s in self.seen if s[0] > now - ZONE_TTL]:
                    for records, sigs in data:
                        dns.dnssec.validate(records, sigs, {ORIGIN: keys}, now=now)

    def pass_time(self, seconds, step):
        """Time goes by, and resolvers look."""
        while seconds > 0:
            pass_time(self.node, self.clock, min(step, seconds))
            seconds -= step
            self.look()


def dnssec(node, *args):
    return node.cli("dnssec", *args, "--data", str(node.data))


def parent_take(caches, node):
    """What status says is to be given to the parent, as a parent takes it."""
    text = dnssec(node, "status", "example.com").stdout
    lines = re.findall(r"^    example\.com\. IN DS (.+)$", text, re.M)
    assert len(lines) == 1, text
    return dns.rdata.from_text("IN", "DS", lines[0]), text


@pytest.fixture
def node(nodes, origins, open_path, holdfast):  # noqa: F811
    """Makes a signed node with a clock of its own."""
    def make(policy):
        clock = Clock(open_path, holdfast)
        a, b = origins(2)
        zone = ZONE.replace("$TTL 300", f"$TTL {ZONE_TTL}")
        made = nodes(signed_config(a, b, policy), {"example.com.zone": zone}, clock.env).start()
        assert wait_for(lambda: "RRSIG" in made.dig("+dnssec", "api.example.com", "A")), made.log()
        return made, clock
    return make


def test_keys_are_private(node):
    made, _ = node("on")
    folder = made.data / "keys" / "example.com"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert path.stat().st_uid == (made.data / "plan").stat().st_uid
    # a key that others may read is refused, with what to do; what is served goes on
    key = next(folder.glob("csk-*.pem"))
    key.chmod(0o644)
    out = made.cli("reload", "--data", str(made.data))
    assert out.returncode == 1 and "chmod 0600" in out.stderr, out
    said = dnssec(made, "status", "example.com").stdout
    assert "cannot be signed anew until" in said and "chmod 0600" in said, said
    assert "RRSIG" in made.dig("+dnssec", "static.example.com", "A")
    key.chmod(0o600)
    assert made.cli("reload", "--data", str(made.data)).returncode == 0
    assert "until this is" not in dnssec(made, "status", "example.com").stdout
    folder.rename(folder.with_suffix(".away"))
    assert "restore them from a backup" in dnssec(made, "status", "example.com").stderr
    folder.with_suffix(".away").rename(folder)
    # what a text would change is told without what signing makes
    out = made.cli("zone", "diff", str(made.folder / "example.com.zone"), "example.com", "--data", str(made.data))
    assert (out.returncode, out.stdout) == (0, ""), out
    text = (made.folder / "example.com.zone").read_text()
    (made.folder / "other").write_text(text.replace("192.0.2.80", "192.0.2.81"))
    out = made.cli("zone", "diff", str(made.folder / "other"), "example.com", "--data", str(made.data))
    assert out.returncode == 1 and [line.split()[0] + line.split()[-1] for line in out.stdout.splitlines()] == [
        "-192.0.2.80", "+192.0.2.81"], out


def test_csk_roll(node):
    made, clock = node(f"{{{POLICY}}}")
    caches = Caches(made, clock)
    caches.look()
    first, = stages(made)
    out = dnssec(made, "ds-seen", "example.com")
    assert out.returncode == 1 and "too early" in out.stderr, out
    caches.pass_time(ZONE_TTL + PROPAGATION + 60, 200)
    assert stages(made)[first] == ("csk", "active", "wanted")
    assert len(ask(made, "example.com", "CDS").answer) == 2
    ds, _ = parent_take(caches, made)
    caches.ds = {ds}
    status = made.cli("status", "--data", str(made.data)).stdout
    assert "keys of example.com: give the parent a DS" in status, status
    assert made.metric("holdfast_dnssec_zone_need", 'zone="example.com",need="ds-give"') == 1
    out = dnssec(made, "ds-seen", "example.com")
    assert out.returncode == 0 and "noted" in out.stdout, out
    assert "keys of" not in made.cli("status", "--data", str(made.data)).stdout
    caches.pass_time(6 * HOUR, 3 * HOUR)

    out = dnssec(made, "roll", "example.com")
    assert out.returncode == 0 and "is being rolled" in out.stdout, out
    assert dnssec(made, "roll", "example.com").returncode == 1
    caches.look()
    second, = set(stages(made)) - {first}
    caches.pass_time(2 * HOUR, 1200)
    assert stages(made)[second][1] == "published", "it waits for the parent"
    new, text = parent_take(caches, made)
    assert new.key_tag == second and "leave the one that it has" in text
    assert {r.key_tag for r in ask(made, "example.com", "CDS").answer[0]} == {first, second}
    caches.ds = {ds, new}
    assert dnssec(made, "ds-seen", "example.com").returncode == 0
    caches.pass_time(DS_TTL - 300, 3600)
    assert stages(made)[first][1] == "active"
    caches.pass_time(900, 150)
    assert stages(made) == {first: ("csk", "retired", "unwanted"), second: ("csk", "active", "seen")}
    assert {r.key_tag for r in ask(made, "api.example.com", "A").answer[1]} == {second}, "steered names too"
    caches.pass_time(2 * HOUR, 1200)
    old, text = parent_take(caches, made)
    assert old == ds and "remove this DS" in text
    caches.ds = {new}
    assert dnssec(made, "ds-gone", "example.com").returncode == 0
    caches.pass_time(DS_TTL + 600, 1800)
    assert stages(made) == {second: ("csk", "active", "seen")}
    assert len(list((made.data / "keys" / "example.com").glob("*.pem"))) == 1
    caches.pass_time(30 * DAY, 4 * DAY)  # signatures are renewed by themselves


def test_algorithm_roll(node):
    """Another algorithm in the configuration is a rollover: both sign all the while, and the parent comes between."""
    made, clock = node(f"{{{POLICY}}}")
    caches = Caches(made, clock)
    caches.pass_time(ZONE_TTL + PROPAGATION + 60, 400)
    ds, _ = parent_take(caches, made)
    caches.ds = {ds}
    assert dnssec(made, "ds-seen", "example.com").returncode == 0
    caches.pass_time(DS_TTL + 600, 2 * HOUR)
    first, = stages(made)

    made.config_path.write_text(made.config_path.read_text().replace("{lifetime", "{algorithm: ed25519, lifetime"))
    assert made.cli("reload", "--data", str(made.data)).returncode == 0
    second, = set(stages(made)) - {first}
    assert wait_for(lambda: len(ask(made, "static.example.com", "A").answer[1]) == 2), made.log()
    caches.look()
    out = dnssec(made, "ds-seen", "example.com")
    assert out.returncode == 1 and "too early" in out.stderr, out
    assert {r.key_tag for r in ask(made, "example.com", "CDS").answer[0]} == {first}
    caches.pass_time(ZONE_TTL + PROPAGATION + 60, 200)
    new, text = parent_take(caches, made)
    assert (new.key_tag, new.algorithm) == (second, 15) and "leave the one that it has" in text
    caches.ds = {ds, new}
    assert dnssec(made, "ds-seen", "example.com").returncode == 0
    caches.pass_time(DS_TTL + 600, HOUR)
    assert stages(made) == {first: ("csk", "retired", "unwanted"), second: ("csk", "active", "seen")}
    assert {r.algorithm for r in ask(made, "static.example.com", "A").answer[1]} == {13, 15}
    assert {r.algorithm for r in ask(made, "api.example.com", "A").answer[1]} == {13, 15}, "steered names too"
    caches.ds = {new}
    assert dnssec(made, "ds-gone", "example.com").returncode == 0
    caches.pass_time(DS_TTL + 600, HOUR)
    assert stages(made) == {second: ("csk", "active", "seen")}
    assert {r.algorithm for r in ask(made, "static.example.com", "A").answer[1]} == {15}


def test_zsk_rolls_by_itself(node):
    made, clock = node(f"{{keys: split, zsk_lifetime: 10d, {POLICY}}}")
    caches = Caches(made, clock)
    caches.pass_time(1000, 500)
    ds, _ = parent_take(caches, made)
    caches.ds = {ds}
    assert dnssec(made, "ds-seen", "example.com").returncode == 0
    before = {t for t, s in stages(made).items() if s[0] == "zsk"}
    caches.pass_time(10 * DAY - 4 * HOUR, 4 * DAY)
    caches.pass_time(3 * HOUR, 2500)
    caches.pass_time(3 * HOUR, 450)
    after = stages(made)
    assert {t for t, s in after.items() if s[0] == "zsk"}.isdisjoint(before), after
    assert sorted(s[:2] for s in after.values()) == [("ksk", "active"), ("zsk", "active")]
    assert made.log().count("event=reload.refused") == 0


def test_steered_answers_change_signed(node, origins):  # noqa: F811
    """Health moves the answer; each is signed when it comes."""
    made, clock = node("on")
    caches = Caches(made, clock)
    caches.look()
    config = made.config_path.read_text()
    out = made.cli("endpoint", "disable", "use1", "--data", str(made.data))
    assert out.returncode == 0, out
    primary = re.search(r"name: use1, address: ([0-9.]+)", config)[1]
    assert wait_for(lambda: made.short("api.example.com") != [primary])
    caches.look()
    records, _ = rrset(ask(made, "api.example.com", "A"), "api.example.com", dns.rdatatype.A)
    assert [r.address for r in records] != [primary]
    keys, _ = rrset(ask(made, "example.com", "DNSKEY"), "example.com", dns.rdatatype.DNSKEY)
    for name in ("api.example.com", "www.example.com"):
        response = ask(made, name, "A")
        data, sigs = rrset(response, "api.example.com", dns.rdatatype.A)
        dns.dnssec.validate(data, sigs, {ORIGIN: keys}, now=clock.now())


def test_a_broken_zone_holds_up_nobody(nodes, origins, open_path, holdfast):  # noqa: F811
    """Signatures are renewed whatever state the files of other zones are in (L3)."""
    clock = Clock(open_path, holdfast)
    config = signed_config(*origins(2), "on").replace(
        "checks:", "  - {name: other.test, file: other.zone, dnssec: on}\nchecks:")
    made = nodes(config, {"example.com.zone": ZONE, "other.zone": ZONE.replace("example.com", "other.test")},
                 clock.env).start()
    assert wait_for(lambda: "RRSIG" in made.dig("+dnssec", "api.example.com", "A")), made.log()
    (made.folder / "other.zone").write_text("@ SOA broken")
    caches = Caches(made, clock)
    for _ in range(4):
        clock.step(5 * DAY)
        assert wait_for(lambda: all(
            sig.expiration > clock.now() + DAY for name in ("static.example.com", "api.example.com")
            for sig in rrset(ask(made, name, "A"), name, dns.rdatatype.A)[1])), made.log()[-3000:]
        caches.look()
    assert wait_for(lambda: "zone.refused zone=other.test" in made.log()), made.log()
    assert made.short("static.other.test") == ["192.0.2.80"]
    # neither does an operator's order wait for them, nor for a slip in the configuration
    made.config_path.write_text(made.config_path.read_text() + "slip: 1\n")
    out = dnssec(made, "roll", "example.com")
    assert (out.returncode, out.stdout) == (0, "the csk is being rolled\n"), out
    assert sorted(stage for _, stage, _ in stages(made).values()) == ["active", "published"]


def test_keys_and_compiled_zones_lost_while_it_runs(node):
    """What is served from memory is signed with keys that the parent knows: no others are made under it (L3)."""
    made, _ = node("on")
    before = made.short("example.com", "DNSKEY")
    shutil.rmtree(made.data / "keys" / "example.com")
    for path in [*(made.data / "plan").iterdir(), *(made.data / "store").iterdir()]:
        path.unlink()
    assert wait_for(lambda: "the keys of zone example.com are gone, but it is served signed" in made.log()), made.log()
    assert wait_for(lambda: "event=reload.refused" in made.log()), made.log()
    assert made.short("example.com", "DNSKEY") == before and not (made.data / "keys" / "example.com").exists()
    assert "RRSIG" in made.dig("+dnssec", "api.example.com", "A")


def test_delv_takes_it(node, open_path):  # noqa: F811
    made, _ = node("{algorithm: ed25519}")
    keys, _ = rrset(ask(made, "example.com", "DNSKEY"), "example.com", dns.rdatatype.DNSKEY)
    words = keys[0].to_text().split()
    anchors = open_path / "anchors"
    anchors.write_text(f'trust-anchors {{ example.com. static-key {" ".join(words[:3])} "{"".join(words[3:])}"; }};\n')
    for name in ("api", "www", "static"):
        out = subprocess.run(["delv", f"@{made.address}", "-p", str(DNS_PORT), "-a", str(anchors), "+root=example.com",
                              f"{name}.example.com", "A"], capture_output=True, text=True, timeout=20)
        assert "; fully validated" in out.stdout, out


def test_off_goes_on_until_the_parent_knows(node):
    """L3: what was signed is never served unsigned while the parent may have a DS."""
    made, clock = node(f"{{{POLICY}}}")
    made.config_path.write_text(re.sub(r"dnssec: \{.*?\}", "dnssec: off", made.config_path.read_text()))
    assert made.cli("reload", "--data", str(made.data)).returncode == 0
    assert "RRSIG" in made.dig("+dnssec", "static.example.com", "A")
    assert "goes on being signed" in made.log()
    caches = Caches(made, clock)
    caches.look()
    for name in ("static.example.com", "api.example.com"):
        assert rrset(ask(made, name, "A"), name, dns.rdatatype.A)[1][0].expiration > clock.now() + 10 * DAY
    assert dnssec(made, "unsign", "example.com").returncode == 0
    assert wait_for(lambda: made.dig("+short", "example.com", "CDS").strip() == "0 0 0 00"), made.log()[-2000:]
    assert made.dig("+short", "example.com", "CDNSKEY").strip() == "0 3 0 AA=="
    assert "RRSIG" in made.dig("+dnssec", "static.example.com", "A")
    clock.step(2 * DAY)
    assert made.cli("reload", "--data", str(made.data)).returncode == 0
    assert wait_for(lambda: "RRSIG" not in made.dig("+dnssec", "static.example.com", "A")), made.log()[-3000:] + str(state(made))
    assert made.short("api.example.com")
