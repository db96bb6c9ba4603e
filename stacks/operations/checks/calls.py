"""The calls that the checks need, as data: each reads, and none changes anything. Plain Python."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from stacks.operations.checks.facts import Facts, NotKnownError, at, texts
from stacks.operations.checks.types import pools_of, reservations_of

# What may be asked. Calls named `get` may hand out secrets or tokens, as `aws eks get-token` does.
READ_ONLY_AWS = re.compile(r"(eks|ec2|service-quotas) (describe|list)-[a-z-]+|ec2 get-spot-placement-scores")
READ_ONLY_KUBECTL = ("get", "logs")

KARPENTER_PODS = "app.kubernetes.io/name=karpenter"
LOAD_BALANCER_CONTROLLER_PODS = "app.kubernetes.io/name=aws-load-balancer-controller"
POOL = "karpenter.sh/nodepool"
ADMIN_VIEW = "AdminView"  # the EKS access policy AmazonEKSAdminViewPolicy, which reads custom resources too


Found = TypeVar("Found")


@dataclass(frozen=True)
class Call:
    """A call of a program that only reads.

    Attributes:
        name: of the answer.
        program: kubectl or aws.
        arguments: without those of the connection and the output.
        right: what the caller must be allowed.

    Raises:
        ValueError: the call might change something, or show a secret.
    """

    name: str
    program: Literal["kubectl", "aws"]
    arguments: tuple[str, ...]
    right: str = ADMIN_VIEW

    def __post_init__(self) -> None:
        if self.program == "aws":
            allowed = bool(READ_ONLY_AWS.fullmatch(" ".join(self.arguments[:2])))
        else:
            verb, *rest = self.arguments
            allowed = verb in READ_ONLY_KUBECTL and not any("secret" in word for word in rest)
        if not allowed:
            raise ValueError(f"A check must only read (got {self.program} {' '.join(self.arguments)}).")

    @property
    def command(self) -> str:
        """The command with its arguments."""
        return " ".join((self.program, *self.arguments))

    @property
    def title(self) -> str:
        """The command, without its options."""
        if self.name == "reach":
            return self.command
        options = next((n for n, word in enumerate(self.arguments) if word.startswith("-")), len(self.arguments))
        pods = [word for word in self.arguments if word.startswith("--selector=")] if self.is_log else []
        return " ".join((self.program, *self.arguments[:options], *pods))

    @property
    def is_log(self) -> bool:
        """Whether the answer is text, and not JSON."""
        return self.arguments[0] == "logs"


# Whether the API answers at all: everybody may ask, and kubectl need not look up kinds, which it tries for a minute.
REACH = Call("reach", "kubectl", ("get", "--raw=/version"))


def _objects(name: str, kind: str = "", *options: str) -> Call:
    return Call(name, "kubectl", ("get", kind or name, "--all-namespaces", *options))


def _log(name: str, pods: str) -> Call:
    return Call(name, "kubectl", ("logs", "--namespace=kube-system", f"--selector={pods}", "--since=1h", "--tail=5000"))


def _tag(key: str) -> str:
    return f"Tags[?Key=='{key}'].Value|[0]"


def of_cluster(cluster: str) -> list[Call]:
    """The calls that need nothing but the name of the cluster."""
    return [
        _objects("nodes"),
        _objects("pods", "pods", "--field-selector=status.phase!=Succeeded,status.phase!=Failed"),
        _objects("nodepools", "nodepools.karpenter.sh"),
        _objects("nodeclasses", "ec2nodeclasses.karpenter.k8s.aws"),
        _objects("nodeclaims", "nodeclaims.karpenter.sh"),
        _objects("events", "events", "--field-selector=involvedObject.kind=NodeClaim"),
        _objects("services"),
        _objects("ingresses"),
        _objects("gateways", "gateways.gateway.networking.k8s.io"),
        _objects("volumes", "persistentvolumes"),
        _objects("snapshots", "volumesnapshotcontents.snapshot.storage.k8s.io"),
        Call("root_ca", "kubectl", ("get", "configmap", "kube-root-ca.crt", "--namespace=kube-system")),
        _log("karpenter_log", KARPENTER_PODS),
        _log("load_balancer_controller_log", LOAD_BALANCER_CONTROLLER_PODS),
        Call("cluster", "aws", ("eks", "describe-cluster", "--name", cluster), "eks:DescribeCluster"),
        Call("addons", "aws", ("eks", "list-addons", "--cluster-name", cluster), "eks:ListAddons"),
        Call("nodegroups", "aws", ("eks", "list-nodegroups", "--cluster-name", cluster), "eks:ListNodegroups"),
        Call(
            "instances",
            "aws",
            (
                *("ec2", "describe-instances", "--filters", "Name=instance-state-name,Values=pending,running", "--query"),
                f"Reservations[].Instances[].[InstanceType,InstanceLifecycle,{_tag(f'kubernetes.io/cluster/{cluster}')},{_tag(POOL)}]",
            ),
            "ec2:DescribeInstances",
        ),
        Call("zones", "aws", ("ec2", "describe-availability-zones"), "ec2:DescribeAvailabilityZones"),
        Call(
            "quotas", "aws", ("service-quotas", "list-service-quotas", "--service-code", "ec2"), "servicequotas:ListServiceQuotas"
        ),
        Call(
            "default_quotas",
            "aws",
            ("service-quotas", "list-aws-default-service-quotas", "--service-code", "ec2"),
            "servicequotas:ListAWSDefaultServiceQuotas",
        ),
    ]


def further(facts: Facts) -> Iterator[Call]:
    """The calls that need what the first ones answered: add-ons, node groups, instance types of pools, reservations, the VPC."""
    for thing, right in (("addon", "eks:DescribeAddon"), ("nodegroup", "eks:DescribeNodegroup")):
        for name in texts(facts.answers.get(f"{thing}s"), f"{thing}s"):
            described = ("eks", f"describe-{thing}", "--cluster-name", facts.cluster, f"--{thing}-name", name)
            yield Call(f"{thing}/{name}", "aws", described, right)
    pools = [pool for pool in _known(pools_of, facts) if pool.names_types]
    reservations = sorted(_known(reservations_of, facts))
    if types := sorted({one for pool in pools for one in pool.types}):
        yield Call(
            "offerings",
            "aws",
            (
                *("ec2", "describe-instance-type-offerings", "--location-type", "availability-zone"),
                *("--filters", f"Name=instance-type,Values={','.join(types)}"),
            ),
            "ec2:DescribeInstanceTypeOfferings",
        )
    for pool in pools:
        if "spot" in pool.capacity_types:
            yield Call(
                f"scores/{pool.name}",
                "aws",
                (
                    *("ec2", "get-spot-placement-scores", "--single-availability-zone", "--region-names", facts.region),
                    *("--target-capacity", str(pool.nodes_at_limit or 1), "--instance-types", *pool.types),
                ),
                "ec2:GetSpotPlacementScores",
            )
    if reservations:
        yield Call(
            "reservations",
            "aws",
            ("ec2", "describe-capacity-reservations", "--capacity-reservation-ids", *reservations),
            "ec2:DescribeCapacityReservations",
        )
    if vpc := at(facts.answers.get("cluster"), "cluster", "resourcesVpcConfig", "vpcId"):
        yield Call(
            "interfaces",
            "aws",
            ("ec2", "describe-network-interfaces", "--filters", f"Name=vpc-id,Values={vpc}", "Name=description,Values=ELB *"),
            "ec2:DescribeNetworkInterfaces",
        )


def _known(ask: Callable[[Facts], Iterable[Found]], facts: Facts) -> list[Found]:
    """What facts say; nothing where they do not say."""
    try:
        return list(ask(facts))
    except NotKnownError:
        return []


def _titles(calls: Iterable[Call]) -> dict[str, str]:
    return {call.name: call.title for call in calls}


# What a question says it looked at. Calls of `further` are named by their subject.
TITLES = _titles([REACH, *of_cluster("NAME")]) | {
    "addon": "aws eks describe-addon",
    "nodegroup": "aws eks describe-nodegroup",
    "offerings": "aws ec2 describe-instance-type-offerings",
    "scores": "aws ec2 get-spot-placement-scores",
    "reservations": "aws ec2 describe-capacity-reservations",
    "interfaces": "aws ec2 describe-network-interfaces",
}
