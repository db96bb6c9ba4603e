"""The examples: programs like main.py, of which `make synth APP=examples/fleet.py` writes what is said here, and manifests."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stacks.app import PROJECT, write
from stacks.config.recommended import RECOMMENDED
from tests.synthesis import Json, addresses, copy_program
from tests.terraform import NO_CHANGES, Workspace, needs_modules, needs_terraform

STACKS = {
    "recommended": ["training"],
    "proof": ["proof"],
    "fleet": ["prod-eun1", "prod-usw2"],
    "own_stack": ["services", "training"],
}

# Folders with a program, a page and manifests; the stack has the folder's name. tests/test_workloads.py has the rest about them.
WORKLOADS = ["batch", "queue", "serving", "training"]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder that each example has written. A program with a main of its own runs as `make synth APP=...` runs it."""
    projects = {name: tmp_path_factory.mktemp(name) for name in STACKS}
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("STATE_BUCKET", raising=False)
        for name in ("recommended", "proof", "fleet"):
            page = runpy.run_path(str(PROJECT / "examples" / f"{name}.py"))
            write(page["CLUSTERS"], projects[name] / "cdktf.out", projects[name])
    copy_program(projects["own_stack"])
    shutil.copy(PROJECT / "examples" / "own_stack.py", projects["own_stack"])
    subprocess.run([sys.executable, "-m", "stacks", "own_stack.py"], cwd=projects["own_stack"], capture_output=True, check=True)
    return {name: project / "cdktf.out" / "stacks" for name, project in projects.items()}


@pytest.fixture(scope="module")
def workloads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The stack that each workload's program has written."""
    found = {}
    for name in WORKLOADS:
        project = tmp_path_factory.mktemp(name)
        page = runpy.run_path(str(PROJECT / "examples" / name / "cluster.py"))
        write(page["CLUSTERS"], project / "cdktf.out", project)
        found[name] = project / "cdktf.out" / "stacks" / name / "cdk.tf.json"
    return found


def document(examples: dict[str, Path], example: str, stack: str) -> Json:
    found: Json = json.loads((examples[example] / stack / "cdk.tf.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", STACKS)
def test_an_example_writes_its_stacks(examples: dict[str, Path], name: str) -> None:
    assert sorted(folder.name for folder in examples[name].iterdir()) == STACKS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_program_of_a_workload_makes_its_pools_and_no_default_ones(workloads: dict[str, Path], name: str) -> None:
    found = json.loads(workloads[name].read_text())
    (cluster,) = runpy.run_path(str(PROJECT / "examples" / name / "cluster.py"))["CLUSTERS"]
    pools = {pool.name.replace("-", "_") for pool in (*cluster.gpu_pools, *cluster.general_pools)}
    made = {key.removeprefix("nodepool_").replace("-", "_") for key in found["resource"]["kubectl_manifest"] if "nodepool_" in key}
    assert made == pools
    assert all("default" in variable for variable in found["variable"].values())


def test_there_is_no_example_without_a_test() -> None:
    assert {file.stem for file in (PROJECT / "examples").glob("*.py")} - {"test_constructs"} == STACKS.keys()
    assert {file.parent.name for file in (PROJECT / "examples").glob("*/cluster.py")} == set(WORKLOADS)


@pytest.mark.slow
def test_recommended_needs_no_variable_and_has_the_recommended_values(examples: dict[str, Path]) -> None:
    variables = document(examples, "recommended", "training")["variable"]
    assert all("default" in variable for variable in variables.values())
    shared = RECOMMENDED.keys() & variables.keys()
    assert shared
    assert {name: variables[name]["default"] for name in shared} == {name: RECOMMENDED[name] for name in shared}


@pytest.mark.slow
def test_the_proof_is_cheap_and_has_what_its_steps_look_at(examples: dict[str, Path]) -> None:
    """`max_hourly_usd` bounds the price; a general pool, a GPU pool and traffic between all ports are measured."""
    found = document(examples, "proof", "proof")
    assert {"nodepool_general", "nodepool_gpu"} <= found["resource"]["kubectl_manifest"].keys()
    assert "nodepool_default" not in found["resource"]["kubectl_manifest"]
    assert all("default" in variable for variable in found["variable"].values())
    assert "ingress_self_all" in json.dumps(found["module"]["eks"])


@pytest.mark.slow
def test_the_fleet_has_three_pools_on_two_clusters(examples: dict[str, Path]) -> None:
    pools = {
        name: {key for key in document(examples, "fleet", name)["resource"]["kubectl_manifest"] if key.startswith("nodepool_")}
        for name in STACKS["fleet"]
    }
    assert pools == {
        "prod-usw2": {"nodepool_default", "nodepool_gpu", "nodepool_inference", "nodepool_research"},
        "prod-eun1": {"nodepool_default", "nodepool_gpu", "nodepool_inference"},
    }


@pytest.mark.slow
def test_the_fleet_needs_no_variable_and_its_clusters_share_nothing(examples: dict[str, Path]) -> None:
    one, other = (document(examples, "fleet", name) for name in STACKS["fleet"])
    for found in (one, other):
        assert all("default" in variable for variable in found["variable"].values())
    for name in ("region", "vpc_cidr", "cluster_name_prefix"):
        assert one["variable"][name]["default"] != other["variable"][name]["default"]
    assert one["terraform"]["backend"] != other["terraform"]["backend"]


def test_the_fleet_has_its_states_in_a_bucket_where_ci_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for bucket, kind in (("states", "S3Backend"), (None, "LocalBackend")):
        monkeypatch.delenv("STATE_BUCKET", raising=False)
        if bucket:
            monkeypatch.setenv("STATE_BUCKET", bucket)
        page = runpy.run_path(str(PROJECT / "examples" / "fleet.py"))
        assert {type(cluster.backend).__name__ for cluster in page["CLUSTERS"]} == {kind}


@pytest.mark.slow
def test_a_network_and_a_cluster_alone_have_no_karpenter(examples: dict[str, Path]) -> None:
    found = document(examples, "own_stack", "services")
    assert {"module.vpc", "module.eks"} <= addresses(found)
    assert not any("karpenter" in address for address in addresses(found))
    assert found["locals"]["vpc_cidr"] == "10.8.0.0/18"
    assert found["terraform"]["backend"]["local"]["path"] == "../../../terraform.services.tfstate"


@pytest.mark.slow
def test_a_network_and_a_cluster_alone_refuse_what_the_whole_stack_refuses(examples: dict[str, Path], stack: Json) -> None:
    """Their rules are preconditions of an output, with locals in the place of the variables."""
    rules = document(examples, "own_stack", "services")["output"]["cluster_name"]["precondition"]
    of_stack = stack["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    expected = [rule["condition"].replace("var.", "local.") for rule in of_stack if "gpu" not in rule["condition"]]
    assert [rule["condition"] for rule in rules] == [condition for condition in expected if "cluster_name_prefix" not in condition]
    assert len(rules) > 10


@pytest.mark.slow
def test_the_whole_stack_has_a_bucket_beside_it(examples: dict[str, Path]) -> None:
    found = document(examples, "own_stack", "training")
    assert {"aws_s3_bucket.checkpoints", "module.eks", "kubectl_manifest.nodepool_gpu"} <= addresses(found)
    assert found["variable"]["bucket"]["type"] == "string"
    assert found["resource"]["aws_s3_bucket"]["checkpoints"]["bucket"] == "${var.bucket}"


# --- Manifests ------------------------------------------------------------------------------------------------------------------


def manifest(name: str) -> Json:
    found: Json = yaml.safe_load((PROJECT / "examples" / name).read_text())
    return found


def test_the_job_that_measures_a_pull_ends_and_deletes_itself_and_measures_no_image_that_the_node_has() -> None:
    """A node whose pod never ends would cost for ever. `Always` asks the registry again, and reports a pull of no time."""
    job = manifest("measure-pull.yaml")["spec"]
    assert (job["backoffLimit"], job["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert 0 < job["activeDeadlineSeconds"] <= 1800
    assert 0 < job["ttlSecondsAfterFinished"] < 3600  # the event, which EKS keeps for an hour, outlives the Job
    (container,) = job["template"]["spec"]["containers"]
    assert (container["command"], container["imagePullPolicy"]) == (["true"], "IfNotPresent")


@pytest.mark.parametrize(("command", "pool"), [('image: $image|"', "gpu-spot"), ('gpu-spot|default|"', "default")])
def test_the_commands_of_the_page_choose_the_image_and_the_pool_of_the_job(command: str, pool: str) -> None:
    """And nothing else."""
    page = (PROJECT / "docs" / "images.md").read_text()
    (sed,) = {found for found in re.findall(r'sed ".*?"', page) if found.endswith(command)}
    text = f"image=registry.example/a/b:1; {sed} examples/measure-pull.yaml"
    ran = subprocess.run(["sh", "-c", text], cwd=PROJECT, capture_output=True, text=True, check=True)
    changed, expected = yaml.safe_load(ran.stdout), manifest("measure-pull.yaml")
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/a/b:1"
    expected["spec"]["template"]["spec"]["nodeSelector"]["karpenter.sh/nodepool"] = pool
    assert changed == expected


# --- In Terraform ---------------------------------------------------------------------------------------------------------------


@pytest.mark.terraform
@needs_terraform
@pytest.mark.parametrize(
    ("example", "stack", "arguments"),
    [
        ("recommended", "training", ()),
        ("own_stack", "services", ()),
        ("own_stack", "training", ("-var=bucket=checkpoints",)),
    ],
)
def test_an_example_is_valid_and_planned_without_a_file_of_variables(
    tmp_path: Path, examples: dict[str, Path], example: str, stack: str, arguments: tuple[str, ...]
) -> None:
    workspace = Workspace(tmp_path, examples[example] / stack / "cdk.tf.json", stack)
    assert "The configuration is valid" in workspace.run("validate").output
    planned = workspace.run("plan", "-input=false", *arguments).output
    assert " to add, 0 to change, 0 to destroy." in planned
    assert "Error" not in planned


@pytest.mark.terraform
@needs_terraform
@pytest.mark.parametrize("name", WORKLOADS)
def test_the_program_of_a_workload_is_planned_without_a_file_of_variables(
    tmp_path: Path, workloads: dict[str, Path], name: str
) -> None:
    workspace = Workspace(tmp_path, workloads[name], name)
    assert "The configuration is valid" in workspace.run("validate").output
    planned = workspace.run("plan", "-input=false").output
    assert " to add, 0 to change, 0 to destroy." in planned
    assert "Error" not in planned


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_both_clusters_of_the_fleet_are_made_stay_as_they_are_and_are_destroyed(tmp_path: Path, examples: dict[str, Path]) -> None:
    made = {}
    for stack in STACKS["fleet"]:
        workspace = Workspace(tmp_path, examples["fleet"] / stack / "cdk.tf.json", stack)
        workspace.run("apply", "-auto-approve", "-input=false")
        workspace.run("plan", "-input=false", "-detailed-exitcode", expect=NO_CHANGES)
        made[stack] = workspace
    for stack, region in (("prod-usw2", "us-west-2"), ("prod-eun1", "eu-north-1")):
        outputs = json.loads(made[stack].run("output", "-json").output)
        assert outputs["region"]["value"] == region
        objects = [line for line in made[stack].run("state", "list").output.splitlines() if "kubectl_manifest.nodepool_" in line]
        assert len(objects) == (4 if stack == "prod-usw2" else 3)
    for stack in STACKS["fleet"]:
        assert "Destroy complete!" in made[stack].run("destroy", "-auto-approve", "-input=false").output
        assert made[stack].run("state", "list").output == ""


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_the_network_and_the_cluster_of_the_own_stack_are_made_from_literals(tmp_path: Path, examples: dict[str, Path]) -> None:
    workspace = Workspace(tmp_path, examples["own_stack"] / "services" / "cdk.tf.json", "services")
    workspace.run("apply", "-auto-approve", "-input=false")
    workspace.run("plan", "-input=false", "-detailed-exitcode", expect=NO_CHANGES)
    outputs = json.loads(workspace.run("output", "-json").output)
    assert outputs["cluster_name"]["value"] == "services"
    assert "Destroy complete!" in workspace.run("destroy", "-auto-approve", "-input=false").output
