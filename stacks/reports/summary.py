"""What a synthesis has written, and what a user runs next. Plain Python."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from stacks.config.cluster import ClusterConfig
from stacks.config.fields import options_of
from stacks.config.pools import GENERAL_POOL, GPU_POOL, GeneralPool, Pool
from stacks.operations.terminal import coloured


def summary(clusters: Sequence[ClusterConfig], *, page: Path, outdir: Path, project: Path) -> Iterator[str]:
    """What was written, and what a user runs next, from the project's folder."""
    for cluster in clusters:
        yield coloured(f"Wrote {os.path.relpath(outdir / 'stacks' / cluster.name)}/cdk.tf.json", "green", sys.stdout)
        for kind, pools, default in (
            ("GPU pool", cluster.gpu_pools, GPU_POOL if cluster.gpu_spot_pool else None),
            ("General pool", cluster.general_pools, GENERAL_POOL if cluster.default_pool else None),
        ):
            for pool in pools:
                yield f"  {kind} {pool.name}: {nodes_of(pool)}; {chosen_by(pool, beside=default)}"
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


def nodes_of(pool: Pool) -> str:
    """Which nodes the pool may have, in words."""
    if pool.types():
        return ", ".join(pool.types())
    if pool.families or not isinstance(pool, GeneralPool):
        return f"families {', '.join(pool.families)}"
    return f"categories {', '.join(pool.categories)} with {', '.join(map(str, pool.cpus))} vCPUs"


def chosen_by(pool: Pool, *, beside: str | None) -> str:
    """Which pods get nodes of the pool, in words. `beside` is the default pool of the kind; None if the pool is off."""
    said = [f"weight {pool.weight}"] if pool.weight else []
    if pool.replicas is not None:
        said.append(f"{pool.replicas} nodes at all times")
    if pool.labels:
        said.append(f"pods choose the pool by label {', '.join(f'{key}={value}' for key, value in sorted(pool.labels.items()))}")
    if taints := [taint for taint in pool.taints if taint.effect != "PreferNoSchedule"]:  # keep other pods off
        marks = (f"{taint.key}={taint.value}" if taint.value else taint.key for taint in taints)
        said.append(f"pods must tolerate taint {', '.join(marks)}")
    elif beside and pool.replicas is None:
        # By weight, then by name, the last first: OrderByWeight in pkg/utils/nodepool of kubernetes-sigs/karpenter.
        order = "before" if (pool.weight or 0, pool.name) > (0, beside) else "after"
        said.append(f"pods that choose no pool get this pool {order} {beside}")
    else:
        said.append("pods that choose no pool can get this pool")
    return "; ".join(said)
