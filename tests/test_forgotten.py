"""States of clusters that were taken off the list, or got another backend."""

import json
from pathlib import Path

import pytest

from stacks.config import ClusterConfig, LocalBackend, S3Backend, recommended
from stacks.operations.output import forgotten_states
from stacks.reports import forgotten as report

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
    """A folder in which a page runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def forgotten(project: Path, *clusters: ClusterConfig, page: str = "main.py") -> list[str]:
    return list(report.forgotten(clusters, page=Path(page), outdir=project / "cdktf.out", project=project))


def test_a_forgotten_state_is_named_with_the_way_to_destroy_it(project: Path) -> None:
    """Another page may have clusters of its own."""
    (project / "terraform.old.tfstate").write_text(LIVING)
    (project / "terraform.karpenter.tfstate").write_text(LIVING)
    assert forgotten(project, ClusterConfig("karpenter")) == [
        "terraform.old.tfstate has resources, and main.py has no cluster with this state. The cluster keeps running. To destroy "
        "the cluster, put its entry back on the list, and run `make synth` and `make destroy STACK=old`."
    ]
    assert forgotten(project, ClusterConfig("karpenter"), page="examples/fleet.py") == []


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
    assert forgotten(project, recommended("a", backend=S3Backend(bucket="states", region="us-west-2"))) == [
        "terraform.a.tfstate has resources, and a has another backend. "
        + move.format(terraform="terraform -chdir=cdktf.out/stacks/a")
        + " Afterwards, move the file out of the project."
    ]
