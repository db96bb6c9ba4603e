"""What the update of a resource in place means, argument by argument. Plain Python."""

import json
import re
from collections.abc import Iterator
from typing import Any

from stacks.knowledge.versions import parts
from stacks.reports.impact.change import QUIET, Change, Level
from stacks.reports.impact.drift import HASHES_ANEW, crosses, helm_values
from stacks.reports.impact.plan import KARPENTER, Plan, Resource
from stacks.reports.impact.rows import NOT_KNOWN, changed_arguments, rows

VALUES = ("values", "set", "set_list", "set_sensitive")
CA_BUNDLE, QUEUE, STATIC = "settings.clusterCABundle", "settings.interruptionQueue", "settings.featureGates.staticCapacity"
# Values of Karpenter's chart that this program sets, by their paths.
SETTINGS = {
    CA_BUNDLE: "CA bundle",
    QUEUE: "interruption queue",
    STATIC: "pools of a fixed size",
    "settings.clusterName": "name of the cluster",
    "settings.clusterEndpoint": "endpoint of the cluster",
    "settings.disableDryRun": "dry run of node classes",
}


def of_update(plan: Plan, resource: Resource) -> Change:
    """What each argument means that an update changes, by the first row that names the argument."""
    said, left = _by_rule(plan, resource)
    for row in rows():
        if row.fits(resource) and (taken := row.fields & left or (left if not row.fields else frozenset())):
            said.append((row.level, row.words_for(resource)))
            left -= taken
    if left:
        said.append((Level.NONE, f"{resource.type} is updated ({', '.join(sorted(left))}). {NOT_KNOWN}"))
    level = max((level for level, _ in said), default=Level.NONE)
    sentences = " ".join(dict.fromkeys(sentence for _, sentence in said if sentence))
    return Change(resource.address, level, "D" if level is Level.REPLACES else "U", sentences or QUIET)


def _by_rule(plan: Plan, resource: Resource) -> tuple[list[tuple[Level, str]], frozenset[str]]:
    """What rows cannot say of an update, because it depends on versions or on values, and the arguments that rows may speak of."""
    changed, address = changed_arguments(resource), re.sub(r"\[\d+\]$", "", resource.address)
    if address.endswith(KARPENTER) and (taken := changed & {"version", *VALUES}):
        return [(Level.RESTARTS, _karpenter(plan, resource))], changed - taken
    if resource.type == "aws_eks_cluster" and "version" in changed:
        return [(Level.RESTARTS, _kubernetes(plan))], changed - {"version"}
    if resource.type == "aws_eks_addon" and "addon_version" in resource.unknown:
        old, new = plan.kubernetes
        if old == new:  # every change of the cluster makes the version unknown
            return [], changed - {"addon_version"}
        words = "The add-on follows the Kubernetes version and rolls, if there is another version. Running pods keep their network."
        return [(Level.RESTARTS, words)], changed - {"addon_version"}
    if resource.type == "aws_iam_policy" and "policy" in changed and not _loses(resource):
        return [], changed - {"policy"}
    return [], changed


def _loses(resource: Resource) -> bool:
    """Whether a policy of IAM loses a statement. One that is unknown names something that the plan makes anew."""
    before, after = ([json.dumps(one) for one in _statements(values.get("policy"))] for values in (resource.before, resource.after))
    return "policy" not in resource.unknown and not set(before) <= set(after)


def _statements(policy: object) -> list[Any]:
    try:
        found = json.loads(str(policy)).get("Statement") or []
    except (ValueError, AttributeError):
        return []
    return found if isinstance(found, list) else [found]


def _karpenter(plan: Plan, resource: Resource) -> str:
    old, new = plan.karpenter
    rest = "For about half a minute no node is launched or removed. Running pods stay."
    if not old or not new or old == new:
        names, further = _settings(plan, resource)
        return " ".join([f"Karpenter restarts with other settings{names}. {rest}", *further])
    if parts(new) < parts(old):
        return (
            f"Karpenter goes back from {old} to {new}. {rest} What the older release makes of the newer one's objects is not known."
        )
    anew = " Karpenter writes the hashes of all nodes anew, and no node drifts by that." if crosses(plan, HASHES_ANEW) else ""
    return f"Karpenter {old} to {new}. {rest}{anew}"


def _settings(plan: Plan, resource: Resource) -> tuple[str, list[str]]:
    """Which of Karpenter's Helm values change, and what those mean that stop something."""
    before, after = (dict(_paths(helm_values(values))) for values in (resource.before, resource.after))
    changed = [path for path in dict.fromkeys((*before, *after)) if before.get(path) != after.get(path)]
    known = [words for path, words in SETTINGS.items() if path in changed]
    further = []
    if QUEUE in changed:
        to = "another queue" if after.get(QUEUE) else "no queue any more"
        further.append(f"Karpenter reads warnings of EC2 such as Spot interruptions from {to}: what does not arrive there is lost.")
    if before.get(STATIC) and not after.get(STATIC) and any((pool.after or {}).get("replicas") for pool in plan.pools.values()):
        further.append("Karpenter ignores pools of a fixed size from now on: nothing replaces a node that ends.")
    return f" ({', '.join(known)})" if known and len(known) == len(changed) else "", further


def _paths(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _paths(one, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _kubernetes(plan: Plan) -> str:
    old, new = plan.kubernetes
    if parts(new) < parts(old):
        return f"The control plane goes back from Kubernetes {old} to {new}, which EKS allows for seven days after an upgrade."
    return (
        f"The control plane goes from Kubernetes {old} to {new}. EKS can roll that back for seven days at most, and by one "
        "version. The API stays reachable, and pods run on."
    )
