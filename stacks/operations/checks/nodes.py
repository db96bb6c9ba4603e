"""Nodes: ready, on the Bottlerocket that is asked for, not too old, and not held back where they drifted. Plain Python."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from stacks.config.budgets import Allowance, allowance
from stacks.config.times import DURATION, NEVER, seconds
from stacks.operations.checks.facts import (
    Facts,
    NotKnownError,
    at,
    conditions,
    last_seen,
    listed,
    moment,
    name_of,
    short,
    text,
    whole,
)
from stacks.operations.checks.question import Answer, Finding, Question, Verdict, counted, judged, question
from stacks.operations.checks.types import GPU
from stacks.operations.deployment import Object

JOINING_SECONDS = 300
NODE_GROUP = "eks.amazonaws.com/nodegroup"
POOL = "karpenter.sh/nodepool"
NODE_CLASS = "karpenter.k8s.aws/ec2nodeclass"
COMPUTE_TYPE = "eks.amazonaws.com/compute-type"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
DRIFTED = "Drifted"
HOURS = 3600
MOST_COMMANDS = 5  # of many that differ by a name

# Conditions with which a node is broken while Ready is True: the kubelet's pressures, and those of the node monitoring agent.
# https://docs.aws.amazon.com/eks/latest/userguide/node-health.html
BROKEN = {(kind, "True") for kind in ("DiskPressure", "MemoryPressure", "PIDPressure")} | {
    (f"{kind}Ready", "False") for kind in ("AcceleratedHardware", "ContainerRuntime", "Kernel", "Networking", "Storage")
}

# Karpenter drains a node that expired; a node that is deleted may wait for its pods as long as its grace period.
DRAIN_SECONDS, GONE_SECONDS = 900, 3600
REMOVAL = ("Drained", "VolumesDetached", "InstanceTerminating")

# What Karpenter says of a node whose pods keep it (ValidateNodeDisruptable and ValidatePodsDisruptable in
# pkg/controllers/state/statenode.go of kubernetes-sigs/karpenter, 1.6.0 to 1.14.1). With a grace period, drift does not wait.
KEPT = re.compile(r"do-not-disrupt|PodDisruptionBudget")
BLOCKED, BLOCKED_SECONDS = "DisruptionBlocked", 900

BOTTLEROCKET = re.compile(r"Bottlerocket\b(?: OS ([0-9]+[.][0-9]+[.][0-9]+))?")
ALIAS = re.compile(r"bottlerocket@(?:latest|v?([0-9]+[.][0-9]+[.][0-9]+))")


@question("Nodes are Ready", "nodes")
def ready(facts: Facts) -> Answer:
    """A node that joined a moment ago may still come. A node that is Ready may have broken GPUs."""
    nodes = _staying(facts)
    if not nodes:
        return Answer(Verdict.FAILED, "no nodes", do="The node group launches the first: look at its activity in the EKS console.")
    return judged(len(nodes), "node", [one for node in nodes for one in _not_ready(facts, node)], "kubectl describe node NAME")


def _staying(facts: Facts) -> list[Object]:
    return [node for node in facts.objects("nodes") if not at(node, "metadata", "deletionTimestamp")]


def _not_ready(facts: Facts, node: Object) -> Iterator[Finding]:
    every, age = conditions(node), facts.age(node)
    found = every.get("Ready")
    if found is None:
        yield Finding(f"{name_of(node)} has no condition Ready.", certain=False)
    else:
        wrong = [found] if found.status != "True" else [one for one in every.values() if (one.type, one.status) in BROKEN]
        said = [short(one.words()) for one in wrong]
        gpus, usable = (whole(at(node, "status", kind, GPU)) for kind in ("capacity", "allocatable"))
        if gpus and usable is not None and usable < gpus:
            said.append(f"{usable} of {counted(gpus, 'GPU')} can be used")
        if said:
            yield Finding(f"{name_of(node)}: {'; '.join(said)}", certain=age is None or age > JOINING_SECONDS)


@question("Nodes run the Bottlerocket that is asked for", "nodes", "nodeclasses")
def bottlerocket(facts: Facts) -> Answer:
    """The release of `amiSelectorTerms`; `latest` and the node group allow each. Fargate has an image of its own."""
    nodes = [node for node in _staying(facts) if text(node, "metadata", "labels", COMPUTE_TYPE) != "fargate"]
    asked = {name_of(item): item for item in facts.objects("nodeclasses")}
    findings: list[Finding] = []
    running: Counter[str] = Counter()
    for node in nodes:
        image = text(node, "status", "nodeInfo", "osImage")
        match = BOTTLEROCKET.match(image)
        running[f"{match[1] or 'unknown release'}" if match else short(image, 60) or "unknown"] += 1
        findings += _image(node, image, asked)
    do = "Karpenter replaces drifted nodes as budgets allow: see the check of drifted nodes, and docs/upgrading.md."
    releases = ", ".join(f"{count} on {release}" for release, count in running.most_common())
    return judged(len(nodes), "node", findings, do, said=f"{counted(len(nodes), 'node')}: {releases}")


def _image(node: Object, image: str, asked: dict[str, Object]) -> Iterator[Finding]:
    match, name = BOTTLEROCKET.match(image), text(node, "metadata", "labels", NODE_CLASS)
    terms = listed(asked.get(name), "spec", "amiSelectorTerms")
    families = {text(term, "alias").partition("@")[0] for term in terms} | {text(asked.get(name), "spec", "amiFamily").lower()}
    if not image:
        yield Finding(f"{name_of(node)} does not name its image.", certain=False)
    elif not match and families - {"", "custom"} and "bottlerocket" not in families:
        pass  # the node class asks for another image
    elif not match:
        yield Finding(f"{name_of(node)} runs {short(image, 60)}, and not Bottlerocket.")
    elif POOL in (at(node, "metadata", "labels") or {}):
        releases = {alias[1] for term in terms if (alias := ALIAS.fullmatch(text(term, "alias")))}
        if not releases:
            yield Finding(f"{name_of(node)}: the node class {name or 'of the node'} does not name a release.", certain=False)
        elif None not in releases and match[1] not in releases:
            wanted = " or ".join(sorted(filter(None, releases)))
            said = f"{name_of(node)} runs {match[1] or 'an unknown release'}, and node class {name} asks for {wanted}."
            yield Finding(said, certain=match[1] is not None)


@question("Nodes are younger than their pool's expiry", "nodeclaims", "nodepools")
def expiry(facts: Facts) -> Answer:
    """A claim keeps the expiry with which it was made; one that is past its own expiry waits for its pods."""
    claims = facts.objects("nodeclaims")
    pools = {name_of(pool): text(pool, "spec", "template", "spec", "expireAfter") for pool in facts.objects("nodepools")}
    findings: list[Finding] = []
    oldest = 0.0
    for claim in claims:
        age, own = facts.age(claim), text(claim, "spec", "expireAfter")
        pool = text(claim, "metadata", "labels", POOL)
        if age is None:
            findings.append(Finding(f"{name_of(claim)} does not say when it was made.", certain=False))
            continue
        oldest = max(oldest, age)
        said = f"{_node(claim)} ({name_of(claim)}, pool {pool or 'unknown'}) is {age / HOURS:.0f} h old"
        limit = pools.get(pool, "")
        if _passed(own, age):
            keeps = _passed(own, age - DRAIN_SECONDS) is True
            findings.append(
                Finding(f"{said}, and expired after {own}: {'its pods keep it' if keeps else 'it drains'}.", certain=keeps)
            )
        elif _passed(limit, age):
            findings.append(Finding(f"{said}; the pool says {limit}, and the node was made with {own or 'no expiry'}."))
        elif _passed(own, age) is None and _passed(limit, age) is None:
            findings.append(Finding(f"{said}, and neither the node nor the pool says when it expires.", certain=False))
    do = "kubectl delete nodeclaim NAME drains a node. Pods with do-not-disrupt or behind a PodDisruptionBudget keep it."
    return judged(
        len(claims),
        "Karpenter node",
        findings,
        do,
        said=f"{counted(len(claims), 'Karpenter node')}, the oldest {oldest / HOURS:.0f} h" if claims else "",
    )


def _passed(expires: str, age: float) -> bool | None:
    """Whether an age is beyond a duration; None if the text is not a duration."""
    if expires == NEVER:
        return False
    return age > seconds(expires) if re.fullmatch(DURATION, expires) else None


@question("Deleted nodes are gone", "nodeclaims", "pods")
def deleted(facts: Facts) -> Answer:
    """A node that somebody or Karpenter deleted costs until its pods let it go, and EC2 ended its instance."""
    findings, notes, pods = [], [], _pods(facts)
    leaving = [claim for claim in facts.objects("nodeclaims") if at(claim, "metadata", "deletionTimestamp")]
    for claim in leaving:
        since, grace = moment(at(claim, "metadata", "deletionTimestamp")), text(claim, "spec", "terminationGracePeriod")
        age = (facts.now - since).total_seconds() if since else 0
        found = conditions(claim)
        step = next((found[one] for one in REMOVAL if one in found and found[one].status != "True"), None)
        said = (
            f"{_node(claim)} ({name_of(claim)}) was deleted {age / 60:.0f} minutes ago{f': {short(step.words())}' if step else ''}."
        )
        if age > max(GONE_SECONDS, seconds(grace) + DRAIN_SECONDS):
            findings.append(Finding(f"{said} {_rest(pods, claim)}"))
        else:
            notes.append(said)
    do = "kubectl describe nodeclaim NAME, and its node: pods with do-not-disrupt, PodDisruptionBudgets or finalizers keep it."
    return judged(len(leaving), "deleted node", findings, do, notes=notes)


@question("Drifted nodes are replaced", "nodeclaims", "nodepools", "pods", "events")
def drift(facts: Facts) -> Answer:
    """Drifted nodes that a budget holds back for ever run old settings until somebody deletes their NodeClaim."""
    claims = [claim for claim in facts.objects("nodeclaims") if not at(claim, "metadata", "deletionTimestamp")]
    drifted = [claim for claim in claims if (found := conditions(claim).get(DRIFTED)) and found.status == "True"]
    pools, pods = {name_of(pool): pool for pool in facts.objects("nodepools")}, _pods(facts)
    held, notes, commands, kept_by_pods = [], [], [], False
    for claim in drifted:
        name = text(claim, "metadata", "labels", POOL)
        reason = conditions(claim)[DRIFTED].reason or "no reason given"
        said = f"{_node(claim)} ({name_of(claim)}, pool {name or 'unknown'}): {reason}"
        allowed = _allowed(pools.get(name))
        if allowed is None:
            held.append(Finding(f"{said}. The budgets of the pool are unknown.", certain=False))
        elif allowed.never:
            held.append(Finding(f"{said}. The budget of the pool allows no replacement. {_deletion(pods, claim)}"))
            commands.append(f"kubectl delete nodeclaim {name_of(claim)}")
        elif kept := _kept(facts, claim, said):
            held.append(kept)
            kept_by_pods |= kept.certain
        else:
            notes.append(f"{said}. Karpenter replaces {allowed.words()}.")
    some = "; ".join([*commands[:MOST_COMMANDS], *(["…"] if len(commands) > MOST_COMMANDS else [])])
    release = f"When its jobs are done, release a node: {some}. " if commands else ""
    keeps = "A node that its pods keep goes when they end, or when their PodDisruptionBudget lets them. " if kept_by_pods else ""
    do = f"{release}{keeps}docs/doctor.md#what-a-drifted-nodes-release-does" if release or keeps else ""
    figure = f"{len(drifted)} drifted of {counted(len(claims), 'Karpenter node')}"
    return judged(len(claims), "Karpenter node", held, do, said=figure if claims else "", notes=notes)


def _allowed(pool: Object | None) -> Allowance | None:
    """How many drifted nodes may go at a time; None if the budgets cannot be read."""
    if at(pool, "spec") is None:
        return None
    try:
        return allowance([budget for budget in listed(pool, "spec", "disruption", "budgets") if isinstance(budget, dict)], DRIFTED)
    except (KeyError, TypeError, ValueError):
        return None


def _kept(facts: Facts, claim: Object, said: str) -> Finding | None:
    """What Karpenter said lately of pods that keep a node which its budget would let go."""
    if text(claim, "spec", "terminationGracePeriod"):
        return None
    try:
        events = facts.objects("events")
    except NotKnownError as error:
        return Finding(f"{said}. Whether its pods keep it cannot be told: {error}.", certain=False)
    for event in events:
        when, words = last_seen(event), text(event, "message")
        mine = text(event, "involvedObject", "name") == name_of(claim) and text(event, "reason") == BLOCKED
        if mine and KEPT.search(words) and when and (facts.now - when).total_seconds() < BLOCKED_SECONDS:
            return Finding(f"{said}. Karpenter does not replace it: {short(words)}. It waits without end.")
    return None


def _pods(facts: Facts) -> dict[str, list[Object]] | NotKnownError:
    """The pods of each node without those that every node has; or why they are not known."""
    try:
        pods = facts.objects("pods")
    except NotKnownError as error:
        return error
    found: dict[str, list[Object]] = defaultdict(list)
    for pod in pods:
        if not {text(owner, "kind") for owner in listed(pod, "metadata", "ownerReferences")} & {"DaemonSet", "Node"}:
            found[text(pod, "spec", "nodeName")].append(pod)
    return found


def _rest(pods: dict[str, list[Object]] | NotKnownError, claim: Object) -> str:
    """Which pods are still on a node that is deleted."""
    if isinstance(pods, NotKnownError):
        return f"Which pods keep it cannot be told: {pods}."
    names = ", ".join(map(name_of, pods.get(text(claim, "status", "nodeName") or "-", ())))
    return f"Pods there: {short(names, 200)}." if names else "No pods but those of daemon sets are there."


def _deletion(pods: dict[str, list[Object]] | NotKnownError, claim: Object) -> str:
    """What the deletion of a claim does to the pods of its node."""
    if isinstance(pods, NotKnownError):
        return f"What a deletion does to its pods cannot be told: {pods}."
    own = pods.get(text(claim, "status", "nodeName") or "-", ())
    if not own:
        return "Its deletion ends no pod but those of daemon sets."
    protected = [name_of(pod) for pod in own if text(pod, "metadata", "annotations", DO_NOT_DISRUPT) not in ("", "false")]
    grace = text(claim, "spec", "terminationGracePeriod")
    waits = f"; waits {f'at most {grace}' if grace else 'without end'} for {', '.join(protected)} (do-not-disrupt)"
    names = short(", ".join(map(name_of, own)), 200)
    return f"Its deletion evicts {counted(len(own), 'pod')}: {names}{waits if protected else ''}."


def _node(claim: Object) -> str:
    return text(claim, "status", "nodeName") or "a node without a name"


QUESTIONS: Sequence[Question] = (ready, bottlerocket, expiry, deleted, drift)
