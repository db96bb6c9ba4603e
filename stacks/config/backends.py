"""Where the state of a cluster is. Plain Python."""

import re
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from fnmatch import fnmatchcase
from os.path import normpath, realpath
from pathlib import Path, PurePath
from typing import Annotated

from stacks.config.checks import literal, matches, not_empty
from stacks.config.fields import Change
from stacks.knowledge.regions import REGION

OUTPUT = "cdktf.out"

# What `.gitignore` lists. The backup and the workspaces of such a state have such names too.
IGNORED = ("*.tfstate", "*.tfstate.*")

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def bucket_name(value: str) -> str | None:
    """A name that S3 gives to a bucket."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value):
        return "must be 3 to 63 lower-case letters, digits, hyphens and dots, and start and end with a letter or a digit"
    if ".." in value or re.fullmatch(r"\d+(\.\d+){3}", value):
        return "must not be an IP address or have two dots in a row"
    if value.startswith(RESERVED_STARTS) or value.endswith(RESERVED_ENDS):
        return f"must not start with {', '.join(RESERVED_STARTS)} or end with {', '.join(RESERVED_ENDS)}, which S3 reserves"
    return None


def object_key(value: str) -> str | None:
    """A key that S3 and Terraform's backend accept. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
    if "${" in value:
        return "must not contain ${...}, which nothing expands here; S3 keeps workspaces apart by itself, below env:/<workspace>/"
    if value.startswith("/") or value.endswith("/") or len(value.encode()) > 1024:
        return "must have at most 1024 bytes, and no slash at its start or end"
    if re.search(r"[^ -~]|[\\{}^%`\[\]\"<>~#|]", value):
        return "must consist of characters that S3 does not advise against: letters, digits, slashes and !-_.*'()"
    return literal(value)


@dataclass(frozen=True)
class LocalBackend:
    """A state in a file, and the states of Terraform workspaces in a directory next to the file."""

    path: Annotated[str | None, Change.NONE, not_empty, literal] = None
    """File of the state, from the project's folder; `terraform.<name>.tfstate` by default."""

    def file(self, name: str) -> str:
        """The state of a cluster, from the project's folder."""
        return normpath(self.path or f"terraform.{name}.tfstate")

    def location(self, name: str, project: Path) -> str:
        """A key that is equal for two clusters only if they share a state, however the path is spelled."""
        return realpath(project / self.file(name))

    def is_ignored(self, name: str, project: Path) -> bool:
        """Whether Git leaves the state alone: by its name or that of a folder, or because it is outside the project."""
        state, root = Path(self.location(name, project)), realpath(project)
        if not state.is_relative_to(root):
            return True
        return any(fnmatchcase(part, pattern) for part in state.relative_to(root).parts for pattern in IGNORED)

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
    bucket: Annotated[str, Change.NONE, bucket_name]
    """Name of the bucket."""
    region: Annotated[str, Change.NONE, matches(REGION, "an AWS region such as us-west-2")]
    """AWS region of the bucket."""
    key: Annotated[str | None, Change.NONE, not_empty, object_key] = None
    """Key of the state in the bucket; `<name>/terraform.tfstate` by default."""
    use_lockfile: Annotated[bool, Change.NONE] = True
    """Lock the state with a file next to it. Needs Terraform 1.10; set False for an older Terraform."""
    kms_key_id: Annotated[str | None, Change.NONE, not_empty, literal] = None
    """ARN of the KMS key that encrypts the state, instead of the bucket's default."""
    profile: Annotated[str | None, Change.NONE, not_empty, literal] = None
    """AWS profile with access to the bucket."""

    def object(self, name: str) -> str:
        """The key of the state of a cluster."""
        return self.key or f"{name}/terraform.tfstate"

    def location(self, name: str, project: Path) -> str:
        """What tells the state of one cluster from that of another."""
        return f"s3://{self.bucket}/{self.object(name)}"

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields. https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html"""
        arn = (self.kms_key_id or "").split(":")
        if len(arn) > 3 and arn[3] != self.region:
            yield f"kms_key_id must be a key in the bucket's region {self.region} (got {self.kms_key_id!r}): S3 refuses others."
