#!/usr/bin/python3
"""From the start of a process to its first right answer: one zone of a million records, and ten thousand zones.

    bench/zone_start.py --holdfast PROGRAM [--records 1000000] [--zones 10000] [--rounds 3] [--only record,zone]
                        [--folder FOLDER] [--strict]

The servers take turns, round after round. Each is asked once a millisecond from before its start on; time is from the start of
its process. CPU is what all its processes used until then: on a busy machine it says more than time. Memory is
Pss, of the server process; for Holdfast that is the name server, with the whole node behind it. "asked" is after one
name in eight was asked, which touches nearly every page.

    first      from master files; Holdfast compiles them, and keeps what it made
    again      Holdfast, stopped as soon as it answered and started anew: its files are too young to be taken for the ones they were, their content is known
    restart    the same again, some seconds later; Holdfast starts from what it compiled
    cold       the same, with what it compiled dropped from the page cache
    boot       the same, after a boot (played): no file is taken for the one it was, its content is compared with what was found right (as root only)
    unchecked  the same, of files that no name server has looked through yet: every byte is, on all cores, before the first answer
    touch      no server: every page of the compiled file is read once, by one thread (the floor of what "boot" adds to "restart")

--strict: exit 1 where a restart of Holdfast, at once or later, or a start after a boot, takes 50 ms or more, or 150 MB. It takes the best round: others share the
machine.
"""

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peers  # noqa: E402

ADDRESS, START_MAX_S, SETTLE_S = "127.0.0.1", 120, 20
RESTART_MAX_S, MEMORY_MAX_MB = 0.05, 150


def query(name):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


@contextlib.contextmanager
def other_boot():
    """A command in front of a program's, for which the machine was started anew: in a mount namespace of its own. It says when that is made, and begins the
    program when it is told to, so that what is measured is the program."""
    with tempfile.NamedTemporaryFile("w", prefix="boot-id-") as f:
        print(uuid.uuid4(), file=f, flush=True)
        os.chmod(f.name, 0o644)
        yield ["unshare", "--mount", "sh", "-ec", f'mount --bind {f.name} /proc/sys/kernel/random/boot_id; echo; read -r go; exec "$@"', "sh"]


def cpu_seconds(pid):
    """Of a process, with threads and children that have ended."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return sum(int(n) for n in fields[11:15]) / os.sysconf("SC_CLK_TCK")


class Contestant:
    def __init__(self, name, maker, folder, asked):
        self.name, self.port, self.asked = name, peers.free_port(), asked
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o755)
        self.argv = maker(self.folder, ADDRESS, self.port)
        self.age()
        self.results = {}

    def age(self):
        """Files that were written a moment ago are read again by who wants to be sure."""
        old = time.time() - 3600
        for folder, _, names in os.walk(self.folder):
            for n in names:
                os.utime(os.path.join(folder, n), (old, old))

    def start(self, prefix=()):
        """Seconds until the first right answer. prefix: a command that says so when it is ready, and waits (other_boot)."""
        with open(os.path.join(self.folder, "log"), "ab") as log, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.001)
            s.connect((ADDRESS, self.port))
            wanted, begin = query(self.asked), time.monotonic()
            self.process = subprocess.Popen([*prefix, *self.argv], stdin=subprocess.PIPE if prefix else subprocess.DEVNULL,
                                            stdout=subprocess.PIPE if prefix else log, stderr=log)
            if prefix:
                assert self.process.stdout.readline(), "a boot cannot be played"
                begin = time.monotonic()
                self.process.stdin.write(b"\n")
                self.process.stdin.flush()
            while True:
                took = time.monotonic() - begin
                try:
                    s.send(wanted)
                    answer = s.recv(4096)
                    if answer[3] & 15 == 0 and answer[7]:
                        return time.monotonic() - begin
                except socket.timeout:
                    pass
                except OSError:  # nobody listens yet
                    time.sleep(0.001)
                if took > START_MAX_S or self.process.poll() is not None:
                    sys.exit(f"{self.name} does not answer: see {self.folder}/log")

    def serving(self):
        """The processes that hold the zones."""
        everyone = peers.descendants(self.process.pid)
        if self.name != "holdfast":
            return everyone
        return [p for p in everyone if b"\0role\0dns\0" in open(f"/proc/{p}/cmdline", "rb").read()]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def note(self, kind, took, queries=None):
        pids = peers.descendants(self.process.pid)
        row = {"time": took, "cpu": sum(cpu_seconds(p) for p in pids), "ready": peers.resident_mb(self.serving()), "node": peers.resident_mb(pids)}
        if queries:
            subprocess.run(["dnsperf", "-s", ADDRESS, "-p", str(self.port), "-d", queries, "-n", "1", "-c", "4"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=120)
            row["asked"] = peers.resident_mb(self.serving())
        self.results.setdefault(kind, []).append(row)

    def cool(self):
        """What was compiled leaves the page cache, as far as the kernel lets it go."""
        for path in self.store():
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)

    def store(self):
        store = os.path.join(self.folder, "data/store")
        return [os.path.join(store, n) for n in os.listdir(store)]

    def touch(self):
        begin, part = time.monotonic(), bytearray(1 << 20)
        for path in self.store():
            with open(path, "rb", buffering=0) as f:
                while f.readinto(part):
                    pass
        self.results.setdefault("touch", []).append(time.monotonic() - begin)

    def forget(self):
        """Which files were found right, so that all are looked through before the first answer."""
        found = os.path.join(self.folder, "data/zones.verified")
        if os.path.exists(found):
            os.unlink(found)

    def settle(self):
        """Until the name server noted which large files are right, and control what they were made from."""
        run = os.path.join(self.folder, "data")
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            if os.path.exists(f"{run}/zones.ledger") and (self.noted() or not self.large()):
                return time.sleep(1)
            time.sleep(0.1)
        sys.exit("holdfast did not settle")

    def noted(self):
        """Are all files on the list as the very ones that they are, and not by their content alone (serve/dns/verified.c)?"""
        try:
            with open(os.path.join(self.folder, "data/zones.verified"), "rb") as f:
                head, entries = f.read(40), f.read()
        except FileNotFoundError:
            return False
        count = int.from_bytes(head[12:16], "little")
        return count and all(any(entries[i * 72 + 8 : i * 72 + 48]) for i in range(count))

    def large(self):
        return any(e.stat().st_size > 1 << 16 for e in os.scandir(os.path.join(self.folder, "data/store")))


def rounds(contestants, options, queries):
    for _ in range(options.rounds):
        for c in contestants:
            ours = c.name == "holdfast"
            if ours:
                shutil.rmtree(os.path.join(c.folder, "data"), ignore_errors=True)
            c.note("first", c.start(), None if ours else queries)
            if ours:
                c.stop()
                c.note("again", c.start(), queries)
                c.settle()
            c.stop()
            for kind in [k for k in ("restart", "cold", "boot", "unchecked") if ours and (k != "boot" or os.geteuid() == 0)]:
                if kind == "cold":
                    c.cool()
                if kind == "boot":
                    c.touch()
                if kind == "unchecked":
                    c.forget()
                with other_boot() if kind == "boot" else contextlib.nullcontext(()) as prefix:
                    c.note(kind, c.start(prefix), queries)
                if kind == "boot":
                    c.settle()
                c.stop()


def table(title, contestants):
    print(f"\n{title}")
    print(f"{'':10} {'start':8} {'ready s':>9} {'best':>8} {'CPU s':>7} {'ready MB':>9} {'asked MB':>9} {'all MB':>7}")
    for c in contestants:
        for kind, rows in c.results.items():
            if kind == "touch":
                print(f"{c.name:10} {kind:8} {statistics.median(rows):9.3f} {min(rows):8.3f}", flush=True)
                continue
            middle = {k: statistics.median(r[k] for r in rows) for k in rows[0]}
            asked = f"{middle['asked']:9.0f}" if "asked" in middle else " " * 9
            print(f"{c.name:10} {kind:8} {middle['time']:9.3f} {min(r['time'] for r in rows):8.3f} {middle['cpu']:7.2f} "
                  f"{middle['ready']:9.0f} {asked} {middle['node']:7.0f}", flush=True)


def contest(title, zone, text, others, asked, names, options, folder):
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    queries = os.path.join(folder, "queries")
    with open(queries, "w") as f:
        f.writelines(f"{n} A\n" for n in names)
    contestants = [Contestant("holdfast", peers.holdfast(options.holdfast, zone, text, others=others), folder, asked)]
    for name, maker in (("gdnsd", peers.gdnsd), ("knot", peers.knot), ("nsd", peers.nsd)):
        contestants.append(Contestant(name, maker(zone, text, others=others), folder, asked))
    check = time.monotonic()
    subprocess.run([options.holdfast, "check", f"{contestants[0].folder}/holdfast.yaml"], check=True, stdout=subprocess.DEVNULL)
    print(f"\nholdfast check, which compiles everything and keeps nothing: {time.monotonic() - check:.2f} s", flush=True)
    try:
        rounds(contestants, options, queries)
    finally:
        for c in contestants:
            if getattr(c, "process", None) and c.process.poll() is None:
                c.stop()
    table(title, contestants)
    shutil.rmtree(folder, ignore_errors=True)
    return contestants[0].results


def one_zone(options, folder):
    names = [f"host-{i:07d}" for i in range(options.records)]
    return contest(f"one zone of {options.records} records, {options.rounds} rounds", "bench.test",
                   peers.zone_text("bench.test", names), None, f"{names[-1]}.bench.test",
                   [f"{n}.bench.test" for n in names[::8]], options, os.path.join(folder, "one"))


def many_zones(options, folder):
    others = {f"z{i}.test": peers.zone_text(f"z{i}.test", ["www", "mail"]) for i in range(options.zones)}
    return contest(f"{options.zones} zones, {options.rounds} rounds", "bench.test", peers.zone_text("bench.test", ["www"]),
                   others, f"www.z{options.zones - 1}.test", [f"www.{z}" for z in others], options,
                   os.path.join(folder, "many"))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--holdfast", required=True)
    p.add_argument("--records", type=int, default=1000000)
    p.add_argument("--zones", type=int, default=10000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default="record,zone", type=lambda s: s.split(","))
    p.add_argument("--folder", help="where everything is written; else a temporary folder")
    p.add_argument("--strict", action="store_true")
    options = p.parse_args()
    options.holdfast = os.path.abspath(options.holdfast)
    folder = tempfile.mkdtemp(prefix="zone-start-", dir=options.folder)
    os.chmod(folder, 0o755)
    wrong = []
    try:
        if "record" in options.only:
            results = one_zone(options, folder)
            rows = max((results[k] for k in ("again", "restart", "boot") if k in results), key=lambda kind: min(r["time"] for r in kind))
            best, most = min(r["time"] for r in rows), max(r["asked"] for r in rows)
            if best >= RESTART_MAX_S or most >= MEMORY_MAX_MB:
                wrong.append(f"a start took {best * 1000:.0f} ms at best and {most:.0f} MB")
        if "zone" in options.only:
            many_zones(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(wrong))
    sys.exit(bool(options.strict and wrong))


if __name__ == "__main__":
    main()
