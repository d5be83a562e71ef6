"""Item "survive": whatever dies, answers go on, none wrong and none lost but those in the hands of a killed process."""

import contextlib
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time

import pytest

from node import Asker, failover_config, nodes, open_path, origins, wait_for  # noqa: F401
from update_test import nsupdate


@pytest.fixture
def pair(nodes, origins):  # noqa: F811
    """A started node with a healthy primary and secondary."""
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary)).start()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address]), node.log()
    return node, primary, secondary


def asker(node, primary, secondary):
    return Asker(node, ["api.example.com.", "static.example.com.", "www.example.com."],
                 [primary.address, secondary.address, "192.0.2.80"])


def settle(a, seconds=1.0):
    before = a.answered
    time.sleep(seconds)
    # A client that lost its query to a kill waits for it before it asks on.
    assert wait_for(lambda: a.answered > before + 20, 6), "the load stopped"


def steady_generation(node, seconds=1.5):
    """The generation once none has followed it for a while: on a busy machine the last first verdict is late."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        generation = node.generations()[-1]
        time.sleep(seconds)
        if node.generations()[-1] == generation:
            return generation
    raise AssertionError("the plan does not come to rest")


def assert_clean(a, lost=0):
    assert not a.wrong, a.wrong[:3]
    assert len(a.lost) <= lost, a.lost[:5]
    assert a.answered > 100


def test_kill_control(pair):
    node, primary, secondary = pair
    with asker(node, primary, secondary) as a:
        settle(a)
        pid = node.kill("control")
        node.wait_restart("control", pid)
        settle(a)
        # The new one goes on deciding: it was not just answers from the past.
        primary.cut()
        assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 5), node.log()
        settle(a)
    assert_clean(a)


def test_kill_dns_restarts_from_the_last_plan(pair):
    node, primary, secondary = pair
    with asker(node, primary, secondary) as a:
        settle(a)
        for _ in range(3):
            pid = node.kill("dns")
            node.wait_restart("dns", pid)
            settle(a, 0.5)
    assert_clean(a, lost=3 * 2)  # each of two clients may have had one in the killed process


def test_dns_restarts_with_control_dead(pair):
    node, primary, secondary = pair
    # Nobody restarts control: the supervisor is gone, and control with it.
    roles = {role: node.pid(role) for role in ("control", "dns", "tell")}
    with asker(node, primary, secondary) as a:
        node.kill("control", signal.SIGSTOP)
        settle(a)
        pid = node.kill("dns")
        node.wait_restart("dns", pid)
        settle(a)
        node.process.kill()
        node.process.wait()
        os.kill(roles["control"], signal.SIGKILL)
        settle(a)
    assert_clean(a, lost=2)
    assert node.short("api.example.com") == [primary.address]


def test_start_of_the_node_with_origins_dead_serves_what_was_published(pair):
    node, primary, secondary = pair
    node.stop()
    primary.cut()
    secondary.cut()
    node.start()
    assert node.short("api.example.com") == [primary.address]


def test_reload_under_load(pair):
    node, primary, secondary = pair
    with asker(node, primary, secondary) as a:
        for serial in range(2, 8):
            zone = node.folder / "example.com.zone"
            zone.write_text(zone.read_text().replace(f"hostmaster {serial - 1} ", f"hostmaster {serial} "))
            if serial % 2:
                node.process.send_signal(signal.SIGHUP)
            else:
                reply = node.cli("reload", "--data", str(node.data))
                assert reply.returncode == 0, reply.stderr
            want = f" {serial} 3600"
            assert wait_for(lambda: want in node.dig("+short", "example.com", "SOA"), 5), node.log()
        settle(a)
    assert_clean(a)


def test_reload_says_what_it_cannot_change(pair):
    node, _, _ = pair
    config = node.config_path.read_text()
    node.config_path.write_text(config.replace("threads: 2", "threads: 1, udp_size: 1000") + "log: {format: json}\n")
    for _ in range(2):  # each time, not only when it changed
        reply = node.cli("reload", "--data", str(node.data))
        assert reply.returncode == 0 and "not in effect yet: dns.threads, dns.udp_size, log.format;" in reply.stdout, reply
        assert "upgrade" in reply.stdout
    assert "event=reload.waiting" in node.log()
    node.config_path.write_text(config)
    reply = node.cli("reload", "--data", str(node.data))
    assert reply.returncode == 0 and "not in effect" not in reply.stdout, reply


def test_reload_of_a_bad_file_changes_nothing_and_says_so(pair):
    node, primary, secondary = pair
    good = node.config_path.read_text()
    generation = node.generations()[-1]
    with asker(node, primary, secondary) as a:
        node.config_path.write_text(good.replace("policy: failover", "policy: sideways"))
        reply = node.cli("reload", "--data", str(node.data))
        assert reply.returncode == 1
        assert "holdfast.yaml:" in reply.stderr + reply.stdout and "sideways" in reply.stderr + reply.stdout
        settle(a)
        assert "reload.refused" in node.log()
        assert node.generations()[-1] == generation
    assert_clean(a)


def test_zone_that_loses_a_third_is_refused_until_confirmed(pair):
    node, primary, secondary = pair
    zone = node.folder / "example.com.zone"
    full = zone.read_text() + "".join(f"n{i} A 192.0.2.{i}\n" for i in range(20))
    zone.write_text(full)
    assert node.cli("reload", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: node.short("n7.example.com") == ["192.0.2.7"])
    zone.write_text(full.split("n3 A")[0])
    reply = node.cli("reload", "--data", str(node.data))
    assert reply.returncode == 1 and "--accept-shrink example.com" in reply.stderr + reply.stdout
    assert node.short("n7.example.com") == ["192.0.2.7"]
    assert node.cli("reload", "--data", str(node.data), "--accept-shrink", "example.com").returncode == 0
    assert wait_for(lambda: node.short("n7.example.com") == [])


def test_configuration_that_loses_a_third_of_its_zones_is_refused_until_confirmed(nodes):  # noqa: F811
    """Whatever wrote it may have written half of it (L3)."""
    names = [f"z{i}.example" for i in range(6)]

    def config(zones):
        listed = "".join(f"  - {{name: {z}, file: z.zone}}\n" for z in zones)
        return f'node: {{name: n1, site: here, network: AS1, data: "%DATA%"}}\n' \
               f'dns: {{listen: ["%DNS%"]}}\ntell: {{listen: ["%TELL%"]}}\nzones:\n{listed}'

    node = nodes(config(names), {"z.zone": "$TTL 60\n@ SOA ns.test. host.test. 1 2 3 4 5\n@ NS ns.test.\nwww A 192.0.2.1\n"})
    node.start()
    node.write(config(names[:4]))
    assert "2 of the 6 zones that are served are no longer in it" in node.refused("reload")
    assert node.short("www.z5.example") == ["192.0.2.1"]
    node.write(config(names[:5]))
    node.said("reload")
    node.write(config(names[:1]))
    node.said("reload")  # of a handful
    node.write(config(names))
    node.said("reload")
    node.write(config(names[:1]))
    node.refused("reload")
    node.said("reload", "--accept-shrink", "zones")
    assert wait_for(lambda: "REFUSED" in node.dig("www.z5.example"))


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "future", "garbage"])
def test_corrupt_snapshot_is_refused_and_the_last_good_one_stays(pair, damage):
    node, primary, secondary = pair
    newest = node.data / "plan" / f"{node.generations()[-1]:020d}.plan"
    data = bytearray(newest.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    elif damage == "truncate":
        del data[len(data) * 2 // 3:]
    elif damage == "empty":
        data = bytearray()
    elif damage == "future":
        struct.pack_into("<I", data, 8, 999)
    else:
        data = bytearray(os.urandom(5000))
    with asker(node, primary, secondary) as a:
        refused = node.metric("holdfast_plan_refused_total", 'role="dns"')
        bad = newest.with_name(f"{node.generations()[-1] + 1:020d}.plan")
        aside = bad.with_name(".aside")
        aside.write_bytes(data)
        aside.chmod(0o644)
        aside.rename(bad)
        assert wait_for(lambda: node.metric("holdfast_plan_refused_total", 'role="dns"') > refused, 5), node.metrics()
        settle(a)
        # A restarted name server refuses it as well.
        pid = node.kill("dns")
        node.wait_restart("dns", pid)
        settle(a)
        # And the next good plan, which must be above it, is taken. Control may know of the bad one only after a restart.
        pid = node.kill("control")
        node.wait_restart("control", pid)
        primary.cut()
        assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 8), node.log()
    assert_clean(a, lost=2)


def mount_small(path, megabytes=2):
    path.mkdir()
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(path)],
                          capture_output=True).returncode == 0


def test_disk_full_while_publishing(nodes, origins):  # noqa: F811
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary))
    if not mount_small(node.data):
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        node.start()
        assert wait_for(lambda: node.short("api.example.com") == [primary.address]), node.log()
        ballast = node.data / "ballast"
        with asker(node, primary, secondary) as a:
            with open(ballast, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 4096)
                except OSError:
                    pass
            primary.cut()
            assert wait_for(lambda: node.metric("holdfast_plan_publish_failed_total") > 0, 8), node.log()
            settle(a)
            assert node.short("api.example.com") == [primary.address]  # the plan before stays
            assert not list((node.data / "plan").glob(".*")), "something was left aside"
            ballast.unlink()
            assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 8), node.log()
            settle(a)
        assert_clean(a)
    finally:
        node.stop()
        subprocess.run(["umount", "-l", str(node.data)], capture_output=True)


UPDATED = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns: {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig: {k1: {secret: c2VjcmV0IG9mIHRoaXMgdGVzdCwgMzIgYnl0ZXMh}}
zones: [{name: example.com, file: example.com.zone, update: {rules: [{key: k1}]}}]
"""


def test_an_update_confirmed_on_a_full_disk_is_served_once_there_is_space(nodes):  # noqa: F811
    """The few bytes of the journal still fit, the compiled zone does not."""
    node = nodes(UPDATED)
    if not mount_small(node.data):
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        node.start()
        assert nsupdate(node, "update add first.example.com 60 A 192.0.2.1", "k1") == "NOERROR"
        assert wait_for(lambda: node.short("first.example.com"))
        filler = node.data / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as f:
            while True:
                f.write(bytes(4096))
        assert nsupdate(node, "update add second.example.com 60 A 192.0.2.2", "k1") == "NOERROR"
        assert wait_for(lambda: node.metric("holdfast_zones_behind") == 1)
        assert not node.short("second.example.com") and "BEHIND" in node.said("status")
        pid = node.kill("control")  # one that starts goes on with it, without a board
        node.wait_restart("control", pid)
        assert wait_for(lambda: "event=board.create " in node.log())
        assert node.short("first.example.com") and not node.short("second.example.com")
        filler.unlink()
        assert wait_for(lambda: node.short("second.example.com"))
        assert wait_for(lambda: not node.metric("holdfast_zones_behind"))
        assert wait_for(lambda: "STUCK" not in node.said("status") and "!" not in node.said("status"))
    finally:
        node.stop()
        subprocess.run(["umount", "-l", str(node.data)], capture_output=True)


def test_content_that_cannot_be_looked_at_is_not_taken_for_none(nodes):  # noqa: F811
    """After a restore by the wrong user, say: the zone goes on, and not as its text alone has it."""
    node = nodes(UPDATED).start()
    assert nsupdate(node, "update add first.example.com 60 A 192.0.2.1", "k1") == "NOERROR"
    assert wait_for(lambda: node.short("first.example.com"))
    node.stop()
    held = node.data / "zones"
    mode, owner = held.stat().st_mode, held.stat().st_uid
    held.chmod(0o700)
    os.chown(held, 0, 0)
    if os.geteuid() or not owner:
        pytest.skip("roles run as the user of this test")
    node.start()
    assert node.short("first.example.com") == ["192.0.2.1"]
    assert "going on with zone example.com as it was served before" in node.log()
    assert "journal: cannot be read: Permission denied" in node.log()
    assert nsupdate(node, "update add second.example.com 60 A 192.0.2.2", "k1") != "NOERROR"
    os.chown(held, owner, -1)
    held.chmod(mode & 0o7777)
    assert nsupdate(node, "update add second.example.com 60 A 192.0.2.2", "k1") == "NOERROR"
    assert wait_for(lambda: node.short("first.example.com") and node.short("second.example.com"))


@pytest.mark.parametrize("step", [3600, -3600])
def test_clock_steps_an_hour(nodes, origins, open_path, holdfast, step):  # noqa: F811
    library = pathlib.Path(holdfast).parent.parent.parent / "libclockstep.so"
    candidates = [library, *pathlib.Path(holdfast).parents[0].glob("**/libclockstep.so"),
                  *pathlib.Path(holdfast).parents[2].glob("libclockstep.so")]
    library = next((c for c in candidates if c.exists()), None)
    assert library, "libclockstep.so is built with the tests"
    clock = open_path / "clock"
    clock.write_bytes(struct.pack("<q", 0))
    clock.chmod(0o644)
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary),
                 env={"LD_PRELOAD": str(library), "HOLDFAST_TEST_CLOCK": str(clock)}).start()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address]), node.log()
    with asker(node, primary, secondary) as a:
        settle(a)
        generation = steady_generation(node)
        with open(clock, "r+b") as f:
            f.write(struct.pack("<q", step))
        settle(a, 2)
        assert node.generations()[-1] == generation, "a clock step changed the plan"
        assert node.short("api.example.com") == [primary.address]
        began = time.monotonic()
        primary.cut()
        assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 5), node.log()
        assert time.monotonic() - began < 4
        primary.heal()
        assert wait_for(lambda: node.short("api.example.com") == [primary.address], 8), node.log()
    assert_clean(a)
    # The step was real for the processes under test.
    stamps = [line for line in node.log().splitlines() if line.startswith("time=")]
    hours = {s[5:18] for s in stamps}
    assert len(hours) >= 2, stamps[-3:]


def test_supervisor_dead_roles_go_on_and_a_second_node_is_kept_off(pair):
    node, primary, secondary = pair
    with asker(node, primary, secondary) as a:
        node.process.kill()
        node.process.wait()
        settle(a)
        primary.cut()
        assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 5), node.log()
        second = node.cli("run", str(node.config_path))
        assert second.returncode == 1 and "another node runs" in second.stderr
        settle(a)
    assert_clean(a)


def test_privileges_are_dropped(pair):
    node, _, _ = pair
    for role in ("control", "dns", "tell"):
        status = pathlib.Path(f"/proc/{node.pid(role)}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["NoNewPrivs"] == "1", role
        if os.getuid() == 0:
            assert set(fields["Uid"].split()) != {"0"}, role
            allowed = 1 << 13 if role == "control" else 0  # CAP_NET_RAW
            assert int(fields["CapEff"], 16) & ~allowed == 0, role
        if "asan" not in node.binary and "tsan" not in node.binary:
            assert fields["Seccomp"] == "2", role


def test_libcurl_is_loaded_by_who_probes_alone(pair):
    """It brings 28 libraries along, which no answer waits for (src/observe/libcurl_io.h)."""
    node, _, _ = pair
    loaded = [role for role in ("supervisor", "control", "dns", "tell")
              if "/libcurl" in pathlib.Path(f"/proc/{node.pid(role)}/maps").read_text()]
    assert loaded == ["control"]


def test_a_broken_libcurl_keeps_nothing_from_being_answered(nodes, origins, open_path):  # noqa: F811
    primary, secondary = origins(2)
    broken = open_path / "broken"
    broken.mkdir(mode=0o755)
    (broken / "libcurl.so.4").write_bytes(b"no library")
    node = nodes(failover_config(primary, secondary), env={"LD_LIBRARY_PATH": str(broken)}).start()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address]), node.log()
    assert wait_for(lambda: "event=libcurl.load" in node.log()), node.log()
    assert node.short("static.example.com") and primary.requests == 0
    assert node.log().count("event=libcurl.load") == 1


def test_stopping_ends_every_process(pair):
    node, _, _ = pair
    pids = [node.pid(r) for r in ("supervisor", "control", "dns", "tell")]
    node.process.terminate()
    assert node.process.wait(10) == 0
    assert not [p for p in pids if pathlib.Path(f"/proc/{p}").exists()]


def test_a_role_of_another_version_is_told_from_one_that_never_ran(pair):
    """A new program is installed, and not in use yet."""
    node, _, _ = pair
    path = node.data / "run" / "dns.stats"
    header = list(struct.unpack_from("<8sIIII", path.read_bytes()))
    header[3] += 1  # counters
    with open(path, "r+b") as f:
        f.write(struct.pack("<8sIIII", *header))
    assert "dns is of another version than this program" in node.said("status")


def test_kill_tell(pair):
    node, _, _ = pair
    pid = node.kill("tell")
    node.wait_restart("tell", pid)
    assert wait_for(lambda: "holdfast_plan_generation" in node.metrics(), 5)
    assert shutil.which("curl")


def test_upgrade_of_the_binary_loses_nothing(nodes, origins, open_path, holdfast):  # noqa: F811
    program = open_path / "holdfast"
    shutil.copy2(holdfast, program)
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary))
    node.binary = str(program)
    node.start()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address])
    supervisor = node.process.pid
    with asker(node, primary, secondary) as a:
        for _ in range(3):
            before = [node.pid(r) for r in ("control", "dns", "tell")]
            aside = open_path / "new"
            shutil.copy2(holdfast, aside)
            aside.rename(program)
            out = node.cli("upgrade", "--data", str(node.data), timeout=60)
            assert out.returncode == 0, out.stderr + node.log()
            after = [node.pid(r) for r in ("control", "dns", "tell")]
            assert not set(before) & set(after)
            assert node.process.poll() is None and node.pid("supervisor") == supervisor
            settle(a, 0.5)
        primary.cut()  # and it still steers
        assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 5), node.log()
    assert_clean(a)


def test_upgrade_to_another_format_of_plans_loses_nothing(nodes, origins):  # noqa: F811
    """The new name server cannot read what is on the disk: the old one answers until the new control has published."""
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary)).start()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address])
    steady_generation(node)
    with asker(node, primary, secondary) as a:
        settle(a, 0.3)
        for path in (node.data / "plan").glob("*.plan"):  # as a program of another version left them
            other = bytearray(path.read_bytes())
            other[8] += 1
            aside = path.with_name(f".{path.name}")
            aside.write_bytes(other)
            aside.rename(path)
        before = node.pid("dns")
        assert node.said("upgrade")
        assert node.pid("dns") != before and "the file is of version" in node.log()
        settle(a, 0.5)
    assert_clean(a)


def test_upgrade_to_a_program_that_does_not_work_changes_nothing(nodes, origins, open_path, holdfast):  # noqa: F811
    program = open_path / "holdfast"
    shutil.copy2(holdfast, program)
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary))
    node.binary = str(program)
    node.start()
    before = [node.pid(r) for r in ("supervisor", "control", "dns", "tell")]
    aside = open_path / "new"
    aside.write_text("#!/bin/sh\nexit 1\n")
    aside.chmod(0o755)
    aside.rename(program)
    with asker(node, primary, secondary) as a:
        os.kill(node.process.pid, signal.SIGUSR2)
        assert wait_for(lambda: "upgrade.refused" in node.log(), 5), node.log()
        settle(a)
    assert_clean(a)
    assert before == [node.pid(r) for r in ("supervisor", "control", "dns", "tell")]


@pytest.mark.parametrize("lost", ["plan", "store", "both", "folders"])
def test_what_was_published_is_lost_and_made_again(pair, lost):
    """L2: repair starts from the full desired state and succeeds from any state, the empty one included."""
    node, primary, secondary = pair
    with asker(node, primary, secondary) as a:
        for name in ("plan", "store"):
            if lost in (name, "both"):
                for f in (node.data / name).iterdir():
                    f.unlink()
            elif lost == "folders":
                shutil.rmtree(node.data / name)
        if lost == "folders" and os.getuid() == 0:  # the roles may not write to DATA itself
            for name in ("plan", "store"):
                (node.data / name).mkdir()
                shutil.chown(node.data / name, "nobody")
        assert wait_for(lambda: "plan.lost" in node.log(), 5), node.log()
        assert wait_for(lambda: list((node.data / "plan").glob("*.plan")) and list((node.data / "store").glob("*.zone")), 5), node.log()
        settle(a)
        pid = node.kill("dns")
        node.wait_restart("dns", pid)
        settle(a)
        primary.cut()
        assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 5), node.log()
    assert_clean(a, lost=2)
