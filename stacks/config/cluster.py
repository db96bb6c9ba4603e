"""A cluster: the parts of its configuration together, and what must hold between them. Plain Python.

A field marked `Variable` is the default of a Terraform variable, which `-var` and `terraform.tfvars` can set without a new
synthesis. Terraform alone judges its value.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stacks.config.administrators import Administrators
from stacks.config.checks import shortened
from stacks.config.common import CommonOptions
from stacks.config.control_plane import ControlPlane
from stacks.config.endpoints import EndpointOptions
from stacks.config.health import HealthOptions
from stacks.config.image_cache import ImageCacheOptions
from stacks.config.karpenter import ACCOUNT as KARPENTER_ACCOUNT
from stacks.config.karpenter import KarpenterOptions
from stacks.config.load_balancer_controller import ACCOUNT as LOAD_BALANCER_CONTROLLER_ACCOUNT
from stacks.config.load_balancer_controller import LoadBalancerControllerOptions
from stacks.config.login import Login
from stacks.config.network import NetworkOptions
from stacks.config.node_group import NodeGroup
from stacks.config.node_pools import NodePoolOptions
from stacks.config.pod_identities import PodIdentityOptions, ServiceAccount
from stacks.config.secondary_subnets import SecondarySubnetOptions, wrong_together
from stacks.config.spending import Spending, cents, is_priced_elsewhere, known, known_pools
from stacks.config.stack import Stack
from stacks.config.storage import StorageOptions
from stacks.hcl.rules import as_json
from stacks.knowledge.prices import PRICED_REGION
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
    StorageOptions,
    PodIdentityOptions,
    HealthOptions,
    Spending,
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
        yield from self.other_addons(self.further_addons())
        yield from self.without_a_pool(takes_any_pod=self.takes_any_pod())
        yield from self.repair_of_shared_gpus(self.shared())
        yield from self.older_than_needed(self.addon_versions)
        yield from self.wrong_accounts(self.own_accounts())
        yield from self._wrong_versions()
        yield from self._too_expensive()

    def own_accounts(self) -> dict[ServiceAccount, str]:
        """The service accounts that have a role of the stack's own, and whose they are."""
        controllers = {KARPENTER_ACCOUNT: "Karpenter", LOAD_BALANCER_CONTROLLER_ACCOUNT: "the load balancer controller"}
        return controllers | self.storage_accounts() | self.health_accounts()

    def further_addons(self) -> list[str]:
        """The names of the EKS add-ons beside those that every cluster has."""
        return [*self.storage_addons(), *self.health_addons()]

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
        yield from self.mixed_layouts(self.karpenter_version)
        if release := self.karpenter_node_release_version:
            least, (number, hyphen, _) = kubernetes_version(self.kubernetes_version).bottlerocket, release.partition("-")
            if hyphen and RELEASE.fullmatch(number) and parts(number) < parts(least):
                yield (
                    f"karpenter_node_release_version must be at least {least} for Kubernetes {self.kubernetes_version} (got "
                    f"{release!r})."
                )
        yield from self.wrong_bottlerocket(kubernetes=self.kubernetes_version, karpenter=self.karpenter_version)

    def _too_expensive(self) -> Iterator[str]:
        """Limits that allow more than `max_hourly_usd`, or of which Python does not know what they allow."""
        if self.max_hourly_usd is None:
            return
        needed = {"region": "prices differ by region"}
        if self.gpu_spot_pool:
            needed |= {"gpu_instance_types": "prices differ by type", "gpu_limit": "without a limit an hour has no highest price"}
        missing = {name: why for name, why in needed.items() if known(getattr(self, name)) is None}
        for name, why in missing.items():
            yield f"{name} must be set in Python if max_hourly_usd is set (got {shortened(getattr(self, name))}): {why}."
        pools = known_pools(self, self.region)
        unpriced = {pool.place: list(pool.not_priced) for pool in pools if pool.not_priced}
        for place, types in unpriced.items():
            yield (
                f"{place} must have list prices if max_hourly_usd is set (got {as_json(types)}, for which the program has none). "
                "Use other instance types, or remove max_hourly_usd."
            )
        total = cents(sum(pool.usd or 0 for pool in pools))
        if not missing and not unpriced and total > self.max_hourly_usd:
            each = ", ".join(f"{pool.pool.name} ${pool.usd:.2f}" for pool in pools)
            elsewhere = ", ".join(pool.pool.name for pool in pools if is_priced_elsewhere(pool, self.region))
            note = f" The program does not have every price of {self.region}, and uses those of {PRICED_REGION} for {elsewhere}."
            yield (
                f"max_hourly_usd must be at least {total:.2f}, which an hour can cost with these limits (got "
                f"{self.max_hourly_usd}): {each}. Lower a limit, or raise max_hourly_usd.{note if elsewhere else ''}"
            )
