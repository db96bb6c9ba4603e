"""What a plan does to resources other than node pools, by a table. Plain Python."""

import re
from collections.abc import Iterator

from stacks.reports.impact.change import QUIET, Change, Class, Level
from stacks.reports.impact.plan import Action, Plan, Resource
from stacks.reports.impact.rows import NOT_KNOWN, Row, rows
from stacks.reports.impact.updates import of_update

EVERYTHING = ".*"
KEEP = "helm.sh/resource-policy: keep"
CRDS = r"\bhelm_release\.karpenter_crd(\[\d+\])?$"
BY_ACTION: dict[Action, Class] = {"create": "U", "update": "U", "forget": "U", "delete": "R", "replace": "R"}


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
        if resource.action == "update":
            yield of_update(plan, resource)
        elif resource.action in ("delete", "replace") and re.search(CRDS, resource.address):
            yield _definitions(resource)
        else:
            yield _by_row(resource, row)


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
        done = {"delete": "deleted", "replace": "replaced", "forget": "forgotten"}[resource.action]
        level = Level.ENDS if change == "R" else Level.NONE
        return Change(resource.address, level, change, f"{resource.type} is {done}. {NOT_KNOWN}")
    return Change(resource.address, row.level, change, row.words_for(resource) or QUIET)


def _definitions(resource: Resource) -> Change:
    if any(KEEP in str(text) for text in resource.before.get("values") or ()):
        return Change(
            resource.address, Level.NONE, "R", "The definitions of Karpenter's objects stay, because the release keeps them."
        )
    words = "The definitions of Karpenter's objects go, and with them every NodePool and every node of Karpenter."
    return Change(resource.address, Level.ENDS, "R", words)
