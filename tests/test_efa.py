"""EFA: which pools can have it, the network interfaces of their nodes, and what lets the traffic pass."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdktf import TerraformStack

from stacks.aws.placement_groups import PlacementGroups
from stacks.config import Budget, ClusterConfig, GpuPool, VpcCni
from stacks.config.checks import ConfigurationError
from stacks.config.fields import options_of
from stacks.config.node_pools import NodePoolOptions
from stacks.knowledge.catalogue import gpu_instance_types
from stacks.knowledge.efa import layout
from stacks.knowledge.ip_addresses import addresses_of_node
from stacks.kubernetes.node_pools import NodePools
from stacks.reports.impact.explanation import explain
from stacks.reports.impact.plan import read
from stacks.reports.warnings import warnings
from tests.conftest import SHARED, needs_crds
from tests.constructs import COMMON, karpenter
from tests.crd import Crd
from tests.plans import document as plan_of
from tests.plans import node_class, node_pool
from tests.pools import gpu, wrong
from tests.synthesis import Json, addresses, synth, synth_stack, write_stack
from tests.terraform import Workspace, needs_modules, needs_terraform

TYPES = {row.instance_type: row for row in gpu_instance_types() if row.efa}
OLDER, NEWER = "1.10.2", "1.11.0"


def efa(**fields: Any) -> GpuPool:
    """A pool with EFA that is right, but for `fields`."""
    return gpu("train", **{"efa": True, "zones": ["us-west-2c"], **fields})


def cluster(karpenter_version: str, pool: GpuPool, **fields: Any) -> ClusterConfig:
    return ClusterConfig("karpenter", karpenter_version=karpenter_version, gpu_pools=[pool], **fields)


@pytest.fixture(scope="module")
def older() -> Json:
    return synth_stack(cluster(OLDER, efa()))


@pytest.fixture(scope="module")
def newer() -> Json:
    return synth_stack(
        cluster(NEWER, efa(placement_group=True), node_traffic_all=True, vpc_cni=VpcCni(warm_ip_target=2, minimum_ip_target=16))
    )


# --- Network interfaces -----------------------------------------------------------------------------------------------------------


def interfaces(instance_type: str) -> list[tuple[int, int, str]]:
    """Card, device and type of each interface."""
    made = layout(TYPES[instance_type]).interfaces()
    return [(one["networkCardIndex"], one["deviceIndex"], one["interfaceType"]) for one in made]


@pytest.mark.parametrize(
    ("instance_type", "cards", "first_has_efa"),
    [("p5.48xlarge", 32, True), ("p5en.48xlarge", 16, True), ("p6-b300.48xlarge", 17, False), ("g6e.8xlarge", 1, True)],
)
def test_the_first_card_has_the_addresses_and_each_card_with_efa_one_interface_without(
    instance_type: str, cards: int, first_has_efa: bool
) -> None:
    further = [(card, 0, "efa-only") for card in range(1, cards)]
    first = [(0, 0, "interface"), (0, 1, "efa-only")] if first_has_efa else [(0, 0, "interface")]
    assert interfaces(instance_type) == first + further


@pytest.mark.parametrize("instance_type", TYPES)
def test_a_layout_has_every_efa_interface_of_the_type(instance_type: str) -> None:
    assert [kind for *_, kind in interfaces(instance_type)].count("efa-only") == TYPES[instance_type].efa


def test_only_a_karpenter_that_knows_network_interfaces_gets_them(older: Json, newer: Json) -> None:
    assert "networkInterfaces" not in older["locals"]["ec2nodeclass_train"]["spec"]
    assert len(newer["locals"]["ec2nodeclass_train"]["spec"]["networkInterfaces"]) == 33
    assert "networkInterfaces" not in newer["locals"]["ec2nodeclass_gpu"]["spec"]


@pytest.mark.slow
@needs_crds
@pytest.mark.parametrize("instance_type", ["p5.48xlarge", "p6-b300.48xlarge", "g6e.8xlarge"])
def test_a_node_class_with_efa_passes_the_crds_of_the_releases_that_get_one(instance_type: str) -> None:
    manifest = synth_stack(cluster("1.14.1", efa(instance_types=[instance_type], placement_group=True)))["locals"][
        "ec2nodeclass_train"
    ]
    crds = {
        version: Crd(SHARED / "crds" / f"karpenter-{version}" / "karpenter.k8s.aws_ec2nodeclasses.yaml")
        for version in ("1.9.2", "1.12.2", "1.14.1")
    }
    assert [version for version, crd in crds.items() if crd.errors(manifest)] == ["1.9.2"]


# --- What is refused --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "karpenter_version", "says"),
    [
        (efa(zones=[]), NEWER, "zones must have exactly one zone if efa is True (got []): EFA traffic cannot cross zones."),
        (
            efa(zones=["us-west-2a", "us-west-2c"]),
            OLDER,
            "zones must have exactly one zone if efa is True (got ['us-west-2a', 'us-",
        ),
        (
            efa(instance_types=["p5.48xlarge", "g6e.xlarge", "p9.48xlarge"]),
            OLDER,
            "instance_types must have EFA if efa is True (got ['g6e.xlarge', 'p9.48xlarge'], which do not, or which this program "
            "does not know). Remove these types, or use another pool for them.",
        ),
        (efa(instance_types=(), families=["g6e"]), OLDER, "families must have EFA if efa is True (got ['g6e.xlarge', "),
        (
            efa(instance_types=["p5.48xlarge", "p5e.48xlarge", "p5en.48xlarge"]),
            NEWER,
            "instance_types must have equal network cards if efa is True (got p5.48xlarge, p5e.48xlarge: 32 network cards with "
            "EFA; p5en.48xlarge: 16 network cards with EFA): Karpenter launches only types that fit the network interfaces of the "
            "node class, and does not say which it leaves out. Use a pool for each.",
        ),
        (
            efa(instance_types=["p6-b300.48xlarge"]),
            OLDER,
            "instance_types must not contain types without EFA on the first network card if efa is True before Karpenter 1.11.0 "
            "(got ['p6-b300.48xlarge'], karpenter_version 1.10.2). Upgrade Karpenter first: docs/upgrading.md.",
        ),
        (
            efa(placement_group=True),
            OLDER,
            "placement_group must be False before Karpenter 1.11.0 (got True, karpenter_version 1.10.2). Upgrade Karpenter first: ",
        ),
        *(
            (
                efa(instance_types=["p4d.24xlarge", other, "p4de.24xlarge"]),
                karpenter_version,
                f"instance_types must not contain both p4d or p4de and other types if efa is True (got ['p4d.24xlarge', "
                f"'p4de.24xlarge'] and ['{other}']): EC2 carries no EFA traffic between them. Use a pool for each.",
            )
            for other, karpenter_version in (("p5.48xlarge", OLDER), ("g6e.48xlarge", NEWER))
        ),
        (
            efa(replicas=1, weight=None),
            OLDER,
            "replicas must be None if efa is True before Karpenter 1.11.0 (got 1, karpenter_version 1.10.2). Upgrade Karpenter",
        ),
        (efa(replicas=1, weight=None), "1.6.0", "replicas must be None if efa is True before Karpenter 1.11.0 (got 1, "),
        (
            gpu("train", placement_group=True),
            NEWER,
            "placement_group must be False if efa is False (got True): a group is for traffic over EFA. Set efa=True.",
        ),
    ],
)
def test_a_pool_that_cannot_have_efa_is_refused(pool: GpuPool, karpenter_version: str, says: str) -> None:
    (text,) = wrong(pool, karpenter=karpenter_version)
    assert text.startswith(f'gpu_pools["train"].{says}')


def test_types_of_different_layouts_are_for_karpenter_where_it_chooses_the_interfaces() -> None:
    assert wrong(efa(instance_types=["p5.48xlarge", "p5en.48xlarge", "g6e.8xlarge"]), karpenter=OLDER) == []
    assert wrong(efa(instance_types=["g6e.8xlarge", "g5.48xlarge"]), karpenter=NEWER) == []
    assert wrong(efa(instance_types=["p4d.24xlarge", "p4de.24xlarge"]), karpenter=NEWER) == []


def test_a_fixed_number_of_nodes_has_efa_where_the_node_class_names_the_interfaces() -> None:
    assert wrong(efa(replicas=1, weight=None), karpenter=NEWER) == []


def test_the_constructs_alone_refuse_a_pool_whose_traffic_or_group_is_missing() -> None:
    def make(stack: TerraformStack) -> None:
        options = NodePoolOptions(gpu_instance_types=["p5.48xlarge"], gpu_pools=[efa(placement_group=True)])
        NodePools(stack, "nodepools", COMMON, karpenter=karpenter(stack), options=options)

    with pytest.raises(ConfigurationError) as refused:
        synth(make)
    assert str(refused.value).splitlines()[1:] == [  # the first is for the release of Karpenter
        'NodePools.options.gpu_pools["train"].placement_group must be False unless NodePools knows the group (got True). Give '
        "NodePools placement_groups.",
        'NodePools.options.gpu_pools["train"].efa must be False unless the cluster lets EFA traffic pass (got True). Give Cluster '
        "efa=True.",
    ]


# --- What lets the traffic pass ---------------------------------------------------------------------------------------------------


def test_nodes_may_send_each_other_everything_both_ways_and_each_rule_is_made_once(older: Json, newer: Json) -> None:
    for document in (older, newer):  # with node_traffic_all, the first rule is there already
        rules = document["module"]["eks"]["node_security_group_additional_rules"]
        assert {name: (rule["type"], rule["protocol"], rule["self"]) for name, rule in rules.items()} == {
            "ingress_self_all": ("ingress", "-1", True),
            "egress_self_all": ("egress", "-1", True),
        }


def plugin_values(document: Json) -> Json:
    """The values of the device plugin's chart."""
    return dict(yaml.safe_load(document["resource"]["helm_release"]["aws_efa_k8s_device_plugin"]["values"][0]))


def test_the_device_plugin_comes_after_the_pools_and_takes_the_place_of_no_other_pod(older: Json) -> None:
    release = older["resource"]["helm_release"]["aws_efa_k8s_device_plugin"]
    assert release["depends_on"] == ["kubectl_manifest.nodepool_train"]
    assert release["wait"] is False
    values = plugin_values(older)
    assert values["image"] == {
        "repository": '${lookup(local.eks_images_accounts, var.region, "602401143452")}.dkr.ecr.${var.region}.amazonaws.com/eks/'
        "aws-efa-k8s-device-plugin"
    }
    assert (values["tolerations"], values["resources"]) == ([{"operator": "Exists"}], {"requests": None})


def test_the_device_plugin_runs_on_the_nodes_of_the_pools_with_efa_alone() -> None:
    """On other nodes whose type can have EFA, such as those of gpu-spot, the plugin would end again and again."""
    pools = [efa(), gpu("8", efa=True, zones=["us-west-2d"], weight=2), gpu("other", weight=3)]
    made = synth_stack(ClusterConfig("karpenter", gpu_pools=pools))
    assert plugin_values(made)["supportedInstanceLabels"] == {"keys": ["nodepool"], "values": ["train", "8"]}
    for name in ("train", "8"):
        assert made["locals"][f"nodepool_{name}"]["spec"]["template"]["metadata"]["labels"]["nodepool"] == name


def test_a_cluster_without_efa_has_nothing_of_it() -> None:
    made = synth_stack(ClusterConfig("karpenter", gpu_pools=[gpu()]))
    assert not {address for address in addresses(made) if "_efa_" in address or "placement" in address}
    assert "node_security_group_additional_rules" not in made["module"]["eks"]
    assert "eks_images_accounts" not in made["locals"]


# --- Placement groups -------------------------------------------------------------------------------------------------------------


def test_a_placement_group_outlives_its_nodes(newer: Json) -> None:
    """EC2 does not delete a group with nodes in it: `wait` ends when Karpenter has removed them."""
    group = newer["resource"]["aws_placement_group"]["train"]
    assert (group["name"], group["strategy"]) == ("${local.name}-train", "cluster")
    assert group["lifecycle"] == {"create_before_destroy": True}
    assert newer["locals"]["ec2nodeclass_train"]["spec"]["placementGroupSelector"] == {"name": "${aws_placement_group.train.name}"}
    manifests = newer["resource"]["kubectl_manifest"]
    assert {name for name, made in manifests.items() if made.get("wait")} == {"ec2nodeclass_train", "nodepool_train"}


def test_the_group_of_a_pool_whose_name_begins_with_a_digit_has_an_address_that_terraform_accepts() -> None:
    def make(stack: TerraformStack) -> None:
        PlacementGroups(stack, "placement_groups", COMMON, pools=["8x-h100", "train"])

    groups = synth(make)["resource"]["aws_placement_group"]
    assert set(groups) == {"nodepool_8x-h100", "train"}
    assert groups["nodepool_8x-h100"]["name"].endswith("-8x-h100")


def test_karpenter_may_launch_into_the_groups_of_the_cluster_alone(newer: Json, older: Json) -> None:
    find, launch = newer["locals"]["karpenter_additional_policy"]["Statement"]
    assert find["Action"] == ["ec2:DescribePlacementGroups"]
    assert launch == {
        "Effect": "Allow",
        "Action": ["ec2:RunInstances", "ec2:CreateFleet"],
        "Resource": ["arn:aws:ec2:${var.region}:*:placement-group/${aws_placement_group.train.name}"],
    }
    assert "aws_iam_policy.karpenter_additional" not in addresses(older)


# --- What a plan judges -----------------------------------------------------------------------------------------------------------


def rule(document: Json, of: str) -> Json:
    """The precondition whose message has some words."""
    rules = document["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    (found,) = (one for one in rules if of in one["error_message"])
    return dict(found)


def test_the_zone_must_have_addresses_for_all_nodes_of_the_limit() -> None:
    pool = efa(limit=800, instance_types=["p5.48xlarge", "p5e.48xlarge"])
    for version, each in ((OLDER, 131), (NEWER, 50)):
        made = rule(synth_stack(cluster(version, pool)), "has addresses for, because EFA")
        assert made["condition"] == f"${{local.addresses_per_zone >= {100 * each}}}"
        assert f"of 100 nodes p5.48xlarge fit, with ${{floor(local.addresses_per_zone / {each}) * 8}} GPUs" in made["error_message"]


def test_the_targets_of_the_cni_and_a_limit_of_nodes_count(newer: Json) -> None:
    assert rule(newer, "has addresses for")["condition"] == "${local.addresses_per_zone >= 17}"
    made = synth_stack(cluster(NEWER, efa(limit=800, node_limit=3), gpu_spot_pool=False))
    assert rule(made, "has addresses for")["condition"] == "${local.addresses_per_zone >= 150}"
    assert made["locals"]["addresses_per_zone"].startswith("${pow(2, ")


def test_a_synthesis_warns_of_a_limit_that_a_plan_would_refuse() -> None:
    def warned(version: str, limit: int) -> list[str]:
        return list(warnings([cluster(version, efa(limit=limit))], date(2026, 1, 1)))

    assert warned(NEWER, 800) == [
        'karpenter.gpu_pools["train"].limit must not exceed what us-west-2c has addresses for, because EFA needs all nodes in one '
        "zone (got 800). A zone has 4091 addresses for nodes and pods: 81 of 100 nodes p5.48xlarge fit, with 648 GPUs, at 50 "
        "addresses a node. Lower the limit, let nodes take fewer addresses with vpc_cni, or add a network with secondary_cidr: "
        "docs/ip-addresses.md."
    ]
    assert warned(NEWER, 648) == []
    assert len(warned(OLDER, 648)) == 1


def test_pools_of_one_zone_must_find_addresses_together() -> None:
    pools = [efa(limit=400), gpu("next", efa=True, zones=["us-west-2c"], limit=320, weight=2)]
    alone = gpu("alone", efa=True, zones=["us-west-2d"], limit=400, weight=3)
    config = ClusterConfig("karpenter", karpenter_version=NEWER, gpu_pools=[*pools, alone])
    words = (
        "together must not exceed what us-west-2c has addresses for, because EFA needs all nodes in one zone (got 400 and 320). A "
        "zone has {} addresses for nodes and pods: 50 nodes p5.48xlarge of train take 2500, at 50 addresses a node; 40 nodes "
        "p5.48xlarge of next take 2000, at 50 addresses a node; together 4500. Lower the limit, let nodes take fewer addresses "
        "with vpc_cni, or add a network with secondary_cidr: docs/ip-addresses.md."
    )
    made = rule(synth_stack(config), "together")
    assert made["condition"] == "${local.addresses_per_zone >= 4500}"
    assert made["error_message"] == "The limits of pools train and next " + words.format("${local.addresses_per_zone}")
    assert list(warnings([config], date(2026, 1, 1))) == [
        "karpenter.gpu_pools: the limits of train and next " + words.format("4091")
    ]


def test_the_zone_must_offer_every_type(newer: Json) -> None:
    data = "data.aws_ec2_instance_type_offerings.nodepool_train"
    assert newer["locals"]["nodepool_train_types_not_in_its_zone"] == (
        f'${{contains(local.azs, "us-west-2c") ? setsubtract(local.nodepool_train_types, [for k, type in {data}.instance_types : '
        f'type if {data}.locations[k] == "us-west-2c"]) : []}}'
    )
    assert "types of pool train must be types that EC2 offers in us-west-2c (got" in rule(newer, "offers in")["error_message"]
    assert "nodepool_train_types_are_offered" not in newer["check"]


def test_the_sum_of_addresses_is_that_of_the_page() -> None:
    sums = {
        kind: [nodes * addresses_of_node(TYPES["p5.48xlarge"], efa=kind) for nodes in (4, 32, 100)] for kind in ("efa", "efa-only")
    }
    assert sums == {"efa": [524, 4192, 13100], "efa-only": [200, 1600, 5000]}


# --- What running jobs notice -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "words"),
    [("efa", "all nodes drift (network interfaces)."), ("placement_group", "all nodes drift (placement group).")],
)
def test_efa_on_a_pool_that_exists_replaces_its_nodes(field: str, words: str) -> None:
    pools = [efa(**{field: value, "budgets": [Budget(nodes="10%")]}) for value in (False, True)]
    before, after = (synth_stack(cluster(NEWER, pool))["locals"] for pool in pools)
    found = explain(
        read(
            json.dumps(
                plan_of(
                    node_pool(before["nodepool_train"]["spec"], after["nodepool_train"]["spec"], name="train"),
                    node_class(before["ec2nodeclass_train"]["spec"], after["ec2nodeclass_train"]["spec"], name="train"),
                )
            )
        )
    )
    assert found.change == "D"
    assert any(words in one.words for one in found.changes)
    assert found.change in next(one.change for one in options_of(GpuPool) if one.name == field)


def test_efa_changes_no_object_where_karpenter_chooses_the_interfaces(older: Json) -> None:
    without = synth_stack(cluster(OLDER, efa(efa=False)))["locals"]
    assert {name: without[name] for name in ("ec2nodeclass_train", "nodepool_train")} == {
        name: older["locals"][name] for name in ("ec2nodeclass_train", "nodepool_train")
    }


# --- Real Terraform ---------------------------------------------------------------------------------------------------------------


@pytest.mark.terraform
@needs_terraform
def test_a_plan_refuses_a_zone_without_the_types_or_without_addresses(tmp_path: Path) -> None:
    """The stubs offer p5.48xlarge in us-west-2c and us-west-2d alone."""
    config = cluster(NEWER, efa(zones=["us-west-2a"], limit=800), region="us-west-2", gpu_instance_types=["g6e.xlarge"])
    workspace = Workspace(tmp_path, write_stack(tmp_path, config))
    refused = " ".join(workspace.run("plan", "-input=false", expect=1).output.split())
    assert 'must be types that EC2 offers in us-west-2a (got ["p5.48xlarge"]), because EFA needs all nodes in one zone.' in refused
    assert (
        "(got 800). A zone has 4091 addresses for nodes and pods: 81 of 100 nodes p5.48xlarge fit, with 648 GPUs, at 50" in refused
    )


@pytest.mark.terraform
@needs_terraform
def test_a_zone_of_another_region_is_refused_once(tmp_path: Path) -> None:
    config = cluster(OLDER, efa(zones=["eu-west-1a"]), region="us-west-2", gpu_instance_types=["g6e.xlarge"])
    workspace = Workspace(tmp_path, write_stack(tmp_path, config))
    refused = " ".join(workspace.run("plan", "-input=false", expect=1).output.split())
    assert 'The zones of pool train must be zones of the network (got ["eu-west-1a"]).' in refused
    assert "must be types that EC2 offers" not in refused


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_efa_replaces_nothing_on_an_adopted_state(tmp_path: Path, reference: Path) -> None:
    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter")))
    workspace.adopt(reference)
    added: dict[str, set[str]] = {}
    for name, config in {
        "efa": ClusterConfig("karpenter", gpu_pools=[efa()]),
        **{version: ClusterConfig("karpenter", karpenter_version=version) for version in (NEWER, "1.14.1")},
        **{f"group on {version}": cluster(version, efa(placement_group=True)) for version in (NEWER, "1.14.1")},
    }.items():
        write_stack(workspace.folder, config)
        changes = [change for change in workspace.plan()["resource_changes"] if change["mode"] == "managed"]
        assert all(change["change"]["actions"] in (["create"], ["update"], ["no-op"]) for change in changes)
        added[name] = {change["address"] for change in changes if change["change"]["actions"] == ["create"]}
    rules = {f'module.eks.aws_security_group_rule.node["{way}_self_all"]' for way in ("ingress", "egress")}
    objects = {"kubectl_manifest.ec2nodeclass_train", "kubectl_manifest.nodepool_train"}
    assert added["efa"] == {"helm_release.aws_efa_k8s_device_plugin", *rules, *objects}
    policy = {
        "aws_iam_policy.karpenter_additional",
        'module.karpenter.aws_iam_role_policy_attachment.controller_additional["additional"]',
    }
    grouped = added["efa"] | {"aws_placement_group.train"}
    assert added[f"group on {NEWER}"] - added[NEWER] == grouped | policy
    assert added["group on 1.14.1"] - added["1.14.1"] == grouped


@pytest.mark.terraform
@needs_terraform
@needs_modules
@pytest.mark.parametrize(
    ("karpenter_version", "before", "after", "creates", "updates"),
    [
        (OLDER, [efa(efa=False)], [efa()], 3, 0),
        (NEWER, [efa(efa=False)], [efa()], 3, 1),
        (NEWER, [efa()], [efa(), gpu("next", efa=True, zones=["us-west-2d"], weight=2)], 2, 1),
        (NEWER, [efa()], [efa(placement_group=True)], 3, 2),
        ("1.14.1", [efa()], [efa(placement_group=True)], 1, 3),
    ],
)
def test_a_plan_on_pools_that_exist_has_the_numbers_of_the_page(
    tmp_path: Path, karpenter_version: str, before: list[GpuPool], after: list[GpuPool], creates: int, updates: int
) -> None:
    given: dict[str, Any] = {"karpenter_version": karpenter_version, "region": "us-west-2", "gpu_spot_pool": False}
    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter", gpu_pools=before, **given)))
    workspace.run("apply", "-auto-approve", "-input=false")
    write_stack(workspace.folder, ClusterConfig("karpenter", gpu_pools=after, **given))
    made = [change["change"]["actions"] for change in workspace.plan()["resource_changes"] if change["mode"] == "managed"]
    counted = {kind: made.count([kind]) for kind in ("create", "update")}
    assert counted == {"create": creates, "update": updates}
    assert len(made) - made.count(["no-op"]) == creates + updates


@pytest.mark.terraform
@needs_terraform
def test_a_group_that_a_pool_no_longer_has_goes_after_its_class_has_changed(tmp_path: Path) -> None:
    """EC2 refuses to delete a group with nodes in it. In the other order, the class that lets the nodes go would wait for that."""
    given: dict[str, Any] = {"region": "us-west-2", "gpu_spot_pool": False}
    workspace = Workspace(tmp_path, write_stack(tmp_path, cluster(NEWER, efa(placement_group=True), **given)))
    workspace.run("apply", "-auto-approve", "-input=false")
    write_stack(workspace.folder, cluster(NEWER, efa(), **given))
    said = workspace.run("apply", "-auto-approve", "-input=false").output
    assert 0 < said.index("ec2nodeclass_train: Modifications complete") < said.index("aws_placement_group.train: Destroying")
