"""gavinbunney/kubectl: https://registry.terraform.io/providers/gavinbunney/kubectl/latest/docs

This provider applies a manifest without asking the cluster at plan time, so that a cluster and what lives in it fit into one plan.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from cdktf import (
    ITerraformDependable,
    TerraformProvider,
    TerraformProviderGeneratorMetadata,
    TerraformResource,
)
from constructs import Construct

_PROVIDER = TerraformProviderGeneratorMetadata(provider_name="kubectl", provider_version_constraint=">= 1.14")


class KubectlExec(TypedDict):
    """The command that logs in to the cluster, as in a kubeconfig's `exec`."""

    api_version: str
    command: str
    args: Sequence[str]


class KubectlProvider(TerraformProvider):
    """The provider kubectl."""

    SOURCE = "gavinbunney/kubectl"

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        host: str,
        cluster_ca_certificate: str,
        exec: KubectlExec,
        apply_retry_count: int,
        load_config_file: bool,
    ) -> None:
        super().__init__(
            scope,
            id,
            terraform_resource_type="kubectl",
            terraform_provider_source=self.SOURCE,
            terraform_generator_metadata=_PROVIDER,
        )
        arguments: Mapping[str, Any] = {
            "host": host,
            "cluster_ca_certificate": cluster_ca_certificate,
            "exec": [exec],
            "apply_retry_count": apply_retry_count,
            "load_config_file": load_config_file,
        }
        for name, value in arguments.items():
            self.add_override(name, value)


class KubectlManifest(TerraformResource):
    """The resource kubectl_manifest: one Kubernetes object."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        yaml_body: str,
        wait: bool | None = None,
        force_new: bool | None = None,
        depends_on: Sequence[ITerraformDependable] | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            terraform_resource_type="kubectl_manifest",
            terraform_generator_metadata=_PROVIDER,
            depends_on=depends_on,
        )
        self.add_override("yaml_body", yaml_body)
        if wait is not None:
            self.add_override("wait", wait)
        if force_new is not None:
            self.add_override("force_new", force_new)
