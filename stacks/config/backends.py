"""Where the state of a cluster is. Plain Python."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from os.path import normpath, realpath
from pathlib import Path, PurePath
from typing import Annotated

from stacks.config.checks import matches, not_empty
from stacks.config.fields import Z

OUTPUT = "cdktf.out"


@dataclass(frozen=True)
class LocalBackend:
    """A state in a file, and the states of Terraform workspaces in a directory next to the file."""

    path: Annotated[str | None, Z, not_empty] = None
    """File of the state, from the project's folder; `terraform.<name>.tfstate` by default."""

    def file(self, name: str) -> str:
        """The state of a cluster, from the project's folder."""
        return normpath(self.path or f"terraform.{name}.tfstate")

    def location(self, name: str, project: Path) -> str:
        """A key that is equal for two clusters only if they share a state, however the path is spelled."""
        return realpath(project / self.file(name))

    def mistakes(self) -> Iterator[str]:
        """What is wrong with the backend."""
        if OUTPUT in PurePath(self.file("name")).parts:
            yield (
                f"path must be outside {OUTPUT}, because `make clean` and the cdktf CLI remove files there (got {self.path!r}). "
                "The default is terraform.<name>.tfstate."
            )


@dataclass(frozen=True)
class S3Backend:
    """A state in an S3 bucket, for teams."""

    _: KW_ONLY
    bucket: Annotated[str, Z, not_empty]
    """Name of the bucket."""
    region: Annotated[str, Z, matches(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", "an AWS region such as us-west-2")]
    """AWS region of the bucket."""
    key: Annotated[str | None, Z, not_empty] = None
    """Key of the state in the bucket; `<name>/terraform.tfstate` by default."""
    use_lockfile: Annotated[bool, Z] = True
    """Lock the state with a file next to it. Needs Terraform 1.10; set False for an older Terraform."""
    kms_key_id: Annotated[str | None, Z, not_empty] = None
    """ARN of the KMS key that encrypts the state, instead of the bucket's default."""
    profile: Annotated[str | None, Z, not_empty] = None
    """AWS profile with access to the bucket."""

    def object(self, name: str) -> str:
        """The key of the state of a cluster."""
        return self.key or f"{name}/terraform.tfstate"

    def location(self, name: str, project: Path) -> str:
        """What tells the state of one cluster from that of another."""
        return f"s3://{self.bucket}/{self.object(name)}"
