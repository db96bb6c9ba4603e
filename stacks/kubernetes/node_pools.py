"""Karpenter's objects: the default general and GPU node pools and the pools of the configuration, each with a node class."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from imports.kubectl import KubectlManifest

from cdktf import ITerraformDependable
from constructs import Construct

from stacks.aws.gpu_types import GpuTypes
from stacks.aws.offerings import MOST_TYPES, offered
from stacks.config import GeneralPool, GpuPool, Taint
from stacks.config.checks import ConfigurationError
from stacks.config.common import Common
from stacks.config.node_pools import (
    GPU_DRIFT_BUDGET_SIZE,
    GPU_EXPIRE_AFTER_LENGTH,
    GPU_EXPIRE_AFTER_SECONDS,
    KNOWN_CAPACITY_TYPES,
    NOT_RESERVED_ALONE,
    NodePoolOptions,
    addresses_together,
    more_than_fit,
    nodes_that_fit,
    seconds_of,
)
from stacks.config.pools import (
    CATEGORIES,
    CPUS,
    DEFAULT_CPU_LIMIT,
    GENERAL_POOL,
    GPU_POOL,
    GPU_TAINT,
    Addresses,
    Pool,
    Sharing,
)
from stacks.hcl.expressions import Expression, hcl
from stacks.hcl.rules import DISTINCT, EmptyList, Rule
from stacks.knowledge import catalogue
from stacks.knowledge.versions import mounts_all_disks, names_network_interfaces
from stacks.kubernetes import bottlerocket
from stacks.kubernetes.karpenter import Karpenter
from stacks.kubernetes.manifests import NodeClass, NodePool, Requirement
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class NodePools(Addressed):
    """The nodes that Karpenter may create.

    Args:
        karpenter: the controller that reads the objects.
        placement_groups: the names of the placement groups, by the name of their pool.
        after: what nodes need until they are gone, such as the drivers of their volumes.

    Attributes:
        pools: the NodePools.
        with_efa: those with EFA, by name.
        takes_any_pod: whether one of them takes pods without tolerations.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        common: Common,
        *,
        karpenter: Karpenter,
        options: NodePoolOptions,
        placement_groups: Mapping[str, str] | None = None,
        after: Sequence[ITerraformDependable] = (),
    ) -> None:
        super().__init__(scope, id)
        check_arguments(NodePools, common=common, karpenter=karpenter, options=options)
        versions = {"kubernetes": karpenter.cluster.control_plane.kubernetes_version, "karpenter": karpenter.version}
        found = [*options.newer_than(karpenter.version), *options.mixed_layouts(karpenter.version)]
        found += options.wrong_bottlerocket(**versions)
        if not karpenter.static_capacity and (fixed := options.fixed_pools()):
            found.append(f"pools with replicas need Karpenter(..., static_capacity=True) (got pool {fixed[0].name}).")
        self._placement_groups = placement_groups = placement_groups or {}
        if missing := [name for name in options.placement_groups if name not in placement_groups]:
            found.append(
                f'gpu_pools["{missing[0]}"].placement_group must be False unless NodePools knows the group (got True). Give '
                "NodePools placement_groups."
            )
        if options.efa_pools and not karpenter.cluster.efa:
            found.append(
                f'gpu_pools["{options.efa_pools[0].name}"].efa must be False unless the cluster lets EFA traffic pass (got True). '
                "Give Cluster efa=True."
            )
        if options.gpu_spot_pool and options.gpu_instance_types is None:
            found.append("gpu_instance_types must be given, unless gpu_spot_pool is False.")
        if found:
            raise ConfigurationError("\n".join(f"NodePools.options.{mistake}" for mistake in found))
        self._common, self._karpenter, self._options, self._after = common, karpenter, options, after
        self.pools: list[KubectlManifest] = []
        self.takes_any_pod = options.takes_any_pod()
        self._azs = karpenter.cluster.network.azs
        self.with_efa: dict[str, ITerraformDependable] = {}
        if options.default_pool:
            self._add_objects("default", self._default())
        budgets: Expression | None = None
        if "gpu_drift_budget" not in options.unused_options():
            drift = self.as_expression("gpu_drift_budget", options.gpu_drift_budget)
            # Any budget replaces Karpenter's default of 10%, so this list repeats the default for the other reasons.
            budgets = Expression(
                f'{drift.hcl} == null ? null : [{{nodes = "10%"}}, {{nodes = {drift.hcl}, reasons = ["Drifted"]}}]'
            )
            if options.gpu_spot_pool:
                self._add_objects("gpu", self._gpu_spot(budgets), nullable=True)
                budgets = Expression("local.nodepool_gpu.spec.disruption.budgets")
            else:
                budgets = self.add_local("gpu_drift_budgets", budgets)
            self.require(GPU_DRIFT_BUDGET_SIZE.rule("gpu_drift_budget", drift))
        for pool in (*options.gpu_pools, *options.general_pools):
            made = self._configured(pool, budgets if isinstance(pool, GpuPool) else None)
            object_ = self._add_objects(pool.name, made, nullable=isinstance(made.budgets, Expression))
            if isinstance(pool, GpuPool) and pool.efa:
                self.with_efa[pool.name] = object_
                self.require(self._within_zone(pool))
            if pool.zones:
                self.require(self._zones_of_other_networks(pool))
            if common.offering_checks:
                self._check_offerings(pool)
        self.require(*(self._together_within_zone(zone, pools) for zone, pools in options.shared_efa_zones().items()))

    def _node_class(self, pool: Pool, *, name: str, gpu: bool, sharing: Sharing | None = None) -> NodeClass:
        tags = {**self._options.node_tags, **pool.tags}
        layouts = pool.layouts() if isinstance(pool, GpuPool) and names_network_interfaces(self._karpenter.version) else ()
        return NodeClass(
            name=name,
            role=self._karpenter.node_role_name,
            discovery=self._common.name,
            user_data=bottlerocket.user_data(
                pool.soci, mounts_disks=gpu and not mounts_all_disks(self._karpenter.version), sharing=sharing
            ),
            instance_store_policy="RAID0" if gpu else None,
            tags={**GPU_LABEL, **tags} if gpu else tags,
            data_volume=pool.data_volume,
            capacity_reservations=pool.capacity_reservations,
            network_interfaces=[interface for layout in layouts for interface in layout.interfaces()],
            placement_group=self._placement_groups.get(pool.name),
            ami_alias=f"bottlerocket@{pool.bottlerocket_version or self._options.bottlerocket_version}",
        )

    def _default(self) -> NodePool:
        pool = replace(DEFAULT, data_volume=self._options.default_data_volume, soci=self._options.default_soci)
        return NodePool(
            pool=pool,
            node_class=self._node_class(pool, name=pool.name, gpu=False),
            requirements=[AMD64, *_shape(CATEGORIES, CPUS)],
            limits={"cpu": DEFAULT_CPU_LIMIT},
        )

    def _gpu_spot(self, budgets: Expression) -> NodePool:
        """The pool whose values are variables, with the rules for them."""
        names = ("gpu_instance_types", "gpu_capacity_type", "gpu_limit", "gpu_expire_after")
        types, capacity, limit, expiry = (self.as_expression(name, getattr(self._options, name)) for name in names)
        self.add_local(GPU_EXPIRE_AFTER_SECONDS, seconds_of(expiry))
        self.require(
            DISTINCT.rule("gpu_capacity_type", capacity),
            KNOWN_CAPACITY_TYPES.rule(capacity),
            NOT_RESERVED_ALONE.rule("gpu_capacity_type", capacity),
            *(must.rule("gpu_expire_after", expiry) for must in GPU_EXPIRE_AFTER_LENGTH),
        )
        GpuTypes(
            self,
            "gpu_types",
            types=types,
            limit=limit,
            azs=self._azs,
            addresses_per_zone=self._addresses_per_zone,
            addresses_by_type=self._karpenter.cluster.control_plane.addresses_by_type(),
            offering_checks=self._common.offering_checks,
            kubernetes_version=self._karpenter.cluster.control_plane.kubernetes_version,
            bottlerocket_version=self._options.bottlerocket_version,
        )
        self.explain(
            "locals",
            nodepool_gpu="taints: keeps pods that do not need a GPU off expensive nodes. consolidateAfter: keeps an empty GPU node "
            "for the next job, because Spot capacity may not be available again. budgets: any budget replaces Karpenter's default "
            "of 10%, so the list repeats the default for the other reasons.",
        )
        pool, sharing = replace(GPU_SPOT, soci=self._options.gpu_soci, expire_after=expiry), self._options.gpu_sharing
        most = f'"{GPU_TAINT}" = {limit.hcl}'
        if sharing:  # as GpuPool.limits_in_shares
            known = self.add_local("vcpus_per_gpu", catalogue.vcpus_per_gpu())
            vcpus = f"lookup({known.hcl}, type, {catalogue.UNKNOWN_VCPUS_PER_GPU})"
            most += f" * {sharing.replicas}, cpu = {limit.hcl} * max([for type in {types.hcl} : {vcpus}]...)"
        return NodePool(
            pool=pool,
            node_class=self._node_class(pool, name="gpu", gpu=True, sharing=sharing),
            requirements=[_is_in(CAPACITY_TYPE_LABEL, capacity), AMD64, _is_in(INSTANCE_TYPE_LABEL, types)],
            taints=pool.all_taints(),
            labels={**GPU_LABEL, "nodepool": pool.name},
            limits=Expression(f"{limit.hcl} == null ? null : {{{most}}}"),
            budgets=budgets,
        )

    def _configured(self, pool: Pool, budgets: Expression | None) -> NodePool:
        """A pool of the configuration; `budgets` for a pool that names none."""
        gpu, sharing = isinstance(pool, GpuPool), pool.sharing if isinstance(pool, GpuPool) else None
        zones = [_is_in("topology.kubernetes.io/zone", pool.zones)] if pool.zones else []
        return NodePool(
            pool=pool,
            node_class=self._node_class(pool, name=pool.name, gpu=gpu, sharing=sharing),
            requirements=[_is_in(CAPACITY_TYPE_LABEL, pool.capacity_types), AMD64, *zones, *_types_of(pool)],
            limits=pool.limits_in_shares() if isinstance(pool, GpuPool) else pool.limits(),
            budgets=pool.budgets or budgets or (),
            labels={**(GPU_LABEL if gpu else {}), "nodepool": pool.name, **pool.labels},
            taints=pool.all_taints(),
        )

    def _add_objects(self, name: str, pool: NodePool, *, nullable: bool = False) -> KubectlManifest:
        """A node class after Karpenter, and the pool after its node class; returns the pool."""
        class_name, pool_name = f"ec2nodeclass_{name}", f"nodepool_{name}"
        for kind, made in (("EC2NodeClass", pool.node_class.name), ("NodePool", pool.pool.name)):
            self.reserve(f"{kind} {made}")
        # EC2 refuses to delete a placement group with nodes in it.
        wait = self._options.wait_for_nodes or pool.node_class.placement_group is not None or None
        # As a local, a manifest is data in the JSON, and Terraform's yamlencode quotes its strings.
        node_class = self.add_local(class_name, pool.node_class.manifest())
        manifest = self.add_local(pool_name, pool.manifest())
        after = self.add(
            KubectlManifest,
            f"kubectl_manifest.{class_name}",
            yaml_body=Expression(f"yamlencode({node_class.hcl})"),
            wait=wait,
            depends_on=[self._karpenter.release, *self._after],
        )
        object_ = self.add(
            KubectlManifest,
            f"kubectl_manifest.{pool_name}",
            yaml_body=Expression(f"yamlencode({_without_nulls(manifest.hcl) if nullable else manifest.hcl})"),
            wait=wait,
            depends_on=[after],
        )
        self.pools.append(object_)
        return object_

    def _zones_of_other_networks(self, pool: Pool) -> EmptyList:
        return EmptyList(
            f"nodepool_{pool.name}_zones_of_other_networks",
            f"setsubtract({hcl(list(pool.zones))}, {self._azs.hcl})",
            f"The zones of pool {pool.name} must be zones of the network (got {{found}}). Its zones are "
            f'${{join(", ", {self._azs.hcl})}}.',
        )

    def _within_zone(self, pool: GpuPool) -> Rule:
        """All nodes of a pool with EFA find addresses in its zone, also if they all have the type that takes the most."""
        most, zone = self._most_addresses(pool), self._addresses_per_zone
        fitting = f"floor({zone.hcl} / {most.each})"
        told = nodes_that_fit(
            most.instance_type,
            fitting=f"${{{fitting}}}",
            nodes=str(most.nodes),
            gpus=f"${{{fitting} * {catalogue.gpus_by_type()[most.instance_type]}}}",
            addresses=str(most.each),
        )
        return Rule(
            f"{zone.hcl} >= {most.total}",
            more_than_fit(f"The limit of pool {pool.name}", str(pool.limit), zone, told, zone=pool.zones[0]),
        )

    def _together_within_zone(self, zone: str, pools: Sequence[GpuPool]) -> Rule:
        """The nodes of all pools with EFA find addresses in their zone."""
        most = {pool.name: self._most_addresses(pool) for pool in pools}
        limits, there = " and ".join(str(pool.limit) for pool in pools), self._addresses_per_zone
        return Rule(
            f"{there.hcl} >= {sum(one.total for one in most.values())}",
            more_than_fit(f"The limits of pools {' and '.join(most)} together", limits, there, addresses_together(most), zone=zone),
        )

    def _most_addresses(self, pool: GpuPool) -> Addresses:
        efa = pool.efa_interface(self._karpenter.version)
        return pool.most_addresses(self._karpenter.cluster.control_plane.addresses_by_type(efa=efa))

    @cached_property
    def _addresses_per_zone(self) -> Expression:
        """A number, of the addresses for nodes and pods in each zone."""
        return self.add_local("addresses_per_zone", self._karpenter.cluster.network.addresses_per_zone)

    def _check_offerings(self, pool: Pool) -> None:
        """What EC2 offers of a pool's types: a refusal of unknown sizes of known families, a warning where no zone has any type.

        Of a pool with EFA, the one zone must have every type.

        Not for pools with more types than EC2 takes in a question: a region offers some of so many.
        """
        types = pool.known_types() + [f"{family}.*" for family in pool.unknown().get("families", [])]
        if len(types) > MOST_TYPES:
            return
        # In the manifest of most pools the list stands already.
        listed = _types_in(pool) if pool.types() else types
        asked = offered(self, f"nodepool_{pool.name}", self.add_local(f"nodepool_{pool.name}_types", listed))
        if unknown := [name for name in pool.unknown().get("instance_types", []) if catalogue.sizes(name)]:
            self.require(_unknown_sizes(pool, unknown, asked))
        if isinstance(pool, GpuPool) and pool.efa:
            self.require(_not_in_its_zone(pool, asked, self._azs))
            return
        zones = hcl(list(pool.zones)) if pool.zones else self._azs.hcl
        self.add_check(
            f"nodepool_{pool.name}_types_are_offered",
            Rule(
                f"length(setintersection({asked.hcl}.locations, {zones})) > 0",
                f"EC2 does not offer any instance type of pool {pool.name} in the zones that the pool uses. Choose other instance "
                "types or zones.",
            ),
        )


def _not_in_its_zone(pool: Pool, offered: Expression, azs: Expression) -> EmptyList:
    """The types that the zone lacks. A zone of another network has a rule of its own, and offers nothing here."""
    types, (zone,) = f"local.nodepool_{pool.name}_types", pool.zones
    there = f'[for k, type in {offered.hcl}.instance_types : type if {offered.hcl}.locations[k] == "{zone}"]'
    return EmptyList(
        f"nodepool_{pool.name}_types_not_in_its_zone",
        f'contains({azs.hcl}, "{zone}") ? setsubtract({types}, {there}) : []',
        f"The instance types of pool {pool.name} must be types that EC2 offers in {zone} (got {{found}}), because EFA needs all "
        "nodes in one zone. Remove these types, or choose another zone.",
    )


def _unknown_sizes(pool: Pool, unknown: Sequence[str], offered: Expression) -> EmptyList:
    """EC2 is asked, because it adds sizes to the families that the catalogue knows."""
    known = [size for name in dict.fromkeys(map(catalogue.family, unknown)) for size in catalogue.sizes(name)]
    return EmptyList(
        f"nodepool_{pool.name}_types_of_unknown_size",
        f"setsubtract({hcl(list(unknown))}, {offered.hcl}.instance_types)",
        f"The instance types of pool {pool.name} must be sizes that EC2 offers (got {{found}}). The known sizes are "
        f"{', '.join(known)}.",
    )


def _types_in(pool: Pool) -> Expression:
    """The instance types in the manifest of a pool, so that a long list stands once in the JSON."""
    requirements = f"local.nodepool_{pool.name}.spec.template.spec.requirements"
    return Expression(f'flatten([for one in {requirements} : one.values if one.key == "{INSTANCE_TYPE_LABEL}"])')


def _without_nulls(pool: str) -> str:
    """`pool` without the fields of its spec, its disruption and its nodes that a variable left null, which Karpenter refuses."""
    spec, disruption, node = (
        f"{{for k, v in {pool}.{path} : k => v if v != null}}" for path in ("spec", "spec.disruption", "spec.template.spec")
    )
    template = f"merge({pool}.spec.template, {{spec = {node}}})"
    return f"merge({pool}, {{spec = merge({spec}, {{disruption = {disruption}, template = {template}}})}})"


GPU_LABEL = {"gpu-type": "nvidia"}

# The default pools, as far as no variable decides. The HCL gives no expiry, which is Karpenter's own 720h then.
DEFAULT = Pool(GENERAL_POOL, consolidate_after="30s", expire_after="")
GPU_SPOT = Pool(GPU_POOL, taints=[Taint(key=GPU_TAINT, value="true")], expire_after="")

CAPACITY_TYPE_LABEL = "karpenter.sh/capacity-type"
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"
INSTANCE_LABEL = "karpenter.k8s.aws/instance-"


def _is_in(key: str, values: Sequence[str]) -> Requirement:
    return Requirement(key=key, operator="In", values=values)


AMD64 = _is_in("kubernetes.io/arch", ["amd64"])


def _types_of(pool: Pool) -> list[Requirement]:
    """Which instance types a pool of the configuration uses."""
    if types := pool.types():
        return [_is_in(INSTANCE_TYPE_LABEL, types)]
    if pool.families:
        return [_is_in(f"{INSTANCE_LABEL}family", pool.families)]
    assert isinstance(pool, GeneralPool)  # noqa: S101  (a GPU pool has types)
    return _shape(pool.categories, pool.cpus)


def _shape(categories: Sequence[str], cpus: Sequence[int]) -> list[Requirement]:
    """Instance types by category and size, of a recent generation."""
    return [
        _is_in(f"{INSTANCE_LABEL}category", categories),
        _is_in(f"{INSTANCE_LABEL}cpu", list(map(str, cpus))),
        _is_in(f"{INSTANCE_LABEL}hypervisor", ["nitro"]),
        Requirement(key=f"{INSTANCE_LABEL}generation", operator="Gt", values=["2"]),
    ]
