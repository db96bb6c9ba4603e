"""The stack of a cluster: its name, and where its state is. Plain Python."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated

from stacks.config.backends import LocalBackend, S3Backend
from stacks.config.checks import matches
from stacks.config.fields import Change


@dataclass(frozen=True)
class Stack:
    """A stack of the program."""

    name: Annotated[
        str,
        Change.NONE,
        matches(r"[a-z][a-z0-9-]{0,62}", "at most 63 lower-case letters, digits and hyphens, and start with a letter"),
    ]
    """Name of the stack: of its folder in `cdktf.out/stacks`, and of its state."""
    _: KW_ONLY
    backend: Annotated[LocalBackend | S3Backend, Change.NONE] = field(default_factory=LocalBackend)
    """Where Terraform keeps the state."""
