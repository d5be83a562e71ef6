"""The same random zones served by Holdfast, NSD and Knot, and their answers compared, section by section.

What is compared and which differences are accepted: doc/internals/differences.md. More of it, or the same again:

    DIFFERENTIAL_QUERIES=200000   questions in all (10,000)
    DIFFERENTIAL_SEED=1000        the first world's seed (1)
    DIFFERENTIAL_DEBUG=1          print, too, where one peer differs and nobody knows why
"""

import collections
import contextlib
import os
import subprocess

import dns.exception
import dns.message
import pytest

import differ
import rawdns
import zonegen
import zonerdata
from node import DNS_PORT, START_S, loopback, nodes, open_path, process_end, wait_for  # noqa: F401

QUERIES = int(os.environ.get("DIFFERENTIAL_QUERIES", "10000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "1"))
DEBUG = "DIFFERENTIAL_DEBUG" in os.environ
PER_WORLD, WORLDS = 500, 10
SHOWN, SHOWN_BYTES = 6, 6000


# ---- the peers ----

class Peer:
    """A name server in the foreground, in a folder of its own."""

    def __init__(self, folder, zones):
        """zones: [(origin, path of its file)]"""
        self.folder, self.address, self.port = folder, loopback(), 5300
        folder.mkdir()
        (folder / "conf").write_text(self.config(zones))
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def tail(self):
        return f"{self.label}:\n{(self.folder / 'log').read_text(errors='replace')[-3000:]}"

    def stop(self):
        if self.process.poll() is None:
            process_end(self.process)


class Nsd(Peer):
    label = differ.NSD

    def command(self):
        return ["/usr/sbin/nsd", "-d", "-c", str(self.folder / "conf")]

    def config(self, zones):
        head = f"""server:
  ip-address: {self.address}@{self.port}
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{self.folder}"
  pidfile: "{self.folder}/pid"
  xfrdfile: "{self.folder}/xfrd.state"
  zonelistfile: "{self.folder}/zone.list"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  tcp-timeout: 60
remote-control:
  control-enable: no
"""
        return head + "".join(f'zone:\n  name: "{origin}"\n  zonefile: "{path}"\n' for origin, path in zones)


class Knot(Peer):
    label = differ.KNOT

    def command(self):
        return ["/usr/sbin/knotd", "-c", str(self.folder / "conf")]

    def config(self, zones):
        head = f"""server:
  listen: {self.address}@{self.port}
  rundir: {self.folder}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  tcp-idle-timeout: 60
database:
  storage: {self.folder}/db
template:
  - id: default
    semantic-checks: off
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
zone:
"""
        return head + "".join(f'  - domain: "{origin}"\n    file: "{path}"\n' for origin, path in zones)


CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
zones:
"""


# ---- the comparison ----

def wait_ready(server, zones):
    """Until it answers for every zone."""
    questions = [zonegen.Question(z.origin, differ.SOA) for z in zones]

    def answers():
        try:
            return all(rawdns.Message(server.ask_tcp(q.wire(1))).answer for q in questions)
        except OSError:
            return False

    assert wait_for(answers, START_S), f"{server.label} does not serve all zones"


@contextlib.contextmanager
def rig(nodes, folder, worlds, signing=None):
    """The three servers with all zones of the worlds. signing: Holdfast signs so, and the peers have the zones from it,
    so that even signatures are the same."""
    folder.mkdir()
    zones = []
    for origin, texts in ((o, t) for w in worlds for o, t in w.files.items()):
        name = zonegen.name_text(origin)
        for end, text in zip(("zone", "plain"), texts):
            (folder / (name + end)).write_text(text)
        zones.append((name, f"{folder}/{name}"))
    more = f", dnssec: {signing}, transfer: {{allow: 127.0.0.0/8}}" if signing else ""
    node = nodes(CONFIG + "".join(f'  - {{name: "{o}", file: "{p}zone"{more}}}\n' for o, p in zones), {})
    peers, servers = [], []
    try:
        all_zones = [z for w in worlds for z in w.zones]
        servers += [rawdns.Server(differ.OURS, node.address, DNS_PORT)]
        node.start()
        wait_ready(servers[0], all_zones)
        if signing:
            for zone in all_zones:
                name = zonegen.name_text(zone.origin)
                (folder / (name + "plain")).write_text(zonerdata.generic_file(servers[0].axfr(zone.origin)))
        peers += [kind(folder / kind.label, [(o, p + "plain") for o, p in zones]) for kind in (Nsd, Knot)]
        servers += [rawdns.Server(p.label, p.address, p.port) for p in peers]
        for server in servers[1:]:
            wait_ready(server, all_zones)
        for server, peer in zip(servers[1:], peers):
            server.revive = lambda s=server, p=peer: (p.process.kill(), p.stop(), p.start(), wait_ready(s, all_zones))
        yield servers
    except AssertionError:
        print(*(p.tail() for p in peers), sep="\n")
        raise
    finally:
        for s in servers:
            s.close()
        for p in peers:
            p.stop()
        node.stop()


def cases(servers, zones, world, count, found, signed=False):
    questions = zonegen.Questioner(world, signed).questions(count)
    for question, answers in zip(questions, rawdns.bulk(servers, questions)):
        if question.tcp:
            answers = [s.ask_tcp(question.wire(1)) for s in servers]
        assert answers[0], f"no answer: seed {world.seed}, {question.dig()}"
        if None in answers:
            found[f"{servers[answers.index(None)].label}: no answer, started anew"] += 1
            continue
        yield differ.Case(servers, zones, question, answers, found)


def judge(case):
    """As differ.judge; a peer that hangs over TCP is started anew."""
    try:
        return differ.judge(case)
    except OSError:
        for server in case.servers[1:]:
            server.revive()
        case.found["no answer over TCP, peers started anew"] += 1
        return None


def shown(case, seed, said):
    """A failure, so that it can be looked at and asked again."""
    lines = [f"{said}: seed {seed}, {case.question.dig()}"]
    asked = [("", case), (" over TCP", case.full)] if case.full else [("", case)]
    for server, how, data in ((s, how, c.answers[i]) for how, c in asked for i, s in enumerate(c.servers)):
        try:
            text = dns.message.from_wire(data).to_text()
        except dns.exception.DNSException:
            text = data.hex()
        lines.append(f"--- {server.label}{how}\n{text[:SHOWN_BYTES]}")
    return "\n".join(lines)


def compare(servers, worlds, found, wrong, signed=False):
    """Asks about every world; counts in `found` what was accepted, in `wrong` what was not. How many were asked."""
    asked, zones = 0, [z for w in worlds for z in w.zones]
    for world in worlds:
        for case in cases(servers, zones, world, PER_WORLD, found, signed):
            said = judge(case)
            asked += 1
            wrong[said] += said is not None
            if said and wrong[said] <= 2 and len(wrong) <= SHOWN:
                print(shown(case, world.seed, said))
            elif DEBUG and case.unknown:
                print(shown(case, world.seed, case.unknown))
    return asked


def report(found, wrong, asked, last):
    print(f"{asked} questions, seeds {SEED} to {last}")
    for what, count in sorted(found.items()):
        print(f"{count:8} {what}")
    assert not +wrong, dict(+wrong)


@pytest.mark.sanitize
def test_same_answers_as_nsd_and_knot(nodes, open_path):
    found, wrong, asked, seed = collections.Counter(), collections.Counter(), 0, SEED
    for number in range(max(2, QUERIES // (WORLDS * PER_WORLD))):
        # Every second time the root is served as well.
        worlds = [zonegen.World(seed + i, root=number % 2 == 1 and i == 0) for i in range(WORLDS)]
        with rig(nodes, open_path / str(number), worlds) as servers:
            asked += compare(servers, worlds, found, wrong)
        seed += WORLDS
    report(found, wrong, asked, seed - 1)
    assert asked > QUERIES * 0.99


@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_same_signed_answers(nodes, open_path, denial):
    # NSD 4.6 dies of NSEC3 where a name leaves no room for the wildcard below it.
    longest = 250 if denial == "nsec3" else zonegen.NAME_MAX
    found, wrong, asked, seed = collections.Counter(), collections.Counter(), 0, SEED
    for number in range(max(1, QUERIES // (2 * WORLDS * PER_WORLD))):
        worlds = [zonegen.World(seed + i, root=number % 2 == 1 and i == 0, longest=longest) for i in range(WORLDS)]
        with rig(nodes, open_path / str(number), worlds, f"{{denial: {denial}}}") as servers:
            asked += compare(servers, worlds, found, wrong, signed=True)
        seed += WORLDS
    report(found, wrong, asked, seed - 1)


# ---- the judge is judged ----

def spans(data):
    """Where the records of a message lie: [[(start, end), ...] by section]."""
    at = rawdns.name_read(data, 12)[1] + 4
    sections = []
    for count in rawdns.HEADER.unpack_from(data)[3:]:
        section = []
        for _ in range(count):
            start, fixed = at, rawdns.name_read(data, at)[1]
            at = fixed + 10 + int.from_bytes(data[fixed + 8:fixed + 10], "big")
            section.append((start, at))
        sections.append(section)
    return sections


def without_last(section):
    """The message less the last record of a section, but for OPT."""
    def change(data):
        found = [s for s in spans(data)[section] if data[s[0]:s[0] + 3] != b"\0\0\x29"]
        if not found:
            return None
        start, end = found[-1]
        at = 6 + 2 * section
        count = int.from_bytes(data[at:at + 2], "big") - 1
        return data[:at] + count.to_bytes(2, "big") + data[at + 2:start] + data[end:]
    return change


def byte_changed(find, change):
    def changed(data):
        at = find(data)
        return None if at is None else data[:at] + bytes([change(data[at])]) + data[at + 1:]
    return changed


def first_ttl(data):
    """Where the lowest byte of the TTL of the first record is."""
    first = next((s[0] for s in spans(data)[:2] if s), None)
    return None if first is None else rawdns.name_read(data, first[0])[1] + 7


SABOTAGE = {
    "not authoritative": byte_changed(lambda d: 2, lambda b: b ^ 4),
    "truncated": byte_changed(lambda d: 2, lambda b: b | 2),
    "recursion available": byte_changed(lambda d: 3, lambda b: b | 0x80),
    "another RCODE": byte_changed(lambda d: 3, lambda b: b ^ 3),
    "another case of the question": byte_changed(lambda d: 13 if d[12] and chr(d[13]).isalpha() else None, lambda b: b ^ 0x20),
    "another TTL": byte_changed(first_ttl, lambda b: b ^ 1),
    "an answer less": without_last(0),
    "an authority less": without_last(1),
    "an address less": without_last(2),
}


def test_a_wrong_answer_is_found(nodes, open_path):
    """Each kind of damage to Holdfast's answers is seen, whatever the question."""
    worlds = [zonegen.World(SEED)]
    missed, tried = collections.Counter(), collections.Counter()
    with rig(nodes, open_path / "rig", worlds) as servers:
        for case in cases(servers, worlds[0].zones, worlds[0], 300, collections.Counter()):
            ours, *others = case.answers
            if len(ours) > differ.limit(case.question) // 2 or case.question.tcp or case.ours.rcode or case.ours.truncated:
                continue  # what does not fit may be left out
            for name, change in SABOTAGE.items():
                bad = change(ours)
                if bad and tried[name] < 40:
                    tried[name] += 1
                    damaged = differ.Case(servers, worlds[0].zones, case.question, [bad, *others], case.found)
                    missed[name] += differ.judge(damaged) is None
                    if DEBUG and differ.judge(damaged) is None:
                        print(shown(damaged, SEED, f"not found: {name}"))
    assert min(tried[name] for name in SABOTAGE) >= 10, tried
    assert not +missed, f"{dict(+missed)} of {dict(tried)}"
