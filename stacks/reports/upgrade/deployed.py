"""What a state says about the versions of a cluster. Plain Python.

A state holds secrets, so what is kept is what the rules ask for, and nothing here prints a value that could be one.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from stacks.config.budgets import allowance
from stacks.knowledge.upgrade_path import (
    CONTROL_PLANE,
    CONTROLLER_POLICY,
    CONTROLLER_RELEASE,
    KARPENTER_POLICY,
    KARPENTER_RELEASE,
    NODE_CLASS,
    Versions,
)
from stacks.knowledge.versions import LATEST, load_balancer_controller_actions, load_balancer_controller_release, parts
from stacks.reports.impact.drift import class_name, helm_values
from stacks.reports.impact.plan import NUMBERS, Values, manifest

NODE_GROUPS = "aws_eks_node_group"
KEPT = {"kubectl_manifest", "helm_release", "aws_eks_cluster", NODE_GROUPS, "aws_eks_addon", "aws_iam_policy"}
MOUNTS = "[settings.bootstrap-commands.k8s-ephemeral-storage]"  # stacks/kubernetes/bottlerocket.py
GPU = "nvidia.com/gpu"
EFA_PLUGIN = "helm_release.aws_efa_k8s_device_plugin"  # stacks/kubernetes/efa_device_plugin.py


@dataclass(frozen=True)
class Managed:
    """A resource in a state."""

    type: str
    values: Values
    tainted: bool = False


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A cluster as its state has it.

    Attributes:
        name, region: of the EKS cluster.
        support: the support type, STANDARD or EXTENDED.
        versions: what decides which steps remain.
        node_groups: the Kubernetes version and the release of each managed node group.
        addons: the versions of EKS add-ons, by name.
        bottlerocket: the release that each node class selects.
        own_budgets: GPU pools with budgets of their own, which `gpu_drift_budget` does not change.
        knows_the_ca: whether Karpenter's settings contain the CA of the cluster.
        resources: by address.
    """

    name: str
    region: str
    support: str
    versions: Versions
    node_groups: Mapping[str, str]
    addons: Mapping[str, str]
    bottlerocket: Mapping[str, str]
    own_budgets: tuple[str, ...]
    knows_the_ca: bool
    resources: Mapping[str, Managed]

    def at_kubernetes(self, version: str) -> Self:
        """The same with another version of the control plane."""
        cluster = self.resources[CONTROL_PLANE]
        moved = replace(cluster, values={**cluster.values, "version": version})
        return replace(
            self, versions=replace(self.versions, kubernetes=version), resources={**self.resources, CONTROL_PLANE: moved}
        )


def deployed(state: Sequence[Mapping[str, Any]]) -> Deployed | None:
    """The cluster of the resources of a state; None if there is no cluster."""
    resources = dict(_resources(state))
    cluster = resources.get(CONTROL_PLANE)
    if cluster is None:
        return None
    karpenter, controller = (resources.get(address) for address in (KARPENTER_RELEASE, CONTROLLER_RELEASE))
    classes = dict(_specs(resources, "EC2NodeClass"))
    releases = [bottlerocket(classes[address]) for name in ("default", "gpu") if (address := f"{NODE_CLASS}{name}") in classes]
    with_efa = _pools_with_efa(resources.get(EFA_PLUGIN))
    efa_classes = {class_name(spec) for address, spec in _specs(resources, "NodePool") if _name(resources[address]) in with_efa}
    groups = [version for one in resources.values() if one.type == NODE_GROUPS and (version := _version(one))]
    gpu_pools = {address: spec for address, spec in _specs(resources, "NodePool") if _has_gpu_taint(spec)}
    governed = {address: spec for address, spec in gpu_pools.items() if _follows_gpu_drift_budget(_budgets(spec))}
    release = load_balancer_controller_release(_version(controller))
    policy = resources.get(CONTROLLER_POLICY)
    arn = str(cluster.values.get("arn") or "")
    return Deployed(
        name=str(cluster.values.get("name") or ""),
        region=str(cluster.values.get("region") or (arn.split(":") + [""] * 4)[3]),
        support=next((str(one.get("support_type") or "") for one in cluster.values.get("upgrade_policy") or ()), ""),
        versions=Versions(
            kubernetes=_version(cluster),
            node_group=min(groups, key=parts, default=""),
            karpenter=_version(karpenter),
            load_balancer_controller=release,
            official_policy=policy is not None and _allows(policy.values, load_balancer_controller_actions("2.11.0")),
            karpenter_policy=KARPENTER_POLICY in resources,
            bottlerocket=next(iter(releases), ""),
            pinned={address: pin for address, spec in classes.items() if (pin := bottlerocket(spec)) not in ("", LATEST)},
            mounting=tuple(address for address, spec in classes.items() if MOUNTS in str(spec.get("userData"))),
            without_interfaces=tuple(
                address
                for address, spec in classes.items()
                if _name(resources[address]) in efa_classes and not spec.get("networkInterfaces")
            ),
            drifting=tuple(address for address, spec in governed.items() if not allowance(_budgets(spec), "Drifted").never),
        ),
        node_groups={
            str(one.values.get("node_group_name")): ", ".join(
                str(one.values[key]) for key in ("version", "release_version") if one.values.get(key)
            )
            for one in resources.values()
            if one.type == NODE_GROUPS
        },
        addons={
            str(one.values.get("addon_name")): str(one.values.get("addon_version"))
            for one in resources.values()
            if one.type == "aws_eks_addon"
        },
        bottlerocket={_name(resources[address]): bottlerocket(spec) for address, spec in classes.items()},
        own_budgets=tuple(_name(resources[address]) for address in gpu_pools if address not in governed),
        knows_the_ca="clusterCABundle:" in str(karpenter and karpenter.values.get("values")),
        resources=resources,
    )


def _resources(state: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Managed]]:
    for one in state:
        if one.get("mode", "managed") != "managed" or one.get("type") not in KEPT:
            continue
        address = ".".join(filter(None, (one.get("module"), one["type"], one.get("name"))))
        for instance in one.get("instances") or ():
            if "deposed" not in instance:
                key = instance.get("index_key")
                yield (
                    f"{address}{'' if key is None else f'[{json.dumps(key)}]'}",
                    Managed(one["type"], instance.get("attributes") or {}, instance.get("status") == "tainted"),
                )


def _specs(resources: Mapping[str, Managed], kind: str) -> Iterator[tuple[str, Values]]:
    for address, one in resources.items():
        found = manifest(one.values) if one.type == "kubectl_manifest" else None
        if found and found.get("kind") == kind:
            yield address, found.get("spec") or {}


def _name(one: Managed) -> str:
    return str((manifest(one.values) or {"metadata": {}})["metadata"].get("name"))


def _version(one: Managed | None) -> str:
    """The version of a resource; "" for what does not compare with releases, such as a build of one's own."""
    found = str((one and one.values.get("version")) or "")
    return found if re.fullmatch(NUMBERS, found) else ""


def _pools_with_efa(plugin: Managed | None) -> list[str]:
    """The names of the pools on whose nodes the device plugin runs."""
    found = (helm_values(plugin.values).get("supportedInstanceLabels") or {}).get("values") if plugin else None
    return found if isinstance(found, list) else []


def bottlerocket(spec: Values) -> str:
    """The release that a node class selects, such as `latest`; "" for none."""
    aliases = (str(term.get("alias") or "") for term in spec.get("amiSelectorTerms") or ())
    return next((alias.partition("@")[2] for alias in aliases if alias.startswith("bottlerocket@")), "")


def _has_gpu_taint(spec: Values) -> bool:
    return any(taint.get("key") == GPU for taint in ((spec.get("template") or {}).get("spec") or {}).get("taints") or ())


def _budgets(spec: Values) -> list[Values]:
    return (spec.get("disruption") or {}).get("budgets") or []


def _follows_gpu_drift_budget(budgets: Sequence[Values]) -> bool:
    """Whether budgets are those that `gpu_drift_budget` makes (stacks/kubernetes/node_pools.py)."""
    match budgets:
        case []:
            return True
        case [{"nodes": "10%", **others}, {"nodes": _, "reasons": ["Drifted"], **rest}]:
            return not others and not rest
        case _:
            return False


def _allows(values: Values, actions: Mapping[str, str]) -> bool:
    return all(f'"{action}"' in str(values.get("policy")) for action in actions)
