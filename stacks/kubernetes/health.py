"""EKS add-ons that watch nodes and pods: metrics-server, the node monitoring agent, CloudWatch."""

from collections.abc import Mapping, Sequence

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf import ITerraformDependable
from constructs import Construct

from stacks.aws.addon import add_addon
from stacks.aws.pod_identity import TRUST, PodIdentity
from stacks.config.common import Common
from stacks.config.health import CLOUDWATCH_ACCOUNT, HealthOptions
from stacks.knowledge.regions import PARTITION
from stacks.kubernetes.load_balancer_controller import LoadBalancerController
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments

# The taint of the node group, and every taint.
NODE_GROUP, ALL = {"key": "CriticalAddonsOnly", "operator": "Exists"}, {"operator": "Exists"}

METRICS_SERVER = {"tolerations": [NODE_GROUP]}
# Without a DCGM server on the tainted GPU nodes, the agent reports their GPUs as broken (aws/containers-roadmap#2567).
NODE_MONITORING = {"dcgmAgent": {"tolerations": [ALL]}}
# From version 6.2 of the add-on on, whose defaults are the older metrics, all logs, and Application Signals, which injects agents
# into pods (values.yaml of amazon-cloudwatch-observability-6.4.0 in aws-observability/helm-charts). Its pods tolerate every taint.
CLOUDWATCH = {
    "otelContainerInsights": {"enabled": True, "logs": {"enabled": False}},
    "containerInsights": {"enabled": False},
    "containerLogs": {"enabled": False},
    "applicationSignals": {"enabled": False},
}


class Health(Addressed):
    """The add-ons that are on.

    Args:
        load_balancer_controller: installed first, because this controller's webhook rejects every Service until the controller
            runs, and the add-ons have Services.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        common: Common,
        *,
        load_balancer_controller: LoadBalancerController,
        options: HealthOptions | None = None,
    ) -> None:
        super().__init__(scope, id)
        options = options or HealthOptions()
        check_arguments(Health, common=common, load_balancer_controller=load_balancer_controller, options=options)
        self._common, self._controller = common, load_balancer_controller
        if options.metrics_server:
            self._addon("metrics-server", METRICS_SERVER)
        if options.node_monitoring:
            self._addon("eks-node-monitoring-agent", NODE_MONITORING)
        if options.cloudwatch:
            self._addon("amazon-cloudwatch-observability", CLOUDWATCH, after=self._cloudwatch_identity().credentials)

    def _cloudwatch_identity(self) -> PodIdentity:
        return PodIdentity(
            self,
            self._common,
            cluster=self._controller.cluster,
            name="cloudwatch_agent",
            role=CLOUDWATCH_ACCOUNT.name,
            trust=self.add_json("cloudwatch_agent_trust", TRUST),
            account=CLOUDWATCH_ACCOUNT,
            policies={"cloudwatch_agent": f"arn:{PARTITION}:iam::aws:policy/CloudWatchAgentServerPolicy"},
        )

    def _addon(self, name: str, settings: Mapping[str, object], *, after: Sequence[ITerraformDependable] = ()) -> None:
        cluster = self._controller.cluster
        after = [*after, self._controller.release, *cluster.network.way_out]
        add_addon(self, self._common, cluster=cluster, name=name, settings=settings, after=after)
