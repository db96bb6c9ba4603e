"""The steps of a proof, one by one: which evidence passes, which fails, and what cannot be told."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from stacks.operations.checks.question import Check, Verdict
from stacks.operations.deployment import DeploymentError, Stack
from stacks.operations.prove import before, pods, steps
from stacks.operations.prove.ends import Outcome
from stacks.operations.prove.interruption import interruption
from stacks.operations.prove.step import LoginError, Proof, Step, StepError
from tests.facts import item, node_class
from tests.prove import BUILT, GENERAL, GPU, NAME, SUMMARY, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.fixture
def proof(world: World, tmp_path: Path) -> Proof:
    """With a connected cluster, and a clock that each wait sets on."""
    world.state = {"lineage": "ours", "resources": list(BUILT)}
    cluster = Stack.named("proof").cluster(tmp_path / "kubeconfig", "test")
    cluster.connect()
    clock = SimpleNamespace(now=0.0)

    def sleep(_: float) -> None:
        clock.now += 30

    return Proof(
        cluster,
        terraform=lambda *_: Outcome(0, 12),
        connect=lambda: cluster,
        output=lambda _: json.dumps({"quay.io": "123456789012.dkr.ecr.us-west-2.amazonaws.com/quay"}),
        config=world.config,
        pools=[GENERAL, GPU],
        now=lambda: clock.now,
        sleep=sleep,
        say=lambda _: None,
    )


def made(step: Step, proof: Proof) -> tuple[Verdict, str]:
    check = step.done(proof).check
    return check.verdict, " ".join((check.figure, *check.found, check.do))


# --- Pods ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ('Successfully pulled image "a" in 35.1s (35.1s including waiting). Image size: 14240000000 bytes.', (35.1, 14240000000)),
        ('Successfully pulled image "a" in 1m2.5s (2m0s including waiting). Image size: 5 bytes.', (62.5, 5)),
        ('Successfully pulled image "a" in 500ms (500ms including waiting)', (0.5, None)),
        ('Container image "a" already present on machine', None),
        ("", None),
    ],
)
def test_the_event_of_a_pull_says_its_seconds_and_its_bytes(message: str, found: tuple[float, int | None] | None) -> None:
    pull = pods.pull([{"message": message}])
    assert (pull and pull[:2]) == found


def test_a_timeline_has_only_what_is_known_in_seconds_from_the_pod() -> None:
    ran = {
        "metadata": {"creationTimestamp": "2026-11-26T10:00:00Z"},
        "status": {
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-26T10:00:50Z"}],
            "containerStatuses": [{"state": {"terminated": {"startedAt": "2026-11-26T10:01:30Z"}}}],
        },
    }
    registered = {"type": "Registered", "status": "True", "lastTransitionTime": "2026-11-26T10:00:40Z"}
    claim = item("c", status={"conditions": [registered, {"type": "Initialized", "status": "Unknown"}]})
    pulled = pods.pull([{"message": 'Successfully pulled image "a" in 35s', "lastTimestamp": "2026-11-26T10:01:29Z"}])
    assert pods.timeline(ran, claim, pulled) == {"node": 40, "bound": 50, "image": 89, "running": 90}
    assert pods.timeline(ran, None) == {"bound": 50, "running": 90}


def test_a_pod_comes_to_its_pool_by_label_and_tolerations() -> None:
    assert pods.on_pool(GPU) == {
        "nodeSelector": {"karpenter.sh/nodepool": "gpu-spot"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }
    assert pods.on_pool(GENERAL)["tolerations"] == []


def test_a_pod_that_fails_says_why(world: World, proof: Proof) -> None:
    def failed() -> None:
        world.objects["pods"]["gpu"]["status"] = {
            "phase": "Failed",
            "containerStatuses": [{"state": {"terminated": {"reason": "StartError", "message": "nvidia-smi: not found"}}}],
        }

    world.fails["get pod gpu"] = failed
    verdict, words = made(steps.gpu_pod, proof)
    assert verdict is Verdict.FAILED
    assert "Pod gpu failed: StartError: nvidia-smi: not found" in words


def test_a_pod_without_a_node_says_what_ec2_said(world: World, proof: Proof) -> None:
    world.nodes_come = False
    refused = {"type": "Launched", "status": "False", "reason": "InsufficientCapacity", "message": "no spot capacity"}
    world.objects["nodeclaims"] = {"c": item("c", status={"conditions": [refused]}, labels={"karpenter.sh/nodepool": "gpu-spot"})}
    verdict, words = made(steps.gpu_pod, proof)
    assert verdict is Verdict.FAILED
    assert "not after 30 minutes" in words
    assert "no spot capacity" in words


def test_an_api_that_is_away_for_a_moment_fails_nothing(world: World, proof: Proof) -> None:
    world.fails["get pod gpu"] = "Unable to connect to the server"
    proof.sleep = lambda _: world.fails.clear()
    assert made(steps.gpu_pod, proof)[0] is Verdict.PASSED


def test_a_login_that_is_gone_ends_all_steps(world: World, proof: Proof) -> None:
    world.fails["get pod gpu"] = "An error occurred (ExpiredToken) when calling the operation"
    with pytest.raises(LoginError):
        steps.gpu_pod.done(proof)
    world.fails = {"apply --filename": "Token has expired and refresh failed"}
    with pytest.raises(LoginError):
        steps.gpu_pod.done(proof)


def test_an_answer_of_another_shape_cannot_be_told(world: World, proof: Proof) -> None:
    world.fails["get pod gpu"] = lambda: world.objects.update(pods={})
    verdict, words = made(steps.gpu_pod, proof)
    assert verdict is Verdict.CANNOT_BE_TOLD
    assert "a shape that this program does not know (KeyError)" in words


@pytest.mark.parametrize("smi", ["No devices were found\n", ""])
def test_a_log_without_a_gpu_is_no_proof_of_one(world: World, proof: Proof, smi: str) -> None:
    world.smi = smi
    assert made(steps.gpu_pod, proof)[0] is Verdict.CANNOT_BE_TOLD


def test_a_doctor_who_could_examine_nothing_found_nothing(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "examine", lambda _: [Check("Nodes", "", Verdict.CANNOT_BE_TOLD)])
    assert made(steps.doctor, proof)[0] is Verdict.CANNOT_BE_TOLD


def test_a_log_that_cannot_be_read_is_no_proof(world: World, proof: Proof) -> None:
    world.fails["logs"] = "Forbidden"
    assert made(steps.gpu_pod, proof)[0] is Verdict.CANNOT_BE_TOLD
    made(steps.general_pod, proof)
    assert made(steps.connection, proof)[0] is Verdict.CANNOT_BE_TOLD


# --- Terraform and the doctor --------------------------------------------------------------------------------------------------


def test_a_second_plan_names_what_it_would_change(proof: Proof) -> None:
    proof.terraform = lambda *_: Outcome(2, 10, changes={"helm_release.karpenter": "update"})
    assert made(steps.plan_again, proof) == (
        Verdict.FAILED,
        "1 changes update helm_release.karpenter Please file an issue with these lines.",
    )
    proof.terraform = lambda *_: Outcome(1, 10, errors=["no login"])
    assert made(steps.plan_again, proof)[1].startswith("no login")


def test_the_doctor_waits_for_pools_that_become_ready_and_leaves_out_what_concerns_a_destroy(
    world: World, proof: Proof, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "READY_MINUTES", 3)
    world.objects["nodepools"] = {"gpu-spot": item("gpu-spot", status={"conditions": []})}
    world.objects["ec2nodeclasses"] = {"gpu": node_class("gpu")}
    waited: list[float] = []

    def ready(seconds: float) -> None:
        waited.append(seconds)
        world.objects["nodepools"]["gpu-spot"]["status"]["conditions"] = [{"type": "Ready", "status": "True"}]

    proof.sleep = ready
    world.objects["services"] = {"web": item("web", namespace="shop", spec={"type": "LoadBalancer"})}
    _, words = made(steps.doctor, proof)
    assert waited
    assert "load balancer" not in words


# --- The node ------------------------------------------------------------------------------------------------------------------


def with_gpu_node(world: World, proof: Proof, storage: str) -> None:
    assert made(steps.gpu_pod, proof)[0] is Verdict.PASSED
    world.objects["nodes"][proof.gpu_node]["status"]["capacity"]["ephemeral-storage"] = storage


@pytest.mark.parametrize(
    ("storage", "verdict"),
    [("240000Mi", Verdict.PASSED), ("20Gi", Verdict.FAILED), ("20959212Ki", Verdict.FAILED), ("", Verdict.CANNOT_BE_TOLD)],
)
def test_images_are_on_nvme_if_the_node_has_that_much_room(world: World, proof: Proof, storage: str, verdict: Verdict) -> None:
    with_gpu_node(world, proof, storage)
    assert made(steps.nvme, proof)[0] is verdict


def test_without_a_gpu_node_nothing_is_said_about_one(proof: Proof) -> None:
    assert made(steps.nvme, proof) == made(steps.soci, proof) == (Verdict.NOT_APPLICABLE, "no GPU node ran ")


def test_soci_cannot_be_told_where_the_kubelet_does_not_say(world: World, proof: Proof) -> None:
    with_gpu_node(world, proof, "240000Mi")
    assert made(steps.soci, proof)[0] is Verdict.PASSED
    world.fails["configz"] = "Forbidden"
    verdict, words = made(steps.soci, proof)
    assert verdict is Verdict.CANNOT_BE_TOLD
    assert "needs a shell" in words
    assert "apiclient get" in words


# --- The network, and what the configuration has -------------------------------------------------------------------------------


def test_a_connection_is_tried_only_where_the_nodes_allow_all_traffic(world: World, proof: Proof) -> None:
    made(steps.general_pod, proof)
    assert made(steps.connection, proof)[0] is Verdict.PASSED
    world.config.node_traffic_all = False
    assert made(steps.connection, proof)[0] is Verdict.NOT_APPLICABLE


def test_two_pods_on_one_node_prove_no_connection_between_nodes(world: World, proof: Proof) -> None:
    made(steps.general_pod, proof)
    world.fails["get pod client"] = lambda: world.objects["pods"]["client"]["spec"].update(nodeName="node-general")
    assert made(steps.connection, proof) == (Verdict.CANNOT_BE_TOLD, "both pods ran on one node ")


@pytest.mark.parametrize("step", [steps.cache, steps.storage, steps.efa, steps.sharing])
def test_what_the_configuration_does_not_have_is_not_applicable(proof: Proof, step: Step) -> None:
    assert made(step, proof)[0] is Verdict.NOT_APPLICABLE
    proof.config = None
    assert made(step, proof)[0] is Verdict.NOT_APPLICABLE


def test_an_image_comes_by_the_accounts_registry(world: World, proof: Proof) -> None:
    world.config.image_cache = SimpleNamespace()
    verdict, words = made(steps.cache, proof)
    assert verdict is Verdict.PASSED
    assert "1 registry quay.io: pulled in 20.0 s" in words
    image = world.objects["pods"]["cache-quay-io"]["spec"]["containers"][0]["image"]
    assert image == "123456789012.dkr.ecr.us-west-2.amazonaws.com/quay/prometheus/busybox:latest"


class Ebs:
    storage_class = "gp3"


class Efs:
    pass


def test_a_volume_is_written_and_gone(world: World, proof: Proof) -> None:
    world.config.storage = [Ebs(), Efs()]
    verdict, words = made(steps.storage, proof)
    assert verdict is Verdict.PASSED
    assert "StorageClass gp3 Efs: needs a file system" in words
    assert any("delete persistentvolumeclaim disk" in one for one in world.calls)


def test_a_volume_that_stays_fails(world: World, proof: Proof) -> None:
    world.config.storage = [Ebs()]
    world.objects["persistentvolumes"] = {"pv": item("pv", spec={"claimRef": {"namespace": pods.NAMESPACE, "name": "disk"}})}
    verdict, words = made(steps.storage, proof)
    assert verdict is Verdict.FAILED
    assert "The volume is deleted: not after 5 minutes" in words


@pytest.mark.parametrize(("offered", "verdict"), [("4", Verdict.PASSED), ("1", Verdict.FAILED)])
def test_a_shared_gpu_is_offered_as_often_as_configured(world: World, proof: Proof, offered: str, verdict: Verdict) -> None:
    world.config.gpu_pools = [SimpleNamespace(name="gpu-spot", sharing=SimpleNamespace(replicas=4), efa=False)]
    node = "node-sharing-gpu-spot"
    world.fails[f"get node {node}"] = lambda: world.objects["nodes"][node]["status"]["allocatable"].update(
        {"nvidia.com/gpu": offered}
    )
    found = made(steps.sharing, proof)
    assert found == (verdict, f"1 pool gpu-spot: the node offers {offered}, and 4 or more are expected ")
    assert made(steps.efa, proof)[0] is Verdict.NOT_APPLICABLE


def test_a_pool_with_efa_offers_interfaces(world: World, proof: Proof) -> None:
    world.config.gpu_pools = [SimpleNamespace(name="gpu-spot", sharing=None, efa=True)]
    assert made(steps.efa, proof) == (Verdict.FAILED, "1 pool gpu-spot: the node offers 0, and 1 or more are expected ")


# --- A Spot interruption -------------------------------------------------------------------------------------------------------

ROLE = "arn:aws:iam::123456789012:role/fis"


def test_without_a_role_the_way_by_hand_is_said(world: World, proof: Proof) -> None:
    made(steps.gpu_pod, proof)
    verdict, words = made(interruption, proof)
    assert verdict is Verdict.CANNOT_BE_TOLD
    assert "--fis-role ARN" in words
    assert "Initiate interruption" in words
    assert not any(" fis " in one for one in world.calls)


def test_an_interruption_is_that_of_one_instance_and_its_template_goes(world: World, proof: Proof) -> None:
    made(steps.gpu_pod, proof)
    proof.fis_role = ROLE
    looks = iter(range(9))

    def taken() -> None:
        if next(looks) == 1:
            world.objects["nodeclaims"].clear()
            world.instances.clear()

    world.fails["get-experiment"] = taken
    world.events["SpotInterrupted"] = 1
    verdict, words = made(interruption, proof)
    assert verdict is Verdict.PASSED
    assert "drained from 30 s on" in words
    (template,) = [one for one in world.calls if "create-experiment-template" in one]
    assert "arn:aws:ec2:us-west-2:123456789012:instance/i-gpu" in template
    assert NAME in template
    assert any("fis delete-experiment-template --id EXT1" in one for one in world.calls)


def test_a_node_that_karpenter_removes_for_another_reason_proves_nothing(world: World, proof: Proof) -> None:
    """The GPU pod has ended, and Karpenter removes empty nodes."""
    made(steps.gpu_pod, proof)
    proof.fis_role = ROLE

    def consolidated() -> None:
        world.objects["nodeclaims"].clear()
        world.instances.clear()

    world.fails["get-experiment"] = consolidated
    verdict, words = made(interruption, proof)
    assert verdict is Verdict.CANNOT_BE_TOLD
    assert "no event SpotInterrupted says that this was why" in words


def test_a_node_that_goes_already_is_not_interrupted(world: World, proof: Proof) -> None:
    made(steps.gpu_pod, proof)
    for one in world.objects["nodeclaims"].values():
        one["metadata"]["deletionTimestamp"] = "2026-11-26T10:00:00Z"
    proof.fis_role = ROLE
    assert made(interruption, proof)[0] is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(("status", "said"), [("failed", "failed"), ("stopped", "was stopped"), ("cancelled", "was cancelled")])
def test_an_experiment_that_fails_says_why_and_its_template_goes(
    world: World, proof: Proof, monkeypatch: pytest.MonkeyPatch, status: str, said: str
) -> None:
    made(steps.gpu_pod, proof)
    proof.fis_role = ROLE
    aws = world.aws
    failed = json.dumps({"experiment": {"state": {"status": status, "reason": "Access denied"}}})
    monkeypatch.setattr(world, "aws", lambda call, given: failed if "get-experiment" in call else aws(call, given))
    assert made(interruption, proof)[1].startswith(f"The experiment {said}: Access denied")
    assert any("fis delete-experiment-template --id EXT1" in one for one in world.calls)


def test_an_on_demand_node_is_not_interrupted(world: World, proof: Proof) -> None:
    assert made(interruption, proof) == (Verdict.NOT_APPLICABLE, "no node is a Spot instance ")


# --- Before --------------------------------------------------------------------------------------------------------------------


def synthesis(monkeypatch: pytest.MonkeyPatch, printed: str, code: int = 0) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_, **__: SimpleNamespace(returncode=code, stdout=printed))


@pytest.mark.parametrize(
    ("printed", "code", "words"),
    [
        ("", 1, "could not be synthesized"),
        ("Wrote something", 0, "APP must be a page that ends with synthesize(CLUSTERS)"),
        ('{"clusters": [{"name": "other"}]}', 0, 'STACK must be a cluster of page.py (got "proof"). There are: other.'),
    ],
)
def test_a_page_that_has_no_such_cluster_is_refused(monkeypatch: pytest.MonkeyPatch, printed: str, code: int, words: str) -> None:
    synthesis(monkeypatch, printed, code)
    with pytest.raises(DeploymentError) as refused:
        before.synthesize("page.py", "proof")
    assert words in str(refused.value)


def test_a_pool_without_a_price_makes_the_most_expensive_hour_unknown() -> None:
    summary = {
        **SUMMARY,
        "most_expensive_hour_usd": None,
        "idle_hour_usd": {"control plane": 0.1, "NAT gateway": None},
    }
    price = before.price_of(summary)
    assert price.at_most(60) is None
    said = "\n".join(before.announcement(summary, price, account="1", region="us-west-2", state="empty", minutes=60, keep=False))
    assert "Their highest price is not known: a pool has no limit or no price." in said
    assert "Not counted: NAT gateway, disks." in said


def test_a_forecast_stops_nothing() -> None:
    before.refuse([Check(before.FORECAST, "", Verdict.FAILED)])
    with pytest.raises(DeploymentError, match=r"Limits: failed\. 0 vCPUs\. Request more"):
        before.refuse([Check("Limits", "", Verdict.FAILED, "1 of 2", ("0 vCPUs",), "Request more.")])


def test_a_page_of_ones_own_has_no_configuration_to_read(tmp_path: Path) -> None:
    page = tmp_path / "page.py"
    page.write_text("raise SystemError")
    assert before.configured(str(page), "proof") is None
    page.write_text("import types\nCLUSTERS = [types.SimpleNamespace(name='proof', efa=1)]")
    assert getattr(before.configured(str(page), "proof"), "efa", None) == 1
    assert before.configured(str(page), "other") is None


def test_the_root_user_and_a_user_need_no_role(world: World, proof: Proof) -> None:
    check = before._rights(proof.cluster, "arn:aws:iam::123456789012:user/me")
    assert check.verdict is Verdict.PASSED
    assert not any("get-role" in one for one in world.calls)
    assert before._rights(proof.cluster, "arn:aws:iam::123456789012:root").verdict is Verdict.PASSED


def test_a_wait_gives_up_with_the_reason(proof: Proof) -> None:
    with pytest.raises(StepError, match=r"^The end: not after 1 minutes. It hangs.$"):
        proof.wait("The end", lambda: None, 1, why=lambda: "It hangs.")
