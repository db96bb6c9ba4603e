"""The manifests under examples/ against the schemas of Kubernetes, JobSet and Kueue, with unknown fields refused."""

import json
import subprocess
from typing import Any

import pytest

from stacks.app import PROJECT
from stacks.config import ClusterConfig
from stacks.config.recommended import RECOMMENDED
from tests.conftest import SHARED, without
from tests.crd import Crd
from tests.workloads import manifests

PYTHON = PROJECT / ".venv-manifests" / "bin" / "python"
CRDS = {
    "jobset.x-k8s.io/v1alpha2": SHARED / "crds" / "jobset-0.12.0",
    "kueue.x-k8s.io/v1beta2": SHARED / "crds" / "kueue-0.19.2",
}

# Reads objects, and writes what is wrong with each.
VALIDATE = """
import json, sys, kubernetes_validate
def wrong(one):
    try:
        kubernetes_validate.validate(one, sys.argv[1], strict=True)
    except Exception as error:
        return f"{type(error).__name__}: {getattr(error, 'message', error)}"
json.dump([wrong(one) for one in json.load(sys.stdin)], sys.stdout)
"""

pytestmark = pytest.mark.manifests
needs_validate = pytest.mark.skipif(
    not PYTHON.exists(), reason="kubernetes-validate is not here: `make test-manifests` brings it from PyPI"
)


def objects(*, of_crds: bool) -> list[dict[str, Any]]:
    """All objects of the examples, those of CRDs or the others. A template of a JobSet's job counts as a Job of Kubernetes."""
    found = [one for of_file in manifests().values() for one in of_file]
    if of_crds:
        return [one for one in found if one["apiVersion"] in CRDS]
    jobs = [
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": job["name"]}, "spec": job["template"]["spec"]}
        for one in found
        if one["kind"] == "JobSet"
        for job in one["spec"]["replicatedJobs"]
    ]
    return [*(one for one in found if one["apiVersion"] not in CRDS), *jobs]


def wrong(found: list[dict[str, Any]], version: str) -> list[str | None]:
    command = [str(PYTHON), "-c", VALIDATE, version]
    done = subprocess.run(command, input=json.dumps(found), capture_output=True, text=True, check=True)
    errors: list[str | None] = json.loads(done.stdout)
    return errors


@needs_validate
@pytest.mark.parametrize("version", [ClusterConfig("karpenter").kubernetes_version, RECOMMENDED["kubernetes_version"]])
def test_kubernetes_knows_every_field_of_the_manifests(version: str) -> None:
    found = objects(of_crds=False)
    assert {one["kind"] for one in found} >= {"Deployment", "Job", "Namespace", "PodDisruptionBudget", "Service", "ServiceAccount"}
    assert dict(zip([f"{one['kind']} {one['metadata']}" for one in found], wrong(found, version), strict=True)) == {
        f"{one['kind']} {one['metadata']}": None for one in found
    }


@needs_validate
def test_the_check_finds_a_field_that_kubernetes_does_not_know() -> None:
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "x"}, "spec": {"minAvailible": 1}}
    (error,) = wrong([budget], RECOMMENDED["kubernetes_version"])
    assert error is not None
    assert "minAvailible" in error


@pytest.mark.skipif(not all(folder.is_dir() for folder in CRDS.values()), reason=without("the CRDs of JobSet and Kueue"))
def test_jobset_and_kueue_know_every_field_of_the_manifests_and_their_rules_hold() -> None:
    crds = {(version, crd.kind): crd for version, folder in CRDS.items() for crd in map(Crd, folder.glob("*.yaml"))}
    found = objects(of_crds=True)
    assert {one["kind"] for one in found} == {"ClusterQueue", "JobSet", "LocalQueue", "ResourceFlavor"}
    assert [error for one in found for error in crds[one["apiVersion"], one["kind"]].errors(one)] == []
    for one in found:
        other = one | {"spec": one["spec"] | {"unknown": True}}
        assert crds[one["apiVersion"], one["kind"]].errors(other)
