"""The SOA serial moves with every change of a zone, by the operator's policy, and never back: across edits, reloads,
restarts, and control killed at any moment."""

import time

import dns.dnssec
import dns.message
import dns.name
import dns.query


from node import DNS_PORT, away_from_midnight, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from transfer_test import KEYRING, SECRET, xfr_query

CONFIG = """node: {name: n1, site: here, network: AS64500, data: "%DATA%"}
dns:  {listen: ["%DNS%"], threads: 1}
tell: {listen: ["%TELL%"]}
tsig:
  k1: {secret: """ + SECRET + """}
zones:
  - {name: file.example, file: file.zone, transfer: {keys: [k1]}}
  - {name: count.example, file: count.zone, serial: increment}
  - {name: unix.example, file: unix.zone, serial: unixtime}
  - {name: date.example, file: date.zone, serial: date, dnssec: on}
"""
NAMES = ("file", "count", "unix", "date")


def text(serial, *lines):
    return "\n".join(["$TTL 300", f"@ SOA ns1.example.net. admin.example.net. {serial} 3600 600 86400 60",
                      "@ NS ns1.example.net.", *lines]) + "\n"


def newer(a, b):
    return a != b and (a - b) % 2 ** 32 < 2 ** 31


def serial(node, zone):
    reply = dns.query.udp(dns.message.make_query(zone, "SOA"), node.address, port=DNS_PORT, timeout=3)
    return reply.answer[0][0].serial


def serials(node):
    return {n: serial(node, n + ".example") for n in NAMES}


def write(node, serial_, *lines):
    for n in NAMES:
        (node.folder / f"{n}.zone").write_text(text(serial_, *lines))


def reload(node, expected):
    """Serials once they are in service that make this true: all of one reload are in one plan."""
    node.cli("reload", "--data", str(node.data), check=True)
    assert wait_for(lambda: expected(serials(node))), (serials(node), node.log()[-2000:])
    return serials(node)


def start(nodes):  # noqa: F811
    return nodes(CONFIG, {f"{n}.zone": text(10) for n in NAMES}).start()


def test_policies(nodes):  # noqa: F811
    away_from_midnight()
    node = start(nodes)
    now = time.time()
    today = int(time.strftime("%Y%m%d00", time.gmtime(now)))
    first = serials(node)
    assert first["file"] == first["count"] == 10
    assert abs(first["unix"] - now) < 60 and first["date"] == today
    node.cli("reload", "--data", str(node.data), check=True)
    time.sleep(0.5)  # there is no other plan to be waited for
    assert serials(node) == first  # nothing changed
    write(node, 10, "a A 192.0.2.1")  # the serial was forgotten
    second = reload(node, lambda now: all(now[n] != first[n] for n in NAMES))
    assert second["file"] == second["count"] == 11 and second["date"] == first["date"] + 1
    assert first["unix"] < second["unix"] <= time.time() + 1
    assert "SOA ns1.example.net. admin.example.net. 11 " in \
        node.cli("zone", "served", "file.example", "--data", str(node.data)).stdout
    same = node.cli("zone", "diff", str(node.folder / "file.zone"), "file.example", "--data", str(node.data))
    assert same.returncode == 0 and not same.stdout, same  # the serial alone is no difference
    write(node, 50, "a A 192.0.2.1")  # nothing but the serial
    third = reload(node, lambda now: now["file"] == 50)
    assert {n: third[n] for n in NAMES[1:]} == {n: second[n] for n in NAMES[1:]}
    write(node, 12, "a A 192.0.2.2")  # an old one, with a change
    reload(node, lambda now: now["file"] == 51 and now["count"] == 12)
    node.stop()
    write(node, 12, "a A 192.0.2.2", "b A 192.0.2.3")  # while it was off
    node.start()
    assert wait_for(lambda: serials(node)["file"] == 52 and serials(node)["count"] == 13), serials(node)


def test_never_back_whoever_dies(nodes):  # noqa: F811
    """Control is killed while it makes and publishes new versions. No SOA that was seen is ever followed by an older
    one, and AXFR always gives what the SOA says."""
    node = start(nodes)
    seen = serials(node)
    for i in range(1, 7):
        write(node, 10, f"a A 192.0.2.{i}")
        pid = node.pid("control")
        if i % 2:
            node.cli("reload", "--data", str(node.data))
        node.kill("control")
        node.wait_restart("control", pid)

        def arrived():
            now = serials(node)
            for n in NAMES:
                assert now[n] == seen[n] or newer(now[n], seen[n]), (n, seen[n], now[n])
            seen.update(now)
            return node.short("a.file.example") == [f"192.0.2.{i}"]
        assert wait_for(arrived), node.log()[-3000:]
        whole = dns.query.tcp(xfr_query("file.example", "AXFR", KEYRING, "k1", "hmac-sha256"), node.address,
                              port=DNS_PORT, timeout=5)
        given = whole.answer[0][0].serial
        assert not newer(seen["file"], given) and not newer(given, serial(node, "file.example"))
        seen.update(serials(node))
    assert seen["file"] >= 16 and seen["count"] >= 16


def test_signed_again_is_a_new_version(nodes):  # noqa: F811
    """What a rollover of keys changes, secondaries have to see: nobody touched the zone's text."""
    node = start(nodes)
    before = serial(node, "date.example")
    keys = node.short("date.example", "DNSKEY")
    node.cli("dnssec", "roll", "date.example", "--data", str(node.data), check=True)
    assert wait_for(lambda: len(node.short("date.example", "DNSKEY")) > len(keys)), node.log()[-2000:]
    assert newer(serial(node, "date.example"), before)
    reply = dns.query.tcp(dns.message.make_query("date.example", "SOA", want_dnssec=True), node.address, port=DNS_PORT,
                          timeout=3)
    dns.dnssec.validate(reply.answer[0], reply.answer[1], {dns.name.from_text("date.example"): dns.query.tcp(
        dns.message.make_query("date.example", "DNSKEY"), node.address, port=DNS_PORT, timeout=3).answer[0]})
