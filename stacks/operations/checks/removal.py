"""What would stop a destroy, or outlive it. Plain Python."""

from collections.abc import Sequence

from stacks.knowledge.storage_addons import STORAGE_ADDONS
from stacks.operations.checks.facts import Facts, at, listed, name_of, text
from stacks.operations.checks.question import Answer, Finding, Question, Verdict, counted, judged, question
from stacks.operations.deployment import Object

DRIVERS = {addon.driver for addon in STORAGE_ADDONS if addon.driver} | {"fsx.openzfs.csi.aws.com"}

# Interfaces of load balancers have no type of their own, except for network and gateway load balancers:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
LOAD_BALANCER = "ELB "

KINDS = ("services", "ingresses", "gateways")


def load_balanced(services: Sequence[Object], ingresses: Sequence[Object], gateways: Sequence[Object]) -> list[str]:
    """The objects that may have load balancers, which Terraform does not know and which block the removal of the network."""
    found = [f"Service {name_of(item)}" for item in services if text(item, "spec", "type") == "LoadBalancer"]
    found += [f"Ingress {name_of(item)}" for item in ingresses]
    return found + [f"Gateway {name_of(item)}" for item in gateways]


def outlives(volume: Object) -> bool:
    """Whether a driver would delete something in AWS. A class from before the drivers makes volumes without the driver's name."""
    ours = text(volume, "spec", "csi", "driver") in DRIVERS or at(volume, "spec", "awsElasticBlockStore")
    return bool(ours) and text(volume, "spec", "persistentVolumeReclaimPolicy") == "Delete"


def snapshot_outlives(contents: Object) -> bool:
    """Whether the controller of snapshots would delete something in AWS."""
    return text(contents, "spec", "deletionPolicy") == "Delete"


@question("No load balancer blocks a destroy", "services", "ingresses", "gateways", "cluster", "interfaces")
def load_balancers(facts: Facts) -> Answer:
    """Objects of Kubernetes, and load balancers in the VPC that outlived theirs."""
    made = [f"{words} may have a load balancer." for words in load_balanced(*map(facts.objects, KINDS))]
    described = [text(one, "Description") for one in listed(facts.answer("interfaces"), "NetworkInterfaces")]
    left = sorted({words.removeprefix(LOAD_BALANCER) for words in described if words.startswith(LOAD_BALANCER)})
    found = [*made, *(f"Load balancer {name} is in the VPC." for name in left)]
    do = "Delete the objects while the load balancer controller runs; a load balancer without an object, in the EC2 console."
    figure = f"{counted(len(made), 'object')}, {counted(len(left), 'load balancer')}"
    return Answer(Verdict.FAILED if found else Verdict.PASSED, figure, tuple(found), do if found else "")


@question("No volume outlives a destroy", "volumes")
def volumes(facts: Facts) -> Answer:
    """Volumes with the policy Delete: their driver would delete them, and a destroy removes the driver first."""
    found = list(filter(outlives, facts.objects("volumes")))
    findings = [
        Finding(f"{name_of(item)}{_claim(item)}, {text(item, 'spec', 'capacity', 'storage') or 'size unknown'}") for item in found
    ]
    do = "Delete their claims, and wait until `kubectl get persistentvolumes` lists none; docs/operating.md#clean-up."
    return judged(len(found), "volume", findings, do)


@question("No snapshot outlives a destroy", "snapshots")
def snapshots(facts: Facts) -> Answer:
    """Snapshots with the policy Delete, as volumes."""
    found = list(filter(snapshot_outlives, facts.objects("snapshots")))
    do = "Delete their VolumeSnapshots, and wait until `kubectl get volumesnapshotcontents` lists none; docs/operating.md#clean-up."
    return judged(len(found), "snapshot", [Finding(name_of(item)) for item in found], do)


def _claim(item: Object) -> str:
    claim = "/".join(filter(None, (text(item, "spec", "claimRef", part) for part in ("namespace", "name"))))
    return f" of claim {claim}" if claim else ""


QUESTIONS: Sequence[Question] = (load_balancers, volumes, snapshots)
