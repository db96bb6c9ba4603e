"""What a synthesis has written, what the clusters are and may cost, and what a user runs next. Plain Python."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from stacks.config.cluster import ClusterConfig
from stacks.config.fields import options_of
from stacks.config.pools import GPU_TAINT, UNITS, Budget, GeneralPool, GpuPool, Taint, pods_per_gpu
from stacks.config.spending import KnownPool, cents, is_priced_elsewhere, known, known_pools
from stacks.knowledge.catalogue import family
from stacks.knowledge.prices import LIKE_PRICED_REGION, PRICED_REGION, PRICES_OF
from stacks.knowledge.versions import kubernetes_version
from stacks.operations.terminal import coloured
from stacks.reports.prices import LEFT_OUT, idle_hour, why_not_priced

HEAD = ("pool", "$/hour", "limit", "capacity", "budget", "taints", "instance types")


def summary(clusters: Sequence[ClusterConfig], *, page: Path, outdir: Path, project: Path, today: date) -> Iterator[str]:
    """What was written, and what a user runs next, from the project's folder."""
    for cluster in clusters:
        yield coloured(f"Wrote {os.path.relpath(outdir / 'stacks' / cluster.name)}/cdk.tf.json", "green", sys.stdout)
        yield from (f"  {line}".rstrip() for line in _of_cluster(cluster, today))
    if len(clusters) > 1:
        pools = {f"{cluster.name}.{pool.pool.name}": pool for cluster in clusters for pool in _pools(cluster)}
        yield f"\nAll clusters: nodes cost {_at_most(pools)}"
    yield f"\nList prices of {PRICES_OF}; Spot never costs more than on-demand. Not counted: {', '.join(LEFT_OUT)}."
    names = [cluster.name for cluster in clusters]
    stack = names[0] if len(names) == 1 else "<name>"
    first = list(_steps_once(clusters, page=page, project=project))
    if first or len(names) == 1:
        yield "\nNext:"
        yield from first
    if len(names) > 1:
        yield f"\n{'Then' if first else 'Next'}, for each <name> of {', '.join(names)}:"
    yield f"  make plan STACK={stack}"
    yield f"  make apply STACK={stack}"


def as_json(clusters: Sequence[ClusterConfig], *, outdir: Path, today: date) -> str:
    """The same as JSON, for programs: dollars are null where they are not known."""
    return json.dumps(
        {
            "prices_of": str(PRICES_OF),
            "left_out": LEFT_OUT,
            "most_expensive_hour_usd": _total([pool for cluster in clusters for pool in _pools(cluster)]),
            "clusters": [_json_of(cluster, outdir, today) for cluster in clusters],
        },
        indent=2,
    )


def _json_of(cluster: ClusterConfig, outdir: Path, today: date) -> dict[str, Any]:
    pools, idle, version = _pools(cluster), idle_hour(cluster, today), kubernetes_version(cluster.kubernetes_version)
    return {
        "name": cluster.name,
        "file": f"{os.path.relpath(outdir / 'stacks' / cluster.name)}/cdk.tf.json",
        "region": known(cluster.region),
        "zones": known(cluster.availability_zones) or None,
        "kubernetes": {
            "version": version.version,
            "standard_support_ends": str(version.standard_support_ends),
            "extended_support_ends": str(version.extended_support_ends),
        },
        **{
            name: getattr(cluster, name)
            for name in ("karpenter_version", "load_balancer_controller_version", "bottlerocket_version")
        },
        "most_expensive_hour_usd": _total(pools),
        "max_hourly_usd": cluster.max_hourly_usd,
        "idle_hour_usd": {what: None if usd is None else round(usd, 4) for what, usd in idle.items()},
        "pools": [
            {
                "name": pool.pool.name,
                "instance_types": list(pool.types),
                "capacity_types": list(pool.pool.capacity_types),
                "efa": _has_efa(pool),
                "limits": dict(pool.limits),
                "pods_per_gpu": pods_per_gpu(pool.sharing),
                "weight": pool.pool.weight,
                "labels": dict(pool.pool.labels),
                "budgets": [{key: value for key, value in vars(budget).items() if value} for budget in pool.budgets],
                "taints": [{key: value for key, value in vars(taint).items() if value} for taint in pool.taints],
                "most_expensive_hour_usd": _total([pool]),
                "priced_as_in": _priced_as_in(pool, cluster),
                "not_priced": list(pool.not_priced),
            }
            for pool in pools
        ],
    }


def _priced_as_in(pool: KnownPool, cluster: ClusterConfig) -> str | None:
    region = PRICED_REGION if is_priced_elsewhere(pool, known(cluster.region)) else known(cluster.region)
    return None if pool.usd is None else region


def _of_cluster(cluster: ClusterConfig, today: date) -> Iterator[str]:
    """The lines of a cluster."""
    version = kubernetes_version(cluster.kubernetes_version)
    region, zones = known(cluster.region), known(cluster.availability_zones)
    extended = version.standard_support_ends < today
    kind, ends = ("extended", version.extended_support_ends) if extended else ("standard", version.standard_support_ends)
    yield f"{region or 'region given at plan'}, {', '.join(zones) if zones else 'every zone without an opt-in'}"
    yield (
        f"Kubernetes {version.version} ({kind} support until {ends}), Karpenter {cluster.karpenter_version}, "
        f"load balancer controller {cluster.load_balancer_controller_version}, Bottlerocket {cluster.bottlerocket_version}"
    )
    pools = _pools(cluster)
    if pools:
        yield from ("", *_table([HEAD, *map(_row, pools)]), "")
        yield f"Nodes cost {_at_most({pool.pool.name: pool for pool in pools})}"
        if elsewhere := [pool.pool.name for pool in pools if is_priced_elsewhere(pool, region)]:
            why = f", because the program has none of {region}" if region else ""
            yield f"{', '.join(elsewhere)}: prices of {PRICED_REGION}{why}."
        if passed := [pool.pool.name for pool in pools if pool.pool.node_limit is not None]:
            yield f"{', '.join(passed)}: node_limit may be passed within a scheduling round, up to the other limit."
    idle = idle_hour(cluster, today)
    parts = ", ".join(f"{what} {'not priced' if usd is None else f'${cents(usd):.2f}'}" for what, usd in idle.items())
    where = "" if region in LIKE_PRICED_REGION else f" at prices of {PRICED_REGION}"
    yield f"An idle cluster costs ${cents(sum(usd or 0 for usd in idle.values())):.2f} an hour{where}: {parts}."


def _row(pool: KnownPool) -> tuple[str, ...]:
    return (
        pool.pool.name,
        "?" if pool.usd is None else f"{pool.usd:,.2f}",
        _limit(pool),
        ", ".join(pool.pool.capacity_types) or "?",
        ", ".join(map(_budget, pool.budgets)) or "10%",  # Karpenter's own
        ", ".join(map(_taint, pool.taints)) or "none",
        instance_types(pool) + (" with EFA" if _has_efa(pool) else ""),
    )


def _has_efa(pool: KnownPool) -> bool:
    return isinstance(pool.pool, GpuPool) and pool.pool.efa


def _limit(pool: KnownPool) -> str:
    """Such as `32 GPUs`, `8 GPUs, 4 pods per GPU`, or `3 nodes, 2 at all times`."""
    shared = [f"{pool.sharing.replicas} pods per GPU"] if pool.sharing else []
    fixed = [] if pool.pool.replicas is None else [f"{pool.pool.replicas} at all times"]
    limits = [_counted(most, UNITS.get(unit, unit)) for unit, most in pool.limits.items()] or ["none"]
    return ", ".join([*limits, *fixed, *shared])


def _counted(number: int, things: str) -> str:
    return f"{number} {things.removesuffix('s') if number == 1 else things}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows in columns; numbers, in the second column, end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if n == 1 else cell.ljust(width) for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells)


def _at_most(pools: Mapping[str, KnownPool]) -> str:
    """The most expensive hour of pools, by name, in words."""
    gpu, other = (sum(pool.usd or 0 for pool in pools.values() if pool.gpu is kind) for kind in (True, False))
    kinds = f", of which ${gpu:,.2f} in GPU pools" if gpu and other else ""
    unknown = ", ".join(f"{name} ({why})" for name, pool in pools.items() if (why := why_not_priced(pool)))
    return f"at most ${gpu + other:,.2f} an hour{kinds}{f', without {unknown}' if unknown else ''}."


def _total(pools: Sequence[KnownPool]) -> float | None:
    """The most expensive hour of pools; None if that of one is not known."""
    known = [pool.usd for pool in pools if pool.usd is not None]
    return cents(sum(known)) if len(known) == len(pools) else None


def _pools(cluster: ClusterConfig) -> list[KnownPool]:
    return known_pools(cluster, known(cluster.region))


def instance_types(pool: KnownPool) -> str:
    """Which instance types the pool may launch, in words: `g6e.{xlarge,2xlarge}`."""
    given = pool.pool
    if isinstance(given, GeneralPool) and not given.instance_types:
        described = f"categories {', '.join(given.categories)} with {', '.join(map(str, given.cpus))} vCPUs"
        return f"families {', '.join(given.families)}" if given.families else described
    grouped = ((name, [one.partition(".")[2] for one in same]) for name, same in groupby(pool.types, family))
    named = (f"{name}.{sizes[0]}" if len(sizes) == 1 else f"{name}.{{{','.join(sizes)}}}" for name, sizes in grouped)
    return ", ".join(named) or "given at plan"


def _budget(budget: Budget) -> str:
    """Such as `1`, or `0 of Drifted from 0 6 * * * for 20h`."""
    reasons = f" of {', '.join(budget.reasons)}" if budget.reasons else ""
    return f"{budget.nodes}{reasons}" + (f" from {budget.schedule} for {budget.duration}" if budget.schedule else "")


def _taint(taint: Taint) -> str:
    effect = "" if taint.effect == "NoSchedule" else f":{taint.effect}"
    return (taint.key if taint.key == GPU_TAINT or not taint.value else f"{taint.key}={taint.value}") + effect


def _steps_once(clusters: Sequence[ClusterConfig], *, page: Path, project: Path) -> Iterator[str]:
    """Where the variables that clusters need are given, which precedes the plans of all."""
    required = [field.name for field in options_of(ClusterConfig) if field.variable and field.variable.required]
    users = {name: [cluster for cluster in clusters if name not in cluster.unused_options()] for name in required}
    missing = {name: [cluster.name for cluster in using if getattr(cluster, name) is None] for name, using in users.items()}
    for_all = [name for name, lacking in missing.items() if lacking and len(lacking) == len(users[name])]
    if for_all and not (project / "terraform.tfvars").exists():
        # The example sets every required variable.
        then = [f"set {' and '.join(for_all)}", *(f"remove {name}" for name in required if name not in for_all)]
        yield f"  cp -n terraform.tfvars.example terraform.tfvars   # then {' and '.join(then)} in terraform.tfvars"
    for name, lacking in missing.items():
        if lacking and name not in for_all:  # refuse_mistakes: terraform.tfvars sets a variable for every cluster
            yield f"  set {name} of {', '.join(lacking)} in {page}"
