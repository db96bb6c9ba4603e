"""What a user decides about a cluster when the JSON is written. Plain Python.

A field marked `Variable` is the default of a Terraform variable, which `-var` and `terraform.tfvars` can set without a new
synthesis. Terraform alone judges its value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, Literal, TypeAlias

from stacks.config import rules
from stacks.config.access import POLICY, ROLE, AccessEntry, principal
from stacks.config.backends import LocalBackend, S3Backend
from stacks.config.catalogue import family
from stacks.config.checks import distinct, each, ipv4_networks, literal, matches, not_empty, user_tags
from stacks.config.fields import Change, D, R, U, Variable, Z
from stacks.config.gpu_drivers import mismatches
from stacks.config.pools import BOTTLEROCKET, TYPES, GeneralPool, GpuPool, overlaps
from stacks.config.tags import wrong_node_tags, wrong_tags
from stacks.config.versions import (
    LOAD_BALANCER_CONTROLLER_RELEASES,
    RELEASE,
    bottlerocket_mistake,
    dry_run_mistake,
    karpenter_mistake,
    known_kubernetes_version,
    kubernetes_version,
    mounts_all_disks,
    parts,
)

LogType: TypeAlias = Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]

ROLLS = Change("U and D: EKS rolls the node group, Karpenter its nodes")
ASSUME = Change("Z with cluster_admin_arn and access for the role; else R (an access entry) and U")
GROUP = Change("R (the node group)")
ADMIN = Change("Z where the role or user created the cluster; else R (an access entry) and U")


@dataclass(frozen=True)
class ClusterConfig:
    """A cluster, with a stack and a state of its own. The defaults are what the HCL module deployed."""

    name: Annotated[
        str, Z, matches(r"[a-z][a-z0-9-]{0,62}", "at most 63 lower-case letters, digits and hyphens, and start with a letter")
    ]
    """Name of the stack: of its folder in `cdktf.out/stacks`, and of its state."""
    _: KW_ONLY

    # Terraform variables: those of the HCL, and a few more.

    region: Annotated[str | None, R, Variable(rules.region(), required=True)] = None
    """AWS region of the cluster, such as us-west-2. Every zone of the region that does not need an opt-in gets subnets."""
    gpu_instance_types: Annotated[
        Sequence[str] | None,
        TYPES,
        Variable(rules.not_empty("gpu_instance_types"), required=True),
    ] = None
    """Instance types of the GPU node pool, such as p5.48xlarge (8 H100). Karpenter launches a type that has capacity."""
    gpu_capacity_type: Annotated[Sequence[str], TYPES, Variable(rules.not_empty("gpu_capacity_type"))] = ("spot",)
    """How GPU nodes are bought: spot, on-demand, reserved. Karpenter prefers reserved, then spot, then on-demand."""
    gpu_limit: Annotated[int | None, U, Variable(rules.gpu_limit())] = None
    """Maximum number of GPUs of all nodes of the GPU pool together; null for no limit."""
    gpu_drift_budget: Annotated[str | None, U, Variable(rules.gpu_drift_budget())] = None
    """GPU nodes that Karpenter may replace at a time because they drifted, for example from an older Bottlerocket release: a
    number, a percentage, or null for Karpenter's own 10%. Applies to gpu-spot, and to each of gpu_pools without budgets."""
    vpc_cidr: Annotated[str, R, Variable(rules.vpc_cidr())] = "10.0.0.0/16"
    """IPv4 network of the VPC. From a /16 each zone gets a private /20, a public /24 and an intra /24."""
    availability_zones: Annotated[Sequence[str], R, Variable(rules.availability_zones())] = ()
    """Zones to use, in the order of their subnets; [] for every zone of the region that does not need an opt-in."""
    cluster_name_prefix: Annotated[str, R, Variable(rules.cluster_name_prefix())] = "eks-spot-gpu"
    """Name of the cluster, before a hyphen and four random characters."""
    karpenter_node_instance_types: Annotated[Sequence[str], GROUP, Variable(rules.not_empty("karpenter_node_instance_types"))] = (
        "m5.large",
    )
    """Instance types of the managed node group that Karpenter itself runs on (x86_64)."""
    karpenter_node_availability_zones: Annotated[Sequence[str], GROUP, Variable(rules.karpenter_node_availability_zones())] = ()
    """Zones of the nodes for Karpenter itself; [] for every zone of the network."""
    karpenter_node_min_size: Annotated[int, U, Variable()] = 2
    """Minimum number of nodes for Karpenter itself."""
    karpenter_node_max_size: Annotated[int, U, Variable()] = 3
    """Maximum number of nodes for Karpenter itself."""
    karpenter_node_desired_size: Annotated[int, Z, Variable()] = 2
    """Number of nodes for Karpenter itself when the node group is created."""
    karpenter_node_release_version: Annotated[
        str | None,
        Change("Z at the current value; otherwise U, which rolls the node group"),
        Variable(rules.bottlerocket_release_version("karpenter_node_release_version")),
    ] = None
    """Bottlerocket release of the nodes for Karpenter itself, such as 1.53.0-4fc45e5a; null for the latest that AWS recommends."""
    addon_versions: Annotated[Mapping[str, str], Change("Z at the current values; otherwise U"), Variable()] = field(
        default_factory=dict
    )
    """Versions of EKS add-ons, such as { coredns = "v1.12.1-eksbuild.2" }; by default the latest that AWS offers."""

    # Decided when the JSON is written.

    backend: Annotated[LocalBackend | S3Backend, Z] = field(default_factory=LocalBackend)
    """Where Terraform keeps the state."""
    gpu_pools: Annotated[Sequence[GpuPool], U] = ()
    """GPU node pools in addition to the default pool gpu-spot."""
    general_pools: Annotated[Sequence[GeneralPool], U] = ()
    """Node pools without GPUs in addition to the default pool default."""
    wait_for_nodes: Annotated[bool, U] = False
    """Make a destroy wait until Karpenter has removed the nodes of a pool. Takes effect after an apply."""
    registry_login: Annotated[bool, U] = True
    """Log in to public ECR for Karpenter's chart. Without a login, the chart is pulled anonymously: no token in the state, no
    provider for us-east-1."""
    load_balancer_controller_policy: Annotated[Literal["reference", "official"], U] = "reference"
    """IAM policy of the load balancer controller: the HCL's, which lacks three actions, or the official policy."""
    offering_checks: Annotated[bool, Z] = True
    """Ask EC2 at plan which zones offer the instance types. Needs ec2:DescribeInstanceTypeOfferings."""
    spot_role_check: Annotated[bool, Z] = True
    """Warn at plan if the account does not have the service-linked role for Spot. Needs iam:ListRoles."""

    # Versions. Raise one at a time: docs/upgrading.md.

    kubernetes_version: Annotated[str, ROLLS, known_kubernetes_version] = "1.33"
    """Kubernetes version of the control plane, the node group and Karpenter's nodes. EKS moves one minor version at a time."""
    cluster_support_type: Annotated[Literal["STANDARD", "EXTENDED"] | None, U] = None
    """What EKS does at the end of standard support: upgrade the cluster (STANDARD; raise kubernetes_version and karpenter_version
    before that day), or charge for extended support (EXTENDED, AWS's default)."""
    support_check: Annotated[bool, Z] = False
    """Warn at plan when the Kubernetes version is in extended support. Needs eks:DescribeClusterVersions."""
    version_check: Annotated[bool, Z] = True
    """Refuse at plan a Kubernetes version to which EKS cannot move the cluster. Needs eks:ListClusters and eks:DescribeCluster."""
    karpenter_version: Annotated[str, Change("U; D at 1.8 (user data)")] = "1.6.0"
    """Karpenter release. From 1.7 on, Karpenter's CRDs are a Helm release of their own, so that an upgrade brings them."""
    disable_dry_run: Annotated[bool, U] = False
    """Do not let Karpenter try its EC2 calls with a dry run before a node class is READY, for accounts whose service control policy
    denies the dry run and allows the launch. Karpenter 1.6.2 or newer."""
    load_balancer_controller_version: Annotated[str, U] = "2.11.0"
    """AWS Load Balancer Controller release."""
    bottlerocket_version: Annotated[str, D, BOTTLEROCKET] = "latest"
    """Bottlerocket release of Karpenter's nodes: latest, or a version such as v1.53.0."""

    # Identity and access.

    aws_profile: Annotated[str | None, Z, not_empty, literal] = "default"
    """AWS profile of Terraform and of `aws eks get-token`; None for credentials of the environment, OIDC or the instance."""
    assume_role_arn: Annotated[str | None, ASSUME, ROLE] = None
    """ARN of an IAM role that Terraform and `aws eks get-token` assume."""
    cluster_admin_arn: Annotated[str | None, ADMIN, principal] = None
    """ARN of the IAM role or user that administers the cluster and its KMS key; None for the identity that runs Terraform."""
    access_entries: Annotated[Sequence[AccessEntry], U] = ()
    """Further IAM roles and users that may use the Kubernetes API. Whoever runs Terraform has an entry already, unless
    `cluster_admin_arn` is set."""
    kms_key_administrators: Annotated[Sequence[str], U, each(principal), distinct] = ()
    """ARNs of further administrators of the KMS key of Kubernetes secrets. Needs `cluster_admin_arn`."""
    endpoint_public_access: Annotated[bool, U] = True
    """Whether the Kubernetes API has a public endpoint. Without a public endpoint, Terraform must run inside the VPC's reach."""
    endpoint_public_access_cidrs: Annotated[Sequence[str], U, ipv4_networks, distinct] = ()
    """Networks that may reach the public endpoint; () for every address. Nodes use the private endpoint."""
    control_plane_logs: Annotated[Sequence[LogType] | None, U, distinct] = None
    """Logs of the control plane in CloudWatch; None for audit, api and authenticator, as the HCL has."""
    deletion_protection: Annotated[bool | None, U] = None
    """Whether EKS refuses to delete the cluster; None leaves that as it is. `make destroy` stops before it touches a node; a plain
    `terraform destroy` removes everything else first."""
    permissions_boundary: Annotated[str | None, U, POLICY] = None
    """ARN of the IAM policy that is the permissions boundary of every role of the stack."""
    tags: Annotated[Mapping[str, str], U, user_tags] = field(default_factory=dict)
    """Tags of everything that Terraform creates, except the instances of the node group."""
    node_tags: Annotated[Mapping[str, str], D, user_tags] = field(default_factory=dict)
    """Tags of the EC2 instances that Karpenter creates."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if self.kms_key_administrators and self.cluster_admin_arn is None:
            yield "kms_key_administrators must not be set without cluster_admin_arn: Terraform's own identity would lose the key."
        if self.endpoint_public_access_cidrs and not self.endpoint_public_access:
            yield "endpoint_public_access_cidrs must be () if endpoint_public_access is False."
        yield from self._wrong_tags()
        yield from self._wrong_entries()
        yield from self._wrong_versions()
        pools = [*self.gpu_pools, *self.general_pools]
        names = [pool.name for pool in pools]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"gpu_pools and general_pools must not contain two pools named {name!r}."
        for kind, listed in (("gpu_pools", self.gpu_pools), ("general_pools", self.general_pools)):
            for pool, other in overlaps([pool for pool in listed if names.count(pool.name) == 1]):
                yield (
                    f'{kind}["{pool.name}"] must differ from pool {other} in weight, or in a label or taint, because both could '
                    "take the same pod. Set a weight, for example."
                )

    def _wrong_tags(self) -> Iterator[str]:
        """Tags that AWS refuses together."""
        yield from (f"tags {text}." for text in wrong_tags(self.tags))
        of_all = list(wrong_node_tags(self.node_tags))
        yield from (f"node_tags {text}." for text in of_all)
        for kind, pools in (("gpu_pools", self.gpu_pools), ("general_pools", self.general_pools)):
            for pool in pools:
                together = wrong_node_tags({**self.node_tags, **pool.tags}) if pool.tags else ()
                yield from (f'{kind}["{pool.name}"].tags with node_tags {text}.' for text in together if text not in of_all)

    def _wrong_entries(self) -> Iterator[str]:
        """Access entries with the same name or the same principal."""
        entries = [*self.access_entries]
        for what, values in (("name", [e.name for e in entries]), ("principal_arn", [e.principal_arn for e in entries])):
            for value in sorted({value for value in values if values.count(value) > 1}):
                yield f"access_entries must not contain two entries with the {what} {value!r}."
        if self.assume_role_arn and not self.cluster_admin_arn and self.assume_role_arn in [e.principal_arn for e in entries]:
            yield (
                f"access_entries must not contain assume_role_arn ({self.assume_role_arn!r}), which has an entry as long as "
                "cluster_admin_arn is None."
            )
        if self.cluster_admin_arn in [entry.principal_arn for entry in entries]:
            yield f"access_entries must not contain cluster_admin_arn ({self.cluster_admin_arn!r}), which has an entry already."

    def _wrong_versions(self) -> Iterator[str]:
        """Versions that do not fit together."""
        if mistake := LOAD_BALANCER_CONTROLLER_RELEASES.mistake(self.load_balancer_controller_version):
            yield mistake
        if known_kubernetes_version(self.kubernetes_version):
            return
        if mistake := karpenter_mistake(self.kubernetes_version, self.karpenter_version):
            yield mistake
            return
        if mistake := dry_run_mistake(self.karpenter_version, disable_dry_run=self.disable_dry_run):
            yield mistake
        if self.load_balancer_controller_policy == "reference" and self.load_balancer_controller_version != "2.11.0":
            yield (
                "load_balancer_controller_policy must be 'official' for another release than 2.11.0 (got 'reference', release "
                f"{self.load_balancer_controller_version})."
            )
        if release := self.karpenter_node_release_version:
            least, (number, hyphen, _) = kubernetes_version(self.kubernetes_version).bottlerocket, release.partition("-")
            if hyphen and RELEASE.fullmatch(number) and parts(number) < parts(least):
                yield (
                    f"karpenter_node_release_version must be at least {least} for Kubernetes {self.kubernetes_version} (got "
                    f"{release!r})."
                )
        # The reference's GPU pool needs what any GPU pool needs.
        yield from self._wrong_bottlerocket("", self.bottlerocket_version, soci=True, nvme=True)
        for kind, nvme, pools in (("gpu_pools", True, self.gpu_pools), ("general_pools", False, self.general_pools)):
            for pool in pools:
                place, version = f'{kind}["{pool.name}"].', pool.bottlerocket_version or "latest"
                yield from self._wrong_bottlerocket(place, version, soci=pool.soci is not None, nvme=nvme)
        yield from self._without_drivers()

    def _wrong_bottlerocket(self, place: str, version: str, *, soci: bool, nvme: bool) -> Iterator[str]:
        """A release that the nodes of a pool cannot run."""
        if BOTTLEROCKET(version):
            return  # the check of the field reports it
        mounts_disks_itself = soci and not mounts_all_disks(self.karpenter_version)
        if mistake := bottlerocket_mistake(
            version, kubernetes=self.kubernetes_version, soci=soci, nvme=nvme, mounts_disks_itself=mounts_disks_itself
        ):
            yield f"{place}{mistake}"

    def _without_drivers(self) -> Iterator[str]:
        """GPU pools whose nodes would not have a driver for their GPUs. A plan judges `gpu_instance_types`, which is a variable."""
        for pool in self.gpu_pools:
            bottlerocket = pool.bottlerocket_version or self.bottlerocket_version
            if BOTTLEROCKET(bottlerocket):
                continue
            for mismatch in mismatches(kubernetes=self.kubernetes_version, bottlerocket=bottlerocket):
                if found := [name for name in pool.types() if family(name) in mismatch.families]:
                    given = [v for v in getattr(pool, pool.types_field()) if v in (*found, *mismatch.families, mismatch.gpu)]
                    types = "" if given == found else f", which stands for {', '.join(found)}"
                    yield (
                        f'gpu_pools["{pool.name}"].{pool.types_field()} must have GPUs that the driver of Bottlerocket supports '
                        f"(got {given!r}{types}): {mismatch.why}"
                    )
