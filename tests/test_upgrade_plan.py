"""`make upgrade-plan`: what remains for a cluster, by its state; what the cluster says; what is printed where an API is away."""

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stacks import upgrade_plan
from stacks.config import ClusterConfig, recommended
from stacks.config.recommended import RECOMMENDED
from stacks.knowledge.upgrade_path import THE_HCL, upgrade_path
from stacks.knowledge.versions import load_balancer_controller_actions, load_balancer_controller_chart
from stacks.operations import deployment
from stacks.operations.checks import examine, reader, upgrade
from stacks.operations.checks.question import Verdict
from stacks.operations.deployment import DeploymentError
from stacks.reports.upgrade.deployed import MOUNTS, Deployed, deployed
from stacks.reports.upgrade.page import Page, page
from stacks.reports.upgrade.remaining import Remaining, of_page, remaining, the_ca, to_know
from tests.facts import NOW, claim, condition, facts, healthy, items, node_class
from tests.synthesis import Json, synth_stack
from tests.test_destroy import FOLDER, VPC

TODAY = date(2026, 11, 26)
HASH, HASH_VERSION = upgrade.HASH, upgrade.HASH_VERSION
NIGHTS: list[Json] = [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"], "schedule": "0 6 * * *", "duration": "20h"}]
GPU_TAINT = {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]}


def drift_budget(size: str) -> list[Json]:
    """What `gpu_drift_budget` makes."""
    return [{"nodes": "10%"}, {"nodes": size, "reasons": ["Drifted"]}]


def resource(address: str, **attributes: Any) -> Json:
    *module, kind, name = address.split(".")
    path = {"module": ".".join(module)} if module else {}
    key = {"index_key": 0} if module else {}
    return {**path, "mode": "managed", "type": kind, "name": name, "instances": [{"attributes": attributes, **key}]}


def kept(address: str, kind: str, name: str, spec: Json) -> Json:
    text = json.dumps({"kind": kind, "metadata": {"name": name}, "spec": spec})
    return resource(f"kubectl_manifest.{address}", yaml_body=text, yaml_body_parsed=text, yaml_incluster="hash")


def pool(address: str, name: str, of: str, budgets: list[Json] | None = None, **node: Any) -> Json:
    spec = {"nodeClassRef": {"name": of}, **node}
    disruption = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "1h"} | ({"budgets": budgets} if budgets else {})
    return kept(address, "NodePool", name, {"template": {"spec": spec}, "disruption": disruption})


def state(
    kubernetes: str = "1.33",
    karpenter: str = "1.6.0",
    controller: str = "2.11.0",
    *,
    official: bool = False,
    mounts: bool = True,
    image: str = "latest",
    budgets: list[Json] | None = None,
    values: str = "settings:\n  clusterName: gpu-zz9x\n",
    support: str = "EXTENDED",
    more: tuple[Json, ...] = (),
) -> list[Json]:
    """The resources of a state, as far as somebody asks for them."""
    actions = json.dumps(list(load_balancer_controller_actions(controller)) if official else [])
    terms = {"amiSelectorTerms": [{"alias": f"bottlerocket@{image}"}]}
    group = resource("module.eks.aws_eks_node_group.this", node_group_name="karpenter-1", version=kubernetes)
    return [
        {**resource(VPC[0] + ".aws_vpc.this", **VPC[2])},
        resource(
            "module.eks.aws_eks_cluster.this",
            name="gpu-zz9x",
            region="us-west-2",
            version=kubernetes,
            endpoint="https://gpu.example",
            upgrade_policy=[{"support_type": support}],
        ),
        {**group, "module": 'module.eks.module.eks_managed_node_group["karpenter"]'},
        resource("helm_release.karpenter", version=karpenter, values=[values], repository_password="hunter2"),  # noqa: S106  (the test looks for it)
        resource("helm_release.aws_load_balancer_controller", version=load_balancer_controller_chart(controller)),
        resource("aws_iam_policy.aws_load_balancer_controller", policy=actions, arn="arn:aws:iam::123456789012:policy/x"),
        kept("ec2nodeclass_default", "EC2NodeClass", "default", {**terms, "userData": "a = 1"}),
        kept("ec2nodeclass_gpu", "EC2NodeClass", "gpu", {**terms, "userData": f"a = 1\n{MOUNTS if mounts else ''}"}),
        pool("nodepool_default", "default", "default"),
        pool("nodepool_gpu", "gpu-spot", "gpu", budgets, **GPU_TAINT),
        resource("module.eks.aws_eks_addon.coredns", addon_name="coredns", addon_version="v1.12.1-eksbuild.2"),
        # Neither belongs to the cluster: what a data source reads, and a group whose replacement is there already.
        {**resource("aws_eks_node_group.other", node_group_name="other"), "mode": "data"},
        {**group, "name": "old", "instances": [{"attributes": {"node_group_name": "karpenter-0"}, "deposed": "a1b2c3d4"}]},
        *more,
    ]


def cluster(**given: Any) -> Deployed:
    found = deployed(state(**given))
    assert found is not None
    return found


def steps(checks: Any = (), **given: Any) -> list[Remaining]:
    return remaining(cluster(**given), RECOMMENDED, checks, TODAY)


def edits(**given: Any) -> list[str]:
    return [one.edit() for one in steps(**given)]


def said(one: Remaining) -> str:
    return " ".join([*one.why, *(f"{line.words} {line.command}" for line in one.first)])


def jobs(one: Remaining) -> dict[str, str]:
    return {change.what: str(change.level) for change in one.impact.changes}


DONE: Json = {"kubernetes": "1.35", "karpenter": "1.14.1", "controller": "3.5.0", "official": True}


# --- Which steps remain ---------------------------------------------------------------------------------------------------------


def test_the_state_of_the_hcl_says_what_the_page_starts_from(reference: Path) -> None:
    found = deployed(json.loads((reference / "us-west-2.tfstate").read_text())["resources"])
    assert found is not None
    assert found.versions == THE_HCL
    assert (found.name, found.region) == ("eks-spot-gpu-zz9x", "us-west-2")
    assert set(found.addons) == {"coredns", "kube-proxy", "vpc-cni", "eks-pod-identity-agent"}


def test_every_step_has_its_edit_as_python() -> None:
    assert edits() == [
        'gpu_drift_budget="0"',
        'load_balancer_controller_version="3.5.0", load_balancer_controller_policy="official"',
        'karpenter_version="1.9.2"',
        'karpenter_version="1.12.2"',
        'karpenter_version="1.14.1"',
        'kubernetes_version="1.34"',
        'kubernetes_version="1.35"',
    ]


def test_nothing_remains_for_what_is_recommended_or_newer() -> None:
    assert edits(**DONE) == []
    assert edits(kubernetes="1.36", karpenter="1.15.0", controller="3.6.0", official=True) == []


def test_data_sources_and_what_is_replaced_are_left_out() -> None:
    assert list(cluster().node_groups) == ["karpenter-1"]


@pytest.mark.parametrize("goal", ["1.12.0", "1.12.2"])
def test_a_goal_among_the_releases_with_another_hash_is_not_passed(goal: str) -> None:
    found = upgrade_path(cluster(**DONE | {"karpenter": "1.11.3"}).versions, RECOMMENDED | {"karpenter_version": goal})
    assert [step.new for step in found] == [goal]


@pytest.mark.parametrize("release", ["1.6.0-ours", "main"])
def test_a_build_of_ones_own_is_left_alone(release: str) -> None:
    assert edits(**DONE | {"karpenter": release, "values": ""}) == []
    assert edits(**DONE | {"karpenter": release, "kubernetes": "1.34", "values": ""})[-1] == 'kubernetes_version="1.35"'


def test_a_pool_with_a_pin_of_its_own_has_an_edit_of_its_own() -> None:
    """The release of the cluster would be an older one, or a pin where there was none."""
    pinned = kept("ec2nodeclass_a", "EC2NodeClass", "a", {"amiSelectorTerms": [{"alias": "bottlerocket@v1.50.0"}]})
    given = DONE | {"kubernetes": "1.34", "budgets": drift_budget("0"), "more": (pinned,)}
    for image in ("latest", "v1.62.0"):
        assert edits(**given, image=image) == ['kubernetes_version="1.35"; in pool a, bottlerocket_version="v1.53.0"']
    both = 'kubernetes_version="1.35", bottlerocket_version="v1.53.0"'
    assert edits(**given, image="v1.50.0") == [both]
    assert edits(**given, image="v1.51.0") == [f'{both}; in pool a, bottlerocket_version="v1.53.0"']


@pytest.mark.parametrize(
    ("karpenter", "mounts", "stops"),
    [
        ("1.7.4", True, ["1.9.2", "1.12.2", "1.14.1"]),
        ("1.8.4", False, ["1.12.2", "1.14.1"]),
        ("main", False, []),
        ("1.6.0", False, ["1.12.2", "1.14.1"]),  # no node class changes at 1.8
        ("1.11.3", False, ["1.12.2", "1.14.1"]),
        ("1.12.0", False, ["1.14.1"]),
        ("1.14.0", False, ["1.14.1"]),
    ],
)
def test_karpenter_stops_where_a_class_or_its_hash_changes(karpenter: str, mounts: bool, stops: list[str]) -> None:
    found = edits(karpenter=karpenter, mounts=mounts)
    assert [edit for edit in found if "karpenter" in edit] == [f'karpenter_version="{stop}"' for stop in stops]


def test_pools_with_efa_stop_where_their_classes_name_network_interfaces() -> None:
    """From 1.11 on; in the apply that crosses 1.12, Karpenter would forget the change."""
    plugin = resource("helm_release.aws_efa_k8s_device_plugin", values=['supportedInstanceLabels: {values: ["train"]}'])
    text = kept("ec2nodeclass_train", "EC2NodeClass", "train", {"userData": f"a = 1\n{MOUNTS}"})
    more = (plugin, text, pool("nodepool_train", "train", "train", drift_budget("1"), **GPU_TAINT))
    found = steps(more=more)
    assert [one.step.new for one in found if one.step.subject == "karpenter"] == ["1.11.3", "1.12.2", "1.14.1"]
    (words,) = (change.words for change in found[2].impact.changes if change.what == "train")
    assert "all nodes drift (user data, network interfaces)" in words
    assert "kubectl_manifest.ec2nodeclass_train" in found[2].step.updated


def test_a_policy_that_karpenter_has_already_is_updated() -> None:
    """Placement groups need one before 1.12."""
    policy = resource("aws_iam_policy.karpenter_additional", policy="{}", arn="x")
    (step, _) = upgrade_path(cluster(**DONE | {"karpenter": "1.11.3"}, more=(policy,)).versions, RECOMMENDED)
    assert "aws_iam_policy.karpenter_additional" in step.updated
    assert not step.created


@pytest.mark.parametrize(
    ("kubernetes", "karpenter", "first"),
    [
        ("1.34", "1.6.0", 'kubernetes_version="1.34", karpenter_version="1.6.8"'),
        ("1.36", "1.12.2", 'kubernetes_version="1.36", karpenter_version="1.13.1"'),
    ],
)
def test_a_karpenter_that_does_not_support_the_kubernetes_that_runs_moves_first(
    kubernetes: str, karpenter: str, first: str
) -> None:
    """A synthesis refuses the two together, and so every other edit."""
    found = steps(kubernetes=kubernetes, karpenter=karpenter)
    assert found[0].edit() == first
    assert f"make synth refuses Karpenter {karpenter} with Kubernetes {kubernetes}" in said(found[0])
    assert "Add-ons that are still at the versions for an older Kubernetes follow" in said(found[0])


def test_a_node_group_behind_its_control_plane_moves_first() -> None:
    """An apply failed between the two, or EKS moved the control plane by itself."""
    behind = resource("module.eks.aws_eks_node_group.this", node_group_name="karpenter-2", version="1.34")
    (step,) = steps(**DONE, more=(behind,))
    assert step.edit() == 'kubernetes_version="1.35"'
    assert not any(name in jobs(step) for name in ("default", "gpu-spot"))
    assert "Add-ons that are still at the versions for an older Kubernetes follow" in said(step)


@pytest.mark.parametrize(("kubernetes", "do"), [("1.31", "to 1.33 first"), ("1.37", "newer release of this program")])
def test_a_kubernetes_outside_of_the_table_has_no_steps_and_a_sentence(kubernetes: str, do: str) -> None:
    assert steps(kubernetes=kubernetes) == []
    (sentence,) = to_know(cluster(kubernetes=kubernetes))
    assert f"make synth refuses Kubernetes {kubernetes}" in sentence
    assert do in sentence


def test_what_an_apply_left_half_done_is_named() -> None:
    """A tainted resource is replaced by the next apply, whatever else that apply does."""
    release = {"type": "helm_release", "name": "karpenter", "mode": "managed"}
    tainted = {**release, "instances": [{"status": "tainted", "attributes": {"version": "1.14.1"}}]}
    resources = [one for one in state(**DONE) if one.get("name") != "karpenter"]
    for more, words in (([], "does not have helm_release.karpenter"), ([tainted], "helm_release.karpenter is tainted")):
        found = deployed([*resources, *more])
        assert found is not None
        assert any(words in sentence for sentence in to_know(found))
    ours = cluster(**DONE | {"karpenter": "main"})
    assert any("helm_release.karpenter has version main" in sentence for sentence in to_know(ours))


def test_the_drift_budget_comes_first_and_only_where_gpu_nodes_would_drift() -> None:
    budget = 'gpu_drift_budget="0"'
    assert edits(**DONE | {"kubernetes": "1.34"})[0] == budget
    assert budget not in edits(**DONE | {"kubernetes": "1.34", "budgets": drift_budget("0")})
    assert edits(**DONE | {"kubernetes": "1.34", "budgets": drift_budget("1")})[0] == budget
    assert budget not in edits(**DONE | {"karpenter": "1.12.2"})


def test_a_pool_with_budgets_of_its_own_keeps_them() -> None:
    own = pool("nodepool_research", "research", "gpu", NIGHTS, **GPU_TAINT)
    found = cluster(more=(own,))
    assert found.own_budgets == ("research",)
    assert found.versions.drifting == ("kubectl_manifest.nodepool_gpu",)
    kubernetes = steps(more=(own,))[-1]
    assert jobs(kubernetes) | {"research": "replaces", "gpu-spot": "deferred", "default": "replaces"} == jobs(kubernetes)
    (words,) = (change.words for change in kubernetes.impact.changes if change.what == "research")
    assert "between 02:00 and 06:00 UTC" in words


def test_a_pin_of_bottlerocket_moves_with_the_kubernetes_that_needs_it() -> None:
    moves = edits(**DONE | {"kubernetes": "1.33", "image": "v1.50.0", "budgets": drift_budget("0")})
    assert moves == ['kubernetes_version="1.34"', 'kubernetes_version="1.35", bottlerocket_version="v1.53.0"']
    assert edits(**DONE | {"kubernetes": "1.34", "image": "v1.62.0", "budgets": drift_budget("0")}) == ['kubernetes_version="1.35"']


def test_the_policy_is_set_only_where_the_cluster_has_that_of_the_hcl() -> None:
    (step,) = steps(**DONE | {"controller": "2.17.1"})
    assert step.edit() == 'load_balancer_controller_version="3.5.0"'
    assert step.first == ()  # no definitions are new
    (step,) = steps(**DONE | {"controller": "2.13.3"})
    assert "v3.5.0/helm/aws-load-balancer-controller/crds/crds.yaml" in step.first[0].command


# --- Why, and what comes first ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "number", "words"),
    [
        ({}, 0, "Steps 3, 6 and 7 make nodes drift."),
        ({}, 2, "1.6.0 supports Kubernetes 1.33 at most; Kubernetes 1.34 needs this step."),
        (
            {},
            5,
            "For 1.33, standard support ended on 2026-07-29: the control plane costs $0.60 an hour instead of $0.10, $365 more",
        ),
        ({"support": "STANDARD"}, 5, "standard support ended on 2026-07-29, and EKS upgrades the cluster by itself"),
        ({}, 6, "For 1.34, standard support until 2026-12-02; then $0.60 an hour instead of $0.10, until 2027-12-02."),
        ({}, 6, "Wait a week after Kubernetes 1.34"),
        ({"karpenter": "1.8.4"}, 2, "1.8.4 is broken: it cannot schedule pods with some topology spread constraints"),
        ({"controller": "3.2.1", "official": True}, 1, "3.2.1 is broken: it crashes where the Gateway API's definitions"),
    ],
)
def test_a_step_says_why(given: Json, number: int, words: str) -> None:
    assert words in said(steps(**given)[number])


def test_what_a_step_does_is_said_after_the_steps_before() -> None:
    held, controller, remounted, anew, newest, *kubernetes = steps()
    assert jobs(held)["gpu-spot"] == "none"
    assert jobs(controller)["helm_release.aws_load_balancer_controller"] == "restarts"
    assert jobs(remounted) | {"gpu-spot": "deferred", "helm_release.karpenter": "restarts"} == jobs(remounted)
    assert "default" not in jobs(remounted)
    assert max(change.level for one in (anew, newest) for change in one.impact.changes).name == "RESTARTS"
    assert any("writes the hashes of all nodes anew" in change.words for change in anew.impact.changes)
    addon = "module.eks.aws_eks_addon.coredns[0]"
    assert [number for number, one in enumerate(steps(), start=1) if addon in jobs(one)] == [6, 7]
    assert all(jobs(one) | {"default": "replaces", "gpu-spot": "deferred"} == jobs(one) for one in kubernetes)


def test_nodes_that_are_not_marked_yet_stop_the_step_to_karpenter_1_12() -> None:
    late, marked = (node(hashed="old", drifted=drifted) for drifted in ("Unknown", "True"))
    of_class = node_class("gpu")
    of_class["metadata"]["annotations"] = {HASH: "new", HASH_VERSION: "v4"}
    checks = examine(facts(nodeclaims=items(late, marked), nodeclasses=items(of_class)), upgrade.QUESTIONS)
    (_, nodes, waits, *_) = checks
    assert nodes.figure == "gpu-spot 2 (1 drifted)"
    assert (waits.verdict, waits.figure) == (Verdict.FAILED, "1 of 2 Karpenter nodes")
    step = steps(checks, **DONE | {"karpenter": "1.9.2", "mounts": False})[0]
    assert "late-Unknown (pool gpu-spot) is not marked yet. Wait until Karpenter has marked them" in said(step)
    assert "are the same" in said(step)  # the CA


def node(*, hashed: str, drifted: str, version: str = "v4") -> Any:
    return claim(f"late-{drifted}", conditions=[condition("Drifted", drifted)], annotations={HASH: hashed, HASH_VERSION: version})


@pytest.mark.parametrize(("seen", "verdict"), [(1, Verdict.CANNOT_BE_TOLD), (2, Verdict.PASSED)])
def test_a_class_that_karpenter_has_not_looked_at_yet_has_an_old_hash(seen: int, verdict: Verdict) -> None:
    of_class = node_class("gpu", conditions=[condition("Ready") | {"observedGeneration": seen}])
    of_class["metadata"] |= {"generation": 2, "annotations": {HASH: "old", HASH_VERSION: "v4"}}
    check = upgrade.marked.ask(facts(nodeclaims=items(node(hashed="old", drifted="False")), nodeclasses=items(of_class)))
    assert check.verdict is verdict


def test_nodes_that_are_too_old_for_a_kubernetes_go_first() -> None:
    """A budget of 0 holds nodes back, and a kubelet may be three minor versions behind at most."""
    checks = examine(facts(nodes=items({"status": {"nodeInfo": {"kubeletVersion": "v1.31.4-eks-1a2b3c4"}}})), upgrade.QUESTIONS)
    *_, earlier, last = steps(checks)
    assert "(the oldest runs 1.31)" in said(last)
    assert "the oldest runs" not in said(earlier)


def test_hashes_of_two_versions_are_not_compared() -> None:
    of_class = node_class("gpu")
    of_class["metadata"]["annotations"] = {HASH: "new", HASH_VERSION: "v5"}
    claims = items(node(hashed="old", drifted="False"))
    check = upgrade.marked.ask(facts(nodeclaims=claims, nodeclasses=items(of_class)))
    assert check.verdict is Verdict.PASSED


def test_another_ca_than_karpenter_found_is_named_where_the_settings_lack_the_ca() -> None:
    checks = examine(facts(root_ca={"data": {"ca.crt": "another"}}), upgrade.QUESTIONS)
    given = DONE | {"karpenter": "1.12.2"}
    warning, verdict = the_ca(cluster(**given), checks)
    assert warning.startswith("The next apply gives Karpenter the cluster's CA.")
    assert "failed, the two differ. Nodes may drift once" in verdict
    assert not list(the_ca(cluster(**given, values="settings:\n  clusterCABundle: Y2E=\n"), checks))
    assert not list(the_ca(cluster(**given | {"karpenter": "1.11.3"}), checks))


def test_what_nobody_asked_comes_with_its_command() -> None:
    step = steps(**DONE | {"karpenter": "1.9.2", "mounts": False})[0]
    commands = [line.command for line in step.first]
    assert commands[0].startswith("kubectl get nodeclaims -o custom-columns=")
    assert "aws eks describe-cluster --name gpu-zz9x" in commands[1]
    assert "'{.data.ca\\.crt}'" in commands[1]


# --- What main.py has already -----------------------------------------------------------------------------------------------------


def of_config(**given: Any) -> Page:
    return page(synth_stack(ClusterConfig("gpu", **given)))


def test_the_page_is_read_from_the_json_of_a_synthesis() -> None:
    assert of_config().fields == {
        "kubernetes_version": "1.33",
        "karpenter_version": "1.6.0",
        "load_balancer_controller_version": "2.11.0",
        "load_balancer_controller_policy": "reference",
        "bottlerocket_version": "latest",
        "gpu_drift_budget": None,
        "addon_versions": {},
        "karpenter_node_release_version": None,
    }
    newest = synth_stack(recommended("gpu", bottlerocket_version="v1.62.0"))
    assert page(newest).fields.items() >= {name: RECOMMENDED[name] for name in of_config().fields if name in RECOMMENDED}.items()
    assert page(newest).fields["bottlerocket_version"] == "v1.62.0"
    assert "gpu_drift_budget" not in page(newest, {"gpu_drift_budget"}).fields
    assert page({}).fields == {}


def with_page(has: Page, **given: Any) -> tuple[list[str], list[str]]:
    """The edits, and what is too early."""
    found = cluster(**given)
    left = remaining(found, RECOMMENDED, (), TODAY, has)
    return [one.edit() for one in left], list(of_page(found, [one.step for one in left], has))


@pytest.mark.slow
def test_an_edit_that_main_py_has_is_not_to_be_made_again() -> None:
    assert with_page(of_config()) == (edits(), [])
    controller = {"load_balancer_controller_version": "3.5.0", "load_balancer_controller_policy": "official"}
    found, early = with_page(of_config(gpu_drift_budget="0", **controller))
    assert (found[:3], early) == (["", "", 'karpenter_version="1.9.2"'], [])
    found, early = with_page(of_config(karpenter_version="1.9.2"), official=True, controller="3.5.0", budgets=drift_budget("0"))
    assert (found[0], early) == ("", [])


@pytest.mark.slow
def test_versions_that_main_py_has_too_early_are_named() -> None:
    has = page(synth_stack(recommended("gpu")))
    found, (sentence,) = with_page(has)
    assert 'main.py has kubernetes_version="1.35", karpenter_version="1.14.1"' in sentence
    assert 'For step 1, set kubernetes_version="1.33", karpenter_version="1.6.0"' in sentence
    assert found[2:] == edits()[2:]
    # The budget of the first step must be there before nodes drift.
    assert with_page(of_config(karpenter_version="1.9.2"))[1]
    _, (sentence,) = with_page(of_config(kubernetes_version="1.35", karpenter_version="1.9.2"), **DONE)
    assert "and the next apply changes that" in sentence


def test_pins_that_another_kubernetes_may_refuse_are_named() -> None:
    has = of_config(addon_versions={"coredns": "v1.12.1-eksbuild.2"}, karpenter_node_release_version="1.50.0-4fc45e5a")
    last = remaining(cluster(), RECOMMENDED, (), TODAY, has)[-1]
    assert "addon_versions has coredns v1.12.1-eksbuild.2, which must be a version for Kubernetes 1.35" in said(last)
    assert "--kubernetes-version 1.35 --addon-name coredns" in said(last)
    assert "karpenter_node_release_version must be at least 1.53.0 for Kubernetes 1.35" in said(last)
    assert "module.eks.aws_eks_addon.coredns[0]" not in jobs(last)  # it stays at the version
    assert "addon_versions" not in said(remaining(cluster(), RECOMMENDED, (), TODAY, of_config())[-1])


# --- The command ------------------------------------------------------------------------------------------------------------------


class Trial:
    """Takes the part of terraform, kubectl and aws."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.state = json.dumps({"resources": state()})
        self.answers = healthy()
        self.answers["cluster"]["cluster"]["version"] = "1.33"
        self.refuses: dict[str, str] = {}
        self.programs = {"terraform", "kubectl", "aws"}
        patch.setattr(deployment, "_run", self.program)
        patch.setattr(reader, "datetime", SimpleNamespace(now=lambda _: NOW))
        patch.setattr("shutil.which", lambda program: program if program in self.programs else None)

    def program(self, program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
        command = " ".join([program, *arguments])
        for part, error in self.refuses.items():
            if part in command:
                raise DeploymentError(f"`{program} …` failed: {error}")
        if program == "terraform":
            return self.state if "state" in arguments else "default\n"
        if "update-kubeconfig" in command:
            return ""
        if "config view" in command:
            return "https://gpu.example"
        kinds = {
            "nodeclaims.": "nodeclaims",
            "ec2nodeclasses.": "nodeclasses",
            "configmap": "root_ca",
            "--raw": "reach",
            "get nodes": "nodes",
        }
        return json.dumps(self.answers[next((name for part, name in kinds.items() if part in command), "cluster")])


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.chdir(tmp_path)
    FOLDER.mkdir(parents=True)
    Path("cdktf.out", "manifest.json").write_text('{"stacks": {"karpenter": {}}}')
    (FOLDER / "cdk.tf.json").write_text('{"provider": {"aws": [{}]}}')
    return Trial(monkeypatch)


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = upgrade_plan.run(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_prints_what_is_deployed_and_every_step(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(capsys)
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0].startswith("Upgrade plan of karpenter: gpu-zz9x in us-west-2, ")
    assert "Karpenter 1.6.0 for Kubernetes 1.33 at most" in lines
    assert "Nodes gpu-spot 1" in lines
    assert 'Set gpu_drift_budget="0"' in lines
    assert [line for line in lines if line[:2] == "7."] == ["7. Kubernetes 1.35"]


def test_the_network_that_a_data_source_reads_is_not_the_clusters(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    data = {**resource("module.vpc.aws_vpc.shared", tags={}), "mode": "data"}
    trial.state = json.dumps({"resources": state(more=(data,))})
    assert "Only the state was read" not in ran(capsys)[1]


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_no_format_has_a_secret_or_an_account(trial: Trial, capsys: pytest.CaptureFixture[str], form: str) -> None:
    _, out, _ = ran(capsys, "karpenter", "--format", form)
    assert "1.14.1" in out
    assert "hunter2" not in out
    assert "123456789012" not in out


def test_json_has_the_steps_for_programs(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(ran(capsys, "karpenter", "--format=json")[1])
    assert document["deployed"]["kubernetes"] == "1.33"
    assert document["steps"][3]["set"] == {"karpenter_version": "1.12.2"}
    assert [one["impact"]["level"] for one in document["steps"]] == [
        "none", "restarts", "deferred", "restarts", "restarts", "replaces", "replaces"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("text", 'Set nothing: main.py has gpu_drift_budget="0" already'),
        ("markdown", 'Set nothing: main.py has `gpu_drift_budget="0"` already.'),
        ("json", '"edit": {}'),
    ],
)
def test_an_edit_that_is_made_is_said(trial: Trial, capsys: pytest.CaptureFixture[str], form: str, words: str) -> None:
    (FOLDER / "cdk.tf.json").write_text(json.dumps({"provider": {"aws": [{}]}, "variable": {"gpu_drift_budget": {"default": "0"}}}))
    assert words in " ".join(ran(capsys, "--format", form)[1].split())
    Path("terraform.tfvars").write_text('gpu_drift_budget = "1"\n')
    assert words not in " ".join(ran(capsys, "--format", form)[1].split())


def test_a_variable_file_that_cannot_be_read_is_a_sentence(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    Path("terraform.tfvars.json").write_text("{")
    code, out, error = ran(capsys)
    assert (code, out) == (1, "")
    assert error.startswith("terraform.tfvars.json must be a JSON object of variables")


def test_nothing_remains_is_a_sentence(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.state = json.dumps({"resources": state(**DONE, values="  clusterCABundle: x")})
    trial.answers["cluster"]["cluster"]["version"] = "1.35"
    code, out, _ = ran(capsys)
    assert (code, out.splitlines()[-1]) == (
        0,
        "Nothing remains: the cluster has the versions of recommended, or newer ones.",
    )


def test_what_eks_moved_by_itself_counts(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.answers["cluster"]["cluster"]["version"] = "1.34"
    out = ran(capsys)[1]
    assert 'the state says 1.33: main.py must have kubernetes_version="1.34" before the next apply.' in out
    assert "1. Karpenter 1.6.8, for the Kubernetes 1.34 that runs" in out
    assert "7. Kubernetes 1.35" in out
    assert "from Kubernetes 1.34 to 1.35" in " ".join(out.split())


@pytest.mark.parametrize(
    ("refuses", "words"),
    [
        ({"update-kubeconfig": "The SSO session has expired."}, "Only the state was read, because the cluster could not be asked:"),
        ({"--raw=/version": "Unable to connect"}, "Cannot be told, because"),
        ({"nodeclaims": "(Forbidden)"}, "Cannot be told, because the right AdminView is missing. Allow AdminView"),
    ],
)
def test_an_api_that_does_not_answer_takes_only_its_part_away(
    trial: Trial, capsys: pytest.CaptureFixture[str], refuses: dict[str, str], words: str
) -> None:
    trial.refuses = refuses
    code, out, _ = ran(capsys)
    assert code == 0
    assert words in out
    assert "7. Kubernetes 1.35" in out


def test_without_the_programs_the_state_is_enough(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    trial.programs = {"terraform"}
    code, out, _ = ran(capsys)
    assert code == 0
    assert "Only the state was read: kubectl and aws must be on the PATH to ask the cluster." in out


def test_a_stack_that_nobody_synthesized_and_an_empty_state_are_sentences(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = ran(capsys, "training")
    assert code == 1
    assert error.startswith('STACK must be a synthesized stack (got "training"). There are: karpenter.')
    trial.state = ""
    assert ran(capsys, "karpenter") == (
        1,
        "",
        "Workspace default has no cluster in its state, and so nothing to upgrade.\n",
    )


def test_a_state_that_cannot_be_read_is_a_sentence(
    trial: Trial, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.refuses = {"state pull": "No valid credential sources found"}
    monkeypatch.setattr(deployment.Stack, "init", lambda _: 1)
    code, out, error = ran(capsys)
    assert (code, out) == (1, "")
    assert error == f"Terraform could not be initialized in {FOLDER}. See above.\n"
