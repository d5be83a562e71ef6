"""What a node tells: metrics, health, status, explain, query; with clients that do not behave."""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import dns.message
import dns.rrset
import pytest

from node import (DNS_PORT, TELL_PORT, ZONE, Node, Origin, failover_config, loopback, nodes, open_path,  # noqa: F401
                  origins, wait_for)

SPLIT = """  - name: split.example.com
    policy: weighted
    ttl: 60s
    endpoints:
      - {name: heavy, address: 192.0.2.1, weight: 3}
      - {name: light, address: 192.0.2.2, weight: 1}
  - name: near.example.com
    policy: ip_based
    endpoints:
      - {name: office, address: 192.0.2.3, collections: [office]}
      - {name: rest, address: 192.0.2.4, collections: ["*"]}
collections:
  office: ["198.51.100.0/24"]
"""


@pytest.fixture
def pair(nodes, origins):  # noqa: F811
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary)).start()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address]), node.log()
    return node, primary, secondary


def curl(node, path, *args):
    out = subprocess.run(["curl", "-sS", "--max-time", "5", "-w", "\n%{http_code}", *args,
                          f"http://{node.address}:{TELL_PORT}{path}"], capture_output=True, text=True, timeout=20)
    assert out.returncode == 0, out.stderr
    body, _, code = out.stdout.rpartition("\n")
    return int(code), body


def health(node):
    code, body = curl(node, "/healthz")
    return code, json.loads(body)


def talk(node, data, timeout=5.0):
    """Sends bytes, reads until the other side closes."""
    with socket.create_connection((node.address, TELL_PORT), timeout=timeout) as s:
        s.sendall(data)
        got = b""
        while chunk := s.recv(65536):
            got += chunk
        return got


def status(node):
    return json.loads(node.cli("status", "--json", "--data", str(node.data), check=True).stdout)


def endpoint(report, name):
    return next(e for e in report["endpoints"] if e["name"] == name)


# ---- metrics and health ----


def test_metrics_pass_promtool(pair):
    node, primary, _ = pair
    text = node.metrics()
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=20)
    assert lint.returncode == 0 and not lint.stdout and not lint.stderr, lint
    assert 'holdfast_endpoint_up{service="api.example.com",endpoint="use1",address="%s"} 1' % primary.address in text
    for role in ("supervisor", "control", "dns", "tell"):
        assert node.metric("holdfast_role_up", f'role="{role}"') == 1
    assert wait_for(lambda: node.metric("holdfast_plan_generation", 'role="dns"') ==
                    node.metric("holdfast_plan_generation", 'role="tell"') > 0)
    before = node.metric("holdfast_dns_queries_total", 'transport="udp"')
    node.short("api.example.com")
    assert wait_for(lambda: node.metric("holdfast_dns_queries_total", 'transport="udp"') > before)
    assert node.metric("holdfast_probe_duration_seconds", 'phase="connect"') < 1


def test_metrics_follow_a_failure(pair):
    node, primary, secondary = pair
    primary.cut()
    state = 'endpoint="use1",address="%s",state="down"' % primary.address
    assert wait_for(lambda: node.metric("holdfast_endpoint_state", state) == 1, 8), node.metrics()
    assert node.metric("holdfast_endpoint_reason", 'endpoint="use1"') == 1
    assert 'reason="connect-refused"' in node.metrics()
    assert wait_for(lambda: node.metric("holdfast_endpoint_served", secondary.address) == 1)
    assert node.metric("holdfast_service_fail_open") == 0
    assert health(node)[0] == 200, "an endpoint that is down is not an illness of the node"
    secondary.cut()
    assert wait_for(lambda: node.metric("holdfast_service_fail_open") == 1, 8), node.metrics()
    assert 'mode="preferred"' in node.metrics()


def test_health_says_what_is_wrong(pair):
    node, _, _ = pair
    assert wait_for(lambda: health(node)[0] == 200, 5), health(node)
    code, body = health(node)
    assert body["status"] == "ok" and body["node"] == "n1" and body["problems"] == [] and body["generation"] > 0
    pid = node.pid("control")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert wait_for(lambda: health(node)[0] == 503, 10), health(node)
        assert "control has not written verdicts" in health(node)[1]["problems"][0]
        assert "STUCK" in node.cli("status", "--data", str(node.data)).stdout
        assert node.metric("holdfast_control_beat_fresh") == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    assert wait_for(lambda: health(node)[0] == 200, 5), health(node)


def test_tell_outlives_everybody(pair):
    """L1, L9: with supervisor, control and dns dead it still tells, and says so."""
    node, _, _ = pair
    node.short("api.example.com")
    for role in ("supervisor", "control", "dns"):
        with contextlib.suppress(ProcessLookupError):
            node.kill(role)

    def told():  # the page is made at most once a second
        code, page = health(node)
        return code == 503 and all(f"{r} is not running" in " ".join(page["problems"]) for r in ("supervisor", "control", "dns"))

    assert wait_for(told, 5), health(node)
    for role in ("supervisor", "control", "dns"):
        assert node.metric("holdfast_role_up", f'role="{role}"') == 0
    assert node.metric("holdfast_dns_queries_total") > 0, "what was counted is still there"
    node.kill("tell")
    assert wait_for(lambda: not any(r["alive"] for r in status(node)["roles"]), 5)
    assert len(status(node)["problems"]) >= 4
    text = node.cli("status", "--data", str(node.data)).stdout
    assert text.count("DEAD") == 4 and "api.example.com" in text
    out = node.cli("explain", "api.example.com", "--data", str(node.data))
    assert out.returncode == 0 and "Mind: control is not running" in out.stdout


def test_a_plan_that_does_not_pass_is_refused_and_told(pair):
    """L2: the reader checks for itself, keeps what it has, counts the refusal once and says so."""
    node, primary, _ = pair
    assert wait_for(lambda: health(node)[0] == 200, 5), health(node)
    before = node.metric("holdfast_plan_generation", 'role="tell"')
    bad = node.data / "plan" / f"{int(before) + 1:020}.plan"
    whole = (node.data / "plan" / f"{int(before):020}.plan").read_bytes()
    bad.write_bytes(whole[:-8] + bytes(8))
    assert wait_for(lambda: "a newer plan was refused" in " ".join(health(node)[1]["problems"]), 5), health(node)
    time.sleep(2.5)
    assert node.metric("holdfast_plan_generation", 'role="tell"') == before
    assert node.metric("holdfast_plan_refused_total", 'role="tell"') == 1
    assert bad.name in node.cli("status", "--data", str(node.data)).stdout
    primary.cut()  # the next plan that passes takes its place
    assert wait_for(lambda: node.metric("holdfast_plan_generation", 'role="tell"') > before + 1, 8)
    assert wait_for(lambda: health(node)[0] == 200, 8), health(node)


# ---- HTTP ----


def test_pages_and_methods(pair):
    node, _, _ = pair
    code, page = curl(node, "/")
    assert code == 200 and "api.example.com" in page and "\033" not in page
    assert curl(node, "/nothing")[0] == 404
    assert curl(node, "/metrics", "-X", "POST", "-d", "x=1")[0] == 405
    assert curl(node, "/metrics", "-X", "BREW")[0] == 501
    assert curl(node, "/metrics?any=query")[0] == 200
    assert curl(node, "/metrics", "--http1.0")[0] == 200
    head = talk(node, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").decode()
    assert head.startswith("HTTP/1.1 200 OK\r\n") and head.endswith("\r\n\r\n")
    assert int(re.search(r"Content-Length: (\d+)", head).group(1)) > 1000
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" in head


@pytest.mark.parametrize("request_bytes, code", [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET /" + b"a" * 9000, 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000, 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\r\n" + bytes(100), 400),
], ids=["no host", "smuggling", "bare lf", "blank before colon", "version", "target", "endless line", "endless head", "tls"])
def test_bad_requests(pair_module, request_bytes, code):
    got = talk(pair_module, request_bytes)
    assert got.startswith(b"HTTP/1.1 %d " % code), got[:200]
    assert b"Connection: close\r\n" in got and got.count(b"HTTP/1.1") == 1


@pytest.fixture(scope="module")
def pair_module(holdfast):
    """One node for all the tests that only send it bytes."""
    primary, secondary = Origin(), Origin()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-test-"))
    folder.chmod(0o755)
    node = Node(holdfast, folder / "node", failover_config(primary, secondary), {"example.com.zone": ZONE})
    try:
        node.start()
        assert wait_for(lambda: health(node)[0] == 200, 10), health(node)
        yield node
    finally:
        node.stop()
        primary.cut()
        secondary.cut()
        shutil.rmtree(folder, ignore_errors=True)


def test_keep_alive_and_pipelining(pair_module):
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert talk(pair_module, one * 200 + last).count(b"HTTP/1.1 ") == 201
    body = b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\nGET / HTTP/1.1\r\nHost: smuggled\r\n\r\n1234567"
    assert talk(pair_module, body).count(b"HTTP/1.1 ") == 1


def test_slow_clients_keep_nobody_waiting(pair_module):
    """More half-open requests than there are places: those who ask still get answers at once."""
    node = pair_module
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            s = stack.enter_context(socket.create_connection((node.address, TELL_PORT), timeout=5))
            with contextlib.suppress(OSError):
                s.sendall(b"GET /metr")
        for _ in range(20):
            began = time.monotonic()
            assert curl(node, "/healthz")[0] == 200, curl(node, "/healthz")
            assert time.monotonic() - began < 2
        assert node.metric("holdfast_http_clients") <= 256
    with socket.create_connection((node.address, TELL_PORT), timeout=20) as s:
        began = time.monotonic()
        s.settimeout(20)
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 18:
                s.sendall(b"x")  # a byte now and then buys no time
                readable, _, _ = select.select([s], [], [], 0.5)
                if readable and not s.recv(100):
                    break
        assert 5 < time.monotonic() - began < 16


def test_reader_who_does_not_read(pair_module):
    node = pair_module
    with socket.create_connection((node.address, TELL_PORT), timeout=5) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(OSError):
            s.settimeout(0.5)
            for _ in range(2000):
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert curl(node, "/healthz")[0] == 200


def test_rush_of_visitors_costs_a_copy_each(pair_module):
    node = pair_module
    one = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    before = node.metric("holdfast_http_requests_total")
    for _ in range(5):
        assert talk(node, one * 100 + last).count(b"HTTP/1.1 200") == 101
    assert wait_for(lambda: node.metric("holdfast_http_requests_total") >= before + 505, 5)


# ---- status ----


def test_status_table_and_json(pair):
    node, primary, secondary = pair
    data = ["--data", str(node.data)]
    report = status(node)
    assert report["node"] == "n1" and report["problems"] == []
    use1 = endpoint(report, "use1")
    assert use1["addresses"][0]["state"] == "up" and use1["addresses"][0]["served"] and use1["admin"] == "auto"
    assert report["services"][0]["A"]["answers"] == primary.address
    text = node.cli("status", *data, check=True).stdout
    assert "\033" not in text, "no colours into a pipe"
    assert re.search(rf"api\.example\.com +use1 +{primary.address} +us-east-1 +up +auto +ok", text), text
    assert node.cli("status", "--config", str(node.config_path), check=True).stdout.splitlines()[2:6]
    primary.status = 503
    assert wait_for(lambda: endpoint(status(node), "use1")["addresses"][0]["state"] == "down", 8)
    text = node.cli("status", *data).stdout
    assert re.search(r"use1 .* DOWN +auto +status 503", text), text
    order = node.cli("endpoint", "drain", "euw1", "--reason", "moving racks", *data)
    assert order.returncode == 0, order
    assert wait_for(lambda: endpoint(status(node), "euw1")["admin"] == "drained", 5)
    assert endpoint(status(node), "euw1")["admin_reason"] == "moving racks"
    assert "DRAINED" in node.cli("status", *data).stdout


def on_terminal(args, seconds, env=None):
    """What a program writes to a terminal in that time."""
    master, slave = pty.openpty()
    process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env={**os.environ, **(env or {})})
    os.close(slave)
    got, deadline = b"", time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    got += os.read(master, 65536)
                except OSError:
                    break
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(5)
        os.close(master)
    return got.decode(errors="replace")


def test_status_colours_and_watch(pair):
    node, _, _ = pair
    args = [node.binary, "status", "--data", str(node.data)]
    clean = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    assert "\033[32m" in on_terminal(args, 3, {**clean, "NO_COLOR": ""})
    assert "\033[3" not in on_terminal(args, 3, {"NO_COLOR": "1"})
    watched = on_terminal([*args, "--watch"], 3.5)
    assert watched.count("\033[H") >= 3 and "node" in watched
    lines = node.cli
    process = subprocess.Popen([*args, "--watch", "--json"], stdout=subprocess.PIPE, text=True)
    try:
        assert all(json.loads(process.stdout.readline())["node"] == "n1" for _ in range(2))
    finally:
        process.terminate()
        process.wait(5)
    assert lines("status", "--data", "/nonexistent").returncode == 1
    assert lines("status", "surprise").returncode == 2


# ---- explain ----


@pytest.fixture
def steered(nodes, origins):  # noqa: F811
    primary, secondary = origins(2)
    node = nodes(failover_config(primary, secondary, extra=SPLIT)).start()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address]), node.log()
    return node, primary, secondary


def explain(node, *args):
    out = node.cli("explain", *args, "--config", str(node.config_path))
    assert out.returncode == 0, out
    return out.stdout


def test_explain_steered_names(steered):
    node, primary, secondary = steered
    text = explain(node, "www.example.com")
    assert "is an alias" in text and "api.example.com is steered: policy failover" in text
    assert f"The answer is {primary.address} (use1)." in text and "it is the reserve" in text
    assert "For AAAA" in text and "NODATA" in text
    text = explain(node, "split.example.com", "--type", "A")
    assert "75% 192.0.2.1, 25% 192.0.2.2" in text and "This time the draw fell on" in text
    near = explain(node, "near.example.com", "--type", "A", "--from", "198.51.100.7")
    assert "as office" in near and "The answer is 192.0.2.3 (office)." in near, near
    assert node.short("near.example.com", "A", "+subnet=198.51.100.0/24") == ["192.0.2.3"]
    near = explain(node, "near.example.com", "--type", "A", "--from", "203.0.113.0/24")
    assert "The answer is 192.0.2.4 (rest)." in near, near
    assert "--from ADDRESS" in explain(node, "near.example.com", "--type", "A")


def test_explain_failure_and_orders(steered):
    node, primary, secondary = steered
    primary.cut()
    assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 8)
    text = explain(node, "api.example.com", "--type", "A")
    assert "is DOWN for" in text and "the connection was refused" in text and "because it is down" in text
    secondary.cut()
    assert wait_for(lambda: "FAIL OPEN" in explain(node, "api.example.com"), 8)
    primary.heal(), secondary.heal()
    # Where all are down the primary is answered as well.
    assert wait_for(lambda: node.metric("holdfast_endpoint_up", 'service="api.example.com"') == 2, 10), node.metrics()
    assert wait_for(lambda: node.short("api.example.com") == [primary.address])
    assert node.cli("endpoint", "drain", "use1", "--reason", "moving\033[2J racks", "--data", str(node.data)).returncode == 0
    assert wait_for(lambda: node.short("api.example.com") == [secondary.address], 5)
    text = explain(node, "api.example.com", "--type", "A")
    assert "ORDER: drained by " in text and "gets no new answers" in text and "by that order" in text
    assert "racks" in text and "\033" not in text


def test_explain_static_names(steered):
    node, _, _ = steered
    assert "300 A 192.0.2.80" in explain(node, "static.example.com")
    assert "NODATA" in explain(node, "static.example.com", "--type", "MX")
    assert "NXDOMAIN" in explain(node, "no.such.example.com")
    assert "REFUSED" in explain(node, "example.org")
    assert "SOA ns1.example.com." in explain(node, "EXAMPLE.com.", "--type", "soa")
    for wrong in ([], ["a", "b"], ["a..b"], ["a", "--from", "nowhere"], ["a", "--from", "10.0.0.0/33"], ["a", "--type", "X"]):
        assert node.cli("explain", *wrong).returncode == 2, wrong
    assert node.cli("explain", "a", "--data", "/nonexistent").returncode == 1


def test_explain_aliases_that_lead_away(nodes, origins):  # noqa: F811
    primary, secondary = origins(2)
    zone = ZONE + ("away CNAME www.example.net.\nround CNAME about\nabout CNAME round\nmoved DNAME example.com.\n"
                   f"far DNAME {'a' * 63}.{'b' * 63}.{'c' * 60}.example.net.\n")
    node = nodes(failover_config(primary, secondary), zones={"example.com.zone": zone}).start()
    text = explain(node, "away.example.com")
    assert "the answer ends with the alias" in text and "REFUSED" not in text, text
    text = explain(node, "round.example.com")
    assert "in a circle" in text and text.count("is an alias") == 2, text
    text = explain(node, "static.moved.example.com")
    assert "Names below moved.example.com are redirected" in text and "300 A 192.0.2.80" in text, text
    assert "YXDOMAIN" in explain(node, f"{'d' * 63}.far.example.com")


# ---- query ----


def query(node, *args):
    return node.cli("query", *args, f"@{node.address}:{DNS_PORT}")


def test_query_prints_what_dig_prints(steered):
    node, primary, _ = steered
    for name, rtype in [("api.example.com", "A"), ("static.example.com", "A"), ("example.com", "SOA"),
                        ("www.example.com", "A"), ("example.com", "NS")]:
        for how in ([], ["--tcp"]):
            out = query(node, name, rtype, "--short", *how)
            assert out.returncode == 0 and sorted(out.stdout.split("\n")) == sorted(node.dig("+short", name, rtype).split("\n"))
    full = query(node, "api.example.com")
    assert ";; NOERROR" in full.stdout and "flags: qr aa" in full.stdout and "over UDP" in full.stdout
    # until checks could change it: shorter while the first ones are under way
    assert re.search(rf"^api\.example\.com\. [1-5] IN A {primary.address}$", full.stdout, re.M), full.stdout
    assert ";; NXDOMAIN" in query(node, "nope.example.com").stdout
    assert "over TCP" in query(node, "static.example.com", "--tcp").stdout
    scoped = query(node, "near.example.com", "--subnet", "198.51.100.9/32").stdout
    assert "192.0.2.3" in scoped and "client subnet 198.51.100.9/32, answer holds for /24" in scoped
    assert "EDNS" not in query(node, "api.example.com", "--no-edns").stdout


class Server:
    """A name server of one answer over UDP, which may lie."""

    def __init__(self, answers):
        self.address, self.answers = loopback(), answers
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.address, DNS_PORT))

    def serve(self, count=1):
        for _ in range(count):
            self.udp.settimeout(10)
            wire, peer = self.udp.recvfrom(4096)
            for answer in self.answers(dns.message.from_wire(wire), wire):
                self.udp.sendto(answer, peer)


def test_query_takes_no_stranger_for_an_answer(holdfast):
    def answers(q, wire):
        other = dns.message.make_response(q)
        other.id ^= 1
        elsewhere = dns.message.make_response(dns.message.make_query("evil.example.", "A"))
        elsewhere.id = q.id
        good = dns.message.make_response(q)
        good.answer.append(dns.rrset.from_text(q.question[0].name, 1, "IN", "A", "192.0.2.99"))
        return [b"", b"x" * 5, wire, other.to_wire(), elsewhere.to_wire(), good.to_wire()]

    server = Server(answers)
    thread = threading.Thread(target=server.serve)
    thread.start()
    out = subprocess.run([holdfast, "query", "a.example", f"@{server.address}:{DNS_PORT}", "--short"], capture_output=True, text=True, timeout=20)
    thread.join()
    server.udp.close()
    assert out.returncode == 0 and out.stdout == "192.0.2.99\n", out


def test_query_without_an_answer(holdfast):
    silent = Server(lambda q, wire: [])
    began = time.monotonic()
    out = subprocess.run([holdfast, "query", "a.example", f"@{silent.address}:{DNS_PORT}", "--timeout", "100ms", "--tries", "2"],
                         capture_output=True, text=True, timeout=20)
    silent.udp.close()
    assert out.returncode == 1 and "no reply" in out.stderr and time.monotonic() - began < 3
    for wrong in ([], ["a", "A", "b"], ["a..b"], ["a", "NOTYPE"], ["a", "AXFR"], ["a", "--timeout", "5"], ["a", "--subnet", "x"],
                  ["a", "--no-edns", "--nsid"], ["a", "@["]):
        assert subprocess.run([holdfast, "query", *wrong], capture_output=True, timeout=20).returncode == 2, wrong
