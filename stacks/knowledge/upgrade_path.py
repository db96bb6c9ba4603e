"""Which steps lead a cluster to newer versions, one apply after another. Plain Python.

Karpenter goes before Kubernetes, because a release supports older Kubernetes versions and not newer ones. docs/upgrading.md shows
the way of an adopted cluster, which `make test-terraform` plans and applies on the state that the HCL left; `make upgrade-plan`
prints what remains for a deployed cluster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from stacks.knowledge.versions import (
    KARPENTER,
    KARPENTER_THAT_MOUNTS_ALL,
    KARPENTER_WITH_NETWORK_INTERFACES,
    KUBERNETES,
    LATEST,
    KarpenterReleases,
    has_crds_apart,
    hashes_the_ca,
    karpenter_permissions,
    karpenter_releases,
    load_balancer_controller_actions,
    names_network_interfaces,
    nearest,
    parts,
)

CONTROL_PLANE = "module.eks.aws_eks_cluster.this[0]"
NODE_GROUP = 'module.eks.module.eks_managed_node_group["karpenter"].aws_eks_node_group.this[0]'
KARPENTER_RELEASE, KARPENTER_CRDS = "helm_release.karpenter", "helm_release.karpenter_crd"
KARPENTER_POLICY = "aws_iam_policy.karpenter_additional"
NODE_CLASS = "kubectl_manifest.ec2nodeclass_"
CONTROLLER_RELEASE = "helm_release.aws_load_balancer_controller"
CONTROLLER_POLICY = "aws_iam_policy.aws_load_balancer_controller"

# Every change of the cluster plans these "known after apply". A step of Kubernetes brings the add-ons' latest versions for the new
# Kubernetes, unless `addon_versions` pins them; the rest stays as it is.
AFTER_THE_CLUSTER = (
    'module.eks.aws_eks_addon.before_compute["eks-pod-identity-agent"]',
    'module.eks.aws_eks_addon.before_compute["vpc-cni"]',
    'module.eks.aws_eks_addon.this["coredns"]',
    'module.eks.aws_eks_addon.this["kube-proxy"]',
    "module.eks.aws_iam_openid_connect_provider.oidc_provider[0]",
    "module.eks.time_sleep.this[0]",
)


@dataclass(frozen=True, kw_only=True)
class Versions:
    """What decides which steps remain.

    Attributes:
        kubernetes: such as `1.33`; "" if there is no cluster.
        node_group: the oldest Kubernetes version of a managed node group; "" without groups.
        karpenter, load_balancer_controller: releases; "" for a controller that is not there.
        official_policy: whether the load balancer controller has the official IAM policy, and not the HCL's.
        karpenter_policy: whether Karpenter's role has a policy beside the module's.
        bottlerocket: `bottlerocket_version`, as the node class of a default pool has it; "" without default pools.
        pinned: the node classes that name a release of Bottlerocket, by address, with the release.
        mounting: the node classes whose user data mounts the NVMe disks, by address.
        without_interfaces: the node classes of pools with EFA that do not name their network interfaces, by address.
        drifting: the GPU pools that `gpu_drift_budget` lets drift, by address.
    """

    kubernetes: str
    node_group: str
    karpenter: str
    load_balancer_controller: str
    official_policy: bool
    karpenter_policy: bool
    bottlerocket: str
    pinned: Mapping[str, str]
    mounting: tuple[str, ...]
    without_interfaces: tuple[str, ...]
    drifting: tuple[str, ...]


THE_HCL = Versions(
    kubernetes="1.33",
    node_group="1.33",
    karpenter="1.6.0",
    load_balancer_controller="2.11.0",
    official_policy=False,
    karpenter_policy=False,
    bottlerocket=LATEST,
    pinned={},
    mounting=("kubectl_manifest.ec2nodeclass_gpu",),
    without_interfaces=(),
    drifting=("kubectl_manifest.nodepool_gpu",),
)

Subject = Literal["gpu_drift_budget", "load_balancer_controller", "karpenter", "kubernetes"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change of a configuration, to be applied before the next.

    Attributes:
        subject: what moves.
        title: what the step does.
        fields: the fields of ClusterConfig that change.
        pool_fields: the same of pools, by name.
        old: the version that the step leaves; "" for a step that changes none.
        created, updated: the addresses that the plan shows, without `AFTER_THE_CLUSTER`.
        change: the class, and what happens to running nodes.
    """

    subject: Subject
    title: str
    fields: Mapping[str, Any]
    pool_fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    old: str = ""
    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    change: str = "U"

    @property
    def new(self) -> str:
        """The version that the step leads to."""
        return str(self.fields[f"{self.subject}_version"]) if self.old else ""

    @property
    def drifts(self) -> bool:
        """Whether nodes drift."""
        return self.change != "U"

    @property
    def hashes_anew(self) -> bool:
        """Whether Karpenter writes the hashes of all nodes anew."""
        return self.subject == "karpenter" and _hashes_anew(self.old, self.new)

    @property
    def names_interfaces(self) -> bool:
        """Whether node classes of pools with EFA get their network interfaces."""
        return self.subject == "karpenter" and names_network_interfaces(self.new) and not names_network_interfaces(self.old)


def upgrade_path(now: Versions, goal: Mapping[str, str]) -> tuple[Step, ...]:
    """The steps that remain, in their order; none for what is as new as the goal, or where the table lacks the Kubernetes version.

    Args:
        now: what the cluster has.
        goal: the versions to reach, by the field of ClusterConfig.
    """
    if now.kubernetes not in [row.version for row in KUBERNETES]:
        return ()  # a synthesis would refuse each step
    repairs = [*_repairs(now)]
    for step in repairs:
        now = replace(now, karpenter=step.new if step.subject == "karpenter" else now.karpenter)
    moving = [*_karpenter(now, goal), *_kubernetes(now, goal["kubernetes_version"])]
    held = _no_drift(now) if now.drifting and any(step.drifts for step in moving) else ()
    return (*repairs, *held, *_load_balancer_controller(now, goal["load_balancer_controller_version"]), *moving)


def _repairs(now: Versions) -> Iterator[Step]:
    """What the next apply must bring, whatever else it does, where EKS or an apply that did not finish moved the control plane."""
    behind = (NODE_GROUP,) if now.node_group and parts(now.node_group) < parts(now.kubernetes) else ()
    row = karpenter_releases(now.karpenter) if now.karpenter else None
    if row and parts(row.kubernetes) < parts(now.kubernetes):
        release = nearest(now.karpenter, [one.last for one in KARPENTER if parts(one.kubernetes) >= parts(now.kubernetes)])
        step = _to_karpenter(now, now.karpenter, release)
        title = f"{step.title}, for the Kubernetes {now.kubernetes} that runs"
        fields = {"kubernetes_version": now.kubernetes, **step.fields}
        yield replace(step, title=title, fields=fields, updated=(*behind, *step.updated))
    elif behind:
        title = f"The node group at Kubernetes {now.kubernetes}, as the control plane"
        fields = {"kubernetes_version": now.kubernetes}
        yield Step(subject="kubernetes", title=title, fields=fields, old=now.node_group, updated=behind)


def _no_drift(now: Versions) -> Iterator[Step]:
    yield Step(
        subject="gpu_drift_budget",
        title="No drift of GPU nodes: later steps would drain running jobs",
        fields={"gpu_drift_budget": "0"},
        updated=now.drifting,
    )


def _load_balancer_controller(now: Versions, new: str) -> Iterator[Step]:
    old = now.load_balancer_controller
    if not old or parts(old) >= parts(new):
        return
    policy = load_balancer_controller_actions(old) != load_balancer_controller_actions(new)
    yield Step(
        subject="load_balancer_controller",
        title=f"Load balancer controller {new}{', with its policy' if policy else ''}",
        fields={
            "load_balancer_controller_version": new,
            **({} if now.official_policy else {"load_balancer_controller_policy": "official"}),
        },
        old=old,
        updated=(*((CONTROLLER_POLICY,) if policy else ()), CONTROLLER_RELEASE),
    )


def _karpenter(now: Versions, goal: Mapping[str, str]) -> Iterator[Step]:
    old = now.karpenter
    for new in _karpenter_stops(now, goal["karpenter_version"], goal["kubernetes_version"]) if old else ():
        yield _to_karpenter(now, old, new)
        old = new


def _to_karpenter(now: Versions, old: str, new: str) -> Step:
    created: list[str] = []
    updated, news = [KARPENTER_RELEASE], []
    if has_crds_apart(new):
        (updated if has_crds_apart(old) else created).append(KARPENTER_CRDS)
        news += [] if has_crds_apart(old) else ["its CRDs become a release of their own"]
    had, needs = karpenter_permissions(old), karpenter_permissions(new)
    if had != needs and (had or now.karpenter_policy):
        updated.append(KARPENTER_POLICY)
    elif had != needs:
        created += [KARPENTER_POLICY, 'module.karpenter.aws_iam_role_policy_attachment.controller_additional["additional"]']
    more = len(needs) - len(had)
    news += [f"{'one more IAM action' if more == 1 else f'{more} more IAM actions'}"] if more else []
    news += ["the cluster's CA in Karpenter's settings"] if hashes_the_ca(new) and not hashes_the_ca(old) else []
    changes = [one for one in _class_changes(now) if parts(old) < parts(one.since) <= parts(new)]
    return Step(
        subject="karpenter",
        title=f"Karpenter {new}{': ' if news else ''}{', and '.join(news)}",
        fields={"karpenter_version": new},
        old=old,
        created=tuple(created),
        updated=tuple(dict.fromkeys([*updated, *(address for one in changes for address in one.classes)])),
        change=f"D: {', and '.join(one.words for one in changes)}" if changes else "U",
    )


@dataclass(frozen=True)
class _ClassChange:
    """What a release changes of node classes."""

    since: str
    classes: tuple[str, ...]
    words: str


def _class_changes(now: Versions) -> list[_ClassChange]:
    mounts = "the GPU pool's user data no longer mounts the NVMe disks a second time"
    known = (
        _ClassChange(KARPENTER_THAT_MOUNTS_ALL, now.mounting, mounts),
        _ClassChange(KARPENTER_WITH_NETWORK_INTERFACES, now.without_interfaces, "pools with EFA name their network interfaces"),
    )
    return [one for one in known if one.classes]


def _karpenter_stops(now: Versions, goal: str, kubernetes: str) -> Iterator[str]:
    """The releases on the way, the goal included.

    A node class must not change in the apply that crosses the release with another hash, so that release is a stop, and before it
    the release with which node classes change.
    """
    old = now.karpenter
    changes = [parts(one.since) for one in _class_changes(now) if parts(old) < parts(one.since)]
    if changes and _hashes_anew(old, goal):
        between = [row for row in KARPENTER if max(changes) <= parts(row.first) < parts(_ANEW.first)]
        old = next((row for row in between if parts(row.kubernetes) >= parts(kubernetes)), between[-1]).last
        yield old
    if _hashes_anew(old, goal) and parts(_ANEW.last) < parts(goal):
        old = _ANEW.last
        yield old
    if parts(old) < parts(goal):
        yield goal


_ANEW: KarpenterReleases = next(row for row in KARPENTER if row.new_class_hash)


def _hashes_anew(old: str, new: str) -> bool:
    return parts(old) < parts(_ANEW.first) <= parts(new)


def _kubernetes(now: Versions, goal: str) -> Iterator[Step]:
    old = now.kubernetes
    for row in KUBERNETES if old else ():
        if not parts(old) < parts(row.version) <= parts(goal):
            continue
        behind = {address: pin for address, pin in now.pinned.items() if parts(pin) < parts(row.bottlerocket)}
        release = {"bottlerocket_version": f"v{row.bottlerocket}"}
        own = [address for address, pin in behind.items() if now.bottlerocket and pin != now.bottlerocket]
        yield Step(
            subject="kubernetes",
            title=f"Kubernetes {row.version}{f', with Bottlerocket v{row.bottlerocket}' if behind else ''}",
            fields={"kubernetes_version": row.version, **(release if len(behind) > len(own) else {})},
            pool_fields={address.removeprefix(NODE_CLASS): release for address in own},
            old=old,
            updated=(CONTROL_PLANE, NODE_GROUP, *behind),
            change="U and D: EKS rolls the node group; Karpenter's nodes drift to images of the version",
        )
        old = row.version
