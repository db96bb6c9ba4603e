"""Capacity that is reserved at EC2: On-Demand Capacity Reservations and Capacity Blocks. Plain Python.

A term of `capacityReservationSelectorTerms`: https://karpenter.sh/docs/tasks/odcrs/
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from stacks.config.checks import TAG, matches
from stacks.config.fields import Change

RESERVATIONS = Change("U; D for nodes in a reservation that is removed")

RESERVATION_ID = matches(r"cr-[0-9a-z]+", "an id such as cr-0123456789abcdef0")
ACCOUNT = matches(r"[0-9]{12}", "an AWS account of twelve digits")

MOST_TERMS, MOST_TAGS = 30, 20  # the CRD's maxItems and maxProperties


def selecting_tags(values: Mapping[str, str]) -> str | None:
    """Tags that Karpenter takes for a filter; the value `*` stands for every value."""
    if len(values) > MOST_TAGS:
        return f"must have at most {MOST_TAGS} tags"
    for key, value in values.items():
        if not re.fullmatch(rf"{TAG}{{1,128}}", key) or not (value == "*" or re.fullmatch(rf"{TAG}{{1,256}}", value)):
            return f"must have keys of 1 to 128 and values of 1 to 256 letters, digits, spaces and _.:/=+-@, or * (tag {key!r})"
    return None


@dataclass(frozen=True, kw_only=True)
class CapacityReservation:
    """Reservations that a pool may use: the one with an id, or all active ones to which the other fields apply.

    Capacity Blocks are reservations too. Karpenter does not report a selection that finds nothing.
    """

    id: Annotated[str | None, RESERVATIONS, RESERVATION_ID] = None
    """Id of a reservation, such as cr-0123456789abcdef0. Excludes the other fields."""
    tags: Annotated[Mapping[str, str], RESERVATIONS, selecting_tags] = field(default_factory=dict)
    """Tags of the reservations; the value `*` stands for every value."""
    owner_id: Annotated[str | None, RESERVATIONS, ACCOUNT] = None
    """AWS account that owns the reservations, for those that another account shares. Needs `tags` or `instance_match_criteria`."""
    instance_match_criteria: Annotated[Literal["open", "targeted"] | None, RESERVATIONS] = None
    """Whether the reservations are open or targeted. Karpenter 1.8.0 or newer."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields.

        The CRD's own rule is `!self.all(...)`, so that a term that breaks it passes beside one that does not.
        """
        others = {"tags": self.tags, "owner_id": self.owner_id, "instance_match_criteria": self.instance_match_criteria}
        given = [name for name, value in others.items() if value]
        if self.id is not None and given:
            yield f"id must not be set together with {' and '.join(given)}, because an id names one reservation. Remove either."
        elif self.id is None and not (self.tags or self.instance_match_criteria):
            yield f"id, tags or instance_match_criteria must be set{' beside owner_id' if self.owner_id else ''}."

    def term(self) -> dict[str, object]:
        """The term of an EC2NodeClass."""
        fields = {
            "id": self.id,
            "tags": dict(self.tags),
            "ownerID": self.owner_id,
            "instanceMatchCriteria": self.instance_match_criteria,
        }
        return {name: value for name, value in fields.items() if value}
