"""The table of what a change of a resource means, resources.csv. Plain Python."""

import re
from csv import DictReader
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stacks.reports.impact.change import Level
from stacks.reports.impact.plan import Resource

NOT_KNOWN = "What that means for running jobs is not known."
# By these tags Karpenter and the load balancer controller find subnets and security groups.
FINDING_TAGS = ("karpenter.sh/discovery", "kubernetes.io/role/elb", "kubernetes.io/role/internal-elb")


@dataclass(frozen=True)
class Row:
    """A row of resources.csv; no words for what concerns nothing that runs."""

    address: re.Pattern[str]
    actions: tuple[str, ...]
    fields: frozenset[str]
    level: Level
    swallows: str
    words: str

    def fits(self, resource: Resource) -> bool:
        """Whether the row is about this change of a resource."""
        fields = not self.fields or bool(self.fields & changed_arguments(resource))
        return resource.action in self.actions and fields and bool(self.address.search(resource.address))

    def words_for(self, resource: Resource) -> str:
        """The words, with what they name."""
        versions = (resource.before, resource.after) if "addon_version" in self.fields & resource.changed else None
        before, after = (str(one.get("addon_version") or "not known") for one in versions) if versions else ("", "")
        return self.words.format(key=resource.key, before=before, after=after).replace(" ( to )", "")


@cache
def rows() -> tuple[Row, ...]:
    """The table."""
    with Path(__file__).with_name("resources.csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            Row(
                re.compile(row["address"]),
                tuple(row["action"].split()),
                frozenset(row["fields"].split()),
                Level[row["level"].upper()],
                row["swallows"],
                row["words"],
            )
            for row in DictReader(file)
            if not row["address"].startswith("#")
        )


def changed_arguments(resource: Resource) -> frozenset[str]:
    """The arguments that an update changes, and the tags by which Karpenter and the load balancer controller find something."""
    tags = (values.get("tags") for values in (resource.before, resource.after))
    before, after = (one if isinstance(one, dict) else {} for one in tags)
    return resource.changed | {tag for tag in FINDING_TAGS if before.get(tag) != after.get(tag)}
