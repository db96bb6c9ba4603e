"""User data for Bottlerocket: TOML settings. Pure Python.

Settings: https://bottlerocket.dev/en/os/latest/api/settings/ (container-runtime, container-runtime-plugins, bootstrap-commands).

The text is the HCL's, byte for byte. Karpenter compares a hash of it: any other byte, in a comment too, replaces running nodes.
"""

from dataclasses import dataclass

from stacks.arguments import check_positive, check_shape


@dataclass(frozen=True, kw_only=True)
class SociParallelPull:
    """The SOCI snapshotter's parallel pull: layers are fetched in chunks and unpacked at the same time.

    Attributes:
        downloads: chunks of one image fetched at a time.
        chunk_size: as `16mb`.
        unpacks: layers of one image unpacked at a time.

    Raises:
        ValueError: a number less than 1, or a size that Bottlerocket would refuse.
    """

    downloads: int
    chunk_size: str
    unpacks: int

    def __post_init__(self) -> None:
        check_positive("SociParallelPull: downloads", self.downloads)
        check_positive("SociParallelPull: unpacks", self.unpacks)
        check_shape("SociParallelPull: chunk_size", self.chunk_size, r"\d+(kb|mb|gb)", "16mb")

    def toml(self) -> str:
        """The settings, one table after another."""
        return f"""\
[settings.container-runtime]
snapshotter = "soci"

[settings.container-runtime-plugins.soci-snapshotter]
pull-mode = "parallel-pull-unpack"

[settings.container-runtime-plugins.soci-snapshotter.parallel-pull-unpack]
max-concurrent-downloads-per-image = {self.downloads}
concurrent-download-chunk-size = "{self.chunk_size}"
max-concurrent-unpacks-per-image = {self.unpacks}
discard-unpacked-layers = true
"""


# Images and pods' files go to the instance's NVMe disks. The comment says so in Chinese because the HCL's does.
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

# An ordinary root volume gives no more than this.
GENERAL = SociParallelPull(downloads=10, chunk_size="16mb", unpacks=10).toml()

# With NVMe disks and hundreds of Gbit/s, on p5.48xlarge: 14.24 GB from a private ECR in 35 s, measured by the HCL's authors.
GPU = SociParallelPull(downloads=30, chunk_size="32mb", unpacks=30).toml() + "\n" + INSTANCE_STORE
