"""States that no cluster of main.py has any more. Plain Python."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from stacks.config.cluster import ClusterConfig
from stacks.operations.output import forgotten_states, initialized_backend


def forgotten(clusters: Sequence[ClusterConfig], *, page: Path, outdir: Path, project: Path) -> Iterator[str]:
    """States of clusters that left the list of main.py, or got another backend. Another page may have clusters of its own."""
    if page.resolve() != project / "main.py":
        return
    known = {cluster.backend.location(cluster.name, project) for cluster in clusters}
    for name, state in forgotten_states(project, known):
        if name not in [cluster.name for cluster in clusters]:
            yield (
                f"{state} has resources, and main.py has no cluster with this state. The cluster keeps running. To destroy the "
                f"cluster, put its entry back on the list, and run `make synth` and `make destroy STACK={name}`."
            )
            continue
        folder = outdir / "stacks" / name
        terraform, file = f"terraform -chdir={os.path.relpath(folder)}", os.path.relpath(project / state, folder)
        # Terraform migrates from the backend that .terraform names. Without that, -migrate-state starts with an empty state.
        move = (
            f"Before a plan, move the state: `{terraform} init -migrate-state`."
            if initialized_backend(folder) == "local"
            else f"Unless the state is there already: `{terraform} init`, then `{terraform} state push {file}`."
        )
        yield f"{state} has resources, and {name} has another backend. {move} Afterwards, move the file out of the project."
