import json
from pathlib import Path
from typing import Any

import pytest
from cdktf import TerraformStack

from stacks.aws.cluster import Cluster
from stacks.aws.network import Network
from stacks.config import ClusterConfig, VpcCni
from stacks.config.checks import mistakes
from stacks.config.network import NetworkOptions
from tests.cases import Case, tftest
from tests.constructs import COMMON, cluster
from tests.synthesis import addresses, synth, synth_stack, write_stack
from tests.terraform import Workspace, needs_terraform


def test_it_is_one_eks_module_at_the_version_that_the_hcl_carries() -> None:
    document = synth(cluster)
    assert "module.eks" in addresses(document)
    eks = document["module"]["eks"]
    assert (eks["source"], eks["version"]) == ("terraform-aws-modules/eks/aws", "21.11.0")
    assert eks["kubernetes_version"] == "1.33"
    assert eks["control_plane_scaling_config"] == {"tier": "standard"}


def test_nodes_live_in_private_subnets_and_the_control_plane_in_the_chosen_intra_ones() -> None:
    eks = synth(cluster)["module"]["eks"]
    assert eks["subnet_ids"] == "${module.vpc.private_subnets}"
    assert eks["control_plane_subnet_ids"] == (
        "${[for k, zone in local.azs : module.vpc.intra_subnets[k] if contains(local.control_plane_azs, zone)]}"
    )


def test_network_and_credentials_are_there_before_the_first_node() -> None:
    addons = synth(cluster)["module"]["eks"]["addons"]
    before = {name for name, addon in addons.items() if addon.get("before_compute")}
    assert (set(addons), before) == (
        {"coredns", "kube-proxy", "eks-pod-identity-agent", "vpc-cni"},
        {"eks-pod-identity-agent", "vpc-cni"},
    )


def test_an_addon_has_the_version_that_is_given_or_the_latest() -> None:
    addons = synth(cluster)["module"]["eks"]["addons"]
    assert {name: addon["addon_version"] for name, addon in addons.items()} == {
        name: f'${{lookup(var.addon_versions, "{name}", null)}}' for name in addons
    }


def test_the_targets_of_the_cni_are_values_of_the_addon_and_strings() -> None:
    assert "configuration_values" not in json.dumps(synth(cluster)["module"]["eks"]["addons"])
    config = ClusterConfig("karpenter", vpc_cni=VpcCni(warm_ip_target=2, minimum_ip_target=16))
    addons = synth_stack(config)["module"]["eks"]["addons"]
    assert {name: addon["configuration_values"] for name, addon in addons.items() if "configuration_values" in addon} == {
        "vpc-cni": '${jsonencode({"env" = {"WARM_IP_TARGET" = "2", "MINIMUM_IP_TARGET" = "16"}})}'
    }


@pytest.mark.parametrize("name", ["warm_ip_target", "minimum_ip_target"])
def test_both_targets_of_the_cni_are_required_and_positive(name: str) -> None:
    given = {"warm_ip_target": 2, "minimum_ip_target": 16}
    (text,) = mistakes("c", ClusterConfig("c", vpc_cni=VpcCni(**given | {name: 0})))
    assert text == f"c.vpc_cni.{name} must be at least 1 (got 0)."
    with pytest.raises(TypeError, match=name):
        VpcCni(**{key: value for key, value in given.items() if key != name})


def test_karpenters_own_nodes_are_labelled_tainted_and_sized_by_the_node_group() -> None:
    (group,) = synth(cluster)["module"]["eks"]["eks_managed_node_groups"].values()
    assert group == {
        "ami_type": "BOTTLEROCKET_x86_64",
        "instance_types": "${var.types}",
        "subnet_ids": "${[for k, zone in local.azs : module.vpc.private_subnets[k] if contains(local.karpenter_node_azs, zone)]}",
        "min_size": "${var.min}",
        "max_size": "${var.max}",
        "desired_size": "${var.desired}",
        "ami_release_version": "${var.release}",
        "use_latest_ami_release_version": "${var.release == null}",
        "labels": {"karpenter.sh/controller": "true"},
        "taints": {"karpenter": {"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}},
    }


def test_karpenter_finds_the_nodes_security_group_by_tag() -> None:
    eks = synth(cluster)["module"]["eks"]
    assert eks["node_security_group_tags"] == {"Example": "gpu", "karpenter.sh/discovery": "gpu"}


def test_nodes_reach_each_other_on_every_port_only_where_the_network_says_so() -> None:
    def make(stack: TerraformStack) -> None:
        network = Network(stack, "network", COMMON, options=NetworkOptions(node_traffic_all=True))
        Cluster(stack, "cluster", COMMON, network=network)

    assert "node_security_group_additional_rules" not in synth(cluster)["module"]["eks"]
    (rule,) = synth(make)["module"]["eks"]["node_security_group_additional_rules"].values()
    assert (rule["protocol"], rule["type"], rule["self"]) == ("-1", "ingress", True)
    assert not {"cidr_blocks", "source_security_group_id"} & rule.keys()


def test_the_control_plane_is_as_decided() -> None:
    config = ClusterConfig(
        "karpenter",
        endpoint_public_access_cidrs=["198.51.100.0/24"],
        control_plane_logs=["audit"],
        deletion_protection=True,
        cluster_support_type="STANDARD",
    )
    eks = synth_stack(config)["module"]["eks"]
    assert eks["endpoint_public_access_cidrs"] == ["198.51.100.0/24"]
    assert eks["enabled_log_types"] == ["audit"]
    assert eks["deletion_protection"] is True
    assert eks["upgrade_policy"] == {"support_type": "STANDARD"}
    config = ClusterConfig("karpenter", endpoint_public_access=False, control_plane_logs=[])
    assert synth_stack(config)["module"]["eks"]["enabled_log_types"] == []


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        (
            {"endpoint_public_access_cidrs": ["10.0.0.1/8"]},
            "must be an IPv4 network such as 10.0.0.0/16: 10.0.0.1/8 has host bits set",
        ),
        (
            {"endpoint_public_access_cidrs": ["203.0.113.7"]},
            "must be written with a prefix length, as 203.0.113.7/32 instead of 203.0.113.7 (got",
        ),
        ({"endpoint_public_access_cidrs": ["10.0.0.0/255.0.0.0"]}, "as 10.0.0.0/8 instead of 10.0.0.0/255.0.0.0"),
        ({"endpoint_public_access_cidrs": ["10.0.0.0/8", "10.0.0.0/08"]}, "as 10.0.0.0/8 instead of 10.0.0.0/08"),
        ({"endpoint_public_access_cidrs": ["10.0.0.0/8", "10.0.0.0/8"]}, "must not contain duplicates"),
        ({"endpoint_public_access_cidrs": [f"10.{n}.0.0/16" for n in range(41)]}, "must have at most 40 networks"),
        (
            {"endpoint_public_access": False, "endpoint_public_access_cidrs": ["10.0.0.0/8"]},
            "endpoint_public_access_cidrs must be () if endpoint_public_access is False",
        ),
        ({"control_plane_logs": ["all"]}, "control_plane_logs must be a list of"),
    ],
)
def test_a_mistake_is_named(fields: dict[str, Any], mistake: str) -> None:
    (text,) = mistakes("prod", ClusterConfig("prod", **fields))
    assert text.startswith("prod.")
    assert mistake in text


@pytest.mark.terraform
@needs_terraform
def test_a_plan_warns_of_a_version_that_left_standard_support(tmp_path: Path) -> None:
    def case(status: str) -> Case:
        check = "check.kubernetes_version_is_in_standard_support"
        version = {"cluster_version": "1.33", "version_status": status, "end_of_standard_support_date": "2026-07-29T00:00:00Z"}
        others = {**version, "cluster_version": "1.32", "version_status": "EXTENDED_SUPPORT"}
        answers = {"data.aws_eks_cluster_versions.available": {"cluster_versions": [version, others]}}
        return Case(status, {}, check if status == "EXTENDED_SUPPORT" else None, answers=answers)

    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter", support_check=True)))
    workspace.stub_modules()
    tests = workspace.folder / "tests"
    tests.mkdir()
    cases = [case("STANDARD_SUPPORT"), case("EXTENDED_SUPPORT")]
    (tests / "cases.tftest.hcl").write_text(tftest(cases))
    assert "Success! 2 passed, 0 failed." in workspace.run("test").output
    (tests / "cases.tftest.hcl").write_text(tftest(cases, expect=False))
    said = " ".join(workspace.run("test", expect=1).output.split())
    assert "Standard support of Kubernetes 1.33 ended on 2026-07-29." in said
