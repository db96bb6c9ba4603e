"""Health and graphs: the add-ons, Karpenter's repair of nodes, and what excludes what."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.config import ClusterConfig, GpuPool, PodIdentity, TimeSlicing, recommended
from stacks.config.checks import mistakes
from stacks.config.health import HEALTH_ADDONS
from stacks.knowledge.node_group_room import components
from tests.synthesis import Json, addresses, synth_stack, write_stack
from tests.terraform import Workspace, needs_modules, needs_terraform

ADDONS = {
    "metrics_server": "aws_eks_addon.metrics_server",
    "node_monitoring": "aws_eks_addon.eks_node_monitoring_agent",
    "cloudwatch": "aws_eks_addon.amazon_cloudwatch_observability",
}


@pytest.fixture(scope="module")
def watched() -> Json:
    """A cluster whose broken nodes are replaced."""
    return synth_stack(ClusterConfig("a", metrics_server=True, node_monitoring=True, node_repair=True))


@pytest.fixture(scope="module")
def graphed() -> Json:
    """A cluster with graphs in CloudWatch."""
    return synth_stack(ClusterConfig("b", cloudwatch=True))


def values(document: Json, addon: str) -> Any:
    assert document["resource"]["aws_eks_addon"][addon]["configuration_values"] == f"${{jsonencode(local.{addon}_values)}}"
    return document["locals"][f"{addon}_values"]


def test_each_addon_is_there_where_its_option_is_on(watched: Json, graphed: Json, stack: Json) -> None:
    assert list(ADDONS) == list(HEALTH_ADDONS)
    found = [addresses(document) & set(ADDONS.values()) for document in (stack, watched, graphed)]
    assert found == [set(), {ADDONS["metrics_server"], ADDONS["node_monitoring"]}, {ADDONS["cloudwatch"]}]


def test_an_addon_has_the_newest_version_for_the_clusters_kubernetes_and_comes_after_the_webhook_of_services(watched: Json) -> None:
    for label, name in (("metrics_server", "metrics-server"), ("eks_node_monitoring_agent", "eks-node-monitoring-agent")):
        addon = watched["resource"]["aws_eks_addon"][label]
        assert (addon["addon_name"], addon["cluster_name"]) == (name, "${module.eks.cluster_name}")
        assert {"module.eks", "helm_release.aws_load_balancer_controller", "module.vpc"} <= set(addon["depends_on"])
        assert addon["tags"] == watched["module"]["eks"]["tags"]
        assert (addon["resolve_conflicts_on_update"], "resolve_conflicts_on_create" in addon) == ("OVERWRITE", False)
        latest = f"data.aws_eks_addon_version.{label}.version"
        assert addon["addon_version"] == f'${{coalesce(lookup(var.addon_versions, "{name}", null), {latest})}}'
        data = watched["data"]["aws_eks_addon_version"][label]
        assert (data["addon_name"], data["kubernetes_version"], data["most_recent"]) == (name, "1.33", True)


def test_addon_versions_takes_the_addons_that_are_on() -> None:
    versions = {"metrics-server": "v0.9.0-eksbuild.11"}
    assert list(mistakes("a", ClusterConfig("a", metrics_server=True, addon_versions=versions))) == []
    assert list(mistakes("a", ClusterConfig("a", addon_versions=versions))) == [
        "a.addon_versions must name add-ons of the cluster: coredns, kube-proxy, eks-pod-identity-agent, vpc-cni (got "
        '["metrics-server"]).'
    ]


def test_metrics_server_runs_on_the_node_group(watched: Json) -> None:
    (toleration,) = values(watched, "metrics_server")["tolerations"]
    (taint,) = watched["module"]["eks"]["eks_managed_node_groups"]["karpenter"]["taints"].values()
    assert toleration == {"key": taint["key"], "operator": "Exists"}


def test_the_agents_dcgm_runs_on_every_tainted_gpu_node(watched: Json) -> None:
    assert values(watched, "eks_node_monitoring_agent") == {"dcgmAgent": {"tolerations": [{"operator": "Exists"}]}}


def test_cloudwatch_gets_metrics_by_otel_and_neither_logs_nor_agents_in_pods(graphed: Json) -> None:
    assert values(graphed, "amazon_cloudwatch_observability") == {
        "otelContainerInsights": {"enabled": True, "logs": {"enabled": False}},
        "containerInsights": {"enabled": False},
        "containerLogs": {"enabled": False},
        "applicationSignals": {"enabled": False},
    }


def test_the_cloudwatch_agent_has_the_policy_of_the_agent_from_its_start_to_its_end(graphed: Json) -> None:
    resources = graphed["resource"]
    role, attachment, association = (
        resources[kind]["cloudwatch_agent"]
        for kind in ("aws_iam_role", "aws_iam_role_policy_attachment", "aws_eks_pod_identity_association")
    )
    assert role["name"] == "${local.name}-cloudwatch-agent"
    assert attachment["policy_arn"].endswith(":iam::aws:policy/CloudWatchAgentServerPolicy")
    assert (association["namespace"], association["service_account"]) == ("amazon-cloudwatch", "cloudwatch-agent")
    assert {
        "aws_eks_pod_identity_association.cloudwatch_agent",
        "aws_iam_role_policy_attachment.cloudwatch_agent",
    } <= set(resources["aws_eks_addon"]["amazon_cloudwatch_observability"]["depends_on"])


def test_the_account_of_the_cloudwatch_agent_is_the_users_only_without_the_option() -> None:
    own = PodIdentity(
        namespace="amazon-cloudwatch", service_account="cloudwatch-agent", policies=["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    )
    assert list(mistakes("a", ClusterConfig("a", pod_identities=[own]))) == []
    assert list(mistakes("a", ClusterConfig("a", pod_identities=[own], cloudwatch=True))) == [
        "a.pod_identities must not contain the service account amazon-cloudwatch/cloudwatch-agent, because the CloudWatch agent "
        "has its role already. Use a service account of your own."
    ]


def settings(document: Json) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(document["resource"]["helm_release"]["karpenter"]["values"][0])["settings"]
    return found


def test_node_repair_is_a_gate_of_karpenter_alone(watched: Json, graphed: Json) -> None:
    assert settings(watched)["featureGates"] == {"nodeRepair": True}
    assert "featureGates" not in settings(graphed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"node_repair": True},
            "a.node_repair must be False if node_monitoring is False (got True): without the agent, nothing tells Karpenter of a "
            "broken GPU. Set node_monitoring=True.",
        ),
        (
            {"cloudwatch": True, "node_monitoring": True},
            "a.cloudwatch must be False if node_monitoring is True (got True): each runs a DCGM of its own on GPU nodes, and two "
            "make the agent report GPUs as broken that are not (aws/containers-roadmap#2763). Keep one.",
        ),
        (
            {"cloudwatch": True, "addon_versions": {"amazon-cloudwatch-observability": "v6.1.0-eksbuild.1"}},
            "a.addon_versions must have at least v6.2.0 of amazon-cloudwatch-observability if cloudwatch is True (got "
            "'v6.1.0-eksbuild.1'), because earlier versions do not have OTel Container Insights.",
        ),
        *(
            (
                {"node_monitoring": True, "node_repair": True, **options},
                f"a.node_repair must be False if {field} is set (got True): from release 1.6.2 on, the agent takes a GPU that is "
                "shared for a broken one, and Karpenter would replace healthy nodes.",
            )
            for field, options in (
                ("gpu_sharing", {"gpu_sharing": TimeSlicing(replicas=2)}),
                (
                    'gpu_pools["b"].sharing',
                    {"gpu_pools": [GpuPool("b", instance_types=["g6.xlarge"], limit=4, weight=1, sharing=TimeSlicing(replicas=2))]},
                ),
            )
        ),
    ],
)
def test_what_does_not_work_together_is_refused(options: dict[str, Any], words: str) -> None:
    assert list(mistakes("a", ClusterConfig("a", **options))) == [words]


def test_the_sum_of_the_node_group_knows_every_addon() -> None:
    assert set(HEALTH_ADDONS.values()) <= {row.addon for row in components()}


def test_recommended_has_metrics_server_alone() -> None:
    assert recommended("a").health_addons() == ["metrics-server"]


@pytest.mark.terraform
@needs_terraform
@needs_modules
@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"metrics_server": True}, {ADDONS["metrics_server"]: "create"}),
        (
            {"cloudwatch": True},
            {
                ADDONS["cloudwatch"]: "create",
                "aws_eks_pod_identity_association.cloudwatch_agent": "create",
                "aws_iam_role.cloudwatch_agent": "create",
                "aws_iam_role_policy_attachment.cloudwatch_agent": "create",
            },
        ),
        (
            {"node_monitoring": True, "node_repair": True},
            {ADDONS["node_monitoring"]: "create", "helm_release.karpenter": "update"},
        ),
    ],
)
def test_an_adopted_state_gets_what_is_on_and_nothing_else(
    tmp_path: Path, reference: Path, options: dict[str, Any], changes: dict[str, str]
) -> None:
    (tmp_path / "new").mkdir()
    workspace = Workspace(tmp_path / "project", write_stack(tmp_path / "new", ClusterConfig("karpenter", **options)))
    workspace.adopt(reference)
    found = {one["address"]: one["change"]["actions"] for one in workspace.plan()["resource_changes"] if one["mode"] == "managed"}
    assert {address: actions for address, (*actions,) in found.items() if actions != ["no-op"]} == {
        address: [action] for address, action in changes.items()
    }
