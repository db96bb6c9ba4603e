"""Which versions of Kubernetes, Karpenter, Bottlerocket and the load balancer controller fit together. Plain Python.

Sources are given per table. KA is aws/karpenter-provider-aws, BR bottlerocket-os/bottlerocket, and CK
bottlerocket-os/bottlerocket-core-kit.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

# Without leading zeros, and without digits of other scripts, which \d matches too.
RELEASE = re.compile(r"(0|[1-9][0-9]*)([.](0|[1-9][0-9]*)){2}")


def parts(version: str) -> tuple[int, ...]:
    """A version as numbers, to compare: `1.10.2` is newer than `1.9.2`."""
    return tuple(int(part) for part in version.removeprefix("v").split("."))


def nearest(release: str, usable: Sequence[str]) -> str:
    """The oldest of some releases, in order, that is not older than a release; else the newest of them."""
    return next((one for one in usable if parts(one) >= parts(release)), usable[-1])


def newest_of_each(releases: Iterable[str]) -> tuple[str, ...]:
    """The last of each minor version among releases in order."""
    return tuple({parts(release)[:2]: release for release in releases}.values())


@dataclass(frozen=True, kw_only=True)
class Releases:
    """The releases of a controller that a cluster may name.

    Attributes:
        field: the field of ClusterConfig that names the release.
        first: the oldest.
        newest: the newest known release of each minor version.
        broken: releases that must not be used, each with the reason and its source.
    """

    field: str
    first: str
    newest: tuple[str, ...]
    broken: Mapping[str, str]

    def newest_of(self, release: str) -> str | None:
        """The newest known release of the same minor version; None if the minor version is unknown."""
        return next((one for one in self.newest if parts(one)[:2] == parts(release)[:2]), None)

    def mistake(self, release: str, usable: Sequence[str] = ()) -> str | None:
        """Why a release cannot be used, with the nearest of the usable ones; None if it can."""
        if not RELEASE.fullmatch(release):
            return f'{self.field} must be a release such as {self.newest[-1]} (got "{release}").'
        usable = usable or [one for one in self.newest if one not in self.broken]
        use, known = nearest(release, usable), self.newest_of(release)
        if known is None and parts(self.first) < parts(release) < parts(self.newest[-1]):
            *_, below = (one for one in usable if parts(one) < parts(release))
            return f"{self.field} must be of a minor version that the program knows (got {release}). Use {below} or {use}."
        if known is None:
            return f"{self.field} must be {self.first} to {self.newest[-1]} (got {release}). Use {use}."
        if release in self.broken:
            return f"{self.field} must not be {release}: {self.broken[release]}. Use {use}."
        if known in self.broken and parts(release) > parts(known):
            return (
                f"{self.field} must not be {release}, which the program does not know: the newest known release of its minor "
                f"version is {known}, and {self.broken[known]}. Use {use}."
            )
        return None


# --- Kubernetes ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class KubernetesVersion:
    """A version that EKS offers.

    Attributes:
        version: such as `1.33`.
        standard_support_ends, extended_support_ends: the last days of support. A plan asks AWS with `support_check`.
        bottlerocket: the first Bottlerocket release with images for it.
    """

    version: str
    standard_support_ends: date
    extended_support_ends: date
    bottlerocket: str


# Dates: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html, and https://endoflife.date/amazon-eks, which
# copies AWS's calendar (read on 2026-08-22).
# Bottlerocket: BR#4515, BR#4640, BR#4737, https://github.com/bottlerocket-os/bottlerocket/releases/tag/v1.61.0
KUBERNETES = (
    KubernetesVersion(
        version="1.33",
        standard_support_ends=date(2026, 7, 29),
        extended_support_ends=date(2027, 7, 29),
        bottlerocket="1.39.0",
    ),
    KubernetesVersion(
        version="1.34",
        standard_support_ends=date(2026, 12, 2),
        extended_support_ends=date(2027, 12, 2),
        bottlerocket="1.47.0",
    ),
    KubernetesVersion(
        version="1.35",
        standard_support_ends=date(2027, 3, 27),
        extended_support_ends=date(2028, 3, 27),
        bottlerocket="1.53.0",
    ),
    KubernetesVersion(
        version="1.36",
        standard_support_ends=date(2027, 8, 2),
        extended_support_ends=date(2028, 8, 2),
        bottlerocket="1.61.0",
    ),
)

# An hour of a control plane, in dollars: https://aws.amazon.com/eks/pricing/
STANDARD_SUPPORT_PRICE, EXTENDED_SUPPORT_PRICE = 0.10, 0.60


def kubernetes_version(version: str) -> KubernetesVersion:
    """The row of a version.

    Raises:
        ValueError: the table does not have the version.
    """
    for row in KUBERNETES:
        if row.version == version:
            return row
    raise ValueError(f"kubernetes_version {known_kubernetes_version(version)} (got {version!r}).")


def known_kubernetes_version(version: str) -> str | None:
    """Check that the table has a version."""
    known = [row.version for row in KUBERNETES]
    return None if version in known else f"must be one of {', '.join(known)}"


# --- Karpenter -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class KarpenterReleases:
    """Releases of one minor version that need the same.

    Attributes:
        first, last: the first and the newest known release; a newer patch release is treated as one of these, with a warning.
        kubernetes: the newest Kubernetes that the controller supports, its constant `MaxK8sVersion`.
        crds: the custom resource definitions that came with these releases, by name.
        new_class_hash: whether the releases before calculate the hash of an EC2NodeClass in another way. Karpenter then writes the
            new hash into every NodeClaim that has not drifted, so no node drifts, not even one that a change of the class in the
            same apply should have replaced.
    """

    first: str
    last: str
    kubernetes: str
    crds: tuple[str, ...] = ()
    new_class_hash: bool = False


# `MaxK8sVersion` in pkg/providers/version/version.go and the folder pkg/apis/crds, at every tag of KA from v1.6.0 to v1.14.1.
# MinK8sVersion is 1.26 throughout. The documented minimums (website/content/en/preview/upgrading/compatibility.md) are wider for
# 1.6.0 to 1.6.5 and 1.7.0 to 1.7.3: these claim to support Kubernetes 1.34, but log an error there.
# `EC2NodeClassHashVersion` in pkg/apis/v1/ec2nodeclass.go went from v4 to v5 in 1.12.0. The upgrade guide says that nodes drift;
# with a real Karpenter none does (pkg/controllers/nodeclass/hash/controller.go).
KARPENTER = (
    KarpenterReleases(
        first="1.6.0",
        last="1.6.5",
        kubernetes="1.33",
        crds=("ec2nodeclasses.karpenter.k8s.aws", "nodeclaims.karpenter.sh", "nodepools.karpenter.sh"),
    ),
    KarpenterReleases(first="1.6.6", last="1.6.8", kubernetes="1.34"),
    KarpenterReleases(first="1.7.0", last="1.7.3", kubernetes="1.33", crds=("nodeoverlays.karpenter.sh",)),
    KarpenterReleases(first="1.7.4", last="1.7.6", kubernetes="1.34"),
    KarpenterReleases(first="1.8.0", last="1.8.8", kubernetes="1.34"),
    KarpenterReleases(first="1.9.0", last="1.9.2", kubernetes="1.35"),
    KarpenterReleases(first="1.10.0", last="1.10.2", kubernetes="1.35"),
    KarpenterReleases(first="1.11.0", last="1.11.3", kubernetes="1.35"),
    KarpenterReleases(first="1.12.0", last="1.12.2", kubernetes="1.35", new_class_hash=True),
    KarpenterReleases(first="1.13.0", last="1.13.1", kubernetes="1.36"),
    KarpenterReleases(first="1.14.0", last="1.14.1", kubernetes="1.36", crds=("capacitybuffers.autoscaling.x-k8s.io",)),
)

KARPENTER_RELEASES = Releases(
    field="karpenter_version",
    first=KARPENTER[0].first,
    newest=newest_of_each(row.last for row in KARPENTER),
    broken={
        # Fixed in 1.7.1 (kubernetes-sigs/karpenter#2516).
        "1.7.0": "its controller panics unless the chart gets CPU requests (kubernetes-sigs/karpenter#2509)",
        # values.yaml has `StaticCapacity`, the template reads `staticCapacity`. Fixed in 1.8.1 (KA#8590).
        "1.8.0": "its controller panics with the chart's default values (kubernetes-sigs/karpenter#2566)",
        # The upgrade guide: "Please do not upgrade to this version."
        "1.8.4": "it cannot schedule pods with some topology spread constraints (kubernetes-sigs/karpenter#2785)",
    },
)

# From here on the charts' own copies of the definitions are not enough: an upgrade has to bring them (nodeoverlays).
KARPENTER_WITH_CRDS_APART = "1.7.0"

# From here on Karpenter mounts every directory that Bottlerocket allows on the NVMe disks, the SOCI store included
# (KA#8478; `SupportsDefaultBind` in pkg/providers/version/version.go), so the user data no longer has to.
KARPENTER_THAT_MOUNTS_ALL = "1.8.0"

# The first whose chart has `settings.disableDryRun` (charts/karpenter/values.yaml; KA#8363).
KARPENTER_WITH_DISABLE_DRY_RUN = "1.6.2"

# From here on the hash of a node class contains the CA bundle of the cluster, so another bundle makes every node drift (KA#9083).
KARPENTER_THAT_HASHES_THE_CA = "1.12.0"

# The first release that acts on a field of a pool, or on a value of one: pkg/apis/crds at every tag of KA.
# `replicas` is in the definitions of 1.8.0 too, which is broken. `limits.nodes` is in all of them, and counts for pools without
# `replicas` since kubernetes-sigs/karpenter 1.11.0 (`filterByRemainingResources` in its scheduler.go).
KARPENTER_WITH = {
    "instance_match_criteria": "1.8.0",
    "replicas": "1.8.1",
    "node_limit": "1.11.0",
    "placement_group": "1.11.0",
    "Balanced": "1.14.0",
}

# From here on a node class names its network interfaces, and efa-only ones with them (KA#9027 and KA#9030). Earlier releases give a
# node interfaces of type efa, on its first network cards, if a pod asks for EFA (`generateNetworkInterfaces` in
# pkg/providers/launchtemplate/launchtemplate.go).
KARPENTER_WITH_NETWORK_INTERFACES = "1.11.0"

# These releases may choose a capacity block that is full, or that the pod excludes, and then launch nothing (KA#8517;
# `capacityBlockFilter` in pkg/providers/instance/filter/filter.go).
KARPENTER_THAT_CHOOSES_FULL_BLOCKS = ("1.6.0", "1.6.1", "1.6.2", "1.6.3", "1.7.0", "1.7.1")


def mounts_all_disks(karpenter: str) -> bool:
    """Whether a release mounts everything on the NVMe disks itself. Bottlerocket must be 1.46.0 or newer then."""
    return parts(karpenter) >= parts(KARPENTER_THAT_MOUNTS_ALL)


def has_crds_apart(karpenter: str) -> bool:
    """Whether the custom resource definitions are a Helm release of their own."""
    return parts(karpenter) >= parts(KARPENTER_WITH_CRDS_APART)


def names_network_interfaces(karpenter: str) -> bool:
    """Whether a node class can name the network interfaces of its nodes."""
    return parts(karpenter) >= parts(KARPENTER_WITH_NETWORK_INTERFACES)


def hashes_the_ca(karpenter: str) -> bool:
    """Whether nodes drift when Karpenter sees another CA bundle of the cluster."""
    return parts(karpenter) >= parts(KARPENTER_THAT_HASHES_THE_CA)


def dry_run_mistake(karpenter: str, *, disable_dry_run: bool) -> str | None:
    """Why the dry run cannot be disabled in a release, whose chart would ignore the value in silence; None if it can."""
    if not disable_dry_run or parts(karpenter) >= parts(KARPENTER_WITH_DISABLE_DRY_RUN):
        return None
    return (
        f"disable_dry_run must be False before Karpenter {KARPENTER_WITH_DISABLE_DRY_RUN} (got True, karpenter_version "
        f"{karpenter}). Use karpenter_version {KARPENTER_RELEASES.newest_of(karpenter)}."
    )


@dataclass(frozen=True, kw_only=True)
class Permission:
    """An action that Karpenter's controller calls, and the policy of terraform-aws-eks 21.11.0 does not allow.

    Attributes:
        since: the first Karpenter release that calls it.
        action: the IAM action. It needs the resource `*`, in the cluster's own region (`aws:RequestedRegion`).
    """

    since: str
    action: str


# website/content/en/preview/getting-started/getting-started-with-karpenter/cloudformation.yaml at every tag of KA, by action and
# resource, without what modules/karpenter/policy.tf of terraform-aws-eks 21.11.0 allows. Left out, because nothing here uses it:
# zonal shift (1.12.0).
KARPENTER_PERMISSIONS = (
    # Without it, Karpenter does not notice instances whose EC2 status checks fail.
    Permission(since="1.12.0", action="ec2:DescribeInstanceStatus"),
)


# What placement groups need in addition, since 1.11.0: to find them, and on the groups themselves to launch into them. The module
# allows both from terraform-aws-eks 21.19.0 on.
FINDS_PLACEMENT_GROUPS = "ec2:DescribePlacementGroups"
LAUNCHES_INSTANCES = ("ec2:RunInstances", "ec2:CreateFleet")


def karpenter_releases(karpenter: str) -> KarpenterReleases | None:
    """The row of a release; None if the table does not have its minor version."""
    rows = [row for row in KARPENTER if parts(row.first)[:2] == parts(karpenter)[:2] and parts(row.first) <= parts(karpenter)]
    return rows[-1] if rows else None


def karpenter_permissions(karpenter: str) -> list[Permission]:
    """What the controller's role must be allowed beside the policy of terraform-aws-eks 21.11.0."""
    return [permission for permission in KARPENTER_PERMISSIONS if parts(permission.since) <= parts(karpenter)]


def karpenter_mistake(kubernetes: str, karpenter: str) -> str | None:
    """Why a Karpenter release cannot be used with a version of Kubernetes, with the nearest that can; None if it can.

    Raises:
        ValueError: the table does not have the version of Kubernetes.
    """
    kubernetes_version(kubernetes)
    fitting = [row.last for row in KARPENTER if parts(row.kubernetes) >= parts(kubernetes)]
    if mistake := KARPENTER_RELEASES.mistake(karpenter, fitting):
        return mistake
    row = karpenter_releases(karpenter)
    if row and parts(row.kubernetes) < parts(kubernetes):
        return (
            f"karpenter_version must support Kubernetes {kubernetes} (got {karpenter}, which supports {row.kubernetes} at most). "
            f"Use {nearest(karpenter, fitting)}."
        )
    return None


# --- Bottlerocket --------------------------------------------------------------------------------------------------------------

# The first release with the SOCI snapshotter's parallel pull (CK 10.0.1; KA#8393).
BOTTLEROCKET_WITH_SOCI = "1.44.0"

# The first whose `apiclient ephemeral-storage bind` takes all allowed directories when none is named (CK 10.3.0; KA#8478).
BOTTLEROCKET_THAT_MOUNTS_ALL = "1.46.0"

# The first that can bind a directory a second time: CK 10.8.0 (2025-10-15, CK#679). 1.49.0 is older (2025-10-07, BR#4659), and
# 1.50.0 has CK 10.9.0 (BR#4682).
BOTTLEROCKET_THAT_MOUNTS_TWICE = "1.50.0"

# The first in which containers reach NVIDIA's MPS daemon (CK 13.0.0; CK#831). 1.54.0 has the setting (CK 12.3.0; CK#789), and
# containers fail there. Time-slicing came with 1.25.0, before the first image for any Kubernetes above.
BOTTLEROCKET_WITH_MPS = "1.55.0"

LATEST = "latest"


def bottlerocket_minimum(
    kubernetes: str, *, soci: bool, nvme: bool, mounts_disks_itself: bool, mps: bool = False
) -> tuple[str, str]:
    """The oldest Bottlerocket release that nodes can run, and what needs it.

    Args:
        kubernetes: the cluster's version.
        soci: whether the user data configures SOCI parallel pull.
        nvme: whether the NVMe disks hold the images (`instanceStorePolicy: RAID0`).
        mounts_disks_itself: whether the user data mounts them too, and not Karpenter alone.
        mps: whether pods share GPUs by MPS.
    """
    needs = [(kubernetes_version(kubernetes).bottlerocket, f"Kubernetes {kubernetes}")]
    if soci:
        needs.append((BOTTLEROCKET_WITH_SOCI, "SOCI parallel pull"))
    if nvme and mounts_disks_itself:
        needs.append((BOTTLEROCKET_THAT_MOUNTS_TWICE, "user data that mounts the NVMe disks after Karpenter did"))
    elif nvme and soci:
        needs.append((BOTTLEROCKET_THAT_MOUNTS_ALL, "a SOCI store on the NVMe disks"))
    if mps:
        needs.append((BOTTLEROCKET_WITH_MPS, "GPU sharing by MPS"))
    return max(needs, key=lambda need: parts(need[0]))


def bottlerocket_mistake(
    bottlerocket: str, *, kubernetes: str, soci: bool, nvme: bool, mounts_disks_itself: bool, mps: bool = False
) -> str | None:
    """Why nodes cannot run a Bottlerocket release; None if they can. `bottlerocket` is `latest` or a release such as `v1.50.0`."""
    if bottlerocket == LATEST:
        return None
    minimum, why = bottlerocket_minimum(kubernetes, soci=soci, nvme=nvme, mounts_disks_itself=mounts_disks_itself, mps=mps)
    if not re.fullmatch(rf"v{RELEASE.pattern}", bottlerocket):
        return f'bottlerocket_version must be "{LATEST}" or a release such as "v{minimum}" (got "{bottlerocket}").'
    if parts(bottlerocket) < parts(minimum):
        return f'bottlerocket_version must be at least "v{minimum}" for {why} (got "{bottlerocket}").'
    return None


# --- AWS Load Balancer Controller ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class LoadBalancerControllerRelease:
    """Releases of one minor version that need the same.

    Attributes:
        first, last: the controller's first and newest known release, as `2.11.0`.
        actions: what the official policy of the first allows beside that of the row before, each with an action of the same
            statement of `load_balancer_controller_iam_policy.json`.
        crds: the custom resource definitions that are new in its chart. Helm installs them with the first chart, and never again.
    """

    first: str
    last: str
    actions: Mapping[str, str] = field(default_factory=dict)
    crds: tuple[str, ...] = ()


_READ = "ec2:DescribeAccountAttributes"
_CHANGE = "elasticloadbalancing:ModifyLoadBalancerAttributes"
_RULES = "elasticloadbalancing:SetWebAcl"

# Releases: the tags of kubernetes-sigs/aws-load-balancer-controller. Charts: the history of
# stable/aws-load-balancer-controller/Chart.yaml in aws/eks-charts. Policies: docs/install/iam_policy.json at every tag of
# kubernetes-sigs/aws-load-balancer-controller; all have the same 16 statements. Definitions: helm/aws-load-balancer-controller/crds
# there. Every release accepts Kubernetes 1.22 or newer (docs/deploy/installation.md).
LOAD_BALANCER_CONTROLLER = (
    LoadBalancerControllerRelease(
        first="2.11.0",
        last="2.11.0",
        actions={  # the HCL's policy lacks these
            "ec2:GetSecurityGroupsForVpc": _READ,
            "elasticloadbalancing:DescribeCapacityReservation": _READ,
            "elasticloadbalancing:ModifyCapacityReservation": _CHANGE,
        },
        crds=("ingressclassparams.elbv2.k8s.aws", "targetgroupbindings.elbv2.k8s.aws"),
    ),
    LoadBalancerControllerRelease(
        first="2.12.0",
        last="2.12.0",
        actions={
            "ec2:DescribeIpamPools": _READ,
            "elasticloadbalancing:ModifyIpPools": _CHANGE,
            "elasticloadbalancing:SetRulePriorities": _RULES,
        },
    ),
    LoadBalancerControllerRelease(first="2.13.0", last="2.13.3", actions={"ec2:DescribeRouteTables": _READ}),
    LoadBalancerControllerRelease(
        first="2.13.4",
        last="2.13.4",
        crds=("loadbalancerconfigurations.gateway.k8s.aws", "targetgroupconfigurations.gateway.k8s.aws"),
    ),
    LoadBalancerControllerRelease(first="2.14.0", last="2.14.0"),
    LoadBalancerControllerRelease(
        first="2.14.1",
        last="2.14.1",
        crds=("globalaccelerators.aga.k8s.aws", "listenerruleconfigurations.gateway.k8s.aws"),
    ),
    LoadBalancerControllerRelease(first="2.15.0", last="2.15.0"),
    LoadBalancerControllerRelease(first="2.16.0", last="2.16.0"),
    LoadBalancerControllerRelease(first="2.17.0", last="2.17.0"),
    LoadBalancerControllerRelease(first="2.17.1", last="2.17.1", crds=("albtargetcontrolconfigs.elbv2.k8s.aws",)),
    LoadBalancerControllerRelease(first="3.0.0", last="3.0.0"),
    LoadBalancerControllerRelease(first="3.1.0", last="3.1.0"),
    LoadBalancerControllerRelease(first="3.2.0", last="3.2.2"),
    LoadBalancerControllerRelease(first="3.3.0", last="3.3.0"),
    LoadBalancerControllerRelease(first="3.4.0", last="3.4.3"),
    LoadBalancerControllerRelease(first="3.5.0", last="3.5.0"),
)

LOAD_BALANCER_CONTROLLER_RELEASES = Releases(
    field="load_balancer_controller_version",
    first=LOAD_BALANCER_CONTROLLER[0].first,
    newest=newest_of_each(row.last for row in LOAD_BALANCER_CONTROLLER),
    # pkg/gateway/crddetect looks for some of the definitions that the controller then watches. Fixed in 3.3.0.
    broken=dict.fromkeys(
        ("3.2.0", "3.2.1", "3.2.2"),
        "it crashes where the Gateway API's definitions are older than 1.5, or those of gateway.k8s.aws are missing "
        "(kubernetes-sigs/aws-load-balancer-controller#4684 and #4712)",
    ),
)


def load_balancer_controller_chart(release: str) -> str:
    """The version of the chart that installs a release: chart 1.x has controller 2.x; from 3.0.0 on both have one number."""
    return f"1{release[1:]}" if release.startswith("2.") else release


def load_balancer_controller_release(chart: str) -> str:
    """The release that a version of the chart installs."""
    return f"2{chart[1:]}" if chart.startswith("1.") else chart


def load_balancer_controller_actions(release: str) -> dict[str, str]:
    """The actions of a release's official policy that the HCL's policy lacks, each with an action of the same statement."""
    return {
        action: beside
        for row in LOAD_BALANCER_CONTROLLER
        if parts(row.first) <= parts(release)
        for action, beside in row.actions.items()
    }
