"""Users of the API, and the two APIs of Route 53 ARC, driven by clients that know nothing of Holdfast."""

import contextlib
import json
import os
import pathlib
import re
import socket
import stat
import subprocess
import time

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EndpointConnectionError

from mesh_test import Cluster, sees
from node import API_PORT, failover_config, nodes, open_path, origins, wait_for  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA, CONFIG = "route53-recovery-cluster", "route53-recovery-control-config"
ONCE = Config(retries={"max_attempts": 0}, connect_timeout=20, read_timeout=20)


def certify(node):
    """A certificate for its address, and the key."""
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                           "-subj", "/CN=api", "-addext", f"subjectAltName=IP:{node.address}", "-keyout", node.folder / "api.key",
                           "-out", node.folder / "api.pem"], capture_output=True, timeout=30)
    assert made.returncode == 0, made.stderr
    (node.folder / "api.key").chmod(0o644)  # the roles run as another user here


class Site:
    """One node, what its operator says, and clients of its API."""

    def __init__(self, nodes, origins, tls=False):
        self.origins = origins(2)
        self.node = nodes(failover_config(*self.origins) + 'api: {listen: ["%API%"]}\n')
        self.url = f"{'https' if tls else 'http'}://{self.node.address}:{API_PORT}"
        if tls:
            certify(self.node)
            self.node.config_path.write_text(self.node.config_path.read_text().replace(
                "api: {", f"api: {{tls: {{certificate: {self.node.folder}/api.pem, key: {self.node.folder}/api.key}}, "))
        self.node.start()

    @classmethod
    def of(cls, node):
        """A node that runs already."""
        site = cls.__new__(cls)
        site.node, site.url = node, f"http://{node.address}:{API_PORT}"
        return site

    def key(self, *words):
        """Makes one: its id and its secret."""
        said = self.node.said("user", *words)
        return re.search(r"aws_access_key_id = (\w{20})\naws_secret_access_key = (\S{40})\n", said).groups()

    def client(self, service, key, region="us-west-2", verify=None):
        return boto3.client(service, endpoint_url=self.url, region_name=region, aws_access_key_id=key[0],
                            aws_secret_access_key=key[1], config=ONCE, verify=verify)

    def answer(self):
        return "".join(self.node.short("api.example.com"))


def refused(error, call, **arguments):
    """The error that a call ends in: its code is this one."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    reply = raised.value.response
    assert reply["Error"]["Code"] == error, reply
    assert re.fullmatch(r"[0-9a-f-]{36}", reply["ResponseMetadata"]["RequestId"]), reply
    return reply


@pytest.fixture
def site(nodes, origins):  # noqa: F811
    return Site(nodes, origins)


@pytest.fixture
def admin(site):
    return site.key("add", "root", "--role", "admin")


def panel_of_two(site, admin):
    """A panel with the controls us and eu, On, gating the two endpoints: ARNs by name."""
    config = site.client(CONFIG, admin)
    site.node.said("control", "add", "web/us", "--gates", "endpoint:api.example.com/use1")
    site.node.said("control", "add", "web/eu", "--gates", "endpoint:api.example.com/euw1")
    [panel] = config.list_control_panels()["ControlPanels"]
    assert panel["Name"] == "web" and panel["RoutingControlCount"] == 2 and panel["Status"] == "DEPLOYED"
    controls = config.list_routing_controls(ControlPanelArn=panel["ControlPanelArn"])["RoutingControls"]
    arns = {c["Name"]: c["RoutingControlArn"] for c in controls}
    arns["panel"], arns["cluster"] = panel["ControlPanelArn"], panel["ClusterArn"]
    return config, arns


def slowly(call, **arguments):
    """Within three updates a second."""
    time.sleep(0.34)
    return call(**arguments)


def test_users_and_their_secrets(site):
    key, secret = site.key("add", "ana", "--role", "operator", "--on", "checkout/*", "--reason", "on call")
    second, other = site.key("key", "add", "ana")
    assert len({key, second, secret, other}) == 4
    assert "has 2 access keys" in site.node.refused("user", "key", "add", "ana")
    site.node.said("user", "key", "disable", "ana", key)
    site.node.said("user", "permit", "ana", "--allow", "route53-recovery-cluster:*", "--deny", "*:Delete*")
    listed = site.node.said("user", "list")
    assert f"key {key}, Inactive, made on " in listed and f"key {second}, Active" in listed
    assert "may route53-recovery-cluster:* on *" in listed and "may never *:Delete* on *" in listed
    (site.node.folder / "policy.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "route53-recovery-cluster:Get*", "Resource": "arn:aws:route53-recovery-control::*"}}))
    site.node.said("user", "permit", "ana", "--policy", str(site.node.folder / "policy.json"))
    site.node.said("user", "key", "remove", "ana", key)
    # The secret was shown once, and is nowhere but in a file that only the node reads.
    shown = "".join(site.node.said(*words) for words in (["user", "list"], ["log"], ["log", "--json"], ["status", "--json"]))
    for path in site.node.data.rglob("*"):
        if path.is_file() and secret.encode() in path.read_bytes():
            assert path.name.startswith("intent.json") and stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert key in shown and secret not in shown and other not in shown
    log = site.node.log()
    assert secret not in log and other not in log
    site.node.said("undo", "6")
    assert key in site.node.said("user", "list")
    site.node.said("user", "remove", "ana")
    assert site.node.said("user", "list").startswith("there are no users")


def test_data_plane_steers(site, admin):
    _, arns = panel_of_two(site, admin)
    primary, secondary = (o.address for o in site.origins)
    data = site.client(DATA, admin, region="eu-west-1")
    assert wait_for(lambda: site.answer() == primary)
    state = data.get_routing_control_state(RoutingControlArn=arns["us"])
    assert (state["RoutingControlState"], state["RoutingControlName"]) == ("On", "us")
    assert state["RoutingControlArn"] == arns["us"]
    data.update_routing_control_state(RoutingControlArn=arns["us"], RoutingControlState="Off")
    assert data.get_routing_control_state(RoutingControlArn=arns["us"])["RoutingControlState"] == "Off"
    assert wait_for(lambda: site.answer() == secondary)
    # The same objects, the same log.
    assert "Off  web/us  gates endpoint:api.example.com/use1" in site.node.said("control", "list")
    log = site.node.said("log", "1")
    assert "by user root on " in log and f": UpdateRoutingControlState, key {admin[0]}" in log
    assert "control web/us is Off: UpdateRoutingControlState" in site.node.said("explain", "api.example.com")
    site.node.said("control", "on", "web/us")
    assert data.get_routing_control_state(RoutingControlArn=arns["us"])["RoutingControlState"] == "On"
    assert wait_for(lambda: site.answer() == primary)
    # All of a batch or nothing of it.
    batch = [{"RoutingControlArn": arns[name], "RoutingControlState": "Off"} for name in ("us", "eu")]
    reply = refused("ResourceNotFoundException", data.update_routing_control_states,
                    UpdateRoutingControlStateEntries=batch + [{"RoutingControlArn": arns["us"] + "0", "RoutingControlState": "On"}])
    assert reply["resourceId"] == arns["us"] + "0" and reply["resourceType"] == "AWS::Route53RecoveryControl::RoutingControl"
    assert {c["RoutingControlState"] for c in data.list_routing_controls()["RoutingControls"]} == {"On"}
    slowly(data.update_routing_control_states, UpdateRoutingControlStateEntries=batch)
    assert {c["RoutingControlState"] for c in data.list_routing_controls()["RoutingControls"]} == {"Off"}
    assert site.answer() in (primary, secondary)  # L3


def test_data_plane_refuses_what_makes_no_sense(site, admin):
    _, arns = panel_of_two(site, admin)
    data = site.client(DATA, admin)
    entry = {"RoutingControlArn": arns["us"], "RoutingControlState": "On"}
    reply = refused("ServiceLimitExceededException", data.update_routing_control_states, UpdateRoutingControlStateEntries=[entry] * 11)
    assert reply["serviceCode"] == DATA and reply["limitCode"]
    reply = refused("ValidationException", data.update_routing_control_states, UpdateRoutingControlStateEntries=[entry] * 2)
    assert reply["reason"] == "fieldValidationFailed" and reply["fields"][0]["name"] == "RoutingControlArn"
    refused("ValidationException", data.update_routing_control_states, UpdateRoutingControlStateEntries=[])
    refused("ValidationException", data.update_routing_control_state, RoutingControlArn=arns["us"], RoutingControlState="on")
    refused("ResourceNotFoundException", data.get_routing_control_state, RoutingControlArn=arns["panel"])
    refused("ResourceNotFoundException", data.list_routing_controls, ControlPanelArn=arns["us"])
    refused("ValidationException", data.list_routing_controls, NextToken="x")
    pages = data.get_paginator("list_routing_controls").paginate(ControlPanelArn=arns["panel"], PaginationConfig={"PageSize": 1})
    pages = [page["RoutingControls"] for page in pages]
    assert [[c["RoutingControlName"] for c in page] for page in pages] == [["eu"], ["us"]]
    assert pages[0][0]["ControlPanelName"] == "web" and pages[0][0]["ControlPanelArn"] == arns["panel"]


def test_safety_rules(site, admin):
    config, arns = panel_of_two(site, admin)
    data = site.client(DATA, admin)
    rule = config.create_safety_rule(AssertionRule={
        "Name": "keep-one", "ControlPanelArn": arns["panel"], "AssertedControls": [arns["us"], arns["eu"]],
        "RuleConfig": {"Type": "ATLEAST", "Threshold": 1, "Inverted": False}, "WaitPeriodMs": 0})["AssertionRule"]
    assert rule["Status"] == "DEPLOYED" and rule["AssertedControls"] == [arns["us"], arns["eu"]]
    off = [{"RoutingControlArn": arns[name], "RoutingControlState": "Off"} for name in ("us", "eu")]
    reply = refused("ConflictException", data.update_routing_control_states, UpdateRoutingControlStateEntries=off)
    assert "the assertion rule web/keep-one would be broken" in reply["Error"]["Message"]
    assert reply["resourceId"] == arns["us"]
    # Set aside by name, and that is recorded.
    slowly(data.update_routing_control_states, UpdateRoutingControlStateEntries=off, SafetyRulesToOverride=[rule["SafetyRuleArn"]])
    assert "overridden: web/keep-one" in site.node.said("log")
    # A gate that is closed.
    config.create_routing_control(ClusterArn=arns["cluster"], ControlPanelArn=arns["panel"], RoutingControlName="gate")
    gate = [c for c in config.list_routing_controls(ControlPanelArn=arns["panel"])["RoutingControls"] if c["Name"] == "gate"][0]
    assert data.get_routing_control_state(RoutingControlArn=gate["RoutingControlArn"])["RoutingControlState"] == "Off"
    gating = config.create_safety_rule(GatingRule={
        "Name": "window", "ControlPanelArn": arns["panel"], "GatingControls": [gate["RoutingControlArn"]],
        "TargetControls": [arns["us"]], "RuleConfig": {"Type": "AND", "Threshold": 0, "Inverted": False},
        "WaitPeriodMs": 60000})["GatingRule"]
    on = {"RoutingControlArn": arns["us"], "RoutingControlState": "On"}
    reply = slowly(lambda: refused("ConflictException", data.update_routing_control_state, **on))
    slowly(data.update_routing_control_state, RoutingControlArn=gate["RoutingControlArn"], RoutingControlState="On")
    config.update_safety_rule(GatingRuleUpdate={"SafetyRuleArn": gating["SafetyRuleArn"], "Name": "window", "WaitPeriodMs": 0})
    slowly(data.update_routing_control_state, **on)
    # Within the wait period.
    config.update_safety_rule(AssertionRuleUpdate={"SafetyRuleArn": rule["SafetyRuleArn"], "Name": "still", "WaitPeriodMs": 60000})
    reply = slowly(lambda: refused("ConflictException", data.update_routing_control_state, RoutingControlArn=arns["us"],
                                   RoutingControlState="Off"))
    assert "the rule web/still wants 60000 ms between two changes" in reply["Error"]["Message"]
    listed = config.list_safety_rules(ControlPanelArn=arns["panel"])["SafetyRules"]
    assert [list(r) for r in listed] == [["ASSERTION"], ["GATING"]]
    assert listed[0]["ASSERTION"]["SafetyRuleArn"] == rule["SafetyRuleArn"]
    assert config.describe_safety_rule(SafetyRuleArn=gating["SafetyRuleArn"])["GatingRule"]["TargetControls"] == [arns["us"]]
    refused("ConflictException", config.delete_routing_control, RoutingControlArn=gate["RoutingControlArn"])
    config.delete_safety_rule(SafetyRuleArn=gating["SafetyRuleArn"])
    config.delete_routing_control(RoutingControlArn=gate["RoutingControlArn"])


def test_configuration(site, admin):
    config = site.client(CONFIG, admin)
    assert config.list_clusters()["Clusters"] == []
    cluster = config.create_cluster(ClusterName="europe", ClientToken="one")["Cluster"]
    arn = cluster["ClusterArn"]
    assert config.create_cluster(ClusterName="europe", ClientToken="one")["Cluster"] == cluster
    refused("ConflictException", config.create_cluster, ClusterName="europe", ClientToken="two")
    config.get_waiter("cluster_created").wait(ClusterArn=arn)
    [endpoint] = config.describe_cluster(ClusterArn=arn)["Cluster"]["ClusterEndpoints"]
    assert endpoint == {"Endpoint": site.url, "Region": "here"}
    panel = config.create_control_panel(ClusterArn=arn, ControlPanelName="shop", Tags={"team": "a"}, ClientToken="t")["ControlPanel"]
    assert config.create_control_panel(ClusterArn=arn, ControlPanelName="shop", ClientToken="t")["ControlPanel"] == panel
    refused("ConflictException", config.create_control_panel, ClusterArn=arn, ControlPanelName="shop", ClientToken="u")
    refused("ConflictException", config.create_control_panel, ClusterArn=arn, ControlPanelName="other", ClientToken="t")
    config.get_waiter("control_panel_created").wait(ControlPanelArn=panel["ControlPanelArn"])
    names = [p["Name"] for p in config.list_control_panels(ClusterArn=arn)["ControlPanels"]]
    assert names == ["DefaultControlPanel", "shop"]
    control = config.create_routing_control(ClusterArn=arn, ControlPanelArn=panel["ControlPanelArn"], RoutingControlName="a")["RoutingControl"]
    config.get_waiter("routing_control_created").wait(RoutingControlArn=control["RoutingControlArn"])
    # Ours is in the default panel, where none is said.
    ours = config.create_routing_control(ClusterArn=arn, RoutingControlName="d")["RoutingControl"]
    assert config.describe_control_panel(ControlPanelArn=ours["ControlPanelArn"])["ControlPanel"]["DefaultControlPanel"] is True
    rule = config.create_safety_rule(AssertionRule={
        "Name": "r", "ControlPanelArn": panel["ControlPanelArn"], "AssertedControls": [control["RoutingControlArn"]],
        "RuleConfig": {"Type": "OR", "Threshold": 0, "Inverted": True}, "WaitPeriodMs": 100}, Tags={"k": "v"})["AssertionRule"]
    # Other names, the same ARNs; what refers to them goes on doing so.
    assert config.update_routing_control(RoutingControlArn=control["RoutingControlArn"], RoutingControlName="b")[
        "RoutingControl"]["RoutingControlArn"] == control["RoutingControlArn"]
    renamed = config.update_control_panel(ControlPanelArn=panel["ControlPanelArn"], ControlPanelName="store")["ControlPanel"]
    assert (renamed["Name"], renamed["ControlPanelArn"]) == ("store", panel["ControlPanelArn"])
    assert config.describe_routing_control(RoutingControlArn=control["RoutingControlArn"])["RoutingControl"]["Name"] == "b"
    assert config.describe_safety_rule(SafetyRuleArn=rule["SafetyRuleArn"])["AssertionRule"]["AssertedControls"] == [
        control["RoutingControlArn"]]
    assert "store/b" in site.node.said("control", "list") and "store/r" in site.node.said("rule", "list")
    # Tags.
    assert config.list_tags_for_resource(ResourceArn=panel["ControlPanelArn"])["Tags"] == {"team": "a"}
    config.tag_resource(ResourceArn=rule["SafetyRuleArn"], Tags={"x": "1", "y": "2"})
    config.untag_resource(ResourceArn=rule["SafetyRuleArn"], TagKeys=["k", "y"])
    assert config.list_tags_for_resource(ResourceArn=rule["SafetyRuleArn"])["Tags"] == {"x": "1"}
    assert config.list_associated_route53_health_checks(RoutingControlArn=control["RoutingControlArn"])["HealthCheckIds"] == []
    # Taken away in their order.
    for call, argument in ((config.delete_control_panel, {"ControlPanelArn": panel["ControlPanelArn"]}), (config.delete_cluster, {"ClusterArn": arn})):
        refused("ConflictException", call, **argument)
    config.delete_safety_rule(SafetyRuleArn=rule["SafetyRuleArn"])
    config.delete_routing_control(RoutingControlArn=control["RoutingControlArn"])
    config.get_waiter("routing_control_deleted").wait(RoutingControlArn=control["RoutingControlArn"])
    config.delete_routing_control(RoutingControlArn=ours["RoutingControlArn"])
    config.delete_control_panel(ControlPanelArn=panel["ControlPanelArn"])
    config.get_waiter("control_panel_deleted").wait(ControlPanelArn=panel["ControlPanelArn"])
    config.delete_cluster(ClusterArn=arn)
    config.get_waiter("cluster_deleted").wait(ClusterArn=arn)
    assert config.list_clusters()["Clusters"] == []


def test_configuration_outlives_control(site, admin):
    config, arns = panel_of_two(site, admin)
    pid = site.node.kill("control")
    site.node.wait_restart("control", pid)
    assert wait_for(lambda: site.node.cli("log", "--data", str(site.node.data)).returncode == 0)
    assert config.describe_routing_control(RoutingControlArn=arns["us"])["RoutingControl"]["Name"] == "us"


def test_upgrade_keeps_the_address(site, admin):
    config, arns = panel_of_two(site, admin)
    old = {role: site.node.pid(role) for role in ("control", "dns", "tell")}
    assert site.node.cli("upgrade", "--data", str(site.node.data)).returncode == 0
    for role, pid in old.items():
        site.node.wait_restart(role, pid)
    assert wait_for(lambda: site.node.cli("log", "--data", str(site.node.data)).returncode == 0)
    assert config.describe_routing_control(RoutingControlArn=arns["us"])["RoutingControl"]["Name"] == "us"


def test_who_may_what(site, admin):
    _, arns = panel_of_two(site, admin)
    reader = site.key("add", "reader", "--role", "reader")
    operator = site.key("add", "operator", "--role", "operator", "--on", "web/us", "--deny", "*:List*")
    data = site.client(DATA, reader)
    assert data.get_routing_control_state(RoutingControlArn=arns["us"])["RoutingControlState"] == "On"
    reply = refused("AccessDeniedException", data.update_routing_control_state, RoutingControlArn=arns["us"], RoutingControlState="Off")
    assert "user/reader is not authorized to perform: route53-recovery-cluster:UpdateRoutingControlState on resource: " + arns["us"] in \
        reply["Error"]["Message"]
    refused("AccessDeniedException", site.client(CONFIG, reader).create_control_panel, ClusterArn=arns["cluster"], ControlPanelName="x")
    data = site.client(DATA, operator)
    data.update_routing_control_state(RoutingControlArn=arns["us"], RoutingControlState="Off")
    batch = [{"RoutingControlArn": arns[name], "RoutingControlState": "On"} for name in ("us", "eu")]
    refused("AccessDeniedException", data.update_routing_control_states, UpdateRoutingControlStateEntries=batch)
    reply = refused("AccessDeniedException", data.list_routing_controls)
    assert "explicit deny" in reply["Error"]["Message"]
    # Nobody sets a rule aside who is not permitted that.
    site.node.said("rule", "add", "web/one", "--assert", "us,eu", "--atleast", "1", "--wait", "0")
    [rule] = site.client(CONFIG, admin).list_safety_rules(ControlPanelArn=arns["panel"])["SafetyRules"]
    reply = refused("AccessDeniedException", data.update_routing_control_state, RoutingControlArn=arns["us"], RoutingControlState="On",
                    SafetyRulesToOverride=[rule["ASSERTION"]["SafetyRuleArn"]])
    assert "AllowSafetyRulesOverrides" in reply["Error"]["Message"]
    assert data.get_routing_control_state(RoutingControlArn=arns["us"])["RoutingControlState"] == "Off"
    assert site.node.metric("holdfast_api_requests_total", 'outcome="denied"') == 5
    assert site.node.metric("holdfast_api_requests_total", 'outcome="unsigned"') == 0
    assert site.node.log().count("event=api.refused") == 5


def test_signatures(site, admin):
    _, arns = panel_of_two(site, admin)
    wrong = site.client(DATA, (admin[0], admin[1][::-1]))
    reply = refused("InvalidSignatureException", wrong.get_routing_control_state, RoutingControlArn=arns["us"])
    assert "does not match the signature you provided" in reply["Error"]["Message"]
    refused("InvalidSignatureException", site.client(CONFIG, (admin[0], "x" * 40)).list_clusters)
    refused("UnrecognizedClientException", site.client(DATA, ("HFAK" + "A" * 16, admin[1])).list_routing_controls)
    site.node.said("user", "key", "disable", "root", admin[0])
    refused("UnrecognizedClientException", site.client(DATA, admin).list_routing_controls)
    site.node.said("user", "key", "enable", "root", admin[0])
    assert len(site.client(DATA, admin).list_routing_controls()["RoutingControls"]) == 2
    # Somebody on the way.
    data = site.client(DATA, admin)

    def tampered(request, **_):
        request.body = request.body.replace(b'"Off"', b'"On" ')

    data.meta.events.register("before-send", lambda request, **_: tampered(request))
    refused("InvalidSignatureException", data.update_routing_control_state, RoutingControlArn=arns["us"], RoutingControlState="Off")
    data = site.client(DATA, admin)
    data.meta.events.register("before-send", lambda request, **_: request.headers.update(
        {"X-Amz-Target": "ToggleCustomerAPI.ListRoutingControls"}))
    refused("InvalidSignatureException", data.get_routing_control_state, RoutingControlArn=arns["us"])


def signed(site, key, wall, service=DATA, target="ToggleCustomerAPI.ListRoutingControls", body=b"{}"):
    """A request as bytes, signed at this time."""
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest(method="POST", url=site.url + "/", headers=headers, data=body)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall))
    auth = SigV4Auth(Credentials(*key), service, "us-east-1")
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Date"] = stamp
    request.headers["Authorization"] = ", ".join([
        f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}",
        f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(request))}",
        f"Signature={auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)}"])
    lines = [f"{k}: {v}" for k, v in request.headers.items()]
    lines += [f"Host: {site.node.address}:{API_PORT}", f"Content-Length: {len(body)}"]
    return ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + body


def read_reply(s):
    """What comes back until the server closes, or is silent for a while."""
    out = b""
    with contextlib.suppress(ConnectionResetError, socket.timeout):
        while chunk := s.recv(65536):
            out += chunk
            head, _, body = out.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if length and len(body) >= int(length.group(1)):
                break
    return out.decode()


def exchange(site, data, timeout=10):
    with socket.create_connection((site.node.address, API_PORT), timeout=timeout) as s:
        s.sendall(data)
        return read_reply(s)


def test_clock_skew(site, admin):
    now = time.time()
    assert exchange(site, signed(site, admin, now - 800)).startswith("HTTP/1.1 200 OK\r\n")
    old, new = exchange(site, signed(site, admin, now - 1000)), exchange(site, signed(site, admin, now + 1000))
    assert old.startswith("HTTP/1.1 400 ") and "InvalidSignatureException" in old and "Signature expired: " in old
    assert new.startswith("HTTP/1.1 400 ") and "Signature not yet current: " in new
    assert "Credential should be scoped to correct service: 'route53-recovery-cluster'." in exchange(
        site, signed(site, admin, now, service="dynamodb"))
    assert "UnknownOperationException" in exchange(site, signed(site, admin, now, target="ToggleCustomerAPI.Nothing"))
    assert "SerializationException" in exchange(site, signed(site, admin, now, body=b"{"))
    unsigned = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: ToggleCustomerAPI.ListRoutingControls\r\nContent-Length: 2\r\n\r\n{}"
    assert "MissingAuthenticationTokenException" in exchange(site, unsigned)
    assert "HTTP/1.1 403 " in exchange(site, b"GET /cluster HTTP/1.1\r\nHost: x\r\n\r\n")


def test_throttling(site, admin):
    """Three changes a second. They are asked for at once: a client that signs one after the other may be slow enough."""
    _, arns = panel_of_two(site, admin)
    data = site.client(DATA, admin)
    states = ["Off", "On"] * 4

    def burst():
        """How many were too many."""
        wanted = [{"RoutingControlArn": arns["us"], "RoutingControlState": state} for state in states]
        ready = [signed(site, admin, time.time(), target="ToggleCustomerAPI.UpdateRoutingControlState", body=json.dumps(w).encode())
                 for w in wanted]
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.create_connection((site.node.address, API_PORT), timeout=10)) for _ in ready]
            for s, request in zip(sockets, ready):
                s.sendall(request)
            return sum("ThrottlingException" in read_reply(s) for s in sockets)

    def throttled():
        """As boto3 sees it, if it comes soon enough behind a burst."""
        burst()
        try:
            data.update_routing_control_state(RoutingControlArn=arns["us"], RoutingControlState="On")
        except data.exceptions.ThrottlingException:
            return True
        return False

    assert wait_for(lambda: burst() >= 3)
    assert data.get_routing_control_state(RoutingControlArn=arns["us"])  # reads go on
    assert wait_for(throttled)
    # A client with boto3's own retries gets through.
    patient = boto3.client(DATA, endpoint_url=site.url, region_name="us-west-2", aws_access_key_id=admin[0],
                           aws_secret_access_key=admin[1], config=Config(retries={"mode": "standard", "max_attempts": 8}))
    for state in states[:6]:
        patient.update_routing_control_state(RoutingControlArn=arns["us"], RoutingControlState=state)
    assert data.get_routing_control_state(RoutingControlArn=arns["us"])["RoutingControlState"] == "On"


def test_hostile_http(site, admin):
    good = signed(site, admin, time.time())
    with contextlib.ExitStack() as stack:
        # Slow and silent ones hold places; a newcomer is served.
        for i in range(300):
            s = stack.enter_context(socket.create_connection((site.node.address, API_PORT), timeout=5))
            with contextlib.suppress(OSError):
                s.sendall([b"POST / HTTP/1.1\r\nContent-Length: 60000\r\nHost: x\r\n\r\n{", b"", b"POS", good[:-1]][i % 4])
        assert exchange(site, good).startswith("HTTP/1.1 200 OK")
    for data, status in ((b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", "413"),
                         (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411"),
                         (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
                         (b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000, "431"),
                         (b"\x16\x03\x01\x02\x00\x01", "400")):
        assert exchange(site, data).startswith(f"HTTP/1.1 {status} "), data[:60]
    # Two in one packet, and one in single bytes.
    two = exchange(site, good + good)
    assert two.startswith("HTTP/1.1 200 OK")
    with socket.create_connection((site.node.address, API_PORT), timeout=10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(good), 7):
            s.sendall(good[i:i + 7])
        assert s.recv(100).startswith(b"HTTP/1.1 200 OK")
    with socket.create_connection((site.node.address, API_PORT), timeout=10) as s:
        head, body = good[:-2].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"), good[-2:]
        s.sendall(head)
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(body)
        assert s.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert site.node.metric("holdfast_restarts_total", 'of="control"') == 0


def test_documented_commands(site, admin):
    """What doc/arc.md shows is run, with the aws command line as it is."""
    panel_of_two(site, admin)
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "doc/arc.md").read_text(), re.S)
    users, calls = blocks
    (site.node.folder / "policy.json").write_text(json.dumps({"Statement": [
        {"Effect": "Allow", "Action": [f"{DATA}:*", f"{CONFIG}:List*"], "Resource": "*"}]}))
    env = {**os.environ, "PATH": f"{site.node.folder}:{os.environ['PATH']}", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}
    (site.node.folder / "holdfast").write_text(f'#!/bin/sh\nexec {site.node.binary} "$@" --data {site.node.data}\n')
    (site.node.folder / "holdfast").chmod(0o755)
    users = [line for line in users.splitlines() if "HFAKMZXW" not in line]
    out = subprocess.run(["sh", "-e", "-c", "\n".join(users)], cwd=site.node.folder, env=env, capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out
    key = re.findall(r"id = (\w+)\naws_secret_access_key = (\S+)", out.stdout)[1]  # runbook's
    calls = calls.replace("http://127.0.0.1:8090", site.url).replace("HFAK...", key[0]).replace("_KEY=...", f"_KEY={key[1]}")
    calls = calls.replace('"$ARN"', f'"$(aws --endpoint-url {site.url} {DATA} list-routing-controls --output text '
                          "--query \"RoutingControls[?RoutingControlName=='us'].RoutingControlArn\")\"")
    out = subprocess.run(["sh", "-e", "-c", calls], cwd=site.node.folder, env=env, capture_output=True, text=True, timeout=100)
    assert out.returncode == 0, out
    assert '"Name": "web"' in out.stdout and '"RoutingControlName": "eu"' in out.stdout
    assert "Off  web/us" in site.node.said("control", "list")
    denied = subprocess.run(["aws", "--endpoint-url", site.url, CONFIG, "create-cluster", "--cluster-name", "x"], timeout=60,
                            env={**env, "AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1], "AWS_DEFAULT_REGION": "us-west-2"},
                            capture_output=True, text=True)
    assert denied.returncode != 0 and "(AccessDeniedException) when calling the CreateCluster operation" in denied.stderr


def test_https(nodes, origins):  # noqa: F811
    site = Site(nodes, origins, tls=True)
    admin = site.key("add", "root", "--role", "admin")
    config = site.client(CONFIG, admin, verify=str(site.node.folder / "api.pem"))
    cluster = config.create_cluster(ClusterName="europe")["Cluster"]
    assert cluster["ClusterEndpoints"][0]["Endpoint"] == site.url
    for i in range(20):  # more than one record of answers
        config.create_routing_control(ClusterArn=cluster["ClusterArn"], RoutingControlName=f"a-rather-long-name-of-a-control-{i}")
    data = site.client(DATA, admin, verify=str(site.node.folder / "api.pem"))
    assert len(data.list_routing_controls()["RoutingControls"]) == 20
    # No plain HTTP, half a handshake and what is none: the next one is served.
    assert "HTTP" not in exchange(site, signed(site, admin, time.time()))
    with socket.create_connection((site.node.address, API_PORT)) as s:
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        assert len(data.list_routing_controls()["RoutingControls"]) == 20
    # Another certificate, and then a bad one, which changes nothing.
    before = (site.node.folder / "api.pem").read_text()
    certify(site.node)
    assert wait_for(lambda: site.node.log().count("event=api.certificate") == 2, 6)
    assert (site.node.folder / "api.pem").read_text() != before
    (site.node.folder / "more.pem").write_text((site.node.folder / "api.pem").read_text())
    (site.node.folder / "api.pem").write_text("nothing\n")
    assert wait_for(lambda: "there is no certificate in PEM" in site.node.log(), 6)
    data = site.client(DATA, admin, verify=str(site.node.folder / "more.pem"))
    assert len(data.list_routing_controls()["RoutingControls"]) == 20
    check = site.node.cli("check", str(site.node.config_path))
    assert check.returncode == 1 and "api.pem:1:1: it cannot be shown over TLS" in check.stderr


def endpoints_of(client, arn):
    return client.describe_cluster(ClusterArn=arn)["Cluster"]["ClusterEndpoints"]


def switched(client, control, state):
    """False: this endpoint cannot decide now."""
    try:
        client.update_routing_control_state(RoutingControlArn=control, RoutingControlState=state)
    except (client.exceptions.EndpointTemporarilyUnavailableException, client.exceptions.ThrottlingException):
        return False
    return True


def test_every_node_of_a_cluster(nodes):
    """One intent behind every endpoint; an endpoint that cannot decide says so, and reads on."""
    cluster, api = Cluster(nodes), '}\napi: {listen: ["%API%"]'
    a = cluster.first(extra=api)
    among = [a, cluster.joined(a, extra=api), cluster.joined(a, extra=api)]
    names = [n.name for n in among]
    for n in among:
        assert wait_for(lambda n=n: sees(n, *[m for m in names if m != n.name])), n.log()
    assert wait_for(lambda: all(n.metric("holdfast_replica_quorum") for n in among)), a.log()
    sites = [Site.of(n) for n in among]
    admin = sites[1].key("add", "root", "--role", "admin")
    for n in among:
        assert wait_for(lambda n=n: admin[0] in n.said("user", "list"), 5), n.log()
        for path in n.data.rglob("*"):
            if path.is_file() and admin[1].encode() in path.read_bytes():
                assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        assert admin[1] not in n.log()
    config = [s.client(CONFIG, admin) for s in sites]
    data = [s.client(DATA, admin) for s in sites]
    arn = config[0].create_cluster(ClusterName="c")["Cluster"]["ClusterArn"]
    for c in config[1:]:
        assert wait_for(lambda c=c: c.list_clusters()["Clusters"], 5)
    made = config[1].create_control_panel(ClusterArn=arn, ControlPanelName="p", ClientToken="t")["ControlPanel"]
    assert config[2].create_control_panel(ClusterArn=arn, ControlPanelName="p", ClientToken="t")["ControlPanel"] == made
    control = config[2].create_routing_control(ClusterArn=arn, ControlPanelArn=made["ControlPanelArn"], RoutingControlName="x")
    control = control["RoutingControl"]["RoutingControlArn"]
    for i, state in enumerate(["On", "Off", "On"]):
        assert wait_for(lambda i=i: "x" in [c["RoutingControlName"] for c in data[i].list_routing_controls()["RoutingControls"]], 5)
        data[i].update_routing_control_state(RoutingControlArn=control, RoutingControlState=state)
        assert data[i].get_routing_control_state(RoutingControlArn=control)["RoutingControlState"] == state
    # Whoever is asked names all of them: a client tries one after the other until one decides, with one of them dead.
    urls = sorted(s.url for s in sites)
    for c in config:
        assert wait_for(lambda c=c: sorted(e["Endpoint"] for e in endpoints_of(c, arn)) == urls, 5), endpoints_of(c, arn)
    told = endpoints_of(config[1], arn)
    assert {e["Region"] for e in told} == {f"site-{n.name}" for n in among}
    among[0].stop()
    tried = []
    for e in sorted(told, key=lambda e: e["Endpoint"] != sites[0].url):  # the dead one first
        client = boto3.client(DATA, endpoint_url=e["Endpoint"], region_name=e["Region"], aws_access_key_id=admin[0],
                              aws_secret_access_key=admin[1], config=ONCE)
        tried.append(e["Endpoint"])
        try:
            assert wait_for(lambda c=client: switched(c, control, "Off"), 5)
            break
        except EndpointConnectionError:
            continue
    assert tried == [sites[0].url, tried[1]] and len(tried) == 2
    assert wait_for(lambda: data[2].get_routing_control_state(RoutingControlArn=control)["RoutingControlState"] == "Off", 5)
    among[0].start()
    assert wait_for(lambda: a.metric("holdfast_replica_quorum") == 1 and switched(data[0], control, "On"), 10), a.log()
    for n in among[1:]:
        n.stop()
    assert wait_for(lambda: a.metric("holdfast_replica_quorum") == 0, 15), a.log()
    for _ in range(2):
        refused("EndpointTemporarilyUnavailableException", data[0].update_routing_control_state, RoutingControlArn=control,
                RoutingControlState="Off")
    assert data[0].get_routing_control_state(RoutingControlArn=control)["RoutingControlState"] == "On"
