"""What a synthesis has written, and what a user runs next. Plain Python."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from stacks.config.cluster import ClusterConfig
from stacks.config.fields import documented
from stacks.config.pools import chosen_by, nodes_of
from stacks.operations.terminal import coloured


def summary(clusters: Sequence[ClusterConfig], *, page: Path, outdir: Path, project: Path) -> Iterator[str]:
    """What was written, and what a user runs next, from the project's folder."""
    for cluster in clusters:
        yield coloured(f"Wrote {os.path.relpath(outdir / 'stacks' / cluster.name)}/cdk.tf.json", "green", sys.stdout)
        for kind, pools in (("GPU pool", cluster.gpu_pools), ("General pool", cluster.general_pools)):
            for pool in pools:
                yield f"  {kind} {pool.name}: {nodes_of(pool)}; {chosen_by(pool)}"
    names = [cluster.name for cluster in clusters]
    stack = names[0] if len(names) == 1 else "<name>"
    yield "\nNext:" if len(names) == 1 else f"\nNext, for each <name> of {', '.join(names)}:"
    required = [field.name for field in documented(ClusterConfig) if field.variable and field.variable.required]
    missing = {name: [cluster.name for cluster in clusters if getattr(cluster, name) is None] for name in required}
    for_all = [name for name, lacking in missing.items() if lacking == names]
    if for_all and not (project / "terraform.tfvars").exists():
        yield f"  cp -n terraform.tfvars.example terraform.tfvars   # then set {' and '.join(for_all)} in terraform.tfvars"
    for name, lacking in missing.items():
        if lacking and name not in for_all:  # refuse_mistakes: terraform.tfvars sets a variable for every cluster
            yield f"  set {name} of {', '.join(lacking)} in {page}"
    yield f"  make plan STACK={stack}"
    yield f"  make apply STACK={stack}"
