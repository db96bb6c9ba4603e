"""What a plan does to running jobs: levels, classes and words, by rules and by saved plans."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import generate
from stacks import impact
from stacks.app import PROJECT
from stacks.config import Budget, ClusterConfig, DataVolume, GeneralPool, GpuPool, Taint, TimeSlicing
from stacks.config.fields import options_of
from stacks.reports.impact import render
from stacks.reports.impact.change import QUIET, Level
from stacks.reports.impact.explanation import Explanation, explain
from stacks.reports.impact.plan import read
from tests.conftest import SHARED, without
from tests.plans import change, document, manifest, node_class, node_pool, of_option, recorded
from tests.synthesis import Json, synth_stack

PLANS = SHARED / "plans"

DRIFT_0: list[Json] = [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}]
NIGHTS: list[Json] = [{"nodes": "1"}, {"nodes": "0", "reasons": ["Drifted"], "schedule": "0 6 * * *", "duration": "20h"}]

AT_NIGHT = "Karpenter replaces one at a time between 02:00 and 06:00 UTC, each after its replacement is ready."
HELD = "The drift budget of 0 holds them back until they are empty, expire or are interrupted."


def pool(budgets: list[Json] | None = None, *, disruption: Json | None = None, labels: Json | None = None, **spec: Any) -> Json:
    """The spec of a NodePool of p5 on Spot. Names that a NodePool does not have at its top belong to the nodes' spec."""
    top: Json = {key: spec.pop(key) for key in ("limits", "replicas", "weight") if key in spec}
    requirements = [
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]},
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["p5.48xlarge", "p5en.48xlarge"]},
    ]
    node = {"nodeClassRef": {"name": "training"}, "requirements": requirements, **spec}
    consolidation = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "1h", **(disruption or {})}
    template = {"metadata": {"labels": labels or {}}, "spec": node}
    return {"template": template, "disruption": {**consolidation, **({"budgets": budgets} if budgets else {})}, **top}


def types(*names: str) -> list[Json]:
    return [
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]},
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": list(names)},
    ]


CLASS: Json = {"role": "nodes", "amiSelectorTerms": [{"alias": "bottlerocket@latest"}], "tags": {"a": "b"}, "userData": "x = 1"}


def karpenter(before: str, after: str, **keys: Any) -> Json:
    return change("helm_release.karpenter", {"version": before, **keys}, {"version": after, **keys})


def explained(*changes: Json, **keys: Any) -> Explanation:
    return explain(read(json.dumps(document(*changes, **keys))))


def only(*changes: Json, **keys: Any) -> tuple[str, str, str]:
    """The level, the class and the words of the only thing that happens."""
    (one,) = (one for one in explained(*changes, **keys).changes if one.words != QUIET)
    return str(one.level), one.change, one.words


# --- Pools ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"labels": {"tier": "gold"}}, "labels"),
        ({"taints": [{"key": "a", "effect": "NoSchedule"}]}, "taints"),
        ({"startupTaints": [{"key": "a", "effect": "NoSchedule"}]}, "startup taints"),
        ({"expireAfter": "336h"}, "expiry"),
        ({"terminationGracePeriod": "1h"}, "grace period"),
    ],
)
def test_a_change_of_the_template_makes_all_nodes_drift(changed: Json, reason: str) -> None:
    assert only(node_pool(pool(NIGHTS), pool(NIGHTS, **changed))) == ("replaces", "D", f"all nodes drift ({reason}). {AT_NIGHT}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"expireAfter": "720h"}),  # the CRD's default
        ({"expireAfter": "43200m"}, {"expireAfter": "720h"}),
        ({"taints": [{"key": "a"}, {"key": "b"}]}, {"taints": [{"key": "b"}, {"key": "a"}]}),
        ({"taints": []}, {}),
    ],
)
def test_what_karpenter_hashes_alike_is_not_a_change(before: Json, after: Json) -> None:
    found = explained(node_pool(pool(**before), pool(**after)))
    assert (found.level, found.change) == (Level.NONE, "U")
    assert render.text(found) == render.NOTHING


def test_a_drift_budget_of_0_holds_nodes_back_until_they_go_by_themselves() -> None:
    before, after = (
        pool(DRIFT_0, requirements=types("p5.48xlarge", "p5en.48xlarge")),
        pool(DRIFT_0, requirements=types("p5.48xlarge")),
    )
    said = f"nodes of type p5en.48xlarge drift, if there are any. {HELD}"
    assert only(node_pool(before, after)) == ("deferred", "D", said)


def test_held_back_nodes_that_never_expire_wait_for_less() -> None:
    before, after = (pool(DRIFT_0, expireAfter="Never", labels=labels) for labels in ({}, {"a": "b"}))
    assert only(node_pool(before, after))[2].endswith("until they are empty or are interrupted.")
    always = {"consolidateAfter": "Never"}
    before, after = (pool(DRIFT_0, expireAfter="Never", disruption=always, labels=labels) for labels in ({}, {"a": "b"}))
    assert only(node_pool(before, after))[2].endswith("until they are interrupted.")


def test_nodes_of_a_pool_without_a_capacity_type_may_be_interrupted() -> None:
    """Karpenter takes Spot first where a pool does not say."""
    before, after = (pool(DRIFT_0, requirements=types("m7i.large")[1:], labels=labels) for labels in ({}, {"a": "b"}))
    assert only(node_pool(before, after))[2].endswith(HELD)


def test_fewer_pods_per_gpu_may_leave_no_room() -> None:
    def shared(replicas: int) -> Json:
        nvidia = f'device-sharing-strategy = "mps"\n[settings.kubelet-device-plugins.nvidia.mps]\nreplicas = {replicas}\n'
        return {**CLASS, "userData": f"[settings.kubelet-device-plugins.nvidia]\n{nvidia}"}

    def said(before: int, after: int) -> str:
        specs = [pool(DRIFT_0, limits={"nvidia.com/gpu": 8 * pods}) for pods in (before, after)]
        return only(node_class(shared(before), shared(after)), node_pool(*specs))[2]

    room = "4 to 2 pods per GPU. New nodes may not have room for all pods of the old ones within the limit."
    assert room in said(4, 2)
    assert "pods per GPU" not in said(2, 4)


def test_a_limit_of_one_gpu_is_singular() -> None:
    changed = node_pool(pool(limits={"nvidia.com/gpu": 2}), pool(limits={"nvidia.com/gpu": 1}))
    assert "limit 2 to 1 GPU." in only(changed)[2]


def test_a_key_that_excludes_nodes_makes_those_drift() -> None:
    def spec(*requirements: Json) -> Json:
        return pool(NIGHTS, requirements=[*types("p5.48xlarge"), *requirements])

    zones = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2a", "us-west-2b"]}
    assert only(node_pool(spec(), spec(zones)))[2].startswith("nodes outside us-west-2a and us-west-2b drift, if there are any.")
    own = {"key": "example.com/team", "operator": "In", "values": ["a"]}  # nodes lack the label
    assert only(node_pool(spec(), spec(own)))[2].startswith("all nodes drift.")
    newer = {"key": "karpenter.k8s.aws/instance-generation", "operator": "Gt", "values": ["4"]}
    assert only(node_pool(spec(), spec(newer)))[2].startswith(
        "nodes whose instance generation is at most 4 drift, if there are any."
    )
    not_in = {"key": "topology.kubernetes.io/zone", "operator": "NotIn", "values": ["us-west-2d"]}
    assert only(node_pool(spec(), spec(not_in)))[2].startswith("nodes in us-west-2d drift, if there are any.")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            {"limits": {"nvidia.com/gpu": 32}},
            {"limits": {"nvidia.com/gpu": 64}},
            "limit 32 to 64 GPUs. Most expensive hour $253.18 to $506.37. Running nodes stay.",
        ),
        ({"limits": {"cpu": 100}}, {}, "no limit of vCPUs any more (100 before): nothing caps the bill. Running nodes stay."),
        (
            {"limits": {"memory": "1Ti", "a": 2}},
            {"limits": {"memory": "1Ti"}},
            "no limit of a any more (2 before). Running nodes stay.",
        ),
        ({"weight": 5}, {"weight": 7}, "weight 5 to 7. Running nodes stay."),
        ({"requirements": types("a")}, {"requirements": types("a", "b")}, "Karpenter may also launch b. Running nodes stay."),
        ({}, {"disruption": {"consolidateAfter": "2h"}}, "Other time before empty nodes go. Running nodes stay."),
    ],
)
def test_what_only_new_nodes_notice_leaves_running_nodes_alone(before: Json, after: Json, words: str) -> None:
    assert only(node_pool(pool(**before), pool(**after))) == ("none", "U", words)


def test_a_looser_drift_budget_lets_earlier_drift_through() -> None:
    level, letter, words = only(node_pool(pool(DRIFT_0), pool([{"nodes": "10%"}, {"nodes": "1", "reasons": ["Drifted"]}])))
    assert (level, letter) == ("replaces", "D")
    assert words == "Nodes that drifted earlier and were held back are replaced from now on, one at a time, if there are any."


def test_nodes_that_wait_for_their_turn_go_faster_with_a_looser_budget() -> None:
    faster = "Nodes that drifted earlier and wait for their turn are replaced faster from now on, all at once, if there are any."
    for nodes in ("1", "10%"):
        found = only(node_pool(pool([{"nodes": nodes}]), pool([{"nodes": "100%"}])))
        assert found == ("replaces", "D", faster)


def test_earlier_drift_goes_on_beside_nodes_that_drift_now_unless_those_are_all() -> None:
    loose: list[Json] = [{"nodes": "1"}]
    both = only(node_pool(pool(DRIFT_0), pool(loose, requirements=types("p5.48xlarge"))))[2]
    assert both.startswith("nodes of type p5en.48xlarge drift, if there are any. Karpenter replaces one at a time")
    assert "Nodes that drifted earlier and were held back are replaced from now on, one at a time, if there are any." in both
    assert "drifted earlier" not in only(node_pool(pool(DRIFT_0), pool(loose, labels={"a": "b"})))[2]


def night(start: int) -> list[Json]:
    """One node at a time, in the four hours before a full hour."""
    return [{"nodes": "1"}, {"nodes": "0", "reasons": ["Drifted"], "schedule": f"0 {start} * * *", "duration": "20h"}]


def test_a_budget_that_moves_to_other_times_loosens_and_tightens() -> None:
    moved = "one at a time between 06:00 and 10:00 UTC"
    assert only(node_pool(pool(night(6)), pool(night(10)))) == (
        "replaces",
        "D",
        f"Nodes that drifted earlier are replaced at other times or in other numbers from now on: {moved}, if there are any.",
    )
    changed = node_class(CLASS, {**CLASS, "userData": "x = 2"})
    assert only(node_pool(pool(night(6)), pool(night(10))), changed) == (
        "replaces",
        "D",
        f"all nodes drift (user data). {AT_NIGHT} The budgets of this plan come after that: {moved}. Apply the budgets first, "
        "alone.",
    )


def test_a_stricter_budget_alone_does_nothing_to_running_nodes() -> None:
    assert only(node_pool(pool(), pool(DRIFT_0))) == ("none", "U", "Other budgets. Running nodes stay.")


def test_a_budget_that_the_same_plan_tightens_comes_after_the_class() -> None:
    changed = node_class(CLASS, {**CLASS, "userData": "x = 2"})
    level, letter, words = only(node_pool(pool(), pool(DRIFT_0)), changed)
    assert (level, letter) == ("replaces", "D")
    assert words.startswith("all nodes drift (user data). Karpenter replaces 10% of the pool's nodes at a time")
    assert "The stricter budget of this plan comes after that: apply the budget first, alone." in words
    # In one object both arrive together.
    assert only(node_pool(pool(), pool(DRIFT_0, labels={"a": "b"})))[0] == "deferred"


def test_consolidation_of_used_nodes_may_move_pods() -> None:
    other = {"consolidationPolicy": "WhenEmptyOrUnderutilized"}
    level, letter, words = only(node_pool(pool(NIGHTS), pool(NIGHTS, disruption=other)))
    assert (level, letter) == ("replaces", "D")
    assert words.startswith("Running pods may move: ")
    held = [{"nodes": "0", "reasons": ["Underutilized"]}]
    assert only(node_pool(pool(held), pool(held, disruption=other)))[0] == "deferred"
    budgets: list[list[Json]] = [[{"nodes": nodes, "reasons": ["Underutilized"]}] for nodes in ("1", "3")]
    words = only(node_pool(*(pool(nodes, disruption=other) for nodes in budgets)))[2]
    assert words.startswith("Running pods may move sooner: ")
    (one,) = explained(node_pool(*(pool(terminationGracePeriod="1h", disruption=one) for one in ({}, other)))).changes
    assert (one.held_back_by, "1h" in one.words) == (("PodDisruptionBudgets", "pods with karpenter.sh/do-not-disrupt"), False)


@pytest.mark.parametrize(("after", "actions"), [(None, "delete"), (pool(DRIFT_0), "delete create")])
def test_a_pool_that_goes_ends_all_its_nodes_whatever_the_budget(after: Json | None, actions: str) -> None:
    (one,) = explained(node_pool(pool(DRIFT_0), after, actions=actions)).changes
    assert (one.level, one.change) == (Level.ENDS, "R")
    assert one.words.startswith("Karpenter drains and ends every node of training. Budgets do not delay that.")
    assert one.held_back_by == ("PodDisruptionBudgets", "pods with karpenter.sh/do-not-disrupt")


def test_a_removed_class_comes_below_its_removed_pool() -> None:
    found = explained(node_pool(pool(), None), node_class(CLASS, None))
    assert [one.what for one in found.changes] == ["training"]


def test_a_class_that_goes_without_its_pool_stops_launches() -> None:
    level, letter, words = only(node_pool(pool(), pool()), node_class(CLASS, CLASS, actions="delete create"))
    assert (level, letter) == ("restarts", "R")
    assert "until then Karpenter launches no node in training" in words


IN_SPITE = "in spite of PodDisruptionBudgets and pods with karpenter.sh/do-not-disrupt."


def test_a_grace_period_ends_what_pods_hold_back() -> None:
    before, after = (pool(NIGHTS, terminationGracePeriod="2h", labels=labels) for labels in ({}, {"a": "b"}))
    (one,) = explained(node_pool(before, after)).changes
    assert one.words.endswith(f"Pods end at the latest 2h after their node begins to drain, {IN_SPITE}")
    assert one.held_back_by == ("drift budget of 0 between 06:00 and 02:00 UTC",)


@pytest.mark.parametrize(
    ("before", "after", "level", "letter", "words"),
    [
        ({}, {"replicas": 2}, "none", "R", "Kubernetes refuses to give a pool a fixed size later"),
        ({"replicas": 2}, {}, "none", "R", "Kubernetes refuses to give a pool another than a fixed size later"),
        ({"replicas": 2}, {"replicas": 3}, "none", "U", "fixed size 2 to 3 nodes. Karpenter launches 1 more node now, billed from"),
        (
            {"replicas": 3},
            {"replicas": 1},
            "ends",
            "U",
            "fixed size 3 to 1 node. Karpenter ends 2 nodes, and budgets do not delay that.",
        ),
    ],
)
def test_a_fixed_size(before: Json, after: Json, level: str, letter: str, words: str) -> None:
    found = only(node_pool(pool(**before), pool(**after)))
    assert found[:2] == (level, letter)
    assert found[2].startswith(words)


def test_a_fixed_size_grows_up_to_the_limit_of_nodes() -> None:
    before, after = (pool(replicas=size, limits={"nodes": 3}) for size in (2, 4))
    assert (
        "Karpenter launches 1 more node now, billed from the apply on. The limit of 3 nodes allows no more."
        in only(node_pool(before, after))[2]
    )


def test_a_limit_without_room_for_a_replacement_holds_a_fixed_pool_back_for_ever() -> None:
    before, after = (pool(replicas=2, limits={"nodes": 2}, labels=labels) for labels in ({}, {"a": "b"}))
    level, _, words = only(node_pool(before, after))
    assert level == "deferred"
    assert "never replaces them" in words


@pytest.mark.parametrize(("sizes", "limits"), [((2, 2), (2, 4)), ((2, 2), ("2", "4")), ((3, 2), (3, 3)), ((2, 2), (1, 3))])
def test_room_for_a_replacement_lets_earlier_drift_through(sizes: tuple[int, int], limits: tuple[Any, Any]) -> None:
    before, after = (pool(replicas=size, limits={"nodes": most}) for size, most in zip(sizes, limits, strict=True))
    level, letter, words = only(node_pool(before, after))
    assert (level, letter) == ("replaces" if sizes[0] == sizes[1] else "ends", "D")
    assert "and were held back are replaced from now on, 10% of the pool's nodes at a time, if there are any." in words
    assert "Running nodes stay." not in words


def test_a_drift_budget_of_0_or_a_fixed_size_of_0_leaves_nothing_to_replace_in_new_room() -> None:
    before, after = (pool(DRIFT_0, replicas=2, limits={"nodes": most}) for most in (2, 4))
    assert only(node_pool(before, after))[:2] == ("none", "U")
    before, after = (pool(replicas=0, limits={"nodes": most}) for most in (0, 4))
    assert only(node_pool(before, after))[:2] == ("none", "U")


def test_a_fixed_size_knows_no_consolidation() -> None:
    other = {"consolidationPolicy": "WhenEmptyOrUnderutilized"}
    before, after = pool(replicas=2), pool(replicas=2, disruption=other)
    assert only(node_pool(before, after)) == ("none", "U", "Other consolidation policy. Running nodes stay.")
    before, after = (pool(DRIFT_0, replicas=2, expireAfter="Never", labels=labels) for labels in ({}, {"a": "b"}))
    assert only(node_pool(before, after))[2].endswith("holds them back until they are interrupted.")


def test_a_smaller_fixed_size_ends_pods_after_their_grace_period() -> None:
    (one,) = explained(node_pool(*(pool(replicas=size, terminationGracePeriod="1h") for size in (3, 1)))).changes
    assert (one.level, one.held_back_by) == (Level.ENDS, ())
    assert one.words.endswith(f"Pods end at the latest 1h after their node begins to drain, {IN_SPITE}")
    drained = explained(node_pool(*(pool(replicas=size, terminationGracePeriod="1h", labels={"a": str(size)}) for size in (3, 1))))
    assert drained.changes[0].words.count("Pods end at the latest 1h") == 1


def test_a_pool_that_gets_another_name_ends_the_nodes_of_the_old_one() -> None:
    one = node_pool(pool(), pool(), actions="delete create")
    one["change"]["after"] = manifest("NodePool", "other", pool())
    assert only(one)[2].startswith("Karpenter drains and ends every node of training.")


def test_a_pool_that_moves_to_another_address_is_two_pools() -> None:
    found = explained(node_pool(pool(), None), change("kubectl_manifest.other", None, manifest("NodePool", "training", pool())))
    assert [str(one.level) for one in found.changes] == ["ends", "none"]


def test_a_forgotten_pool_goes_on() -> None:
    level, _, words = only(node_pool(pool(), None, actions="forget"))
    assert (level, words.startswith("Terraform forgets the pool")) == ("none", True)
    hours = explained(node_pool(pool(limits={"nvidia.com/gpu": 32}), None, actions="forget")).price["pools"]["training"]
    assert hours == {"before": 253.18, "after": 253.18}


def test_a_pool_that_destroy_false_keeps_goes_on_beside_a_new_one() -> None:
    one = node_pool(pool(limits={"nvidia.com/gpu": 32}), pool(), actions="create forget")
    one["change"]["after"] = manifest("NodePool", "other", pool(limits={"nvidia.com/gpu": 16}))
    found = explained(one)
    assert [(one.what, str(one.level), one.change) for one in found.changes] == [("training", "none", "U"), ("other", "none", "U")]
    assert found.changes[0].words.startswith("Terraform forgets the pool, which stays, with what its nodes cost")
    assert found.changes[1].words.startswith("A new pool of p5.48xlarge, p5en.48xlarge, limit 16 GPUs.")
    assert {name: hour["after"] for name, hour in found.price["pools"].items()} == {"training": 253.18, "other": 126.59}


def test_a_pool_that_keeps_its_name_is_written_to_with_destroy_false() -> None:
    """Karpenter knows a pool by its name: to make the object again changes the one that is there."""
    one = node_pool(pool(), pool(labels={"tier": "gold"}), actions="create forget")
    one["change"]["before"]["yaml_incluster"], one["change"]["after_unknown"] = "hash", {"yaml_incluster": True}
    level, letter, words = only(one)
    assert (level, letter) == ("replaces", "D")
    assert words.startswith("all nodes drift (labels).")


def test_a_resource_that_destroy_false_keeps_is_said_to_stay() -> None:
    one = change("aws_iam_role.nodes", {"name": "a"}, {"name": "b"}, actions="create forget")
    assert only(one) == ("none", "U", "Terraform forgets the object, which stays and is not managed any more.")


def test_a_forgotten_pool_drifts_with_its_class() -> None:
    found = only(node_pool(pool(NIGHTS), None, actions="forget"), node_class(CLASS, {**CLASS, "tags": {"a": "c"}}))
    assert found[:2] == ("replaces", "D")
    assert found[2].startswith(f"all nodes drift (tags). {AT_NIGHT} Terraform forgets the pool")


def test_a_forgotten_pool_misses_a_class_that_goes() -> None:
    found = explained(node_pool(pool(), None, actions="forget"), node_class(CLASS, None))
    assert (str(found.level), found.change) == ("restarts", "R")
    assert "until then Karpenter launches no node in training" in found.changes[0].words


def test_a_forgotten_class_goes_on() -> None:
    level, letter, words = only(node_pool(pool(), pool()), node_class(CLASS, None, actions="forget"))
    assert (level, letter, words.startswith("Terraform forgets the node class, which stays")) == ("none", "U", True)


@pytest.mark.parametrize(("wait", "waits"), [({}, False), ({"wait": True}, True)])
def test_a_class_that_a_pool_leaves_goes_after_the_nodes(wait: Json, waits: bool) -> None:
    gone = node_class(CLASS, None, name="old")
    gone["change"]["before"] |= wait
    moved = node_pool(pool(nodeClassRef={"name": "old"}), pool())
    found = explained(moved, gone, node_class(CLASS, CLASS))
    assert [str(one.level) for one in found.changes] == ["replaces", "none"]
    assert found.changes[0].words.startswith("all nodes drift (node class). Karpenter replaces 10% of the pool's nodes at a time")
    words = found.changes[1].words
    assert words.startswith("Kubernetes deletes the node class when the last node of training that uses the class has ended.")
    assert ("The apply waits 20 minutes for that at most, and then fails." in words) == waits


def test_a_class_that_the_plan_does_not_have_is_named_where_nodes_need_the_class() -> None:
    assert explained(node_pool(pool(), pool())).level is Level.NONE
    words = only(node_pool(pool(), pool(nodeClassRef={"name": "elsewhere"})), node_class(CLASS, CLASS))[2]
    assert "The plan does not have the node class elsewhere." in words
    cluster = change("module.eks.aws_eks_cluster.this[0]", {"version": "1.34"}, {"version": "1.35"})
    words = explained(node_pool(pool(), pool()), cluster).changes[0].words
    assert words.startswith("The plan does not have the node class training, which may select other images for Kubernetes 1.35. If")


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ({}, {"future": 1}, "spec.template.spec.future"),
        ({"future": {"a": 1}}, {"future": {"a": 2}}, "spec.template.spec.future"),
        ({}, {"disruption": {"future": "x"}}, "spec.disruption.future"),
    ],
)
def test_a_field_that_the_rules_do_not_know_is_named(before: Json, after: Json, field: str) -> None:
    level, letter, words = only(node_pool(pool(**before), pool(**after)))
    assert (level, letter) == ("replaces", "D")
    assert words.startswith(
        f"The pool changes in {field}, which this program does not know. If nodes drift, Karpenter replaces 10%"
    )
    assert only(node_pool(pool(), {**pool(), "future": 1}))[2].startswith("The pool changes in spec.future, which")
    assert render.text(explained(node_pool(pool(), pool(future=False)))) == render.NOTHING


@pytest.mark.parametrize(
    ("unit", "one", "other"),
    [("cpu", 1000, "1k"), ("cpu", "1500m", 1.5), ("memory", "1Ki", 1024), ("nvidia.com/gpu", "32", 32), ("nodes", "1e1", "10")],
)
def test_limits_compare_by_value(unit: str, one: Any, other: Any) -> None:
    assert render.text(explained(node_pool(pool(limits={unit: one}), pool(limits={unit: other})))) == render.NOTHING
    assert only(node_pool(pool(limits={unit: one}), pool(limits={unit: "2k"})))[2].startswith(f"limit {one} to 2k ")


def test_bounds_compare_by_value() -> None:
    def spec(bound: str) -> Json:
        return pool(requirements=[*types("a"), {"key": "karpenter.k8s.aws/instance-memory", "operator": "Gt", "values": [bound]}])

    assert explained(node_pool(spec("1000"), spec("1k"))).level is Level.NONE
    words = only(node_pool(spec("1000"), spec("1Ki")))[2]
    assert words.startswith("nodes whose instance memory is at most 1Ki drift, if there are any.")


def test_nodes_have_the_labels_of_their_template() -> None:
    def spec(*teams: str) -> Json:
        own = [{"key": "example.com/team", "operator": "In", "values": list(teams)}] if teams else []
        return pool(labels={"example.com/team": "a"}, requirements=[*types("p5.48xlarge"), *own])

    assert explained(node_pool(spec(), spec("a", "b"))).level is Level.NONE
    assert only(node_pool(spec(), spec("b")))[2].startswith("nodes whose team is a drift, if there are any.")


def test_a_new_pool_names_its_types_and_its_limit() -> None:
    spec = pool(limits={"nvidia.com/gpu": 16}, replicas=1)
    assert only(node_pool(None, spec))[2].startswith(
        "A new pool of p5.48xlarge, p5en.48xlarge, limit 16 GPUs. Most expensive hour $63.30. Karpenter launches 1 node"
    )


def test_what_was_changed_by_hand_is_named_as_not_known() -> None:
    before = node_pool(pool(), pool())["change"]["before"]
    hashes = [{**before, "yaml_incluster": text} for text in ("1", "2")]
    found = only(change("kubectl_manifest.nodepool_training", *hashes))
    assert (found[0], "The plan does not say what changed." in found[2]) == ("replaces", True)


def test_a_fixed_size_that_was_raised_by_hand_may_end_nodes() -> None:
    before = node_pool(pool(), pool(replicas=2))["change"]["after"]
    hashes = [{**before, "yaml_incluster": text} for text in ("1", "2")]
    level, _, words = only(change("kubectl_manifest.nodepool_training", *hashes))
    assert level == "ends"
    assert "If the fixed size was raised, Karpenter ends the further nodes now, and budgets do not delay that." in words


def test_a_shorter_wait_moves_pods_sooner() -> None:
    def waiting(after: str, policy: str = "WhenEmptyOrUnderutilized") -> Json:
        return pool(disruption={"consolidationPolicy": policy, "consolidateAfter": after})

    assert only(node_pool(waiting("24h"), waiting("30s")))[2].startswith("Running pods may move sooner: from now on")
    assert only(node_pool(waiting("30s", "Balanced"), waiting("30s")))[2].startswith("Running pods may move sooner: from now on")
    for one, other in ((waiting("30s"), waiting("24h")), (waiting("24h", "WhenEmpty"), waiting("30s", "WhenEmpty"))):
        assert only(node_pool(one, other))[2].startswith("Other time before empty nodes go.")


def test_a_lower_limit_may_leave_drifted_nodes_without_a_replacement() -> None:
    words = only(node_pool(*(pool(NIGHTS, limits={"nvidia.com/gpu": limit}, labels={"a": limit}) for limit in ("32", "16"))))[2]
    assert "The lower limit of GPUs may leave no room for a replacement. Limit 32 to 16 GPUs." in words


def test_a_class_without_its_pools_is_named() -> None:
    level, letter, words = only(node_class(CLASS, {**CLASS, "userData": "x = 2"}), complete=False)
    assert (level, letter) == ("replaces", "D")
    assert words.startswith("The node class changes (user data), and the plan does not have its pools. Their nodes drift, if there")


def test_a_plan_that_does_not_show_everything_does_not_say_that_nothing_changes() -> None:
    assert render.text(explained(node_pool(pool(), pool()), complete=False)) == "What the plan shows changes nothing that runs."


def test_a_kubernetes_step_without_pools_says_that_nodes_may_drift() -> None:
    step = change("module.eks.aws_eks_cluster.this[0]", {"version": "1.34"}, {"version": "1.35"})
    assert only(step)[2].endswith("The plan has no node pools: their nodes may drift, to the image for 1.35.")


def test_another_family_of_images_makes_all_nodes_drift() -> None:
    other = {**CLASS, "amiSelectorTerms": [{"alias": "al2023@latest"}]}
    assert only(node_pool(pool(NIGHTS), pool(NIGHTS)), node_class(CLASS, other))[2].startswith("all nodes drift (image family).")


def test_a_pool_that_the_plan_does_not_know_has_no_price() -> None:
    one = node_pool(pool(limits={"nvidia.com/gpu": 8}), pool(), after_unknown={"yaml_body_parsed": True}, actions="update")
    one["change"]["after"] = {}
    price = explained(one).price
    assert (price["pools"]["training"]["after"], price["not_priced"]) == (None, ["training"])


def test_an_object_that_the_plan_does_not_know_is_named() -> None:
    one = node_pool(pool(), pool(), after_unknown={"yaml_body_parsed": True}, actions="update")
    one["change"]["after"] = {}
    assert only(one)[2].startswith("The plan does not know what the pool will be.")


# --- Node classes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"userData": "x = 1\n# a comment\n"}, "all nodes drift (user data)."),
        ({"tags": {"a": "c"}}, "all nodes drift (tags)."),
        ({"blockDeviceMappings": [{"deviceName": "/dev/xvdb"}]}, "all nodes drift (volumes)."),
        ({"instanceStorePolicy": "RAID0"}, "all nodes drift (instance store)."),
        ({"metadataOptions": {"httpTokens": "optional"}}, "all nodes drift (metadata options)."),
        ({"somethingNew": 1}, "all nodes drift (somethingNew)."),
        ({"role": "others"}, "all nodes drift (role)."),
        (
            {"amiSelectorTerms": [{"alias": "bottlerocket@v1.60.0"}]},
            "nodes with another image than bottlerocket@v1.60.0 drift, if there",
        ),
        ({"subnetSelectorTerms": [{"id": "a"}]}, "nodes outside the subnets that the new terms find drift, if there are any."),
    ],
)
def test_a_change_of_a_class_makes_the_nodes_of_its_pools_drift(changed: Json, words: str) -> None:
    found = only(node_pool(pool(NIGHTS), pool(NIGHTS)), node_class(CLASS, {**CLASS, **changed}), karpenter("1.12.2", "1.12.2"))
    assert found[:2] == ("replaces", "D")
    assert found[2].startswith(words)


def test_a_class_whose_terms_may_find_nothing_says_what_happens_then() -> None:
    found = only(node_pool(pool(NIGHTS), pool(NIGHTS)), node_class(CLASS, {**CLASS, "securityGroupSelectorTerms": [{"name": "a"}]}))
    assert found[2].startswith("nodes with other security groups than the new terms find drift, if there are any.")
    assert found[2].endswith("If the terms find nothing, no node drifts, and Karpenter launches none.")


def test_the_default_metadata_options_are_not_a_change() -> None:
    written = {"metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"}}
    assert explained(node_pool(pool(), pool()), node_class(CLASS, {**CLASS, **written})).level is Level.NONE


def test_a_capacity_reservation_that_is_added_leaves_nodes_alone_and_one_that_goes_does_not() -> None:
    one, two = (
        {**CLASS, "capacityReservationSelectorTerms": terms} for terms in ([{"id": "cr-1"}], [{"id": "cr-1"}, {"id": "cr-2"}])
    )
    kept = node_pool(pool(), pool())
    assert only(kept, node_class(one, two)) == (
        "none",
        "U",
        "Karpenter may also use the capacity reservations of cr-2. Running nodes stay.",
    )
    assert only(kept, node_class(two, one))[2].startswith(
        "nodes in a capacity reservation that only the removed cr-2 selects drift, if"
    )


def test_before_karpenter_1_7_kubernetes_refuses_another_role() -> None:
    found = explained(node_pool(pool(), pool()), node_class(CLASS, {**CLASS, "role": "other"}), karpenter("1.6.0", "1.6.0"))
    assert "Kubernetes refuses another role of a node class before Karpenter 1.7: the apply fails." in found.changes[-1].words


# --- Karpenter and Kubernetes -----------------------------------------------------------------------------------------------------


def test_karpenter_pauses_launches_while_it_restarts() -> None:
    assert only(karpenter("1.12.2", "1.14.1")) == (
        "restarts",
        "U",
        "Karpenter 1.12.2 to 1.14.1. For about half a minute no node is launched or removed. Running pods stay.",
    )


def test_an_apply_past_karpenter_1_12_swallows_the_drift_of_a_class() -> None:
    step, changed = karpenter("1.6.0", "1.12.2"), node_class(CLASS, {**CLASS, "userData": "x = 2"})
    found = explained(node_pool(pool(), pool()), changed, step)
    (training,) = (one for one in found.changes if one.what == "training")
    assert training.words.startswith(
        "Running nodes keep the old user data and do not drift, because the same apply brings Karpenter past 1.12."
    )
    assert found.level is Level.RESTARTS
    assert explained(node_pool(pool(), pool()), changed, karpenter("1.12.2", "1.14.1")).level is Level.REPLACES


def test_whether_nodes_drift_by_a_class_is_not_known_where_karpenter_goes_back_past_1_12() -> None:
    found = explained(node_pool(pool(), pool()), node_class(CLASS, {**CLASS, "userData": "x = 2"}), karpenter("1.14.1", "1.9.2"))
    assert found.changes[0].words == (
        "The node class changes (user data), while the same apply takes Karpenter back past 1.12. If nodes drift, Karpenter "
        "replaces 10% of the pool's nodes at a time."
    )


def test_another_ca_bundle_makes_every_node_drift_from_karpenter_1_12_on() -> None:
    def release(version: str, *bundles: str) -> Json:
        values = [{"version": version, "values": [yaml.safe_dump({"settings": {"clusterCABundle": one}})]} for one in bundles]
        return change("helm_release.karpenter", *values)

    kept = node_pool(pool(NIGHTS), pool(NIGHTS))
    assert explained(kept, release("1.12.2", "a", "b")).changes[0].words == f"all nodes drift (the cluster's CA bundle). {AT_NIGHT}"
    assert explained(kept, release("1.9.2", "a", "b")).level is Level.RESTARTS
    assert explained(kept, release("1.12.2", "", "b")).level is Level.RESTARTS


def test_a_kubernetes_step_names_what_moves_and_what_cannot_be_undone() -> None:
    cluster = change("module.eks.aws_eks_cluster.this[0]", {"version": "1.34"}, {"version": "1.35"})
    unknown = {"addon_version": True}
    addon = change(
        'module.eks.aws_eks_addon.this["coredns"]', {"addon_version": "v1"}, {"addon_version": None}, after_unknown=unknown
    )
    found = explained(cluster, addon, node_pool(pool(DRIFT_0), pool(DRIFT_0)), node_class(CLASS, CLASS))
    assert found.changes[0].words == f"all nodes drift (the image for Kubernetes 1.35). {HELD}"
    words = {one.what: one.words for one in found.changes}
    assert "can roll that back for seven days at most" in words["module.eks.aws_eks_cluster.this[0]"]
    assert words['module.eks.aws_eks_addon.this["coredns"]'].startswith("The add-on follows the Kubernetes version")
    pinned = {**CLASS, "amiSelectorTerms": [{"id": "ami-1"}]}
    assert "training" not in {one.what for one in explained(cluster, node_pool(pool(), pool()), node_class(pinned, pinned)).changes}


def test_an_addon_whose_version_is_only_unknown_does_not_change() -> None:
    unknown = {"addon_version": True}
    addon = change(
        'module.eks.aws_eks_addon.this["coredns"]', {"addon_version": "v1"}, {"addon_version": None}, after_unknown=unknown
    )
    assert render.text(explained(addon)) == render.NOTHING


# --- Other resources --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "actions", "level", "words"),
    [
        ("module.vpc.aws_nat_gateway.this[0]", "delete create", "ends", "Outgoing connections"),
        ("module.vpc.aws_subnet.private[2]", "delete", "replaces", "if there are any"),
        ("module.eks.module.kms.aws_kms_key.this[0]", "delete", "loses", "unreadable"),
        ("module.karpenter.aws_iam_role.node[0]", "delete create", "loses", "lose their role"),
        (
            'module.eks.module.eks_managed_node_group["karpenter"].aws_iam_role.this[0]',
            "delete",
            "loses",
            "The node group's nodes lose their role.",
        ),
        ("module.karpenter.aws_eks_access_entry.node[0]", "delete", "loses", "lose the Kubernetes API"),
        ("module.karpenter.aws_sqs_queue.this[0]", "delete", "ends", "Spot warnings are lost"),
        ('module.karpenter.aws_cloudwatch_event_rule.this["spot_interrupt"]', "delete", "ends", "do not reach Karpenter"),
        ('module.eks.aws_security_group_rule.node["egress_all"]', "delete", "ends", "egress_all"),
        ("helm_release.karpenter", "delete", "ends", "leaves its nodes"),
        (
            'module.eks.module.eks_managed_node_group["karpenter"].aws_eks_node_group.this[0]',
            "create delete",
            "restarts",
            "comes first",
        ),
        ("module.eks.aws_cloudwatch_log_group.this[0]", "delete", "none", "Nothing that runs changes."),
        ("aws_eks_addon.aws_ebs_csi_driver", "delete", "ends", "Pods that run keep their volumes"),
        ("aws_eks_addon.aws_mountpoint_s3_csi_driver", "delete", "ends", "reads and writes of mounted buckets fail"),
        ("aws_eks_addon.snapshot_controller", "delete", "none", "Pods and volumes stay."),
        ("kubectl_manifest.storageclass_gp3", "delete create", "none", "Volumes stay."),
        ("aws_eks_pod_identity_association.pod_identity_a_b", "delete", "ends", "their calls of AWS fail"),
        ("aws_s3_bucket.checkpoints", "delete", "ends", "not known"),
        ("aws_s3_bucket.checkpoints", "update", "none", "not known"),
        (
            'module.eks.module.eks_managed_node_group["a"].aws_launch_template.this[0]',
            "update",
            "none",
            "Nothing that runs changes.",
        ),
        ("aws_s3_bucket.checkpoints", "create", "none", "Nothing that runs changes."),
    ],
)
def test_each_resource_has_its_words(address: str, actions: str, level: str, words: str) -> None:
    (one,) = explained(change(address, {"id": 1}, {"id": 2}, actions=actions)).changes
    assert (one.what, str(one.level), one.change) == (address, level, "U" if actions in ("update", "create") else "R")
    assert words in one.words


@pytest.mark.parametrize(
    ("worse", "rest"),
    [
        (
            "aws_eks_addon.aws_ebs_csi_driver",
            ["aws_eks_pod_identity_association", "aws_iam_role", "aws_iam_role_policy_attachment"],
        ),
        ("aws_eks_addon.aws_mountpoint_s3_csi_driver", ["aws_eks_pod_identity_association", "aws_iam_role", "aws_iam_policy"]),
        ("aws_eks_pod_identity_association.pod_identity_a_b", ["aws_iam_role", "aws_iam_policy", "aws_iam_role_policy_attachment"]),
    ],
)
def test_what_goes_with_a_driver_or_an_identity_is_said_once(worse: str, rest: list[str]) -> None:
    name = worse.partition(".")[2]
    gone = [change(address, {"id": 1}, None) for address in (worse, *(f"{kind}.{name}" for kind in rest))]
    (one,) = explained(*gone).changes
    assert one.what == worse


@pytest.mark.parametrize(("keeps", "level"), [("helm.sh/resource-policy: keep", "none"), ("", "ends")])
def test_definitions_that_go_take_every_node_along_unless_they_are_kept(keeps: str, level: str) -> None:
    values = {"values": [f"additionalAnnotations:\n  {keeps}\n"]}
    assert only(change("helm_release.karpenter_crd", values, None))[:2] == (level, "R")


def test_a_network_swallows_what_comes_with_it() -> None:
    found = explained(
        change("module.vpc.aws_vpc.this[0]", {}, {"id": 1}, actions="create delete"),
        change("module.vpc.aws_subnet.private[0]", {}, {"id": 1}, actions="create delete"),
        change("aws_s3_bucket.checkpoints", {}, None),
        node_pool(pool(), pool(labels={"a": "b"})),
    )
    assert [(one.what, str(one.level)) for one in found.changes] == [("module.vpc.aws_vpc.this[0]", "loses")]


def test_an_access_entry_swallows_its_own_policies_only() -> None:
    gone = [
        f'module.eks.aws_eks_access_{one}"]'
        for one in ('entry.this["a', 'policy_association.this["a_admin', 'policy_association.this["b_admin')
    ]
    found = explained(*(change(address, {}, None) for address in gone))
    assert [one.what for one in found.changes] == [gone[0], gone[2]]


def test_the_worst_comes_first() -> None:
    pools = [node_pool(pool(DRIFT_0), pool(DRIFT_0, labels={"a": "b"}), name="held"), node_pool(pool(), None, name="gone")]
    found = explained(change("aws_s3_bucket.logs", {"a": 1}, {"a": 2}), *pools, karpenter("1.9.1", "1.9.2"))
    assert [str(one.level) for one in found.changes] == ["ends", "deferred", "restarts", "none"]


# --- The command ------------------------------------------------------------------------------------------------------------------

REMOVED = document(node_pool(pool(), None))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(REMOVED))
    return path


@pytest.mark.parametrize(("level", "code"), [("none", 3), ("replaces", 3), ("ends", 3), ("loses", 0)])
def test_the_command_fails_from_a_level_on(file: Path, capsys: pytest.CaptureFixture[str], level: str, code: int) -> None:
    assert impact.main([str(file), "--fail-on", level]) == code
    assert capsys.readouterr().out.startswith("ends: training: Karpenter drains and ends every node of training.")


def test_programs_read_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert impact.main([str(file), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"level", "changes", "price"}
    assert found["level"] == "ends"
    assert [set(one) for one in found["changes"]] == [{"what", "level", "class", "held_back_by", "words"}]


def test_a_pull_request_gets_a_comment_that_a_workflow_finds_again(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert impact.main([str(file), "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith(
        "<!-- stacks.impact -->\n\n### Impact: ends\n\nNodes end, or what their jobs need.\n\n- **ends** `training`: Karpenter"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The input must be the JSON of a plan (got nothing)."),
        ("Terraform will perform", "The input must be the JSON of a plan (got something else)."),
        ("[" * 100_000, "The input must be the JSON of a plan (got something else)."),
        ("[]", "The input must be the JSON of a plan (got other JSON)."),
        (json.dumps({"format_version": "1.0", "values": {}}), "The input must be the JSON of a plan (got other JSON)."),
        (
            json.dumps({**REMOVED, "format_version": "2.0"}),
            "format_version must be 1.x, the format that this program knows (got 2.0).",
        ),
        (json.dumps({**REMOVED, "errored": True}), "The plan must have succeeded (got one that failed)."),
        (
            json.dumps(document({"address": "a.b", "type": "a", "change": None})),
            "The input must be the JSON of a plan (got other JSON).",
        ),
        (json.dumps({**REMOVED, "resource_changes": [1]}), "The input must be the JSON of a plan (got other JSON)."),
    ],
)
def test_what_is_not_a_plan_is_refused_in_a_sentence(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    file.write_text(text)
    assert impact.main([str(file)]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err.startswith(sentence), printed.err.count("\n")) == ("", True, 1)


def test_a_saved_plan_itself_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(b"PK\x03\x04\xff\xfe")
    assert impact.main([str(file)]) == 1
    assert "got a saved plan itself" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_powershell_writes_is_read(file: Path, capsys: pytest.CaptureFixture[str], encoding: str) -> None:
    file.write_text(json.dumps(REMOVED), encoding=encoding)
    assert impact.main([str(file)]) == 0
    assert capsys.readouterr().out.startswith("ends: training: ")


def test_a_region_that_is_not_one_is_not_repeated() -> None:
    assert explained(node_pool(pool(), None), variables={"region": {"value": "<b>"}}).price["region"] is None


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert impact.main(["nowhere.json"]) == 1
    assert capsys.readouterr().err == "nowhere.json cannot be read: No such file or directory.\n"


@pytest.mark.parametrize(
    ("keys", "arguments", "why"),
    [
        ({"complete": False}, [], "as with -target"),
        ({"complete": False, "deferred_changes": [{}]}, [], "because Terraform defers changes"),
        ({}, ["--incomplete=-refresh=false"], "because of -refresh=false"),
    ],
)
def test_an_incomplete_plan_is_explained_named_and_fails(
    file: Path, capsys: pytest.CaptureFixture[str], keys: Json, arguments: list[str], why: str
) -> None:
    file.write_text(json.dumps({**REMOVED, **keys}))
    assert impact.main([str(file), *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("ends: training: ")
    assert printed.err == f"The plan is incomplete, {why}: an apply may leave or miss changes that are not here.\n"


def test_no_output_has_a_secret_of_the_plan() -> None:
    secret = {
        "repository_password": "s3cret",
        "values": ["token: s3cret"],
        "policy": "s3cret",
        "user_data": "s3cret",
        "arn": "s3cret",
    }
    other = dict.fromkeys(secret, "s3cret2")
    found = explained(
        *(
            change(address, {**secret, "version": "1.9.1"}, {**other, "version": "1.9.2"})
            for address in ("helm_release.karpenter", "aws_x.y")
        ),
        node_pool(pool(), pool()),
        node_class(CLASS, {**CLASS, "userData": "s3cret", "tags": {"a": "s3cret"}}),
        variables={"password": {"value": "s3cret"}},
    )
    assert not any("s3cret" in write(found) for write in (render.text, render.markdown, render.as_json))


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ({}, {"variables": {"region": {"value": "eu-north-1"}}}),
        ({"arn": "arn:aws:eks:eu-north-1:123456789012:cluster/a"}, {}),
        ({"values": ["vpcId: vpc-1\nregion: eu-north-1\ntolerations: []\n"]}, {}),
    ],
)
def test_the_region_comes_from_the_plan(values: Json, keys: Json) -> None:
    assert read(json.dumps(document(change("helm_release.a", values, values), **keys))).region == "eu-north-1"
    assert read(json.dumps(document())).region == ""


def test_newer_keys_are_ignored() -> None:
    assert explained(node_pool(pool(), None), action_invocations=[1], format_version="1.9").level is Level.ENDS


def test_data_sources_and_moves_are_not_changes() -> None:
    data = {**change("data.aws_x.y", {"a": 1}, {"a": 2}, actions="read"), "mode": "data"}
    assert explained(data, change("aws_x.y", {"a": 1}, {"a": 1}, actions="no-op")).changes == ()


# --- The documented classes are its answers ---------------------------------------------------------------------------------------

# Rows of docs/changes.csv without a recorded plan, and why.
NO_PLAN = {
    "name": "another stack",
    "backend": "nothing but the place of the state",
    "region": "Terraform cannot plan it",
    "cluster_name_prefix": "Terraform cannot plan it",
}


@pytest.mark.parametrize("name", [row.option for row in generate.measured() if row.option not in NO_PLAN])
def test_the_class_of_an_option_is_that_of_its_plan(name: str) -> None:
    assert explain(read(json.dumps(of_option(name)))).change in {row.change for row in generate.measured() if row.option == name}


# Another value for each field of a pool, and for two fields the way back.
GPU_FIELDS: dict[str, Any] = {
    "instance_types": ["p5.48xlarge"],
    "capacity_types": ["on-demand"],
    "zones": ["us-west-2b"],
    "taints": [Taint(key="team", value="research")],
    "labels": {"team": "research"},
    "weight": 7,
    "consolidation_policy": "WhenEmptyOrUnderutilized",
    "consolidate_after": "2h",
    "budgets": [Budget(nodes="20%")],
    "expire_after": "336h",
    "tags": {"team": "research"},
    "bottlerocket_version": "v1.54.0",
    "soci": None,
    "sharing": TimeSlicing(replicas=4),
    "limit": 64,
    "node_limit": 4,
    "termination_grace_period": "2h",
}
GENERAL_FIELDS: dict[str, Any] = {"data_volume": DataVolume(size_gib=100), "cpu_limit": 200, "categories": ["c"], "cpus": [8]}
# Names, other ways to name types, and what needs further fields: the tests of the rules above have plans of these.
OTHERWISE_TRIED = {
    *("name", "families", "gpu_names", "min_gpu_memory_gib", "instance_types"),
    *("capacity_reservations", "replicas", "efa", "placement_group"),
}


@pytest.fixture(scope="module")
def variants() -> Json:
    """A cluster with a pool for each field, which has another value there."""
    gpu = GpuPool(
        "base", instance_types=["p5.48xlarge", "p5en.48xlarge"], limit=32, budgets=[Budget(nodes="0"), Budget(nodes="10%")]
    )
    general = GeneralPool("general", cpu_limit=100, budgets=[Budget(nodes="0")])
    pools: dict[str, list[Any]] = {"gpu_pools": [gpu], "general_pools": [general]}
    for kind, values in (("gpu_pools", GPU_FIELDS), ("general_pools", GENERAL_FIELDS)):
        for weight, (name, value) in enumerate(values.items(), start=50):  # no two pools may take the same pods in any order
            pools[kind].append(replace(pools[kind][0], name=name.replace("_", "-"), **{"weight": weight, name: value}))
    cluster = ClusterConfig(
        "pools",
        region="us-west-2",
        karpenter_version="1.14.1",
        default_pool=False,
        gpu_spot_pool=False,
        gpu_pools=pools["gpu_pools"],
        general_pools=pools["general_pools"],
    )
    locals_: Json = synth_stack(cluster)["locals"]
    return locals_


@pytest.mark.parametrize(
    ("kind", "base", "name"),
    [*((GpuPool, "base", name) for name in GPU_FIELDS), *((GeneralPool, "general", name) for name in GENERAL_FIELDS)],
)
def test_the_class_of_a_field_of_a_pool_is_that_of_its_manifests(variants: Json, kind: type, base: str, name: str) -> None:
    before, after = (
        {key: variants[f"{key}_{pool}"]["spec"] for key in ("nodepool", "ec2nodeclass")} for pool in (base, name.replace("_", "-"))
    )
    own = rf'"{name.replace("_", "-")}"(?!:)'  # the name of the pool, and not the field `weight`
    after["nodepool"] = json.loads(re.sub(own, f'"{base}"', json.dumps(after["nodepool"])))
    if name != "weight":
        del after["nodepool"]["weight"]
    found = explained(
        node_pool(before["nodepool"], after["nodepool"], name=base),
        node_class(before["ec2nodeclass"], after["ec2nodeclass"], name=base),
    )
    (field,) = (field for field in options_of(kind) if field.name == name)
    assert found.change in re.findall(r"\b[ZUDR]\b", field.change), found.changes


def test_every_field_of_a_pool_is_tried() -> None:
    assert {field.name for field in options_of(GpuPool)} - OTHERWISE_TRIED == GPU_FIELDS.keys() - OTHERWISE_TRIED | {"data_volume"}
    assert {field.name for field in options_of(GeneralPool)} - OTHERWISE_TRIED == (
        GPU_FIELDS | GENERAL_FIELDS
    ).keys() - OTHERWISE_TRIED - {"limit", "sharing"}


def test_every_recorded_plan_is_that_of_an_option() -> None:
    assert set(recorded()["options"]) == {row.option for row in generate.measured()} - set(NO_PLAN)


# --- Saved plans of real changes --------------------------------------------------------------------------------------------------

SAVED = {
    "access-removed": ("none", "R", "loses access to Kubernetes"),
    "addon": ("restarts", "U", "Running pods keep their network."),
    "addon-replaced": ("restarts", "R", "EKS removes vpc-cni and installs vpc-cni again."),
    "admin": ("none", "R", "changes hands"),
    "alb": ("restarts", "U", "The load balancer controller restarts."),
    "bottlerocket": ("replaces", "D", "nodes with another image than bottlerocket@v1.60.0 drift, if there are any."),
    "boundary": ("none", "U", ""),
    "capacity-added": ("none", "U", "Karpenter may also launch on-demand nodes."),
    "class-replaced": ("restarts", "R", "Kubernetes deletes the node class when the last node of research has ended"),
    "crd-destroyed": ("ends", "R", "Budgets do not delay that."),
    "data-volume": ("replaces", "D", "all nodes drift (volumes)."),
    "destroy": ("loses", "R", "The cluster and every pod in it end"),
    "drift-budget": ("replaces", "D", "were held back are replaced from now on, one at a time, if there are any."),
    "endpoint-cidrs": ("none", "U", "The way to the Kubernetes API changes"),
    "endpoint-private": ("none", "U", "The way to the Kubernetes API changes"),
    "expire": (
        "deferred",
        "D",
        "all nodes drift (expiry). The drift budget of 0 holds them back until they are empty or are interrupted.",
    ),
    "expire-inference": ("replaces", "D", f"all nodes drift (expiry). {AT_NIGHT}"),
    "group-sizes": ("none", "U", ""),
    "group-types": ("restarts", "R", "A new node group comes first"),
    "karpenter-114": ("restarts", "U", "For about half a minute no node is launched or removed."),
    "karpenter-19": ("restarts", "R", "Karpenter goes back from 1.12.2 to 1.9.2."),
    "kubernetes": ("replaces", "D", "EKS can roll that back for seven days at most"),
    "label": ("deferred", "D", "all nodes drift (labels)."),
    "limit": ("none", "U", "limit 32 to 64 GPUs."),
    "limit-none": ("none", "U", "nothing caps the bill"),
    "logs": ("none", "U", ""),
    "node-entry-replaced": ("loses", "R", "If the new entry fails"),
    "node-group-sg-replaced": ("ends", "R", "All nodes drift (security group)"),
    "node-tags": ("replaces", "D", "all nodes drift (tags)."),
    "nothing": ("none", "Z", ""),
    "outside-label": ("none", "Z", ""),
    "outside-scale": ("ends", "D", "The plan does not say what changed."),
    "pool-added": ("none", "U", "A new pool of g6.xlarge"),
    "pool-bottlerocket": ("replaces", "D", "nodes with another image than bottlerocket@v1.60.0 drift, if there are any."),
    "pool-budget": ("replaces", "D", "are replaced from now on, 10% of the pool's nodes at a time, if there are any."),
    "pool-forgotten": ("none", "U", "Terraform forgets the pool"),
    "pool-removed": ("ends", "R", "Karpenter drains and ends every node of research. Budgets do not delay that."),
    "pool-replaced": ("ends", "R", "The new pool begins empty."),
    "pool-zones": ("replaces", "D", "nodes outside us-west-2a and us-west-2b drift, if there are any."),
    "queue-replaced": ("ends", "R", "Spot warnings are lost"),
    "registry-login": ("none", "U", ""),
    "replicas-set": ("none", "R", "Kubernetes refuses to give a pool a fixed size later"),
    "replicas-up": ("none", "U", "fixed size 2 to 3 nodes."),
    "reservation-added": ("none", "U", "Karpenter may also use the capacity reservations of cr-0bbb."),
    "reservation-removed": ("deferred", "D", "nodes in a capacity reservation that only the removed team=ml selects"),
    "sg-rule-replaced": ("ends", "R", "ingress_self_coredns_udp"),
    "soci": ("replaces", "D", f"inference: all nodes drift (user data). {AT_NIGHT}"),
    "type-added": ("none", "U", "Karpenter may also launch p6-b200.48xlarge."),
    "type-removed": ("deferred", "D", f"nodes of type p5en.48xlarge drift, if there are any. {HELD}"),
    "vpc-cidr": ("loses", "R", "The network is replaced, and everything in it ends"),
    "wait": ("none", "U", ""),
}


@pytest.mark.skipif(not PLANS.is_dir(), reason=without("saved plans of real changes"))
@pytest.mark.parametrize("name", SAVED)
def test_a_saved_plan_says_what_happens(name: str) -> None:
    found = explain(read((PLANS / f"{name}.json").read_text()))
    level, letter, words = SAVED[name]
    assert (str(found.level), found.change) == (level, letter)
    text = render.text(found)
    assert words in text if words else text == render.NOTHING


# --- The network ------------------------------------------------------------------------------------------------------------------


def test_subnets_that_move_to_another_nat_gateway_lose_their_connections() -> None:
    found = explain(read(json.dumps(of_option("nat_gateway"))))
    assert str(found.level) == "ends"
    assert "Their open connections break" in found.changes[0].words


def test_a_new_gateway_endpoint_may_break_open_connections() -> None:
    found = explain(read(json.dumps(of_option("gateway_endpoints"))))
    assert str(found.level) == "none"
    assert [one.words for one in found.changes] == [
        "Open connections to s3 may break once. Later ones no longer take the NAT gateway."
    ]


def test_subnets_of_the_second_network_are_subnets_of_nodes() -> None:
    found = explained(change('aws_subnet.nodes["us-west-2a"]', {"id": "a"}, None))
    assert (str(found.level), found.change) == ("replaces", "R")
    assert "Nodes in this subnet lose their way out of the network and drift, if there are any." in found.changes[0].words


def test_what_goes_with_a_subnet_is_said_once() -> None:
    tiers = ("private", "public", "intra")
    gone = [
        change(f"module.vpc.aws_{kind}.{tier}[3]", {"id": "a"}, None)
        for tier in tiers
        for kind in ("subnet", "route_table_association")
    ]
    assert {one.what for one in explained(*gone).changes} == {
        f"module.vpc.aws_subnet.{tier}[3]" for tier in ("private", "public", "intra")
    }


def test_a_replaced_coredns_may_leave_names_without_an_answer() -> None:
    level, _, words = only(change('module.eks.aws_eks_addon.this["coredns"]', {"id": "a"}, {"id": "b"}, actions="delete create"))
    assert (level, "no name is answered" in words) == ("ends", True)


def test_a_left_over_launch_template_is_not_a_machine() -> None:
    leftover = change("module.eks.module.a.aws_launch_template.this[0]", {"id": "a"}, None) | {"deposed": "1a2b3c4d"}
    assert render.text(explained(leftover)) == render.NOTHING


def test_pools_that_keep_their_nodes_are_named() -> None:
    others = [node_pool(pool(), pool(), name=name) for name in ("research", "batch")]
    said = render.text(explained(node_pool(pool(), None), *others))
    assert said.endswith("Nodes and pods of batch, research stay.")
    assert "stay." not in render.text(explained(node_pool(pool(), None)))
    network = change("module.vpc.aws_nat_gateway.this[0]", {"id": "a"}, None)
    assert "Nodes and pods" not in render.text(explained(node_pool(pool(), None), network, *others))
    rolls = change("helm_release.other", {"version": "1"}, {"version": "2"})
    assert "Nodes and pods" not in render.text(explained(node_pool(pool(), None), rolls, *others))


def test_the_page_shows_a_plan_as_it_looks() -> None:
    nights = pool(NIGHTS, nodeClassRef={"name": "inference"})
    inference = node_pool(nights, nights, name="inference")
    spot = (pool(DRIFT_0, requirements=types(*names)) for names in (("p5.48xlarge", "p5en.48xlarge"), ("p5.48xlarge",)))
    others = [node_pool(pool(), pool(), name=name) for name in ("batch", "default", "research")]
    user_data = node_class(CLASS, {**CLASS, "userData": "x = 2"}, name="inference")
    found = explained(inference, user_data, node_pool(*spot, name="gpu-spot"), *others)
    page = (PROJECT / "docs" / "impact.md").read_text()
    assert f"```text\n{render.text(found)}\n```" in page


@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_a_label_without_a_value_makes_nodes_drift_like_any_other(field: str) -> None:
    labelled: Json = {field: {"example.com/a": ""}}
    level, _, words = only(node_pool(pool(), pool(**labelled)))
    assert (level, words.startswith(f"all nodes drift ({field}).")) == ("replaces", True)


def test_definitions_that_are_replaced_go_unless_the_release_keeps_them() -> None:
    gone, kept = ({"version": "1", "values": values} for values in ([], ["helm.sh/resource-policy: keep"]))
    assert str(explained(change("helm_release.karpenter_crd", gone, gone, actions="delete create")).level) == "ends"
    assert str(explained(change("helm_release.karpenter_crd", kept, kept, actions="delete create")).level) == "none"


def test_an_object_that_cannot_be_read_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(document(node_pool(pool(), pool(limits={"cpu": "hunter2"})))))
    assert impact.main([str(plan)]) == 1
    said = capsys.readouterr()
    assert (said.out, "hunter2" in said.err) == ("", False)
    assert said.err == "The plan has an object that the program cannot read (ValueError). Nothing was explained.\n"


def test_running_nodes_are_said_to_stay_once_and_only_where_they_do() -> None:
    both = only(node_pool(pool(limits={"nvidia.com/gpu": 32}), pool(limits={"nvidia.com/gpu": 64}, labels={"a": "b"})))
    assert ("all nodes drift" in both[2], "Running nodes stay." in both[2]) == (True, False)
    quiet = only(node_pool(pool(limits={"nvidia.com/gpu": 32}, weight=5), pool(limits={"nvidia.com/gpu": 64}, weight=7)))
    assert quiet[2].count("Running nodes stay.") == 1


def test_nodes_drift_by_their_class_even_where_kubernetes_refuses_the_pool() -> None:
    found = explained(node_pool(pool(), pool(replicas=2)), node_class(CLASS, {**CLASS, "tags": {"a": "c"}}))
    (one,) = [change for change in found.changes if change.what == "training"]
    assert str(one.level) == "replaces"
    assert "all nodes drift (tags)." in one.words
    assert "Kubernetes refuses to give a pool a fixed size later" in one.words


def test_what_an_earlier_apply_replaced_is_not_the_living_object() -> None:
    leftover = change("module.eks.aws_eks_cluster.this[0]", {"name": "a"}, None) | {"deposed": "1a2b3c4d"}
    (one,) = explained(leftover, node_pool(pool(), pool())).changes
    assert (str(one.level), one.words.startswith("What an earlier apply replaced goes")) == ("ends", True)


def test_a_role_that_kubernetes_refuses_makes_no_node_drift() -> None:
    found = explained(
        node_pool(pool(), pool()), node_class(CLASS, {**CLASS, "role": "other", "userData": "y"}), karpenter("1.6.0", "1.6.0")
    )
    assert [str(one.level) for one in found.changes] == ["none"]
    assert "Kubernetes refuses another role" in found.changes[0].words
