"""What a living cluster says before an upgrade. `make upgrade-plan` asks; nothing here is a fault. Plain Python."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Sequence

from stacks.knowledge.versions import parts
from stacks.operations.checks.facts import Facts, NotKnownError, at, conditions, listed, name_of, text
from stacks.operations.checks.nodes import DRIFTED, POOL
from stacks.operations.checks.question import Answer, Finding, Question, Verdict, judged, question
from stacks.operations.deployment import Object

KUBELET = re.compile(r"v(\d+[.]\d+)")
HASH, HASH_VERSION = "karpenter.k8s.aws/ec2nodeclass-hash", "karpenter.k8s.aws/ec2nodeclass-hash-version"


@question("EKS says which version the control plane has", "cluster")
def control_plane(facts: Facts) -> Answer:
    """The version, which EKS itself may have moved at the end of a support."""
    return Answer(Verdict.PASSED, text(facts.answer("cluster"), "cluster", "version"))


@question("Karpenter's nodes are counted", "nodeclaims")
def nodes(facts: Facts) -> Answer:
    """How many nodes each pool has, and how many of them drifted."""
    claims = facts.objects("nodeclaims")
    drifted = Counter(_pool(claim) for claim in claims if _drifted(claim))
    counts = sorted(Counter(map(_pool, claims)).items())
    said = [f"{pool} {count}{f' ({drifted[pool]} drifted)' if drifted[pool] else ''}" for pool, count in counts]
    return Answer(Verdict.PASSED, ", ".join(said) or "no nodes of Karpenter")


@question("Nodes that differ from their node class are marked as drifted", "nodeclaims", "nodeclasses")
def marked(facts: Facts) -> Answer:
    """Karpenter marks them some time after a class has changed, and 1.12 forgets what is not marked by then."""
    classes = {name_of(one): one for one in facts.objects("nodeclasses")}
    claims = facts.objects("nodeclaims")
    if unseen := sorted(name for name, one in classes.items() if not _seen(one)):
        raise NotKnownError(
            f"Karpenter has not looked at {', '.join(unseen)} since the last change", "Wait a minute, and ask again."
        )
    late = [
        Finding(f"{name_of(claim)} (pool {_pool(claim)}) is not marked yet.")
        for claim in claims
        if not _drifted(claim) and _differs(claim, classes.get(text(claim, "spec", "nodeClassRef", "name")))
    ]
    return judged(len(claims), "Karpenter node", late, "Wait until Karpenter has marked them, and run this command again.")


@question("Karpenter finds the CA that EKS reports", "cluster", "root_ca")
def certificate_authority(facts: Facts) -> Answer:
    """From 1.12 on, nodes drift when the CA in Karpenter's settings is another than before."""
    reported = text(facts.answer("cluster"), "cluster", "certificateAuthority", "data")
    found = text(facts.answer("root_ca"), "data", "ca.crt")
    try:
        same = base64.b64decode(reported, validate=True) == found.encode()
    except binascii.Error:
        reported = ""
    if not reported or not found:
        raise NotKnownError("one of the two has no certificate")
    if same:
        return Answer(Verdict.PASSED, "both are the same")
    return Answer(Verdict.FAILED, "the two differ", do="Nodes may drift once, as far as their budgets let them: docs/upgrading.md.")


@question("Nodes say which Kubernetes version they run", "nodes")
def oldest(facts: Facts) -> Answer:
    """The oldest version of a kubelet, such as 1.31. A budget may have held its node back for several upgrades."""
    found = [KUBELET.match(text(node, "status", "nodeInfo", "kubeletVersion")) for node in facts.objects("nodes")]
    return Answer(Verdict.PASSED, min((one[1] for one in found if one), key=parts, default=""))


def _pool(claim: Object) -> str:
    return text(claim, "metadata", "labels", POOL) or "unknown"


def _drifted(claim: Object) -> bool:
    found = conditions(claim).get(DRIFTED)
    return found is not None and found.status == "True"


def _seen(node_class: Object) -> bool:
    """Whether Karpenter has looked at a class since its last change. Before that, the hash on the class is the old one."""
    seen = [at(one, "observedGeneration") for one in listed(node_class, "status", "conditions")]
    changed = at(node_class, "metadata", "generation")
    return not isinstance(changed, int) or any(isinstance(one, int) and one >= changed for one in seen)


def _differs(claim: Object, node_class: Object | None) -> bool:
    """Whether a node was made with another hash of its class. Hashes of two versions do not compare."""
    mine, theirs = (at(one, "metadata", "annotations") for one in (claim, node_class))
    return text(mine, HASH_VERSION) == text(theirs, HASH_VERSION) and text(mine, HASH) != text(theirs, HASH)


QUESTIONS: Sequence[Question] = (control_plane, nodes, marked, certificate_authority, oldest)
