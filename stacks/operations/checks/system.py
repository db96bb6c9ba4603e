"""What the cluster needs to work: the control plane, add-ons, controllers, and what AWS refuses them. Plain Python."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from stacks.operations.checks.calls import KARPENTER_PODS
from stacks.operations.checks.facts import Facts, at, conditions, listed, moment, name_of, short, text
from stacks.operations.checks.question import Answer, Finding, Question, Verdict, judged, of_each, question
from stacks.operations.deployment import Object

SYSTEM = "kube-system"
STARTING_SECONDS = 300  # an image, and a probe or two
RESTARTS, RECENT_SECONDS = 3, 600

# `status` of DescribeCluster, DescribeAddon and DescribeNodegroup: https://docs.aws.amazon.com/eks/latest/APIReference/API_Addon.html
HEALTHY, CHANGING = ("ACTIVE",), ("CREATING", "UPDATING", "DELETING", "PENDING")

# What IAM refuses; and credentials that are missing, expired or of nobody.
REFUSED = re.compile(
    r"UnauthorizedOperation|AccessDenied|is not authorized to perform|failed to refresh cached credentials|AuthFailure|ExpiredToken"
    r"|InvalidClientTokenId|UnrecognizedClientException|InvalidIdentityToken"
)
# IAM's own words name the action; else the SDK's prefix names the operation.
ACTION = re.compile(r"is not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")
OPERATION = re.compile(r"operation error ([A-Za-z0-9 ]+): ([A-Za-z]+)")


@question("The Kubernetes API answers", "reach")
def api(facts: Facts) -> Answer:
    """A refusal is an answer, too."""
    lacks = facts.missing.get("reach")
    if lacks and not lacks.right:
        do = "Is the caller in endpoint_public_access_cidrs, or in the VPC of a private endpoint? Is the control plane ACTIVE?"
        return Answer(Verdict.FAILED, lacks.said, do=do)
    return Answer(Verdict.PASSED, text(facts.answer("reach"), "gitVersion"))


@question("The control plane has no issues", "cluster")
def control_plane(facts: Facts) -> Answer:
    """`health.issues` of the cluster, such as a KMS key or a subnet that is gone."""
    cluster = at(facts.answer("cluster"), "cluster")
    return judged(
        1,
        "control plane",
        list(_of_eks("The cluster", cluster)),
        "https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html",
    )


def _healthy(words: str, subject: str, thing: str, do: str) -> Question:
    """An add-on may be degraded while its pods look well, and a node group while its nodes do."""

    @question(words, f"{subject}s", subject)
    def ask(facts: Facts) -> Answer:
        facts.answer(f"{subject}s")
        names = facts.each(subject)
        found = of_each(names, lambda name: _of_eks(name, at(facts.answer(f"{subject}/{name}"), subject)))
        return judged(len(names), thing, found, do)

    return ask


addons = _healthy(
    "EKS add-ons are healthy",
    "addon",
    "add-on",
    "kubectl -n kube-system get pods, and describe those of the add-on. An add-on that Terraform manages: make plan.",
)
node_groups = _healthy(
    "Node groups are healthy",
    "nodegroup",
    "node group",
    "https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html#troubleshoot-managed-node-groups",
)


def _of_eks(name: str, thing: object) -> Iterator[Finding]:
    status = text(thing, "status")
    issues = [
        short(": ".join(filter(None, (text(one, "code"), text(one, "message"))))) for one in listed(thing, "health", "issues")
    ]
    if not status:
        yield Finding(f"{name} has no status.", certain=False)
    elif status not in HEALTHY or issues:
        # What changes may come; an issue is one at any time.
        yield Finding(
            f"{name} is {status}{': ' if issues else ''}{'; '.join(issues)}", certain=bool(issues) or status not in CHANGING
        )


@question("System pods run", "pods")
def pods(facts: Facts) -> Answer:
    """The pods of kube-system, where the controllers and the add-ons are."""
    found = [pod for pod in facts.objects("pods") if text(pod, "metadata", "namespace") == SYSTEM]
    if not found:
        return Answer(
            Verdict.FAILED, f"no pods in {SYSTEM}", do="The node group may have no nodes: look at its activity in the EKS console."
        )
    findings = [Finding(f"{name_of(pod)}: {why}", certain) for pod in found for why, certain in _of_pod(facts, pod)]
    return judged(
        len(found),
        f"{SYSTEM} pod",
        findings,
        f"kubectl -n {SYSTEM} describe pod NAME; kubectl -n {SYSTEM} logs NAME --previous",
    )


def _of_pod(facts: Facts, pod: Object) -> Iterator[tuple[str, bool]]:
    """Why a pod does not run, and whether that is certain."""
    age = facts.age(pod)
    ready = conditions(pod).get("Ready")
    statuses = [*listed(pod, "status", "initContainerStatuses"), *listed(pod, "status", "containerStatuses")]
    for status in statuses:
        reason, restarts = text(status, "state", "waiting", "reason"), at(status, "restartCount")
        ended = moment(at(status, "lastState", "terminated", "finishedAt"))
        recently = ended is not None and (facts.now - ended).total_seconds() < RECENT_SECONDS
        if reason not in ("", "ContainerCreating", "PodInitializing"):
            last = text(status, "lastState", "terminated", "reason")
            said = ", ".join(filter(None, (short(text(status, "state", "waiting", "message")), last and f"last ended with {last}")))
            yield f"{text(status, 'name')} is in {reason}, {restarts} restarts{f' ({said})' if said else ''}", True
            return
        if isinstance(restarts, int) and restarts >= RESTARTS and recently:
            yield f"{text(status, 'name')} restarted {restarts} times, last at {ended:%H:%M} UTC", True
            return
    if ready is None and not text(pod, "status", "phase"):
        yield "has no status", False
    elif (ready is None or ready.status != "True") and "deletionTimestamp" not in pod["metadata"]:
        scheduled = conditions(pod).get("PodScheduled")
        why = scheduled if scheduled and scheduled.status == "False" else ready
        words = short(why.words()) if why else f"is {text(pod, 'status', 'phase')}"
        yield words, age is not None and age > STARTING_SECONDS


@question("Karpenter runs", "pods")
def karpenter(facts: Facts) -> Answer:
    """Without Karpenter, nothing launches or removes its nodes."""
    label, _, value = KARPENTER_PODS.partition("=")
    found = [
        pod
        for pod in facts.objects("pods")
        if text(pod, "metadata", "namespace") == SYSTEM and at(pod, "metadata", "labels", label) == value
    ]
    ready = [pod for pod in found if (condition := conditions(pod).get("Ready")) and condition.status == "True"]
    if found and not any(at(pod, "status") for pod in found):
        return Answer(Verdict.CANNOT_BE_TOLD, "its pods have no status")
    do = f"kubectl -n {SYSTEM} describe deployment karpenter. If the deployment is gone, `make plan` brings it back."
    return Answer(Verdict.PASSED if ready else Verdict.FAILED, f"{len(ready)} of {len(found)} pods ready", do="" if ready else do)


def _refused(name: str, log: str) -> Question:
    @question(f"AWS refuses no call of {name}", log)
    def ask(facts: Facts) -> Answer:
        lines = [line for line in facts.text(log).splitlines() if line.strip()]
        refused = [(_action(line), _time(line)) for line in lines if REFUSED.search(line)]
        if not refused:
            return Answer(Verdict.PASSED if lines else Verdict.NOT_APPLICABLE, f"{len(lines) or 'no'} lines in the last hour")
        times = Counter(action for action, _ in refused)
        last = dict(refused)
        return Answer(
            Verdict.FAILED,
            f"{len(refused)} refused in the last hour",
            tuple(
                f"{action}: {count} times{last[action] and f', last at {last[action]}'}" for action, count in times.most_common()
            ),
            f"Allow the actions in the role of {name}; a service control policy or a permissions boundary may deny them too. If "
            "all are refused, the pods lack their identity: docs/pending.md#karpenter-itself.",
        )

    return ask


def _action(line: str) -> str:
    """The action that was refused, as `ec2:CreateFleet`. Errors are wrapped, so the operation nearest before the refusal counts."""
    if match := ACTION.search(line):
        return match[1]
    before = REFUSED.split(line, maxsplit=1)[0]
    operations = OPERATION.findall(before)
    service, operation = operations[-1] if operations else ("", "")
    return f"{service.lower().replace(' ', '')}:{operation}" if operation else "a call that the log does not name"


def _time(line: str) -> str:
    """When a line was written, as Karpenter (`time`) and the load balancer controller (`ts`) write it."""
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    when = moment(at(entry, "time")) or moment(at(entry, "ts"))
    return f"{when:%H:%M} UTC" if when else ""


QUESTIONS: Sequence[Question] = (
    api,
    control_plane,
    addons,
    node_groups,
    pods,
    karpenter,
    _refused("Karpenter", "karpenter_log"),
    _refused("the load balancer controller", "load_balancer_controller_log"),
)
