"""Bad input is refused at plan: every case of tests/cases.py in `terraform test`, and the words that a user reads."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from stacks.catalogue import gpu_instance_types, refused_families, usable_types
from stacks.rules import CLUSTER_NAME_PREFIX_LENGTH
from tests.cases import CASES, FOLDER, Case, files, tftest
from tests.terraform import Workspace, needs_modules, needs_terraform

ALL = [case for cases in CASES.values() for case in cases]


def test_the_files_for_terraform_test_are_current() -> None:
    assert {file.name: file.read_text() for file in FOLDER.iterdir()} == files(), "run `make golden`"


def test_every_rule_has_cases_on_both_sides() -> None:
    assert len(ALL) >= 60
    for rule, cases in CASES.items():
        assert {case.objects is None for case in cases} == {True, False}, rule


def test_the_catalogue_refuses_what_karpenter_cannot_give_to_the_gpu_pool() -> None:
    assert list(refused_families().values()) == [["g4ad"], ["g6f", "gr6f"], ["g5g"]]
    assert {"p5.48xlarge", "p4d.24xlarge", "g6e.xlarge"} <= set(usable_types())
    usable = {row for row in gpu_instance_types() if row.instance_type in usable_types()}
    # The GPU node class makes a RAID of the NVMe disks: a type without any would not boot.
    assert all(row.nvme_gb > 0 for row in usable)


@pytest.mark.terraform
@needs_terraform
def test_terraform_test_passes_every_case(workspace: Workspace) -> None:
    _write(workspace, files())
    assert f"Success! {len(ALL)} passed, 0 failed." in workspace.run("test").output


@pytest.mark.terraform
@needs_terraform
def test_a_refusal_names_the_variable_what_was_given_and_what_is_allowed(workspace: Workspace) -> None:
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
def test_the_longest_name_fits_everywhere(workspace: Workspace) -> None:
    """Limits: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and the services' own."""
    workspace.variables(cluster_name_prefix="a" * CLUSTER_NAME_PREFIX_LENGTH)
    workspace.run("apply", "-auto-approve", "-input=false")
    state = json.loads(workspace.state.read_text())
    made = [
        (resource["type"], key, instance["attributes"].get(key) or "")
        for resource in state["resources"]
        for instance in resource["instances"]
        for key in ("name", "name_prefix")
        if resource["type"] in LIMITS and "aaaa" in (instance["attributes"].get(key) or "")
    ]
    assert {(kind, key) for kind, key, _ in made} >= {("aws_iam_role", "name_prefix"), ("aws_eks_cluster", "name")}
    assert all(len(value) <= LIMITS[kind][key] for kind, key, value in made)
    # One more character, and the tightest of them would not fit.
    assert max(len(value) for kind, key, value in made if (kind, key) == ("aws_iam_role", "name_prefix")) == 38


LIMITS = {
    "aws_eks_cluster": {"name": 100, "name_prefix": 0},
    "aws_iam_role": {"name": 64, "name_prefix": 38},
    "aws_iam_policy": {"name": 128, "name_prefix": 102},
    "aws_security_group": {"name": 255, "name_prefix": 229},
    "aws_sqs_queue": {"name": 80, "name_prefix": 54},
    "aws_cloudwatch_log_group": {"name": 512, "name_prefix": 486},
    "aws_cloudwatch_event_rule": {"name": 64, "name_prefix": 38},
}
