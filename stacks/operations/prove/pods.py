"""The pods that the steps run, and what their objects say about times. Plain Python."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from stacks.operations.checks.facts import at, conditions, listed, moment, text
from stacks.operations.checks.types import GPU
from stacks.operations.deployment import Object

NAMESPACE = "make-prove"
LABEL = {"app.kubernetes.io/managed-by": "make-prove"}
SMALL_IMAGE = "public.ecr.aws/docker/library/busybox:1.37"
POOL = "karpenter.sh/nodepool"

# kubelet's event Pulled: `Successfully pulled image "x" in 35.1s (35.1s including waiting). Image size: 14240000000 bytes.`
PULLED = re.compile(r"Successfully pulled image .* in ([0-9a-zµ.]+)(?: \(.*\))?\.?(?: Image size: ([0-9]+) bytes)?")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def pod(name: str, image: str, command: Sequence[str], **spec: Any) -> Object:
    """A pod that ends, unless its command does not."""
    container = {"name": "main", "image": image, "command": list(command), **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {**LABEL, "app": name}},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container], **spec},
    }


def on_pool(pool: Object) -> dict[str, Any]:
    """What brings a pod to a pool."""
    taints = listed(pool, "spec", "template", "spec", "taints")
    tolerations = [{"key": text(one, "key"), "operator": "Exists", "effect": text(one, "effect")} for one in taints]
    return {"nodeSelector": {POOL: text(pool, "metadata", "name")}, "tolerations": tolerations}


def away_from(name: str) -> dict[str, Any]:
    """What keeps a pod off the node of another."""
    term = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def asks(**resources: int | str) -> dict[str, Any]:
    """What a container asks for, such as `cpu="100m"` or `gpu=1`."""
    limits = {GPU if name == "gpu" else name: amount for name, amount in resources.items()}
    return {"resources": {"requests": limits, "limits": limits}}


def has_gpu(pool: Object) -> bool:
    """Whether a pool has GPUs: its taint says so, as in the rules of the stack."""
    return any(text(one, "key") == GPU for one in listed(pool, "spec", "template", "spec", "taints"))


def takes_any(pool: Object) -> bool:
    """Whether a pod without tolerations may come to a pool."""
    return not listed(pool, "spec", "template", "spec", "taints")


class Pull(NamedTuple):
    """A pull: how long it took, the bytes of the compressed layers where the event says, and when it ended."""

    seconds: float
    size: int | None
    ended: datetime | None


def timeline(pod: Object, claim: Object | None, pulled: Pull | None = None) -> dict[str, float]:
    """Seconds from the moment a pod was made to each thing that happened, in order; what is not known is left out."""
    made = moment(text(pod, "metadata", "creationTimestamp"))
    state = at(next(iter(listed(pod, "status", "containerStatuses")), {}), "state")
    started = text(state, "running", "startedAt") or text(state, "terminated", "startedAt")
    steps = {
        "instance": _since(claim, "Launched"),
        "node": _since(claim, "Registered"),
        "node ready": _since(claim, "Initialized"),
        "bound": _since(pod, "PodScheduled"),
        "image": pulled.ended if pulled else None,
        "running": moment(started),
    }
    return {name: (when - made).total_seconds() for name, when in steps.items() if when and made and when >= made}


def _since(item: Object | None, condition: str) -> datetime | None:
    found = [
        one for one in listed(item, "status", "conditions") if text(one, "type") == condition and text(one, "status") == "True"
    ]
    return moment(text(found[0], "lastTransitionTime")) if found else None


def pull(events: Sequence[Object]) -> Pull | None:
    """The pull that an event tells of; None if no event does."""
    for one in events:
        if match := PULLED.match(text(one, "message")):
            ended = moment(text(one, "lastTimestamp")) or moment(text(one, "eventTime"))
            return Pull(seconds(match[1]), int(match[2]) if match[2] else None, ended)
    return None


def seconds(duration: str) -> float:
    """Seconds of a duration as Go prints it, such as 1m35.1s."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(ms|us|µs|ns|h|m|s)", duration))


def waits_for(pod: Object) -> str:
    """Why a pod does not run, in Kubernetes' words."""
    found = [one.words() for name, one in conditions(pod).items() if name == "PodScheduled" and one.status != "True"]
    for status in listed(pod, "status", "containerStatuses"):
        for kind in ("waiting", "terminated"):
            if words := ": ".join(filter(None, (text(status, "state", kind, part) for part in ("reason", "message")))):
                found.append(words)
    return "; ".join(found) or f"its phase is {text(pod, 'status', 'phase') or 'not set'}"
