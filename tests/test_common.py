"""What every construct takes: the longest name, by the formula and by what the modules render, and the boundary of roles."""

import json
from collections import defaultdict

import pytest

from stacks.config import ClusterConfig
from stacks.config.common import (
    CLUSTER_NAME_PREFIX_LENGTH,
    MOST_POLICY_LENGTH,
    NAMES_IN_POLICY,
    POLICY_LENGTH,
    REGIONS_IN_POLICY,
)
from tests.synthesis import Json, synth_stack
from tests.terraform import Workspace, needs_modules, needs_terraform


def test_the_numbers_behind_the_longest_name() -> None:
    """38 characters for IAM's name_prefix; the rest is the policy of Karpenter's controller at its limit."""
    assert CLUSTER_NAME_PREFIX_LENGTH == 24
    name, region = CLUSTER_NAME_PREFIX_LENGTH + len("-zz9x"), len("us-west-2")
    assert POLICY_LENGTH + NAMES_IN_POLICY * name + REGIONS_IN_POLICY * region <= MOST_POLICY_LENGTH


@pytest.mark.terraform
@needs_terraform
@needs_modules
@pytest.mark.parametrize(("region", "longest"), [("us-west-2", CLUSTER_NAME_PREFIX_LENGTH), ("ap-southeast-2", 21)])
def test_the_longest_name_fits_everywhere(workspace: Workspace, region: str, longest: int) -> None:
    """Limits: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and the services' own."""
    workspace.variables(region=region, cluster_name_prefix="a" * longest)
    workspace.run("apply", "-auto-approve", "-input=false")
    state = json.loads(workspace.state.read_text())
    _check_policy_length(state, name_length=longest + len("-zz9x"), region=region)
    made = [
        (resource["type"], key, instance["attributes"].get(key) or "")
        for resource in state["resources"]
        for instance in resource["instances"]
        for key in ("name", "name_prefix")
        if resource["type"] in LIMITS and "aaaa" in (instance["attributes"].get(key) or "")
    ]
    assert {(kind, key) for kind, key, _ in made} >= {("aws_iam_role", "name_prefix"), ("aws_eks_cluster", "name")}
    assert all(len(value) <= LIMITS[kind][key] for kind, key, value in made)
    if longest == CLUSTER_NAME_PREFIX_LENGTH:  # one more character, and the tightest of them would not fit
        assert max(len(value) for kind, key, value in made if (kind, key) == ("aws_iam_role", "name_prefix")) == 38


def _check_policy_length(state: Json, *, name_length: int, region: str) -> None:
    """The formula of the rule against what the module renders."""
    (policy,) = (made["policy"] for made in _karpenters(state, "aws_iam_policy"))
    # The stub provider's ARNs are not AWS's.
    for kind, shape in ARNS.items():
        for made in _karpenters(state, kind):
            policy = policy.replace(made["arn"], shape.format(region=region, name=made["name"]))
    length = len(_rendered(json.loads(policy)))
    assert length == POLICY_LENGTH + NAMES_IN_POLICY * name_length + REGIONS_IN_POLICY * len(region)
    assert length <= MOST_POLICY_LENGTH
    if region == "ap-southeast-2":  # one more character would not fit
        assert length + NAMES_IN_POLICY > MOST_POLICY_LENGTH


ARNS = {"aws_sqs_queue": "arn:aws:sqs:{region}:123456789012:{name}", "aws_iam_role": "arn:aws:iam::123456789012:role/{name}"}


def _karpenters(state: Json, kind: str) -> list[Json]:
    """What the submodule karpenter made of a kind."""
    return [
        instance["attributes"]
        for resource in state["resources"]
        if (resource.get("module"), resource["mode"], resource["type"]) == ("module.karpenter", "managed", kind)
        for instance in resource["instances"]
    ]


def _rendered(document: Json) -> str:
    """The policy without white space, which IAM does not count. The stub provider leaves the rendering of statements to others."""
    if "Statement" not in document:
        document = {"Version": "2012-10-17", "Statement": [_statement(statement) for statement in document["statement"]]}
    return json.dumps(document, separators=(",", ":"))


def _statement(statement: Json) -> Json:
    """As the AWS provider's aws_iam_policy_document writes a statement."""
    made = {
        "Sid": statement["sid"],
        "Effect": statement["effect"] or "Allow",
        "Action": _one_or_all(statement["actions"]),
        "Resource": _one_or_all(statement["resources"]),
    }
    conditions: dict[str, Json] = defaultdict(dict)
    for condition in statement["condition"]:
        conditions[condition["test"]][condition["variable"]] = _one_or_all(condition["values"])
    return {**made, "Condition": conditions} if conditions else made


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


LIMITS = {
    "aws_eks_cluster": {"name": 100, "name_prefix": 0},
    "aws_iam_role": {"name": 64, "name_prefix": 38},
    "aws_iam_policy": {"name": 128, "name_prefix": 102},
    "aws_security_group": {"name": 255, "name_prefix": 229},
    "aws_sqs_queue": {"name": 80, "name_prefix": 54},
    "aws_cloudwatch_log_group": {"name": 512, "name_prefix": 486},
    "aws_cloudwatch_event_rule": {"name": 64, "name_prefix": 38},
}


def test_a_boundary_bounds_every_role() -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    document = synth_stack(ClusterConfig("karpenter", permissions_boundary=boundary))
    eks, karpenter = document["module"]["eks"], document["module"]["karpenter"]
    assert eks["iam_role_permissions_boundary"] == boundary
    assert eks["eks_managed_node_groups"]["karpenter"]["iam_role_permissions_boundary"] == boundary
    assert karpenter["iam_role_permissions_boundary_arn"] == boundary
    assert karpenter["node_iam_role_permissions_boundary"] == boundary
    assert document["resource"]["aws_iam_role"]["aws_load_balancer_controller"]["permissions_boundary"] == boundary
