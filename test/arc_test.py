"""Users of the API, and the two APIs of Route 53 ARC, driven by clients that know nothing of Holdfast."""

import json
import re
import stat

from node import failover_config, nodes, open_path, origins, wait_for  # noqa: F401


class Site:
    """One node, and what its operator says."""

    def __init__(self, nodes, origins, more=""):
        self.origins = origins(2)
        self.node = nodes(failover_config(*self.origins) + more).start()

    def said(self, *words):
        out = self.node.cli(*words, "--data", str(self.node.data))
        assert out.returncode == 0, out
        return out.stdout

    def refused(self, *words):
        out = self.node.cli(*words, "--data", str(self.node.data))
        assert out.returncode == 1 and out.stderr.startswith("holdfast: "), out
        return out.stderr

    def key(self, *words):
        """Makes one: its id and its secret."""
        said = self.said("user", *words)
        return re.search(r"aws_access_key_id = (\w{20})\naws_secret_access_key = (\S{40})\n", said).groups()


def test_users_and_their_secrets(nodes, origins):  # noqa: F811
    site = Site(nodes, origins)
    key, secret = site.key("add", "ana", "--role", "operator", "--on", "checkout/*", "--reason", "on call")
    second, other = site.key("key", "add", "ana")
    assert len({key, second, secret, other}) == 4
    assert "has 2 access keys" in site.refused("user", "key", "add", "ana")
    site.said("user", "key", "disable", "ana", key)
    site.said("user", "permit", "ana", "--allow", "route53-recovery-cluster:*", "--deny", "*:Delete*")
    listed = site.said("user", "list")
    assert f"key {key}, Inactive, made on " in listed and f"key {second}, Active" in listed
    assert "may route53-recovery-cluster:* on *" in listed and "may never *:Delete* on *" in listed
    (site.node.folder / "policy.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "route53-recovery-cluster:Get*", "Resource": "arn:aws:route53-recovery-control::*"}}))
    site.said("user", "permit", "ana", "--policy", str(site.node.folder / "policy.json"))
    site.said("user", "key", "remove", "ana", key)
    # The secret was shown once, and is nowhere but in a file that only the node reads.
    shown = "".join(site.said(*words) for words in (["user", "list"], ["log"], ["log", "--json"], ["status", "--json"]))
    for path in site.node.data.rglob("*"):
        if path.is_file() and secret.encode() in path.read_bytes():
            assert path.name.startswith("intent.json") and stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert key in shown and secret not in shown and other not in shown
    log = site.node.log()
    assert key not in log and secret not in log and other not in log
    site.said("undo", "6")
    assert key in site.said("user", "list")
    site.said("user", "remove", "ana")
    assert site.said("user", "list").startswith("there are no users")
