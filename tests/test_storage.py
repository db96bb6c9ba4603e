"""Drivers for volumes of pods."""

from pathlib import Path
from typing import Any

import pytest
from cdktf import TerraformStack

from stacks.config import (
    S3,
    ClusterConfig,
    Ebs,
    Efs,
    Fsx,
    GeneralPool,
    GpuPool,
    PodIdentity,
    Snapshots,
    Taint,
)
from stacks.config.checks import ConfigurationError, mistakes
from stacks.config.pod_identities import ROLE_NAME_LENGTH
from stacks.config.storage import StorageKind, StorageOptions
from stacks.knowledge.storage_addons import STORAGE_ADDONS
from stacks.kubernetes.storage import Storage
from tests.constructs import COMMON, cluster
from tests.synthesis import Json, addresses, synth, synth_stack, write_stack
from tests.terraform import Workspace, needs_modules, needs_terraform

ALL: list[StorageKind] = [Efs(), S3(buckets=["acme-models"]), Ebs(), Fsx(), Snapshots()]
DRIVERS = [f"aws_eks_addon.aws_{name}_csi_driver" for name in ("ebs", "efs", "fsx")]
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def stack(*storage: StorageKind, **fields: Any) -> Json:
    return synth_stack(ClusterConfig("karpenter", storage=storage, **fields))


def refusals(*storage: Any, **fields: Any) -> list[str]:
    return list(mistakes("c", ClusterConfig("karpenter", storage=storage, **fields)))


@pytest.fixture(scope="module")
def everything() -> Json:
    return stack(*ALL, permissions_boundary="arn:aws:iam::123456789012:policy/boundary")


@pytest.mark.slow
def test_each_kind_adds_its_own_resources_and_nothing_else(everything: Json) -> None:
    default = addresses(stack())

    def added(*storage: StorageKind) -> set[str]:
        found = addresses(stack(*storage)) - default
        return {address for address in found if not address.startswith("data.")}

    def of(name: str) -> set[str]:
        kinds = ("eks_addon", "eks_pod_identity_association", "iam_role", "iam_role_policy_attachment")
        return {f"aws_{kind}.{name}" for kind in kinds}

    ebs, s3 = of("aws_ebs_csi_driver"), of("aws_mountpoint_s3_csi_driver") | {"aws_iam_policy.aws_mountpoint_s3_csi_driver"}
    assert added(Ebs(storage_class=None)) == ebs
    assert added(Ebs(storage_class="fast")) == ebs | {"kubectl_manifest.storageclass_fast"}
    assert added(Snapshots()) == {"aws_eks_addon.snapshot_controller"}
    assert {address for address in addresses(everything) - default if not address.startswith("data.")} == (
        ebs
        | s3
        | of("aws_efs_csi_driver")
        | of("aws_fsx_csi_driver")
        | {"aws_eks_addon.snapshot_controller", "kubectl_manifest.storageclass_gp3"}
    )


def test_the_role_of_a_driver_is_that_of_its_service_account(everything: Json) -> None:
    resources = everything["resource"]
    policies = {}
    for addon in (addon for addon in STORAGE_ADDONS if addon.account):
        association = resources["aws_eks_pod_identity_association"][addon.address]
        assert (association["namespace"], association["service_account"]) == ("kube-system", addon.account)
        assert association["role_arn"] == f"${{aws_iam_role.{addon.address}.arn}}"
        assert resources["aws_iam_role"][addon.address]["permissions_boundary"] == "arn:aws:iam::123456789012:policy/boundary"
        policies[addon.account] = resources["aws_iam_role_policy_attachment"][addon.address]["policy_arn"]
    assert policies == {
        "ebs-csi-controller-sa": "arn:aws:iam::aws:policy/AmazonEBSCSIDriverPolicyV2",
        "efs-csi-controller-sa": "arn:aws:iam::aws:policy/service-role/AmazonEFSCSIDriverPolicy",
        "fsx-csi-controller-sa": "arn:aws:iam::aws:policy/AmazonFSxFullAccess",
        "s3-csi-driver-sa": "${aws_iam_policy.aws_mountpoint_s3_csi_driver.arn}",
    }


def test_the_role_of_the_driver_of_s3_reaches_its_buckets_and_no_other(everything: Json) -> None:
    of_bucket, of_objects = everything["locals"]["aws_mountpoint_s3_csi_driver_policy"]["Statement"]
    assert (of_bucket["Action"], of_bucket["Resource"]) == (["s3:ListBucket"], ["arn:aws:s3:::acme-models"])
    assert of_objects["Resource"] == ["arn:aws:s3:::acme-models/*"]


def test_no_name_of_a_driver_is_shortened() -> None:
    assert all(len(addon.name) <= ROLE_NAME_LENGTH for addon in STORAGE_ADDONS)


def test_drivers_stand_before_the_pools_after_their_identities_and_s3_after_the_pools(everything: Json) -> None:
    resources = everything["resource"]
    for name in ("ebs", "efs", "fsx"):
        assert resources["aws_eks_addon"][f"aws_{name}_csi_driver"]["depends_on"] == [
            "module.eks",
            f"aws_eks_pod_identity_association.aws_{name}_csi_driver",
            f"aws_iam_role_policy_attachment.aws_{name}_csi_driver",
            "aws_eks_addon.snapshot_controller",
        ]
    for name in ("default", "gpu"):
        after = resources["kubectl_manifest"][f"ec2nodeclass_{name}"]["depends_on"]
        assert {"helm_release.karpenter", "aws_eks_addon.snapshot_controller", *DRIVERS} == set(after)
    s3 = resources["aws_eks_addon"]["aws_mountpoint_s3_csi_driver"]
    assert {"kubectl_manifest.nodepool_default", "kubectl_manifest.nodepool_gpu"} <= set(s3["depends_on"])
    assert "aws_iam_role_policy_attachment.aws_mountpoint_s3_csi_driver" in s3["depends_on"]
    assert s3["preserve"] is True, "pods keep their mounts while a destroy ends their nodes"


def test_the_add_ons_run_where_the_taints_are(everything: Json) -> None:
    addons = everything["resource"]["aws_eks_addon"]
    assert {name: everything["locals"][f"{name}_values"] for name, addon in addons.items() if "configuration_values" in addon} == {
        "snapshot_controller": {"tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}]},
        "aws_mountpoint_s3_csi_driver": {"node": {"tolerateAllTaints": True}},
    }


def test_the_default_class_is_encrypted_gp3_and_is_replaced_when_it_changes(everything: Json) -> None:
    manifest = everything["resource"]["kubectl_manifest"]["storageclass_gp3"]
    assert (manifest["force_new"], manifest["depends_on"]) == (True, ["aws_eks_addon.aws_ebs_csi_driver"])
    made = everything["locals"]["storageclass_gp3"]
    assert made["metadata"] == {"name": "gp3", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    assert (made["provisioner"], made["parameters"]) == ("ebs.csi.aws.com", {"type": "gp3", "encrypted": "true"})
    assert (made["volumeBindingMode"], made["allowVolumeExpansion"]) == ("WaitForFirstConsumer", True)


def test_an_add_on_has_the_latest_version_unless_addon_versions_has_one(everything: Json) -> None:
    latest = everything["data"]["aws_eks_addon_version"]["aws_efs_csi_driver"]
    assert (latest["addon_name"], latest["kubernetes_version"], latest["most_recent"]) == ("aws-efs-csi-driver", "1.33", True)
    assert everything["resource"]["aws_eks_addon"]["aws_efs_csi_driver"]["addon_version"] == (
        '${coalesce(lookup(var.addon_versions, "aws-efs-csi-driver", null), data.aws_eks_addon_version.aws_efs_csi_driver.version)}'
    )


def test_versions_of_add_ons_that_are_on_are_accepted_and_others_refused(everything: Json) -> None:
    pinned = {"aws-efs-csi-driver": "v2.1.15-eksbuild.1"}
    assert not refusals(Efs(), addon_versions=pinned)
    assert refusals(Ebs(), addon_versions=pinned) == [
        "c.addon_versions must name add-ons of the cluster: coredns, kube-proxy, eks-pod-identity-agent, vpc-cni, "
        'aws-ebs-csi-driver (got ["aws-efs-csi-driver"]).'
    ]
    assert '"aws-fsx-csi-driver", "snapshot-controller"]' in everything["locals"]["addon_versions_of_other_addons"]


def test_each_kind_comes_once() -> None:
    assert refusals(Ebs(), Efs(), Ebs(storage_class=None)) == [
        "c.storage must not contain two Ebs: a cluster has an add-on once.",
    ]


TAINTED = GeneralPool("web", families=["m7i"], cpu_limit=8, weight=2, taints=[Taint(key="example.com/web")])


EMPTY = GeneralPool("web", instance_types=["m7i.large"], cpu_limit=8, replicas=0)


@pytest.mark.parametrize("pools", [[], [TAINTED], [EMPTY]])
def test_s3_needs_a_pool_for_pods_without_tolerations(pools: list[GeneralPool]) -> None:
    assert refusals(S3(buckets=["acme-models"]), default_pool=False, general_pools=pools, karpenter_version="1.12.2") == [
        "c.storage must not contain S3 without a general pool, because the controller of its add-on tolerates no taint and would "
        "wait for a node. Set default_pool=True, or add a pool without taints to general_pools."
    ]
    assert not refusals(Ebs(), Efs(), Fsx(), Snapshots(), default_pool=False, general_pools=pools, karpenter_version="1.12.2")


def test_a_general_pool_without_taints_suffices_for_s3() -> None:
    prefers = Taint(key="example.com/web", effect="PreferNoSchedule")
    pool = GeneralPool("web", families=["m7i"], cpu_limit=8, weight=2, taints=[prefers])
    gpu = GpuPool("inference", families=["g6e"], limit=8, weight=3)
    assert not refusals(S3(buckets=["acme-models"]), default_pool=False, general_pools=[pool], gpu_pools=[gpu])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (S3(buckets=[]), "c.storage[0].buckets must have at least one element (got [])."),
        *(
            (
                S3(buckets=[name]),
                f"c.storage[0].buckets must be names of buckets that Python knows, such as acme-models (got ['{name}']",
            )
            for name in ("s3://acme", "a..b", "192.168.1.1", "xn--a")
        ),
        (
            S3(buckets=[f"acme-models-of-team-{number}" for number in range(100)]),
            "c.storage[0].buckets must make a policy of at most 6,144 characters together (got ",
        ),
        (
            Ebs(storage_class="gp2"),
            "c.storage[0].storage_class must be lower-case letters, digits and hyphens, such as gp3, but not",
        ),
        (Ebs(storage_class="GP3"), "c.storage[0].storage_class must be lower-case letters, digits and hyphens, such as gp3"),
        ("ebs", "c.storage must be a list of Ebs or Efs or Fsx or S3 or Snapshots (got ('ebs',))."),
        (Ebs, "c.storage must be a list of Ebs or Efs or Fsx or S3 or Snapshots"),
    ],
)
def test_values_that_cannot_be_right_are_refused(wrong: Any, words: str) -> None:
    (mistake,) = refusals(wrong)
    assert mistake.startswith(words)


def test_an_identity_must_not_take_the_account_of_an_add_on_that_is_on() -> None:
    own = PodIdentity(namespace="kube-system", service_account="ebs-csi-controller-sa", policies=[READ_ONLY])
    assert refusals(Ebs(), pod_identities=[own]) == [
        "c.pod_identities must not contain the service account kube-system/ebs-csi-controller-sa, because the add-on "
        "aws-ebs-csi-driver has its role already. Use a service account of your own."
    ]
    assert not refusals(Efs(), pod_identities=[own])


def test_the_construct_refuses_add_ons_of_which_its_cluster_does_not_know() -> None:
    def make(stack: TerraformStack) -> None:
        Storage(stack, "storage", COMMON, cluster=cluster(stack), options=StorageOptions(storage=[Ebs(), Efs()]))

    with pytest.raises(ConfigurationError, match=r"Storage needs Cluster\(.*\) with aws-ebs-csi-driver, aws-efs-csi-driver"):
        synth(make)


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_storage_and_identities_only_create_on_an_adopted_state(tmp_path: Path, reference: Path) -> None:
    identity = PodIdentity(namespace="training", service_account="trainer", policies=[READ_ONLY])
    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter", storage=ALL, pod_identities=[identity])))
    workspace.adopt(reference)
    actions = [change["change"]["actions"] for change in workspace.plan()["resource_changes"] if change["mode"] == "managed"]
    assert actions.count(["create"]) == 19 + 3
    assert all(action in (["create"], ["no-op"]) for action in actions)


@pytest.mark.terraform
@needs_terraform
@needs_modules
def test_a_destroy_keeps_drivers_and_identities_until_the_pools_are_gone(tmp_path: Path) -> None:
    identity = PodIdentity(namespace="training", service_account="trainer", policies=[READ_ONLY])
    workspace = Workspace(tmp_path, write_stack(tmp_path, ClusterConfig("karpenter", storage=ALL, pod_identities=[identity])))
    workspace.variables()
    workspace.run("apply", "-auto-approve", "-input=false")
    happened = workspace.destroyed()
    gone = {address: n for n, (kind, address) in enumerate(happened) if kind == "apply_complete"}
    begun = {address: n for n, (kind, address) in enumerate(happened) if kind == "apply_start"}
    pools = [f"kubectl_manifest.{kind}_{name}" for kind in ("nodepool", "ec2nodeclass") for name in ("default", "gpu")]
    assert gone["aws_eks_addon.aws_mountpoint_s3_csi_driver"] < min(begun[pool] for pool in pools)
    for kind in ("eks_pod_identity_association", "iam_role_policy_attachment"):
        own = next(address for address in begun if address.startswith(f"aws_{kind}.pod_identity_training_trainer"))
        assert max(gone[pool] for pool in pools) < begun[own]
    for driver in DRIVERS:
        assert max(gone[pool] for pool in pools) < begun[driver]
        name = driver.partition(".")[2]
        assert gone[driver] < min(
            begun[f"aws_eks_pod_identity_association.{name}"], begun[f"aws_iam_role_policy_attachment.{name}"]
        )
    assert gone["kubectl_manifest.storageclass_gp3"] < begun[DRIVERS[0]]
