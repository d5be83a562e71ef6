"""What is the same of NSD and Knot, whichever part they play beside a node under test."""

from node import DNS_PORT

SECRET = "c2VjcmV0IG9mIHRoaXMgdGVzdCwgMzIgYnl0ZXMh"
PROGRAMS = {"nsd": "/usr/sbin/nsd", "knot": "/usr/sbin/knotd"}


def command(kind, path):
    return [PROGRAMS[kind], *(["-d"] if kind == "nsd" else []), "-c", path]


def knot_head(address, folder, *keys):
    named = "".join(f"  - id: {k}\n    algorithm: hmac-sha256\n    secret: {SECRET}\n" for k in keys)
    return f"""server:
    listen: {address}@{DNS_PORT}
    rundir: {folder}
database:
    storage: {folder}
log:
  - target: stderr
    any: info
key:
{named}"""


def nsd_head(address, folder, key, control=False, more=""):
    """more: lines of the server section."""
    return f"""server:
  ip-address: {address}@{DNS_PORT}
  username: ""
  chroot: ""
  zonesdir: {folder}
  database: ""
  zonelistfile: {folder}/zone.list
  xfrdfile: {folder}/xfrd.state
  xfrdir: {folder}
  pidfile: {folder}/nsd.pid
  verbosity: 2
{more}remote-control:
  control-enable: {"yes" if control else "no"}
  control-interface: {folder}/nsd.sock
key:
  name: {key}
  algorithm: hmac-sha256
  secret: {SECRET}
"""
