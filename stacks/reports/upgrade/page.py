"""What main.py says of the fields that steps set, by the stack as it was last synthesized. Plain Python.

What a variable file sets is not known here, and neither is what a stack of one's own names otherwise.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stacks.knowledge.upgrade_path import Step
from stacks.knowledge.versions import load_balancer_controller_actions, load_balancer_controller_release
from stacks.reports.upgrade.deployed import Deployed, bottlerocket

ADDONS, GROUP_RELEASE = "addon_versions", "karpenter_node_release_version"
VARIABLES = ("gpu_drift_budget", ADDONS, GROUP_RELEASE)  # the others of the fields are no variables of Terraform


@dataclass(frozen=True)
class Page:
    """The fields of a stack, as far as they are known."""

    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def addons(self) -> Mapping[str, str] | None:
        """The add-ons whose versions `addon_versions` pins; None if that is not known."""
        return self.fields.get(ADDONS)

    def lacks(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Those of some fields that are to be edited."""
        return {name: value for name, value in fields.items() if self.fields.get(name) != value}

    def after(self, fields: Mapping[str, Any]) -> "Page":
        """The page with other values."""
        return Page({**self.fields, **fields})

    def too_early(self, cluster: Deployed, steps: Sequence[Step]) -> dict[str, str]:
        """The versions that are not those of the cluster, and not those of the next step either; with the cluster's."""
        deployed = {"kubernetes_version": cluster.versions.kubernetes, "karpenter_version": cluster.versions.karpenter}
        moving = next((step.fields for step in steps if step.subject in ("karpenter", "kubernetes")), {})
        held = any(step.subject == "gpu_drift_budget" for step in steps)  # a budget must be there before nodes drift
        said = {} if not steps else steps[0].fields
        return {
            name: value
            for name, value in deployed.items()
            if value and name not in said and self.fields.get(name, value) not in (value, None if held else moving.get(name))
        }


NOTHING_KNOWN = Page()


def page(document: Mapping[str, Any], elsewhere: Collection[str] = ()) -> Page:
    """The fields in a stack's JSON.

    Args:
        document: of cdk.tf.json.
        elsewhere: the variables that a file sets.
    """
    return Page({name: value for name, value in _fields(document, elsewhere) if value != ""})


def _fields(document: Mapping[str, Any], elsewhere: Collection[str]) -> Iterator[tuple[str, Any]]:
    releases, locals_ = _at(document, "resource", "helm_release"), _at(document, "locals")
    yield "kubernetes_version", _text(_at(document, "module", "eks"), "kubernetes_version")
    yield "karpenter_version", _text(_at(releases, "karpenter"), "version")
    chart = _text(_at(releases, "aws_load_balancer_controller"), "version")
    yield "load_balancer_controller_version", load_balancer_controller_release(chart)
    if policy := locals_.get("load_balancer_controller_policy"):
        official = all(f'"{action}"' in json.dumps(policy) for action in load_balancer_controller_actions("2.11.0"))
        yield "load_balancer_controller_policy", "official" if official else "reference"
    classes = (_at(locals_, f"ec2nodeclass_{name}", "spec") for name in ("default", "gpu"))
    yield "bottlerocket_version", next(filter(None, map(bottlerocket, classes)), "")
    for name, variable in _at(document, "variable").items():
        if name in VARIABLES and name not in elsewhere and "default" in variable:
            yield name, variable["default"]


def _at(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        found = document.get(key)
        document = found if isinstance(found, Mapping) else {}
    return document


def _text(values: Mapping[str, Any], key: str) -> str:
    return str(values.get(key) or "")
