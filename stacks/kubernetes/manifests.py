"""Karpenter's objects as dataclasses that become Kubernetes manifests. Plain Python.

The fields are Karpenter's: https://karpenter.sh/v1.6/concepts/nodepools/ and https://karpenter.sh/v1.6/concepts/nodeclasses/
A string may be a Terraform expression, and so may a whole list of strings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from stacks.config import Budget, CapacityReservation, DataVolume, Taint
from stacks.config.checks import matches, refuse
from stacks.config.pools import Pool
from stacks.hcl.expressions import Expression
from stacks.knowledge.versions import RELEASE

Manifest: TypeAlias = dict[str, Any]

API_GROUP = "karpenter.k8s.aws"

OBJECT_NAME = matches(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a Kubernetes name such as gpu-spot")
ALIAS = matches(f"bottlerocket@(latest|v{RELEASE.pattern})", "an alias such as bottlerocket@v1.53.0")


@dataclass(frozen=True, kw_only=True)
class NodeClass:
    """An EC2NodeClass: how Karpenter creates a node on AWS.

    Attributes:
        name: of the object.
        role: the name of the nodes' IAM role.
        discovery: the value of the tag `karpenter.sh/discovery` on the subnets and security groups to use.
        user_data: Bottlerocket settings, TOML; "" for none beside Karpenter's own.
        tags: on the instances, beside the discovery tag.
        instance_store_policy: RAID0 joins the NVMe disks into one.
        data_volume: the EBS volume for images and pods; None for Karpenter's 20 GiB.
        capacity_reservations: the reservations that nodes may use.
        network_interfaces: of the nodes, each with the keys of the custom resource definition; () for Karpenter's own choice.
        placement_group: the name of the nodes' placement group.
        ami_alias: the AMI, as `bottlerocket@latest` or `bottlerocket@v1.53.0`.
    """

    name: Annotated[str, OBJECT_NAME]
    role: str
    discovery: str
    user_data: str
    tags: Mapping[str, str] = field(default_factory=dict)
    instance_store_policy: Literal["RAID0"] | None = None
    data_volume: DataVolume | None = None
    capacity_reservations: Sequence[CapacityReservation] = ()
    network_interfaces: Sequence[Mapping[str, Any]] = ()
    placement_group: str | None = None
    ami_alias: Annotated[str, ALIAS] = "bottlerocket@latest"

    def manifest(self) -> Manifest:
        """The Kubernetes object.

        Raises:
            ConfigurationError: a field has a value that Kubernetes or Karpenter would refuse.
        """
        refuse("NodeClass", self)
        discovery = {"karpenter.sh/discovery": self.discovery}
        spec: dict[str, Any] = {
            "role": self.role,
            "amiSelectorTerms": [{"alias": self.ami_alias}],
            "subnetSelectorTerms": [{"tags": discovery}],
            "securityGroupSelectorTerms": [{"tags": discovery}],
            "tags": {**discovery, **self.tags},
        }
        if self.user_data:
            spec["userData"] = self.user_data
        if self.instance_store_policy:
            spec["instanceStorePolicy"] = self.instance_store_policy
        if self.data_volume:
            spec["blockDeviceMappings"] = _block_devices(self.data_volume)
        if self.capacity_reservations:
            spec["capacityReservationSelectorTerms"] = [reservation.term() for reservation in self.capacity_reservations]
        if self.network_interfaces:
            spec["networkInterfaces"] = list(map(dict, self.network_interfaces))
        if self.placement_group:
            spec["placementGroupSelector"] = {"name": self.placement_group}
        return _object(f"{API_GROUP}/v1", "EC2NodeClass", self.name, spec)


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What a node's label `key` must be. `operator`: In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: Sequence[str] | Expression


@dataclass(frozen=True, kw_only=True)
class NodePool:
    """A NodePool: which nodes Karpenter may create for which pods, and when Karpenter removes them.

    Attributes:
        pool: the pool of the configuration. What follows is not as there, because the program adds to it or a variable decides.
        node_class: the nodes' EC2NodeClass.
        requirements: which instance types.
        limits: the most that all nodes of the pool have together, as `{"cpu": 1000}`.
        budgets: how many nodes Karpenter may disrupt at a time, and why; Karpenter's own 10% if there are none.
        labels, taints: of the nodes.
    """

    pool: Pool
    node_class: NodeClass
    requirements: Sequence[Requirement]
    limits: Mapping[str, Any] | Expression
    budgets: Sequence[Budget] | Expression = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()

    def manifest(self) -> Manifest:
        """The Kubernetes object."""
        pool = self.pool
        node: dict[str, Any] = {
            "nodeClassRef": {"group": API_GROUP, "kind": "EC2NodeClass", "name": self.node_class.name},
            "requirements": [{**asdict(one), "values": _list(one.values)} for one in self.requirements],
        }
        if self.taints:
            # The CRD refuses an empty value.
            node["taints"] = [{key: value for key, value in asdict(taint).items() if value} for taint in self.taints]
        if pool.expire_after:
            node["expireAfter"] = pool.expire_after
        if pool.termination_grace_period:
            node["terminationGracePeriod"] = pool.termination_grace_period
        template: dict[str, Any] = {"spec": node}
        if self.labels:
            template["metadata"] = {"labels": dict(self.labels)}
        disruption: dict[str, Any] = {"consolidationPolicy": pool.consolidation_policy, "consolidateAfter": pool.consolidate_after}
        if self.budgets:
            disruption["budgets"] = self.budgets if isinstance(self.budgets, Expression) else list(map(_budget, self.budgets))
        limits = self.limits if isinstance(self.limits, Expression) else dict(self.limits)
        spec: dict[str, Any] = {"template": template, "disruption": disruption, "limits": limits}
        if pool.weight:
            spec["weight"] = pool.weight
        if pool.replicas is not None:
            spec["replicas"] = pool.replicas
        return _object("karpenter.sh/v1", "NodePool", pool.name, spec)


def _budget(budget: Budget) -> dict[str, Any]:
    return {key: _list(value) if key == "reasons" else value for key, value in asdict(budget).items() if value}


def _block_devices(data: DataVolume) -> list[dict[str, Any]]:
    """Bottlerocket's two volumes. Any entry replaces all of Karpenter's defaults, so the list has both."""
    ebs = {"volumeType": "gp3", "encrypted": True, "deleteOnTermination": True}
    sized = {"volumeSize": f"{data.size_gib}Gi", "iops": data.iops, "throughput": data.throughput_mib}
    return [
        {"deviceName": "/dev/xvda", "ebs": {**ebs, "volumeSize": "4Gi"}},
        {"deviceName": "/dev/xvdb", "ebs": {**ebs, **sized}},
    ]


def _list(values: Sequence[str]) -> Sequence[str]:
    return values if isinstance(values, Expression) else list(values)


def _object(api_version: str, kind: str, name: str, spec: Mapping[str, Any]) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}
