"""Several clusters in one program: what must differ, which files are refused, what is written."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from stacks import app
from stacks.app import PROJECT, write
from stacks.config import Budget, ClusterConfig, GeneralPool, GpuPool, LocalBackend, S3Backend, recommended
from stacks.config.backends import IGNORED
from stacks.config.checks import ConfigurationError
from stacks.config.fields import documented
from stacks.config.fleet import refuse_mistakes, warnings
from stacks.operations.output import forgotten_states
from tests.synthesis import Json

TODAY = date(2026, 1, 1)


def refused(project: Path, clusters: Any) -> list[str]:
    """What the clusters are refused for."""
    try:
        refuse_mistakes(clusters, project)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


def s3(**fields: Any) -> S3Backend:
    return S3Backend(**{"bucket": "states", "region": "us-west-2"} | fields)


# --- What must differ -----------------------------------------------------------------------------------------------------------


def test_two_clusters_cannot_have_one_name(tmp_path: Path) -> None:
    clusters = [ClusterConfig("a"), ClusterConfig("b"), ClusterConfig("a", backend=s3())]
    assert refused(tmp_path, clusters) == ["The name of each cluster must be unique (got 'a' twice). Rename one of the two."]


@pytest.mark.parametrize(
    ("one", "other", "location"),
    [
        (LocalBackend("x.tfstate"), LocalBackend("x.tfstate"), "{project}/x.tfstate"),
        (LocalBackend("x.tfstate"), LocalBackend("./x.tfstate"), "{project}/x.tfstate"),
        (LocalBackend("x.tfstate"), LocalBackend("y/../x.tfstate"), "{project}/x.tfstate"),
        (LocalBackend("x.tfstate"), LocalBackend("../{name}/x.tfstate"), "{project}/x.tfstate"),
        (LocalBackend("x.tfstate"), LocalBackend("{project}/x.tfstate"), "{project}/x.tfstate"),
        (LocalBackend("x.tfstate"), LocalBackend("link/x.tfstate"), "{project}/x.tfstate"),
        (LocalBackend(), LocalBackend("terraform.a.tfstate"), "{project}/terraform.a.tfstate"),
        (s3(key="x"), s3(key="x"), "s3://states/x"),
        (s3(), s3(key="a/terraform.tfstate"), "s3://states/a/terraform.tfstate"),
        (s3(key="x"), s3(key="x", region="eu-west-1", profile="team"), "s3://states/x"),
    ],
)
def test_two_clusters_cannot_have_one_state(tmp_path: Path, one: Any, other: Any, location: str) -> None:
    (tmp_path / "link").symlink_to(".")
    if isinstance(other, LocalBackend):
        other = LocalBackend((other.path or "").format(project=tmp_path, name=tmp_path.name))
    assert refused(tmp_path, [ClusterConfig("a", backend=one), ClusterConfig("b", backend=other)]) == [
        f"a.backend and b.backend must have different states (got {location.format(project=tmp_path)} twice)."
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LocalBackend(), LocalBackend()),
        (LocalBackend("x/s.tfstate"), LocalBackend("y/s.tfstate")),
        (s3(), s3()),
        (s3(key="x"), s3(key="x", bucket="others")),
        (s3(key="x"), LocalBackend("x.tfstate")),
    ],
)
def test_different_states_are_accepted(tmp_path: Path, one: Any, other: Any) -> None:
    assert refused(tmp_path, [ClusterConfig("a", backend=one), ClusterConfig("b", backend=other)]) == []


@pytest.mark.parametrize(
    ("clusters", "got"),
    [
        ([], "[]"),
        ((), "()"),
        (None, "None"),
        ("abc", "'abc'"),
        (["a"], "['a']"),
        (ClusterConfig("a"), "ClusterConfig('a')"),
        ([ClusterConfig("a"), None], "[ClusterConfig('a'), None]"),
        ([[ClusterConfig("a")]], "[[ClusterConfig('a')]]"),
    ],
)
def test_what_is_not_a_list_of_clusters_is_refused(tmp_path: Path, clusters: Any, got: str) -> None:
    assert refused(tmp_path, clusters) == [f"The clusters must be a list with at least one ClusterConfig (got {got})."]


def test_a_comma_behind_the_list_is_named_in_one_short_line(tmp_path: Path) -> None:
    assert refused(tmp_path, ([ClusterConfig("a"), recommended("b")],)) == [
        "The clusters must be a list with at least one ClusterConfig (got ([ClusterConfig('a'), ClusterConfig('b')],)). Remove the "
        "comma behind the list."
    ]


def test_recommended_without_a_call_is_not_a_cluster(tmp_path: Path) -> None:
    (mistake,) = refused(tmp_path, [recommended])
    assert "at least one ClusterConfig (got [<function" in mistake


# --- States that Git must leave alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["prod", "prod.tfstate ", "states/prod.json", "tfstate", "./x/../prod.tfstates", "{project}/prod.state"]
)
def test_a_state_in_the_project_that_gitignore_does_not_list_is_refused(tmp_path: Path, path: str) -> None:
    backend = LocalBackend(path.format(project=tmp_path))
    assert refused(tmp_path, [ClusterConfig("a", backend=backend)]) == [
        f"a.backend.path must end with .tfstate (got {backend.path!r}): a state holds secrets, and .gitignore does not list the "
        "file."
    ]


@pytest.mark.parametrize(
    "path", [None, "prod.tfstate", "states/prod.tfstate", "prod.tfstate.json", "prod.tfstate/x", "../prod", "/srv/states/prod"]
)
def test_gitignore_lists_a_state_or_git_does_not_see_the_file(tmp_path: Path, path: str | None) -> None:
    assert refused(tmp_path, [ClusterConfig("a", backend=LocalBackend(path))]) == []


def test_the_patterns_are_those_of_gitignore() -> None:
    assert set(IGNORED) <= set((PROJECT / ".gitignore").read_text().splitlines())


# --- Variable files that the cdktf CLI would load for every stack ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("terraform.tfvars", 'region = "us-west-2"\n'),
        ("terraform.tfvars", 'gpu_limit=8\n  region="us-west-2"\n'),
        ("terraform.tfvars.json", '{"region": "us-west-2"}'),
        ("team.auto.tfvars", 'region = "us-west-2"\n'),
        ("team.auto.tfvars.json", '{"region": "us-west-2", "gpu_limit": 8}'),
    ],
)
def test_a_file_cannot_set_a_variable_that_python_has_given(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    clusters = [ClusterConfig("a", region="us-west-2"), ClusterConfig("b"), ClusterConfig("c", region="eu-west-1")]
    assert refused(tmp_path, clusters) == [
        f"{file} must not set region, because Python gives it for a, c, and the cdktf CLI loads the file for every stack. Remove "
        "region from one of the two."
    ]


def test_all_variables_in_all_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfvars").write_text('region = "us-west-2"\ngpu_limit = 8\n')
    (tmp_path / "a.auto.tfvars").write_text("gpu_limit = 8\n")
    found = refused(tmp_path, [recommended("a", region="us-west-2")])  # whose gpu_limit is Python's too
    assert [line.split(",")[0] for line in found] == [
        "a.auto.tfvars must not set gpu_limit",
        "terraform.tfvars must not set gpu_limit",
        "terraform.tfvars must not set region",
    ]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("terraform.tfvars", 'gpu_instance_types = ["p5.48xlarge"]\n# region = "us-west-2"\n'),
        ("terraform.tfvars", 'vpc_cidr = "10.1.0.0/16" # not region = "us-west-2"\n'),
        ("prod.tfvars", 'region = "us-west-2"\n'),  # the CLI loads it only where somebody asks for it
        ("terraform.tfvars.json.example", '{"region": "us-west-2"}'),
        ("terraform.tfvars.json", "{}"),
    ],
)
def test_other_files_and_other_variables_are_accepted(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    assert refused(tmp_path, [ClusterConfig("a", region="us-west-2")]) == []


def test_a_file_may_set_what_python_left_to_it(tmp_path: Path) -> None:
    names = [field.name for field in documented(ClusterConfig) if field.variable]
    (tmp_path / "terraform.tfvars").write_text("".join(f"{name} = null\n" for name in names))
    assert refused(tmp_path, [ClusterConfig("a")]) == []


@pytest.mark.parametrize("text", ["{", "7"])
def test_a_file_of_variables_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "terraform.tfvars.json").write_text(text)
    (line,) = refused(tmp_path, [ClusterConfig("a", region="us-west-2")])
    assert line.startswith("terraform.tfvars.json must be a JSON object of variables: ")


# --- Warnings -------------------------------------------------------------------------------------------------------------------


def warned(*clusters: ClusterConfig) -> list[str]:
    return list(warnings(clusters, TODAY))


def test_networks_that_overlap_are_a_warning() -> None:
    a, b, c = (
        ClusterConfig(name, vpc_cidr=cidr) for name, cidr in zip("abc", ("10.0.0.0/16", "10.0.16.0/20", "10.1.0.0/16"), strict=True)
    )
    assert warned(a, b, c) == [
        "a.vpc_cidr and b.vpc_cidr overlap (10.0.0.0/16, 10.0.16.0/20): the two VPCs can never be connected."
    ]
    assert len(warned(ClusterConfig("a"), ClusterConfig("b"), ClusterConfig("c"))) == 3


def test_networks_side_by_side_are_not_worth_a_warning() -> None:
    assert warned(ClusterConfig("a", vpc_cidr="10.0.0.0/16"), ClusterConfig("b", vpc_cidr="10.1.0.0/16")) == []
    # Terraform judges a variable.
    assert warned(ClusterConfig("a", vpc_cidr="10.0.0.0/99"), ClusterConfig("b", vpc_cidr="10.0.0.0/99")) == []


@pytest.mark.parametrize(
    ("today", "support", "warned"),
    [
        (date(2026, 7, 29), "STANDARD", []),
        (date(2026, 7, 30), None, ["a.kubernetes_version 1.33 left standard support on 2026-07-29."]),
        (date(2026, 7, 30), "EXTENDED", ["a.kubernetes_version 1.33 left standard support on 2026-07-29."]),
        (
            date(2026, 7, 30),
            "STANDARD",
            [
                "a.kubernetes_version 1.33 left standard support on 2026-07-29.",
                "a.cluster_support_type cannot become STANDARD in extended support: EKS refuses it.",
            ],
        ),
    ],
)
def test_a_version_that_has_left_standard_support_is_a_warning(today: date, support: Any, warned: list[str]) -> None:
    found = list(warnings([ClusterConfig("a", cluster_support_type=support)], today))
    assert [text[: len(start)] for text, start in zip(found, warned, strict=True)] == warned


@pytest.mark.parametrize(
    ("field", "release", "newest"),
    [("karpenter_version", "1.9.3", "1.9.2"), ("load_balancer_controller_version", "3.4.9", "3.4.3")],
)
def test_a_patch_release_that_the_program_does_not_know_is_a_warning(field: str, release: Any, newest: Any) -> None:
    assert warned(ClusterConfig("a", **{field: newest})) == []
    assert warned(ClusterConfig("a", **{field: release})) == [
        f"a.{field} {release} is newer than any release of its minor version that the program knows, and is treated like "
        f"{newest}. Make sure that {release} exists, and read its release notes."
    ]


def test_types_of_a_pool_that_the_program_does_not_know_are_a_warning() -> None:
    pool = GpuPool("x", instance_types=["p5.48xlarge", "p9.48xlarge"], limit=8, weight=1)
    (warning,) = warned(ClusterConfig("a", gpu_pools=[pool]))
    assert warning.startswith(
        'a.gpu_pools["x"].instance_types contains types that this program does not know: p9.48xlarge. A plan '
        "asks EC2 whether it offers them; make sure that they have NVIDIA GPUs with a driver in Bottlerocket, an x86_64 CPU and"
    )


ALWAYS, NIGHTLY = Budget(nodes="10%"), Budget(nodes="0", schedule="0 6 * * *", duration="20h")
DRIFT = Budget(nodes="0", reasons=["Drifted"])


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({}, ""),  # Karpenter's own 10%
        ({"budgets": [ALWAYS]}, ""),
        ({"budgets": [NIGHTLY, ALWAYS]}, ""),
        ({"budgets": [NIGHTLY]}, "Drifted, Empty"),
        ({"budgets": [DRIFT]}, "Empty"),
        ({"budgets": [DRIFT, NIGHTLY]}, "Empty"),
        ({"budgets": [DRIFT, ALWAYS]}, ""),
        ({"budgets": [DRIFT, Budget(nodes="1", reasons=["Empty"])]}, ""),
        ({"budgets": [DRIFT], "consolidate_after": "Never"}, ""),
        ({"budgets": [NIGHTLY], "consolidate_after": "Never"}, "Drifted"),
        ({"budgets": [DRIFT], "consolidation_policy": "WhenEmptyOrUnderutilized"}, "Empty, Underutilized"),
        ({"budgets": [Budget(nodes="1", reasons=["Empty"])]}, "Drifted"),
    ],
)
def test_a_reason_without_a_budget_that_always_applies_is_a_warning(fields: dict[str, Any], reasons: str) -> None:
    gpu = GpuPool("x", instance_types=["p5.48xlarge"], limit=8, weight=1, **fields)
    general = GeneralPool("y", cpu_limit=64, weight=1, **fields)
    said = (
        f"has no budget without a schedule for {reasons}: whenever no budget applies, Karpenter may disrupt all nodes of the pool "
        'at a time. Add Budget(nodes="10%"), for example.'
    )
    found = warned(ClusterConfig("a", gpu_pools=[gpu], general_pools=[general]))
    assert found == ([f'a.gpu_pools["x"].budgets {said}', f'a.general_pools["y"].budgets {said}'] if reasons else [])


def test_general_types_and_families_that_the_program_does_not_know_are_a_warning() -> None:
    pools = [
        GeneralPool("x", instance_types=["m7i.large", "m7i.47xlarge"], cpu_limit=8, weight=1),
        GeneralPool("y", families=["m7i", "m99"], cpu_limit=8, weight=2),
        GeneralPool("z", cpu_limit=8, weight=3),
    ]
    for offering_checks, then in ((True, "A plan asks EC2 whether it offers them"), (False, "Karpenter will use them")):
        assert warned(ClusterConfig("a", general_pools=pools, offering_checks=offering_checks)) == [
            f'a.general_pools["{pool}"].{field} contains {what} that this program does not know: {name}. {then}; make sure that '
            "they have x86_64 CPUs and no GPUs."
            for pool, field, what, name in (("x", "instance_types", "types", "m7i.47xlarge"), ("y", "families", "families", "m99"))
        ]


def test_a_gpu_whose_driver_is_not_known_is_a_warning() -> None:
    def pool(bottlerocket: str | None) -> GpuPool:
        return GpuPool("x", families=["g7e", "p5"], limit=8, weight=1, bottlerocket_version=bottlerocket)

    (warning,) = warned(ClusterConfig("a", gpu_pools=[pool("v1.52.0")]))
    assert warning == (
        'a.gpu_pools["x"].families contains g7e: this program does not know whether Bottlerocket v1.52.0 has a driver for the GPU. '
        "Without a driver a node never joins the cluster, and Karpenter buys the next one."
    )
    assert warned(ClusterConfig("a", gpu_pools=[pool("v1.53.0")])) == warned(ClusterConfig("a", gpu_pools=[pool(None)])) == []
    assert len(warned(ClusterConfig("a", gpu_pools=[pool(None)], bottlerocket_version="v1.52.0"))) == 1


# --- A cluster that was taken off the list --------------------------------------------------------------------------------------

LIVING = json.dumps({"version": 4, "resources": [{"type": "aws_vpc"}]})


def test_only_a_state_with_resources_that_no_cluster_has_is_forgotten(tmp_path: Path) -> None:
    states = {"a": LIVING, "b": LIVING, "c": LIVING, "empty": '{"resources": []}', "broken": "{", "list": "[]"}
    for name, text in states.items():
        (tmp_path / f"terraform.{name}.tfstate").write_text(text)
    (tmp_path / "terraform.d.tfstate.backup").write_text(LIVING)
    backends = {"a": LocalBackend(), "other": LocalBackend(str(tmp_path / "terraform.b.tfstate"))}
    known = {backend.location(name, tmp_path) for name, backend in backends.items()}
    assert list(forgotten_states(tmp_path, known)) == [("c", "terraform.c.tfstate")]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose main.py runs."""
    monkeypatch.setattr(app, "PROJECT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["main.py"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def forgotten(project: Path, *clusters: ClusterConfig) -> list[str]:
    return list(app._forgotten(clusters, project / "cdktf.out"))


def test_a_forgotten_state_is_named_with_the_way_to_destroy_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another app may have clusters of its own."""
    (project / "terraform.old.tfstate").write_text(LIVING)
    (project / "terraform.karpenter.tfstate").write_text(LIVING)
    assert forgotten(project, ClusterConfig("karpenter")) == [
        "terraform.old.tfstate has resources, and main.py has no cluster with this state. The cluster keeps running. To destroy "
        "the cluster, put its entry back on the list, and run `make synth` and `make destroy STACK=old`."
    ]
    monkeypatch.setattr(sys, "argv", ["examples/fleet.py"])
    assert forgotten(project, ClusterConfig("karpenter")) == []


@pytest.mark.parametrize(
    ("initialized", "move"),
    [
        ("local", "Before a plan, move the state: `{terraform} init -migrate-state`."),
        (
            "s3",
            "Unless the state is there already: `{terraform} init`, then `{terraform} state push ../../../terraform.a.tfstate`.",
        ),
        (
            None,
            "Unless the state is there already: `{terraform} init`, then `{terraform} state push ../../../terraform.a.tfstate`.",
        ),
    ],
)
def test_a_state_behind_a_change_of_backend_is_moved_and_not_destroyed(project: Path, initialized: str | None, move: str) -> None:
    """Without a record of the old backend, `terraform init -migrate-state` starts with an empty state."""
    (project / "terraform.a.tfstate").write_text(LIVING)
    if initialized:
        record = project / "cdktf.out" / "stacks" / "a" / ".terraform" / "terraform.tfstate"
        record.parent.mkdir(parents=True)
        record.write_text(json.dumps({"version": 3, "backend": {"type": initialized}}))
    assert forgotten(project, recommended("a", backend=s3())) == [
        "terraform.a.tfstate has resources, and a has another backend. "
        + move.format(terraform="terraform -chdir=cdktf.out/stacks/a")
        + " Afterwards, move the file out of the project."
    ]


# --- What is written ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """Three clusters, written in one go, by name."""
    project = tmp_path_factory.mktemp("fleet")
    clusters = [
        ClusterConfig("a", region="us-west-2"),
        recommended("b", region="eu-west-1", backend=LocalBackend("states/b.tfstate")),
        ClusterConfig("c", backend=s3()),
    ]
    write(clusters, project / "cdktf.out", project)
    folders = sorted((project / "cdktf.out" / "stacks").iterdir())
    return {folder.name: json.loads((folder / "cdk.tf.json").read_text()) for folder in folders}


def test_each_cluster_has_a_stack_and_a_state(written: dict[str, Json]) -> None:
    assert {name: document["terraform"]["backend"] for name, document in written.items()} == {
        "a": {"local": {"path": "../../../terraform.a.tfstate", "workspace_dir": "../../../terraform.a.tfstate.d"}},
        "b": {"local": {"path": "../../../states/b.tfstate", "workspace_dir": "../../../states/b.tfstate.d"}},
        "c": {
            "s3": {
                "bucket": "states",
                "key": "c/terraform.tfstate",
                "region": "us-west-2",
                "encrypt": True,
                "use_lockfile": True,
            }
        },
    }


def test_each_cluster_has_its_own_values(written: dict[str, Json]) -> None:
    assert {name: document["variable"]["region"].get("default") for name, document in written.items()} == {
        "a": "us-west-2",
        "b": "eu-west-1",
        "c": None,
    }
    assert {name: document["variable"]["gpu_limit"]["default"] for name, document in written.items()} == {
        "a": None,
        "b": 32,
        "c": None,
    }


def test_a_cluster_is_the_same_alone_and_in_a_fleet(written: dict[str, Json], tmp_path: Path) -> None:
    write([ClusterConfig("a", region="us-west-2")], tmp_path / "cdktf.out", tmp_path)
    assert json.loads((tmp_path / "cdktf.out" / "stacks" / "a" / "cdk.tf.json").read_text()) == written["a"]


def test_nothing_is_written_where_one_cluster_has_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        write([ClusterConfig("a"), ClusterConfig("B")], tmp_path / "cdktf.out", tmp_path)
    assert not (tmp_path / "cdktf.out").exists()


def test_a_setting_of_an_earlier_version_in_cdktf_json_stops_a_synthesis(tmp_path: Path) -> None:
    (tmp_path / "cdktf.json").write_text('{"context": {"backend": "s3"}}')
    with pytest.raises(ConfigurationError, match='"backend" must not be in the context'):
        write([ClusterConfig("a")], tmp_path / "cdktf.out", tmp_path)


def test_a_setting_of_an_earlier_version_in_the_environment_stops_a_synthesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDKTF_KARPENTER_PRESET", "recommended")
    with pytest.raises(ConfigurationError, match="CDKTF_KARPENTER_PRESET must not be set"):
        write([ClusterConfig("a")], tmp_path / "cdktf.out", tmp_path)


def summary(project: Path, *clusters: ClusterConfig) -> list[str]:
    return list(app._summary(clusters, project / "cdktf.out"))


def test_the_summary_of_a_cluster_has_its_pools_and_the_steps_up_to_the_apply(project: Path) -> None:
    cluster = recommended(
        "a",
        region="us-west-2",
        gpu_instance_types=["p5.48xlarge"],
        gpu_pools=[GpuPool("x", families=["p4de"], limit=8, labels={"team": "a"})],
        general_pools=[GeneralPool("web", cpu_limit=64, weight=2)],
    )
    assert summary(project, cluster) == [
        "Wrote cdktf.out/stacks/a/cdk.tf.json",
        "  GPU pool x: p4de.24xlarge; pods choose the pool by label team=a; pods that choose no pool get this pool before gpu-spot",
        "  General pool web: categories c, m, r with 4, 8, 16, 32 vCPUs; weight 2; pods that choose no pool get this pool before "
        "default",
        "\nNext:",
        "  make plan STACK=a",
        "  make apply STACK=a",
    ]


def test_the_summary_of_several_clusters_names_each(project: Path) -> None:
    given: dict[str, Any] = {"gpu_instance_types": ["p5.48xlarge"]}
    clusters = [ClusterConfig("a", region="us-west-2", **given), ClusterConfig("b", region="eu-west-1", **given)]
    assert summary(project, *clusters) == [
        "Wrote cdktf.out/stacks/a/cdk.tf.json",
        "Wrote cdktf.out/stacks/b/cdk.tf.json",
        "\nNext, for each <name> of a, b:",
        "  make plan STACK=<name>",
        "  make apply STACK=<name>",
    ]


def test_the_summary_says_where_the_variables_that_a_cluster_needs_are_given(project: Path) -> None:
    """A file of variables is for all clusters, and is refused where Python gives the variable for one."""
    copy = "  cp -n terraform.tfvars.example terraform.tfvars   # then set {} in terraform.tfvars"
    a, b = ClusterConfig("a"), ClusterConfig("b", region="us-west-2")
    assert copy.format("region and gpu_instance_types") in summary(project, a)
    assert [line for line in summary(project, a, b) if " set " in line] == [
        copy.format("gpu_instance_types"),
        "  set region of a in main.py",
    ]
    (project / "terraform.tfvars").touch()
    assert "terraform.tfvars" not in "".join(summary(project, a))
