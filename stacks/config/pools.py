"""What a user decides about Karpenter's node pools. Plain Python.

The fields are Karpenter's: https://karpenter.sh/v1.6/concepts/nodepools/ and https://karpenter.sh/v1.6/concepts/nodeclasses/
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, ClassVar, Literal, NamedTuple, TypeAlias

from stacks.config import times
from stacks.config.capacity_reservations import MOST_TERMS, RESERVATIONS, CapacityReservation
from stacks.config.checks import at_least, at_most, between, distinct, each, has_at_most, matches, not_empty, shortened, user_tags
from stacks.config.fields import Change
from stacks.hcl.rules import MOST
from stacks.knowledge import catalogue, prices, regions
from stacks.knowledge.efa import FAMILIES_APART, EfaInterface, Layout, layouts_of
from stacks.knowledge.versions import KARPENTER_WITH, KARPENTER_WITH_NETWORK_INTERFACES, RELEASE, names_network_interfaces

CapacityType: TypeAlias = Literal["spot", "on-demand", "reserved"]
ConsolidationPolicy: TypeAlias = Literal["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"]
Reason: TypeAlias = Literal["Underutilized", "Empty", "Drifted"]

TYPES = Change("U; D for nodes whose type is removed")
REPLICAS = Change("R (another pool) to set or unset; otherwise U, and fewer end nodes")
BUDGETS = Change("U; D for nodes that a stricter budget held back")
MOVES_PODS = Change("U; D from WhenEmpty: pods may move")
EFA = Change("D; U before Karpenter 1.11")
GROUPED = Change("D; R (the group) to unset, once its nodes are gone")

POOL_NAME = matches(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", "at most 40 lower-case letters, digits and hyphens, such as inference")
AFTER = rf"{times.DURATION}|{times.NEVER}"
CONSOLIDATE_AFTER = times.duration(AFTER, "a duration such as 30s or 1h30m, or Never")
# A machine that expires before it is a node makes Karpenter buy the next for the same pod. Karpenter allows 15 minutes:
# registrationTTL (later registrationTimeout) in pkg/controllers/nodeclaim/lifecycle/liveness.go of kubernetes-sigs/karpenter.
EXPIRY = "a duration in hours, minutes and seconds such as 720h, or Never"
LEAST_EXPIRY, WHY_LEAST_EXPIRY = "15m", "the time in which a machine becomes a node, or Never to turn expiry off"
EXPIRE_AFTER = times.duration(AFTER, EXPIRY, least=LEAST_EXPIRY, reason=WHY_LEAST_EXPIRY)
# The CRD has no Never.
GRACE = times.duration(times.DURATION, "a duration such as 90s or 48h, or None for no limit")
BUDGET_DURATION = times.duration(
    r"(\d+h|\d+m|\d+h\d+m)(0s)?", "hours and minutes, such as 8h or 1h30m", least="1m", reason="or the budget never applies"
)
BOTTLEROCKET = matches(f"latest|v{RELEASE.pattern}", "latest, or a version such as v1.53.0")
ZONE = matches(regions.ZONE, "availability zones such as us-west-2a")
NODES = r"((100|[0-9]{1,2})%|[0-9]+)"
NO_NODES = ("0", "0%")
NUMBER_OF_NODES = matches(NODES, "a number of nodes such as 1, or a percentage such as 10%")

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_WORD = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_KEY = rf"((?=[^/]{{1,253}}/){_WORD}(\.{_WORD})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
LABEL_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
LABEL_VALUES = "at most 63 letters, digits, hyphens, underscores and dots, with a letter or a digit at both ends"

# Karpenter up to 1.8 refuses labels in the first three; AWS, Kubernetes and Karpenter set those in the last. A node label in a free
# domain stays one. IsRestrictedLabel and LabelDomainExceptions in pkg/apis/v1/labels.go of kubernetes-sigs/karpenter and
# aws/karpenter-provider-aws. The CRD of these releases takes a key without a slash for a domain.
RESTRICTED_DOMAINS = ("kubernetes.io", "k8s.io", "karpenter.sh", "k8s.aws")
FREE_DOMAINS = ("node.kubernetes.io", "node-restriction.kubernetes.io", "kops.k8s.io")
# Labels in other domains: Karpenter takes the first two for requirements of an instance type (WellKnownLabels), and the VPC CNI
# does not run on nodes with some values of the last (the affinity in stable/aws-vpc-cni of aws/eks-charts).
OTHER_LABELS = ("node.kubernetes.io/instance-type", "node.kubernetes.io/windows-build", "eks.amazonaws.com/compute-type")
MOST_LABELS = 98  # the CRD admits 100; the program sets two
MOST_BUDGETS = 50  # the CRD's maxItems

# Karpenter's own domains, where a release may add taints, and one whose keys have the names of rules (pkg/apis/v1/taints.go, and
# KnownEphemeralTaintKeyPrefixes in pkg/scheduling/taints.go of kubernetes-sigs/karpenter).
TAINT_DOMAINS = ("karpenter.sh", "karpenter.k8s.aws", "readiness.k8s.io")
# Other domains have a few taints of Kubernetes: core/v1/well_known_taints.go of kubernetes/api, and api/well_known_taints.go of
# kubernetes/cloud-provider.
TAINT_KEYS = (
    *(
        f"node.kubernetes.io/{name}"
        for name in (
            *("not-ready", "unreachable", "unschedulable", "memory-pressure", "disk-pressure", "pid-pressure"),
            *("network-unavailable", "out-of-service"),
        )
    ),
    *(f"node.cloudprovider.kubernetes.io/{name}" for name in ("uninitialized", "shutdown")),
)

# The names of what the reference has: kubectl_manifest.nodepool_gpu is pool gpu-spot with node class gpu.
GENERAL_POOL, GPU_POOL = "default", "gpu-spot"
REFERENCE_NAMES = (GENERAL_POOL, GPU_POOL, "gpu")

GPU_TAINT = "nvidia.com/gpu"

# What the limits of pools count, by Kubernetes' name.
UNITS = {GPU_TAINT: "GPUs", "cpu": "vCPUs"}

# The shape of the default general pool, and the most vCPUs of all of its nodes together.
CATEGORIES, CPUS, DEFAULT_CPU_LIMIT = ("c", "m", "r"), (4, 8, 16, 32), 1000


def countable(nodes: str) -> str | None:
    """A number of nodes that Karpenter can count: of 4294967296 it keeps 0 (GetIntStrFromValue in pkg/apis/v1/nodepool.go)."""
    too_long = nodes.isdecimal() and len(nodes) > 9
    return "must have at most nine digits, because Karpenter keeps the lowest 32 bits of a number" if too_long else None


def shape_categories(values: Sequence[str]) -> str | None:
    """Categories of instance types without GPUs."""
    if others := set(values) - set(catalogue.shape_categories()):
        instead = "; use a GpuPool for GPUs" if others & set(catalogue.GPU_CATEGORIES) else ""
        if families := [name for name in catalogue.general_families() if catalogue.category(name) in others]:
            instead += f"; for {', '.join(families)}, set families"
        return f"must contain only {', '.join(catalogue.shape_categories())}{instead}"
    return None


def shape_cpus(values: Sequence[int]) -> str | None:
    """Numbers of vCPUs that instance types have."""
    known = catalogue.shape_cpus(catalogue.shape_categories())
    return (
        None if set(values) <= set(known) else f"must contain only numbers that instance types have, {', '.join(map(str, known))}"
    )


def node_labels(labels: Mapping[str, str]) -> str | None:
    """Labels that Kubernetes and Karpenter allow on the nodes of a pool."""
    if len(labels) > MOST_LABELS:
        return f"must have at most {MOST_LABELS} labels"
    for key, value in labels.items():
        if not re.fullmatch(LABEL_KEY, key):
            return f"must be Kubernetes labels such as example.com/team: research (label {key!r})"
        if not re.fullmatch(LABEL_VALUE, value):
            return f"must have values of {LABEL_VALUES} (label {key!r}, value {value!r})"
        if key in OTHER_LABELS:
            return f"must not contain {key!r}, because Kubernetes, Karpenter or EKS sets this label"
        domain = key.partition("/")[0]
        reserved = [name for name in RESTRICTED_DOMAINS if domain.endswith(name)]
        if reserved and not f".{domain}".endswith(tuple(f".{free}" for free in FREE_DOMAINS)):
            return f"must not contain {key!r}, because Kubernetes and Karpenter reserve {reserved[0]}"
    return None


def taint_key(key: str) -> str | None:
    """The key of a taint that neither Kubernetes nor Karpenter sets."""
    if not re.fullmatch(LABEL_KEY, key):
        return "must be a Kubernetes key such as example.com/team"
    if key.rpartition("/")[0] in TAINT_DOMAINS:
        return "must be in another domain, because Kubernetes and Karpenter set and remove the taints of this domain"
    if key in TAINT_KEYS:
        return "must be another key, because Kubernetes sets and removes this taint"
    return None


def one_per_key_and_effect(taints: Sequence["Taint"]) -> str | None:
    """Taints of which Kubernetes and Karpenter accept each beside the others."""
    marks = [(taint.key, taint.effect) for taint in taints]
    return next(
        (
            f"must not contain two taints with key {key!r} and effect {effect!r}"
            for number, (key, effect) in enumerate(marks)
            if (key, effect) in marks[:number]
        ),
        None,
    )


@dataclass(frozen=True, kw_only=True)
class SociParallelPull:
    """The SOCI snapshotter's parallel pull: layers are fetched in chunks and unpacked at the same time."""

    downloads: Annotated[int, Change.DRIFT, at_least(1), at_most(MOST)]
    """Chunks of one image that are downloaded at a time."""
    chunk_size: Annotated[str, Change.DRIFT, matches(r"[1-9]\d{0,8}(kb|mb|gb)", "a size such as 16mb")]
    """Size of a chunk, in kb, mb or gb."""
    unpacks: Annotated[int, Change.DRIFT, at_least(1), at_most(MOST)]
    """Layers of one image that are unpacked at a time."""


# The throughput of an ordinary data volume does not allow more.
GENERAL_SOCI = SociParallelPull(downloads=10, chunk_size="16mb", unpacks=10)

# With more, NVIDIA's MPS daemon does not start: maxClients in cmd/mps-control-daemon/mps/device.go of NVIDIA/k8s-device-plugin.
MOST_MPS_CLIENTS = 48

# With more, the list of devices that NVIDIA's plugin sends, 60 bytes a share (`NewAnnotatedID` in internal/rm/devices.go of
# NVIDIA/k8s-device-plugin), exceeds the 4 MiB that gRPC lets the kubelet receive (`dial` in pkg/kubelet/cm/devicemanager/plugin/
# v1beta1/client.go of kubernetes/kubernetes sets no other limit), also for a node with one GPU.
MOST_SHARES = 4 * 2**20 // 60

# With NVMe disks and hundreds of Gbit/s, on p5.48xlarge: 14.24 GB from a private ECR in 35 s, measured by the HCL's authors.
GPU_SOCI = SociParallelPull(downloads=30, chunk_size="32mb", unpacks=30)


@dataclass(frozen=True, kw_only=True)
class TimeSlicing:
    """Pods take turns on a GPU. Nothing divides its memory: a pod may take all, and the others then fail."""

    setting: ClassVar[str] = "time-slicing"

    replicas: Annotated[int, Change.DRIFT, between(2, MOST_SHARES)]
    """How many pods share a GPU."""


@dataclass(frozen=True, kw_only=True)
class Mps:
    """Pods run on a GPU at the same time, each with an equal part of its memory (NVIDIA's Multi-Process Service).

    Bottlerocket 1.55.0 or newer.
    """

    setting: ClassVar[str] = "mps"

    replicas: Annotated[int, Change.DRIFT, between(2, MOST_MPS_CLIENTS)]
    """How many pods share a GPU."""


Sharing: TypeAlias = TimeSlicing | Mps


def pods_per_gpu(sharing: Sharing | None) -> int:
    """How many pods share a GPU; the node counts each share as a GPU."""
    return sharing.replicas if sharing else 1


@dataclass(frozen=True, kw_only=True)
class Taint:
    """A taint keeps pods that do not tolerate it off the nodes."""

    key: Annotated[str, Change.DRIFT, taint_key]
    """Key of the taint, such as `example.com/team`."""
    value: Annotated[str, Change.DRIFT, matches(LABEL_VALUE, LABEL_VALUES)] = ""
    """Value of the taint."""
    effect: Annotated[Literal["NoSchedule", "PreferNoSchedule", "NoExecute"], Change.DRIFT] = "NoSchedule"
    """What happens to pods that do not tolerate the taint."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many nodes of a pool Karpenter may disrupt at a time. Budgets do not stop expiry, interruptions or manual deletes."""

    nodes: Annotated[str, Change.IN_PLACE, NUMBER_OF_NODES, countable]
    """A number of nodes, or a percentage of the pool's nodes."""
    reasons: Annotated[Sequence[Reason], Change.IN_PLACE, distinct] = ()
    """The reasons to which the budget applies; () for every reason."""
    schedule: Annotated[str | None, Change.IN_PLACE, times.schedule] = None
    """When the budget begins to apply: a cron schedule, in UTC. At other times, only budgets without a schedule limit Karpenter."""
    duration: Annotated[str | None, Change.IN_PLACE, BUDGET_DURATION] = None
    """How long the budget applies each time that it begins."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if (self.schedule is None) != (self.duration is None):
            yield f"schedule and duration must be set together (got {self.schedule!r} and {self.duration!r})."


@dataclass(frozen=True, kw_only=True)
class DataVolume:
    """The EBS volume of a node for images, pods and logs (gp3, encrypted)."""

    # EBS has 65536 GiB, but the pattern of `volumeSize` in the CRDs of 1.6.0 to 1.14.1 ends at 59000Gi.
    size_gib: Annotated[int, Change.DRIFT, between(20, 59000)]
    """Size in GiB. Without a DataVolume, a node has 20 GiB."""
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html; the CRDs have no bounds.
    iops: Annotated[int, Change.DRIFT, between(3000, 80000)] = 3000
    """I/O operations per second: at most 500 per GiB."""
    throughput_mib: Annotated[int, Change.DRIFT, between(125, 2000)] = 125
    """MiB per second: at most a quarter of `iops`."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields. https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html#gp3-ebs-volume-type"""
        if 20 <= self.size_gib < self.iops / 500:
            yield f"iops must be at most 500 per GiB of size_gib, which is {500 * self.size_gib} (got {self.iops})."
        if 4 * self.throughput_mib > self.iops:
            yield f"iops must be at least 4 per MiB of throughput_mib, which is {4 * self.throughput_mib} (got {self.iops})."


class NewerField(NamedTuple):
    """A field whose value a release of Karpenter does not know.

    Attributes:
        name: of the field, from the pool on.
        must: what it must be before.
        given: what it is.
        since: the first release that knows it.
    """

    name: str
    must: str
    given: object
    since: str


class Addresses(NamedTuple):
    """The addresses that the nodes of a pool take at most.

    Attributes:
        instance_type: of all nodes: the type whose nodes take the most.
        nodes: as many as the pool's limits allow.
        each: the addresses of a node.
    """

    instance_type: str
    nodes: int
    each: int

    @property
    def total(self) -> int:
        """Those of all nodes."""
        return self.nodes * self.each


@dataclass(frozen=True)
class Pool:
    """What general and GPU pools have in common. Each pool has a node class of its own, with the same name."""

    name: Annotated[str, Change("R (another pool)"), POOL_NAME]
    """Name of the NodePool and of its EC2NodeClass."""
    _: KW_ONLY
    instance_types: Annotated[Sequence[str], TYPES, distinct] = ()
    """Instance types, such as p5.48xlarge. Alternatively, set `families`."""
    families: Annotated[Sequence[str], TYPES, distinct] = ()
    """Instance families, such as g6e."""
    capacity_types: Annotated[Sequence[CapacityType], TYPES, not_empty, distinct] = ("spot",)
    """How nodes are bought: spot, on-demand, reserved. Karpenter prefers reserved, then spot, then on-demand."""
    capacity_reservations: Annotated[Sequence[CapacityReservation], RESERVATIONS, has_at_most(MOST_TERMS), distinct] = ()
    """Reservations and Capacity Blocks that nodes with capacity type reserved use. Karpenter leaves others idle, open ones too."""
    replicas: Annotated[int | None, REPLICAS, between(0, MOST)] = None
    """A fixed number of nodes, which run and cost from the apply on, without pods too; None for as many as pods need. Kubernetes
    refuses to set or unset replicas on a pool that exists: give another name. Karpenter 1.8.1 or newer."""
    node_limit: Annotated[int | None, Change.IN_PLACE, between(1, MOST)] = None
    """Maximum number of nodes, beside the other limit. May be passed within a scheduling round, up to the other limit: Karpenter
    counts the nodes that are there, and not those that the round adds. Karpenter 1.11.0 or newer."""
    zones: Annotated[Sequence[str], Change("U; D for nodes whose zone is removed"), each(ZONE), distinct] = ()
    """Availability zones, such as us-west-2a; () for every zone of the network."""
    taints: Annotated[Sequence[Taint], Change.DRIFT, one_per_key_and_effect] = ()
    """Taints of the nodes. GPU pools also have the taint `nvidia.com/gpu`."""
    labels: Annotated[Mapping[str, str], Change.DRIFT, node_labels] = field(default_factory=dict)
    """Labels of the nodes, by which pods choose the pool. Every pool also has the label `nodepool` with its name."""
    weight: Annotated[int | None, Change.IN_PLACE, between(1, 100)] = None
    """Karpenter tries a pool with a higher weight first; a pool without weight last."""
    consolidation_policy: Annotated[ConsolidationPolicy, MOVES_PODS] = "WhenEmpty"
    """Which nodes Karpenter may remove: empty ones, or also those whose pods fit elsewhere; with Balanced (Karpenter 1.14.0 or
    newer) only where the savings are worth the pods that move."""
    consolidate_after: Annotated[str, Change.IN_PLACE, CONSOLIDATE_AFTER] = "1h"
    """How long a node must be empty or underutilized before Karpenter removes it, such as 30s or 1h; or Never."""
    budgets: Annotated[Sequence[Budget], BUDGETS, has_at_most(MOST_BUDGETS)] = ()
    """How many nodes Karpenter may disrupt at a time; () for Karpenter's own 10%."""
    expire_after: Annotated[str, Change.DRIFT, EXPIRE_AFTER] = "720h"
    """How old a node may get before Karpenter replaces it, such as 720h, and at least 15m; or Never. Budgets do not delay this."""
    termination_grace_period: Annotated[str | None, Change.DRIFT, GRACE] = None
    """How long a node that must go waits for its pods, such as 90s; then they end, whatever do-not-disrupt and PodDisruptionBudgets
    say. Drift begins in spite of both. None to wait for ever."""
    data_volume: Annotated[DataVolume | None, Change.DRIFT] = None
    """The EBS volume for images and pods; None for Karpenter's 20 GiB."""
    tags: Annotated[Mapping[str, str], Change.DRIFT, user_tags] = field(default_factory=dict)
    """Tags of the EC2 instances."""
    bottlerocket_version: Annotated[str | None, Change.DRIFT, BOTTLEROCKET] = None
    """Bottlerocket release of the nodes: latest, or a version such as v1.53.0; None for the release of the cluster."""
    soci: Annotated[SociParallelPull | None, Change.DRIFT] = GENERAL_SOCI
    """How images are pulled; None to pull without SOCI, from registries that mishandle ranged requests."""

    def types(self) -> list[str]:
        """The instance types that Karpenter may launch; [] where other fields describe them."""
        return list(self.instance_types)

    def known_types(self) -> list[str]:
        """The instance types that are given, or those of the catalogue that the other fields describe."""
        return self.types()

    def unknown(self) -> dict[str, list[str]]:
        """The instance types and families that the catalogue does not have, by field."""
        known = self.names_in_catalogue()
        found = {field: [name for name in getattr(self, field) if name not in names] for field, names in known.items()}
        return {field: names for field, names in found.items() if names}

    def names_in_catalogue(self) -> dict[str, Collection[str]]:
        """What the catalogue has for each field that may name more than that."""
        raise NotImplementedError

    def all_taints(self) -> list[Taint]:
        """The taints of the nodes."""
        return list(self.taints)

    def limits(self) -> dict[str, int]:
        """The most that all nodes of the pool have together. Kubernetes allows a pool with replicas `nodes` alone."""
        if self.replicas is not None:
            return {"nodes": self.most_nodes()}
        name, limit = self.limit_of_units()
        return {name: limit} | ({} if self.node_limit is None else {"nodes": self.node_limit})

    def limit_of_units(self) -> tuple[str, int]:
        """What the pool's limit counts, and the limit."""
        raise NotImplementedError

    def units_by_type(self) -> Mapping[str, int]:
        """What the limit counts of a node, by instance type, as far as the catalogue knows."""
        raise NotImplementedError

    def most_nodes(self) -> int:
        """The nodes of a pool with replicas that the limit allows; 0 where the nodes are not equal."""
        units = {self.units_by_type().get(name, 0) for name in self.known_types()}
        return self.limit_of_units()[1] // max(units) if len(units) == 1 and max(units) else 0

    def newer_fields(self) -> Iterator[NewerField]:
        """The fields that only newer releases of Karpenter know."""
        if self.replicas is not None:
            yield NewerField("replicas", "be None", self.replicas, KARPENTER_WITH["replicas"])
        if self.node_limit is not None:
            yield NewerField("node_limit", "be None", self.node_limit, KARPENTER_WITH["node_limit"])
        if self.consolidation_policy == "Balanced":
            must = "be 'WhenEmpty' or 'WhenEmptyOrUnderutilized'"
            yield NewerField("consolidation_policy", must, "Balanced", KARPENTER_WITH["Balanced"])
        for number, reservation in enumerate(self.capacity_reservations):
            if criteria := reservation.instance_match_criteria:
                place = f"capacity_reservations[{number}].instance_match_criteria"
                yield NewerField(place, "be None", criteria, KARPENTER_WITH["instance_match_criteria"])

    def most_expensive_hour(self, region: str) -> float | None:
        """Dollars that an hour of all nodes costs at most, with `node_limit` as given; None if a type has no list price."""
        usd, nodes = self.most_expensive_units(region), self.limits().get("nodes")
        if usd is None or nodes is None:
            return usd
        return min(usd, nodes * max(prices.hourly_usd(name, region) or 0 for name in self.known_types()))

    def most_expensive_units(self, region: str) -> float | None:
        """Dollars that an hour costs at most with the limit of GPUs or vCPUs; None if a type has no list price."""
        raise NotImplementedError

    def unlimited_reasons(self) -> list[Reason]:
        """The reasons for which Karpenter may disrupt all nodes at a time when no schedule applies.

        GetAllowedDisruptionsByReason in pkg/apis/v1/nodepool.go of kubernetes-sigs/karpenter starts at MaxInt32.
        """
        if not self.budgets:
            return []  # Karpenter's own: 10% at all times
        allowed: list[Reason] = ["Drifted"]
        if self.consolidate_after != times.NEVER and self.replicas is None:
            allowed += ["Empty"] if self.consolidation_policy == "WhenEmpty" else ["Empty", "Underutilized"]
        always = [budget.reasons for budget in self.budgets if budget.schedule is None]
        return [reason for reason in allowed if not any(not reasons or reason in reasons for reasons in always)]

    def holds_drift(self) -> bool:
        """Whether a budget keeps drifted nodes at all times."""
        always = [budget for budget in self.budgets if budget.schedule is None and budget.nodes in NO_NODES]
        return any(not budget.reasons or "Drifted" in budget.reasons for budget in always)

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if self.name in REFERENCE_NAMES:
            yield f"name must not be {self.name!r}, a name of the default pools. Choose another name."
        if "reserved" in self.capacity_types and not self.capacity_reservations:
            yield (
                f"capacity_reservations must be set if capacity_types contains 'reserved' (got {list(self.capacity_types)!r}): "
                "Karpenter uses only the reservations that the pool names."
            )
        elif self.capacity_reservations and "reserved" not in self.capacity_types:
            yield (
                f"capacity_types must contain 'reserved' if capacity_reservations is set (got {list(self.capacity_types)!r}): "
                "otherwise Karpenter leaves the reservations idle."
            )
        if self.replicas is not None:
            yield from self._wrong_replicas(self.replicas)
        for label in ("nodepool", "gpu-type"):
            if label in self.labels:
                yield f"labels must not contain {label!r}, because the program sets it."

    def _wrong_replicas(self, replicas: int) -> Iterator[str]:
        """What a pool with a fixed number of nodes cannot have."""
        if self.weight is not None:
            yield f"weight must be None if replicas is set (got {self.weight}): Karpenter does not choose the pool for a pod."
        if self.node_limit is not None:
            yield f"node_limit must be None if replicas is set (got {self.node_limit}): the pool's limit gives the number of nodes."
        for name in ("consolidation_policy", "consolidate_after"):
            if (given := getattr(self, name)) != getattr(Pool, name):
                yield f"{name} must not be set if replicas is set (got {given!r}): Karpenter ignores it and keeps empty nodes."
        units = {one: self.units_by_type().get(one) for one in self.known_types()}
        counted, limit = UNITS[self.limit_of_units()[0]], self.limit_of_units()[1]
        if unknown := [one for one, count in units.items() if count is None] + self.unknown().get("families", []):
            yield (
                f"replicas must be None for types that this program does not know (got {', '.join(unknown)}): their {counted} "
                "decide how many nodes the limit allows."
            )
        elif len(set(units.values())) > 1:
            few, *_, many = sorted(units, key=lambda one: (units[one] or 0, one))
            yield (
                f"replicas must be None unless all instance types have equal {counted} (got {few} with {units[few]} and {many} "
                f"with {units[many]}): they decide how many nodes the limit allows."
            )
        elif units and self.most_nodes() < replicas:
            yield (
                f"replicas must be at most {self.most_nodes()}, the nodes that a limit of {limit} {counted} allows (got "
                f"{replicas}). Lower replicas, or raise the limit."
            )


@dataclass(frozen=True)
class GpuPool(Pool):
    """A pool of NVIDIA GPU nodes beside the reference's pool gpu-spot. Only pods that tolerate `nvidia.com/gpu` use it.

    Instance types are given as `instance_types`, as `families`, or as `gpu_names` with a least memory. The last two become explicit
    types of the catalogue when the JSON is written, and are printed: types that AWS adds later do not join by themselves.
    """

    _: KW_ONLY
    limit: Annotated[int, Change.IN_PLACE, at_least(1), at_most(MOST)]
    """Maximum number of GPUs of all nodes of the pool together. Required: the limit caps the bill."""
    sharing: Annotated[TimeSlicing | Mps | None, Change.DRIFT] = None
    """How pods share a GPU: each asks for one `nvidia.com/gpu`. `limit` and prices count whole GPUs. See docs/gpu-sharing.md."""
    gpu_names: Annotated[Sequence[str], TYPES, distinct] = ()
    """GPU names as in the catalogue, such as h100 or l40s."""
    min_gpu_memory_gib: Annotated[int | None, TYPES, at_least(1)] = None
    """With `gpu_names` or `families`: the minimum memory of one GPU, in GiB."""
    budgets: Annotated[Sequence[Budget], BUDGETS, has_at_most(MOST_BUDGETS)] = ()
    """How many nodes Karpenter may disrupt at a time; () for Karpenter's own 10%, and `gpu_drift_budget` for drifted nodes."""
    soci: Annotated[SociParallelPull | None, Change.DRIFT] = GPU_SOCI
    """How images are pulled; None to pull without SOCI, from registries that mishandle ranged requests."""
    efa: Annotated[bool, EFA] = False
    """Give pods that request `vpc.amazonaws.com/efa` the Elastic Fabric Adapters of the node, between nodes of a single zone."""
    placement_group: Annotated[bool, GROUPED] = False
    """Launch the nodes close to each other, in a cluster placement group. Needs `efa`. EC2 has less capacity for such a group, of
    Spot above all. Karpenter 1.11.0 or newer."""

    def types(self) -> list[str]:
        """The instance types, from the catalogue where families or GPU names are given."""
        if self.instance_types:
            return list(self.instance_types)
        least = (self.min_gpu_memory_gib or 0) * 1024
        return [
            row.instance_type
            for row in catalogue.gpu_instance_types()
            if row.usable and (row.family in self.families or row.gpu in self.gpu_names) and row.gpu_memory_mib >= least
        ]

    def names_in_catalogue(self) -> dict[str, Collection[str]]:
        """What the catalogue has for each field that may name more than that."""
        return {"instance_types": catalogue.gpus_by_type()}

    def types_field(self) -> str:
        """The field that decides about the instance types."""
        return next((name for name in ("instance_types", "families", "gpu_names") if getattr(self, name)), "instance_types")

    def layouts(self) -> dict[Layout, list[str]]:
        """The layouts of network interfaces that the types have, each with its types; {} without EFA."""
        types = self.types() if self.efa else ()
        return layouts_of([row for row in catalogue.gpu_instance_types() if row.instance_type in types])

    def efa_interface(self, karpenter: str) -> EfaInterface | None:
        """The type of interface with which a release of Karpenter gives nodes EFA; None without EFA."""
        return ("efa-only" if names_network_interfaces(karpenter) else "efa") if self.efa else None

    def nodes_by_type(self) -> dict[str, int]:
        """The nodes that the limits allow, by instance type of the catalogue. A fixed number grows up to the limit in a drift."""
        gpus, most = catalogue.gpus_by_type(), self.limits().get("nodes", self.limit)
        return {name: min(self.limit // gpus[name], most) for name in self.types() if name in gpus}

    def most_addresses(self, by_type: Mapping[str, int]) -> Addresses:
        """The addresses that the nodes take at most, where the catalogue has every type; `by_type` has those of a node."""
        found = (Addresses(name, nodes, by_type[name]) for name, nodes in self.nodes_by_type().items())
        return max(found, key=lambda addresses: addresses.total)

    def newer_fields(self) -> Iterator[NewerField]:
        """The fields that only newer releases of Karpenter know.

        Where Karpenter chooses the interfaces, a node has EFA only if a pod asked for the node, and a fixed number has no such pod.
        """
        for newer in super().newer_fields():
            fixed = self.efa and newer.name == "replicas"
            yield newer._replace(must="be None if efa is True", since=KARPENTER_WITH_NETWORK_INTERFACES) if fixed else newer
        if self.placement_group:
            yield NewerField("placement_group", "be False", True, KARPENTER_WITH["placement_group"])
        if types := [name for layout, names in self.layouts().items() if not layout.first for name in names]:
            must = "not contain types without EFA on the first network card if efa is True"
            yield NewerField(self.types_field(), must, types, KARPENTER_WITH_NETWORK_INTERFACES)

    def mixed_layouts(self) -> str | None:
        """Why the types cannot share a node class that names network interfaces; None if they can."""
        if len(layouts := self.layouts()) < 2:
            return None
        told = "; ".join(f"{', '.join(names)}: {layout}" for layout, names in layouts.items())
        return (
            f"{self.types_field()} must have equal network cards if efa is True (got {told}): Karpenter launches only types that "
            "fit the network interfaces of the node class, and does not say which it leaves out. Use a pool for each."
        )

    def all_taints(self) -> list[Taint]:
        """The taint of GPU nodes, and the pool's own."""
        return [Taint(key=GPU_TAINT, value="true"), *self.taints]

    def limit_of_units(self) -> tuple[str, int]:
        """What the pool's limit counts, and the limit."""
        return GPU_TAINT, self.limit

    def units_by_type(self) -> Mapping[str, int]:
        """The GPUs of a node, by instance type, as far as the catalogue knows."""
        return catalogue.gpus_by_type()

    def limits_in_shares(self) -> dict[str, int]:
        """The limits as Karpenter counts: a GPU as many as the pods that share it, once its node is there, and as one before.

        With a limit of shares alone, Karpenter launches a node for each share when many pods come at once. What the vCPUs of a node
        count never changes, so a limit of the vCPUs that belong to `limit` GPUs holds from the beginning.
        """
        limits = self.limits()
        if self.sharing and GPU_TAINT in limits:
            per_gpu = catalogue.vcpus_per_gpu()
            limits[GPU_TAINT] *= self.sharing.replicas
            limits["cpu"] = self.limit * max(per_gpu.get(name, catalogue.UNKNOWN_VCPUS_PER_GPU) for name in self.types())
        return limits

    def most_expensive_units(self, region: str) -> float | None:
        """Dollars that an hour costs at most with the limit of GPUs; None if a type has no list price."""
        return prices.most_expensive_hour(self.types(), catalogue.gpus_by_type(), self.limit, region)

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        yield from super().mistakes()
        known = catalogue.gpus_by_type()
        if self.data_volume and self.types() and set(self.types()) <= catalogue.types_with_nvme():
            yield (
                f"data_volume must be None for instance types with NVMe disks (got {self.data_volume.size_gib} GiB): their nodes "
                "keep images and pods on the NVMe disks, and the volume would be empty."
            )
        if GPU_TAINT in [taint.key for taint in self.taints]:
            yield f"taints must not contain {GPU_TAINT!r}, because every GPU pool has this taint."
        if sum(map(bool, (self.instance_types, self.families, self.gpu_names))) != 1:
            yield "instance_types, families or gpu_names must be set, and exactly one of the three. Remove the others."
        elif self.instance_types:
            if self.min_gpu_memory_gib:
                yield "min_gpu_memory_gib must not be set together with instance_types, which are used as they are."
            yield from _unusable(self.instance_types)
        elif others := [name for name in self.families if name not in catalogue.usable_families()]:
            yield f"families must be in the catalogue (got {others!r}). Its families: {', '.join(catalogue.usable_families())}."
        elif others := [name for name in self.gpu_names if name not in catalogue.usable_gpus()]:
            yield f"gpu_names must be in the catalogue (got {others!r}). Its GPUs: {', '.join(catalogue.usable_gpus())}."
        elif not self.types():
            yield f"min_gpu_memory_gib must leave at least one instance type (got {self.min_gpu_memory_gib!r})."
        if (types := self.types()) and 0 < self.limit < (smallest := min(known.get(name, 1) for name in types)):
            yield (
                f"limit must be at least {smallest}, the GPUs of the smallest instance type (got {self.limit!r}): with a lower "
                "limit Karpenter never launches a node."
            )
        if self.efa:
            yield from self._wrong_efa()
        elif self.placement_group:
            yield "placement_group must be False if efa is False (got True): a group is for traffic over EFA. Set efa=True."

    def _wrong_efa(self) -> Iterator[str]:
        """What a pool with EFA cannot have. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa.html#efa-limits"""
        if self.sharing:
            yield (
                f"sharing must be None if efa is True (got {shortened(self.sharing)}): a job over EFA has a process for each whole "
                "GPU, and NCCL refuses two on one GPU. Use a pool of its own for shared GPUs."
            )
        if len(self.zones) != 1:
            yield (
                f"zones must have exactly one zone if efa is True (got {list(self.zones)!r}): EFA traffic cannot cross zones. Use "
                "a pool for each zone."
            )
        with_efa = [name for names in self.layouts().values() for name in names]
        if without := [name for name in self.types() if name not in with_efa]:
            yield (
                f"{self.types_field()} must have EFA if efa is True (got {without!r}, which do not, or which this program does "
                "not know). Remove these types, or use another pool for them."
            )
        apart = [name for name in with_efa if catalogue.family(name) in FAMILIES_APART]
        if others := [name for name in with_efa if apart and name not in apart]:
            yield (
                f"{self.types_field()} must not contain both {' or '.join(FAMILIES_APART)} and other types if efa is True (got "
                f"{apart!r} and {others!r}): EC2 carries no EFA traffic between them. Use a pool for each."
            )


@dataclass(frozen=True)
class GeneralPool(Pool):
    """A pool of nodes without GPUs beside the reference's pool default (amd64)."""

    _: KW_ONLY
    cpu_limit: Annotated[int, Change.IN_PLACE, at_least(1), at_most(MOST)]
    """Maximum number of vCPUs of all nodes of the pool together. Required: the limit caps the bill."""
    categories: Annotated[Sequence[str], TYPES, not_empty, distinct, shape_categories] = CATEGORIES
    """Instance categories, such as c, m and r, if neither `instance_types` nor `families` is set."""
    cpus: Annotated[Sequence[int], TYPES, not_empty, distinct, shape_cpus] = CPUS
    """Possible numbers of vCPUs of a node, if neither `instance_types` nor `families` is set."""

    def known_types(self) -> list[str]:
        """The instance types that are given, or those of the catalogue that the other fields describe."""
        if self.instance_types:
            return list(self.instance_types)
        if self.families:
            return catalogue.types_of_families(self.families)
        return catalogue.types_in_shape(self.categories, self.cpus)

    def names_in_catalogue(self) -> dict[str, Collection[str]]:
        """What the catalogue has for each field that may name more than that."""
        return {"instance_types": catalogue.vcpus_by_type(), "families": catalogue.general_families()}

    def limit_of_units(self) -> tuple[str, int]:
        """What the pool's limit counts, and the limit."""
        return "cpu", self.cpu_limit

    def units_by_type(self) -> Mapping[str, int]:
        """The vCPUs of a node, by instance type, as far as the catalogue knows."""
        return catalogue.vcpus_by_type()

    def most_expensive_units(self, region: str) -> float | None:
        """Dollars that an hour costs at most with the limit of vCPUs; None if a type has no list price."""
        if "families" in self.unknown():
            return None
        return prices.most_expensive_vcpus(self.known_types(), catalogue.vcpus_by_type(), self.cpu_limit, region)

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        yield from super().mistakes()
        if self.instance_types and self.families:
            yield "instance_types and families must not both be set. Keep one of them."
        types = catalogue.unusable_for_general(
            self.instance_types, shape=catalogue.INSTANCE_TYPE_PATTERN, like="instance types such as m7i.large"
        )
        families = catalogue.unusable_for_general(self.families, shape=catalogue.FAMILY_PATTERN, like="families such as m7i")
        for name, wrong in (("instance_types", types), ("families", families)):
            yield from (f"{name} must {reason} (got {others!r})." for reason, others in wrong.items())
        yield from self._wrong_shape()
        # A type that is not known may have a single vCPU.
        sizes = [catalogue.vcpus_by_type().get(name, 1) for name in self.known_types()]
        if not self.unknown().get("families") and sizes and 0 < self.cpu_limit < min(sizes):
            yield (
                f"cpu_limit must be at least {min(sizes)}, the vCPUs of the smallest instance type (got {self.cpu_limit!r}): with "
                "a lower limit Karpenter never launches a node."
            )

    def _wrong_shape(self) -> Iterator[str]:
        """A shape beside types or families, which Karpenter would not see; or a shape that no type has."""
        if self.instance_types or self.families:
            for name, value, default in (("categories", self.categories, CATEGORIES), ("cpus", self.cpus, CPUS)):
                if tuple(value) != default:
                    yield f"{name} must not be set together with instance_types or families, which are used as they are."
        elif (
            not (shape_categories(self.categories) or shape_cpus(self.cpus) or self.known_types()) and self.categories and self.cpus
        ):
            yield (
                f"categories and cpus must leave at least one instance type (got {list(self.categories)!r} and "
                f"{list(self.cpus)!r}). Nitro types of these categories with a generation above 2 have "
                f"{', '.join(map(str, catalogue.shape_cpus(self.categories)))} vCPUs. Set cpus, instance_types or families."
            )


def _unusable(types: Sequence[str]) -> Iterator[str]:
    """The instance types that a GPU pool cannot use. Types of an unknown family may be new."""
    for reason, unusable in catalogue.unusable(types).items():
        yield f"instance_types must {reason} (got {unusable!r})."


def overlaps(pools: Sequence[Pool], *, beside: str | None) -> Iterator[tuple[Pool, str]]:
    """The pools that differ from an earlier one, or from that without weight, neither in weight nor in a label or taint.

    Args:
        pools: in their order.
        beside: the pool without weight, labels and taints of its own; None if there is none.
    """
    seen: dict[tuple[object, ...], str] = {(None, (), ()): beside} if beside else {}
    for pool in pools:
        if pool.replicas is not None:
            continue  # Karpenter chooses no such pool for a pod: its nodes are there
        taints = tuple(sorted((taint.key, taint.value, taint.effect) for taint in pool.taints))
        key = (pool.weight, tuple(sorted(pool.labels.items())), taints)
        if key in seen:
            yield pool, seen[key]
        seen.setdefault(key, pool.name)
