"""`proof.NAME.json`: what is ours. Without it, `make prove` touches no state that has resources.

It is written before anything is built, and is gone when everything is removed. A run that was killed leaves it, so that the next
run finishes the clean-up.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from stacks.operations.checks.facts import text
from stacks.operations.deployment import DeploymentError, Object

SUFFIX = "random_string"  # the first resource of a stack, which costs nothing


@dataclass(frozen=True)
class Record:
    """What a proof built, or is about to build.

    Attributes:
        app, stack: the page, and the name of its stack.
        account, region: where.
        workspace, backend: where the state is.
        begun: when, in UTC.
        hour_usd: dollars that an hour of it costs at most; None if a pool has no price.
        lineage: of the state that the proof made; "" before Terraform made it.
        cluster: the name of the cluster, with its random suffix; "" before the suffix exists.
        vpc: the id of the VPC; "" before it is known.
        keys: KMS keys, which AWS keeps for some days.
        caches: prefixes of the repositories of an image cache, which outlive their rules.
        kept: whether `--keep` was given.
        fis: whether `--fis-role` was given, and so a template of AWS FIS may be there.
    """

    app: str
    stack: str
    account: str
    region: str
    workspace: str
    backend: Any
    begun: str
    hour_usd: float | None
    lineage: str = ""
    cluster: str = ""
    vpc: str = ""
    keys: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    kept: bool = False
    fis: bool = False

    @classmethod
    def read(cls, stack: str) -> Self | None:
        """The record of a stack; None if there is none.

        Raises:
            DeploymentError: the file is not a record.
        """
        path = path_of(stack)
        if not path.exists():
            return None
        try:
            given = json.loads(path.read_text())
            known = {one.name for one in fields(cls)}
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if name in known
            }
            record = cls(**values)
            if record.stack != stack or not isinstance(record.hour_usd, int | float | None):
                raise ValueError
            return record
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise DeploymentError(
                f"{path} must be a record of make prove (got {type(error).__name__}). If the file is not yours, move it away. If a "
                f"proof is running or was interrupted, run `make destroy STACK={stack}`."
            ) from None

    def write(self) -> None:
        """Write the file in one move, for its owner alone: it has the number of the account."""
        path = path_of(self.stack)
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def changed(self, **values: Any) -> Self:
        """The record with other values, which is written too."""
        after = replace(self, **values)
        after.write()
        return after

    def noted(self, **values: Any) -> Self:
        """The same where the disk may be full: that must not keep a cluster alive."""
        with suppress(OSError):
            return self.changed(**values)
        return replace(self, **values)

    def remove(self) -> None:
        """Nothing is ours any more. A file that stays is of no harm: the next run finds nothing to remove."""
        with suppress(OSError):
            path_of(self.stack).unlink(missing_ok=True)

    def refuse_another_place(self, *, account: str, region: str, workspace: str, backend: Any) -> None:
        """Stop where Terraform would look elsewhere than where the proof built.

        Raises:
            DeploymentError: an account, a region, a workspace or a backend differs. In another region, Terraform would find nothing
                and forget what runs.
        """
        now = {"account": account, "region": region, "workspace": workspace, "backend": backend}
        differs = [name for name, value in now.items() if value != getattr(self, name)]
        if differs:
            that = "those" if len(differs) > 1 else "that"
            raise DeploymentError(
                f"The {' and the '.join(differs)} must be {that} of {path_of(self.stack)}, which an earlier proof left (got "
                f"{', '.join(_shown(now[name]) for name in differs)}; the file has "
                f"{', '.join(_shown(getattr(self, name)) for name in differs)}). Set {self.app} and the login back, and run this "
                "command again: it removes the earlier cluster first. Nothing was changed."
            )

    def owns(self, state: Object) -> bool:
        """Whether a state has what the proof made. A later cluster in the same state has another suffix."""
        if self.lineage and state.get("lineage") != self.lineage:
            return False
        if not self.cluster:  # whose name is written before it is built
            return {one.get("type") for one in managed(state)} <= {SUFFIX}
        suffixes = [text(one["instances"][0], "attributes", "result") for one in managed(state) if one.get("type") == SUFFIX]
        return bool(self.lineage) and all(self.cluster.endswith(f"-{suffix}") for suffix in suffixes)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def path_of(stack: str) -> Path:
    """Where the record of a stack is."""
    return Path(f"proof.{stack}.json")


def managed(state: Object) -> list[Object]:
    """The resources that a state has, without data sources."""
    return [one for one in state.get("resources", []) if one.get("mode", "managed") == "managed" and one.get("instances")]


@contextmanager
def alone(stack: str) -> Iterator[None]:
    """Keep a second `make prove` away, which would take a running proof for a leftover.

    Raises:
        DeploymentError: another one runs.
    """
    with Path(f"proof.{stack}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeploymentError(f"Another make prove of {stack} runs. Wait for its end. Nothing was changed.") from None
        yield
