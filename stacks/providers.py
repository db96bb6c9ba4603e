"""The five providers, and the versions of them that may be used."""

from imports.expressions import Expression, hcl
from imports.kubectl import KubectlExec, KubectlProvider

from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_helm.provider import (
    HelmProvider,
    HelmProviderKubernetes,
    HelmProviderKubernetesExec,
    HelmProviderRegistries,
)
from cdktf_cdktf_provider_kubernetes.provider import KubernetesProvider, KubernetesProviderExec
from cdktf_cdktf_provider_random.provider import RandomProvider
from constructs import Construct

from stacks.cluster import Cluster
from stacks.karpenter import ECR_PUBLIC_PASSWORD, ECR_PUBLIC_USER, REGISTRY

PROFILE = "default"
"""The AWS profile of all that is done here, by Terraform and by `aws eks get-token`."""

REQUIRED_TERRAFORM = ">= 1.5.7"

# Constraints, not the exact versions that the prebuilt packages write: the HCL took the newest provider there was, and an older
# provider cannot read a newer one's state. So each admits all that a lock file of the HCL can hold, up to the next major version;
# kubernetes had its 3.0 since. helm before 3.1.2 fails with an expired registry token; a later minor version may do so again
# (hashicorp/terraform-provider-helm#1645 and #1822).
REQUIRED_PROVIDERS = {
    "aws": {"source": "hashicorp/aws", "version": ">= 6.23, < 7.0"},
    "helm": {"source": "hashicorp/helm", "version": ">= 3.1.2, < 3.2"},
    "kubernetes": {"source": "hashicorp/kubernetes", "version": ">= 2.10, < 4.0"},
    "kubectl": {"source": KubectlProvider.SOURCE, "version": ">= 1.14, < 2.0"},
    "random": {"source": "hashicorp/random", "version": ">= 3.0, < 4.0"},
}


def add_cloud_providers(scope: Construct, *, region: Expression) -> None:
    """What reaches AWS."""
    RandomProvider(scope, "random")
    AwsProvider(scope, "aws", region=region, profile=PROFILE)


def add_ecr_public_provider(scope: Construct) -> AwsProvider:
    """What reaches the only region that gives tokens for public ECR."""
    return AwsProvider(scope, "virginia", alias="virginia", region="us-east-1", profile=PROFILE)


def add_cluster_providers(scope: Construct, *, cluster: Cluster, registry_login: bool) -> None:
    """What reaches the cluster, all by the AWS profile; and the chart registry, with a token or anonymously."""
    host = cluster.eks.cluster_endpoint
    certificate = f"${{base64decode({hcl(cluster.eks.cluster_certificate_authority_data)})}}"
    login = KubectlExec(
        api_version="client.authentication.k8s.io/v1beta1",
        command="aws",
        args=["eks", "get-token", "--cluster-name", cluster.eks.cluster_name, "--profile", PROFILE],
    )
    HelmProvider(
        scope,
        "helm",
        kubernetes=HelmProviderKubernetes(host=host, cluster_ca_certificate=certificate, exec=HelmProviderKubernetesExec(**login)),
        registries=[HelmProviderRegistries(url=REGISTRY, username=ECR_PUBLIC_USER, password=ECR_PUBLIC_PASSWORD)]
        if registry_login
        else None,
        # A cache of its own: the user's, with other repositories in it, stays out of this.
        repository_cache="${path.module}/.helm/cache",
        repository_config_path="${path.module}/.helm/repositories.yaml",
    )
    KubernetesProvider(
        scope,
        "kubernetes",
        host=host,
        cluster_ca_certificate=certificate,
        exec=[KubernetesProviderExec(**login)],
    )
    KubectlProvider(
        scope,
        "kubectl",
        host=host,
        cluster_ca_certificate=certificate,
        exec=login,
        apply_retry_count=5,
        load_config_file=False,
    )
