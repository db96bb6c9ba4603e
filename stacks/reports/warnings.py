"""What is allowed but may surprise the user. Plain Python."""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations

from stacks.config.cluster import ClusterConfig
from stacks.config.node_pools import addresses_together, more_than_fit, nodes_that_fit
from stacks.config.pools import CATEGORIES, CPUS, GENERAL_SOCI, GPU_SOCI, GPU_TAINT, NO_NODES
from stacks.config.spending import known, known_pools
from stacks.hcl.expressions import is_expression
from stacks.knowledge.catalogue import UNKNOWN_GPU_TYPES, family, gpus_by_type, types_in_shape, vcpus_of_all_types, vcpus_per_gpu
from stacks.knowledge.gpu_drivers import NEVER_JOINS, named, unproven_families
from stacks.knowledge.node_group_room import shortages
from stacks.knowledge.versions import (
    EXTENDED_SUPPORT_PRICE,
    KARPENTER_RELEASES,
    KARPENTER_THAT_CHOOSES_FULL_BLOCKS,
    LOAD_BALANCER_CONTROLLER_RELEASES,
    STANDARD_SUPPORT_PRICE,
    kubernetes_version,
    parts,
)


def warnings(clusters: Sequence[ClusterConfig], today: date) -> Iterator[str]:
    """What is allowed but may surprise the user."""
    for cluster in clusters:
        yield from _cluster_warnings(cluster, today)
    networks = [(cluster.name, network) for cluster in clusters if (network := _network(cluster.vpc_cidr))]
    for (one, first), (other, second) in combinations(networks, 2):
        if first.overlaps(second):
            yield f"{one}.vpc_cidr and {other}.vpc_cidr overlap ({first}, {second}): the two VPCs can never be connected."


def _cluster_warnings(cluster: ClusterConfig, today: date) -> Iterator[str]:
    ends = kubernetes_version(cluster.kubernetes_version).standard_support_ends
    if ends < today:
        yield (
            f"{cluster.name}.kubernetes_version {cluster.kubernetes_version} left standard support on {ends}. In extended support "
            f"it costs ${EXTENDED_SUPPORT_PRICE:.2f} an hour instead of ${STANDARD_SUPPORT_PRICE:.2f}. See docs/upgrading.md."
        )
        if cluster.cluster_support_type == "STANDARD":
            yield (
                f"{cluster.name}.cluster_support_type cannot become STANDARD in extended support: EKS refuses it. Raise "
                "kubernetes_version first."
            )
    for releases in (KARPENTER_RELEASES, LOAD_BALANCER_CONTROLLER_RELEASES):
        release = getattr(cluster, releases.field)
        newest = releases.newest_of(release)
        if newest and parts(release) > parts(newest):
            yield (
                f"{cluster.name}.{releases.field} {release} is newer than any release of its minor version that the program knows, "
                f"and is treated like {newest}. Make sure that {release} exists, and read its release notes."
            )
    if cluster.assume_role_arn and not cluster.cluster_admin_arn:
        yield (
            f"{cluster.name}.assume_role_arn is set without cluster_admin_arn: on a cluster that another identity created, the "
            "plan gives the access of its creator to the role."
        )
    if not cluster.endpoint_public_access:
        yield f"{cluster.name}.endpoint_public_access is False: Terraform must run where it reaches the VPC, for Helm and kubectl."
    if not (cluster.default_pool or cluster.gpu_spot_pool or cluster.gpu_pools or cluster.general_pools):
        yield (
            f"{cluster.name} has no node pool, because default_pool and gpu_spot_pool are False, and gpu_pools and general_pools "
            "are empty: Karpenter never launches a node."
        )
    for kind, pools in (("gpu_pools", cluster.gpu_pools), ("general_pools", cluster.general_pools)):
        for pool in pools:
            if reasons := pool.unlimited_reasons():
                yield (
                    f'{cluster.name}.{kind}["{pool.name}"].budgets has no budget without a schedule for {", ".join(reasons)}: '
                    "whenever no budget applies, Karpenter may disrupt all nodes of the pool at a time. Add "
                    'Budget(nodes="10%"), for example.'
                )
    yield from _surprising_capacity(cluster)
    yield from _crowded_node_group(cluster)
    yield from _shared_beyond_limits(cluster)
    yield from _short_of_addresses(cluster)
    yield from _more_unpacks_than_vcpus(cluster)
    # An unknown size of a known family is refused there. A plan also warns where EC2 offers none of a pool's types.
    used = "A plan asks EC2 whether it offers them" if cluster.offering_checks else "Karpenter will use them"
    for pool in cluster.gpu_pools:
        place = f'{cluster.name}.gpu_pools["{pool.name}"].{pool.types_field()}'
        for names in pool.unknown().values():
            yield f"{place} contains types that this program does not know: {', '.join(names)}. {used}; {UNKNOWN_GPU_TYPES}"
        bottlerocket = pool.bottlerocket_version or cluster.bottlerocket_version
        unproven = unproven_families(kubernetes=cluster.kubernetes_version, bottlerocket=bottlerocket)
        if doubtful := dict.fromkeys(family(name) for name in pool.types() if family(name) in unproven):
            yield (
                f"{place} contains {', '.join(doubtful)}: this program does not know whether {named(bottlerocket)} has a driver "
                f"for the GPU. {NEVER_JOINS}"
            )
    for general in cluster.general_pools:
        place = f'{cluster.name}.general_pools["{general.name}"]'
        for field, names in general.unknown().items():
            yield (
                f"{place}.{field} contains {field.rpartition('_')[2]} that this program does not know: {', '.join(names)}. "
                f"{used}; make sure that they have x86_64 CPUs and no GPUs."
            )


def _surprising_capacity(cluster: ClusterConfig) -> Iterator[str]:
    """What reservations, fixed sizes and grace periods of pools bring about. docs/capacity.md explains each."""
    for kind, pools in (("gpu_pools", cluster.gpu_pools), ("general_pools", cluster.general_pools)):
        for pool in pools:
            place = f'{cluster.name}.{kind}["{pool.name}"]'
            if pool.capacity_reservations and cluster.karpenter_version in KARPENTER_THAT_CHOOSES_FULL_BLOCKS:
                yield (
                    f"{place}.capacity_reservations may find Capacity Blocks: Karpenter {cluster.karpenter_version} may choose a "
                    "block that is full, and then launch nothing. Use karpenter_version "
                    f"{KARPENTER_RELEASES.newest_of(cluster.karpenter_version)}."
                )
            if pool.holds_drift() if pool.budgets else kind == "gpu_pools" and cluster.gpu_drift_budget in NO_NODES:
                continue  # the others are about drift
            if set(pool.capacity_types) == {"reserved"}:
                yield (
                    f"{place}.capacity_types is 'reserved' alone: while the reservations are full, a drifted node stays as it is, "
                    "because Karpenter launches the next node first. Karpenter 1.15.1 ends the node first, but this program does "
                    "not know that release yet. Keep a place free, or delete the NodeClaims of drifted nodes yourself."
                )
            if pool.replicas is not None and 0 < pool.replicas == pool.most_nodes():
                yield (
                    f"{place}.replicas is {pool.replicas}, all nodes that the limit allows: drifted nodes stay as they are, "
                    "because Karpenter launches the next node first. Raise the limit by a node."
                )
            if pool.termination_grace_period:
                yield (
                    f"{place}.termination_grace_period lets drift, as with each Bottlerocket release, end protected pods: "
                    f"{pool.termination_grace_period} after Karpenter begins to replace a node, do-not-disrupt and "
                    'PodDisruptionBudgets no longer count. Budget(nodes="0", reasons=["Drifted"]) holds drifted nodes.'
                )


def _crowded_node_group(cluster: ClusterConfig) -> Iterator[str]:
    """Types of the node group on which not all fits while one of the nodes is gone."""
    types, size = cluster.karpenter_node_instance_types, cluster.karpenter_node_min_size
    left = 1 if is_expression(size) else max(size - 1, 1)
    for name in () if is_expression(types) else types:
        if lacking := shortages(cluster.further_addons(), instance_type=name, nodes=left):
            yield (
                f"{cluster.name}.karpenter_node_instance_types contains {name}: while a node is gone, the node group has room for "
                f"{', '.join(lacking)}, and some pods of the cluster itself stay Pending. Use larger types, or a larger "
                "karpenter_node_min_size. See docs/operating.md#room-on-the-node-group."
            )


def _shared_beyond_limits(cluster: ClusterConfig) -> Iterator[str]:
    """Pools with shared GPUs whose limit of vCPUs is missing or not exact, so that no limit of GPUs may hold at first."""
    for pool in known_pools(cluster, known(cluster.region)):
        if not pool.sharing or pool.pool.replicas is not None:
            continue  # the nodes of a fixed number are there before the pods
        limit, vcpus = pool.limits.get(GPU_TAINT), sorted({vcpus_per_gpu().get(name, 0) for name in pool.types})
        if not limit or not vcpus:  # gpu-spot, whose values may be those of a plan
            missing = [name for name, given in (("gpu_limit", limit), ("gpu_instance_types", vcpus)) if not given]
            yield (
                f"{cluster.name}.gpu_sharing is set without {' and '.join(missing)} in Python: Karpenter launches a GPU for "
                "each pod that comes at the same time, because it knows the shares of a node only when the node is there. A "
                "gpu_limit caps that, with types of equal vCPUs for each GPU. See docs/gpu-sharing.md#too-many-nodes-at-first."
            )
        elif len(vcpus) > 1 or not vcpus[0]:
            got = f"{vcpus[0]} to {vcpus[-1]}" if vcpus[0] else "types that this program does not know"
            yield (
                f"{cluster.name}.{pool.place} should have equal vCPUs for each GPU where pods share GPUs (got {got}): otherwise "
                f"Karpenter may at first launch up to {limit * pool.sharing.replicas} GPUs instead of {limit}, because a GPU "
                f"counts as {pool.sharing.replicas} only when its node is there. See docs/gpu-sharing.md."
            )


def _short_of_addresses(cluster: ClusterConfig) -> Iterator[str]:
    """Limits of GPU pools whose nodes do not all find addresses in one zone. Of gpu_limit a plan warns."""
    first, gpus = cluster.addresses_per_zone(), gpus_by_type()
    if first is None:
        return
    available = first + cluster.secondary_addresses_per_zone()
    for pool in cluster.gpu_pools:
        by_type = cluster.addresses_by_type(efa=pool.efa_interface(cluster.karpenter_version))
        told = [
            nodes_that_fit(name, fitting=str(fit), nodes=str(nodes), gpus=str(fit * gpus[name]), addresses=str(by_type[name]))
            for name, nodes in pool.nodes_by_type().items()
            if nodes > (fit := available // by_type[name])
        ]
        if told:
            place = f'{cluster.name}.gpu_pools["{pool.name}"].limit'
            zone = pool.zones[0] if pool.efa else None
            yield more_than_fit(place, str(pool.limit), str(available), "; ".join(told), zone=zone)
    for zone, pools in cluster.shared_efa_zones().items():
        most = {
            pool.name: pool.most_addresses(cluster.addresses_by_type(efa=pool.efa_interface(cluster.karpenter_version)))
            for pool in pools
        }
        if sum(one.total for one in most.values()) > available:
            place, limits = (
                f"{cluster.name}.gpu_pools: the limits of {' and '.join(most)} together",
                (str(pool.limit) for pool in pools),
            )
            yield more_than_fit(place, " and ".join(limits), str(available), addresses_together(most), zone=zone)


def _more_unpacks_than_vcpus(cluster: ClusterConfig) -> Iterator[str]:
    """Figures of SOCI with more unpacks at a time than the pool's smallest type has vCPUs.

    Not of defaults: only an apply that replaces the pool's nodes would end the warning.
    """
    spot = () if is_expression(cluster.gpu_instance_types) else cluster.gpu_instance_types or ()
    pools = (
        ("default_soci", cluster.default_soci, GENERAL_SOCI, types_in_shape(CATEGORIES, CPUS)),
        ("gpu_soci", cluster.gpu_soci, GPU_SOCI, spot),
        *((f'gpu_pools["{pool.name}"].soci', pool.soci, GPU_SOCI, pool.types()) for pool in cluster.gpu_pools),
        *((f'general_pools["{pool.name}"].soci', pool.soci, GENERAL_SOCI, pool.known_types()) for pool in cluster.general_pools),
    )
    for place, soci, default, types in pools:
        known = [(vcpus, name) for name in types if (vcpus := vcpus_of_all_types().get(name))]
        if soci not in (None, default) and known and soci.unpacks > min(known)[0]:
            vcpus, smallest = min(known)
            yield (
                f"{cluster.name}.{place}.unpacks should be at most {vcpus}, the vCPUs of {smallest} (got {soci.unpacks}): more "
                "layers at a time take the CPU from each other, from the download and from pods. Figures: "
                "docs/operating.md#images-on-small-nodes."
            )


def _network(cidr: object) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(str(cidr))
    except ValueError:
        return None  # Terraform judges a variable
