"""Bad input is refused at plan: every case of tests/cases.py in `terraform test`, and the words that a user reads."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from stacks.app import PROJECT
from stacks.config import ClusterConfig
from stacks.config.checks import mistakes
from stacks.config.fields import options_of
from tests.cases import CASES, DEFAULTS, Case, files, tftest
from tests.synthesis import Json
from tests.terraform import Workspace, needs_terraform

ALL = [case for cases in CASES.values() for case in cases]


def test_the_cases_for_terraform_test_are_written_by_a_python_without_packages(tmp_path: Path) -> None:
    """`make test-rules` needs no set-up."""
    subprocess.run([sys.executable, "-S", "-m", "tests.cases", tmp_path], cwd=PROJECT, check=True)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == files()
    assert len(files()) == len(CASES)


def test_every_rule_has_cases_on_both_sides() -> None:
    assert len(ALL) >= 60
    for rule, cases in CASES.items():
        assert {case.refused_at is None for case in cases} == {True, False}, rule


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


def _said_by_python(case: Case) -> Iterator[str]:
    yield from (text.removeprefix("c.") for text in mistakes("c", ClusterConfig("c", **DEFAULTS | case.variables)))


@pytest.mark.parametrize("name", NAMED)
def test_python_judges_a_literal_as_terraform_judges_a_variable(name: str) -> None:
    """By the same rule, in the same words; a warning of a plan is none of Python's."""
    case = NAMED[name]
    found = list(_said_by_python(case))
    if name in OF_ANOTHER_TYPE:
        (text,) = found
        assert OF_ANOTHER_TYPE[name] in text
    elif case.refused_at is None or case.refused_at.startswith("check.") or name in ONLY_A_PLAN_KNOWS:
        assert found == []
    else:
        (text,) = found
        assert case.says in text
        assert text.startswith(tuple(f"{variable} must " for variable in case.variables))


def test_every_rule_of_the_json_has_a_case_that_it_refuses(stack: Json) -> None:
    every = messages(stack)
    hit = {(case.refused_at, _message_of(name, case, every[case.refused_at])) for name, case in NAMED.items() if case.refused_at}
    missing = {(objects, message) for objects, found in every.items() for message in found} - hit
    assert (missing, sum(map(len, every.values())) > 55) == (set(), True)


def messages(document: Json) -> dict[str, list[str]]:
    """What Terraform may object with, by the address that it names."""
    rules = {f"var.{name}": variable.get("validation", []) for name, variable in document["variable"].items()}
    rules |= {f"check.{name}": check["assert"] for name, check in document["check"].items()}
    rules |= {f"output.{name}": output.get("precondition", []) for name, output in document["output"].items()}
    rules["random_string.suffix"] = document["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    return {objects: [rule["error_message"] for rule in found] for objects, found in rules.items()}


def _message_of(name: str, case: Case, messages: list[str]) -> str | None:
    """The message that has the longest run of the words of a refusal, of those that begin with a variable of the case."""
    words = case.says if name in OF_ANOTHER_TYPE else next(_said_by_python(case), case.says)
    named = [
        message for message in messages if message.startswith(tuple(f"{variable} " for variable in case.variables))
    ] or messages
    runs = [SequenceMatcher(None, words, message, autojunk=False).find_longest_match().size for message in named]
    return named[runs.index(max(runs))] if runs.count(max(runs)) == 1 else None


def test_what_only_a_plan_knows_is_what_it_refuses() -> None:
    for name in ONLY_A_PLAN_KNOWS:
        assert NAMED[name].refused_at in ("random_string.suffix", "output.cluster_version")
    assert OF_ANOTHER_TYPE.keys() <= NAMED.keys() - ONLY_A_PLAN_KNOWS


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


def test_every_message_says_what_must_be_and_what_was_given(stack: Json) -> None:
    names = [field.name for field in options_of(ClusterConfig) if field.variable]
    rules = [rule for variable in stack["variable"].values() for rule in variable.get("validation", [])]
    rules += stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    assert len(rules) > 45
    for rule in rules:
        message = rule["error_message"]
        assert message.startswith(tuple(names)), message
        assert " must " in message
        assert "(got " in message or "EC2 does not offer ${" in message, message
        assert message.endswith((".", ")]}.")) or "<cluster_name_prefix>" in message


def test_the_validation_of_a_variable_names_it_first(stack: Json) -> None:
    for name, variable in stack["variable"].items():
        for rule in variable.get("validation", []):
            assert rule["error_message"].startswith(f"{name} must ")
            assert (
                f"(got ${{jsonencode(var.{name})}}" in rule["error_message"]
                or "(got [])" in rule["error_message"]
                or (f"(got ${{length(var.{name})}})" in rule["error_message"])
            )


def test_the_sizes_of_the_node_group_are_named_with_their_values(stack: Json) -> None:
    (message,) = (
        rule["error_message"]
        for rule in stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
        if "<=" in rule["condition"] and "desired" in rule["condition"]
    )
    low, desired, high = (f"${{jsonencode(var.karpenter_node_{size}_size)}}" for size in ("min", "desired", "max"))
    assert message == (
        "karpenter_node_desired_size must be between karpenter_node_min_size and karpenter_node_max_size "
        f"(got {desired}, not between {low} and {high})."
    )


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
    objected = {f"{n:03}.tftest.hcl": case for n, case in enumerate(ALL) if case.refused_at}
    _write(workspace, {name: tftest([case], expect=False) for name, case in objected.items()})
    said = _said(workspace)
    table = [(case, said[name]) for name, case in objected.items()]
    assert [(case.name, case.says, words) for case, words in table if not _says(case, words)] == []
    for case, words in table:
        print(f"{case.name} | {' '.join(words)}")  # noqa: T201  (pytest -rP shows it)


def _says(case: Case, words: list[str]) -> bool:
    """Whether one objection alone was made, of one or two sentences, that holds what it should."""
    variable = (case.refused_at or "").removeprefix("var.")
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
