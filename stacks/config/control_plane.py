"""The EKS cluster: versions, endpoints, logs and add-ons. Plain Python."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal, TypeAlias

from stacks.config.checks import DECIDES, at_least, at_most, distinct, ipv4_networks
from stacks.config.fields import Change, Variable
from stacks.hcl.expressions import is_expression
from stacks.hcl.rules import MOST, VALUE, Elements, found, matches
from stacks.knowledge.efa import EfaInterface
from stacks.knowledge.ip_addresses import addresses_by_type
from stacks.knowledge.versions import known_kubernetes_version

LogType: TypeAlias = Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]

ROLLS = Change("U and D: EKS rolls the node group, Karpenter its nodes")

# Some builds have another word: v1.16.0-minimal-eksbuild.1.
ADDON_VERSION = r"^v[0-9]+[.][0-9]+[.][0-9]+(-[a-z0-9.]+)*-eksbuild[.][0-9]+$"


ADDONS: dict[str, dict[str, bool]] = {
    "coredns": {},
    "kube-proxy": {},
    # Before the nodes: a node is ready only with its network, and Karpenter gets its credentials from the agent.
    "eks-pod-identity-agent": {"before_compute": True},
    "vpc-cni": {"before_compute": True},
}


def other_addons(addons: Sequence[str]) -> Elements:
    """The rule that `addon_versions` names add-ons that the cluster has. `aws eks describe-addon-versions` lists the versions."""
    return Elements(
        "addon_versions_of_other_addons",
        f"setsubtract(keys({VALUE}), {json.dumps(list(addons))})",
        lambda addon: addon not in addons,
        f"addon_versions must name add-ons of the cluster: {', '.join(addons)} (got {{found}}).",
    )


MALFORMED_VERSIONS = Elements(
    "addon_versions_malformed",
    f"{{for addon, version in {VALUE} : addon => version if version != null && !{matches('version', ADDON_VERSION)}}}",
    lambda version: not found(ADDON_VERSION, version),
    "addon_versions must have versions such as v1.12.1-eksbuild.2 (got {found}). Leave an add-on out for the latest.",
)


@dataclass(frozen=True, kw_only=True)
class VpcCni:
    """How many addresses of its subnet a node holds ready for pods.

    Both targets are required, because the CNI's README warns of one alone: with `WARM_IP_TARGET` a node asks EC2 for each pod, and
    with `MINIMUM_IP_TARGET` it never takes an address for a pod beyond that number.
    """

    warm_ip_target: Annotated[int, DECIDES, Change.IN_PLACE, at_least(1), at_most(MOST)]
    """Free addresses that a node keeps beside those of its pods (`WARM_IP_TARGET`)."""
    minimum_ip_target: Annotated[int, DECIDES, Change.IN_PLACE, at_least(1), at_most(MOST)]
    """Addresses for pods that a node takes at once (`MINIMUM_IP_TARGET`): the pods that a node usually has."""

    def settings(self) -> dict[str, dict[str, str]]:
        """The add-on's `configuration_values`."""
        return {"env": {name.upper(): str(value) for name, value in asdict(self).items()}}


@dataclass(frozen=True, kw_only=True)
class ControlPlane:
    """Versions, endpoints, logs and add-ons of the EKS cluster."""

    kubernetes_version: Annotated[str, ROLLS, known_kubernetes_version] = "1.33"
    """Kubernetes version of the control plane, the node group and Karpenter's nodes. EKS moves one minor version at a time."""
    cluster_support_type: Annotated[Literal["STANDARD", "EXTENDED"] | None, Change.IN_PLACE] = None
    """What EKS does at the end of standard support: upgrade the cluster (STANDARD; raise kubernetes_version and karpenter_version
    before that day), or charge for extended support (EXTENDED, AWS's default)."""
    support_check: Annotated[bool, Change.NONE] = False
    """Warn at plan when the Kubernetes version is in extended support. Needs eks:DescribeClusterVersions."""
    version_check: Annotated[bool, Change.NONE] = True
    """Refuse at plan a Kubernetes version to which EKS cannot move the cluster. Needs eks:ListClusters and eks:DescribeCluster."""
    addon_versions: Annotated[Mapping[str, str], Change("Z at the current values; otherwise U"), Variable()] = field(
        default_factory=dict
    )
    """Versions of EKS add-ons, such as { coredns = "v1.12.1-eksbuild.2" }; by default the latest that AWS offers."""
    vpc_cni: Annotated[VpcCni | None, DECIDES, Change("U; Z back to None, which leaves the targets as they are")] = None
    """Addresses that nodes hold ready for pods; None for the CNI's own rule: all of one more interface."""
    endpoint_public_access: Annotated[bool, Change.IN_PLACE] = True
    """Whether the Kubernetes API has a public endpoint. Without a public endpoint, Terraform must run inside the VPC's reach."""
    endpoint_public_access_cidrs: Annotated[Sequence[str], Change.IN_PLACE, ipv4_networks, distinct] = ()
    """Networks that may reach the public endpoint; () for every address. Nodes use the private endpoint."""
    control_plane_logs: Annotated[Sequence[LogType] | None, Change.IN_PLACE, distinct] = None
    """Logs of the control plane in CloudWatch; None for audit, api and authenticator, as the HCL has."""
    deletion_protection: Annotated[bool | None, Change.IN_PLACE] = None
    """Whether EKS refuses to delete the cluster; None leaves that as it is. `make destroy` stops before it touches a node; a plain
    `terraform destroy` removes everything else first."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields, and with literals that a plan would refuse."""
        if not is_expression(self.addon_versions):
            yield from filter(None, [MALFORMED_VERSIONS.mistake(self.addon_versions)])
        if self.endpoint_public_access_cidrs and not self.endpoint_public_access:
            yield "endpoint_public_access_cidrs must be () if endpoint_public_access is False."

    def other_addons(self, further: Sequence[str] = ()) -> Iterator[str]:
        """Versions of add-ons that the cluster does not have; `further` are those that other parts add to the cluster's own."""
        if not is_expression(self.addon_versions):
            yield from filter(None, [other_addons([*ADDONS, *further]).mistake(list(self.addon_versions))])

    def addresses_by_type(self, *, efa: EfaInterface | None = None) -> dict[str, int]:
        """The GPU types, with the addresses that a node takes, by its interfaces of EFA."""
        return addresses_by_type(**(asdict(self.vpc_cni) if self.vpc_cni else {}), efa=efa)
