"""What must hold between the clusters of a program. Plain Python."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from stacks.config.backends import LocalBackend
from stacks.config.checks import ConfigurationError, extra_comma, has_type, mistakes, not_empty, shortened, wrongly_typed
from stacks.config.cluster import ClusterConfig
from stacks.config.image_cache import SAME_PREFIX
from stacks.config.variable_files import wrong_variable_files


def refuse_mistakes(clusters: Sequence[ClusterConfig], project: Path) -> None:
    """Stop where the clusters have mistakes.

    Raises:
        ConfigurationError: they have some. The message names all of them.
    """
    if not has_type(clusters, Sequence[ClusterConfig]) or not_empty(clusters):
        comma = " Remove the comma behind the list." if extra_comma(clusters, Sequence[ClusterConfig]) else ""
        raise ConfigurationError(f"The clusters must be a list with at least one ClusterConfig (got {shortened(clusters)}).{comma}")
    found = [mistake for cluster in clusters for mistake in mistakes(str(cluster.name), cluster)]
    typed = [cluster for cluster in clusters if not any(wrongly_typed(cluster))]
    found += [
        *_duplicates(typed, project),
        *_shared_caches(typed),
        *_states_for_git(typed, project),
        *wrong_variable_files(typed, project),
    ]
    if found:
        raise ConfigurationError("\n".join(found))


def _duplicates(clusters: Sequence[ClusterConfig], project: Path) -> Iterator[str]:
    for one, other in combinations(clusters, 2):
        if one.name == other.name:
            yield f"The name of each cluster must be unique (got {one.name!r} twice). Rename one of the two."
        elif (location := one.backend.location(one.name, project)) == other.backend.location(other.name, project):
            yield f"{one.name}.backend and {other.name}.backend must have different states (got {location} twice)."


def _shared_caches(clusters: Sequence[ClusterConfig]) -> Iterator[str]:
    """Clusters that would have the same rules of the cache, where AWS cannot tell them apart."""
    for one, other in combinations(clusters, 2):
        logins = [(cluster.region, cluster.aws_profile, cluster.assume_role_arn) for cluster in (one, other)]
        if not (one.image_cache and other.image_cache and logins[0] == logins[1]):
            continue
        caches = f"{one.name}.image_cache and {other.name}.image_cache"
        hosts = {upstream: host for host, upstream in one.image_cache.upstreams().items()}
        shared = {host: hosts[upstream] for host, upstream in other.image_cache.upstreams().items() if upstream in hosts}
        both = [host for host, same in shared.items() if host == same]
        if both and one.image_cache.create and other.image_cache.create:
            yield (
                f"{caches} must not both create the rules of {', '.join(both)}: rules belong to the account and region. Set "
                f"create=False in {other.name}{'' if one.region else ', or the region of both'}."
            )
        for host, same in shared.items():
            if host != same:
                yield f"{caches} must not contain both {same} and {host}{'' if one.region else ' in one region'}: {SAME_PREFIX}"


def _states_for_git(clusters: Sequence[ClusterConfig], project: Path) -> Iterator[str]:
    for cluster in clusters:
        if isinstance(cluster.backend, LocalBackend) and not cluster.backend.is_ignored(cluster.name, project):
            yield (
                f"{cluster.name}.backend.path must end with .tfstate (got {cluster.backend.path!r}): a state holds secrets, and "
                ".gitignore does not list the file."
            )
