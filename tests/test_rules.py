"""Bad input is refused at plan: every case of tests/cases.py in `terraform test`, and the words that a user reads."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from stacks.app import PROJECT
from stacks.config import ClusterConfig
from stacks.config.checks import mistakes
from stacks.config.common import (
    CLUSTER_NAME_PREFIX_LENGTH,
    MOST_POLICY_LENGTH,
    NAMES_IN_POLICY,
    POLICY_LENGTH,
    REGIONS_IN_POLICY,
)
from stacks.knowledge.catalogue import (
    families_with_a_fraction_of_a_gpu,
    families_without_nvidia_gpus,
    gpu_instance_types,
    gpus_by_type,
)
from tests.cases import CASES, DEFAULTS, Case, files, tftest
from tests.synthesis import Json
from tests.terraform import Workspace, needs_modules, needs_terraform

ALL = [case for cases in CASES.values() for case in cases]


def test_the_cases_for_terraform_test_are_written_by_a_python_without_packages(tmp_path: Path) -> None:
    """`make test-rules` needs no set-up."""
    subprocess.run([sys.executable, "-S", "-m", "tests.cases", tmp_path], cwd=PROJECT, check=True)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == files()
    assert len(files()) == len(CASES)


def test_every_rule_has_cases_on_both_sides() -> None:
    assert len(ALL) >= 60
    for rule, cases in CASES.items():
        assert {case.objects is None for case in cases} == {True, False}, rule


# Which zones and sizes exist, what runs, and how long the region's name is: the plan asks.
ONLY_A_PLAN_KNOWS = {
    "cluster_name_prefix: 22 characters do not fit in a region of 14",
    "gpu_instance_types: a size that EC2 does not have is refused",
    "gpu_instance_types: a size with a typing error is refused",
    "karpenter_node_instance_types: a zone without the type is refused",
    "karpenter_node_instance_types: a region without the type is refused",
    'availability_zones: ["us-west-2a"] is refused',
    "availability_zones: a region of nine zones is refused",
    "availability_zones: a region of one zone is refused",
    "availability_zones: two zones of which EKS supports one are refused",
    "availability_zones: us-east-1a is refused where its ID is use1-az3",
    'karpenter_node_availability_zones: ["us-west-2e"] is refused',
    "kubernetes_version: a cluster two versions before is refused",
    "kubernetes_version: a newer cluster is refused",
    "kubernetes_version: a cluster that is newer than the program is refused",
    "living_cluster: a cluster with the suffix of this state under another prefix is refused",
}
# The type of the field refuses these, in words of its own.
OF_ANOTHER_TYPE = {
    "gpu_instance_types: [null] is refused": "a list of strings or None (got [None]).",
    'gpu_capacity_type: ["spot", null] is refused': "a list of strings (got ['spot', None]).",
    "karpenter_node_instance_types: [null] is refused": "a list of strings (got [None]).",
    "karpenter_node_sizes: a largest size with a part of a node is refused": "a whole number (got 2.5).",
    'availability_zones: ["us-west-2a", null] is refused': "a list of strings (got ['us-west-2a', None]).",
    "karpenter_node_availability_zones: [null] is refused": "a list of strings (got [None]).",
    'addon_versions: {"coredns": "v1.12.1-eksbuild.2", "vpc-cni": null} is accepted': "a dict of strings (got {'coredns': 'v1",
}
NAMED = {f"{rule}: {case.name}": case for rule, cases in CASES.items() for case in cases}


@pytest.mark.parametrize("name", NAMED)
def test_python_judges_a_literal_as_terraform_judges_a_variable(name: str) -> None:
    """By the same rule, in the same words; a warning of a plan is none of Python's."""
    case = NAMED[name]
    found = list(mistakes("c", ClusterConfig("c", **DEFAULTS | case.variables)))
    if name in OF_ANOTHER_TYPE:
        (text,) = found
        assert OF_ANOTHER_TYPE[name] in text
    elif case.objects is None or case.objects.startswith("check.") or name in ONLY_A_PLAN_KNOWS:
        assert found == []
    else:
        (text,) = found
        assert case.says in text
        assert text.startswith(tuple(f"c.{variable} must " for variable in case.variables))


def test_what_only_a_plan_knows_is_what_it_refuses() -> None:
    for name in ONLY_A_PLAN_KNOWS:
        assert NAMED[name].objects in ("random_string.suffix", "output.cluster_version")
    assert OF_ANOTHER_TYPE.keys() <= NAMED.keys() - ONLY_A_PLAN_KNOWS


def test_the_catalogue_has_the_types_that_a_gpu_pool_can_use() -> None:
    assert {"p5.48xlarge": 8, "p5.4xlarge": 1, "g6e.12xlarge": 4}.items() <= gpus_by_type().items()
    usable = [row for row in gpu_instance_types() if row.instance_type in gpus_by_type()]
    # The GPU node class makes a RAID of the NVMe disks: a type without any would keep its images on a root disk of 20 GiB.
    assert all(row.nvme_gb > 0 for row in usable)


def test_no_family_with_nvidia_gpus_is_among_those_without() -> None:
    without = set(families_without_nvidia_gpus())
    assert {"g4ad", "m5", "c7i", "inf2", "trn1"} <= without
    assert without.isdisjoint(row.family for row in gpu_instance_types() if row.manufacturer == "nvidia")
    # Old ones, which the catalogue does not have.
    assert without.isdisjoint({"g2", "g3", "g3s", "p2", "p3"})
    assert families_with_a_fraction_of_a_gpu() == ["g6f", "gr6f"]


def test_a_validation_names_its_own_variable_only(stack: Json) -> None:
    """Terraform before 1.9 allows nothing else, and `required_version` admits 1.5.7."""
    assert stack["terraform"]["required_version"] == ">= 1.5.7"
    named = {
        name: set(re.findall(r"\b(?:var|local|data|module|random_string)\.\w+", json.dumps(variable.get("validation", []))))
        for name, variable in stack["variable"].items()
    }
    assert named == {name: {f"var.{name}"} if "validation" in variable else set() for name, variable in stack["variable"].items()}


def test_validations_accept_what_the_hcl_accepts(stack: Json) -> None:
    """A validation would also block `plan -destroy` of what the HCL deployed. An empty list or a null was refused by AWS."""
    conditions = {name: [rule["condition"] for rule in v.get("validation", [])] for name, v in stack["variable"].items()}
    for name in ("gpu_instance_types", "gpu_capacity_type", "karpenter_node_instance_types"):
        assert conditions[name] == [f"${{length(var.{name}) > 0}}", f"${{alltrue([for v in var.{name} : v != null])}}"]
    for size in ("min", "max", "desired"):
        assert conditions[f"karpenter_node_{size}_size"] == []


@pytest.mark.terraform
@needs_terraform
def test_terraform_test_passes_every_case(workspace: Workspace) -> None:
    workspace.stub_modules()
    _write(workspace, files())
    assert f"Success! {len(ALL)} passed, 0 failed." in workspace.run("test").output


@pytest.mark.terraform
@needs_terraform
def test_a_refusal_names_the_variable_what_was_given_and_what_is_allowed(workspace: Workspace) -> None:
    workspace.stub_modules()
    objected = {f"{n:03}.tftest.hcl": case for n, case in enumerate(ALL) if case.objects}
    _write(workspace, {name: tftest([case], expect=False) for name, case in objected.items()})
    said = _said(workspace)
    table = [(case, said[name]) for name, case in objected.items()]
    assert [(case.name, case.says, words) for case, words in table if not _says(case, words)] == []
    for case, words in table:
        print(f"{case.name} | {' '.join(words)}")  # noqa: T201  (pytest -rP shows it)


def _says(case: Case, words: list[str]) -> bool:
    """Whether one objection alone was made, of one or two sentences, that holds what it should."""
    variable = (case.objects or "").removeprefix("var.")
    return len(words) == 1 and case.says in words[0] and (variable in words[0] or not case.refused)


def _said(workspace: Workspace) -> dict[str, list[str]]:
    """By test file, what Terraform objected with."""
    said: dict[str, list[str]] = defaultdict(list)
    for line in workspace.run("test", "-json", expect=1).output.splitlines():
        event = json.loads(line)
        if event["type"] == "diagnostic":
            detail = event["diagnostic"]["detail"]
            said[Path(event["@testfile"]).name].append(detail.partition("\n\nThis was checked by")[0])
    return said


def _write(workspace: Workspace, tests: dict[str, str]) -> None:
    folder = workspace.folder / "tests"
    folder.mkdir()
    for name, text in tests.items():
        (folder / name).write_text(text)


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
