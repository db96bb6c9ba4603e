"""The stack: the whole system, in the order in which it is built."""

from collections.abc import Sequence

from imports.expressions import Expression

from cdktf import (
    LocalBackend,
    Precondition,
    S3Backend,
    TerraformOutput,
    TerraformResourceLifecycle,
)
from cdktf_cdktf_provider_random.string_resource import StringResource
from constructs import Construct

from stacks.addresses import AddressedStack
from stacks.alb import AlbController
from stacks.cluster import Cluster, NodeGroup
from stacks.gpu_types import GpuTypes
from stacks.karpenter import Karpenter
from stacks.network import Network
from stacks.nodepools import NodePools
from stacks.providers import (
    PROFILE,
    REQUIRED_PROVIDERS,
    REQUIRED_TERRAFORM,
    add_cloud_providers,
    add_cluster_providers,
    add_ecr_public_provider,
)
from stacks.rules import Rule
from stacks.settings import Settings
from stacks.variables import Variables


class KarpenterStack(AddressedStack):
    """An EKS cluster for GPU Spot work: `Settings` decide the synthesis, `Variables` the deployment."""

    def __init__(self, scope: Construct, settings: Settings) -> None:
        super().__init__(scope, settings.stack)
        variables = Variables(self, preset=settings.preset)

        name = self.add_local("name", f"{variables.cluster_name_prefix}-${{random_string.suffix.result}}")
        tags = {"Example": name, "GithubRepo": "terraform-aws-eks", "GithubOrg": "terraform-aws-modules"}

        add_cloud_providers(self, region=variables.region)
        # `recommended` pulls Karpenter's chart anonymously: no token in the state, no provider for us-east-1.
        ecr_public = add_ecr_public_provider(self) if settings.preset == "reference" else None
        network = Network(
            self,
            "network",
            name=name,
            cidr=variables.vpc_cidr,
            availability_zones=variables.availability_zones,
            tags=tags,
        )
        cluster = Cluster(
            self,
            "cluster",
            name=name,
            network=network,
            node_group=NodeGroup(
                instance_types=variables.karpenter_node_instance_types,
                min_size=variables.karpenter_node_min_size,
                max_size=variables.karpenter_node_max_size,
                desired_size=variables.karpenter_node_desired_size,
                availability_zones=variables.karpenter_node_availability_zones,
                release_version=variables.karpenter_node_release_version,
            ),
            addon_versions=variables.addon_versions,
            offering_checks=settings.offering_checks,
            tags=tags,
        )
        add_cluster_providers(self, cluster=cluster, registry_login=ecr_public is not None)
        karpenter = Karpenter(
            self,
            "karpenter",
            cluster=cluster,
            node_role_name=name,
            ecr_public=ecr_public,
            spot_role_check=settings.spot_role_check,
            tags=tags,
        )
        AlbController(
            self,
            "alb",
            name=name,
            karpenter=karpenter,
            region=variables.region,
            preset=settings.preset,
            tags=tags,
        )
        NodePools(
            self,
            "nodepools",
            karpenter=karpenter,
            discovery=name,
            gpu_instance_types=variables.gpu_instance_types,
            gpu_capacity_type=variables.gpu_capacity_type,
            gpu_limit=variables.gpu_limit,
            gpu_drift_budget=variables.gpu_drift_budget,
            preset=settings.preset,
        )
        gpu_types = GpuTypes(
            self,
            "gpu_types",
            instance_types=variables.gpu_instance_types,
            limit=variables.gpu_limit,
            network=network,
            offering_checks=settings.offering_checks,
        )
        self._suffix([*variables.requirements, *network.requirements, *cluster.requirements, *gpu_types.requirements])

        self._output("cluster_name", "Name of the cluster.", cluster.eks.cluster_name)
        self._output("cluster_endpoint", "URL of the Kubernetes API.", cluster.eks.cluster_endpoint)
        self._output("cluster_version", "Kubernetes version of the cluster.", cluster.eks.cluster_version)
        self._output("region", "AWS region of the cluster.", variables.region)
        self._output(
            "configure_kubectl",
            "The command that points kubectl at the cluster.",
            f"aws eks update-kubeconfig --name {cluster.eks.cluster_name} --region {variables.region} --profile {PROFILE}",
        )
        self._terraform(settings)
        self.send_blocks()

    def _suffix(self, requirements: Sequence[Rule]) -> None:
        """The end of the cluster's name. It is the first resource to be created, so what must hold is a precondition of it."""
        self.add(
            StringResource,
            "random_string.suffix",
            length=4,
            special=False,
            upper=False,
            lifecycle=TerraformResourceLifecycle(precondition=[Precondition(**rule.block()) for rule in requirements]),
        )

    def _output(self, name: str, description: str, value: Expression) -> None:
        # Not with `add`: straight below the stack, an id is the address as it is.
        TerraformOutput(self, name, description=description, value=value)

    def _terraform(self, settings: Settings) -> None:
        """The block `terraform`: versions and backend."""
        self.add_override("terraform", {"required_version": REQUIRED_TERRAFORM, "required_providers": REQUIRED_PROVIDERS})
        if settings.backend == "local":
            LocalBackend(self, path=settings.local_state, workspace_dir=settings.local_workspaces)
        else:
            backend = S3Backend(
                self,
                bucket=settings.s3_bucket,
                key=settings.s3_state,
                region=settings.s3_region,
                encrypt=True,
                kms_key_id=settings.s3_kms_key_id or None,
                profile=settings.s3_profile or None,
            )
            if settings.s3_use_lockfile:
                backend.add_override("use_lockfile", True)  # newer than the binding
