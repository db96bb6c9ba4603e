"""What must hold between the clusters of a program, and between them and the files of the project. Plain Python."""

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

from stacks.config.backends import LocalBackend
from stacks.config.checks import ConfigurationError, brief, extra_comma, fits, misfits, mistakes, not_empty
from stacks.config.cluster import ClusterConfig
from stacks.config.fields import documented
from stacks.knowledge.catalogue import UNKNOWN_GPU_TYPES, family
from stacks.knowledge.gpu_drivers import NEVER_JOINS, named, unproven_families
from stacks.knowledge.versions import (
    EXTENDED_SUPPORT_PRICE,
    KARPENTER_RELEASES,
    LOAD_BALANCER_CONTROLLER_RELEASES,
    STANDARD_SUPPORT_PRICE,
    kubernetes_version,
    parts,
)

# What the cdktf CLI loads by itself for every stack.
VARIABLE_FILES = ("terraform.tfvars", "terraform.tfvars.json", "*.auto.tfvars", "*.auto.tfvars.json")

# Settings of earlier versions of this program, and the fields that replace them.
ENVIRONMENT_PREFIX = "CDKTF_KARPENTER_"
REPLACED = {
    "stack": "ClusterConfig(name)",
    "preset": "recommended(name) instead of ClusterConfig(name)",
    "offering_checks": "the field offering_checks",
    "spot_role_check": "the field spot_role_check",
    "backend": "the field backend: LocalBackend() or S3Backend(...)",
    "local_path": "the field backend: LocalBackend(path)",
    **{
        f"s3_{name}": f"the field backend: S3Backend({name}=...)"
        for name in ("bucket", "key", "region", "use_lockfile", "kms_key_id", "profile")
    },
}


def refuse_replaced_settings(environment: Mapping[str, str], context: Mapping[str, Any]) -> None:
    """Stop at a setting of an earlier version: ignoring `backend`, for example, would plan a second cluster.

    Raises:
        ConfigurationError: there is one, in the environment or in the context of cdktf.json.
    """
    found = [
        f"{name} must not be set: settings are Python now. Unset it, and use {REPLACED.get(_setting(name), 'a field')} in main.py."
        for name in sorted(environment)
        if name.startswith(ENVIRONMENT_PREFIX)
    ]
    found += [
        f'"{name}" must not be in the context of cdktf.json: settings are Python now. Remove it, and use {instead} in main.py.'
        for name, instead in REPLACED.items()
        if name in context
    ]
    if found:
        raise ConfigurationError("\n".join(found))


def refuse_mistakes(clusters: Sequence[ClusterConfig], project: Path) -> None:
    """Stop where the clusters have mistakes.

    Raises:
        ConfigurationError: they have some. The message names all of them.
    """
    if not fits(clusters, Sequence[ClusterConfig]) or not_empty(clusters):
        comma = " Remove the comma behind the list." if extra_comma(clusters, Sequence[ClusterConfig]) else ""
        raise ConfigurationError(f"The clusters must be a list with at least one ClusterConfig (got {brief(clusters)}).{comma}")
    found = [mistake for cluster in clusters for mistake in mistakes(str(cluster.name), cluster)]
    typed = [cluster for cluster in clusters if not any(misfits(cluster))]
    if found := [*found, *_duplicates(typed, project), *_states_for_git(typed, project), *_variable_files(typed, project)]:
        raise ConfigurationError("\n".join(found))


def warnings(clusters: Sequence[ClusterConfig], today: date) -> Iterator[str]:
    """What is allowed but may surprise the user."""
    for cluster in clusters:
        yield from _cluster_warnings(cluster, today)
    networks = [(cluster.name, network) for cluster in clusters if (network := _network(cluster.vpc_cidr))]
    for (one, first), (other, second) in combinations(networks, 2):
        if first.overlaps(second):
            yield f"{one}.vpc_cidr and {other}.vpc_cidr overlap ({first}, {second}): the two VPCs can never be connected."


def _cluster_warnings(cluster: ClusterConfig, today: date) -> Iterator[str]:
    ends = kubernetes_version(cluster.kubernetes_version).standard_support_ends
    if ends < today:
        yield (
            f"{cluster.name}.kubernetes_version {cluster.kubernetes_version} left standard support on {ends}. In extended support "
            f"it costs ${EXTENDED_SUPPORT_PRICE:.2f} an hour instead of ${STANDARD_SUPPORT_PRICE:.2f}. See docs/upgrading.md."
        )
        if cluster.cluster_support_type == "STANDARD":
            yield (
                f"{cluster.name}.cluster_support_type cannot become STANDARD in extended support: EKS refuses it. Raise "
                "kubernetes_version first."
            )
    for releases in (KARPENTER_RELEASES, LOAD_BALANCER_CONTROLLER_RELEASES):
        release = getattr(cluster, releases.field)
        newest = releases.newest_of(release)
        if newest and parts(release) > parts(newest):
            yield (
                f"{cluster.name}.{releases.field} {release} is newer than any release of its minor version that the program knows, "
                f"and is treated like {newest}. Make sure that {release} exists, and read its release notes."
            )
    if cluster.assume_role_arn and not cluster.cluster_admin_arn:
        yield (
            f"{cluster.name}.assume_role_arn is set without cluster_admin_arn: on a cluster that another identity created, the "
            "plan gives the access of its creator to the role."
        )
    if not cluster.endpoint_public_access:
        yield f"{cluster.name}.endpoint_public_access is False: Terraform must run where it reaches the VPC, for Helm and kubectl."
    for kind, pools in (("gpu_pools", cluster.gpu_pools), ("general_pools", cluster.general_pools)):
        for pool in pools:
            if reasons := pool.unlimited_reasons():
                yield (
                    f'{cluster.name}.{kind}["{pool.name}"].budgets has no budget without a schedule for {", ".join(reasons)}: '
                    "whenever no budget applies, Karpenter may disrupt all nodes of the pool at a time. Add "
                    'Budget(nodes="10%"), for example.'
                )
    # An unknown size of a known family is refused there. A plan also warns where EC2 offers none of a pool's types.
    used = "A plan asks EC2 whether it offers them" if cluster.offering_checks else "Karpenter will use them"
    for pool in cluster.gpu_pools:
        place = f'{cluster.name}.gpu_pools["{pool.name}"].{pool.types_field()}'
        for names in pool.unknown().values():
            yield f"{place} contains types that this program does not know: {', '.join(names)}. {used}; {UNKNOWN_GPU_TYPES}"
        bottlerocket = pool.bottlerocket_version or cluster.bottlerocket_version
        unproven = unproven_families(kubernetes=cluster.kubernetes_version, bottlerocket=bottlerocket)
        if doubtful := dict.fromkeys(family(name) for name in pool.types() if family(name) in unproven):
            yield (
                f"{place} contains {', '.join(doubtful)}: this program does not know whether {named(bottlerocket)} has a driver "
                f"for the GPU. {NEVER_JOINS}"
            )
    for general in cluster.general_pools:
        place = f'{cluster.name}.general_pools["{general.name}"]'
        for field, names in general.unknown().items():
            yield (
                f"{place}.{field} contains {field.rpartition('_')[2]} that this program does not know: {', '.join(names)}. "
                f"{used}; make sure that they have x86_64 CPUs and no GPUs."
            )


def _duplicates(clusters: Sequence[ClusterConfig], project: Path) -> Iterator[str]:
    for one, other in combinations(clusters, 2):
        if one.name == other.name:
            yield f"The name of each cluster must be unique (got {one.name!r} twice). Rename one of the two."
        elif (location := one.backend.location(one.name, project)) == other.backend.location(other.name, project):
            yield f"{one.name}.backend and {other.name}.backend must have different states (got {location} twice)."


def _states_for_git(clusters: Sequence[ClusterConfig], project: Path) -> Iterator[str]:
    for cluster in clusters:
        if isinstance(cluster.backend, LocalBackend) and not cluster.backend.is_ignored(cluster.name, project):
            yield (
                f"{cluster.name}.backend.path must end with .tfstate (got {cluster.backend.path!r}): a state holds secrets, and "
                ".gitignore does not list the file."
            )


def _variable_files(clusters: Sequence[ClusterConfig], project: Path) -> Iterator[str]:
    given: dict[str, list[str]] = {}
    for cluster in clusters:
        for field in documented(ClusterConfig):
            if field.variable and getattr(cluster, field.name) != field.default:
                given.setdefault(field.name, []).append(cluster.name)
    for file in sorted(path for pattern in VARIABLE_FILES for path in project.glob(pattern)):
        for name in sorted(_variables_in(file) & given.keys()):
            yield (
                f"{file.name} must not set {name}, because Python gives it for {', '.join(given[name])}, and the cdktf CLI loads "
                f"the file for every stack. Remove {name} from one of the two."
            )


def _variables_in(file: Path) -> set[str]:
    text = file.read_text()
    if file.suffix == ".json":
        try:
            return set(json.loads(text))
        except (json.JSONDecodeError, TypeError) as error:
            raise ConfigurationError(f"{file.name} must be a JSON object of variables: {error}.") from None
    return set(re.findall(r"^\s*(\w+)\s*=", text, re.MULTILINE))


def _network(cidr: object) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(str(cidr))
    except ValueError:
        return None  # Terraform judges a variable


def _setting(variable: str) -> str:
    return variable.removeprefix(ENVIRONMENT_PREFIX).lower()
