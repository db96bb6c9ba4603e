"""The checks of a living cluster: what programs answered goes in, verdicts come out."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from stacks.operations.checks import QUESTIONS, capacity, examine, nodes, pools, removal, system, versions
from stacks.operations.checks.calls import Call, further, of_cluster
from stacks.operations.checks.facts import Facts, Missing
from stacks.operations.checks.question import Check, Question, Verdict
from stacks.operations.checks.types import pools_of
from tests import facts as made
from tests.facts import ago, claim, condition, event, facts, healthy, item, items, node, node_class, pod, pool

PASSED, FAILED, NOT_APPLICABLE, CANNOT_BE_TOLD = Verdict


def words(check: Check) -> str:
    return " | ".join((check.figure, *check.found, check.do))


def says(question: Question, verdict: Verdict, *parts: str, **changed: Any) -> Check:
    """The check of a healthy cluster with other answers."""
    check = question.ask(facts(changed))
    assert check.verdict is verdict, words(check)
    assert bool(check.do) or verdict is not FAILED  # what failed says what to do
    for part in parts:
        assert part in words(check)
    return check


def named(name: str) -> Question:
    (found,) = [question for question in QUESTIONS if question.name == name]
    return found


def test_a_healthy_cluster_passes_every_check_that_applies() -> None:
    checks = examine(facts())
    assert {check.name: words(check) for check in checks if check.verdict not in (PASSED, NOT_APPLICABLE)} == {}
    assert [check.name for check in checks if check.verdict is NOT_APPLICABLE] == [
        "Deleted nodes are gone",
        "Reservations are found, and not about to end",
        "No volume outlives a destroy",
        "No snapshot outlives a destroy",
    ]
    assert not any(check.do for check in checks)


def test_names_of_checks_are_unique() -> None:
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS)


# --- What others wrote ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_missing_right_takes_the_checks_away_that_need_it_and_is_named(question: Question) -> None:
    optional = {
        "zones",
        "default_quotas",
        "instances",
        "reservations",
    }  # they improve the words, or are asked for only if something needs them
    optional |= {
        nodes.deleted: {"pods"},
        nodes.drift: {"pods", "events"},
        capacity.offerings: {"nodeclasses"},
        capacity.scores: {"offerings"},
        removal.load_balancers: {"cluster"},
        capacity.reservations: {"nodeclasses"},
    }.get(question, set())
    for name in set(question.of) - optional:
        gone = {key: Missing(right=f"right-of-{name}") for key in healthy() if key.partition("/")[0] == name}
        check = question.ask(facts(missing=gone))
        assert (check.verdict, check.figure) == (CANNOT_BE_TOLD, f"the right right-of-{name} is missing")
        assert check.do == f"Allow right-of-{name}: docs/doctor.md#rights."


def test_a_call_that_failed_is_told_in_its_own_words() -> None:
    check = nodes.ready.ask(facts(missing={"nodes": Missing(said="connection refused")}))
    assert (check.verdict, check.figure) == (CANNOT_BE_TOLD, "connection refused")


def paths(thing: Any) -> Iterator[tuple[str | int, ...]]:
    yield ()
    children = thing.items() if isinstance(thing, dict) else list(enumerate(thing))[:2] if isinstance(thing, list) else ()
    for key, child in children:
        for path in paths(child):
            yield (key, *path)


def replaced(thing: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    copy = deepcopy(thing)
    inside = copy
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return copy


STRANGE: tuple[Any, ...] = (None, 5, "?", [None], {})


@pytest.mark.slow
@pytest.mark.parametrize("name", healthy())
def test_objects_that_lack_anything_or_have_another_shape_never_raise(name: str) -> None:
    """Whatever stands in an answer is replaced in turn. A value that is missing needs no net: the question itself copes."""
    answers = healthy()
    asked = [question for question in QUESTIONS if name.partition("/")[0] in question.of]
    for path in paths(answers[name]):
        for value in STRANGE:
            strange = facts({name: replaced(answers[name], path, value)})
            list(further(strange))
            for question in asked:
                check = question.ask(strange)
                assert isinstance(check.verdict, Verdict)
                if value is None:
                    assert "shape" not in check.figure, (name, path, words(check))


def test_an_answer_of_an_unknown_shape_is_asked_for() -> None:
    def breaks(_: Facts) -> Any:
        raise TypeError

    check = Question("odd", ("nodes",), breaks).ask(facts())
    assert check.verdict is CANNOT_BE_TOLD
    assert check.do == "Please file an issue with the output of kubectl get nodes."


@pytest.mark.parametrize("kind", ["nodes", "nodepools", "nodeclasses", "nodeclaims", "pods"])
def test_an_object_without_a_status_is_noticed(kind: str) -> None:
    for number, one in enumerate(healthy()[kind]["items"]):
        if one["metadata"].get("namespace", "kube-system") == "kube-system":
            gone = replaced(healthy()[kind], ("items", number, "status"), None)
            verdicts = {check.verdict for check in examine(facts({kind: gone}))}
            assert CANNOT_BE_TOLD in verdicts, one["metadata"]["name"]


@pytest.mark.parametrize(
    ("question", "name", "strange"),
    [
        (nodes.ready, "nodes", items(item("n"))),
        (nodes.bottlerocket, "nodes", items(item("n"))),
        (pools.QUESTIONS[0], "nodepools", items(item("p"))),
        (pools.QUESTIONS[1], "nodeclasses", items(item("c"))),
        (pools.launches, "nodeclaims", items(item("c"))),
        (nodes.expiry, "nodeclaims", items({"metadata": {"name": "c"}})),
        (system.control_plane, "cluster", {"cluster": {}}),
        (system.addons, "addon/coredns", {"addon": {}}),
        (system.pods, "pods", items(item("p", namespace="kube-system"))),
        (versions.support, "cluster", {"cluster": {"version": "1.99"}}),
        (versions.QUESTIONS[1], "pods", items(pod("karpenter-1", image="registry/karpenter:main", app="karpenter"))),
    ],
    ids=lambda value: value.name if isinstance(value, Question) else "",
)
def test_a_missing_status_is_no_verdict(question: Question, name: str, strange: Any) -> None:
    says(question, CANNOT_BE_TOLD, **{name: strange})


# --- The calls -----------------------------------------------------------------------------------------------------------------


def test_every_call_only_reads() -> None:
    reserved = node_class("gpu", capacityReservations=[{"id": "cr-1"}])
    all_facts = facts(nodeclasses=items(node_class("default"), reserved))
    calls = [*of_cluster("gpu-zz9x"), *further(all_facts)]
    assert len({call.name for call in calls}) == len(calls)
    assert {call.name for call in calls} - {"reservations"} == healthy().keys() - {"reach"}
    verbs = {(call.program, *(call.arguments[:2] if call.program == "aws" else call.arguments[:1])) for call in calls}
    assert verbs == {
        ("kubectl", "get"),
        ("kubectl", "logs"),
        ("aws", "eks", "describe-cluster"),
        ("aws", "eks", "list-addons"),
        ("aws", "eks", "describe-addon"),
        ("aws", "eks", "list-nodegroups"),
        ("aws", "eks", "describe-nodegroup"),
        ("aws", "ec2", "describe-instances"),
        ("aws", "ec2", "describe-availability-zones"),
        ("aws", "ec2", "describe-instance-type-offerings"),
        ("aws", "ec2", "get-spot-placement-scores"),
        ("aws", "ec2", "describe-capacity-reservations"),
        ("aws", "ec2", "describe-network-interfaces"),
        ("aws", "service-quotas", "list-service-quotas"),
        ("aws", "service-quotas", "list-aws-default-service-quotas"),
    }


@pytest.mark.parametrize(
    "command",
    [
        "kubectl delete nodeclaims",
        "kubectl apply -f x",
        "kubectl get secrets",
        "kubectl get nodes,secrets",
        "kubectl get --raw=/api/v1/secrets",
        "kubectl exec karpenter",
        "aws ec2 terminate-instances",
        "aws ec2 create-fleet",
        "aws eks update-addon",
        "aws sts get-session-token",
        "aws eks get-token",
        "aws ec2 get-password-data",
        "aws secretsmanager get-secret-value",
        "aws ssm get-parameter",
    ],
)
def test_a_call_that_changes_something_or_shows_a_secret_cannot_be_made(command: str) -> None:
    program, *arguments = command.split()
    with pytest.raises(ValueError, match=r"^A check must only read \(got "):
        Call("x", program, tuple(arguments))  # type: ignore[arg-type]


def test_scores_are_asked_for_the_nodes_that_the_limit_allows() -> None:
    (call,) = [call for call in further(facts()) if call.name == "scores/gpu-spot"]
    assert " ".join(call.arguments) == (
        "ec2 get-spot-placement-scores --single-availability-zone --region-names us-west-2 --target-capacity 4 "
        "--instance-types p5.48xlarge p5en.48xlarge p5e.48xlarge"
    )


def test_without_pools_nothing_is_asked_about_types() -> None:
    gone = facts(missing={"nodepools": Missing(right="AdminView")})
    assert [call.name for call in further(gone)] == ["addon/coredns", "nodegroup/karpenter", "interfaces"]


def test_without_node_classes_the_types_of_pools_are_asked_all_the_same() -> None:
    gone = facts(missing={"nodeclasses": Missing(right="AdminView")})
    assert {"offerings", "scores/gpu-spot"} <= {call.name for call in further(gone)}


# --- The system ----------------------------------------------------------------------------------------------------------------


def test_an_api_that_does_not_answer_fails_and_one_that_refuses_passes() -> None:
    silent = facts(missing={"reach": Missing(said="kubectl get --raw=/version failed: i/o timeout")})
    assert system.api.ask(silent).verdict is FAILED
    says(system.api, PASSED, "v1.36.1-eks-0123456")
    says(system.api, PASSED, reach={})


def test_issues_of_the_control_plane_are_named() -> None:
    issues = [{"code": "KMS_KEY_NOT_FOUND", "message": "the key is gone", "resourceIds": ["k"]}]
    broken = {"cluster": {"status": "ACTIVE", "health": {"issues": issues}}}
    says(system.control_plane, FAILED, "The cluster is ACTIVE: KMS_KEY_NOT_FOUND: the key is gone", cluster=broken)


def test_a_degraded_add_on_fails_with_eks_words() -> None:
    issues = [
        {"code": "InsufficientNumberOfReplicas", "message": "The add-on is unhealthy because it doesn't have the desired replicas"}
    ]
    degraded = {"addon": {"status": "DEGRADED", "health": {"issues": issues}}}
    says(system.addons, FAILED, "1 of 1 add-on", "coredns is DEGRADED: InsufficientNumberOfReplicas", **{"addon/coredns": degraded})


def test_an_add_on_that_changes_is_no_verdict() -> None:
    says(system.addons, CANNOT_BE_TOLD, "coredns is UPDATING", **{"addon/coredns": {"addon": {"status": "UPDATING"}}})


def test_an_issue_counts_also_while_the_thing_changes() -> None:
    issue = {"status": "UPDATING", "health": {"issues": [{"code": "KmsKeyDisabled"}]}}
    says(system.control_plane, FAILED, "The cluster is UPDATING: KmsKeyDisabled", cluster={"cluster": issue})


def test_a_node_group_that_launches_nothing_is_named_with_the_reason() -> None:
    issues = [{"code": "Ec2LaunchTemplateNotFound", "message": "gone", "resourceIds": ["lt-1"]}]
    degraded = {"nodegroup": {"status": "DEGRADED", "health": {"issues": issues}}}
    said = "karpenter is DEGRADED: Ec2LaunchTemplateNotFound: gone"
    says(system.node_groups, FAILED, "1 of 1 node group", said, **{"nodegroup/karpenter": degraded})


def test_an_answer_that_is_missing_hides_nothing_about_other_things() -> None:
    lacks = Missing(said="aws eks describe-addon failed: Rate exceeded")
    degraded = {"addon/vpc-cni": {"addon": {"status": "DEGRADED"}}}
    check = system.addons.ask(facts(degraded, {"addon/coredns": lacks}))
    assert (check.verdict, check.found) == (FAILED, ("vpc-cni is DEGRADED", f"coredns: {lacks.said}."))

    names = ("a", "b")
    many = {name: pool(name, "gpu", {"node.kubernetes.io/instance-type": made.TYPES}) for name in names}
    refused = Missing(said="aws ec2 get-spot-placement-scores failed: MaxConfigLimitExceeded")
    low = {"nodepools": items(*many.values()), "scores/a": made.scores(usw2_az1=1)}
    check = capacity.scores.ask(facts(low, {"scores/b": refused}))
    assert check.verdict is FAILED
    assert {"a: the best score is 1.", f"b: {refused.said}."} <= set(check.found)


def waiting(reason: str, restarts: int = 7) -> Any:
    broken = pod("coredns-2")
    broken["status"]["conditions"][-1] = condition("Ready", "False", "ContainersNotReady")
    broken["status"]["containerStatuses"][0] |= {
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": "back-off 5m0s"}},
        "lastState": {"terminated": {"reason": "OOMKilled"}},
    }
    return broken


def test_a_pod_that_crashes_is_named_with_what_ended_it() -> None:
    says(
        system.pods,
        FAILED,
        "1 of 1 kube-system pod",
        "kube-system/coredns-2: main is in CrashLoopBackOff, 7 restarts (back-off 5m0s, last ended with OOMKilled)",
        "kubectl -n kube-system describe pod",
        pods=items(waiting("CrashLoopBackOff"), pod("mine", "jobs")),
    )


def test_a_pod_of_somebody_else_is_not_examined() -> None:
    mine = waiting("CrashLoopBackOff")
    mine["metadata"]["namespace"] = "jobs"
    says(system.pods, PASSED, pods=items(mine, pod("coredns-1")))


@pytest.mark.parametrize(("age", "verdict"), [(0.08, CANNOT_BE_TOLD), (0.09, FAILED)])  # five minutes are between
def test_a_pod_that_cannot_be_scheduled_fails_when_it_had_time(age: float, verdict: Verdict) -> None:
    pending = pod("coredns-1", age=age)
    scheduled = condition("PodScheduled", "False", "Unschedulable", "0/2 nodes are available")
    pending["status"] = {"phase": "Pending", "conditions": [scheduled]}
    says(system.pods, verdict, "PodScheduled is False, Unschedulable: 0/2 nodes are available", pods=items(pending))


def test_a_pod_that_restarted_often_and_lately_fails_though_it_is_ready() -> None:
    flaky = pod("coredns-1")
    flaky["status"]["containerStatuses"][0] |= {"restartCount": 5, "lastState": {"terminated": {"finishedAt": ago(minutes=5)}}}
    says(system.pods, FAILED, "main restarted 5 times, last at 11:55 UTC", pods=items(flaky))


def test_karpenter_must_have_a_ready_pod() -> None:
    says(system.karpenter, FAILED, "0 of 0 pods ready", "kubectl -n kube-system describe deployment karpenter", pods=items())
    elsewhere = items(pod("karpenter-1", "mine", app="karpenter"), pod("other-1"))
    says(system.karpenter, FAILED, "0 of 0 pods ready", pods=elsewhere)


REFUSALS = [
    (
        '{"time":"2026-11-26T11:58:00.000Z","error":"creating instance, operation error EC2: CreateFleet, https response error '
        "StatusCode: 403, RequestID: 1, api error UnauthorizedOperation: You are not authorized to perform this operation. User: "
        'arn:aws:sts::123456789012:assumed-role/k/s is not authorized to perform: ec2:CreateFleet on resource: fleet/*"}',
        "ec2:CreateFleet: 2 times, last at 11:58 UTC",
    ),
    (
        '{"time":"2026-11-26T11:58:00.000Z","error":"getting pricing data, operation error Pricing: GetProducts, https response '
        'error StatusCode: 400, RequestID: , AccessDeniedException: no (aws-operation-name=GetProducts)"}',
        "pricing:GetProducts: 2 times",
    ),
    (
        '{"ts":"2026-11-26T11:58:00Z","error":"operation error Elastic Load Balancing v2: CreateLoadBalancer, '
        'api error AccessDenied: no"}',
        "elasticloadbalancingv2:CreateLoadBalancer: 2 times, last at 11:58 UTC",
    ),
    ("AccessDenied", "a call that the log does not name: 2 times"),
]


@pytest.mark.parametrize(("line", "expected"), REFUSALS)
@pytest.mark.parametrize(
    ("name", "log"), [("Karpenter", "karpenter_log"), ("the load balancer controller", "load_balancer_controller_log")]
)
def test_refused_calls_are_counted_by_action(line: str, expected: str, name: str, log: str) -> None:
    quiet = healthy()[log]
    question = named(f"AWS refuses no call of {name}")
    says(question, FAILED, "2 refused in the last hour", expected, f"in the role of {name}", **{log: f"{line}\n{quiet}{line}\n"})


def test_a_log_without_lines_is_not_applicable() -> None:
    says(named("AWS refuses no call of Karpenter"), NOT_APPLICABLE, karpenter_log="")


# --- Pools and NodeClaims ------------------------------------------------------------------------------------------------------


def test_a_node_class_that_is_not_ready_shows_the_conditions_that_are_not_true() -> None:
    broken = node_class("gpu")
    broken["status"]["conditions"] = [
        condition("SubnetsReady", "False", "SubnetsNotFound", "SubnetSelector did not match any Subnets"),
        condition("AMIsReady"),
        condition("Ready", "False", "UnhealthyDependents", "SubnetsReady=False"),
    ]
    check = says(
        named("Node classes are READY"),
        FAILED,
        "1 of 2 node classes",
        "gpu: SubnetsReady is False, SubnetsNotFound: SubnetSelector did not match any Subnets",
        nodeclasses=items(broken, node_class("default")),
    )
    assert "UnhealthyDependents" not in words(check)


def test_a_pool_that_is_not_ready_without_a_reason_shows_ready_itself() -> None:
    broken = pool("gpu-spot", "gpu", {})
    broken["status"]["conditions"] = [condition("Ready", "Unknown", "AwaitingReconciliation")]
    says(named("Pools are READY"), FAILED, "gpu-spot: Ready is Unknown, AwaitingReconciliation", nodepools=items(broken))


@pytest.mark.parametrize(
    ("conditions", "age", "verdict"),
    [
        ([condition("Launched", "Unknown", "AwaitingReconciliation")], 30, PASSED),
        ([condition("Launched", "Unknown", "AwaitingReconciliation")], 300, FAILED),
        ([condition("Launched", "Unknown", "LaunchFailed", "VcpuLimitExceeded: You have requested more vCPU")], 5, FAILED),
        ([condition("Launched", "Unknown", "Unauthorized", "no identity-based policy allows it")], 5, FAILED),
        ([condition("Launched"), condition("Registered", "Unknown", "NodeNotFound")], 300, PASSED),
        ([condition("Launched"), condition("Registered", "Unknown", "NodeNotFound")], 500, FAILED),
    ],
)
def test_a_claim_fails_when_it_waits_for_too_long(conditions: list[Any], age: int, verdict: Verdict) -> None:
    waits = claim("gpu-spot-x2", conditions=conditions, age=age / 3600)
    check = pools.launches.ask(facts(nodeclaims=items(waits)))
    assert check.verdict is (CANNOT_BE_TOLD if verdict is PASSED else verdict)
    assert f"gpu-spot-x2 (gpu-spot), {age} s old: {conditions[-1]['type']} is Unknown" in words(check)


@pytest.mark.parametrize(
    ("message", "do"),
    [
        ("VcpuLimitExceeded: You have requested more vCPU capacity", "An on-demand quota is too small: docs/pending.md#4-quotas."),
        ("MaxSpotInstanceCountExceeded: Max spot instance count exceeded", "A Spot quota is too small"),
        (
            "ServiceLinkedRoleCreationNotPermitted: not permitted",
            "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
        ),
        ("UnfulfillableCapacity: Unable to fulfill capacity", "EC2 has none at the moment."),
        ("all requested instance types were unavailable during launch", "or a quota is full"),
    ],
)
def test_attempts_that_karpenter_gave_up_show_what_ec2_said(message: str, do: str) -> None:
    attempts = [event("InsufficientCapacityError", f"NodeClaim gpu-spot-{n} event: {message}", minutes=n) for n in (1, 2, 3)]
    says(
        pools.launches,
        FAILED,
        "0 of 1 NodeClaims wait, 3 attempts failed in the last 15 minutes",
        f"InsufficientCapacityError: {message} (3 times in the last 15 minutes)",
        do,
        events=items(*attempts),
    )


def test_attempts_that_failed_before_are_only_mentioned() -> None:
    old = event("InsufficientCapacityError", "NodeClaim a event: none", minutes=40)
    says(pools.launches, PASSED, "1 attempt failed earlier in the last hour", events=items(old))


@pytest.mark.parametrize(("minutes", "verdict"), [(8, PASSED), (4, FAILED)])
def test_attempts_count_until_the_pool_gets_a_node(minutes: float, verdict: Verdict) -> None:
    failed = event("InsufficientCapacityError", "none", minutes=minutes) | {"involvedObject": {"name": "gpu-spot-x0"}}
    says(pools.launches, verdict, nodeclaims=items(claim("gpu-spot-x1", age=0.1)), events=items(failed))


# --- Nodes ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "verdict"), [(0.08, CANNOT_BE_TOLD), (0.09, FAILED)])  # five minutes are between
def test_a_node_that_is_not_ready_fails_when_it_had_time_to_join(age: float, verdict: Verdict) -> None:
    says(nodes.ready, verdict, "n: Ready is Unknown", nodes=items(node("n", ready="Unknown", age=age)))


def gpu_node(image: str) -> Any:
    return node("n", image, labels={"karpenter.sh/nodepool": "gpu-spot", "karpenter.k8s.aws/ec2nodeclass": "gpu"})


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        (node("n", "Amazon Linux 2023"), FAILED, "n runs Amazon Linux 2023, and not Bottlerocket."),
        (gpu_node("Bottlerocket OS 1.60.0 (aws-k8s-1.35-nvidia)"), FAILED, "n runs 1.60.0, and node class gpu asks for 1.62.0."),
        (gpu_node("Bottlerocket OS 1.62.0 (aws-k8s-1.35-nvidia)"), PASSED, "1 node: 1 on 1.62.0"),
        (gpu_node("Bottlerocket"), CANNOT_BE_TOLD, "n runs an unknown release"),
        (node("n", "Bottlerocket OS 1.60.0 (aws-k8s-1.35)"), PASSED, "1 node: 1 on 1.60.0"),
    ],
)
def test_nodes_of_a_class_with_a_release_must_run_it(found: Any, verdict: Verdict, said: str) -> None:
    says(nodes.bottlerocket, verdict, said, nodes=items(found))


@pytest.mark.parametrize(
    ("age", "expires", "verdict", "said"),
    [
        (700, "720h", PASSED, "1 Karpenter node, the oldest 700 h"),
        (730, "720h", FAILED, "is 730 h old, and expired after 720h: its pods keep it."),
        (730, "Never", FAILED, "the pool says 720h, and the node was made with Never."),
        (730, "soon", FAILED, "the pool says 720h, and the node was made with soon."),
        (700, "soon", PASSED, "the oldest 700 h"),
        (730, "2000h", FAILED, "the pool says 720h, and the node was made with 2000h."),
    ],
)
def test_nodes_older_than_the_expiry_are_named(age: float, expires: str, verdict: Verdict, said: str) -> None:
    says(nodes.expiry, verdict, said, nodeclaims=items(claim("gpu-spot-x1", age=age, expires=expires)))


def drifted(budgets: list[Any], *on_node: Any, **spec: Any) -> dict[str, Any]:
    moved = claim("gpu-spot-x1", conditions=[condition("Drifted", reason="NodeClassDrift")])
    moved["spec"] |= spec
    return {
        "nodeclaims": items(moved),
        "nodepools": items(pool("gpu-spot", "gpu", {}, disruption={"budgets": budgets})),
        "pods": items(*on_node),
    }


NEVER = [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}]


def test_a_drifted_node_that_a_budget_holds_back_shows_how_to_release_it_and_what_that_does() -> None:
    daemon = pod("agent", at="gpu-0", ownerReferences=[{"kind": "DaemonSet"}])
    kept = pod("train-1", "jobs", at="gpu-0", annotations={"karpenter.sh/do-not-disrupt": "true"})
    on_node = (daemon, kept, pod("train-0", "jobs", at="gpu-0"), pod("elsewhere", "jobs", at="gpu-1"))
    says(
        nodes.drift,
        FAILED,
        "gpu-0 (gpu-spot-x1, pool gpu-spot): NodeClassDrift. The budget of the pool allows no replacement.",
        "Its deletion evicts 2 pods: jobs/train-1, jobs/train-0; waits without end for jobs/train-1 (do-not-disrupt).",
        "When its jobs are done, release a node: kubectl delete nodeclaim gpu-spot-x1",
        **drifted(NEVER, *on_node),
    )
    says(nodes.drift, FAILED, "waits at most 60s for jobs/train-1", **drifted(NEVER, kept, terminationGracePeriod="60s"))
    says(nodes.drift, FAILED, "Its deletion ends no pod but those of daemon sets.", **drifted(NEVER, daemon))


def test_a_drifted_node_that_waits_for_its_turn_passes() -> None:
    says(
        nodes.drift,
        PASSED,
        "1 drifted of 1 Karpenter node",
        "Karpenter replaces 10% of the pool's nodes at a time.",
        **drifted([{"nodes": "10%"}]),
    )
    window = [{"nodes": "0", "schedule": "0 6 * * *", "duration": "20h"}]
    says(nodes.drift, PASSED, "between 02:00 and 06:00 UTC", **drifted(window))


def test_of_many_drifted_nodes_the_commands_of_some_show_the_way() -> None:
    held = drifted(NEVER)
    (one,) = held["nodeclaims"]["items"]
    held["nodeclaims"]["items"] = [{**one, "metadata": {**one["metadata"], "name": f"gpu-spot-{n}"}} for n in range(1000)]
    check = says(nodes.drift, FAILED, "release a node: kubectl delete nodeclaim gpu-spot-0; ", "gpu-spot-4; …. ", **held)
    assert len(check.found) == 1000
    assert len(check.do) < 400


def test_a_drifted_node_without_its_pool_is_no_verdict() -> None:
    says(nodes.drift, CANNOT_BE_TOLD, "The budgets of the pool are unknown.", **drifted(NEVER) | {"nodepools": items()})


@pytest.mark.parametrize(("reason", "verdict"), [("RegistrationFailed", FAILED), ("LaunchTimeout", CANNOT_BE_TOLD)])
def test_a_pool_is_named_whose_nodes_do_not_join(reason: str, verdict: Verdict) -> None:
    ready = pool("a", "gpu", {})
    ready["status"]["conditions"][0] = condition("NodeRegistrationHealthy", "False", reason, "Failed to register node")
    says(named("Pools are READY"), verdict, f"a: NodeRegistrationHealthy is False, {reason}: Failed", nodepools=items(ready))


def test_without_pools_or_node_classes_karpenter_launches_nothing() -> None:
    says(named("Pools are READY"), FAILED, "no pools", "make plan", nodepools=items())
    says(named("Node classes are READY"), FAILED, "no node classes", nodeclasses=items())


CREDENTIALS = [
    "operation error EC2: DescribeImages, get identity: failed to refresh cached credentials, no EC2 IMDS role found",
    "operation error EC2: DescribeImages, https response error StatusCode: 401, api error AuthFailure: not able to validate",
    "operation error EC2: DescribeImages, api error ExpiredToken: The security token included in the request is expired",
]


@pytest.mark.parametrize("said", CREDENTIALS)
def test_credentials_that_are_missing_or_expired_are_refusals_too(said: str) -> None:
    check = says(named("AWS refuses no call of Karpenter"), FAILED, karpenter_log=f'{{"level":"ERROR","error":"{said}"}}\n')
    assert check.found == ("ec2:DescribeImages: 1 times",)


def broken_node(**given: Any) -> Any:
    made_of = node("gpu-0", age=given.pop("age", 2))
    made_of["status"]["conditions"] += [condition(kind, status, "Why", "words") for kind, status in given.items()]
    return made_of


@pytest.mark.parametrize(
    "kind", ["AcceleratedHardwareReady", "ContainerRuntimeReady", "KernelReady", "NetworkingReady", "StorageReady"]
)
def test_a_node_that_is_ready_is_broken_where_its_monitoring_agent_says_so(kind: str) -> None:
    says(nodes.ready, FAILED, f"gpu-0: {kind} is False, Why: words", nodes=items(broken_node(**{kind: "False"})))
    says(nodes.ready, PASSED, nodes=items(broken_node(**{kind: "True"})))


def test_a_node_under_pressure_evicts_pods_and_fails() -> None:
    says(nodes.ready, FAILED, "gpu-0: DiskPressure is True", nodes=items(broken_node(DiskPressure="True", MemoryPressure="False")))


def test_gpus_that_cannot_be_used_fail_unless_the_node_has_just_joined() -> None:
    some = {"capacity": {"nvidia.com/gpu": "8"}, "allocatable": {"nvidia.com/gpu": "7"}}
    for age, verdict in ((2, FAILED), (0.05, CANNOT_BE_TOLD)):
        old = broken_node(age=age)
        old["status"] |= some
        says(nodes.ready, verdict, "gpu-0: 7 of 8 GPUs can be used", nodes=items(old))
    whole = broken_node()
    whole["status"] |= some | {"allocatable": {"nvidia.com/gpu": "8"}}
    says(nodes.ready, PASSED, nodes=items(whole))


def test_nodes_of_fargate_and_nodes_on_their_way_out_need_not_run_bottlerocket() -> None:
    fargate = node("fargate-1", "Amazon Linux 2", labels={"eks.amazonaws.com/compute-type": "fargate"})
    leaving = node("old", "Amazon Linux 2")
    leaving["metadata"]["deletionTimestamp"] = ago(minutes=1)
    says(nodes.bottlerocket, PASSED, "1 node: 1 on 1.62.0", nodes=items(node("group-0"), fargate, leaving))


def test_a_node_class_may_ask_for_another_image() -> None:
    other = node("a", "Amazon Linux 2023.6", labels={"karpenter.sh/nodepool": "x", "karpenter.k8s.aws/ec2nodeclass": "gpu"})
    says(nodes.bottlerocket, PASSED, nodes=items(other), nodeclasses=items(node_class("gpu", "al2023@latest")))
    says(nodes.bottlerocket, FAILED, "a runs Amazon Linux 2023.6, and not Bottlerocket", nodes=items(other))


def test_a_node_that_has_just_expired_drains() -> None:
    says(nodes.expiry, CANNOT_BE_TOLD, "expired after 720h: it drains", nodeclaims=items(claim("a", age=720.1)))
    says(nodes.expiry, FAILED, "expired after 720h: its pods keep it", nodeclaims=items(claim("a", age=721)))


def leaving(hours: float, grace: str = "") -> dict[str, Any]:
    gone = claim("gpu-spot-x1", deletionTimestamp=ago(hours=hours), conditions=[condition("Drained", "Unknown", "Draining")])
    gone["spec"] |= {"terminationGracePeriod": grace} if grace else {}
    return items(gone)


def test_a_node_that_was_deleted_and_stays_fails_with_what_keeps_it() -> None:
    said = "gpu-0 (gpu-spot-x1) was deleted 120 minutes ago: Drained is Unknown, Draining. Pods there: jobs/train-0."
    says(nodes.deleted, FAILED, said, "kubectl describe nodeclaim", nodeclaims=leaving(2))
    check = nodes.deleted.ask(facts(missing={"pods": Missing(right="AdminView")}, nodeclaims=leaving(2)))
    assert check.verdict is FAILED
    assert "Which pods keep it cannot be told: the right AdminView is missing." in check.found[0]


def test_a_node_may_drain_for_an_hour_or_as_long_as_its_grace_period() -> None:
    says(nodes.deleted, PASSED, "was deleted 30 minutes ago", nodeclaims=leaving(0.5))
    says(nodes.deleted, PASSED, "was deleted 300 minutes ago", nodeclaims=leaving(5, "24h"))
    says(nodes.deleted, FAILED, nodeclaims=leaving(25, "24h"))


def blocked(message: str, minutes: float = 1) -> dict[str, Any]:
    said = event("DisruptionBlocked", message, minutes=minutes) | {"involvedObject": {"name": "gpu-spot-x1"}}
    return items(said)


@pytest.mark.parametrize(
    ("message", "minutes", "grace", "verdict"),
    [
        ('Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=jobs/train-0)', 1, "", FAILED),
        ("Pdb prevents pod evictions (PodDisruptionBudget=[jobs/train])", 1, "", FAILED),
        ("Pdb prevents pod evictions (PodDisruptionBudget=[jobs/train])", 30, "", PASSED),
        ("Pdb prevents pod evictions (PodDisruptionBudget=[jobs/train])", 1, "24h", PASSED),
        ("Node is nominated for a pending pod", 1, "", PASSED),
    ],
)
def test_a_drifted_node_that_its_pods_keep_fails_in_karpenters_words(
    message: str, minutes: float, grace: str, verdict: Verdict
) -> None:
    changed = drifted([{"nodes": "10%"}])
    changed["nodeclaims"]["items"][0]["spec"] |= {"terminationGracePeriod": grace} if grace else {}
    check = says(nodes.drift, verdict, events=blocked(message, minutes), **changed)
    assert (f"Karpenter does not replace it: {message}. It waits without end." in words(check)) is (verdict is FAILED)


def test_without_events_what_keeps_a_drifted_node_is_no_verdict() -> None:
    check = nodes.drift.ask(facts(drifted([{"nodes": "10%"}]), {"events": Missing(right="AdminView")}))
    assert check.verdict is CANNOT_BE_TOLD
    assert "Whether its pods keep it cannot be told" in check.found[0]


# --- Versions ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "verdict", "said"),
    [
        ("1.33", FAILED, "The control plane costs $0.60 an hour instead of $0.10."),
        ("1.34", PASSED, "6 days are left"),
        ("1.36", PASSED, "1.36, until 2027-08-02"),
    ],
)
def test_kubernetes_must_be_in_standard_support(version: str, verdict: Verdict, said: str) -> None:
    says(versions.support, verdict, said, cluster={"cluster": {"version": version}})


def test_after_extended_support_eks_upgrades_by_itself() -> None:
    old = replace(facts({"cluster": {"cluster": {"version": "1.33"}}}), now=datetime(2027, 8, 1, tzinfo=UTC))
    check = versions.support.ask(old)
    assert (check.verdict, check.figure) == (FAILED, "1.33, extended support ended on 2027-07-29")


def test_karpenter_must_fit_kubernetes() -> None:
    old = pod("karpenter-1", image="public.ecr.aws/karpenter/controller:1.6.0", app="karpenter")
    says(versions.QUESTIONS[1], FAILED, "karpenter_version must support Kubernetes 1.36 (got 1.6.0", pods=items(old))


def test_a_newer_release_of_the_same_minor_version_is_mentioned() -> None:
    old = pod("karpenter-1", image="public.ecr.aws/karpenter/controller:1.13.0", app="karpenter")
    says(versions.QUESTIONS[1], PASSED, "The program knows 1.13.1 of this minor version.", pods=items(old))


def test_a_load_balancer_controller_that_crashes_is_named_and_none_is_not_applicable() -> None:
    broken = pod("c", image="eks/aws-load-balancer-controller:v3.2.0", app="aws-load-balancer-controller")
    says(versions.QUESTIONS[2], FAILED, "load_balancer_controller_version must not be 3.2.0", pods=items(broken))
    says(versions.QUESTIONS[2], NOT_APPLICABLE, pods=items())


@pytest.mark.parametrize("release", ["1.15.0", "2.0.0"])
def test_a_release_that_is_newer_than_the_program_is_no_verdict(release: str) -> None:
    new = pod("karpenter-1", image=f"public.ecr.aws/karpenter/controller:{release}", app="karpenter")
    says(versions.QUESTIONS[1], CANNOT_BE_TOLD, f"{release} is newer than this program, which knows 1.14.1", pods=items(new))


def test_a_kubernetes_older_than_the_table_is_out_of_standard_support() -> None:
    says(versions.support, FAILED, "1.31, older than 1.33", "docs/upgrading.md", cluster={"cluster": {"version": "1.31"}})
    says(versions.support, CANNOT_BE_TOLD, "does not have Kubernetes 1.99", cluster={"cluster": {"version": "1.99"}})


# --- Capacity ------------------------------------------------------------------------------------------------------------------


def test_limits_are_summed_for_each_quota() -> None:
    check = says(capacity.quotas, PASSED, "3 quotas")
    assert check.found == (
        f"{made.SPOT_P5}: 768 vCPUs; limits gpu-spot 768",
        f"{made.SPOT_STANDARD}: 1,000 vCPUs; limits default 1,000",
        f"{made.STANDARD}: 1,152 vCPUs; limits default 1,000; other instances use 2",
    )


def test_a_quota_below_the_limits_fails_with_the_sum() -> None:
    two = [
        pool(
            name,
            "gpu",
            {"node.kubernetes.io/instance-type": ["p5.48xlarge"], "karpenter.sh/capacity-type": ["spot"]},
            limits=limits,
        )
        for name, limits in (("a", {"nvidia.com/gpu": "32"}), ("b", {"nodes": 2}))
    ]
    says(capacity.quotas, FAILED, f"{made.SPOT_P5}: 768 vCPUs; limits a 768 + b 384 = 1,152", nodepools=items(*two))


def test_a_quota_that_the_smallest_node_exceeds_fails_also_without_a_limit() -> None:
    unlimited = pool("a", "gpu", {"node.kubernetes.io/instance-type": ["p5.48xlarge"], "karpenter.sh/capacity-type": ["spot"]})
    said = f"{made.SPOT_P5}: 96 vCPUs; limits a no limit. The smallest node needs 192."
    says(capacity.quotas, FAILED, said, nodepools=items(unlimited), quotas=made.quotas(**{made.SPOT_P5: 96.0}))


def test_what_else_runs_in_the_account_leaves_less_of_a_quota() -> None:
    """The pools' own instances are in their limits; capacity blocks, and types that the program does not know, do not count."""
    mine, block = ["p5.48xlarge", "spot", "owned", "gpu-spot"], ["p5.48xlarge", "capacity-block", None, None]
    says(capacity.quotas, PASSED, "limits gpu-spot 768 |", instances=[mine, block, ["x.large", None, None, None], None])
    other = ["p5.48xlarge", "spot", None, "gpu-spot"]  # a pool of another cluster may have the same name
    says(capacity.quotas, FAILED, "limits gpu-spot 768; other instances use 192", instances=[mine, other])
    much = [["p5.48xlarge", "spot", None, None]] * 4
    says(capacity.quotas, FAILED, "other instances use 768. The smallest node needs 192.", instances=much)


def test_without_the_instances_the_quotas_alone_count_and_that_is_said() -> None:
    check = capacity.quotas.ask(facts(missing={"instances": Missing(right="ec2:DescribeInstances")}))
    assert check.verdict is PASSED
    assert check.found[-1] == "What else runs is not counted: the right ec2:DescribeInstances is missing."


def test_a_quota_of_just_the_limit_suffices() -> None:
    one = pool("a", "gpu", {"node.kubernetes.io/instance-type": ["p5.48xlarge"], "karpenter.sh/capacity-type": ["spot"]})
    one["spec"]["limits"] = {"nvidia.com/gpu": 8}
    says(capacity.quotas, PASSED, "192 vCPUs; limits a 192", nodepools=items(one), quotas=made.quotas(**{made.SPOT_P5: 192.0}))


def test_requirements_on_one_label_hold_together() -> None:
    twice = pool("a", "gpu", {"node.kubernetes.io/instance-type": ["p5.48xlarge", "p4d.24xlarge"]})
    narrower = {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["p5.48xlarge"]}
    twice["spec"]["template"]["spec"]["requirements"].append(narrower)
    (found,) = pools_of(facts(nodepools=items(twice)))
    assert found.types == ("p5.48xlarge",)


@pytest.mark.parametrize(
    ("kind", "market", "expected"),
    [
        ("p5en.48xlarge", "spot", made.SPOT_P5),
        ("p4d.24xlarge", "spot", "All P4, P3 and P2 Spot Instance Requests"),
        ("p5.48xlarge", "on-demand", "Running On-Demand P instances"),
        ("p6-b200.48xlarge", "on-demand", "Running On-Demand P instances"),
        ("p6-b200.48xlarge", "spot", ""),  # AWS documents no name for it, so the account's own list decides
        ("g6e.xlarge", "spot", "All G and VT Spot Instance Requests"),
        ("gr6.4xlarge", "on-demand", "Running On-Demand G and VT instances"),
        ("m7i.large", "on-demand", made.STANDARD),
    ],
)
def test_the_names_of_quotas_say_which_types_count(kind: str, market: str, expected: str) -> None:
    known = {one["QuotaName"]: one["Value"] for one in made.quotas()["Quotas"]}
    assert capacity._quota_of(known, kind, market) == expected


def test_a_type_that_no_quota_names_is_no_verdict() -> None:
    p6 = pool("a", "gpu", {"node.kubernetes.io/instance-type": ["p6-b200.48xlarge"], "karpenter.sh/capacity-type": ["spot"]})
    says(capacity.quotas, CANNOT_BE_TOLD, "a: no spot quota names p6-b200.", nodepools=items(p6))


def test_a_type_whose_vcpus_are_unknown_is_no_verdict() -> None:
    new = pool("a", "gpu", {"node.kubernetes.io/instance-type": ["p5x.48xlarge"], "karpenter.sh/capacity-type": ["spot"]})
    says(capacity.quotas, CANNOT_BE_TOLD, "The program does not know how many p5x.48xlarge has.", nodepools=items(new))


def test_the_default_counts_where_the_account_has_no_value_of_its_own() -> None:
    own = {"Quotas": [one for one in made.quotas()["Quotas"] if one["QuotaName"] != made.SPOT_P5]}
    says(capacity.quotas, FAILED, f"{made.SPOT_P5}: 0 vCPUs", "The smallest node needs 192", quotas=own)


def test_quotas_without_values_are_no_verdict() -> None:
    nothing = {"Quotas": [made.quota(made.SPOT_P5, "many"), {"QuotaName": None}]}
    says(capacity.quotas, CANNOT_BE_TOLD, "Service Quotas named no quota of EC2", quotas=nothing, default_quotas=nothing)


def test_scores_show_the_best_zone_first_with_the_types_there() -> None:
    check = says(capacity.scores, PASSED, "best: gpu-spot us-west-2b 7")
    assert check.found == (
        "gpu-spot, 4 nodes: us-west-2b 7 of 10, p5.48xlarge, p5en.48xlarge, p5e.48xlarge",
        "gpu-spot, 4 nodes: us-west-2a 3 of 10, p5.48xlarge, p5en.48xlarge",
    )


def test_low_scores_fail_unless_too_few_types_make_every_score_low() -> None:
    low = made.scores(usw2_az1=1)
    says(capacity.scores, FAILED, "gpu-spot: the best score is 1.", "docs/pending.md#5", **{"scores/gpu-spot": low})
    few = pool("gpu-spot", "gpu", {"node.kubernetes.io/instance-type": ["p5.48xlarge"], "karpenter.sh/capacity-type": ["spot"]})
    says(capacity.scores, CANNOT_BE_TOLD, "with fewer than 3 types", nodepools=items(few), **{"scores/gpu-spot": low})
    says(capacity.scores, CANNOT_BE_TOLD, "gpu-spot: EC2 gave no score.", **{"scores/gpu-spot": made.scores()})


def test_scores_keep_the_ids_of_zones_whose_names_are_unknown() -> None:
    check = capacity.scores.ask(facts(missing={"zones": Missing(right="ec2:DescribeAvailabilityZones")}))
    assert check.figure == "best: gpu-spot usw2-az1 7"


def test_scores_of_a_pool_on_demand_are_not_applicable() -> None:
    types = {"node.kubernetes.io/instance-type": made.TYPES, "karpenter.sh/capacity-type": ["on-demand"]}
    says(capacity.scores, NOT_APPLICABLE, "no pool that names its types buys Spot", nodepools=items(pool("a", "gpu", types)))


def test_offerings_count_in_the_zones_of_the_pool_only() -> None:
    says(capacity.offerings, PASSED, "gpu-spot: us-west-2b p5.48xlarge, p5en.48xlarge, p5e.48xlarge")
    elsewhere = made.offerings(us_west_2d=made.TYPES)
    said = "gpu-spot: EC2 offers none of p5.48xlarge, p5en.48xlarge, p5e.48xlarge in us-west-2a, us-west-2b, us-west-2c."
    says(capacity.offerings, FAILED, said, offerings=elsewhere)


def test_a_type_that_is_nowhere_is_mentioned() -> None:
    some = made.offerings(us_west_2a=made.TYPES[:1])
    says(capacity.offerings, PASSED, "EC2 does not offer p5en.48xlarge, p5e.48xlarge in a zone of the pool.", offerings=some)


RESERVED = {"node.kubernetes.io/instance-type": ["p5.48xlarge"], "karpenter.sh/capacity-type": ["reserved"]}


def with_reservations(*found: Any) -> dict[str, Any]:
    described = [{"CapacityReservationId": "cr-1", "AvailableInstanceCount": 1, "TotalInstanceCount": 4, "State": "active"}]
    return {
        "nodepools": items(pool("a", "gpu", RESERVED)),
        "nodeclasses": items(node_class("gpu", capacityReservations=list(found))),
        "reservations": {"CapacityReservations": described},
    }


def reservation(state: str) -> dict[str, str]:
    return {"id": "cr-1", "instanceType": "p5.48xlarge", "availabilityZone": "us-west-2a", "state": state}


def test_reservations_show_what_is_free() -> None:
    says(capacity.reservations, PASSED, "a: cr-1 p5.48xlarge us-west-2a, 1 of 4 free", **with_reservations(reservation("active")))
    says(capacity.reservations, FAILED, "1 of 4 free. It ends soon", **with_reservations(reservation("expiring")))


def test_a_selection_that_finds_nothing_fails() -> None:
    says(capacity.reservations, FAILED, "a: the node class gpu finds no reservation.", **with_reservations())


def described(*requirements: tuple[str, str, list[str]], node_class: str = "gpu", **spec: Any) -> dict[str, Any]:
    """One pool with requirements of any operator."""
    one = pool("a", node_class, {}, **spec)
    found = [{"key": key, "operator": operator, "values": values} for key, operator, values in requirements]
    one["spec"]["template"]["spec"]["requirements"] = found
    return items(one)


TYPE, MARKET = "node.kubernetes.io/instance-type", "karpenter.sh/capacity-type"
ON_DEMAND = (MARKET, "In", ["on-demand"])


@pytest.mark.parametrize(
    ("requirement", "some", "none"),
    [
        (("karpenter.k8s.aws/instance-category", "NotIn", ["p", "g"]), "m7i.large", "p5.48xlarge"),
        (("karpenter.k8s.aws/instance-cpu", "Gt", ["8"]), "m7i.4xlarge", "m7i.2xlarge"),
        (("karpenter.k8s.aws/instance-cpu", "Lte", ["8"]), "m7i.2xlarge", "m7i.4xlarge"),
        (("karpenter.k8s.aws/instance-gpu-count", "Exists", []), "p5.48xlarge", "m7i.large"),
        (("karpenter.k8s.aws/instance-gpu-name", "DoesNotExist", []), "m7i.large", "p5.48xlarge"),
        (("karpenter.k8s.aws/instance-gpu-name", "In", ["h100"]), "p5.48xlarge", "p4d.24xlarge"),
        (("karpenter.k8s.aws/instance-generation", "Gt", ["5"]), "m7i.large", "m5.large"),
        ((TYPE, "NotIn", ["m7i.large"]), "m7i.xlarge", "m7i.large"),
        (("example.com/unknown", "In", ["x"]), "m7i.large", "no.type"),
    ],
)
def test_the_types_of_a_pool_are_those_that_its_requirements_allow(
    requirement: tuple[str, str, list[str]], some: str, none: str
) -> None:
    (found,) = pools_of(facts(nodepools=described(requirement)))
    assert some in found.types
    assert none not in found.types


def test_a_market_that_a_pool_excludes_does_not_count() -> None:
    (found,) = pools_of(facts(nodepools=described((MARKET, "NotIn", ["spot"]))))
    assert found.capacity_types == ("on-demand",)


def test_a_zone_counts_where_the_node_class_has_a_subnet_and_the_pool_allows_the_zone() -> None:
    zone, types = "topology.kubernetes.io/zone", (TYPE, "In", made.TYPES)
    elsewhere = described(types, (zone, "In", ["us-west-2d"]))
    says(capacity.offerings, FAILED, "in a zone that the pool and its node class have", nodepools=elsewhere)
    says(capacity.offerings, FAILED, "in us-west-2c", nodepools=described(types, (zone, "NotIn", ["us-west-2a", "us-west-2b"])))
    says(capacity.offerings, PASSED, "a: us-west-2d", nodepools=elsewhere, nodeclasses=items(node_class("gpu", subnets=[])))


def test_a_pool_of_a_fixed_size_needs_a_quota_for_its_size() -> None:
    types = {TYPE: ["p5.48xlarge"], MARKET: ["on-demand"]}
    says(capacity.quotas, FAILED, "192 vCPUs; limits a 384", nodepools=items(pool("a", "gpu", types, replicas=2)))
    says(capacity.quotas, PASSED, "192 vCPUs; limits a 192", nodepools=items(pool("a", "gpu", types, replicas=1)))


def test_limits_are_read_as_kubernetes_writes_them() -> None:
    general = {"karpenter.k8s.aws/instance-category": ["m"], MARKET: ["on-demand"]}
    for limit, said in (("10k", "10,000"), ("1M", "1,000,000"), ("2000000m", "2,000")):
        says(capacity.quotas, FAILED, f"limits a {said}", nodepools=items(pool("a", "default", general, limits={"cpu": limit})))


def test_a_pool_that_is_switched_off_needs_no_quota() -> None:
    types = {TYPE: ["p4d.24xlarge"], MARKET: ["spot"]}
    says(capacity.quotas, PASSED, nodepools=items(pool("a", "gpu", types, limits={"nvidia.com/gpu": 0})))


def test_of_a_pool_that_describes_its_types_the_largest_quota_counts() -> None:
    anything = described(("kubernetes.io/arch", "In", ["amd64"]), ON_DEMAND, limits={"cpu": 1000})
    check = says(capacity.quotas, PASSED, nodepools=anything)
    assert check.found == (f"{made.STANDARD}: 1,152 vCPUs; limits a 1,000; other instances use 2",)
    more = described(("kubernetes.io/arch", "In", ["amd64"]), ON_DEMAND, limits={"cpu": 2000})
    says(capacity.quotas, FAILED, "1,152 vCPUs; limits a 2,000", nodepools=more)


def test_a_quota_that_is_not_in_the_list_is_not_the_one_of_another_family() -> None:
    known = {one["QuotaName"]: one["Value"] for one in made.quotas()["Quotas"]}
    assert [capacity._quota_of(known, one, "on-demand") for one in ("trn1", "inf2", "dl1", "hpc7g")] == [""] * 4
    assert capacity._quota_of(known, "im4gn", "on-demand") == made.STANDARD


def test_capacity_blocks_need_no_quota_of_instances() -> None:
    none = made.quotas(**{"Running On-Demand P instances": 0.0})
    for kind, verdict in (("capacity-block", NOT_APPLICABLE), ("default", FAILED)):
        changed = with_reservations(reservation("active") | {"reservationType": kind})
        says(capacity.quotas, verdict, quotas=none, **changed)


def test_a_reservation_that_ec2_ended_fails_and_the_end_of_the_others_is_said() -> None:
    ends = reservation("active") | {"endTime": "2026-11-27T11:30:00Z"}
    says(capacity.reservations, PASSED, "us-west-2a, until 2026-11-27 11:30 UTC, 1 of 4 free", **with_reservations(ends))
    changed = with_reservations(ends)
    changed["reservations"]["CapacityReservations"][0]["State"] = "expired"
    says(capacity.reservations, FAILED, "EC2 says that it is expired.", **changed)


# --- Before a destroy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"services": items(item("web", namespace="shop", spec={"type": "LoadBalancer"}))}, "Service shop/web may have"),
        ({"ingresses": items(item("front", namespace="shop"))}, "Ingress shop/front may have"),
        ({"gateways": items(item("gate", namespace="shop"))}, "Gateway shop/gate may have"),
        (
            {
                "interfaces": {
                    "NetworkInterfaces": [{"Description": "ELB app/k8s-shop/0123"}, {"Description": "ELB app/k8s-shop/0123"}]
                }
            },
            "no objects, 1 load balancer | Load balancer app/k8s-shop/0123 is in the VPC.",
        ),
    ],
)
def test_what_may_have_a_load_balancer_blocks_a_destroy(changed: dict[str, Any], said: str) -> None:
    says(removal.load_balancers, FAILED, said, **changed)


def volume(**spec: Any) -> Any:
    claim_ref = {"namespace": "jobs", "name": "data"}
    return item(
        "pvc-1", spec={"persistentVolumeReclaimPolicy": "Delete", "claimRef": claim_ref, "capacity": {"storage": "100Gi"}, **spec}
    )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (volume(csi={"driver": "ebs.csi.aws.com"}), FAILED),
        (volume(awsElasticBlockStore={"volumeID": "vol-1"}), FAILED),
        (volume(csi={"driver": "ebs.csi.aws.com"}, persistentVolumeReclaimPolicy="Retain"), NOT_APPLICABLE),
        (volume(csi={"driver": "nfs.csi.k8s.io"}), NOT_APPLICABLE),
    ],
)
def test_volumes_that_their_driver_would_delete_outlive_a_destroy(found: Any, verdict: Verdict) -> None:
    check = says(removal.volumes, verdict, volumes=items(found))
    assert verdict is NOT_APPLICABLE or check.found == ("pvc-1 of claim jobs/data, 100Gi",)


@pytest.mark.parametrize(("policy", "verdict"), [("Delete", FAILED), ("Retain", NOT_APPLICABLE)])
def test_snapshots_that_their_controller_would_delete_outlive_a_destroy(policy: str, verdict: Verdict) -> None:
    check = says(removal.snapshots, verdict, snapshots=items(item("snapcontent-1", spec={"deletionPolicy": policy})))
    assert verdict is NOT_APPLICABLE or check.found == ("snapcontent-1",)
