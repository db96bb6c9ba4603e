"""The workloads under examples/: their pods find the nodes that their programs make, and the pages say what these cost."""

import re
import runpy
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from stacks.config import ClusterConfig
from stacks.config.node_pools import NodePoolOptions
from stacks.config.pools import GPU_TAINT
from stacks.config.spending import KnownPool, known_pools
from stacks.knowledge import catalogue
from tests.workloads import EXAMPLES, QUEUE, Pods, admitted, manifests, pods

FOLDERS = ("batch", "queue", "serving", "training")
EFA = "vpc.amazonaws.com/efa"

MANIFESTS = manifests()

# The pools whose nodes the pods of each file may use. Files outside of the folders are for the default pools.
POOLS = {
    "batch/batch.yaml": {"batch"},
    "inflate-gpu.yaml": {"gpu-spot"},
    "inflate.yaml": {"default"},
    "measure-pull.yaml": {"gpu-spot"},
    "queue/job.yaml": {"queue-on-demand", "queue-spot"},
    "serving/serving.yaml": {"serving"},
    "training/all-reduce.yaml": {"train"},
    "training/train.yaml": {"train"},
}


@cache
def cluster(folder: str) -> ClusterConfig:
    """The cluster that a folder's program makes; for the files outside of a folder the default one."""
    if not folder:
        return ClusterConfig("karpenter")
    (found,) = runpy.run_path(str(EXAMPLES / folder / "cluster.py"))["CLUSTERS"]
    assert isinstance(found, ClusterConfig)
    return found


def pools(folder: str) -> list[KnownPool]:
    options: NodePoolOptions = cluster(folder)
    return known_pools(options, str(cluster(folder).region))


def folder_of(file: str) -> str:
    return file.rpartition("/")[0]


def of_kind(kind: str, folder: str) -> list[dict[str, Any]]:
    return [one for file, objects in MANIFESTS.items() if folder_of(file) == folder for one in objects if one["kind"] == kind]


def pods_of(file: str) -> list[Pods]:
    """The pods of a file; those that wait in a queue once for each flavor."""
    flavors = of_kind("ResourceFlavor", folder_of(file))
    waiting = any(QUEUE in one["metadata"].get("labels", {}) for one in MANIFESTS[file])
    found = list(pods(MANIFESTS[file]))
    return [admitted(one, flavor) for one in found for flavor in flavors] if waiting else found


def takes(pool: KnownPool, spec: Mapping[str, Any]) -> bool:
    """Whether a pool's nodes take a pod: they have what it selects, and it tolerates all of their taints."""
    labels = {"nodepool": pool.pool.name, "karpenter.sh/nodepool": pool.pool.name, **pool.pool.labels}
    tolerated = {(toleration["key"], toleration["effect"]) for toleration in spec.get("tolerations", [])}
    taints = {(taint.key, taint.effect) for taint in pool.taints}
    return spec.get("nodeSelector", {}).items() <= labels.items() and taints <= tolerated


def limit_of(spec: Mapping[str, Any], resource: str) -> int:
    return sum(int(container["resources"].get("limits", {}).get(resource, 0)) for container in spec["containers"])


@pytest.mark.parametrize("file", MANIFESTS)
def test_pods_run_in_the_pools_that_are_meant_and_each_toleration_is_for_a_taint(file: str) -> None:
    chosen = {pool.pool.name for one in pods_of(file) for pool in pools(folder_of(file)) if takes(pool, one.spec)}
    assert chosen == POOLS.get(file, set())
    for one in pods_of(file):
        taints = {taint.key for pool in pools(folder_of(file)) if takes(pool, one.spec) for taint in pool.taints}
        assert {toleration["key"] for toleration in one.spec.get("tolerations", [])} <= taints


def test_every_file_with_pods_says_in_which_pools_they_run() -> None:
    assert {file for file in MANIFESTS if pods_of(file)} == POOLS.keys()


@pytest.mark.parametrize("file", [file for file in POOLS if folder_of(file)])
def test_a_pool_has_room_for_the_pods_of_a_manifest(file: str) -> None:
    """Each type of the pool has the GPUs and EFAs of a pod, and the limit allows all of the pods together."""
    types = {row.instance_type: row for row in catalogue.gpu_instance_types()}
    for one in pods_of(file):
        gpus = limit_of(one.spec, GPU_TAINT)
        for pool in (pool for pool in pools(folder_of(file)) if takes(pool, one.spec)):
            assert all(types[name].gpus >= gpus > 0 and types[name].efa >= limit_of(one.spec, EFA) for name in pool.types)
            assert pool.limits[GPU_TAINT] >= gpus * one.count


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_page_says_what_an_hour_costs_at_most(folder: str) -> None:
    page = (EXAMPLES / folder / "README.md").read_text()
    hour = sum(pool.usd or 0 for pool in pools(folder))
    assert re.findall(r"at most \*\*\$([\d.]+) an hour\*\*", page) == [f"{hour:.2f}"]
    assert all(pool.usd for pool in pools(folder))
    named = {f"{pool.pool.name} {pool.usd:.2f}" for pool in pools(folder)}
    assert named == {f"{name} {usd}" for name, usd in re.findall(r"^\| `([\w-]+)` \|.*\| ([\d.]+) \|$", page, re.MULTILINE)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_page_says_which_quotas_the_gpu_nodes_need(folder: str) -> None:
    page = (EXAMPLES / folder / "README.md").read_text()
    vcpus, gpus = catalogue.vcpus_of_all_types(), catalogue.gpus_by_type()
    needed = {
        (market, str(max(pool.limits[GPU_TAINT] // gpus[name] * vcpus[name] for name in pool.pool.types())))
        for pool in pools(folder)
        if pool.gpu
        for market in pool.pool.capacity_types
    }
    (line,) = (line for line in page.splitlines() if "docs/pending.md#4-quotas" in line)
    said, number = set(), ""
    for again, name in re.findall(r"(\d+ (?:vCPUs )?of|as many of) \*([^*]+)\*", line):
        number = again.split()[0] if again[0].isdigit() else number
        said.add(("spot" if "Spot" in name else "on-demand", number))
    assert said == needed


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_page_says_that_no_gpu_has_run_the_example_and_names_all_files(folder: str) -> None:
    page = (EXAMPLES / folder / "README.md").read_text()
    assert "## What has not run" in page
    assert {file.name for file in (EXAMPLES / folder).iterdir() if file.is_file()} - {"README.md"} <= set(
        re.findall(r"[\w-]+\.(?:py|yaml)", page)
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_nodes_of_the_examples_end_for_no_reason_of_karpenters(folder: str) -> None:
    """Protection is the pool's: what protects a pod would keep SIGTERM from it on a Spot interruption."""
    gpu = [pool for pool in pools(folder) if pool.gpu]
    assert gpu
    for pool in gpu:
        assert pool.pool.holds_drift()
        assert (pool.pool.expire_after, pool.pool.consolidation_policy) == ("Never", "WhenEmpty")


@pytest.mark.parametrize("file", POOLS)
def test_no_pod_that_may_run_on_spot_is_kept_from_sigterm(file: str) -> None:
    """Measured on Karpenter 1.6.0: on an interruption it evicts neither pods with do-not-disrupt nor those that a budget holds."""
    for one in pods_of(file):
        assert "karpenter.sh/do-not-disrupt" not in one.annotations
        budgets = [
            budget["spec"]
            for budget in of_kind("PodDisruptionBudget", folder_of(file))
            if budget["spec"]["selector"]["matchLabels"].items() <= one.labels.items()
        ]
        taking = [pool for pool in pools(folder_of(file)) if takes(pool, one.spec)]
        if any("spot" in pool.pool.capacity_types for pool in taking):
            assert [budget for budget in budgets if budget.get("maxUnavailable", 0) == 0] == []
            assert one.spec.get("terminationGracePeriodSeconds", 30) <= 100


def test_a_budget_of_a_job_has_a_number_in_minavailable() -> None:
    """A Job has no scale subresource: Kubernetes cannot count what maxUnavailable or a percentage means, and allows no eviction."""
    (budget,), (job,) = of_kind("PodDisruptionBudget", "batch"), of_kind("Job", "batch")
    assert budget["spec"]["selector"]["matchLabels"] == job["spec"]["template"]["metadata"]["labels"]
    assert {"minAvailable": job["spec"]["parallelism"]}.items() <= budget["spec"].items()
    assert "maxUnavailable" not in budget["spec"]


def test_the_quotas_of_the_queue_are_the_limits_of_the_pools() -> None:
    (queue,) = of_kind("ClusterQueue", "queue")
    (group,) = queue["spec"]["resourceGroups"]
    labels = {flavor["metadata"]["name"]: flavor["spec"]["nodeLabels"]["nodepool"] for flavor in of_kind("ResourceFlavor", "queue")}
    quotas = {
        labels[flavor["name"]]: resource["nominalQuota"]
        for flavor in group["flavors"]
        for resource in flavor["resources"]
        if resource["name"] == GPU_TAINT
    }
    assert quotas == {pool.pool.name: pool.limits[GPU_TAINT] for pool in pools("queue") if pool.gpu}
    assert list(quotas) == ["queue-spot", "queue-on-demand"]  # Kueue tries them in this order


def test_vllm_may_end_its_requests_before_it_is_killed() -> None:
    (found,) = pods_of("serving/serving.yaml")
    (container,) = found.spec["containers"]
    (drain,) = [int(value) for one in container["args"] for value in re.findall(r"--shutdown-timeout=(\d+)", one)]
    hook = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert hook + drain + 10 == found.spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("folder", ["serving", "training"])
def test_the_pods_have_the_service_account_and_the_bucket_of_the_program(folder: str) -> None:
    (identity,) = cluster(folder).pod_identities
    bucket = runpy.run_path(str(EXAMPLES / folder / "cluster.py"))["BUCKET"]
    assert identity.account in {
        (one["metadata"]["namespace"], one["metadata"]["name"]) for one in of_kind("ServiceAccount", folder)
    }
    of_account = [
        one.spec
        for file in POOLS
        if folder_of(file) == folder
        for one in pods_of(file)
        if one.spec.get("serviceAccountName") == identity.service_account
    ]
    assert of_account
    assert all(bucket in str(spec["containers"]) for spec in of_account)


@pytest.mark.parametrize("file", ["training/all-reduce.yaml", "training/train.yaml"])
def test_training_pods_request_what_nccl_over_efa_needs_and_no_hugepages(file: str) -> None:
    (found,) = pods_of(file)
    (container,) = found.spec["containers"]
    limits, env = container["resources"]["limits"], {entry["name"]: entry["value"] for entry in container["env"]}
    assert (limits[GPU_TAINT], limits[EFA]) == (8, 32)
    assert not any(resource.startswith("hugepages") for resource in limits)
    assert env["FI_EFA_USE_HUGE_PAGE"] == "0"
    volumes = {volume["name"]: volume for volume in found.spec["volumes"]}
    (shm,) = (volumes[mount["name"]] for mount in container["volumeMounts"] if mount["mountPath"] == "/dev/shm")  # noqa: S108
    assert shm["emptyDir"]["medium"] == "Memory"


@pytest.mark.parametrize("file", ["training/all-reduce.yaml", "training/train.yaml"])
def test_the_first_pod_of_a_jobset_has_the_name_that_torchrun_calls(file: str) -> None:
    """<JobSet>-<replicated job>-<job>-<pod>.<JobSet>, as JobSet's API says at enableDNSHostnames."""
    (jobset,) = MANIFESTS[file]
    (job,) = jobset["spec"]["replicatedJobs"]
    name, (arguments,) = jobset["metadata"]["name"], [one.spec["containers"][0]["args"][-1] for one in pods_of(file)]
    assert re.findall(r"--master-addr=(\S+)", arguments) == [f"{name}-{job['name']}-0-0.{name}"]
    assert re.findall(r"--nnodes=(\d+)", arguments) == [str(job["template"]["spec"]["parallelism"])]
    (script,) = re.findall(r"/scripts/(\S+)$", arguments.strip())
    assert (EXAMPLES / "training" / script).is_file()


def test_an_interruption_restarts_the_training_and_does_not_count() -> None:
    (jobset,) = MANIFESTS["training/train.yaml"]
    (job,) = jobset["spec"]["replicatedJobs"]
    (rule,) = job["template"]["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onPodConditions"]) == ("FailJob", [{"type": "DisruptionTarget", "status": "True"}])
    (restart,) = jobset["spec"]["failurePolicy"]["rules"]
    assert (restart["action"], restart["onJobFailureReasons"]) == ("RestartJobSetAndIgnoreMaxRestarts", ["PodFailurePolicy"])
