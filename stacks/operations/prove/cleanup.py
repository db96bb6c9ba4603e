"""How everything that a proof built is removed, and a look at what is left.

Only what the record names is removed: the state whose lineage is the record's, and the cluster in it.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from stacks.operations.checks.facts import listed, short, text
from stacks.operations.checks.reader import REFUSED
from stacks.operations.deployment import DeployedCluster, DeploymentError, NotDeployedError, Object, Stack
from stacks.operations.destroy import refuse_load_balancers, refuse_orphans, remove_nodes
from stacks.operations.prove.before import as_object
from stacks.operations.prove.ends import Outcome
from stacks.operations.prove.pods import NAMESPACE
from stacks.operations.prove.record import Record, managed, path_of

SESSION = "make-prove"
UNWRITTEN = "errored.tfstate"  # Terraform's name for a state that the backend did not take
LOCK_TIMEOUT = "-lock-timeout=5m"  # a Terraform that outlived its run finishes what it does
PATIENCE_MINUTES = 10  # without progress, while nodes are drained
API_TRIES, LOOKS, PAUSE_SECONDS = 10, 20, 15


@dataclass(frozen=True)
class Kind:
    """Something that costs or blocks, and how to find that of a cluster.

    Attributes:
        name: in the plural.
        arguments: of the AWS CLI; {cluster} and {vpc} are filled in.
        query: of the AWS CLI, which leaves a list of ids.
        remove: the command that removes one, without its id. make prove prints it and does not run it.
        needs: what the record must have, or nothing is looked for.
        costs: whether AWS charges for it.
    """

    name: str
    arguments: tuple[str, ...]
    query: str
    remove: str
    needs: Literal["", "vpc", "fis"] = ""
    costs: bool = True


_TAG = "Name=tag-key,Values=kubernetes.io/cluster/{cluster}"
_NAME = "Name=tag:Name,Values={cluster},{cluster}-*"
_VPC = "Name=vpc-id,Values={vpc}"
_LIVING = "Name=instance-state-name,Values=pending,running,shutting-down,stopping,stopped"
_INSTANCES = ("ec2", "describe-instances", "--filters", _LIVING)
_IDS, _TERMINATE = "Reservations[].Instances[].InstanceId", "ec2 terminate-instances --instance-ids"
_INTERFACES = ("ec2", "describe-network-interfaces", "--filters", _VPC)
_GATEWAYS = ("ec2", "describe-nat-gateways", "--filter", _VPC, "Name=state,Values=pending,available,failed")
_BALANCERS = "LoadBalancers[?VpcId=='{vpc}'].LoadBalancerArn"

# What may be left of a cluster, by its tag, its name or its network.
KINDS: Sequence[Kind] = (
    Kind("clusters", ("eks", "list-clusters"), "clusters[?@=='{cluster}']", "eks delete-cluster --name"),
    Kind("instances", (*_INSTANCES, _TAG), _IDS, _TERMINATE),
    Kind("instances", (*_INSTANCES, _VPC), _IDS, _TERMINATE, needs="vpc"),
    Kind("volumes", ("ec2", "describe-volumes", "--filters", _TAG), "Volumes[].VolumeId", "ec2 delete-volume --volume-id"),
    Kind(
        "addresses",
        ("ec2", "describe-addresses", "--filters", _NAME),
        "Addresses[].AllocationId",
        "ec2 release-address --allocation-id",
    ),
    Kind(
        "network interfaces",
        _INTERFACES,
        "NetworkInterfaces[].NetworkInterfaceId",
        "ec2 delete-network-interface --network-interface-id",
        needs="vpc",
        costs=False,
    ),
    Kind("NAT gateways", _GATEWAYS, "NatGateways[].NatGatewayId", "ec2 delete-nat-gateway --nat-gateway-id", needs="vpc"),
    Kind(
        "load balancers",
        ("elbv2", "describe-load-balancers"),
        _BALANCERS,
        "elbv2 delete-load-balancer --load-balancer-arn",
        needs="vpc",
    ),
    Kind("networks", ("ec2", "describe-vpcs", "--filters", _NAME), "Vpcs[].VpcId", "ec2 delete-vpc --vpc-id", costs=False),
    Kind(
        "templates of experiments",
        ("fis", "list-experiment-templates"),
        "experimentTemplates[?tags.Name=='{cluster}'].id",
        "fis delete-experiment-template --id",
        needs="fis",
        costs=False,
    ),
)


@dataclass(frozen=True)
class Left:
    """What a look found.

    Attributes:
        found: what is left, in words.
        unknown: what cannot be told, and why.
        named: what AWS or the user keeps, and that costs nothing or little.
        commands: those that remove what is left.
        costs: whether what is left costs something, as far as that is known.
    """

    found: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    costs: bool = False


@dataclass(frozen=True)
class Site:
    """Where a proof builds.

    Attributes:
        stack: with Terraform initialized.
        region: given to each command of Terraform, so that no variable leads elsewhere.
        kubeconfig: where `connect` writes.
        terraform: runs a command of Terraform.
        say, sleep: print a line, and wait.
    """

    stack: Stack
    region: str
    kubeconfig: Path
    terraform: Callable[..., Outcome]
    say: Callable[[str], None]
    sleep: Callable[[float], None]

    def aws(self, name: str = "") -> DeployedCluster:
        """The account, before there is a cluster or when it is gone. A role is assumed anew: its credentials end after an hour."""
        profile, environment = self.stack.identity(SESSION)
        return DeployedCluster(name, self.region, profile, environment, endpoint="", protected=False, kubeconfig=self.kubeconfig)

    def state(self) -> Object:
        """The state; {} if there is none."""
        found: Object = as_object(self.stack.terraform("state", "pull"))
        return found

    def connect(self) -> DeployedCluster:
        """The cluster in the state, connected."""
        cluster = self.stack.cluster(self.kubeconfig, SESSION)
        cluster.connect()
        return cluster


def refuse_another_state(record: Record, state: Object) -> None:
    """Stop where the state is not the one that the proof made.

    Raises:
        DeploymentError: the state has resources of somebody else.
    """
    if managed(state) and not record.owns(state):
        raise DeploymentError(
            f"The state of {record.stack} must be the one that the proof made (got {len(managed(state))} resources of another "
            f"lineage or suffix). It is not touched. Look for {record.cluster or 'the cluster'} in {record.region}, and remove "
            f"{path_of(record.stack)} when nothing of it is left."
        )


def known(site: Site, record: Record) -> Record:
    """The record, with what its state knows of the network and the keys. A second try knows less.

    A state that Terraform could not write, such as when the login ended, comes to its place before.

    Raises:
        DeploymentError: the state cannot be read or written.
    """
    state, unwritten = site.state(), site.stack.folder / UNWRITTEN
    if unwritten.exists():
        found = as_object(unwritten.read_text())
        if record.owns(found) and found.get("serial", 0) > state.get("serial", 0):
            site.say(f"Terraform could not write its state before. It is in {unwritten}, and is written now.")
            site.stack.terraform("state", "push", UNWRITTEN)
            unwritten.unlink()
            state = found
    if not record.owns(state):
        return record
    values = {
        "vpc": next(iter(_attributes(state, "aws_vpc", "id")), ""),
        "keys": _attributes(state, "aws_kms_key", "key_id"),
        "caches": _attributes(state, "aws_ecr_pull_through_cache_rule", "ecr_repository_prefix"),
    }
    return record.noted(**{name: value for name, value in values.items() if value})


def remove(site: Site, record: Record) -> None:
    """Remove everything in the state of a record: its pods, its nodes, and then the rest by Terraform.

    Raises:
        DeploymentError: something cannot be removed. The record stays.
        EndedError: a second Ctrl-C. Terraform has stopped.
    """
    state = site.state()
    refuse_another_state(record, state)
    if not managed(state):
        return
    try:
        cluster = site.stack.cluster(site.kubeconfig, SESSION, managed(state))
    except NotDeployedError:
        pass
    else:
        _remove_cluster(site, record, cluster)
    for attempt in ("", "again: "):  # what AWS deletes slowly may block another resource once
        outcome = site.terraform("destroy", "-auto-approve", "-input=false", LOCK_TIMEOUT)
        if not outcome.code:
            break
        site.say(f"terraform destroy did not finish, {attempt}exit code {outcome.code}")
    else:
        raise DeploymentError(f"terraform destroy failed: {_why(outcome, site.stack.folder)}")
    if left := managed(site.state()):
        raise DeploymentError(f"terraform destroy left {len(left)} resources in the state.")


def _why(outcome: Outcome, folder: Path) -> str:
    """The first error of Terraform. A lock that a killed Terraform left in a bucket stays until somebody removes it."""
    said = outcome.errors[0] if outcome.errors else "see above"
    if "acquiring the state lock" not in said:
        return short(said, 400)
    held = re.search(r"\bID:\s+(\S+)", said)
    unlock = f" When no Terraform runs any more, run first: terraform -chdir={folder} force-unlock {held[1]}." if held else ""
    return f"another Terraform holds the lock of the state, or a killed one left it there.{unlock}"


def _remove_cluster(site: Site, record: Record, cluster: DeployedCluster) -> None:
    """The pods and nodes, as `make destroy` does it."""
    differs = {"cluster": cluster.name, "region": cluster.region}
    for name, value in differs.items():
        if (expected := getattr(record, name)) and expected != value:
            raise DeploymentError(
                f"The {name} in the state must be {expected}, which the proof made (got {value}). It is not touched."
            )
    if cluster.endpoint:
        _reach(site, cluster)
        refuse_load_balancers(cluster)
        _remove_pods(site, cluster)
        remove_nodes(cluster, PATIENCE_MINUTES * 60)
    else:
        _let_eks_finish(site, cluster)
    refuse_orphans(cluster)


def _let_eks_finish(site: Site, cluster: DeployedCluster) -> None:
    """A Ctrl-C ends Terraform's wait and not EKS's work, and a cluster that EKS still creates cannot be deleted.

    The AWS provider does not wait for that: its resourceClusterDelete tries again only at the words "in progress". AWS's waiter
    does, for 20 minutes.
    """
    name = ("--name", cluster.name)
    try:
        if cluster.aws("eks", "describe-cluster", *name, "--query", "cluster.status", "--output", "text").strip() == "CREATING":
            site.say(f"EKS still creates {cluster.name}, and can delete it when that is done, some minutes from now.")
            cluster.aws("eks", "wait", "cluster-active", *name)
    except DeploymentError:  # there is no cluster, or Terraform names it
        return


def _remove_pods(site: Site, cluster: DeployedCluster) -> None:
    """The namespace of the proof, and the volumes of its claims as long as their driver runs. What stays, the look names."""
    try:
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", "--timeout=180s")
        for _ in range(LOOKS):
            if not any(text(one, "spec", "claimRef", "namespace") == NAMESPACE for one in cluster.objects("persistentvolumes")):
                return
            site.sleep(PAUSE_SECONDS)
    except DeploymentError as error:
        site.say(f"The namespace {NAMESPACE} may stay: {short(str(error), 160)}")


def _reach(site: Site, cluster: DeployedCluster) -> None:
    """Connect; an API that went away may come back.

    Raises:
        DeploymentError: it does not answer. Without it, nobody tells Karpenter to remove its nodes.
    """
    for left in reversed(range(API_TRIES)):
        try:
            cluster.connect()
            cluster.kubectl("get", "--raw=/version", "--request-timeout=15s")
        except DeploymentError as error:
            if not left:
                raise DeploymentError(f"The Kubernetes API of {cluster.name} does not answer: {short(str(error), 160)}") from None
            site.say(f"The Kubernetes API does not answer; {left} more tries.")
            site.sleep(PAUSE_SECONDS)
        else:
            return


def look(site: Site, record: Record) -> Left:
    """What is left of a cluster, when AWS had the time to delete it. Only reads."""
    if not record.cluster:
        return Left()
    account = site.aws(record.cluster)
    for tries in reversed(range(LOOKS)):
        left = _look(account, record)
        if not left.found or not tries:
            break
        site.say(f"Not yet gone: {'; '.join(left.found)}")
        site.sleep(PAUSE_SECONDS)
    return replace(left, named=tuple(_kept(account, record)))


def once(site: Site, record: Record) -> Left:
    """What runs at this moment. Only reads."""
    return _look(site.aws(record.cluster), record) if record.cluster else Left()


def _look(account: DeployedCluster, record: Record) -> Left:
    found: dict[str, set[str]] = {}
    places = {"cluster": record.cluster, "vpc": record.vpc}
    unknown, commands, costs = [], [], False
    for kind in KINDS:
        if kind.needs and not getattr(record, kind.needs):
            continue
        arguments = [one.format_map(places) for one in kind.arguments]
        try:
            answer = account.aws(*arguments, "--query", kind.query.format_map(places), "--output", "json")
        except DeploymentError as error:
            right = "a right is missing" if REFUSED.search(str(error)) else short(str(error), 120)
            unknown.append(f"{kind.name}: {right} (aws {' '.join(kind.arguments[:2])})")
            continue
        ids = set(as_object(answer) or ()) - found.get(kind.name, set())
        found.setdefault(kind.name, set()).update(ids)
        commands += [f"aws {kind.remove} {one} --region {record.region}" for one in sorted(ids)]
        costs = costs or (kind.costs and bool(ids))
    lines = tuple(f"{name} {', '.join(sorted(ids))}" for name, ids in found.items() if ids)
    return Left(lines, tuple(unknown), commands=tuple(commands), costs=costs or bool(unknown))


def _kept(account: DeployedCluster, record: Record) -> list[str]:
    """What outlives every destroy: keys that wait for their deletion, and the repositories of an image cache."""
    lines = []
    for key in record.keys:
        try:
            answer = json.loads(account.aws("kms", "describe-key", "--key-id", key, "--output", "json"))
            found = answer["KeyMetadata"]
            ends = found.get("DeletionDate")  # a number with the AWS CLI 1
            until = f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%d}" if isinstance(ends, int | float) else str(ends)[:10]
            lines.append(f"KMS key {key}: {found.get('KeyState')}, until {until}; it costs nothing")
        except (DeploymentError, ValueError, KeyError):
            lines.append(f"KMS key {key}: AWS deletes it after the days that the stack sets; it costs nothing")
    for prefix in record.caches:
        query = f"repositories[?starts_with(repositoryName,'{prefix}/')].repositoryName"
        try:
            names = as_object(account.aws("ecr", "describe-repositories", "--query", query, "--output", "json"))
            lines += [
                f"Repository {name} of the image cache: its storage costs. To remove it: aws ecr delete-repository "
                f"--repository-name {name} --force --region {record.region}"
                for name in names or ()
            ]
        except DeploymentError as error:
            lines.append(f"Repositories {prefix}/ of the image cache cannot be listed: {short(str(error), 120)}")
    return lines


def _attributes(state: Object, kind: str, name: str) -> tuple[str, ...]:
    found = (
        text(one, "attributes", name) for item in managed(state) if item.get("type") == kind for one in listed(item, "instances")
    )
    return tuple(filter(None, found))
