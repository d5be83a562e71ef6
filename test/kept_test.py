"""Connections that clients keep, and pipeline on, through an upgrade: the old name server answers what it was asked,
tells who asks (RFC 7828) that it is time to go, and ends every connection in order; no query is lost."""

import contextlib
import socket
import threading
import time

import dns.edns
import dns.message
import pytest

from node import DNS_PORT, nodes, open_path, wait_for  # noqa: F401 (fixtures)
from tls_test import TLS_PORT, UNVERIFIED, issuer, start  # noqa: F401 (fixtures)

BATCH, KEEPALIVE = 20, 11


class Kept:
    """Pipelines batches of queries on one connection. `polite`: asks how long it may stay, and goes when it is told 0.
    Who is not polite goes on until the server ends the stream; what was not answered then is asked anew."""

    def __init__(self, node, tls, polite, pause=0.0):
        self.node, self.tls, self.polite, self.pause = node, tls, polite, pause
        self.answered, self.again, self.told, self.ended, self.errors = 0, 0, 0, 0, []
        options = [dns.edns.GenericOption(KEEPALIVE, b"")] if polite else []
        wire = dns.message.make_query("static.example.com", "A", use_edns=0, options=options).to_wire()
        self.frame, self.stop = len(wire).to_bytes(2, "big") + wire, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def connection(self):
        s = socket.create_connection((self.node.address, TLS_PORT if self.tls else DNS_PORT), timeout=5)
        return UNVERIFIED.wrap_socket(s) if self.tls else s

    def run(self):
        while not self.stop.is_set():
            try:
                with self.connection() as s:
                    self.talk(s)
            except (OSError, AssertionError) as e:
                self.errors.append(repr(e))
                time.sleep(0.02)

    def talk(self, s):
        read = s.makefile("rb")
        while not self.stop.is_set():
            with contextlib.suppress(OSError):  # it has ended; that is read below
                s.sendall(self.frame * BATCH)
            leave = False
            for i in range(BATCH):
                try:
                    size = read.read(2)
                except OSError:  # what was sent after the end may be answered by a reset, but no answer is cut
                    assert i == 0, "answers were taken back"
                    size = b""
                if len(size) < 2:
                    self.again += BATCH - i
                    self.ended += 1
                    return
                reply = read.read(int.from_bytes(size, "big"))
                assert bytes([192, 0, 2, 80]) in reply, reply
                self.answered += 1
                leave |= bytes([0, KEEPALIVE, 0, 2, 0, 0]) in reply
            if leave and self.polite:
                self.told += 1
                return
            time.sleep(self.pause)


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_upgrade(nodes, issuer, tls):  # noqa: F811
    node = start(nodes, issuer)
    with Kept(node, tls, True) as polite, Kept(node, tls, False, 0.01) as rude, Kept(node, tls, False, 1.2) as slow:
        assert wait_for(lambda: polite.answered > 100 and rude.answered > 100 and slow.answered >= BATCH)
        assert node.cli("upgrade", "--data", str(node.data), timeout=60).returncode == 0
        assert wait_for(lambda: polite.told >= 1 and rude.ended >= 1 and slow.ended >= 1, 10), node.log()
        old = [k.answered for k in (polite, rude, slow)]
        assert wait_for(lambda: all(k.answered > before for k, before in zip((polite, rude, slow), old))), node.log()
    # Who comes back at once may meet the other thread of the old one, which has not heard yet that it is to go.
    assert 1 <= polite.told <= 2 and polite.ended == 0 and polite.again == 0, vars(polite)
    assert rude.again <= BATCH and slow.again <= BATCH, (vars(rude), vars(slow))
    assert not polite.errors + rude.errors + slow.errors, (polite.errors, rude.errors, slow.errors)


def test_stop_is_bounded(nodes, issuer):  # noqa: F811
    """A client that is quiet, and one that never goes, hold up nobody for long."""
    node = start(nodes, issuer)
    with socket.create_connection((node.address, DNS_PORT)), Kept(node, False, False) as rude:
        assert wait_for(lambda: rude.answered > 100)
        began = time.monotonic()
        node.stop()
        assert time.monotonic() - began < 4.8
    assert "signal=9" not in node.log()
