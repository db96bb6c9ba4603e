"""The manifests under examples/, and the pods that they make."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stacks.app import PROJECT

EXAMPLES = PROJECT / "examples"
QUEUE = "kueue.x-k8s.io/queue-name"


@dataclass(frozen=True)
class Pods:
    """Equal pods of a manifest: how many there are at most, and what each is."""

    count: int
    spec: dict[str, Any]
    labels: dict[str, str]
    annotations: dict[str, str]


def manifests() -> dict[str, list[dict[str, Any]]]:
    """All manifests, by the file's path under examples/."""
    files = sorted(EXAMPLES.rglob("*.yaml"))
    return {str(file.relative_to(EXAMPLES)): documents(file) for file in files}


def documents(file: Path) -> list[dict[str, Any]]:
    """The objects of a file."""
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def pods(objects: list[dict[str, Any]]) -> Iterator[Pods]:
    """The pods that objects make, where Kueue has written what a flavor has into them."""
    for one in objects:
        spec = one.get("spec", {})
        if one["kind"] == "Deployment":
            surge = spec.get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", 0)
            yield _pods(spec["template"], spec["replicas"] + surge)
        elif one["kind"] == "Job":
            yield _pods(spec["template"], spec.get("parallelism", 1))
        elif one["kind"] == "JobSet":
            for job in (replicated["template"]["spec"] for replicated in spec["replicatedJobs"]):
                yield _pods(job["template"], job["parallelism"])


def admitted(found: Pods, flavor: dict[str, Any]) -> Pods:
    """Pods that Kueue has admitted to a flavor."""
    spec = found.spec | {
        "nodeSelector": found.spec.get("nodeSelector", {}) | flavor["spec"]["nodeLabels"],
        "tolerations": [*found.spec.get("tolerations", []), *flavor["spec"]["tolerations"]],
    }
    return Pods(found.count, spec, found.labels, found.annotations)


def _pods(template: dict[str, Any], count: int) -> Pods:
    metadata = template.get("metadata", {})
    return Pods(count, template["spec"], metadata.get("labels", {}), metadata.get("annotations", {}))
