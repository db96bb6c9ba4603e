"""What a plan does to resources other than node pools, field by field, and how the command reads its input."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks import impact
from stacks.reports.impact import render
from stacks.reports.impact.change import QUIET
from stacks.reports.impact.explanation import Explanation, explain
from stacks.reports.impact.plan import read
from stacks.reports.impact.resources import rows
from tests.plans import change, document, node_pool
from tests.synthesis import Json

CLUSTER = "module.eks.aws_eks_cluster.this[0]"
GROUP = 'module.eks.module.eks_managed_node_group["karpenter"].aws_eks_node_group.this[0]'
KEY = "module.eks.module.kms.aws_kms_key.this[0]"
SPOT = 'module.karpenter.aws_cloudwatch_event_rule.this["spot_interrupt"]'
GROUP_ROLE = 'module.eks.module.eks_managed_node_group["karpenter"].aws_iam_role.this[0]'
NODE_ROLE = "module.karpenter.aws_iam_role.node[0]"
POLICY: tuple[Json, Json] = ({"assume_role_policy": "a"}, {"assume_role_policy": "b"})
FOUND: Json = {"karpenter.sh/discovery": "a"}


def explained(*changes: Json, **keys: Any) -> Explanation:
    return explain(read(json.dumps(document(*changes, **keys))))


def updated(address: str, before: Json, after: Json, **keys: Any) -> tuple[str, str, str]:
    """The level, the class and the words of an update."""
    (one,) = explained(change(address, before, after, actions="update", **keys)).changes
    return str(one.level), one.change, one.words


# --- Updates ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "before", "after", "level", "words"),
    [
        (KEY, {"is_enabled": True}, {"is_enabled": False}, "loses", "cannot be read while the key is disabled"),
        (KEY, {"is_enabled": False}, {"is_enabled": True}, "none", "can be read again"),
        (KEY, {"policy": "a"}, {"policy": "b"}, "none", "If the role of the cluster may not use the key"),
        (KEY, {"deletion_window_in_days": 30}, {"deletion_window_in_days": 7}, "none", "AWS waits another time"),
        ("aws_security_group.x", {"ingress": [{"from_port": 1}, {}]}, {"ingress": []}, "ends", "Connections that no rule allows"),
        ("aws_security_group.x", {"egress": [{"from_port": 1}]}, {"egress": []}, "ends", "Connections that no rule allows"),
        ("module.vpc.aws_subnet.private[0]", {"tags": FOUND}, {"tags": {}}, "replaces", "launches no node there"),
        ("module.vpc.aws_subnet.private[0]", {"tags_all": FOUND}, {"tags_all": None}, "replaces", "launches no node there"),
        ("module.vpc.aws_subnet.private[0]", {"tags": {}}, {"tags": FOUND}, "replaces", "may also launch nodes in this subnet"),
        ("module.eks.aws_security_group.node[0]", {"tags": FOUND}, {"tags": {}}, "replaces", "All nodes that have the group drift"),
        ("module.vpc.aws_subnet.x", {"map_public_ip_on_launch": False}, {"map_public_ip_on_launch": True}, "none", "Running nodes"),
        ("module.vpc.aws_vpc.this[0]", {"enable_dns_support": True}, {"enable_dns_support": False}, "ends", "not resolved"),
        ("aws_route_table.x", {"route": [{"a": 1}, {"a": 2}]}, {"route": [{"a": 1}]}, "ends", "Connections that take a route"),
        ("aws_network_acl.x", {"ingress": [1]}, {"ingress": []}, "ends", "does not allow any more break"),
        (GROUP, {"taint": []}, {"taint": [{"effect": "NO_EXECUTE"}]}, "restarts", "NoExecute evicts"),
        (GROUP, {"labels": {"karpenter.sh/controller": "true"}}, {"labels": {}}, "restarts", "Karpenter does not start again"),
        (GROUP, {"labels": {}}, {"labels": {"a": "b"}}, "none", "Pods there run on"),
        (GROUP, {"scaling_config": [{"desired_size": 2}]}, {"scaling_config": [{"desired_size": 0}]}, "ends", "All nodes of the"),
        (
            "module.karpenter.aws_iam_role.node[0]",
            {"assume_role_policy": "a"},
            {"assume_role_policy": "b"},
            "loses",
            "If EC2 may not",
        ),
        ("module.karpenter.aws_iam_policy.controller[0]", {"policy": "a"}, {"policy": "b"}, "restarts", "launches fail"),
        (SPOT, {"state": "ENABLED"}, {"state": "DISABLED"}, "ends", "do not reach Karpenter while the rule is disabled"),
        (SPOT, {"state": "DISABLED"}, {"state": "ENABLED"}, "none", "reach Karpenter again"),
        ("module.karpenter.aws_sqs_queue_policy.this[0]", {"policy": "a"}, {"policy": "b"}, "ends", "If EventBridge may not"),
        (
            "module.karpenter.aws_eks_pod_identity_association.karpenter[0]",
            {"role_arn": "a"},
            {"role_arn": "b"},
            "restarts",
            "Karpenter gets another role.",
        ),
        (GROUP_ROLE, *POLICY, "loses", "Karpenter, CoreDNS and the controllers run there."),
        (CLUSTER, {"encryption_config": [{"resources": ["secrets"]}]}, {"encryption_config": []}, "none", "the apply fails here"),
        ("aws_vpc_endpoint.s3", {"policy": "a"}, {"policy": "b"}, "ends", "allows other calls"),
    ],
)
def test_an_update_says_what_its_field_means(address: str, before: Json, after: Json, level: str, words: str) -> None:
    found = updated(address, before, after)
    assert found[:2] == (level, "D" if level == "replaces" else "U")
    assert words in found[2]


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (CLUSTER, "compute_config"),
        ("module.eks.aws_iam_role.this[0]", "path"),
        ("aws_s3_bucket.a", "acl"),
        ("helm_release.a", "chart_source"),
    ],
)
def test_a_field_that_the_table_does_not_have_is_named_as_not_known(address: str, field: str) -> None:
    known = updated(address, {field: 1, "description": "a"}, {field: 2, "description": "b"})
    kind = address.split(".")[-2]
    assert known[2] == f"{kind} is updated ({field}). What that means for running jobs is not known."


@pytest.mark.parametrize(
    ("address", "field"),
    [
        (CLUSTER, "tags"),
        (CLUSTER, "enabled_cluster_log_types"),
        ("module.vpc.aws_subnet.private[0]", "tags"),
        ("aws_s3_bucket.a", "tags_all"),
        ("module.eks.aws_cloudwatch_log_group.this[0]", "retention_in_days"),
        ("helm_release.karpenter", "repository_password"),
        ("helm_release.karpenter_crd", "version"),
        (KEY, "enable_key_rotation"),
    ],
)
def test_what_is_listed_as_harmless_is_silent(address: str, field: str) -> None:
    assert updated(address, {field: {"a": "1"}}, {field: {"a": "2"}}) == ("none", "U", QUIET)


def test_an_update_whose_field_the_plan_does_not_show_is_not_silent() -> None:
    assert updated(CLUSTER, {"name": "a"}, {"name": "a"})[2] == (
        "aws_eks_cluster is updated. What that means for running jobs is not known."
    )


def test_several_things_that_happen_to_one_resource_are_all_said() -> None:
    before = {"version": "1.34", "encryption_config": [], "vpc_config": [{"endpoint_public_access": True}], "x": 1}
    after = {
        "version": "1.35",
        "encryption_config": [{"resources": ["secrets"]}],
        "vpc_config": [{"endpoint_public_access": False}],
        "x": 2,
    }
    level, letter, words = updated(CLUSTER, before, after)
    assert (level, letter) == ("restarts", "U")
    for sentence in (
        "The control plane goes from Kubernetes 1.34 to 1.35.",
        "That cannot be undone.",
        "The way to the Kubernetes API changes",
        "aws_eks_cluster is updated (x).",
    ):
        assert sentence in words


def test_what_is_only_known_after_the_apply_is_a_change_of_nothing_else() -> None:
    found = updated(
        "module.karpenter.aws_iam_policy.controller[0]",
        {"policy": "a"},
        {},
        after_unknown={"policy": True, "tags_all": {"a": True}},
    )
    assert found == ("none", "U", QUIET)


def test_a_row_without_words_concerns_nothing_that_runs() -> None:
    silent = [row for row in rows() if not row.words and str(row.level) != "none"]
    assert {row.address.pattern for row in silent} == {r"\bhelm_release\.karpenter$"}  # its restart has words of its own


# --- Karpenter's values -----------------------------------------------------------------------------------------------------------

QUEUE: Json = {"clusterName": "s3cret", "clusterEndpoint": "https://s3cret", "interruptionQueue": "s3cret"}
PAUSE = "Karpenter restarts with other settings. For about half a minute no node is launched or removed. Running pods stay. "


def settings(before: Json, after: Json) -> tuple[str, str, str]:
    """What another `settings` of Karpenter's values does."""
    sides = [{"version": "1.12.2", "values": [yaml.safe_dump({"settings": one})]} for one in (before, after)]
    return updated("helm_release.karpenter", *sides)


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        (
            {"interruptionQueue": "other"},
            "ends",
            "settings.interruptionQueue changes: Karpenter reads warnings",
        ),
        ({"interruptionQueue": None}, "ends", "settings.interruptionQueue goes: Karpenter reads no warnings of EC2 any more"),
        ({"clusterName": "other"}, "ends", "settings.clusterName changes"),
        ({"clusterEndpoint": "other"}, "restarts", "settings.clusterEndpoint changes"),
        ({"clusterCABundle": "other"}, "restarts", "settings.clusterCABundle changes"),
        ({"featureGates": {"staticCapacity": True}}, "restarts", "settings.featureGates.staticCapacity goes on"),
        ({"somethingNew": "s3cret"}, "restarts", "What some of the new settings mean is not known."),
    ],
)
def test_another_setting_of_karpenter_is_named_without_its_value(changed: Json, level: str, words: str) -> None:
    found = settings(QUEUE, QUEUE | changed)
    assert found[:2] == (level, "U")
    assert found[2].startswith(PAUSE + words)
    assert "s3cret" not in found[2]


def test_without_its_gate_karpenter_ignores_pools_with_replicas() -> None:
    afters: list[Json] = [{}, {"featureGates": {}}, {"featureGates": {"staticCapacity": False}}]
    for after in afters:
        assert "Karpenter ignores pools with replicas." in settings({"featureGates": {"staticCapacity": True}}, after)[2]


def test_values_that_say_the_same_do_not_restart_karpenter() -> None:
    sides = [{"version": "1.12.2", "values": [text]} for text in ("a: 1\nb: 2\n", "b: 2\na: 1  # a comment\n")]
    assert updated("helm_release.karpenter", *sides) == ("none", "U", QUIET)


def test_values_in_several_texts_are_not_compared() -> None:
    sides = [{"version": "1.12.2", "values": [text, "settings: {}"]} for text in ("settings: {a: 1}", "settings: {a: 2}")]
    assert updated("helm_release.karpenter", *sides)[2].endswith("What some of the new settings mean is not known.")


# --- What stays -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (change(CLUSTER, {"tags": {"a": "b"}}, {"tags": {}}), True),
        (change('module.eks.aws_eks_addon.this["coredns"]', {"addon_version": "v1"}, {"addon_version": "v2"}), False),
        (change('module.eks.aws_eks_addon.this["coredns"]', {"addon_version": "v1"}, None), False),
        (change("aws_s3_bucket.a", {"acl": 1}, {"acl": 2}), False),
    ],
)
def test_other_pools_stay_only_if_nothing_else_is_said(beside: Json, said: bool) -> None:
    spec: Json = {"template": {"spec": {"requirements": []}}}
    plan = explained(node_pool(spec, None), node_pool(spec, spec, name="batch"), beside)
    assert ("Nodes and pods of batch stay." in render.text(plan)) is said


# --- A comment on a pull request --------------------------------------------------------------------------------------------------

REPOSITORY = Path(impact.__file__).parents[1]


def test_the_docs_show_the_comment_as_the_program_writes_it() -> None:
    written = render.markdown(explain(read((REPOSITORY / "tests/plans/kubernetes.json").read_text())))
    mark, _, shown = written.partition("\n\n")
    assert mark == render.MARK
    assert "\n".join(f"> {line}".rstrip() for line in shown.splitlines()) in (REPOSITORY / "docs/impact.md").read_text()


def test_the_workflow_gives_nothing_to_strangers() -> None:
    text = (REPOSITORY / "examples/impact.yml").read_text()
    workflow = yaml.safe_load(text)
    (job,) = workflow["jobs"].values()
    assert (list(workflow[True]), workflow["permissions"]) == (["pull_request"], {})  # YAML 1.1 reads `on` as true
    assert job["if"] == "github.event.pull_request.head.repo.full_name == github.repository"
    assert job["permissions"] == {"contents": "read", "id-token": "write", "pull-requests": "write"}
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert not [run for run in runs if "${{" in run]  # a title or a branch could have shell in it
    used = [step["uses"].partition("@") for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for _, _, commit in used)
    assert not [name for name, _, _ in used if "artifact" in name or "cache" in name]  # the plan has secrets
    assert render.MARK in text


# --- Reading ----------------------------------------------------------------------------------------------------------------------

REMOVED = json.dumps(document(node_pool({"template": {}}, None)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_what_powershell_writes_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str) -> None:
    plan = tmp_path / "plan.json"
    plan.write_bytes(REMOVED.encode(encoding))
    assert impact.main([str(plan)]) == 0
    assert capsys.readouterr().out.startswith("ends: training: ")


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_what_the_command_waits_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO(REMOVED.encode())))
    assert impact.main([]) == 0
    assert capsys.readouterr().err.startswith("Waiting for the JSON of a plan on standard input. Ctrl-C ends.")


def test_a_closed_input_is_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert impact.main([]) == 1
    assert capsys.readouterr().err.startswith("The JSON of a plan must come from a file or from standard input (got neither).")


@pytest.mark.slow
def test_a_reader_that_goes_away_leaves_no_traceback(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(REMOVED)
    out, into = os.pipe()
    os.close(out)
    command = [sys.executable, "-m", "stacks.impact", str(plan), "--fail-on", "ends"]
    done = subprocess.run(command, stdout=into, stderr=subprocess.PIPE, text=True, check=False)
    os.close(into)
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize("given", ["s3cret", "us-west-2\n", "us-west-2](http://x)", 1, ["us-west-2"], {"a": 1}])
def test_what_is_not_a_region_is_not_repeated(given: Any) -> None:
    assert explained(variables={"region": {"value": given}}).price["region"] is None


@pytest.mark.parametrize(("tag", "level"), [("karpenter.sh/discovery", "replaces"), ("team", "none")])
def test_of_single_tags_only_that_of_karpenter_counts(tag: str, level: str) -> None:
    address = f'module.eks.aws_ec2_tag.cluster_primary_security_group["{tag}"]'
    for after in (None, {"value": "b"}):
        (one,) = explained(change(address, {"value": "a"}, after)).changes
        assert (str(one.level), one.words == QUIET) == (level, level == "none")


def test_queues_and_rules_of_others_are_not_those_of_karpenter() -> None:
    for kind in ("sqs_queue", "sqs_queue_policy", "cloudwatch_event_rule"):
        (one,) = explained(change(f"aws_{kind}.jobs", {"id": 1}, None)).changes
        assert one.words == f"aws_{kind} is deleted. What that means for running jobs is not known."


def test_a_version_that_is_not_one_is_not_repeated() -> None:
    found = updated('module.eks.aws_eks_addon.this["coredns"]', {"addon_version": "[a](b)"}, {"addon_version": "v2"})
    assert found[2] == "CoreDNS rolls (not known to v2). Names are answered meanwhile."
