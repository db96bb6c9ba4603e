"""What a step of an upgrade does to running jobs: the rules of stacks/reports/impact on what a state has. Plain Python.

The rules want a plan. Without a cloud and without the page there is none, so this writes down what of a plan is known before: the
versions, budgets, images and user data that a step changes in the state. What else main.py changes, `make plan` shows.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import yaml

from stacks.knowledge.upgrade_path import (
    CONTROL_PLANE,
    CONTROLLER_POLICY,
    CONTROLLER_RELEASE,
    KARPENTER_CRDS,
    KARPENTER_POLICY,
    KARPENTER_RELEASE,
    NODE_CLASS,
    NODE_GROUP,
    Step,
)
from stacks.knowledge.versions import hashes_the_ca, load_balancer_controller_chart
from stacks.reports.impact.explanation import Explanation, explain
from stacks.reports.impact.plan import Values, manifest, read
from stacks.reports.upgrade.deployed import MOUNTS, Deployed, Managed

# What `gpu_drift_budget` makes of the budgets (stacks/kubernetes/node_pools.py).
NO_DRIFT = [{"nodes": "10%"}, {"nodes": "0", "reasons": ["Drifted"]}]


def effects(cluster: Deployed, steps: Sequence[Step], pinned: Collection[str] = ()) -> Iterator[Explanation]:
    """What each step does to what runs, after the steps before it.

    Args:
        cluster: what is deployed.
        steps: in their order.
        pinned: the add-ons that `addon_versions` keeps at their versions.
    """
    before = dict(cluster.resources)
    for step in steps:
        interfaces = cluster.versions.without_interfaces if step.names_interfaces else ()
        after = {address: Managed(one.type, _moved(address, one.values, step, interfaces)) for address, one in before.items()}
        after |= {address: Managed(address.split(".")[-2], {}) for address in step.created}
        changes = [_change(address, before.get(address), one, _unknown(one, step, pinned)) for address, one in after.items()]
        yield explain(read(json.dumps({"format_version": "1.0", "resource_changes": changes})))
        before = after


def _change(address: str, before: Managed | None, after: Managed, unknown: Values) -> dict[str, Any]:
    changes = unknown or (before and before.values != after.values)
    return {
        "address": address,
        "type": after.type,
        "change": {
            "actions": ["create" if before is None else "update" if changes else "no-op"],
            "before": before.values if before else None,
            "after": after.values,
            "after_unknown": unknown,
        },
    }


def _unknown(one: Managed, step: Step, pinned: Collection[str]) -> dict[str, bool]:
    """What of a resource is known only after the apply."""
    follows = one.type == "aws_eks_addon" and one.values.get("addon_name") not in pinned
    return {"addon_version": True} if step.subject == "kubernetes" and follows else {}


def _moved(address: str, values: Values, step: Step, interfaces: Collection[str]) -> Values:
    """The arguments of a resource after a step."""
    if address not in step.updated:
        return values
    match address:
        case _ if found := manifest(values):
            moved = {**found, "spec": _spec(found.get("spec") or {}, step, address)}
            if address in interfaces:
                moved["spec"]["networkInterfaces"] = [{"interfaceType": "efa-only"}]  # how many, the types of the pool say
            return {**values, "yaml_body_parsed": json.dumps(moved)}  # JSON is YAML
        case _ if address == KARPENTER_RELEASE:
            return {**values, "version": step.new, "values": _with_the_ca(values.get("values") or [], step.new)}
        case _ if address in (KARPENTER_CRDS, CONTROL_PLANE, NODE_GROUP):
            return {**values, "version": step.new}
        case _ if address == CONTROLLER_RELEASE:
            return {**values, "version": load_balancer_controller_chart(step.new)}
        case _ if address in (CONTROLLER_POLICY, KARPENTER_POLICY):
            return {**values, "policy": ""}
        case _:
            return values


def _with_the_ca(texts: Sequence[str], release: str) -> Sequence[str]:
    """Karpenter's Helm values, with the cluster's CA where the release gets the CA for the first time."""
    if len(texts) != 1 or not hashes_the_ca(release):
        return texts
    found = yaml.safe_load(texts[0])
    if not isinstance(found, dict) or "clusterCABundle" in (settings := found.get("settings") or {}):
        return texts
    return [json.dumps({**found, "settings": {**settings, "clusterCABundle": "that of the cluster"}})]  # JSON is YAML


def _spec(spec: Mapping[str, Any], step: Step, address: str) -> dict[str, Any]:
    """The spec of a pool or of a node class after a step."""
    match step.subject:
        case "gpu_drift_budget":
            return {**spec, "disruption": {**(spec.get("disruption") or {}), "budgets": NO_DRIFT}}
        case "karpenter":
            return {**spec, "userData": str(spec.get("userData")).partition(MOUNTS)[0]}
        case "kubernetes":
            fields = step.pool_fields.get(address.removeprefix(NODE_CLASS), step.fields)
            return {**spec, "amiSelectorTerms": [{"alias": f"bottlerocket@{fields['bottlerocket_version']}"}]}
        case _:
            return dict(spec)
