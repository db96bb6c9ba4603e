"""The providers that reach the cluster: helm, kubernetes and kubectl."""

from imports.expressions import Expression
from imports.kubectl import KubectlExec, KubectlProvider

from cdktf_cdktf_provider_helm.provider import (
    HelmProvider,
    HelmProviderKubernetes,
    HelmProviderKubernetesExec,
    HelmProviderRegistries,
)
from cdktf_cdktf_provider_kubernetes.provider import KubernetesProvider, KubernetesProviderExec
from constructs import Construct

from stacks.aws.cluster import Cluster
from stacks.kubernetes.karpenter import ECR_PUBLIC_PASSWORD, ECR_PUBLIC_USER, REGISTRY
from stacks.terraform.providers import Login


def add_cluster_providers(scope: Construct, *, cluster: Cluster, login: Login, registry_login: bool) -> None:
    """What reaches the cluster with the AWS identity; and the chart registry, with a token or anonymously."""
    host = cluster.eks.cluster_endpoint
    certificate = Expression(f"base64decode({cluster.eks.cluster_certificate_authority_data.hcl})")
    token = KubectlExec(
        api_version="client.authentication.k8s.io/v1beta1",
        command="aws",
        args=["eks", "get-token", "--cluster-name", cluster.eks.cluster_name, *login.arguments],
    )
    HelmProvider(
        scope,
        "helm",
        kubernetes=HelmProviderKubernetes(host=host, cluster_ca_certificate=certificate, exec=HelmProviderKubernetesExec(**token)),
        registries=[HelmProviderRegistries(url=REGISTRY, username=ECR_PUBLIC_USER, password=ECR_PUBLIC_PASSWORD)]
        if registry_login
        else None,
        # A cache of its own, so that the repositories in the user's cache do not interfere.
        repository_cache="${path.module}/.helm/cache",
        repository_config_path="${path.module}/.helm/repositories.yaml",
    )
    KubernetesProvider(
        scope,
        "kubernetes",
        host=host,
        cluster_ca_certificate=certificate,
        exec=[KubernetesProviderExec(**token)],
    )
    KubectlProvider(
        scope,
        "kubectl",
        host=host,
        cluster_ca_certificate=certificate,
        exec=token,
        apply_retry_count=5,
        load_config_file=False,
    )
