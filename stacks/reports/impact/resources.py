"""What a plan does to resources other than node pools, by a table. Plain Python."""

import re
from collections.abc import Iterator
from csv import DictReader
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stacks.knowledge.versions import parts
from stacks.reports.impact.change import QUIET, Change, Class, Level
from stacks.reports.impact.drift import HASHES_ANEW, crosses
from stacks.reports.impact.plan import KARPENTER, Action, Plan, Resource

EVERYTHING = ".*"
KEEP = "helm.sh/resource-policy: keep"
CRDS = "helm_release.karpenter_crd"
BY_ACTION: dict[Action, Class] = {"create": "U", "update": "U", "forget": "U", "delete": "R", "replace": "R"}


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
        fields = not self.fields or bool(self.fields & resource.changed)
        return resource.action in self.actions and fields and bool(self.address.search(resource.address))


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


def of_resources(plan: Plan) -> Iterator[Change]:
    """What happens to each resource, but for node pools and classes. What a worse change brings along is left out."""
    ours = {one.resource.address for one in (*plan.pools.values(), *plan.classes.values())}
    living = [resource for resource in plan.changes if not resource.deposed]
    for resource in plan.changes:
        if resource.deposed:
            words = "What an earlier apply replaced goes, with whatever still runs on it. Its replacement stays."
            yield Change(resource.address, Level.ENDS, "R", words)
    found = [(resource, next((row for row in rows() if row.fits(resource)), None)) for resource in living]
    rank = {id(row): number for number, row in enumerate(rows())}
    for resource, row in found:
        above = ((one, other) for one, other in found if other and (row is None or rank[id(other)] < rank[id(row)]))
        if resource.address in ours or any(_swallows(one, other, resource) for one, other in above):
            continue
        if change := _special(plan, resource) or _by_row(resource, row):
            yield change


def swallows_all(plan: Plan) -> bool:
    """Whether a whole network or cluster goes, and with it everything else that the plan names."""
    return any(row.fits(one) for one in plan.changes if not one.deposed for row in rows() if row.swallows == EVERYTHING)


def _swallows(worse: Resource, row: Row, resource: Resource) -> bool:
    """Whether a worse change says what there is to say about a resource."""
    return bool(row.swallows) and bool(re.search(row.swallows.replace("{key}", re.escape(worse.key)), resource.address))


def _by_row(resource: Resource, row: Row | None) -> Change:
    if resource.action == "create" and row is None:
        return Change(resource.address, Level.NONE, "U", QUIET)
    change = BY_ACTION[resource.action]
    if row is None:
        done = {"delete": "deleted", "replace": "replaced", "update": "updated", "forget": "forgotten"}[resource.action]
        level = Level.ENDS if change == "R" else Level.NONE
        return Change(resource.address, level, change, f"{resource.type} is {done}. What that means for running jobs is not known.")
    field = next(iter(sorted(row.fields & resource.changed)), "")
    before, after = (str(values.get(field) or "not known") for values in (resource.before, resource.after))
    shown = {"key": resource.key, "before": before, "after": after} if field == "addon_version" else {"key": resource.key}
    words = row.words.format_map({"before": "", "after": "", **shown}).replace(" ( to )", "")
    return Change(resource.address, row.level, change, words or QUIET)


def _special(plan: Plan, resource: Resource) -> Change | None:
    """What a row cannot say, because it depends on versions or on other resources."""
    address = re.sub(r"\[\d+\]$", "", resource.address)
    if resource.action == "update" and address.endswith(KARPENTER) and resource.changed & {"version", "values", "set"}:
        return Change(resource.address, Level.RESTARTS, "U", _karpenter(plan))
    if resource.action in ("delete", "replace") and address.endswith(CRDS):
        return _definitions(resource)
    if resource.action == "update" and resource.type == "aws_eks_cluster" and "version" in resource.changed:
        return Change(resource.address, Level.RESTARTS, "U", _kubernetes(plan))
    if resource.action == "update" and resource.type == "aws_eks_addon" and "addon_version" in resource.unknown:
        old, new = plan.kubernetes
        if old == new:  # every change of the cluster makes the version unknown
            return Change(resource.address, Level.NONE, "U", QUIET)
        words = "The add-on follows the Kubernetes version and rolls, if there is another version. Running pods keep their network."
        return Change(resource.address, Level.RESTARTS, "U", words)
    return None


def _karpenter(plan: Plan) -> str:
    old, new = plan.karpenter
    rest = "For about half a minute no node is launched or removed. Running pods stay."
    if not old or not new or old == new:
        return f"Karpenter restarts with other settings. {rest}"
    if parts(new) < parts(old):
        return (
            f"Karpenter goes back from {old} to {new}. {rest} What the older release makes of the newer one's objects is not known."
        )
    anew = " Karpenter writes the hashes of all nodes anew, and no node drifts by that." if crosses(plan, HASHES_ANEW) else ""
    return f"Karpenter {old} to {new}. {rest}{anew}"


def _definitions(resource: Resource) -> Change:
    if any(KEEP in str(text) for text in resource.before.get("values") or ()):
        return Change(
            resource.address, Level.NONE, "R", "The definitions of Karpenter's objects stay, because the release keeps them."
        )
    words = "The definitions of Karpenter's objects go, and with them every NodePool and every node of Karpenter."
    return Change(resource.address, Level.ENDS, "R", words)


def _kubernetes(plan: Plan) -> str:
    old, new = plan.kubernetes
    if parts(new) < parts(old):
        return f"The control plane goes back from Kubernetes {old} to {new}, which EKS allows for seven days after an upgrade."
    return (
        f"The control plane goes from Kubernetes {old} to {new}. EKS can roll that back for seven days at most, and by one "
        "version. The API stays reachable, and pods run on."
    )
