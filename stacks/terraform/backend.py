"""The block `terraform` of a stack: versions and the backend."""

from os.path import relpath
from pathlib import Path

from imports.kubectl import KubectlProvider

from cdktf import LocalBackend, S3Backend, TerraformStack

from stacks.config import ClusterConfig, backends

REQUIRED_TERRAFORM = ">= 1.5.7"

# Constraints, not the exact versions that the prebuilt packages write: the HCL used the newest providers of its day, and an
# older provider cannot read newer state. So each constraint admits all that a lock file of the HCL can hold, up to the next major
# version; kubernetes had its 3.0 since. aws 6.57.0 sends requests that AWS cannot read (hashicorp/terraform-provider-aws#49181).
# helm before 3.1.2 fails with an expired registry token, and a later minor version may do so again
# (hashicorp/terraform-provider-helm#1645 and #1822).
REQUIRED_PROVIDERS = {
    "aws": {"source": "hashicorp/aws", "version": ">= 6.23, != 6.57.0, < 7.0"},
    "helm": {"source": "hashicorp/helm", "version": ">= 3.1.2, < 3.2"},
    "kubernetes": {"source": "hashicorp/kubernetes", "version": ">= 2.10, < 4.0"},
    "kubectl": {"source": KubectlProvider.SOURCE, "version": ">= 1.14, < 2.0"},
    "random": {"source": "hashicorp/random", "version": ">= 3.0, < 4.0"},
}


def add_terraform(stack: TerraformStack, *, config: ClusterConfig, folder: Path, project: Path) -> None:
    """Set versions and backend.

    Args:
        stack: the stack.
        config: the cluster, for its name and `backend`.
        folder: where Terraform runs, from which a local path starts.
        project: the folder from which a local path in `config` starts.
    """
    stack.add_override("terraform", {"required_version": REQUIRED_TERRAFORM, "required_providers": REQUIRED_PROVIDERS})
    if isinstance(config.backend, backends.S3Backend):
        _add_s3(stack, config.backend, config.name)
        return
    # Relative, back to the project: the state outlives `cdktf.out`. It is the file that `cdktf deploy` uses by default.
    state = config.backend.file(config.name)
    path = state if Path(state).is_absolute() else relpath(project / state, folder)
    # Workspaces have a directory for each stack: with one for all, two stacks would share the state of a workspace.
    LocalBackend(stack, path=path, workspace_dir=f"{path}.d")


def _add_s3(stack: TerraformStack, given: backends.S3Backend, name: str) -> None:
    backend = S3Backend(
        stack,
        bucket=given.bucket,
        key=given.object(name),
        region=given.region,
        encrypt=True,
        kms_key_id=given.kms_key_id,
        profile=given.profile,
    )
    if given.use_lockfile:
        backend.add_override("use_lockfile", True)  # newer than the binding
