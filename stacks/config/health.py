"""Health and graphs: metrics of pods, broken nodes, and GPU graphs. Plain Python."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from stacks.config.fields import Change
from stacks.config.pod_identities import ServiceAccount

# The EKS add-ons, by their fields.
HEALTH_ADDONS = {
    "metrics_server": "metrics-server",
    "node_monitoring": "eks-node-monitoring-agent",
    "cloudwatch": "amazon-cloudwatch-observability",
}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/container-insights-eks-otel.html
OTEL_SINCE = (6, 2)

ADDON = Change("U to add, R to remove (the add-on)")

CLOUDWATCH_ACCOUNT = ServiceAccount("amazon-cloudwatch", "cloudwatch-agent")


@dataclass(frozen=True, kw_only=True)
class HealthOptions:
    """EKS add-ons that watch nodes and pods, and Karpenter's repair of nodes."""

    metrics_server: Annotated[bool, ADDON] = False
    """Install metrics-server, for `kubectl top` and for autoscaling by CPU or memory."""
    node_monitoring: Annotated[bool, ADDON] = False
    """Install the agent that reports broken GPUs, disks, networks and kernels as conditions of their node."""
    node_repair: Annotated[bool, Change.IN_PLACE] = False
    """Let Karpenter replace a node with a broken GPU after 10 minutes, and a node that is broken otherwise after 30. Alpha in
    Karpenter, whose releases before 1.15 do not wait for PodDisruptionBudgets, do-not-disrupt or a drain. Karpenter repairs nothing
    while more than 20% of a pool's nodes are broken, rounded up: a pool of one node is always repaired. Needs node_monitoring; not
    where pods share GPUs."""
    cloudwatch: Annotated[bool, ADDON] = False
    """Send metrics of nodes, pods and GPUs to CloudWatch, by its OTel Container Insights; no logs, and nothing is injected into
    pods. AWS charges by the GB. Not beside node_monitoring."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if self.node_repair and not self.node_monitoring:
            yield (
                "node_repair must be False if node_monitoring is False (got True): without the agent, nothing tells Karpenter of a "
                "broken GPU. Set node_monitoring=True."
            )
        if self.cloudwatch and self.node_monitoring:
            yield (
                "cloudwatch must be False if node_monitoring is True (got True): each runs a DCGM of its own on GPU nodes, and two "
                "make the agent report GPUs as broken that are not (aws/containers-roadmap#2763). Keep one."
            )

    def older_than_needed(self, addon_versions: object) -> Iterator[str]:
        """A pinned version of the CloudWatch add-on that does not know the settings."""
        pinned = addon_versions.get(HEALTH_ADDONS["cloudwatch"]) if isinstance(addon_versions, Mapping) else None
        found = re.match(r"v(\d+)\.(\d+)", pinned) if self.cloudwatch and isinstance(pinned, str) else None
        if found and (int(found[1]), int(found[2])) < OTEL_SINCE:
            least = f"v{OTEL_SINCE[0]}.{OTEL_SINCE[1]}.0"
            yield (
                f"addon_versions must have at least {least} of amazon-cloudwatch-observability if cloudwatch is True (got "
                f"{pinned!r}), because earlier versions do not have OTel Container Insights."
            )

    def repair_of_shared_gpus(self, sharing: Sequence[str]) -> Iterator[str]:
        """Why Karpenter cannot repair nodes of these pools; `sharing` names the fields that share GPUs."""
        if self.node_repair and sharing:
            yield (
                f"node_repair must be False if {sharing[0]} is set (got True): from release 1.6.2 on, the agent takes a GPU that "
                "is shared for a broken one, and Karpenter would replace healthy nodes."
            )

    def health_addons(self) -> list[str]:
        """The names of the add-ons that are on."""
        return [addon for name, addon in HEALTH_ADDONS.items() if getattr(self, name)]

    def health_accounts(self) -> dict[ServiceAccount, str]:
        """The service accounts of the add-ons that are on and call AWS, and whose they are."""
        return {CLOUDWATCH_ACCOUNT: "the CloudWatch agent"} if self.cloudwatch else {}
