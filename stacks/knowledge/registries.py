"""The registries that ECR can cache: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html

The URLs and which of them need a secret are those of `CreatePullThroughCacheRule` in data/ecr/2015-09-21 of boto/botocore, read on
2026-11-25. Plain Python.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class UpstreamRegistry:
    """A registry whose images ECR copies on their first pull.

    Attributes:
        host: as in the name of an image; `*` stands for the name of a registry of Azure.
        prefix: of its repositories in private ECR: what AWS's console proposes. It proposes none for cgr.dev.
        url: what ECR calls the registry, where that is not the host.
        secret: whether ECR logs in, with a secret of Secrets Manager.
    """

    host: str
    prefix: str
    url: str = ""
    secret: bool

    @property
    def pattern(self) -> str:
        """Of its hosts. Azure's names have 5 to 50 letters and digits."""
        return re.escape(self.host).replace(r"\*", "[a-z0-9]{5,50}")


UPSTREAM_REGISTRIES = (
    UpstreamRegistry(host="public.ecr.aws", prefix="ecr-public", secret=False),
    UpstreamRegistry(host="registry.k8s.io", prefix="kubernetes", secret=False),
    UpstreamRegistry(host="quay.io", prefix="quay", secret=False),
    UpstreamRegistry(host="docker.io", prefix="docker-hub", url="registry-1.docker.io", secret=True),
    UpstreamRegistry(host="ghcr.io", prefix="github", secret=True),
    UpstreamRegistry(host="registry.gitlab.com", prefix="gitlab", secret=True),
    UpstreamRegistry(host="cgr.dev", prefix="chainguard", secret=True),
    UpstreamRegistry(host="*.azurecr.io", prefix="azure", secret=True),
)


def upstream_registry(host: str) -> UpstreamRegistry | None:
    """The registry of a host; None if ECR cannot cache it."""
    return next((registry for registry in UPSTREAM_REGISTRIES if re.fullmatch(registry.pattern, host, re.ASCII)), None)
