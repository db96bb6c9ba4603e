"""Karpenter's objects as dataclasses that become Kubernetes manifests. Pure Python.

The fields are Karpenter's: https://karpenter.sh/v1.6/concepts/nodepools/ and https://karpenter.sh/v1.6/concepts/nodeclasses/
A string may be a Terraform expression, and so may a whole list of strings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from stacks.arguments import check_shape

Manifest: TypeAlias = dict[str, Any]

API_GROUP = "karpenter.k8s.aws"

NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


@dataclass(frozen=True, kw_only=True)
class NodeClass:
    """An EC2NodeClass: how a node is made on AWS.

    Attributes:
        name: of the object.
        role: the name of the nodes' IAM role.
        discovery: the value of the tag `karpenter.sh/discovery` on the subnets and security groups to use.
        user_data: Bottlerocket settings, TOML.
        tags: on the instances, beside the discovery tag.
        instance_store_policy: RAID0 makes one disk of the NVMe disks.
        ami_alias: the AMI, as `bottlerocket@latest` or `bottlerocket@v1.45.0`.

    Raises:
        ValueError: a name or an alias that Kubernetes or Karpenter would refuse.
    """

    name: str
    role: str
    discovery: str
    user_data: str
    tags: Mapping[str, str] = field(default_factory=dict)
    instance_store_policy: Literal["RAID0"] | None = None
    ami_alias: str = "bottlerocket@latest"

    def __post_init__(self) -> None:
        check_shape("NodeClass: name", self.name, NAME, "gpu")
        check_shape("NodeClass: ami_alias", self.ami_alias, r"bottlerocket@(latest|v\d+\.\d+\.\d+)", "bottlerocket@v1.45.0")

    def manifest(self) -> Manifest:
        """The Kubernetes object."""
        discovery = {"karpenter.sh/discovery": self.discovery}
        spec = {
            "role": self.role,
            "amiSelectorTerms": [{"alias": self.ami_alias}],
            "subnetSelectorTerms": [{"tags": discovery}],
            "securityGroupSelectorTerms": [{"tags": discovery}],
            "tags": {**discovery, **self.tags},
            "userData": self.user_data,
        }
        if self.instance_store_policy:
            spec["instanceStorePolicy"] = self.instance_store_policy
        return _object(f"{API_GROUP}/v1", "EC2NodeClass", self.name, spec)


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What a node's label `key` must be. `operator`: In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: Sequence[str] | str


@dataclass(frozen=True, kw_only=True)
class Taint:
    """Keeps pods away that do not tolerate it."""

    key: str
    value: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


@dataclass(frozen=True, kw_only=True)
class NodePool:
    """A NodePool: which nodes Karpenter may make for which pods, and when it removes them.

    Attributes:
        name: of the object.
        node_class: the nodes' EC2NodeClass.
        requirements: which instance types.
        consolidate_after: how long a node is empty before it goes, as `30s` or `1h`.
        limits: the most that all nodes of the pool have together, as `{"cpu": 1000}`.
        budgets: how many nodes Karpenter may disrupt at a time, and why; its own 10% if there are none.
        labels, taints: of the nodes.

    Raises:
        ValueError: a name or a duration that Kubernetes or Karpenter would refuse.
    """

    name: str
    node_class: NodeClass
    requirements: Sequence[Requirement]
    consolidate_after: str
    limits: Mapping[str, Any] | str = field(default_factory=dict)
    budgets: Sequence[Mapping[str, Any]] | str = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()

    def __post_init__(self) -> None:
        check_shape("NodePool: name", self.name, NAME, "gpu-spot")
        check_shape("NodePool: consolidate_after", self.consolidate_after, r"(\d+(s|m|h))+|Never", "1h30m or Never")

    def manifest(self) -> Manifest:
        """The Kubernetes object."""
        node: dict[str, Any] = {
            "nodeClassRef": {"group": API_GROUP, "kind": "EC2NodeClass", "name": self.node_class.name},
            "requirements": [asdict(requirement) for requirement in self.requirements],
        }
        if self.taints:
            node["taints"] = [asdict(taint) for taint in self.taints]
        template: dict[str, Any] = {"spec": node}
        if self.labels:
            template["metadata"] = {"labels": dict(self.labels)}
        disruption: dict[str, Any] = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": self.consolidate_after}
        if self.budgets:
            disruption["budgets"] = self.budgets if isinstance(self.budgets, str) else list(self.budgets)
        spec: dict[str, Any] = {"template": template, "disruption": disruption}
        if self.limits:
            spec["limits"] = self.limits if isinstance(self.limits, str) else dict(self.limits)
        return _object("karpenter.sh/v1", "NodePool", self.name, spec)


def _object(api_version: str, kind: str, name: str, spec: Mapping[str, Any]) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
