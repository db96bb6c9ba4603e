"""The providers that reach the cluster: helm, kubernetes and kubectl."""

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
from stacks.aws.registry import PUBLIC_ECR, Registry
from stacks.config.login import Login
from stacks.hcl.expressions import Expression


def add_cluster_providers(scope: Construct, *, cluster: Cluster, login: Login, registry: Registry | None) -> None:
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
        registries=[HelmProviderRegistries(url=PUBLIC_ECR, username=registry.user, password=registry.password)]
        if registry
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
