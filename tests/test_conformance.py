"""What is synthesized is what Karpenter, Bottlerocket and AWS accept, by their own published rules."""

import ipaddress
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacks.config import Budget, Mps, SociParallelPull, Taint, TimeSlicing
from stacks.config.network import MOST_ZONES
from stacks.config.pools import GENERAL_SOCI, GPU_SOCI, Pool
from stacks.knowledge.catalogue import gpus_by_type
from stacks.knowledge.versions import load_balancer_controller_actions
from stacks.kubernetes.bottlerocket import user_data
from stacks.kubernetes.load_balancer_controller import policy_document
from stacks.kubernetes.manifests import NodeClass, NodePool, Requirement
from tests.conftest import SHARED, needs_crds, needs_policies
from tests.crd import Crd
from tests.synthesis import Json
from tests.terraform import Workspace, needs_terraform

CRDS = SHARED / "crds" / "karpenter-1.6.0"
IAM = SHARED / "iam"

# --- Karpenter's objects -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crds() -> dict[str, Crd]:
    found = [Crd(file) for file in CRDS.glob("*.yaml")]
    return {crd.kind: crd for crd in found}


@needs_crds
@pytest.mark.parametrize("name", ["ec2nodeclass_default", "ec2nodeclass_gpu", "nodepool_default"])
def test_karpenters_objects_pass_the_crds_schema_and_rules(stack: Json, crds: dict[str, Crd], name: str) -> None:
    """As they are: `${local.name}` is a string too. The GPU pool holds lists that Terraform knows: see below."""
    manifest = stack["locals"][name]
    assert crds[manifest["kind"]].errors(manifest) == []


@needs_crds
def test_every_cel_rule_of_the_crds_can_be_evaluated(crds: dict[str, Crd]) -> None:
    assert {kind: len(crd.rules()) for kind, crd in crds.items()} == {"EC2NodeClass": 50, "NodePool": 21}
    # What excludes role, and an alias, is in an object of its own.
    other = json.loads(json.dumps(EVERY_FIELD["EC2NodeClass"]))
    other["spec"] |= {
        "instanceProfile": other["spec"].pop("role"),
        "amiFamily": "Bottlerocket",
        "amiSelectorTerms": [{"tags": {"a": "b"}}],
    }
    for manifest in (*EVERY_FIELD.values(), other):
        assert crds[manifest["kind"]].errors(manifest) == []
    assert {kind: set(crd.rules()) - crd.asked for kind, crd in crds.items()} == {"EC2NodeClass": set(), "NodePool": set()}


# Objects with every field that a rule is on.
EVERY_FIELD: dict[str, dict[str, Any]] = {
    "EC2NodeClass": {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {"name": "x"},
        "spec": {
            "role": "x",
            "amiSelectorTerms": [{"alias": "bottlerocket@latest"}],
            "subnetSelectorTerms": [{"tags": {"a": "b"}}],
            "securityGroupSelectorTerms": [{"tags": {"a": "b"}}],
            "capacityReservationSelectorTerms": [{"tags": {"a": "b"}}],
            "blockDeviceMappings": [{"deviceName": "/dev/xvda", "rootVolume": True, "ebs": {"volumeSize": "100Gi"}}],
            "kubelet": {
                "evictionHard": {"memory.available": "5%"},
                "evictionSoft": {"memory.available": "5%"},
                "evictionSoftGracePeriod": {"memory.available": "1m"},
                "kubeReserved": {"cpu": "1"},
                "systemReserved": {"cpu": "1"},
            },
            "tags": {"a": "b"},
        },
    },
    "NodePool": {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "x"},
        "spec": {
            "disruption": {"consolidateAfter": "30s", "budgets": [{"nodes": "10%"}]},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {
                    "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "x"},
                    "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}],
                },
            },
        },
    },
}


@needs_crds
@pytest.mark.parametrize(
    ("kind", "path", "value", "message"),
    [
        ("EC2NodeClass", ("spec", "userdata"), "x", "Additional properties are not allowed"),
        ("EC2NodeClass", ("spec", "instanceStorePolicy"), "RAID1", "'RAID1' is not one of"),
        ("EC2NodeClass", ("spec", "amiSelectorTerms"), [{"alias": "bottlerocket"}], "'alias' is improperly formatted"),
        ("EC2NodeClass", ("spec", "amiSelectorTerms"), [{"alias": "ubuntu@latest"}], "family is not supported"),
        ("EC2NodeClass", ("spec", "tags"), {"kubernetes.io/cluster/x": "owned"}, "tag contains a restricted tag"),
        ("EC2NodeClass", ("spec", "role"), "", "role cannot be empty"),
        ("NodePool", ("spec", "disruption", "consolidateAfter"), "soon", "does not match"),
        ("NodePool", ("spec", "disruption", "budgets"), [{"nodes": "101%"}], "does not match"),
        ("NodePool", ("spec", "template", "metadata", "labels"), {"karpenter.sh/nodepool": "x"}, "is restricted"),
        ("NodePool", ("spec", "weight"), 0, "less than the minimum"),
    ],
)
def test_an_object_that_karpenter_would_refuse_is_found_out(
    crds: dict[str, Crd], kind: str, path: tuple[str, ...], value: Any, message: str
) -> None:
    manifest = json.loads(json.dumps(EVERY_FIELD[kind]))
    *parents, last = path
    inner = manifest
    for key in parents:
        inner = inner[key]
    inner[last] = value
    assert any(message in error for error in crds[kind].errors(manifest))


@pytest.mark.terraform
@needs_terraform
@needs_crds
@pytest.mark.parametrize(
    ("options", "limits", "budgets"),
    [
        ({}, None, None),
        ({"gpu_limit": 32, "gpu_drift_budget": "0", "gpu_expire_after": "2160h"}, 32, "0"),
        ({"gpu_limit": 64}, 64, None),
        ({"gpu_drift_budget": "10%", "gpu_capacity_type": ["spot", "on-demand"]}, None, "10%"),
    ],
    ids=["default", "limited", "limit", "budget"],
)
def test_what_terraform_applies_passes_too(
    workspace: Workspace, crds: dict[str, Crd], options: dict[str, Any], limits: int | None, budgets: str | None
) -> None:
    workspace.variables(**options)
    workspace.run("apply", "-auto-approve", "-input=false")
    state = json.loads(workspace.state.read_text())
    bodies = [r["instances"][0]["attributes"]["yaml_body"] for r in state["resources"] if r["type"] == "kubectl_manifest"]
    manifests = [yaml.safe_load(body) for body in bodies]
    assert len(manifests) == 4
    assert [crds[manifest["kind"]].errors(manifest) for manifest in manifests] == [[], [], [], []]
    (gpu,) = (m["spec"] for m in manifests if m["metadata"]["name"] == "gpu-spot")
    assert gpu.get("limits") == (limits and {"nvidia.com/gpu": limits})
    assert gpu["disruption"].get("budgets") == (budgets and [{"nodes": "10%"}, {"nodes": budgets, "reasons": ["Drifted"]}])
    assert gpu["disruption"].keys() - {"budgets"} == {"consolidationPolicy", "consolidateAfter"}
    assert gpu["template"]["spec"].get("expireAfter") == options.get("gpu_expire_after")
    (capacity, _, types) = gpu["template"]["spec"]["requirements"]
    assert (capacity["values"], types["values"]) == (options.get("gpu_capacity_type", ["spot"]), ["p5.48xlarge"])


# --- User data -----------------------------------------------------------------------------------------------------------------

GENERAL, GPU = (user_data(pull, mounts_disks=disks) for pull, disks in ((GENERAL_SOCI, False), (GPU_SOCI, True)))

TIME_SLICING, MPS = (user_data(None, mounts_disks=False, sharing=sharing) for sharing in (TimeSlicing(replicas=4), Mps(replicas=4)))

# https://bottlerocket.dev/en/os/1.54.x/api/settings/container-runtime, container-runtime-plugins, bootstrap-commands and
# kubelet-device-plugins
SETTINGS_MODEL: dict[str, Any] = {
    "container-runtime.snapshotter": ("soci", "overlayfs"),
    "container-runtime-plugins.soci-snapshotter.pull-mode": ("parallel-pull-unpack",),
    "container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-downloads": int,
    "container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-downloads-per-image": int,
    "container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.concurrent-download-chunk-size": str,
    "container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-unpacks": int,
    "container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-unpacks-per-image": int,
    "container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.discard-unpacked-layers": bool,
    "kubelet-device-plugins.nvidia.device-sharing-strategy": ("none", "time-slicing", "mps"),
    "kubelet-device-plugins.nvidia.time-slicing.replicas": int,
    "kubelet-device-plugins.nvidia.time-slicing.rename-by-default": bool,
    "kubelet-device-plugins.nvidia.time-slicing.fail-requests-greater-than-one": bool,
    "kubelet-device-plugins.nvidia.mps.replicas": int,
    "kubelet-device-plugins.nvidia.mps.rename-by-default": bool,
    "bootstrap-commands.*.commands": list,
    "bootstrap-commands.*.essential": bool,
    "bootstrap-commands.*.mode": ("always", "once", "off"),
}


def leaves(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = "*" if path == "bootstrap-commands." else key
        found |= leaves(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found


@pytest.mark.parametrize("profile", [GENERAL, GPU, TIME_SLICING, MPS], ids=["general", "gpu", "time-slicing", "mps"])
def test_user_data_is_toml_that_bottlerockets_settings_model_has(profile: str) -> None:
    parsed = tomllib.loads(profile)
    assert parsed.keys() == {"settings"}
    for path, value in leaves(parsed["settings"]).items():
        allowed = SETTINGS_MODEL[path]
        assert value in allowed if isinstance(allowed, tuple) else isinstance(value, allowed), path


@pytest.mark.parametrize(("name", "profile"), [("default", GENERAL), ("gpu", GPU)])
def test_user_data_is_the_hcls_byte_for_byte(reference: Path, name: str, profile: str) -> None:
    state = json.loads((reference / "us-west-2.tfstate").read_text())
    (body,) = (
        resource["instances"][0]["attributes"]["yaml_body"]
        for resource in state["resources"]
        if resource["type"] == "kubectl_manifest" and resource["name"] == f"ec2nodeclass_{name}"
    )
    assert yaml.safe_load(body)["spec"]["userData"].encode() == profile.encode()


# --- IAM -----------------------------------------------------------------------------------------------------------------------


def grants(document: Json) -> set[tuple[str, str, str]]:
    """Each action with the resource and the condition that it is granted on."""
    return {
        (action, resource, json.dumps(statement.get("Condition"), sort_keys=True))
        for statement in document["Statement"]
        for action in _many(statement["Action"])
        for resource in _many(statement["Resource"])
        if statement["Effect"] == "Allow"
    }


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def official(release: str) -> set[tuple[str, str, str]]:
    return grants(json.loads((IAM / f"aws-load-balancer-controller-{release}.json").read_text()))


@needs_policies
@pytest.mark.parametrize("release", ["2.11.0", "2.17.1", "3.5.0"])
def test_the_controllers_policy_is_the_official_one_of_its_release(release: str) -> None:
    assert grants(policy_document("official", release)) == official(release)


@needs_policies
def test_the_hcls_policy_lacks_three_actions_and_is_nowhere_wider() -> None:
    granted = grants(policy_document("reference", "2.11.0"))
    assert granted < official("2.11.0")
    assert {action for action, _, _ in official("2.11.0") - granted} == set(load_balancer_controller_actions("2.11.0"))


# --- Properties ----------------------------------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
values = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9])?", fullmatch=True)

node_classes = st.builds(
    NodeClass,
    name=names,
    role=values,
    discovery=values,
    user_data=st.builds(
        lambda downloads, chunk, unpacks: user_data(
            SociParallelPull(downloads=downloads, chunk_size=f"{chunk}mb", unpacks=unpacks), mounts_disks=False
        ),
        st.integers(1, 100),
        st.integers(1, 512),
        st.integers(1, 100),
    ),
    tags=st.dictionaries(names, values, max_size=3),
    instance_store_policy=st.sampled_from(["RAID0", None]),
    ami_alias=st.sampled_from(["bottlerocket@latest", "bottlerocket@v1.45.0"]),
)
requirements = st.lists(
    st.one_of(
        st.builds(
            Requirement,
            key=st.just("node.kubernetes.io/instance-type"),
            operator=st.sampled_from(["In", "NotIn"]),
            values=st.lists(st.sampled_from(list(gpus_by_type())), min_size=1, max_size=5, unique=True),
        ),
        st.builds(
            Requirement,
            key=st.just("karpenter.k8s.aws/instance-gpu-count"),
            operator=st.sampled_from(["Gt", "Lt"]),
            values=st.integers(0, 8).map(lambda n: [str(n)]),
        ),
    ),
    max_size=4,
)
pools = st.builds(
    NodePool,
    pool=st.builds(
        Pool,
        name=names,
        consolidate_after=st.one_of(
            st.just("Never"), st.integers(1, 999).flatmap(lambda n: st.sampled_from([f"{n}s", f"{n}m", f"{n}h"]))
        ),
    ),
    node_class=node_classes,
    requirements=requirements,
    limits=st.dictionaries(st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]), st.integers(1, 10**6), min_size=1, max_size=3),
    budgets=st.lists(st.builds(Budget, nodes=st.integers(0, 100).map(lambda n: f"{n}%")), max_size=3),
    labels=st.dictionaries(names, values, max_size=3),
    taints=st.lists(
        st.builds(Taint, key=names, value=values, effect=st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"])),
        max_size=2,
    ),
)


@pytest.mark.slow
@needs_crds
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pool=pools)
def test_any_valid_pool_passes_the_crds(crds: dict[str, Crd], pool: NodePool) -> None:
    assert crds["NodePool"].errors(pool.manifest()) == []
    assert crds["EC2NodeClass"].errors(pool.node_class.manifest()) == []
    tomllib.loads(pool.node_class.user_data)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(address=st.integers(0, 2**32 - 1), prefix=st.integers(16, 20), zones=st.integers(2, MOST_ZONES))
def test_any_network_gives_disjoint_subnets_inside_it_that_aws_takes(stack: Json, address: int, prefix: int, zones: int) -> None:
    network = ipaddress.IPv4Network((address, prefix), strict=False)
    subnets = []
    for kind in ("private", "public", "intra"):
        expression = stack["module"]["vpc"][f"{kind}_subnets"]
        written = re.fullmatch(
            r"\$\{\[for k, zone in local\.azs : cidrsubnet\(var\.vpc_cidr, (\d+), k(?: \+ (\d+))?\)\]\}", expression
        )
        assert written, expression
        new_bits, first = int(written[1]), int(written[2] or 0)
        size = 2 ** (32 - prefix - new_bits)
        begin = int(network.network_address)
        subnets += [ipaddress.IPv4Network((begin + (first + k) * size, prefix + new_bits)) for k in range(zones)]
    assert all(subnet.subnet_of(network) and subnet.prefixlen <= 28 for subnet in subnets)
    assert not any(a.overlaps(b) for n, a in enumerate(subnets) for b in subnets[n + 1 :])
