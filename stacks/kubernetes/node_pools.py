"""Karpenter's objects: the default general and GPU node pools and the pools of the configuration, each with a node class."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from imports.expressions import Expression, hcl
from imports.kubectl import KubectlManifest

from constructs import Construct

from stacks.aws.offerings import MOST_TYPES, offered
from stacks.config import GeneralPool, GpuPool, SociParallelPull, Taint, catalogue
from stacks.config.checks import whole
from stacks.config.pools import CATEGORIES, CPUS, GENERAL_SOCI, GPU_SOCI, GPU_TAINT, Pool
from stacks.config.rules import Finding, Rule, gpu_drift_budget_size
from stacks.config.versions import mounts_all_disks
from stacks.kubernetes import bottlerocket
from stacks.kubernetes.karpenter import Karpenter
from stacks.kubernetes.manifests import NodeClass, NodePool, Requirement
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class NodePools(Addressed):
    """The nodes that Karpenter may create.

    Args:
        karpenter: the controller that reads the objects.
        discovery: the value of the tag `karpenter.sh/discovery` on the subnets and security groups to use.
        gpu_instance_types: a list, for the reference's GPU pool.
        gpu_capacity_type: the capacity types of the GPU pool: any of spot, on-demand and reserved.
        gpu_limit: a number of GPUs, or null, for that pool.
        gpu_drift_budget: how many nodes may be replaced at a time because they drifted, or null, for that pool and for each of
            `gpu_pools` without budgets of its own.
        gpu_pools, general_pools: further pools.
        offering_checks: whether a plan asks EC2 where it offers the types of further pools.
        bottlerocket_version: the Bottlerocket release of nodes whose pool names none.
        node_tags: the tags of all EC2 instances, beside those of a pool.
        wait_for_nodes: whether a destroy waits until Karpenter has removed a pool's nodes.

    Attributes:
        requirements: what must hold before anything is created, as preconditions.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        karpenter: Karpenter,
        discovery: str,
        gpu_instance_types: Sequence[str],
        gpu_capacity_type: Sequence[str] = ("spot",),
        gpu_limit: Annotated[float | Expression | None, whole] = None,
        gpu_drift_budget: str | None = None,
        gpu_pools: Sequence[GpuPool] = (),
        general_pools: Sequence[GeneralPool] = (),
        offering_checks: bool = True,
        bottlerocket_version: str = "latest",
        node_tags: Mapping[str, str] | None = None,
        wait_for_nodes: bool = False,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        self._karpenter = karpenter
        self._discovery = discovery
        self._bottlerocket = bottlerocket_version
        self._tags = dict(node_tags or {})
        self._wait = True if wait_for_nodes else None
        drift = self.bind("gpu_drift_budget", gpu_drift_budget)
        self.requirements: list[Rule] = [gpu_drift_budget_size(drift)]
        reference_gpu = self._reference_gpu(
            self.bind("gpu_instance_types", gpu_instance_types),
            self.bind("gpu_capacity_type", gpu_capacity_type),
            self.bind("gpu_limit", gpu_limit),
            drift,
        )
        self._add_objects("default", self._reference_general())
        self._add_objects("gpu", reference_gpu, nullable=True)
        for pool in (*gpu_pools, *general_pools):
            made = self._further(pool)
            self._add_objects(pool.name, made, nullable=isinstance(made.budgets, Expression))
            if pool.zones:
                self.requirements += self.add_rules(self._zones_of_other_networks(pool))
            if offering_checks:
                self._check_offerings(pool)

    def _node_class(self, name: str, *, pull: SociParallelPull | None, gpu: bool, pool: Pool | None = None) -> NodeClass:
        tags = {**self._tags, **(pool.tags if pool else {})}
        return NodeClass(
            name=name,
            role=self._karpenter.node_role_name,
            discovery=self._discovery,
            user_data=bottlerocket.user_data(pull, mounts_disks=gpu and not mounts_all_disks(self._karpenter.version)),
            instance_store_policy="RAID0" if gpu else None,
            tags={**GPU_LABEL, **tags} if gpu else tags,
            data_volume=pool.data_volume if pool else None,
            ami_alias=f"bottlerocket@{(pool.bottlerocket_version if pool else None) or self._bottlerocket}",
        )

    def _reference_general(self) -> NodePool:
        return NodePool(
            name="default",
            node_class=self._node_class("default", pull=GENERAL_SOCI, gpu=False),
            requirements=[AMD64, *_shape(CATEGORIES, CPUS)],
            limits={"cpu": 1000},
            consolidate_after="30s",
        )

    def _reference_gpu(self, types: Expression, capacity: Expression, limit: Expression, drift: Expression) -> NodePool:
        self.explain(
            "locals",
            nodepool_gpu="taints: keeps pods that do not need a GPU off expensive nodes. consolidateAfter: keeps an empty GPU node "
            "for the next job, because Spot capacity may not be available again. budgets: any budget replaces Karpenter's default "
            "of 10%, so the list repeats the default for the other reasons.",
        )
        return NodePool(
            name="gpu-spot",
            node_class=self._node_class("gpu", pull=GPU_SOCI, gpu=True),
            requirements=[_is_in(CAPACITY_TYPE, capacity), AMD64, _is_in(INSTANCE_TYPE, types)],
            taints=[Taint(key=GPU_TAINT, value="true")],
            labels={**GPU_LABEL, "nodepool": "gpu-spot"},
            consolidate_after="1h",
            limits=Expression(f'{limit.hcl} == null ? null : {{"{GPU_TAINT}" = {limit.hcl}}}'),
            budgets=Expression(f'{drift.hcl} == null ? null : [{{nodes = "10%"}}, {{nodes = {drift.hcl}, reasons = ["Drifted"]}}]'),
        )

    def _further(self, pool: Pool) -> NodePool:
        """A pool of the configuration."""
        gpu = isinstance(pool, GpuPool)
        zones = [_is_in("topology.kubernetes.io/zone", pool.zones)] if pool.zones else []
        return NodePool(
            name=pool.name,
            node_class=self._node_class(pool.name, pull=pool.soci, gpu=gpu, pool=pool),
            requirements=[_is_in(CAPACITY_TYPE, pool.capacity_types), AMD64, *zones, *_types_of(pool)],
            consolidation_policy=pool.consolidation_policy,
            consolidate_after=pool.consolidate_after,
            expire_after=pool.expire_after,
            limits=pool.limits(),
            budgets=pool.budgets or (BUDGETS_OF_GPU_SPOT if gpu else ()),
            weight=pool.weight,
            labels={**(GPU_LABEL if gpu else {}), "nodepool": pool.name, **pool.labels},
            taints=pool.all_taints(),
        )

    def _add_objects(self, name: str, pool: NodePool, *, nullable: bool = False) -> None:
        """A node class after Karpenter, and the pool after its node class."""
        class_name, pool_name = f"ec2nodeclass_{name}", f"nodepool_{name}"
        for kind, made in (("EC2NodeClass", pool.node_class.name), ("NodePool", pool.name)):
            self.claim(f"{kind} {made}")
        # As a local, a manifest is data in the JSON, and Terraform's yamlencode quotes its strings.
        node_class = self.add_local(class_name, pool.node_class.manifest())
        manifest = self.add_local(pool_name, pool.manifest())
        after = self.add(
            KubectlManifest,
            f"kubectl_manifest.{class_name}",
            yaml_body=Expression(f"yamlencode({node_class.hcl})"),
            wait=self._wait,
            depends_on=[self._karpenter.release],
        )
        self.add(
            KubectlManifest,
            f"kubectl_manifest.{pool_name}",
            yaml_body=Expression(f"yamlencode({_without_nulls(manifest.hcl) if nullable else manifest.hcl})"),
            wait=self._wait,
            depends_on=[after],
        )

    def _zones_of_other_networks(self, pool: Pool) -> Finding:
        azs = self._karpenter.cluster.network.azs
        return Finding(
            f"nodepool_{pool.name}_zones_of_other_networks",
            f"setsubtract({hcl(list(pool.zones))}, {azs.hcl})",
            f"The zones of pool {pool.name} must be zones of the network (got {{found}}). Its zones are "
            f'${{join(", ", {azs.hcl})}}.',
        )

    def _check_offerings(self, pool: Pool) -> None:
        """What EC2 offers of a pool's types: a refusal of unknown sizes of known families, a warning where no zone has any type.

        Not for pools with more types than EC2 takes in a question: a region offers some of so many.
        """
        types = pool.known_types() + [f"{family}.*" for family in pool.unknown().get("families", [])]
        if len(types) > MOST_TYPES:
            return
        # In the manifest of most pools the list stands already.
        listed = _types_in(pool) if pool.types() else types
        asked = offered(self, f"nodepool_{pool.name}", self.add_local(f"nodepool_{pool.name}_types", listed))
        if unknown := [name for name in pool.unknown().get("instance_types", []) if catalogue.sizes(name)]:
            self.requirements += self.add_rules(_unknown_sizes(pool, unknown, asked))
        zones = hcl(list(pool.zones)) if pool.zones else self._karpenter.cluster.network.azs.hcl
        self.add_check(
            f"nodepool_{pool.name}_types_are_offered",
            Rule(
                f"length(setintersection({asked.hcl}.locations, {zones})) > 0",
                f"EC2 does not offer any instance type of pool {pool.name} in the zones that the pool uses. Choose other instance "
                "types or zones.",
            ),
        )


def _unknown_sizes(pool: Pool, unknown: Sequence[str], offered: Expression) -> Finding:
    """EC2 is asked, because it adds sizes to the families that the catalogue knows."""
    known = [size for name in dict.fromkeys(map(catalogue.family, unknown)) for size in catalogue.sizes(name)]
    return Finding(
        f"nodepool_{pool.name}_types_of_unknown_size",
        f"setsubtract({hcl(list(unknown))}, {offered.hcl}.instance_types)",
        f"The instance types of pool {pool.name} must be sizes that EC2 offers (got {{found}}). The known sizes are "
        f"{', '.join(known)}.",
    )


def _types_in(pool: Pool) -> Expression:
    """The instance types in the manifest of a pool, so that a long list stands once in the JSON."""
    requirements = f"local.nodepool_{pool.name}.spec.template.spec.requirements"
    return Expression(f'flatten([for one in {requirements} : one.values if one.key == "{INSTANCE_TYPE}"])')


def _without_nulls(pool: str) -> str:
    """`pool` without the fields of its spec and of its disruption that a variable left null: Karpenter refuses null there."""
    spec = f"{{for k, v in {pool}.spec : k => v if v != null}}"
    disruption = f"{{for k, v in {pool}.spec.disruption : k => v if v != null}}"
    return f"merge({pool}, {{spec = merge({spec}, {{disruption = {disruption}}})}})"


GPU_LABEL = {"gpu-type": "nvidia"}

# Those that `gpu_drift_budget` gives, or null.
BUDGETS_OF_GPU_SPOT = Expression("local.nodepool_gpu.spec.disruption.budgets")

CAPACITY_TYPE = "karpenter.sh/capacity-type"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
INSTANCE = "karpenter.k8s.aws/instance-"


def _is_in(key: str, values: Sequence[str]) -> Requirement:
    return Requirement(key=key, operator="In", values=values)


AMD64 = _is_in("kubernetes.io/arch", ["amd64"])


def _types_of(pool: Pool) -> list[Requirement]:
    """Which instance types a pool of the configuration uses."""
    if types := pool.types():
        return [_is_in(INSTANCE_TYPE, types)]
    if pool.families:
        return [_is_in(f"{INSTANCE}family", pool.families)]
    assert isinstance(pool, GeneralPool)  # noqa: S101  (a GPU pool has types)
    return _shape(pool.categories, pool.cpus)


def _shape(categories: Sequence[str], cpus: Sequence[int]) -> list[Requirement]:
    """Instance types by category and size, of a recent generation."""
    return [
        _is_in(f"{INSTANCE}category", categories),
        _is_in(f"{INSTANCE}cpu", list(map(str, cpus))),
        _is_in(f"{INSTANCE}hypervisor", ["nitro"]),
        Requirement(key=f"{INSTANCE}generation", operator="Gt", values=["2"]),
    ]
