"""Which fields of node pools and node classes make Karpenter replace nodes. Plain Python.

A node drifts by a hash of its NodePool's template or of its EC2NodeClass, or because the node no longer fits what both select.
Hashes take lists as sets, and leave out zero values: Hash in pkg/apis/v1/nodepool.go of kubernetes-sigs/karpenter, and in
pkg/apis/v1/ec2nodeclass.go and pkg/cloudprovider/drift.go of aws/karpenter-provider-aws, v1.6.0 to v1.14.1.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from stacks.config.times import seconds
from stacks.knowledge.versions import parts
from stacks.reports.impact.plan import KARPENTER, KubernetesObject, Plan, Values
from stacks.reports.impact.requirements import ALL, narrowed

# What the template of a NodePool hashes. `requirements` are compared with each node instead.
TEMPLATE = {
    "labels": "labels",
    "annotations": "annotations",
    "taints": "taints",
    "startupTaints": "startup taints",
    "nodeClassRef": "node class",
    "expireAfter": "expiry",
    "terminationGracePeriod": "grace period",
}
DISRUPTION = {"budgets": "budgets", "consolidationPolicy": "consolidation policy", "consolidateAfter": "time before empty nodes go"}
# The fields of a NodePool that the rules know, by the fields that hold them.
KNOWN: dict[str, Any] = {
    "template": {"metadata": dict.fromkeys(("labels", "annotations")), "spec": dict.fromkeys((*TEMPLATE, "requirements"))},
    "disruption": dict.fromkeys(DISRUPTION),
    **dict.fromkeys(("limits", "replicas", "weight")),
}
# What an EC2NodeClass does not hash, because Karpenter compares what each node has with what the class selects.
SELECTED = {
    "amiSelectorTerms": "image",
    "amiFamily": "image",
    "subnetSelectorTerms": "subnets",
    "securityGroupSelectorTerms": "security groups",
    "capacityReservationSelectorTerms": "capacity reservations",
    "ipPrefixCount": "address prefixes",
}
HASHED = {
    "userData": "user data",
    "tags": "tags",
    "blockDeviceMappings": "volumes",
    "instanceStorePolicy": "instance store",
    "metadataOptions": "metadata options",
    "role": "role",
    "instanceProfile": "instance profile",
    "kubelet": "kubelet settings",
    "detailedMonitoring": "monitoring",
    "associatePublicIPAddress": "public addresses",
    "networkInterfaces": "network interfaces",
    "placementGroupSelector": "placement group",
}
# The CRDs' defaults. What is equal to a default and what is missing hash alike.
DEFAULTS: dict[str, Any] = {
    "expireAfter": "720h",
    "metadataOptions": {
        "httpEndpoint": "enabled",
        "httpProtocolIPv6": "disabled",
        "httpPutResponseHopLimit": 1,
        "httpTokens": "required",
    },
}
DURATIONS = ("expireAfter", "terminationGracePeriod")

NO_CLASS = (
    "The plan does not have the node class {}. If the cluster does not have the class either, Karpenter launches no replacement."
)
NOTHING_FOUND = "If the terms find nothing, no node drifts, and Karpenter launches none."

HASHES_ANEW = "1.12"  # the hash version of classes goes from v4 to v5; measured with 1.6.0 and 1.12.2
CHANGES_ROLES = "1.7"  # the CRDs of earlier releases refuse another role; measured


@dataclass(frozen=True)
class Drift:
    """A reason why nodes of a pool drift.

    Attributes:
        nodes: which nodes, in words; `ALL` for all.
        why: what changes, in words; "" where `nodes` says it.
        early: whether that changes before the pool does, and so while the old budgets apply.
        unless: what would happen instead, as a sentence.
    """

    nodes: str
    why: str = ""
    early: bool = True
    unless: str = ""


def drifts(plan: Plan, pool: KubernetesObject) -> Iterator[Drift]:
    """Why nodes of a pool drift that is there before and after."""
    before, after = template(pool.before or {}), template(pool.after or {})
    node_class, other_class = class_of(plan, pool), class_name(pool.after)
    for field, words in TEMPLATE.items():
        if _hashed(field, before.get(field)) != _hashed(field, after.get(field)):
            absent = field == "nodeClassRef" and not node_class
            yield Drift(ALL, words, early=False, unless=NO_CLASS.format(other_class) if absent else "")
    labels = before.get("labels") or {}  # running nodes have them
    own = [{"key": key, "operator": "In", "values": [value]} for key, value in labels.items()]
    for nodes in narrowed((*own, *(before.get("requirements") or ())), after.get("requirements") or ()):
        yield Drift(nodes, early=False)
    if node_class and refused_role(plan, node_class):
        return  # the apply fails there, and says so
    if node_class and node_class.before is not None and node_class.after is not None and node_class.resource.action == "update":
        yield from _of_class(plan, node_class.before, node_class.after)
    old, new = plan.kubernetes
    if old != new and node_class and not pins_images(node_class.after or node_class.before or {}):
        yield Drift(ALL, f"the image for Kubernetes {new}")
    if ca_changes(plan):
        yield Drift(ALL, "the cluster's CA bundle")


def swallowed(plan: Plan, pool: KubernetesObject) -> list[str]:
    """What changes of the pool's class without a drift, because the same apply brings Karpenter past 1.12, or perhaps back.

    Terraform changes the class before the new Karpenter leads, which then writes the hash of the new class on old nodes.
    """
    node_class = class_of(plan, pool)
    if not hashes_anew(plan) or not node_class or node_class.before is None or node_class.after is None:
        return []
    return list(_hashed_fields(node_class.before, node_class.after))


def refused_role(plan: Plan, node_class: KubernetesObject) -> bool:
    """Whether Kubernetes refuses another role of a class."""
    release = plan.karpenter[1]
    before, after = node_class.before, node_class.after
    changes = before is not None and after is not None and before.get("role") != after.get("role")
    return changes and node_class.resource.action == "update" and bool(release) and parts(release) < parts(CHANGES_ROLES)


def crosses(plan: Plan, release: str) -> bool:
    """Whether the plan brings Karpenter from before a release to that release or past it."""
    before, after = plan.karpenter
    return bool(before and after) and parts(before) < parts(release) <= parts(after)


def hashes_anew(plan: Plan) -> bool:
    """Whether the plan brings Karpenter past 1.12 or back, so that Karpenter writes the hashes of all nodes anew."""
    before, after = plan.karpenter
    return bool(before and after) and (parts(before) < parts(HASHES_ANEW)) != (parts(after) < parts(HASHES_ANEW))


def not_known(before: Values, after: Values, known: Values = KNOWN, path: str = "spec") -> Iterator[str]:
    """The fields of a NodePool that change and that the rules do not know, such as `spec.template.spec.resources`."""
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if key not in known:
            if not same({key: old}, {key: new}):
                yield f"{path}.{key}"
        elif known[key]:
            yield from not_known(old or {}, new or {}, known[key], f"{path}.{key}")


def ca_changes(plan: Plan) -> bool:
    """Whether Karpenter gets another CA bundle, which is part of the hash from 1.12 on (aws/karpenter-provider-aws#9485)."""
    release = plan.resource(KARPENTER)
    versions = plan.karpenter
    if not release or "values" not in release.changed or any(not one or parts(one) < parts(HASHES_ANEW) for one in versions):
        return False
    before, after = ((helm_values(one).get("settings") or {}).get("clusterCABundle") for one in (release.before, release.after))
    return bool(before and after) and before != after


def class_of(plan: Plan, pool: KubernetesObject) -> KubernetesObject | None:
    """The node class of a pool."""
    return plan.classes.get(class_name(pool.after or pool.before))


def class_name(spec: Values | None) -> str:
    """The name of the node class that a NodePool refers to; "" for none."""
    return str((template(spec or {}).get("nodeClassRef") or {}).get("name", ""))


def template(spec: Values) -> dict[str, Any]:
    """The template of a NodePool, with the labels and annotations beside the rest."""
    made = spec.get("template") or {}
    return {**(made.get("metadata") or {}), **(made.get("spec") or {})}


def pins_images(spec: Values) -> bool:
    """Whether a class selects images that do not follow the Kubernetes version."""
    terms = spec.get("amiSelectorTerms") or ()
    return bool(terms) and all("id" in term for term in terms)


def reservations_added(node_class: KubernetesObject) -> list[str]:
    """The terms for capacity reservations that a class gets."""
    old, new = ((spec or {}).get("capacityReservationSelectorTerms") or [] for spec in (node_class.before, node_class.after))
    return [_term(term) for term in new if term not in old] if node_class.resource.action == "update" else []


# Maps of a user's own keys, in which an empty value counts.
DATA = ("labels", "annotations", "tags")


def same(one: object, other: object) -> bool:
    """Whether two specs say the same to Karpenter."""
    return _normal(one) == _normal(other)


def _of_class(plan: Plan, before: Values, after: Values) -> Iterator[Drift]:
    if not hashes_anew(plan):
        for words in _hashed_fields(before, after):
            yield Drift(ALL, words)
    for field, words in SELECTED.items():
        old, new = (_terms(spec.get(field)) for spec in (before, after))
        if old == new or field == "ipPrefixCount":
            continue
        if field == "amiFamily" or _families(before) != _families(after):
            yield Drift(ALL, "image family")
        elif field == "amiSelectorTerms":
            alias = next((term["alias"] for term in after.get("amiSelectorTerms") or () if "alias" in term), "")
            yield Drift(
                f"nodes with another image than {alias}" if alias else f"nodes with another image than the {words} selected"
            )
        elif field == "subnetSelectorTerms":
            yield Drift("nodes outside the subnets that the new terms find", unless=NOTHING_FOUND)
        elif field == "securityGroupSelectorTerms":
            yield Drift("nodes with other security groups than the new terms find", unless=NOTHING_FOUND)
        elif gone := [term for term in old if term and term not in new]:
            yield Drift(f"nodes in a capacity reservation that only the removed {' and '.join(map(_term, gone))} selects")


def _families(spec: Values) -> set[str]:
    """The families of images that aliases name; part of the hash."""
    return {str(term["alias"]).partition("@")[0] for term in spec.get("amiSelectorTerms") or () if "alias" in term}


def changed_fields(node_class: KubernetesObject) -> list[str]:
    """What makes nodes of a class drift, in words."""
    before, after = node_class.before or {}, node_class.after or {}
    selected = (words for field, words in SELECTED.items() if not same(before.get(field), after.get(field)))
    return list(dict.fromkeys([*_hashed_fields(before, after), *selected]))


def _hashed_fields(before: Values, after: Values) -> Iterator[str]:
    for field in dict.fromkeys((*HASHED, *before, *after)):
        if field not in SELECTED and _hashed(field, before.get(field)) != _hashed(field, after.get(field)):
            yield HASHED.get(field, field)


def _hashed(field: str, value: Any) -> object:
    if field in DATA:
        return value or {}
    value = DEFAULTS.get(field) if value in (None, "", [], {}) else value
    if field in DEFAULTS and isinstance(value, Mapping):
        value = {**DEFAULTS[field], **value}
    return seconds(value) if field in DURATIONS and isinstance(value, str) and value != "Never" else _normal(value)


def _normal(value: Any) -> object:
    """A value as Karpenter hashes it: lists as sets, without what is zero."""
    if isinstance(value, Mapping):
        kept = {key: one if key in DATA else _normal(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one not in (None, "", 0, False, [], {})}
    if isinstance(value, list):
        return sorted({json.dumps(_normal(one), sort_keys=True) for one in value})
    return value


def _terms(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _term(term: Mapping[str, Any]) -> str:
    tags = ", ".join(f"{key}={value}" for key, value in (term.get("tags") or {}).items())
    return str(term.get("id") or tags or term.get("instanceMatchCriteria"))


def helm_values(values: Values) -> dict[str, Any]:
    """The values of a Helm release, from all of its texts."""
    merged: dict[str, Any] = {}
    for text in _texts(values.get("values")):
        try:
            given = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        merged |= given if isinstance(given, dict) else {}
    return merged


def _texts(values: object) -> Sequence[str]:
    return [text for text in values if isinstance(text, str)] if isinstance(values, list) else []
