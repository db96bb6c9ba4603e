"""The stack: the whole system, in the order in which it is built."""

from pathlib import Path

from cdktf import App, Precondition, TerraformOutput, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_random.string_resource import StringResource
from constructs import Construct

from stacks.aws.cluster import Administrators, Cluster, ControlPlane, NodeGroup
from stacks.aws.gpu_types import GpuTypes
from stacks.aws.network import Network
from stacks.aws.version_check import VersionCheck
from stacks.config import ClusterConfig, rules
from stacks.config.rules import Rule
from stacks.kubernetes.karpenter import Karpenter
from stacks.kubernetes.load_balancer_controller import LoadBalancerController
from stacks.kubernetes.node_pools import NodePools
from stacks.kubernetes.providers import add_cluster_providers
from stacks.terraform.addresses import Addressed
from stacks.terraform.backend import add_terraform
from stacks.terraform.providers import Login, add_cloud_providers, add_ecr_public_provider
from stacks.terraform.variables import Variables

PROJECT = Path(__file__).resolve().parents[1]


class KarpenterStack(Addressed, TerraformStack):
    """An EKS cluster for GPU Spot work. `config` decides what exists; Terraform variables decide the values inside.

    Args:
        config: the cluster.
        project: the folder where a local state is, and from which its path starts.

    Attributes:
        config: as given.
        variables: the expressions of the Terraform variables.
        name: the cluster's name, an expression.
        network, cluster, karpenter, load_balancer_controller, node_pools: the constructs.
    """

    def __init__(self, scope: Construct, config: ClusterConfig, *, project: Path = PROJECT) -> None:
        super().__init__(scope, config.name)
        self.config = config
        add_terraform(self, config=config, folder=Path(App.of(self).outdir, "stacks", config.name), project=project)
        self.variables = variables = Variables(self, config)
        suffix = self.add(StringResource, "random_string.suffix", length=4, special=False, upper=False)
        self.name = self.add_local("name", f"{variables.cluster_name_prefix}-{suffix.result}")
        tags = {"Example": self.name, "GithubRepo": "terraform-aws-eks", "GithubOrg": "terraform-aws-modules"}
        boundary = config.permissions_boundary

        login = Login(region=variables.region, profile=config.aws_profile, role_arn=config.assume_role_arn, tags=config.tags)
        add_cloud_providers(self, login=login)
        ecr_public = add_ecr_public_provider(self, login=login) if config.registry_login else None
        self.network = Network(
            self,
            "network",
            name=self.name,
            cidr=variables.vpc_cidr,
            availability_zones=variables.availability_zones,
            tags=tags,
        )
        self.cluster = Cluster(
            self,
            "cluster",
            name=self.name,
            network=self.network,
            node_group=NodeGroup(
                instance_types=variables.karpenter_node_instance_types,
                min_size=variables.karpenter_node_min_size,
                max_size=variables.karpenter_node_max_size,
                desired_size=variables.karpenter_node_desired_size,
                availability_zones=variables.karpenter_node_availability_zones,
                release_version=variables.karpenter_node_release_version,
            ),
            addon_versions=variables.addon_versions,
            control_plane=ControlPlane(
                kubernetes_version=config.kubernetes_version,
                support_type=config.cluster_support_type,
                public_access=config.endpoint_public_access,
                public_access_cidrs=config.endpoint_public_access_cidrs,
                log_types=config.control_plane_logs,
                deletion_protection=config.deletion_protection,
            ),
            administrators=Administrators(
                admin_arn=config.cluster_admin_arn,
                entries=config.access_entries,
                key_administrator_arns=config.kms_key_administrators,
            ),
            permissions_boundary=boundary,
            offering_checks=config.offering_checks,
            support_check=config.support_check,
            tags=tags,
        )
        add_cluster_providers(self, cluster=self.cluster, login=login, registry_login=config.registry_login)
        self.karpenter = Karpenter(
            self,
            "karpenter",
            cluster=self.cluster,
            node_role_name=self.name,
            version=config.karpenter_version,
            disable_dry_run=config.disable_dry_run,
            ecr_public=ecr_public,
            spot_role_check=config.spot_role_check,
            permissions_boundary=boundary,
            region=variables.region,
            tags=tags,
        )
        self.load_balancer_controller = LoadBalancerController(
            self,
            "alb",
            name=self.name,
            karpenter=self.karpenter,
            region=variables.region,
            version=config.load_balancer_controller_version,
            policy=config.load_balancer_controller_policy,
            permissions_boundary=boundary,
            tags=tags,
        )
        self.node_pools = NodePools(
            self,
            "nodepools",
            karpenter=self.karpenter,
            discovery=self.name,
            gpu_instance_types=variables.gpu_instance_types,
            gpu_capacity_type=variables.gpu_capacity_type,
            gpu_limit=variables.gpu_limit,
            gpu_drift_budget=variables.gpu_drift_budget,
            gpu_pools=config.gpu_pools,
            general_pools=config.general_pools,
            offering_checks=config.offering_checks,
            bottlerocket_version=config.bottlerocket_version,
            node_tags=config.node_tags,
            wait_for_nodes=config.wait_for_nodes,
        )
        gpu_types = GpuTypes(
            self,
            "gpu_types",
            instance_types=variables.gpu_instance_types,
            capacity_types=variables.gpu_capacity_type,
            limit=variables.gpu_limit,
            network=self.network,
            offering_checks=config.offering_checks,
            kubernetes_version=config.kubernetes_version,
            bottlerocket_version=config.bottlerocket_version,
        )
        # The suffix is the first resource to be created: what must hold before is a precondition of it.
        suffix.lifecycle = _preconditions(
            self._policy_length(),
            *self.network.requirements,
            *self.cluster.requirements,
            *gpu_types.requirements,
            *self.node_pools.requirements,
        )
        self._add_outputs(login)
        if config.version_check:
            self._check_version()

    def _policy_length(self) -> Rule:
        prefix, region = self.variables.cluster_name_prefix, self.variables.region
        longest = self.add_local("longest_cluster_name_prefix", rules.longest_cluster_name_prefix(region))
        return rules.karpenter_policy_length(prefix, region, longest)

    def _add_outputs(self, login: Login) -> None:
        eks, region = self.cluster.eks, self.variables.region
        # --role-arn is the identity in the kubeconfig, --assume-role-arn that of the command itself.
        assume = ["--assume-role-arn", login.role_arn] if login.role_arn else []
        configure = " ".join(["aws eks update-kubeconfig --name", eks.cluster_name, *login.arguments, *assume])
        for name, description, value in (
            ("cluster_name", "Name of the cluster.", eks.cluster_name),
            ("cluster_endpoint", "URL of the Kubernetes API.", eks.cluster_endpoint),
            ("cluster_version", "Kubernetes version of the cluster.", eks.cluster_version),
            ("region", "AWS region of the cluster.", region),
            ("configure_kubectl", "The command that points kubectl at the cluster.", configure),
        ):
            # Not with `add`: straight below the stack, an id is the address as it is.
            TerraformOutput(self, name, description=description, value=value)

    def _check_version(self) -> None:
        prefix, version = self.variables.cluster_name_prefix, self.config.kubernetes_version
        check = VersionCheck(self, "version_check", name=self.name, name_prefix=prefix, kubernetes_version=version)
        self.add_override("output.cluster_version.precondition", [rule.block() for rule in check.requirements])


def _preconditions(*required: Rule) -> TerraformResourceLifecycle:
    return TerraformResourceLifecycle(precondition=[Precondition(**rule.block()) for rule in required])
