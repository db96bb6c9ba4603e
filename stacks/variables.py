"""The input variables: what a user sets in `terraform.tfvars`, with `-var` or in TF_VAR_*.

What a change of each does to a living deployment stands in the README, as its class.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from imports.expressions import Expression

from cdktf import Token

from stacks import rules
from stacks.addresses import Addressed
from stacks.rules import Rule
from stacks.settings import Preset

_REQUIRED = object()


class Variables:
    """Each attribute is the expression of the variable of that name: `variables.region` is `${var.region}`.

    Attributes:
        requirements: what must hold between variables, and what a validation must not refuse.
    """

    def __init__(self, stack: Addressed, *, preset: Preset) -> None:
        self._stack = stack
        recommended = preset == "recommended"
        self.region = self._variable(
            "region",
            "string",
            "AWS region of the cluster, as us-west-2. Every zone of it that needs no opt-in gets subnets.",
            rules=rules.region(),
        )
        self.gpu_instance_types = self._variable(
            "gpu_instance_types",
            "list(string)",
            "Instance types of the GPU node pool, as p5.48xlarge (8 H100). Karpenter takes one that has capacity.",
            rules=rules.not_empty("gpu_instance_types"),
        )
        self.gpu_capacity_type = self._variable(
            "gpu_capacity_type",
            "list(string)",
            "How GPU nodes are bought: spot, on-demand, reserved. Karpenter prefers reserved, then spot, then on-demand.",
            ["spot"],
            rules=rules.not_empty("gpu_capacity_type"),
        )
        self.gpu_limit = self._variable(
            "gpu_limit",
            "number",
            "GPUs that all nodes of the GPU pool have together, at most; null for no limit.",
            32 if recommended else None,
            rules=rules.gpu_limit(),
        )
        self.gpu_drift_budget = self._variable(
            "gpu_drift_budget",
            "string",
            "GPU nodes that Karpenter may replace at a time because they drifted, as from an older Bottlerocket release: a "
            "number, a percentage, or null for Karpenter's own 10%.",
            "0" if recommended else None,
            rules=rules.gpu_drift_budget(),
        )
        self.vpc_cidr = self._variable(
            "vpc_cidr",
            "string",
            "IPv4 network of the VPC. From a /16 each zone gets a private /20, a public /24 and an intra /24.",
            "10.0.0.0/16",
            rules=rules.vpc_cidr(),
        )
        self.availability_zones = self._variable(
            "availability_zones",
            "list(string)",
            "Zones to use, in the order of their subnets; [] for every zone of the region that needs no opt-in.",
            [],
            rules=rules.availability_zones(),
        )
        self.cluster_name_prefix = self._variable(
            "cluster_name_prefix",
            "string",
            "Name of the cluster, before a hyphen and four random characters.",
            "eks-spot-gpu",
            rules=rules.cluster_name_prefix(),
        )
        self.karpenter_node_instance_types = self._variable(
            "karpenter_node_instance_types",
            "list(string)",
            "Instance types of the managed node group that Karpenter itself runs on (x86_64).",
            ["m5.large"],
            rules=rules.not_empty("karpenter_node_instance_types"),
        )
        self.karpenter_node_availability_zones = self._variable(
            "karpenter_node_availability_zones",
            "list(string)",
            "Zones of the nodes for Karpenter itself; [] for every zone of the network.",
            [],
            rules=rules.karpenter_node_availability_zones(),
        )
        self.karpenter_node_min_size = self._node_group_size("min", "Nodes for Karpenter itself, at least.", 2)
        self.karpenter_node_max_size = self._node_group_size("max", "Nodes for Karpenter itself, at most.", 3)
        self.karpenter_node_desired_size = self._node_group_size(
            "desired", "Nodes for Karpenter itself, when the group is made.", 2
        )
        self.karpenter_node_release_version = self._variable(
            "karpenter_node_release_version",
            "string",
            "Bottlerocket release of the nodes for Karpenter itself, as 1.53.0-4fc45e5a; null for the latest that AWS recommends.",
            None,
            rules=rules.bottlerocket_release_version("karpenter_node_release_version"),
        )
        self.addon_versions = self._variable(
            "addon_versions",
            "map(string)",
            'Versions of EKS add-ons, as { coredns = "v1.12.1-eksbuild.2" }; by default the latest that AWS offers.',
            {},
        )
        self.requirements = [*rules.gpu_capacity_type(), rules.karpenter_policy_length()]

    def _node_group_size(self, size: str, description: str, default: int) -> Expression:
        name = f"karpenter_node_{size}_size"
        return self._variable(name, "number", description, default)

    def _variable(
        self, name: str, type: str, description: str, default: Any = _REQUIRED, *, rules: Sequence[Rule] = ()
    ) -> Expression:
        body: dict[str, Any] = {
            "type": type,
            "description": description,
        }
        if rules:
            body["validation"] = [rule.block() for rule in rules]
        if default is not _REQUIRED:
            body["default"] = _null() if default is None else default
        if default is not None:
            body["nullable"] = False  # a null that says nothing stands for the default
        return self._stack.add_variable(name, body)


@cache
def _null() -> Any:
    """Terraform's null; jsii takes None for nothing at all."""
    return Token.null_value()
