"""Several clusters in one program: what must differ, which states are refused, what is written."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.app import PROJECT, write
from stacks.config import ClusterConfig, GpuPool, LocalBackend, S3Backend, recommended
from stacks.config.backends import IGNORED
from stacks.config.checks import ConfigurationError
from stacks.config.fleet import refuse_mistakes
from tests.synthesis import Json


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


def test_a_variable_file_is_refused_together_with_other_mistakes(tmp_path: Path) -> None:
    (tmp_path / "terraform.tfvars").write_text('region = "us-west-2"')
    found = refused(tmp_path, [ClusterConfig("a", region="us-west-2", backend=LocalBackend("prod"))])
    assert [line.partition(" must ")[0] for line in found] == ["a.backend.path", "terraform.tfvars"]


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


def test_mistakes_of_several_clusters_are_reported_together(tmp_path: Path) -> None:
    clusters = [
        ClusterConfig("a", gpu_pools=[GpuPool("x", instance_types=["p5.48xlarge"], limit=0, weight=1)]),
        ClusterConfig("b", wait_for_nodes="yes"),  # type: ignore[arg-type]
        ClusterConfig("a"),
        ClusterConfig("c", backend=LocalBackend("terraform.a.tfstate")),
    ]
    with pytest.raises(ConfigurationError) as refused:
        refuse_mistakes(clusters, tmp_path)
    assert [line.split(" must")[0] for line in str(refused.value).splitlines()] == [
        'a.gpu_pools["x"].limit',
        "b.wait_for_nodes",
        "The name of each cluster",
        "a.backend and c.backend",
        "a.backend and c.backend",
    ]
