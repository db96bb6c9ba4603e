"""Nodes: ready, on the Bottlerocket that is asked for, not too old, and not held back where they drifted. Plain Python."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from stacks.config.budgets import Allowance, allowance
from stacks.config.times import DURATION, NEVER, seconds
from stacks.operations.checks.facts import Facts, NotKnownError, at, conditions, listed, name_of, short, text
from stacks.operations.checks.question import Answer, Finding, Question, Verdict, counted, judged, question
from stacks.operations.deployment import Object

JOINING_SECONDS = 300
NODE_GROUP = "eks.amazonaws.com/nodegroup"
POOL = "karpenter.sh/nodepool"
NODE_CLASS = "karpenter.k8s.aws/ec2nodeclass"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
DRIFTED = "Drifted"
HOURS = 3600

BOTTLEROCKET = re.compile(r"Bottlerocket\b(?: OS ([0-9]+[.][0-9]+[.][0-9]+))?")
ALIAS = re.compile(r"bottlerocket@(?:latest|v?([0-9]+[.][0-9]+[.][0-9]+))")


@question("Nodes are Ready", "nodes")
def ready(facts: Facts) -> Answer:
    """A node that joined a moment ago may still come."""
    nodes = [node for node in facts.objects("nodes") if not at(node, "metadata", "deletionTimestamp")]
    if not nodes:
        return Answer(Verdict.FAILED, "no nodes", do="The node group launches the first: look at its activity in the EKS console.")
    return judged(len(nodes), "node", [one for node in nodes for one in _not_ready(facts, node)], "kubectl describe node NAME")


def _not_ready(facts: Facts, node: Object) -> Iterator[Finding]:
    found, age = conditions(node).get("Ready"), facts.age(node)
    if found is None:
        yield Finding(f"{name_of(node)} has no condition Ready.", certain=False)
    elif found.status != "True":
        yield Finding(f"{name_of(node)}: {short(found.words())}", certain=age is None or age > JOINING_SECONDS)


@question("Nodes run the Bottlerocket that is asked for", "nodes", "nodeclasses")
def bottlerocket(facts: Facts) -> Answer:
    """The release of `amiSelectorTerms`; `latest` and the node group allow each."""
    nodes, asked = facts.objects("nodes"), {name_of(item): item for item in facts.objects("nodeclasses")}
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
    match = BOTTLEROCKET.match(image)
    if not image:
        yield Finding(f"{name_of(node)} does not name its image.", certain=False)
    elif not match:
        yield Finding(f"{name_of(node)} runs {short(image, 60)}, and not Bottlerocket.")
    elif POOL in (at(node, "metadata", "labels") or {}):
        name = text(node, "metadata", "labels", NODE_CLASS)
        terms = listed(asked.get(name), "spec", "amiSelectorTerms")
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
            findings.append(Finding(f"{said}, and expired after {own}: its pods keep it."))
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


@question("Drifted nodes are replaced", "nodeclaims", "nodepools", "pods")
def drift(facts: Facts) -> Answer:
    """Drifted nodes that a budget holds back for ever run old settings until somebody deletes their NodeClaim."""
    claims = [claim for claim in facts.objects("nodeclaims") if not at(claim, "metadata", "deletionTimestamp")]
    drifted = [claim for claim in claims if (found := conditions(claim).get(DRIFTED)) and found.status == "True"]
    pools = {name_of(pool): pool for pool in facts.objects("nodepools")}
    held, notes, commands = [], [], []
    for claim in drifted:
        name = text(claim, "metadata", "labels", POOL)
        reason = conditions(claim)[DRIFTED].reason or "no reason given"
        said = f"{_node(claim)} ({name_of(claim)}, pool {name or 'unknown'}): {reason}"
        allowed = _allowed(pools.get(name))
        if allowed is None:
            held.append(Finding(f"{said}. The budgets of the pool are unknown.", certain=False))
        elif allowed.never:
            held.append(Finding(f"{said}. The budget of the pool allows no replacement. {_deletion(facts, claim)}"))
            commands.append(f"kubectl delete nodeclaim {name_of(claim)}")
        else:
            notes.append(f"{said}. Karpenter replaces {allowed.words()}.")
    do = f"When its jobs are done, release a node: {'; '.join(commands)}" if commands else ""
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


def _deletion(facts: Facts, claim: Object) -> str:
    """What the deletion of a claim does to the pods of its node."""
    node = text(claim, "status", "nodeName")
    try:
        pods = [pod for pod in facts.objects("pods") if node and text(pod, "spec", "nodeName") == node]
    except NotKnownError as error:
        return f"What a deletion does to its pods cannot be told: {error}."
    own = [pod for pod in pods if "DaemonSet" not in {text(owner, "kind") for owner in listed(pod, "metadata", "ownerReferences")}]
    if not own:
        return "Its deletion ends no pod but those of daemon sets."
    protected = [name_of(pod) for pod in own if text(pod, "metadata", "annotations", DO_NOT_DISRUPT) == "true"]
    grace = text(claim, "spec", "terminationGracePeriod")
    waits = f"; waits {f'at most {grace}' if grace else 'without end'} for {', '.join(protected)} (do-not-disrupt)"
    names = short(", ".join(map(name_of, own)), 200)
    return f"Its deletion evicts {counted(len(own), 'pod')}: {names}{waits if protected else ''}."


def _node(claim: Object) -> str:
    return text(claim, "status", "nodeName") or "a node without a name"


QUESTIONS: Sequence[Question] = (ready, bottlerocket, expiry, drift)
