"""Read the JSON of a plan: `terraform show -json`, of this program's stacks, whatever set the variables. Plain Python.

https://developer.hashicorp.com/terraform/internals/json-format: a reader ignores unknown keys and refuses another major version.
What is kept is what the rules ask for. A plan holds secrets, so nothing here prints or stores a value of a resource.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import yaml

from stacks.knowledge.regions import REGION

Values: TypeAlias = Mapping[str, Any]
Action: TypeAlias = Literal["none", "create", "update", "replace", "delete", "forget"]

VERSION = "1"  # the major version of the format
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where PyYAML has it, is ten times as fast
KARPENTER = "helm_release.karpenter"
NUMBERS = r"v?\d+([.]\d+)+"  # a version that compares with others


class UnreadablePlanError(ValueError):
    """Why the input does not say what an apply does, and what to do."""


@dataclass(frozen=True)
class Resource:
    """A resource of a plan, and what the plan does to it."""

    address: str
    type: str
    action: Action
    before: Values
    after: Values
    unknown: Values  # what is known only after the apply
    deposed: bool = False  # an object whose replacement is there already

    @cached_property
    def changed(self) -> frozenset[str]:
        """The arguments that an update changes, or may change."""
        names = self.before.keys() | self.after.keys()
        return frozenset(
            {name for name in names if self.before.get(name) != self.after.get(name)}
            | {name for name, value in self.unknown.items() if unknown(value)}
        )

    @property
    def key(self) -> str:
        """What tells the resource from its siblings: the key of for_each, or the name."""
        found = re.search(r'\["([^"]+)"\](?:\[\d+\])?$', self.address)
        return found[1] if found else re.sub(r"\[\d+\]$", "", self.address).rpartition(".")[2]


@dataclass(frozen=True)
class KubernetesObject:
    """A NodePool or an EC2NodeClass: its spec before and after, None where the object is not there or the plan does not know it.

    An object that Terraform forgets is there after the apply as before.
    """

    name: str
    resource: Resource
    before: Values | None
    after: Values | None

    @property
    def changed_outside(self) -> bool:
        """Whether the plan sets back what was changed by hand. The plan has hashes only, and does not say what changed."""
        known = self.before is not None and self.after is not None and self.resource.action == "update"
        return known and bool(self.resource.changed & {"yaml_incluster", "live_manifest_incluster"})

    @property
    def unknown(self) -> bool:
        """Whether the plan does not know the object that it writes."""
        unread = self.before is None and self.resource.action == "update"
        return unread or (self.after is None and self.resource.action in ("create", "update", "replace"))


@dataclass(frozen=True)
class Plan:
    """What a plan changes, and what Karpenter knows before and after."""

    resources: tuple[Resource, ...]
    incomplete: str = ""
    variables: Values = field(default_factory=dict)

    @property
    def changes(self) -> Iterator[Resource]:
        """The resources that the plan changes."""
        return (resource for resource in self.resources if resource.action != "none")

    @cached_property
    def pools(self) -> dict[str, KubernetesObject]:
        """The NodePools by name, also those that do not change."""
        return self._objects("NodePool")

    @cached_property
    def classes(self) -> dict[str, KubernetesObject]:
        """The EC2NodeClasses by name."""
        return self._objects("EC2NodeClass")

    def resource(self, ending: str) -> Resource | None:
        """The resource whose address ends so, without the index."""
        return next((one for one in self.resources if re.sub(r"\[\d+\]$", "", one.address).endswith(ending)), None)

    def step(self, ending: str, argument: str) -> tuple[str, str] | None:
        """The value of an argument before and after, where a plan has the resource; the same twice where nothing changes."""
        resource = self.resource(ending)
        if resource is None:
            return None
        before = str(resource.before.get(argument) or "")
        return before, str(resource.after.get(argument) or before)

    @cached_property
    def karpenter(self) -> tuple[str, str]:
        """Karpenter's release before and after; "" where the plan does not name a release, but perhaps a build of one's own."""
        before, after = (one if re.fullmatch(NUMBERS, one) else "" for one in self.step(KARPENTER, "version") or ("", ""))
        return before, after

    @cached_property
    def kubernetes(self) -> tuple[str, str]:
        """The Kubernetes version before and after; "" where the plan does not have the cluster, which then does not change."""
        return self.step("aws_eks_cluster.this", "version") or ("", "")

    @cached_property
    def region(self) -> str:
        """The region, from the variable, an ARN or Helm's values; "" if the plan has none."""
        given = str((self.variables.get("region") or {}).get("value") or "")
        if re.fullmatch(REGION, given):  # printed, so not anything
            return given
        values = (value for one in self.resources for value in (*one.before.values(), *one.after.values()))
        texts = (str(text) for value in values for text in (value if isinstance(value, list) else [value]))
        found = (
            re.search(rf"arn:aws[\w-]*:(?!iam)\w+:(?P<arn>{REGION}):|(?m:^region: (?P<helm>{REGION})$)", text) for text in texts
        )
        return next((match["arn"] or match["helm"] for match in found if match), "")

    def _objects(self, kind: str) -> dict[str, KubernetesObject]:
        found = {}
        for resource in self.resources:
            if resource.type != "kubectl_manifest":
                continue
            later = resource.before if resource.action == "forget" else resource.after
            before, after = (manifest(values) for values in (resource.before, later))
            one = before or after
            if one is not None and one.get("kind") == kind:
                name = one["metadata"]["name"]
                key = resource.address if name in found else name  # Terraform may move an object to another address
                found[key] = KubernetesObject(name, resource, _spec(before), _spec(after))
        return found


def read(text: str | bytes, *, partial: str = "") -> Plan:
    """The plan in a text.

    Args:
        text: what `terraform show -json` writes; as bytes in UTF-8, or in UTF-16, which PowerShell writes.
        partial: an argument such as -refresh=false with which Terraform planned, and which the JSON does not show.

    Raises:
        UnreadablePlanError: the text is not the JSON of a plan, or of one that did not succeed.
    """
    how = "Write one with: terraform show -json PLANFILE"
    got = "a saved plan itself" if text[:2] in ("PK", b"PK") else "something else" if text.strip() else "nothing"  # a plan is a zip
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadablePlanError(f"The input must be the JSON of a plan (got {got}). {how}") from None
    if not isinstance(document, dict) or not isinstance(version := document.get("format_version"), str) or not _is_plan(document):
        raise UnreadablePlanError(f"The input must be the JSON of a plan (got other JSON). {how}")
    if version.partition(".")[0] != VERSION:
        raise UnreadablePlanError(
            f"format_version must be {VERSION}.x, the format that this program knows (got {version}). Use a newer release of this "
            "program."
        )
    if document.get("errored"):
        raise UnreadablePlanError("The plan must have succeeded (got one that failed). Read what Terraform says, and plan again.")
    resources = tuple(one for change in document.get("resource_changes") or () for one in _resources(change))
    why = f"because of {partial}" if partial else ""
    if document.get("complete") is False:  # Terraform before 1.8 does not say
        why = "because Terraform defers changes" if document.get("deferred_changes") else "as with -target"
    incomplete = f"The plan is incomplete, {why}: an apply may leave or miss changes that are not here." if why else ""
    return Plan(resources, incomplete, document.get("variables") or {})


def _is_plan(document: Values) -> bool:
    """Whether JSON of Terraform is that of a plan, and not that of a state."""
    changes = document.get("resource_changes", [] if "planned_values" in document else None)
    return isinstance(changes, list) and all(
        isinstance(one, dict)
        and {"address", "type", "change"} <= one.keys()
        and isinstance(one["change"], dict)
        and isinstance(one["change"].get("actions"), list)
        for one in changes
    )


def _resources(change: Values) -> Iterator[Resource]:
    """What a plan does to a resource.

    With `destroy = false`, from Terraform 1.16 on, a replacement creates a new object and forgets the old object, which stays. An
    object of Kubernetes with the same name is there already, and the creation writes to it.
    """
    what = change["change"]
    made = Resource(
        address=change["address"],
        type=change["type"],
        action="none" if change.get("mode") == "data" else _action(what["actions"]),
        before=what.get("before") or {},
        after=what.get("after") or {},
        unknown=what.get("after_unknown") or {},
        deposed="deposed" in change,
    )
    if what["actions"] != ["create", "forget"]:
        yield made
    elif (old := manifest(made.before)) and (new := manifest(made.after)) and _identity(old) == _identity(new):
        given = {name: value for name, value in made.before.items() if name in made.after}
        yield replace(made, action="update", before=given, unknown={})
    else:
        yield replace(made, action="forget", after={}, unknown={})
        yield replace(made, action="create", before={})


def _identity(found: Values) -> tuple[object, ...]:
    return found.get("kind"), found["metadata"].get("name"), found["metadata"].get("namespace")


def _action(actions: list[str]) -> Action:
    match actions:
        case ["create"] | ["update"] | ["delete"] | ["forget"]:
            action: Action = actions[0]  # type: ignore[assignment]  # mypy does not narrow the elements of a list
            return action
        case ["delete", "create"] | ["create", "delete"]:
            return "replace"
        case _:
            return "none"  # no-op, read, open, renew, close


def unknown(value: object) -> bool:
    """Whether something in a value is known only after the apply."""
    if isinstance(value, Mapping):
        return any(map(unknown, value.values()))
    return any(map(unknown, value)) if isinstance(value, list) else value is True


def manifest(values: Values) -> Values | None:
    """The manifest of a kubectl_manifest. Both arguments hold the same text, and Terraform marks only `yaml_body` as sensitive."""
    texts = (values.get("yaml_body_parsed"), values.get("yaml_body"))
    return next((found for text in texts if isinstance(text, str) and (found := _parsed(text))), None)


@lru_cache(maxsize=256)  # most objects of a plan are the same before and after
def _parsed(text: str) -> Values | None:
    try:
        found = yaml.load(text, LOADER)  # noqa: S506  (a safe loader)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("metadata"), dict) else None


def _spec(found: Values | None) -> Values | None:
    return None if found is None else found.get("spec") or {}
