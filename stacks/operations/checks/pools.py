"""Karpenter's objects: pools, node classes, and NodeClaims that do not become nodes. Plain Python."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from stacks.operations.checks.facts import Facts, at, conditions, last_seen, name_of, short, text, whole
from stacks.operations.checks.question import Answer, Finding, Question, Verdict, counted, judged, question
from stacks.operations.deployment import Object

POOL = "karpenter.sh/nodepool"
REGISTRATION = "NodeRegistrationHealthy"
UNTRIED = ("", "AwaitingReconciliation")  # other reasons of Launched are those of EC2, such as LaunchFailed and Unauthorized
STEPS = ("Launched", "Registered", "Initialized")
LAUNCH_SECONDS, JOIN_SECONDS = 120, 420  # GPU nodes take minutes to join; Karpenter itself gives up after 15
RECENT_SECONDS = 900
FAILURES = ("InsufficientCapacityError", "NodeClassNotReady", "FailedConsistencyCheck")  # reasons of Karpenter's events

SPOT_ROLE = "Once per account: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"
NO_CAPACITY = "EC2 has none at the moment. Allow more types or zones, or another capacity type: docs/pending.md#3-offerings."

# What EC2 says, and what to do: docs/pending.md has the rest. The first that occurs counts.
REMEDIES = {
    "MaxSpotInstanceCountExceeded": "A Spot quota is too small: docs/pending.md#4-quotas.",
    "VcpuLimitExceeded": "An on-demand quota is too small: docs/pending.md#4-quotas.",
    "ServiceLinkedRoleCreationNotPermitted": SPOT_ROLE,
    "InsufficientFreeAddressesInSubnet": "A subnet is full: docs/ip-addresses.md.",
    "Unauthorized": "AWS denies Karpenter a call: the check of its log names the action.",
    "NodeClassNotReady": "The node class is not READY: its check says why.",
    "NodeClass": "The node class is not READY: its check says why.",
    "InsufficientInstanceCapacity": NO_CAPACITY,
    "UnfulfillableCapacity": NO_CAPACITY,
    "InsufficientCapacity": "EC2 has none of the types in any zone of the pool, or a quota is full: docs/pending.md#3-offerings.",
    "Registered": "The instance runs, and its node did not join: docs/pending.md#2-conditions-of-the-nodeclaim.",
}


def _ready(thing: str, fact: str, kind: str, words: str) -> Question:
    @question(words, fact)
    def ask(facts: Facts) -> Answer:
        found = facts.objects(fact)
        if not found:
            return Answer(Verdict.FAILED, counted(0, thing), do="Karpenter launches nothing. `make plan` brings them back.")
        findings = [finding for item in found for finding in _not_ready(item)]
        return judged(len(found), thing, findings, f"kubectl describe {kind} NAME; docs/pending.md#karpenter-itself")

    return ask


def _not_ready(item: Object) -> Iterator[Finding]:
    """The conditions that are not True, if READY is not. A pool is READY, too, whose nodes failed to launch or to join lately."""
    found = conditions(item)
    ready = found.get("Ready")
    if ready is None:
        yield Finding(f"{name_of(item)} has no condition Ready.", certain=False)
    elif ready.status != "True":
        # Ready repeats the others, and the registration of nodes is no part of it.
        parts = [one for one in found.values() if one.status != "True" and one.type not in ("Ready", REGISTRATION)]
        yield Finding(f"{name_of(item)}: {'; '.join(short(one.words()) for one in parts or [ready])}")
    elif (joins := found.get(REGISTRATION)) and joins.status == "False":
        # Set after several nodes in a row that did not join or launch, until one joins (Karpenter 1.14.1, liveness.go).
        yield Finding(f"{name_of(item)}: {short(joins.words())}", certain=joins.reason == "RegistrationFailed")


@question("NodeClaims become nodes", "nodeclaims", "events")
def launches(facts: Facts) -> Answer:
    """Claims that wait, and those that Karpenter gave up in the last minutes, with the words of EC2."""
    claims = facts.objects("nodeclaims")
    waiting = [finding for claim in claims for finding in _waits(facts, claim)]
    recent, earlier = _failed_attempts(facts, claims)
    minutes = f"in the last {RECENT_SECONDS // 60} minutes"
    attempts = [Finding(f"{words} ({counted(count, 'time')} {minutes})") for words, count in recent.most_common(5)]
    notes = [f"{counted(earlier, 'attempt')} failed earlier in the last hour, or before a node came."] if earlier else []
    answer = judged(len(claims), "NodeClaim", [*waiting, *attempts], notes=notes)
    if answer.verdict is not Verdict.FAILED:
        return answer
    said = " ".join(answer.found)
    do = next((remedy for sign, remedy in REMEDIES.items() if sign in said), "docs/pending.md#2-conditions-of-the-nodeclaim")
    late = sum(finding.certain for finding in waiting)
    return replace(
        answer,
        figure=f"{late} of {len(claims)} NodeClaims wait, {counted(recent.total(), 'attempt')} failed {minutes}",
        do=do,
    )


def _failed_attempts(facts: Facts, claims: Sequence[Object]) -> tuple[Counter[str], int]:
    """What Karpenter said of claims that it gave up lately, and how many it gave up before, or before its pool got a node.

    Events live an hour.
    """
    recent: Counter[str] = Counter()
    earlier = 0
    ages: dict[str, float] = {}  # of the newest node of each pool
    for claim in claims:
        pool, age, launched = text(claim, "metadata", "labels", POOL), facts.age(claim), conditions(claim).get("Launched")
        if age is not None and launched and launched.status == "True":
            ages[pool] = min(age, ages.get(pool, age))
    for event in facts.objects("events"):
        if text(event, "reason") not in FAILURES:
            continue
        last = last_seen(event)
        count = whole(at(event, "count")) or 1
        pool = text(event, "involvedObject", "name").rpartition("-")[0]  # Karpenter names a claim after its pool
        if last is None or (facts.now - last).total_seconds() > min(RECENT_SECONDS, ages.get(pool, RECENT_SECONDS)):
            earlier += count
        else:
            # The message names the claim, which differs for each attempt: `NodeClaim gpu-spot-x1 event: …`
            message = text(event, "message")
            recent[f"{text(event, 'reason')}: {short(message.partition(' event: ')[2] or message)}"] += count
    return recent, earlier


def _waits(facts: Facts, claim: Object) -> Iterator[Finding]:
    """The first step that a claim has not reached, if that takes too long."""
    found, age = conditions(claim), facts.age(claim)
    step = next((one for one in STEPS if one not in found or found[one].status != "True"), None)
    if step is None or at(claim, "metadata", "deletionTimestamp"):
        return
    pool = text(claim, "metadata", "labels", POOL) or "no pool"
    if not found or age is None:
        yield Finding(f"{name_of(claim)} ({pool}) has no {'conditions' if age is not None else 'time of creation'}.", certain=False)
        return
    says = found[step].words() if step in found else f"{step} is not set"
    refused = step in found and (found[step].status == "False" or (step == "Launched" and found[step].reason not in UNTRIED))
    late = refused or age > (LAUNCH_SECONDS if step == "Launched" else JOIN_SECONDS)
    yield Finding(f"{name_of(claim)} ({pool}), {age:.0f} s old: {short(says)}", certain=late)


QUESTIONS: Sequence[Question] = (
    _ready("pool", "nodepools", "nodepool", "Pools are READY"),
    _ready("node class", "nodeclasses", "ec2nodeclass", "Node classes are READY"),
    launches,
)
