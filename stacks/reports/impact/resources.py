"""What a plan does to resources other than node pools, by a table. Plain Python."""

import re
from collections.abc import Iterator, Mapping
from csv import DictReader
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import yaml

from stacks.knowledge.versions import parts
from stacks.reports.impact.change import QUIET, Change, Class, Level
from stacks.reports.impact.drift import HASHES_ANEW, crosses
from stacks.reports.impact.plan import KARPENTER, LOADER, Action, Plan, Resource, unknown

EVERYTHING = ".*"
KEEP = "helm.sh/resource-policy: keep"
CRDS = "helm_release.karpenter_crd"
RELEASE = r"v?\d[\w.+-]*"  # a version that is safe to print
SIGNS = "-~"
OFF: tuple[object, ...] = (None, "", False, "false", "DISABLED", [], {})  # and 0, which is equal to False
BY_ACTION: dict[Action, Class] = {"create": "U", "update": "U", "forget": "U", "delete": "R", "replace": "R"}


@dataclass(frozen=True)
class Row:
    """A row of resources.csv; no words for what concerns nothing that runs."""

    address: re.Pattern[str]
    actions: tuple[str, ...]
    fields: tuple[str, ...]
    level: Level
    swallows: str
    words: str

    def fits(self, resource: Resource) -> bool:
        """Whether the row is about this change of a resource, if one of the row's fields changes."""
        return resource.action in self.actions and bool(self.address.search(resource.address))

    def has(self, path: str) -> bool:
        """Whether the row is about a field that changes."""
        return not self.fields or any(_is_in(path, field) for field in self.fields)


@cache
def rows() -> tuple[Row, ...]:
    """The table."""
    with Path(__file__).with_name("resources.csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            Row(
                re.compile(row["address"]),
                tuple(row["action"].split()),
                tuple(row["fields"].split()),
                Level[row["level"].upper()],
                row["swallows"],
                row["words"],
            )
            for row in DictReader(file)
            if not row["address"].startswith("#")
        )


@dataclass(frozen=True)
class Found:
    """The rows about a resource, by their place in the table, and the arguments that no row is about."""

    resource: Resource
    rows: Mapping[int, Row]
    unknown: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """The place of the first row."""
        return min(self.rows, default=len(rows()))


def of_resources(plan: Plan) -> Iterator[Change]:
    """What happens to each resource, but for node pools and classes. What a worse change brings along is left out."""
    ours = {one.resource.address for one in (*plan.pools.values(), *plan.classes.values())}
    for resource in plan.changes:
        if resource.deposed and any(row.fits(resource) and not row.words for row in rows()):
            yield Change(resource.address, Level.NONE, "R", QUIET)
        elif resource.deposed:
            words = "What an earlier apply replaced goes, with whatever still runs on it. Its replacement stays."
            yield Change(resource.address, Level.ENDS, "R", words)
    found = [_found(plan, resource) for resource in plan.changes if not resource.deposed]
    swallowing = [(one.resource, place, row) for one in found for place, row in one.rows.items() if row.swallows]
    for one in found:
        above = ((worse, row) for worse, place, row in swallowing if place < one.rank)
        if one.resource.address not in ours and not any(_swallows(worse, row, one.resource) for worse, row in above):
            yield _special(one.resource) or _change(plan, one)


def swallows_all(plan: Plan) -> bool:
    """Whether a whole network or cluster goes, and with it everything else that the plan names."""
    return any(row.fits(one) for one in plan.changes if not one.deposed for row in rows() if row.swallows == EVERYTHING)


def _swallows(worse: Resource, row: Row, resource: Resource) -> bool:
    """Whether a worse change says what there is to say about a resource."""
    return bool(re.search(row.swallows.replace("{key}", re.escape(worse.key)), resource.address))


def _found(plan: Plan, resource: Resource) -> Found:
    fit = {place: row for place, row in enumerate(rows()) if row.fits(resource)}
    if resource.action != "update":
        return Found(resource, dict(list(fit.items())[:1]))
    places: dict[str, int | None] = {}
    for path in paths(resource):
        if path == "~addon_version" and plan.kubernetes[0] == plan.kubernetes[1]:
            continue  # every change of the cluster makes the version unknown
        places[path] = next((place for place, row in fit.items() if row.has(path)), None)
    named = {place: fit[place] for place in sorted(place for place in places.values() if place is not None)}
    unknown = {path.lstrip(SIGNS).partition(".")[0] for path, place in places.items() if place is None}
    return Found(resource, named, tuple(sorted(unknown)))


def _change(plan: Plan, found: Found) -> Change:
    """What the table says about a resource, and which fields the table does not know."""
    resource, said = found.resource, list(dict.fromkeys(filter(None, (_words(plan, found, row) for row in found.rows.values()))))
    level = max((row.level for row in found.rows.values()), default=Level.NONE)
    change = BY_ACTION[resource.action]
    if resource.action == "update" and level >= Level.RESTARTS and _without_index(resource).endswith(KARPENTER):
        said.insert(0, _karpenter(plan))
    unread = not resource.changed if resource.action == "update" else not found.rows and resource.action != "create"
    if found.unknown or unread:
        level = max(level, Level.ENDS if change == "R" else Level.NONE)
        done = {"delete": "deleted", "replace": "replaced", "update": "updated", "forget": "forgotten"}[resource.action]
        fields = f" ({', '.join(found.unknown)})" if found.unknown else ""
        said.append(f"{resource.type} is {done}{fields}. What that means for running jobs is not known.")
    drifts = change == "U" and level in (Level.DEFERRED, Level.REPLACES)
    return Change(resource.address, level, "D" if drifts else change, " ".join(said) or QUIET)


def _words(plan: Plan, found: Found, row: Row) -> str:
    resource = found.resource
    shown = {"key": resource.key, "before": "", "after": "", "kubernetes": ""}
    if "{before}" in row.words and "addon_version" in resource.changed:
        for when, values in (("before", resource.before), ("after", resource.after)):
            version = str(values.get("addon_version") or "")
            shown[when] = version if re.fullmatch(RELEASE, version) else "not known"
    if "{kubernetes}" in row.words:
        shown["kubernetes"] = _kubernetes(plan)
    return row.words.format_map(shown).replace(" ( to )", "")


def _special(resource: Resource) -> Change | None:
    """What a row cannot say, because it depends on a value."""
    gone = resource.action in ("delete", "replace")
    return _definitions(resource) if gone and _without_index(resource).endswith(CRDS) else None


def _without_index(resource: Resource) -> str:
    return re.sub(r"\[\d+\]$", "", resource.address)


def paths(resource: Resource) -> tuple[str, ...]:
    """The fields that an update changes: an argument, or the path of what differs in a block, in a map or in Helm's values.

    A sign comes before what goes or is switched off (-), and before what is not known (~).
    """
    found = set()
    for name in resource.changed:
        if name in resource.unknown and unknown(resource.unknown[name]):
            found.add(f"~{name}")
        else:
            found.update(_paths(name, resource.before.get(name), resource.after.get(name)))
    return tuple(sorted(found))


def _paths(name: str, before: object, after: object) -> Iterator[str]:
    old, new = _opened(before), _opened(after)
    if isinstance(old, Mapping) and (isinstance(new, Mapping) or not new):
        new = new or {}
    elif isinstance(new, Mapping) and not old:
        old = {}
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        yield f"-{name}" if new in OFF else name
        return
    for key in old.keys() | new.keys():
        if old.get(key) != new.get(key):
            yield from _paths(f"{name}.{key}", old.get(key), new.get(key))


def _opened(value: object) -> object:
    """What a list of one has, a block or YAML, as a map. Helm merges several texts, so they stay apart here."""
    if not isinstance(value, list) or len(value) != 1:
        return value
    try:
        made = yaml.load(value[0], LOADER) if isinstance(value[0], str) else value[0]  # noqa: S506  (a safe loader)
    except yaml.YAMLError:
        return value
    return made if isinstance(made, Mapping) else value


def _is_in(path: str, field: str) -> bool:
    """Whether a path is a field of a row, or below that field. A field with a sign is only what has the sign."""
    if field[0] not in SIGNS:
        path = path.lstrip(SIGNS)
    return path == field or fnmatchcase(path, field) or path.startswith(f"{field}.")


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
    elsewhere = "" if plan.pools else f" The plan has no node pools: their nodes may drift, to the image for {new}."
    if parts(new) < parts(old):
        return f"The control plane goes back from Kubernetes {old} to {new}, which EKS allows for seven days after an upgrade."
    return (
        f"The control plane goes from Kubernetes {old} to {new}. EKS can roll that back for seven days at most, and by one "
        f"version. The API stays reachable, and pods run on.{elsewhere}"
    )
