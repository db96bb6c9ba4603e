"""What must outlive `cdktf.out`, which `make clean` and the cdktf CLI delete. Plain Python.

Terraform writes the lock file of the providers and the states of workspaces into the folder where it runs,
`cdktf.out/stacks/<stack>`. Lock files are copied to the project. Commands do not touch states: a command that finds a state stops.
"""

import json
import shutil
from collections.abc import Iterator
from os.path import realpath
from pathlib import Path

LOCK_FILE = ".terraform.lock.hcl"
WORKSPACES = "terraform.tfstate.d"


class StateInOutputError(RuntimeError):
    """A state, or the choice of a workspace, would be lost or overlooked. The message says what to do."""


def keep_lock_files(project: Path, outdir: Path) -> None:
    """Copy the newer lock file of each stack to the project, where it survives and can be committed."""
    for folder in _stacks(outdir):
        _copy_if_newer(folder / LOCK_FILE, lock_file(project, folder.name))


def place_lock_file(project: Path, outdir: Path, stack: str) -> None:
    """Copy the project's lock file to where Terraform reads it, unless the one there is newer."""
    _copy_if_newer(lock_file(project, stack), outdir / "stacks" / stack / LOCK_FILE)


def lock_file(project: Path, stack: str) -> Path:
    """Where a stack's lock file is kept."""
    return project / f"terraform.{stack}.lock.hcl"


def refuse_states(outdir: Path) -> None:
    """Stop if something of value is in the folder.

    Raises:
        StateInOutputError: it holds a state, or a workspace other than `default` is selected.
    """
    found = [str(path) for path in sorted(_states(outdir))]
    if found:
        raise StateInOutputError(f"{outdir} holds Terraform states: {', '.join(found)}. Move them out of {outdir} first.")
    for folder in _stacks(outdir):
        if (name := _selected_workspace(folder)) != "default":
            raise StateInOutputError(
                f"In {folder} the Terraform workspace {name!r} is selected, and would be `default` afterwards. First run: "
                f"terraform -chdir={folder} workspace select default"
            )


def forgotten_states(project: Path, known: set[str]) -> Iterator[tuple[str, str]]:
    """The local states with resources that are not among `known`, by the name of their stack, each with its file's name."""
    for path in sorted(project.glob("terraform.*.tfstate")):
        if realpath(path) not in known and _has_resources(path):
            yield path.name.removeprefix("terraform.").removesuffix(".tfstate"), path.name


def initialized_backend(folder: Path) -> str | None:
    """The kind of backend with which Terraform was initialized in a stack's folder; None if Terraform was not."""
    file = folder / ".terraform" / "terraform.tfstate"
    try:
        kind: str = json.loads(file.read_text())["backend"]["type"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return kind


def _has_resources(state: Path) -> bool:
    try:
        return bool(json.loads(state.read_text()).get("resources"))
    except (OSError, ValueError, AttributeError):
        return False


def refuse_old_workspaces(folder: Path, new: Path) -> None:
    """Stop if a stack's workspaces are in its folder, where Terraform has them by default.

    Args:
        folder: where Terraform runs.
        new: where the states of workspaces belong.

    Raises:
        StateInOutputError: Terraform would not see them, and plan a second cluster.
    """
    old = folder / WORKSPACES
    if any(old.glob("*/*")):
        raise StateInOutputError(
            f"The states of Terraform workspaces must be outside {folder.parents[1].name} (found {old}). Move them, synthesize "
            f"again, and reinitialize Terraform:\n  mv {old} {new}\n  make synth\n  terraform -chdir={folder} init -reconfigure"
        )


def _stacks(outdir: Path) -> list[Path]:
    return sorted(path for path in (outdir / "stacks").glob("*") if path.is_dir())


def _states(outdir: Path) -> Iterator[Path]:
    """States and their backups, without `.terraform/terraform.tfstate`, which holds the configuration of the backend."""
    for path in outdir.rglob("*.tfstate*"):
        if path.is_file() and ".terraform" not in path.parts:
            yield path


def _selected_workspace(folder: Path) -> str:
    environment = folder / ".terraform" / "environment"
    return environment.read_text().strip() if environment.exists() else "default"


def _copy_if_newer(source: Path, target: Path) -> None:
    if source.exists() and (not target.exists() or source.stat().st_mtime > target.stat().st_mtime):
        shutil.copy2(source, target)
