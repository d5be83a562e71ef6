"""unbound, a validating resolver that asks servers under test."""

import os
import shutil
import subprocess

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from node import DNS_PORT, loopback, process_end, wait_for


class Unbound:
    """Trusts what `anchors` say (DS or DNSKEY records, a line each) and asks the server of each zone in `stubs` alone
    ({zone: "address@port"}). `server` has more lines of that section; `env` the clock, where it is stepped. `folder` is
    made."""

    def __init__(self, folder, anchors, stubs, server=(), env=None):
        folder.mkdir()
        self.address = loopback()
        (folder / "anchor").write_text("".join(f"{line}\n" for line in anchors))
        stub = "".join(f'stub-zone:\n  name: "{zone}"\n  stub-addr: {at}\n' for zone, at in stubs.items())
        more = "".join(f"  {line}\n" for line in server)
        conf = folder / "unbound.conf"
        conf.write_text(f"""server:
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
  val-log-level: 2
  module-config: "validator iterator"
  trust-anchor-file: "{folder}/anchor"
  local-zone: "test." nodefault
  aggressive-nsec: no
  qname-minimisation: no
  num-threads: 1
{more}remote-control:
  control-enable: no
{stub}""")
        self.log = folder / "unbound.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([shutil.which("unbound") or "/usr/sbin/unbound", "-d", "-c", str(conf)],
                                            stdout=log, stderr=log, env={**os.environ, **(env or {})})

    def answers(self, name, rtype):
        """It is up, and finds that there is such a set."""
        def found():
            try:
                return self.ask(name, rtype).rcode() == dns.rcode.NOERROR
            except (OSError, dns.exception.Timeout):
                return False
        return wait_for(found, 10)

    def ask(self, name, rtype):
        query = dns.message.make_query(name, rtype, want_dnssec=True, use_edns=0, payload=1232)
        response = dns.query.udp(query, self.address, port=DNS_PORT, timeout=5)
        if response.flags & dns.flags.TC:
            response = dns.query.tcp(query, self.address, port=DNS_PORT, timeout=5)
        return response

    def stop(self):
        process_end(self.process)
