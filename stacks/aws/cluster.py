"""The cluster: EKS, and the node group that Karpenter itself runs on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from imports.eks import Eks
from imports.expressions import Expression

from constructs import Construct

from stacks.aws.network import Network
from stacks.aws.offerings import Offerings
from stacks.config import rules
from stacks.config.checks import at_least, not_empty
from stacks.config.rules import Finding, Rule, shown
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments

KUBERNETES_VERSION = "1.33"

ADDONS: dict[str, dict[str, bool]] = {
    "coredns": {},
    "kube-proxy": {},
    # Before the nodes: a node is ready only with its network, and Karpenter gets its credentials from the agent.
    "eks-pod-identity-agent": {"before_compute": True},
    "vpc-cni": {"before_compute": True},
}


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """The managed node group: the only nodes that Karpenter does not make.

    Attributes:
        instance_types: x86_64 instance types.
        min_size, max_size, desired_size: numbers of nodes. A live group's desired size is left to who changed it.
        availability_zones: a list of zones; an empty list stands for all of the network.
        release_version: the Bottlerocket release, as `1.53.0-4fc45e5a`; None for the latest.
    """

    instance_types: Annotated[Sequence[str], not_empty] = ("m5.large",)
    min_size: Annotated[int | Expression, at_least(1)] = 2
    max_size: Annotated[int | Expression, at_least(1)] = 3
    desired_size: Annotated[int | Expression, at_least(1)] = 2
    availability_zones: Sequence[str] = ()
    release_version: str | None = None


class Cluster(Addressed):
    """An EKS cluster with its control plane in the intra subnets and its nodes in the private ones.

    Args:
        name: the name of the cluster, and the value of the tag by which Karpenter finds the nodes' security group.
        network: where the cluster is.
        node_group: the nodes that Karpenter runs on.
        addon_versions: the versions of some of `ADDONS`; the others have the latest that AWS offers.
        offering_checks: whether a plan asks EC2 if it offers the node group's types in its zones.
        tags: the tags of all that is made.

    Attributes:
        eks: the module.
        network: as given.
        requirements: what must hold before the cluster is created, as preconditions.

    Raises:
        ConfigurationError: a literal argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        network: Network,
        node_group: NodeGroup | None = None,
        addon_versions: Mapping[str, str] | Expression | None = None,
        offering_checks: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        node_group = node_group or NodeGroup()
        check_arguments(self, locals())
        self.network = network
        types = self.bind("karpenter_node_instance_types", node_group.instance_types)
        chosen = self.bind("karpenter_node_availability_zones", node_group.availability_zones)
        release = self.bind("karpenter_node_release_version", node_group.release_version)
        versions = self.bind("addon_versions", addon_versions or {})
        low, desired, high = (
            self.bind(f"karpenter_node_{size}_size", getattr(node_group, f"{size}_size")) for size in ("min", "desired", "max")
        )
        azs = self.add_local(
            "karpenter_node_azs", Expression(f"length({chosen.hcl}) > 0 ? tolist({chosen.hcl}) : {network.azs.hcl}")
        )
        self.requirements = self.add_rules(
            *rules.karpenter_node_instance_types(types),
            *rules.karpenter_node_sizes(low, desired, high),
            _zones_of_other_networks(chosen, network.azs),
            rules.addon_versions(versions, list(ADDONS)),
        )
        self.eks = self.add(
            Eks,
            "module.eks",
            name=name,
            kubernetes_version=KUBERNETES_VERSION,
            # Who makes the cluster administers it: the same run installs Karpenter in it.
            enable_cluster_creator_admin_permissions=True,
            endpoint_public_access=True,
            control_plane_scaling_config={"tier": "standard"},
            addons={
                addon: {**arguments, "addon_version": Expression(f'lookup({versions.hcl}, "{addon}", null)')}
                for addon, arguments in ADDONS.items()
            },
            vpc_id=network.vpc.vpc_id,
            subnet_ids=network.vpc.private_subnets,
            control_plane_subnet_ids=network.control_plane_subnets,
            eks_managed_node_groups={
                "karpenter": {
                    "ami_type": "BOTTLEROCKET_x86_64",
                    "instance_types": types,
                    "subnet_ids": network.private_subnets_in(azs),
                    "min_size": low,
                    "max_size": high,
                    "desired_size": desired,
                    "ami_release_version": release,
                    "use_latest_ami_release_version": Expression(f"{release.hcl} == null"),
                    # Karpenter must not run on nodes that Karpenter may remove.
                    "labels": {"karpenter.sh/controller": "true"},
                    "taints": {"karpenter": {"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}},
                }
            },
            node_security_group_tags={**(tags or {}), "karpenter.sh/discovery": name},
            tags=tags or {},
        )
        self.add_check(
            "karpenter_is_highly_available",
            Rule(
                f"{low.hcl} != 1",
                f"karpenter_node_min_size should be at least 2 (got {shown(low)}): Karpenter stops when a single node is replaced.",
            ),
        )
        if offering_checks:
            self.requirements += self._offering_rules(types, azs)

    def _offering_rules(self, types: Expression, azs: Expression) -> list[Rule]:
        """EKS refuses a node group with a zone that does not offer its instance types, after half of the rest was created."""
        zones_of = Offerings(self, "node_group", instance_types=types, azs=self.network.azs).zones
        every = f"alltrue([for zones in values({zones_of.hcl}) : contains(zones, zone)])"
        possible = self.add_local(
            "karpenter_node_azs_that_work", Expression(f"[for zone in {self.network.azs.hcl} : zone if {every}]")
        )
        # Of the network's zones that AWS answers: other rules judge the rest.
        zones = f"setintersection({azs.hcl}, {self.network.azs.hcl}, {self.network.available.hcl}.names)"
        missing = Finding(
            "karpenter_node_azs_without_the_types",
            f"setsubtract({zones}, {possible.hcl})",
            "karpenter_node_instance_types must be offered in every zone of the node group: EC2 does not offer "
            f'${{join(", ", {types.hcl})}} in ${{join(", ", local.karpenter_node_azs_without_the_types)}}, and EKS would refuse '
            f'the node group. ${{length({possible.hcl}) > 0 ? "Set karpenter_node_availability_zones = '
            f'${{jsonencode({possible.hcl})}}" : "Choose other karpenter_node_instance_types"}} (this replaces a living node '
            "group).",
        )
        return self.add_rules(missing)


def _zones_of_other_networks(zones: Expression, azs: Expression) -> Finding:
    return Finding(
        "karpenter_node_azs_of_other_networks",
        f"setsubtract({zones.hcl}, {azs.hcl})",
        "karpenter_node_availability_zones must be zones of the network (got {found}). Its zones are "
        f'${{join(", ", {azs.hcl})}}.',
    )
