"""Karpenter's node pools: the default ones, and those that a user adds. Plain Python."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, partial
from typing import Annotated, get_args

from stacks.config import times
from stacks.config.checks import shortened, user_tags
from stacks.config.fields import Change, Variable
from stacks.config.pools import (
    AFTER,
    BOTTLEROCKET,
    BUDGETS,
    EXPIRY,
    GENERAL_POOL,
    GENERAL_SOCI,
    GPU_POOL,
    GPU_SOCI,
    LEAST_EXPIRY,
    NODES,
    REFERENCE_NAMES,
    TYPES,
    WHY_LEAST_EXPIRY,
    Addresses,
    CapacityType,
    DataVolume,
    GeneralPool,
    GpuPool,
    Mps,
    Pool,
    SociParallelPull,
    TimeSlicing,
    overlaps,
)
from stacks.config.tags import wrong_node_tags
from stacks.hcl.expressions import Expression, hcl, is_expression
from stacks.hcl.rules import (
    DISTINCT,
    HAS_ELEMENTS,
    MOST,
    VALUE,
    WITHOUT_NULLS,
    Elements,
    Must,
    as_json,
    at_most,
    ending,
    found,
    match,
    matches,
    mistakes,
    well_formed,
    whole,
)
from stacks.knowledge.catalogue import (
    ARM64_GPU_FAMILY,
    INSTANCE_TYPE_PATTERN,
    families_with_a_fraction_of_a_gpu,
    families_without_nvidia_gpus,
    family,
    gpus_by_type,
)
from stacks.knowledge.gpu_drivers import mismatches
from stacks.knowledge.versions import bottlerocket_mistake, mounts_all_disks, names_network_interfaces, parts

POOL = Change("R (the pool): its nodes end")


GPU_LIMIT = (whole("be a whole number of at least 1, or null for no limit", optional=True),)
# A requirement, because Kubernetes accepts more: what is deployed can be destroyed.
GPU_LIMIT_SIZE = at_most(MOST, f"be at most {MOST}", optional=True)

# Karpenter's own rule for `budgets[].nodes`.
GPU_DRIFT_BUDGET = (match(f"^{NODES}$", 'be a number of nodes such as "1", a percentage such as "10%", or null', optional=True),)
# A requirement, because Kubernetes accepts any number: what is deployed can be destroyed.
GPU_DRIFT_BUDGET_SIZE = Must(
    "have at most nine digits",
    f"length({VALUE}) <= 9",
    lambda budget: len(budget) <= 9,
    tail=ending(": Karpenter keeps the lowest 32 bits of a number."),
    optional=True,
)

GPU_EXPIRE_AFTER = (match(f"^({AFTER})$", f"be {EXPIRY}, or null", optional=True),)
GPU_EXPIRE_AFTER_SECONDS = "gpu_expire_after_seconds"  # a local
# Requirements, because Kubernetes accepts other durations: what is deployed can be destroyed.
GPU_EXPIRE_AFTER_LENGTH = (
    Must(
        f"be at least {LEAST_EXPIRY}, {WHY_LEAST_EXPIRY}",
        f'{VALUE} == "{times.NEVER}" || local.{GPU_EXPIRE_AFTER_SECONDS} >= {times.seconds(LEAST_EXPIRY):.0f}',
        lambda expiry: expiry == times.NEVER or times.seconds(expiry) >= times.seconds(LEAST_EXPIRY),
        optional=True,
    ),
    Must(
        f"be at most {times.LONGEST}",
        f"local.{GPU_EXPIRE_AFTER_SECONDS} <= {times.LONGEST_SECONDS}",
        lambda expiry: times.seconds(expiry) <= times.LONGEST_SECONDS,
        tail=ending(f": {times.TOO_LONG}."),
        optional=True,
    ),
)

KNOWN_CAPACITY_TYPES = Elements(
    "gpu_capacity_types_unknown",
    f"setsubtract({VALUE}, {json.dumps(get_args(CapacityType))})",
    lambda name: name not in get_args(CapacityType),
    'gpu_capacity_type must contain only "spot", "on-demand" and "reserved" (got {found}).',
)
NOT_RESERVED_ALONE = Must(
    'contain "spot" or "on-demand"',
    f'join(",", {VALUE}) != "reserved"',
    lambda types: list(types) != ["reserved"],
    got=('["reserved"]', as_json),
    tail=ending(": the GPU node class selects no capacity reservation, so Karpenter would never launch a node."),
)

WELL_FORMED_TYPES = well_formed("gpu_instance_types", INSTANCE_TYPE_PATTERN, like="instance types such as p5.48xlarge")


def _families_if(condition: str) -> str:
    """The well-formed types whose `family` meets a condition, in HCL. The construct has the local."""
    return f"[for type, family in local.gpu_type_families : type if {condition}]"


def _is_of(families: Sequence[str], instance_type: str) -> bool:
    return family(instance_type) in families


@cache
def gpu_type_rules() -> tuple[Elements, ...]:
    """What well-formed types must be."""
    return (
        Elements(
            "gpu_types_without_nvidia_gpus",
            _families_if("contains(local.families_without_nvidia_gpus, family)"),
            lambda name: family(name) in families_without_nvidia_gpus(),
            "gpu_instance_types must have NVIDIA GPUs (got {found}): pods of the GPU pool request nvidia.com/gpu.",
        ),
        Elements(
            "gpu_types_with_a_fraction_of_a_gpu",
            _families_if(f"contains({json.dumps(families_with_a_fraction_of_a_gpu())}, family)"),
            lambda name: family(name) in families_with_a_fraction_of_a_gpu(),
            "gpu_instance_types must have whole GPUs (got {found}): Karpenter counts a fraction of a GPU as 0.",
        ),
        Elements(
            "gpu_types_with_arm64_cpus",
            _families_if(matches("family", ARM64_GPU_FAMILY)),
            lambda name: found(ARM64_GPU_FAMILY, family(name)),
            "gpu_instance_types must have x86_64 CPUs (got {found}, which have arm64 CPUs): the GPU pool is amd64.",
        ),
    )


def types_without_drivers(*, kubernetes: str, bottlerocket: str) -> Iterator[Elements]:
    """A rule for each GPU that the driver of the nodes' Bottlerocket does not support."""
    for mismatch in mismatches(kubernetes=kubernetes, bottlerocket=bottlerocket):
        yield Elements(
            f"gpu_types_without_a_driver_for_{mismatch.gpu.replace('-', '_')}",
            _families_if(f"contains({json.dumps(mismatch.families)}, family)"),
            partial(_is_of, mismatch.families),
            f"gpu_instance_types must have GPUs that the driver of Bottlerocket supports (got {{found}}): {mismatch.why}",
        )


def seconds_of(duration: Expression) -> Expression:
    """The length of a duration; 0 for null and Never."""
    parts = f'regexall("([0-9]+)([smh])", {duration.hcl})'
    return Expression(
        f"{duration.hcl} == null ? 0 : sum(concat([0], [for part in {parts} : part[0] * {hcl(times.SECONDS)}[part[1]]]))"
    )


def limit_below(smallest: str, limit: str) -> str:
    """The message about a limit with which Karpenter never launches a node. An unknown type counts as 1 GPU."""
    return (
        f"gpu_limit must be at least {smallest}, the GPUs of the smallest of gpu_instance_types (got {limit}): with a lower limit "
        "Karpenter never launches a node."
    )


def more_than_fit(name: str, limit: str, addresses: str, told: str, *, zone: str | None = None) -> str:
    """The message about a limit whose nodes do not all find addresses in one zone.

    Args:
        name: of the limit.
        limit: its value.
        addresses: those of a zone.
        told: the types, by `nodes_that_fit`.
        zone: the zone in which all nodes are; None if Karpenter chooses among several.
    """
    must = "should not exceed what one zone has addresses for, because GPU capacity is often in a single zone"
    if zone:
        must = f"must not exceed what {zone} has addresses for, because EFA needs all nodes in one zone"
    return (
        f"{name} {must} (got {limit}). "
        f"A zone has {addresses} addresses for nodes and pods: {told}. Lower the limit, let nodes take fewer addresses with "
        "vpc_cni, or add a network with secondary_cidr: docs/ip-addresses.md."
    )


def nodes_that_fit(instance_type: str, *, fitting: str, nodes: str, gpus: str, addresses: str) -> str:
    """How many nodes of a type find addresses in a zone, in words."""
    return f"{fitting} of {nodes} nodes {instance_type} fit, with {gpus} GPUs, at {addresses} addresses a node"


def addresses_together(pools: Mapping[str, Addresses]) -> str:
    """How many addresses the nodes of pools take in one zone, in words."""
    told = "; ".join(
        f"{one.nodes} nodes {one.instance_type} of {name} take {one.total}, at {one.each} addresses a node"
        for name, one in pools.items()
    )
    return f"{told}; together {sum(one.total for one in pools.values())}"


@dataclass(frozen=True, kw_only=True)
class NodePoolOptions:
    """Which nodes Karpenter may create."""

    default_pool: Annotated[bool, POOL] = True
    """Whether there is the pool default, for pods that do not need a GPU. Without the pool, its nodes end."""
    default_data_volume: Annotated[DataVolume | None, Change.DRIFT] = None
    """The EBS volume for images and pods of pool default; None for Karpenter's 20 GiB."""
    default_soci: Annotated[SociParallelPull | None, Change.DRIFT] = GENERAL_SOCI
    """How nodes of pool default pull images; None to pull without SOCI."""
    gpu_spot_pool: Annotated[bool, POOL] = True
    """Whether there is the pool gpu-spot, to which `gpu_soci`, `gpu_sharing`, `gpu_instance_types`, `gpu_capacity_type`,
    `gpu_limit` and `gpu_expire_after` belong. Without the pool, its nodes end."""
    gpu_soci: Annotated[SociParallelPull | None, Change.DRIFT] = GPU_SOCI
    """How nodes of pool gpu-spot pull images; None to pull without SOCI."""
    gpu_sharing: Annotated[TimeSlicing | Mps | None, Change.DRIFT] = None
    """How pods share a GPU of pool gpu-spot. `gpu_limit` and prices count whole GPUs. See docs/gpu-sharing.md."""
    gpu_instance_types: Annotated[
        Sequence[str] | None,
        TYPES,
        Variable((HAS_ELEMENTS, WITHOUT_NULLS), required=True),
    ] = None
    """Instance types of the GPU node pool, such as p5.48xlarge (8 H100). Karpenter launches a type that has capacity."""
    gpu_capacity_type: Annotated[Sequence[str], TYPES, Variable((HAS_ELEMENTS, WITHOUT_NULLS))] = ("spot",)
    """How GPU nodes are bought: spot, on-demand, reserved. Karpenter prefers reserved, then spot, then on-demand."""
    gpu_limit: Annotated[int | None, Change.IN_PLACE, Variable(GPU_LIMIT)] = None
    """Maximum number of GPUs of all nodes of the GPU pool together; null for no limit."""
    gpu_drift_budget: Annotated[str | None, BUDGETS, Variable(GPU_DRIFT_BUDGET)] = None
    """GPU nodes that Karpenter may replace at a time because they drifted, for example from an older Bottlerocket release: a
    number, a percentage, or null for Karpenter's own 10%. Applies to gpu-spot, and to each of gpu_pools without budgets."""
    gpu_expire_after: Annotated[str | None, Change.DRIFT, Variable(GPU_EXPIRE_AFTER)] = None
    """How old a node of gpu-spot may get before Karpenter replaces it, such as 2160h, or Never; null for Karpenter's own 720h.
    Budgets do not delay this."""
    gpu_pools: Annotated[Sequence[GpuPool], Change.IN_PLACE] = ()
    """GPU node pools in addition to the default pool gpu-spot."""
    general_pools: Annotated[Sequence[GeneralPool], Change.IN_PLACE] = ()
    """Node pools without GPUs in addition to the default pool default."""
    bottlerocket_version: Annotated[str, Change.DRIFT, BOTTLEROCKET] = "latest"
    """Bottlerocket release of Karpenter's nodes: latest, or a version such as v1.53.0."""
    node_tags: Annotated[Mapping[str, str], Change.DRIFT, user_tags] = field(default_factory=dict)
    """Tags of the EC2 instances that Karpenter creates."""
    wait_for_nodes: Annotated[bool, Change.IN_PLACE] = False
    """Make a destroy wait until Karpenter has removed the nodes of a pool. Takes effect after an apply."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        yield from self._wrong_literals()
        yield from self._wrong_tags()
        defaults = {field.name: field.default for field in fields(NodePoolOptions)}
        for name, switch in sorted(self.unused_options().items()):
            if (given := getattr(self, name)) != defaults[name]:
                yield f"{name} must not be set if {switch} is False (got {shortened(given)}): nothing would use the value."
        pools = [*self.gpu_pools, *self.general_pools]
        names = [pool.name for pool in pools]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"gpu_pools and general_pools must not contain two pools named {name!r}."
        for kind, listed, default in (
            ("gpu_pools", self.gpu_pools, GPU_POOL if self.gpu_spot_pool else None),
            ("general_pools", self.general_pools, GENERAL_POOL if self.default_pool else None),
        ):
            judged = [pool for pool in listed if names.count(pool.name) == 1 and pool.name not in REFERENCE_NAMES]
            for pool, other in overlaps(judged, beside=default):
                yield (
                    f'{kind}["{pool.name}"] must differ from pool {other} in weight, or in a label or taint, because both could '
                    "take the same pod. Set a weight, for example."
                )

    def unused_options(self) -> dict[str, str]:
        """The options that only a pool has that is off, each with the option that turns the pool off."""
        unused = {} if self.default_pool else dict.fromkeys(("default_data_volume", "default_soci"), "default_pool")
        if self.gpu_spot_pool:
            return unused
        of_pool = ["gpu_soci", "gpu_sharing", "gpu_instance_types", "gpu_capacity_type", "gpu_limit", "gpu_expire_after"]
        if not any(isinstance(pool, GpuPool) and not pool.budgets for pool in self.gpu_pools or ()):
            of_pool.append("gpu_drift_budget")
        return unused | dict.fromkeys(of_pool, "gpu_spot_pool")

    def _wrong_literals(self) -> Iterator[str]:
        """Values of variables that a plan would refuse. Those that Terraform knows are for the plan to judge."""
        types, capacity, limit, drift = self.gpu_instance_types, self.gpu_capacity_type, self.gpu_limit, self.gpu_drift_budget
        if not is_expression(capacity):
            yield from filter(None, [DISTINCT.mistake("gpu_capacity_type", capacity), KNOWN_CAPACITY_TYPES.mistake(capacity)])
            yield from filter(None, [NOT_RESERVED_ALONE.mistake("gpu_capacity_type", capacity)])
        if drift is not None and not is_expression(drift) and (mistake := GPU_DRIFT_BUDGET_SIZE.mistake("gpu_drift_budget", drift)):
            yield mistake
        if (
            (expiry := self.gpu_expire_after) is not None
            and not is_expression(expiry)
            and not any(mistakes("", expiry, GPU_EXPIRE_AFTER))
        ):
            yield from mistakes("gpu_expire_after", expiry, GPU_EXPIRE_AFTER_LENGTH)
        if types is None or is_expression(types):
            return
        yield from filter(None, [DISTINCT.mistake("gpu_instance_types", types), WELL_FORMED_TYPES.mistake(types)])
        formed = [name for name in types if not WELL_FORMED_TYPES.wrong(name)]
        yield from (mistake for rule in gpu_type_rules() if (mistake := rule.mistake(formed)))
        smallest = min([gpus_by_type().get(name, 1) for name in types], default=1)
        if limit is None or is_expression(limit):
            return
        if 1 <= limit < smallest:
            yield limit_below(str(smallest), str(limit))
        elif mistake := GPU_LIMIT_SIZE.mistake("gpu_limit", limit):
            yield mistake

    def _wrong_tags(self) -> Iterator[str]:
        """Tags that AWS refuses together on an instance."""
        of_all = list(wrong_node_tags(self.node_tags))
        yield from (f"node_tags {text}." for text in of_all)
        for kind, pools in (("gpu_pools", self.gpu_pools), ("general_pools", self.general_pools)):
            for pool in pools:
                together = wrong_node_tags({**self.node_tags, **pool.tags}) if pool.tags else ()
                yield from (f'{kind}["{pool.name}"].tags with node_tags {text}.' for text in together if text not in of_all)

    def takes_any_pod(self) -> bool:
        """Whether there is a pool for pods without tolerations, which may have nodes."""
        return self.default_pool or any(
            pool.replicas != 0 and all(taint.effect == "PreferNoSchedule" for taint in pool.taints) for pool in self.general_pools
        )

    def fixed_pools(self) -> list[Pool]:
        """The pools with a fixed number of nodes, for which Karpenter needs a gate."""
        return [pool for pool in (*self.gpu_pools, *self.general_pools) if pool.replicas is not None]

    @property
    def efa_pools(self) -> list[GpuPool]:
        """The pools with EFA."""
        return [pool for pool in self.gpu_pools if pool.efa]

    def shared_efa_zones(self) -> dict[str, list[GpuPool]]:
        """The zones of several pools with EFA, each with its pools."""
        by_zone: dict[str, list[GpuPool]] = {}
        for pool in self.efa_pools:
            by_zone.setdefault(pool.zones[0], []).append(pool)
        return {zone: pools for zone, pools in by_zone.items() if len(pools) > 1}

    @property
    def placement_groups(self) -> list[str]:
        """The names of the pools whose nodes are in a placement group."""
        return [pool.name for pool in self.gpu_pools if pool.placement_group]

    def newer_than(self, karpenter: str) -> Iterator[str]:
        """Values of pools that a release of Karpenter does not know, and would ignore or refuse."""
        for kind, pools in (("gpu_pools", self.gpu_pools), ("general_pools", self.general_pools)):
            for pool in pools:
                for newer in pool.newer_fields():
                    if parts(karpenter) < parts(newer.since):
                        yield (
                            f'{kind}["{pool.name}"].{newer.name} must {newer.must} before Karpenter {newer.since} (got '
                            f"{newer.given!r}, karpenter_version {karpenter}). Upgrade Karpenter first: docs/upgrading.md."
                        )

    def mixed_layouts(self, karpenter: str) -> Iterator[str]:
        """Pools with types that a release of Karpenter cannot launch with one node class."""
        for pool in self.gpu_pools if names_network_interfaces(karpenter) else ():
            if mistake := pool.mixed_layouts():
                yield f'gpu_pools["{pool.name}"].{mistake}'

    def shared(self) -> list[str]:
        """The fields by which pods share GPUs."""
        pools = [f'gpu_pools["{pool.name}"].sharing' for pool in self.gpu_pools if pool.sharing]
        return [*(["gpu_sharing"] if self.gpu_sharing else []), *pools]

    def wrong_bottlerocket(self, *, kubernetes: str, karpenter: str) -> Iterator[str]:
        """Bottlerocket releases that these versions of Kubernetes and Karpenter, or the GPUs of a pool, cannot use."""
        wrong = partial(self._wrong_release, kubernetes=kubernetes, karpenter=karpenter)
        gpu = self.gpu_spot_pool and self.gpu_soci is not None
        if self.gpu_spot_pool or self.default_pool:
            soci = gpu or (self.default_pool and self.default_soci is not None)
            yield from wrong("", self.bottlerocket_version, soci=soci, nvme=gpu, mps=isinstance(self.gpu_sharing, Mps))
        # With SOCI, pool gpu-spot needs what any pool needs, but for MPS: what it is refused for is not said again.
        for kind, nvme, pools in (("gpu_pools", True, self.gpu_pools), ("general_pools", False, self.general_pools)):
            for pool in pools:
                mps = isinstance(pool, GpuPool) and isinstance(pool.sharing, Mps)
                said = gpu and (not mps or isinstance(self.gpu_sharing, Mps))
                version = pool.bottlerocket_version or ("latest" if said else self.bottlerocket_version)
                yield from wrong(f'{kind}["{pool.name}"].', version, soci=pool.soci is not None, nvme=nvme, mps=mps)
        yield from self._without_drivers(kubernetes)

    def _wrong_release(
        self, place: str, version: str, *, soci: bool, nvme: bool, mps: bool, kubernetes: str, karpenter: str
    ) -> Iterator[str]:
        """A Bottlerocket release that the nodes of a pool cannot run."""
        if BOTTLEROCKET(version):
            return  # the check of the field reports it
        mounts_disks_itself = soci and not mounts_all_disks(karpenter)
        if mistake := bottlerocket_mistake(
            version, kubernetes=kubernetes, soci=soci, nvme=nvme, mounts_disks_itself=mounts_disks_itself, mps=mps
        ):
            yield f"{place}{mistake}"

    def _without_drivers(self, kubernetes: str) -> Iterator[str]:
        """GPU pools whose nodes would not have a driver for their GPUs."""
        if self.gpu_instance_types and not is_expression(self.gpu_instance_types) and not BOTTLEROCKET(self.bottlerocket_version):
            rules = types_without_drivers(kubernetes=kubernetes, bottlerocket=self.bottlerocket_version)
            yield from (mistake for rule in rules if (mistake := rule.mistake(self.gpu_instance_types)))
        for pool in self.gpu_pools:
            bottlerocket = pool.bottlerocket_version or self.bottlerocket_version
            if BOTTLEROCKET(bottlerocket):
                continue
            for mismatch in mismatches(kubernetes=kubernetes, bottlerocket=bottlerocket):
                if found := [name for name in pool.types() if family(name) in mismatch.families]:
                    given = [v for v in getattr(pool, pool.types_field()) if v in (*found, *mismatch.families, mismatch.gpu)]
                    types = "" if given == found else f", which stands for {', '.join(found)}"
                    yield (
                        f'gpu_pools["{pool.name}"].{pool.types_field()} must have GPUs that the driver of Bottlerocket supports '
                        f"(got {given!r}{types}): {mismatch.why}"
                    )
