"""User data for Bottlerocket: TOML settings. Plain Python.

Settings: https://bottlerocket.dev/en/os/latest/api/settings/ (container-runtime, container-runtime-plugins, bootstrap-commands).

The text is the HCL's, byte for byte. Karpenter compares a hash of the text: any other byte, even in a comment, replaces running
nodes.
"""

from stacks.config import SociParallelPull


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


def soci_on_instance_store(pull: SociParallelPull, *, mounts_disks: bool = True) -> str:
    """As `soci`, with images, pods and logs on the instance's NVMe disks, unless Karpenter mounts all of them itself."""
    return f"{soci(pull)}\n{INSTANCE_STORE}" if mounts_disks else soci(pull)


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
