"""What Karpenter makes of a NodePool that the API server has accepted, from Karpenter's source and not from `stacks`.

Each rule names its file: KC is kubernetes-sigs/karpenter, KA is aws/karpenter-provider-aws, both at v1.6.0 and v1.14.1. Where the
two tags differ, the rule is the stricter.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.synthesis import Json

INT32, INT64 = 2**31 - 1, 2**63 - 1
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)

# pkg/apis/v1/labels.go of KC and of KA: RestrictedLabelDomains, LabelDomainExceptions, RestrictedLabels, WellKnownLabels (those of
# the domain karpenter.k8s.aws by their prefix).
RESTRICTED = ("kubernetes.io", "k8s.io", "karpenter.sh", "karpenter.k8s.aws")
EXCEPTIONS = ("kops.k8s.io", "node.kubernetes.io", "node-restriction.kubernetes.io")
WELL_KNOWN = {
    "karpenter.sh/nodepool",
    "karpenter.sh/capacity-type",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "node.kubernetes.io/windows-build",
    "topology.k8s.aws/zone-id",
}

# KC pkg/apis/v1/taints.go; KnownEphemeralTaints and KnownEphemeralTaintKeyPrefixes in pkg/scheduling/taints.go.
TRANSIENT_TAINTS = {
    "karpenter.sh/disrupted",
    "karpenter.sh/unregistered",
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.cloudprovider.kubernetes.io/uninitialized",
}
TRANSIENT_PREFIX = "readiness.k8s.io/"

REGISTRATION = 15 * 60 * 10**9  # KC pkg/controllers/nodeclaim/lifecycle/liveness.go: registrationTTL, later registrationTimeout


def refusals(pool: Json) -> list[str]:
    """What Karpenter refuses or misreads, each with its field."""
    spec = pool["spec"]
    node, disruption = spec["template"]["spec"], spec["disruption"]
    labels = spec["template"].get("metadata", {}).get("labels", {})
    return [
        *_life(node, disruption),
        *(["budgets: more than 50"] if len(disruption.get("budgets", [])) > 50 else []),  # the CRD: maxItems
        *(text for budget in disruption.get("budgets", []) for text in _budget(budget)),
        *_taints(node.get("taints", [])),
        *_labels(labels, {requirement["key"] for requirement in node["requirements"]}),
        *_requirements(node["requirements"]),
        # KC pkg/apis/v1/nodepool.go: Limits is a ResourceList; the CRD's type is an integer or a string.
        *_static(spec),
        *(f"limits.{name}" for name, limit in spec.get("limits", {}).items() if not 0 < limit <= INT64),
        *(["weight"] if not 0 < spec.get("weight", 1) <= INT32 else []),
    ]


def _life(node: Json, disruption: Json) -> Iterator[str]:
    """KC pkg/apis/v1/duration.go: NillableDuration; pkg/controllers/nodeclaim/expiration/controller.go."""
    durations = {"expireAfter": node.get("expireAfter", "720h"), "consolidateAfter": disruption["consolidateAfter"]}
    for name, text in durations.items():
        if text != "Never" and parse_duration(text) is None:
            yield f"{name}: invalid duration, and no NodePool can be listed"
    if parse_duration(node.get("terminationGracePeriod", "0s")) is None:  # a metav1.Duration, without Never
        yield "terminationGracePeriod: invalid duration, and no NodePool can be listed"
    expires = parse_duration(node.get("expireAfter", "720h"))
    if expires is not None and expires < REGISTRATION:
        yield "expireAfter: machines expire before they are nodes"


def _static(spec: Json) -> Iterator[str]:
    """KC pkg/controllers/static/provisioning/controller.go."""
    if "replicas" in spec and spec["limits"]["nodes"] < spec["replicas"]:
        yield "replicas: the node limit ends the launches before"


def parse_duration(text: str) -> int | None:
    """time.ParseDuration of Go for whole numbers: nanoseconds, or None."""
    if not re.fullmatch("([0-9]+[smh])+", text):
        return None
    total = 0
    for part in re.findall("[0-9]+[smh]", text):
        digits = part[:-1].lstrip("0") or "0"
        if len(digits) > 19:
            return None
        total += int(digits) * {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}[part[-1]]
    return total if total <= INT64 else None


def _budget(budget: Json) -> Iterator[str]:
    """KC pkg/apis/v1/nodepool.go: GetAllowedDisruptions, GetIntStrFromValue, IsActive."""
    nodes = budget["nodes"]
    if not re.fullmatch("((100|[0-9]{1,2})%|[0-9]+)", nodes):
        yield "budgets.nodes: the CRD's pattern"
    elif not nodes.endswith("%") and int(nodes) > INT32:
        yield "budgets.nodes: overflows int32"
    if "schedule" not in budget:
        return
    length = parse_duration(budget["duration"])
    if length is None:
        yield "budgets.duration: invalid duration, and no NodePool can be listed"
    elif length == 0:
        yield "budgets.duration: the next hit is always later than now, so that the budget is never active"
    if (fields := parse_standard(budget["schedule"])) is None:
        yield "budgets.schedule: invalid cron, so that all budgets of the pool are 0"
    elif not comes(fields):
        yield "budgets.schedule: Next returns the zero time, which is before now, so that the budget is always active"


# robfig/cron v3.0.1 (go.mod of KC), parser.go and spec.go. A field is a set of bits, with a star bit.
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number + 1 for number, name in enumerate(MONTHS)},
    {name: number for number, name in enumerate(WEEKDAYS)},
)
HOURLY = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
STAR = 63
Fields = list[set[int]]


def parse_standard(spec: str) -> Fields | None:
    """ParseStandard, as IsActive calls it: behind `TZ=UTC `."""
    spec = spec.strip()
    if spec.startswith("@"):
        every_day = [{0}, {0}, {*range(1, 32), STAR}, {*range(1, 13), STAR}, {*range(7), STAR}]
        return every_day if spec in HOURLY else None
    fields = spec.split()
    if len(fields) != len(BOUNDS):
        return None
    found = [_get_field(text, *bounds, names) for text, bounds, names in zip(fields, BOUNDS, NAMES, strict=True)]
    return [bits for bits in found if bits is not None] if None not in found else None


def _get_field(field: str, low: int, high: int, names: Mapping[str, int]) -> set[int] | None:
    bits: set[int] = set()
    for part in filter(None, field.split(",")):
        found = _get_range(part, low, high, names)
        if found is None:
            return None
        bits |= found
    return bits


def _get_range(text: str, low: int, high: int, names: Mapping[str, int]) -> set[int] | None:
    ends, *steps = text.split("/")
    first, *rest = ends.split("-")
    star = first in ("*", "?")
    start = low if star else _number(first, names)
    if start is None or len(steps) > 1 or (not star and len(rest) > 1):
        return None
    end = high if star else _number(rest[0], names) if rest else start
    step = 1
    if steps:
        number = _number(steps[0], {})
        if number is None:
            return None
        step = number
        if not rest:
            end = high
    if end is None or start < low or end > high or start > end or step == 0:
        return None
    return {*range(start, end + 1, step), *([STAR] if star and step == 1 else [])}


def _number(text: str, names: Mapping[str, int]) -> int | None:
    if text.lower() in names:
        return names[text.lower()]
    return int(text) if re.fullmatch(r"\+?[0-9]{1,18}", text) else None


def comes(fields: Fields) -> bool:
    """Whether Next finds a day within five years; every day has the hours and minutes."""
    minutes, hours, days, months, weekdays = fields
    either = not (STAR in days or STAR in weekdays)
    for offset in range(5 * 365):
        day = NOW + timedelta(days=offset)
        in_days, in_weekdays = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month in months and (in_days or in_weekdays if either else in_days and in_weekdays):
            return bool(minutes and hours)
    return False


def _taints(taints: Sequence[Json]) -> Iterator[str]:
    """KC pkg/apis/v1/nodeclaim_validation.go: validateTaintsField; pkg/controllers/nodeclaim/lifecycle/initialization.go."""
    seen = set()
    for taint in taints:
        key, value, mark = taint["key"], taint.get("value", ""), (taint["key"], taint["effect"])
        if not _is_qualified_name(key) or (value and not _is_qualified_name(value)) or not _is_label_value(value):
            yield f"taints: invalid value {key}={value}"
        if mark in seen:
            yield f"taints: duplicate taint Key/Effect pair {mark}"
        seen.add(mark)
        if key in TRANSIENT_TAINTS or key.startswith(TRANSIENT_PREFIX):
            yield f"taints: {key} marks a node that comes or goes"


def _labels(labels: Mapping[str, str], required: set[str]) -> Iterator[str]:
    """KC pkg/apis/v1/nodepool_validation.go: validateLabels; KA pkg/providers/launchtemplate/launchtemplate.go.

    NewNodeClaimTemplate (KC pkg/controllers/provisioning/scheduling/nodeclaimtemplate.go) makes a requirement of each label.
    """
    if len(labels) > 100:  # the CRD: maxProperties
        yield "labels: more than 100"
    for key, value in labels.items():
        if not _is_qualified_name(key) or not _is_label_value(value):
            yield f"labels: invalid {key}={value}"
        if key in required | WELL_KNOWN or key.startswith("karpenter.k8s.aws/"):
            yield f"labels: {key} becomes a requirement of the instance type"
        # The CRD of v1.6.0 takes a key without a slash for a domain.
        if key.split("/")[0].endswith(RESTRICTED) and not key.split("/")[0].endswith(EXCEPTIONS):
            yield f"labels: {key} is restricted"
        domain = key.split("/")[0] if "/" in key else ""
        # Up to v1.8 the label is in the node's user data, unless it is in one of the other two exceptions. The kubelet does not
        # start with a label of another Kubernetes domain: cmd/kubelet/app/options/options.go of kubernetes/kubernetes.
        if domain.endswith(("node-restriction.kubernetes.io", "kops.k8s.io")):
            continue
        dotted = f".{domain}"
        if dotted.endswith((".kubernetes.io", ".k8s.io")) and not dotted.endswith(
            (".kubelet.kubernetes.io", ".node.kubernetes.io")
        ):
            yield f"labels: the kubelet refuses {key}"


def _requirements(requirements: Sequence[Json]) -> Iterator[str]:
    """KC pkg/apis/v1/nodeclaim_validation.go: ValidateRequirement."""
    for one in requirements:
        key, values = one["key"], one["values"]
        if not _is_qualified_name(key) or not all(map(_is_label_value, values)):
            yield f"requirements: invalid {key}: {values}"
        if one["operator"] == "In" and not values:
            yield f"requirements: {key} must have a value"
        if one["operator"] in ("Gt", "Lt") and not (len(values) == 1 and re.fullmatch("[0-9]+", values[0])):
            yield f"requirements: {key} must have a single positive integer"


def _is_qualified_name(text: str) -> bool:
    """IsQualifiedName in pkg/util/validation/validation.go of k8s.io/apimachinery."""
    *prefix, name = text.split("/")
    if len(prefix) > 1 or (prefix and not _is_subdomain(prefix[0])):
        return False
    return len(name) <= 63 and bool(re.fullmatch("([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", name))


def _is_subdomain(text: str) -> bool:
    part = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    return len(text) <= 253 and bool(re.fullmatch(rf"{part}(\.{part})*", text))


def _is_label_value(text: str) -> bool:
    return len(text) <= 63 and bool(re.fullmatch("(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", text))


def unlimited(pool: Json) -> set[str]:
    """The reasons for which no budget is active at all times: KC pkg/apis/v1/nodepool.go: GetAllowedDisruptionsByReason.

    Without budgets the CRD's default counts. Which reasons a pool has: KC pkg/controllers/disruption/consolidation.go.
    """
    disruption: dict[str, Any] = pool["spec"]["disruption"]
    reasons = {"Drifted", "Empty", "Underutilized"}
    if disruption["consolidationPolicy"] == "WhenEmpty":
        reasons -= {"Underutilized"}
    if disruption["consolidateAfter"] == "Never" or "replicas" in pool["spec"]:  # OwnedByStaticNodePool
        reasons -= {"Empty", "Underutilized"}
    for budget in disruption.get("budgets") or [{"nodes": "10%"}]:
        if "schedule" not in budget:
            reasons -= set(budget.get("reasons") or reasons)
    return reasons
