"""The input variables: what a user sets in `terraform.tfvars`, with `-var` or in TF_VAR_*."""

from typing import Any

from cdktf import TerraformVariable
from constructs import Construct

from imports.expressions import Expression
from stacks.addresses import Addressed

_REQUIRED = object()


class Variables(Addressed):
    """Each attribute is the expression of the variable of that name: `variables.region` is `${var.region}`."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.region = self._variable(
            "region",
            "string",
            "AWS region of the cluster, as us-west-2. Every zone of it that needs no opt-in gets subnets.",
        )
        self.gpu_instance_types = self._variable(
            "gpu_instance_types",
            "list(string)",
            "Instance types of the GPU node pool, as p5.48xlarge (8 H100). Karpenter takes one that has capacity.",
        )
        self.gpu_capacity_type = self._variable(
            "gpu_capacity_type",
            "list(string)",
            "How GPU nodes are bought: spot, on-demand, reserved. Karpenter prefers the cheapest of those given.",
            ["spot"],
        )
        self.vpc_cidr = self._variable(
            "vpc_cidr",
            "string",
            "IPv4 network of the VPC. From a /16 each zone gets a private /20, a public /24 and an intra /24.",
            "10.0.0.0/16",
        )
        self.cluster_name_prefix = self._variable(
            "cluster_name_prefix",
            "string",
            "Name of the cluster, before a hyphen and four random characters.",
            "eks-spot-gpu",
        )
        self.karpenter_node_instance_types = self._variable(
            "karpenter_node_instance_types",
            "list(string)",
            "Instance types of the managed node group that Karpenter itself runs on (x86_64).",
            ["m5.large"],
        )
        self.karpenter_node_min_size = self._variable(
            "karpenter_node_min_size", "number", "Nodes for Karpenter itself, at least.", 2
        )
        self.karpenter_node_max_size = self._variable(
            "karpenter_node_max_size", "number", "Nodes for Karpenter itself, at most.", 3
        )
        self.karpenter_node_desired_size = self._variable(
            "karpenter_node_desired_size", "number", "Nodes for Karpenter itself, when the group is made.", 2
        )

    def _variable(self, name: str, type: str, description: str, default: Any = _REQUIRED) -> Expression:
        given = {} if default is _REQUIRED else {"default": default}
        self.add(TerraformVariable, f"var.{name}", type=type, description=description, **given)
        return f"${{var.{name}}}"
