"""What a plan does to one thing: how bad that is, and in which words. Plain Python."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, TypeAlias

Class: TypeAlias = Literal["Z", "U", "D", "R"]
CLASSES: tuple[Class, ...] = ("Z", "U", "D", "R")  # docs/options.md; the worst last

# What a change says that concerns nothing that runs. Reports leave such changes out.
QUIET = "Nothing that runs changes."


class Level(IntEnum):
    """What happens to what runs, the worst last."""

    NONE = 0
    RESTARTS = 1  # controllers and add-ons
    DEFERRED = 2  # nodes drift, and a budget of 0 holds them back
    REPLACES = 3  # Karpenter replaces nodes
    ENDS = 4  # nodes, or what their jobs need, end
    LOSES = 5  # a whole network, key, role or cluster

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Change:
    """What a plan does to a pool or to a resource.

    Attributes:
        what: the name of the pool, or the address.
        held_back_by: what delays the change, in words.
    """

    what: str
    level: Level
    change: Class
    words: str
    held_back_by: tuple[str, ...] = ()


def worst_class(classes: list[Class]) -> Class:
    """The worst of some classes; Z for none."""
    return max(classes, key=CLASSES.index, default="Z")
