"""A cluster: the parts of its configuration together, and what must hold between them. Plain Python.

A field marked `Variable` is the default of a Terraform variable, which `-var` and `terraform.tfvars` can set without a new
synthesis. Terraform alone judges its value.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stacks.config.administrators import Administrators
from stacks.config.common import CommonOptions
from stacks.config.control_plane import ControlPlane
from stacks.config.endpoints import EndpointOptions
from stacks.config.image_cache import ImageCacheOptions
from stacks.config.karpenter import KarpenterOptions
from stacks.config.load_balancer_controller import LoadBalancerControllerOptions
from stacks.config.login import Login
from stacks.config.network import NetworkOptions
from stacks.config.node_group import NodeGroup
from stacks.config.node_pools import NodePoolOptions
from stacks.config.secondary_subnets import SecondarySubnetOptions, wrong_together
from stacks.config.stack import Stack
from stacks.hcl.rules import as_json
from stacks.knowledge.versions import RELEASE, karpenter_mistake, known_kubernetes_version, kubernetes_version, parts


@dataclass(frozen=True)
class ClusterConfig(
    Stack,
    Login,
    CommonOptions,
    NetworkOptions,
    SecondarySubnetOptions,
    EndpointOptions,
    ImageCacheOptions,
    ControlPlane,
    Administrators,
    NodeGroup,
    KarpenterOptions,
    NodePoolOptions,
    LoadBalancerControllerOptions,
):
    """A cluster, with a stack and a state of its own. The defaults are what the HCL module deployed."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields, those of each part first."""
        for part in ClusterConfig.__bases__:
            if found := getattr(part, "mistakes", None):
                yield from found(self)
        principals = [entry.principal_arn for entry in self.access_entries]
        if self.assume_role_arn in principals and not self.cluster_admin_arn:
            yield (
                f"access_entries must not contain assume_role_arn ({self.assume_role_arn!r}), which has an entry as long as "
                "cluster_admin_arn is None."
            )
        yield from self._wrong_zones()
        if self.secondary_cidr:
            yield from wrong_together(self.vpc_cidr, self.secondary_cidr)
        yield from self.secrets_elsewhere(self.region)
        yield from self._wrong_versions()

    def _wrong_zones(self) -> Iterator[str]:
        """Zones of other regions, and nodes outside of the network. What AWS alone knows is for the plan."""
        zones = self.availability_zones
        if self.region and (found := [zone for zone in zones if not zone.startswith(self.region)]):
            yield f"availability_zones must be zones of the region (got {as_json(found)}). The region is {self.region}."
        if zones and (found := [zone for zone in self.karpenter_node_availability_zones if zone not in zones]):
            yield (
                f"karpenter_node_availability_zones must be zones of the network (got {as_json(found)}). Its zones are "
                f"{', '.join(zones)}."
            )

    def _wrong_versions(self) -> Iterator[str]:
        """Versions that do not fit together."""
        if known_kubernetes_version(self.kubernetes_version) or any(KarpenterOptions.mistakes(self)):
            return
        if mistake := karpenter_mistake(self.kubernetes_version, self.karpenter_version):
            yield mistake
            return
        yield from self.newer_than(self.karpenter_version)
        if release := self.karpenter_node_release_version:
            least, (number, hyphen, _) = kubernetes_version(self.kubernetes_version).bottlerocket, release.partition("-")
            if hyphen and RELEASE.fullmatch(number) and parts(number) < parts(least):
                yield (
                    f"karpenter_node_release_version must be at least {least} for Kubernetes {self.kubernetes_version} (got "
                    f"{release!r})."
                )
        yield from self.wrong_bottlerocket(kubernetes=self.kubernetes_version, karpenter=self.karpenter_version)
