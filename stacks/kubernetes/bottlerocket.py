"""User data for Bottlerocket: TOML settings. Plain Python.

Settings: https://bottlerocket.dev/en/os/latest/api/settings/ (container-runtime, container-runtime-plugins, bootstrap-commands,
kubelet-device-plugins).

The text is the HCL's, byte for byte. Karpenter compares a hash of the text: any other byte, even in a comment, replaces running
nodes.
"""

from stacks.config import SociParallelPull
from stacks.config.pools import Sharing


def user_data(pull: SociParallelPull | None, *, mounts_disks: bool, sharing: Sharing | None = None) -> str:
    """All settings of a node.

    Args:
        pull: how images are pulled; None for Bottlerocket's own snapshotter. Its images are in /var/lib/containerd, which every
            Karpenter since 1.6.0 mounts on the NVMe disks (pkg/providers/amifamily/bootstrap/bottlerocket.go).
        mounts_disks: whether the settings mount the SOCI store on the NVMe disks, because Karpenter does not.
        sharing: how pods share a GPU.
    """
    tables = []
    if pull:
        tables += [soci(pull), INSTANCE_STORE] if mounts_disks else [soci(pull)]
    if sharing:
        tables.append(gpu_sharing(sharing))
    return "\n".join(tables)


def soci(pull: SociParallelPull) -> str:
    """The settings of the SOCI snapshotter, one table after another."""
    return f"""\
[settings.container-runtime]
snapshotter = "soci"

[settings.container-runtime-plugins.soci-snapshotter]
pull-mode = "parallel-pull-unpack"

[settings.container-runtime-plugins.soci-snapshotter.parallel-pull-unpack]
max-concurrent-downloads-per-image = {pull.downloads}
concurrent-download-chunk-size = "{pull.chunk_size}"
max-concurrent-unpacks-per-image = {pull.unpacks}
discard-unpacked-layers = true
"""


def gpu_sharing(sharing: Sharing) -> str:
    """The settings of NVIDIA's device plugin.

    Bottlerocket's own `rename-by-default` is true: nodes then offer `nvidia.com/gpu.shared`, for which Karpenter launches nothing,
    and no `nvidia.com/gpu`, which the pool's limit counts.
    """
    return f"""\
[settings.kubelet-device-plugins.nvidia]
device-sharing-strategy = "{sharing.setting}"

[settings.kubelet-device-plugins.nvidia.{sharing.setting}]
replicas = {sharing.replicas}
rename-by-default = false
"""


# The comment is in Chinese because the HCL's is.
INSTANCE_STORE = """\
# 将容器存储绑定到 instance store NVMe 盘以提升 IO 性能
[settings.bootstrap-commands.k8s-ephemeral-storage]
commands = [
    ["apiclient", "ephemeral-storage", "init"],
    ["apiclient", "ephemeral-storage", "bind", "--dirs", "/var/lib/containerd", "/var/lib/kubelet", "/var/log/pods", \
"/var/lib/soci-snapshotter"]
]
essential = true
mode = "always"
"""
