"""ECR as a cache of public registries. Plain Python."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from stacks.config.checks import DECIDES, at_least, at_most, distinct, not_empty
from stacks.config.fields import Change
from stacks.hcl.rules import MOST
from stacks.knowledge.regions import REGION
from stacks.knowledge.registries import UPSTREAM_REGISTRIES, UpstreamRegistry, upstream_registry

# ECR takes a secret of its own account and region, with a name of its own.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-secret.html
SECRET = re.compile(rf"arn:aws:secretsmanager:(?P<region>{REGION}):(?P<account>[0-9]{{12}}):secret:(?P<name>.+)", re.ASCII)
SECRET_NAME = re.compile(r"ecr-pullthroughcache/[a-zA-Z0-9/_+=.@-]+")
NVIDIA = "nvcr.io"

# A rule is for a prefix, and leads to one registry.
SAME_PREFIX = "their copies would have the same prefix. Keep one, and copy the images of the other: docs/images.md#copy."


@dataclass(frozen=True, kw_only=True)
class ImageCache:
    """Private ECR of the region as a cache: pods name their images there, and the first pull of a tag copies the image."""

    registries: Annotated[Sequence[str], DECIDES, Change.IN_PLACE, not_empty, distinct]
    """Host names of the registries, such as quay.io."""
    credential_arns: Annotated[Mapping[str, str], Change.IN_PLACE] = field(default_factory=dict)
    """For each registry that needs a login, the ARN of a secret of Secrets Manager named ecr-pullthroughcache/..., by host name."""
    create: Annotated[bool, DECIDES, Change("U; R (the rules) to unset")] = True
    """Create the rules of the cache. They belong to the account and region: False where another cluster creates them."""
    expire_after_days: Annotated[int | None, DECIDES, Change.IN_PLACE, at_least(1), at_most(MOST)] = None
    """Days after which ECR deletes a copy, and the next pull makes a new one; None to keep copies."""

    def upstreams(self) -> dict[str, UpstreamRegistry]:
        """What ECR caches, by host."""
        return {host: upstream for host in self.registries if (upstream := upstream_registry(host))}

    def secrets(self, part: str) -> list[str]:
        """The `region`s or the `account`s of the secrets, each once."""
        found = map(SECRET.fullmatch, self.credential_arns.values())
        return sorted({secret[part] for secret in found if secret})

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        yield from self._wrong_registries()
        if self.create:
            yield from self._wrong_secrets()
        elif self.credential_arns or self.expire_after_days:
            yield "credential_arns and expire_after_days must not be set if create is False: whoever creates the rules has them."

    def _wrong_registries(self) -> Iterator[str]:
        if NVIDIA in self.registries:
            yield f"registries must not contain {NVIDIA}: ECR cannot cache it. Copy its images: docs/images.md#copy."
        if others := [host for host in self.registries if host != NVIDIA and not upstream_registry(host)]:
            known = ", ".join(registry.host.replace("*", "<name>") for registry in UPSTREAM_REGISTRIES)
            yield f"registries must be among {known} (got {others!r}). Copy the images of others: docs/images.md#copy."
        upstreams = list(self.upstreams().items())
        for number, (host, upstream) in enumerate(upstreams):
            for other, same in upstreams[:number]:
                if same is upstream:
                    yield f"registries must not contain both {other} and {host}: {SAME_PREFIX}"

    def _wrong_secrets(self) -> Iterator[str]:
        upstreams = self.upstreams()
        served = [upstreams.get(host) for host in self.credential_arns]
        for upstream, host in {upstream: host for host, upstream in upstreams.items()}.items():  # of two of Azure, one may stay
            if upstream.secret and upstream not in served:
                yield (
                    f"credential_arns must have a secret for {host}, where ECR logs in. Create the secret "
                    f"ecr-pullthroughcache/{upstream.prefix}: docs/images.md#a-secret."
                )
        for host, arn in self.credential_arns.items():
            place = f'credential_arns["{host}"]'
            if host not in self.registries:
                yield f"{place} must be for one of registries ({list(self.registries)!r}). Add the registry, or remove the secret."
            elif host in upstreams and not upstreams[host].secret:
                yield f"{place} must not be set, because ECR does not log in to {host}. Remove the secret."
            elif not (secret := SECRET.fullmatch(arn)):
                yield (
                    f"{place} must be the ARN of a secret such as arn:aws:secretsmanager:us-west-2:123456789012:secret:"
                    f"ecr-pullthroughcache/docker-hub-AbCdEf (got {arn!r})."
                )
            elif not SECRET_NAME.fullmatch(secret["name"]):
                yield f"{place} must be a secret named ecr-pullthroughcache/... (got {secret['name']!r}): ECR refuses other names."
        for part in ("region", "account"):
            if len(found := self.secrets(part)) > 1:
                yield f"credential_arns must be secrets of one {part} (got {', '.join(found)}): that of the cluster."


@dataclass(frozen=True, kw_only=True)
class ImageCacheOptions:
    """The cache of images."""

    image_cache: Annotated[ImageCache | None, DECIDES, Change("U to add, R to remove (the rules)")] = None
    """Private ECR of the region as a cache of other registries. Pods use it by the names of their images."""

    def secrets_elsewhere(self, region: str | None) -> Iterator[str]:
        """Secrets of another region than the cluster's, which is a literal; a plan judges a variable."""
        regions = self.image_cache.secrets("region") if self.image_cache else []
        if region and (others := [name for name in regions if name != region]):
            yield f"image_cache.credential_arns must be secrets of the cluster's region {region} (got {', '.join(others)})."
