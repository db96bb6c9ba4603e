"""`make clean` removes nothing of value."""

import os
import shutil
from pathlib import Path

import pytest

from stacks.operations.clean import NotRemovedError, main
from stacks.operations.output import StateInOutputError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cdktf.out" / "stacks" / "karpenter"
    (folder / ".terraform").mkdir(parents=True)
    (folder / "cdk.tf.json").touch()
    # The configuration of the backend, which has the name of a state.
    (folder / ".terraform" / "terraform.tfstate").touch()
    (tmp_path / ".venv").mkdir()
    (tmp_path / "terraform.karpenter.tfstate").touch()
    return tmp_path


def test_what_was_set_up_and_synthesized_is_removed(project: Path) -> None:
    main(Path())
    assert [path.name for path in project.iterdir()] == ["terraform.karpenter.tfstate"]


def test_what_could_not_be_removed_is_named_and_the_rest_is_gone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a folder of another user. The tests may run as root, who is refused nothing."""
    removes = shutil.rmtree

    def refuses(path: Path) -> None:
        if path.name == ".venv":
            raise PermissionError(13, "Permission denied", ".venv/bin")
        removes(path)

    monkeypatch.setattr(shutil, "rmtree", refuses)
    with pytest.raises(NotRemovedError, match=r"^Not removed: \.venv \(Permission denied: \.venv/bin\)\."):
        main(Path())
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in project.iterdir()) == [".venv", "terraform.karpenter.tfstate"]


@pytest.mark.parametrize(
    "state",
    [
        "stacks/karpenter/terraform.tfstate.d/staging/terraform.tfstate",
        "stacks/karpenter/terraform.tfstate",
        "stacks/karpenter/terraform.tfstate.backup",
        "stacks/karpenter/errored.tfstate",
        "elsewhere/my.tfstate",
    ],
)
def test_it_stops_where_there_is_a_state(project: Path, state: str) -> None:
    file = project / "cdktf.out" / state
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    with pytest.raises(StateInOutputError, match=f"cdktf.out/{state}"):
        main(Path())
    assert file.exists()
    assert (project / ".venv").exists()


def test_it_stops_where_another_workspace_is_selected(project: Path) -> None:
    folder = "cdktf.out/stacks/karpenter"
    environment = project / folder / ".terraform" / "environment"
    environment.write_text("staging")
    with pytest.raises(StateInOutputError, match=f"terraform -chdir={folder} workspace select default"):
        main(Path())
    environment.write_text("default")
    main(Path())
    assert not environment.exists()


def test_the_lock_file_of_providers_survives(project: Path) -> None:
    lock = project / "cdktf.out" / "stacks" / "karpenter" / ".terraform.lock.hcl"
    lock.write_text("new")
    kept = project / "terraform.karpenter.lock.hcl"
    kept.write_text("old")
    os.utime(kept, (lock.stat().st_mtime - 10,) * 2)
    main(Path())
    assert kept.read_text() == "new"
