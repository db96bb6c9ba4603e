"""Plans for tests: recorded ones, of each option alone, and ones made up from manifests."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.synthesis import Json

RECORDED = Path(__file__).with_name("options.json")

# What the rules read of a value. Of other arguments a recording says only that they change.
READ = ("yaml_body_parsed", "version", "addon_version", "wait", "kind")


def document(*changes: Json, **keys: Any) -> Json:
    """A plan with these changes, as `terraform show -json` writes it."""
    return {"format_version": "1.2", "complete": True, "errored": False, "resource_changes": list(changes), **keys}


def change(
    address: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, *, actions: str = "", **keys: Any
) -> Json:
    """A change of a resource; `actions` where before and after do not say what happens."""
    does = actions.split() or (
        ["create"] if before is None else ["delete"] if after is None else ["no-op"] if before == after else ["update"]
    )
    resource = address.split("[")[0].split(".")
    return {
        "address": address,
        "type": resource[-2],
        "mode": "managed",
        "change": {"actions": does, "before": before, "after": after, "after_unknown": {}, **keys},
    }


def manifest(kind: str, name: str, spec: Json | None) -> dict[str, str] | None:
    """The arguments of a kubectl_manifest that the rules read."""
    text = yaml.safe_dump({"kind": kind, "metadata": {"name": name}, "spec": spec})
    return None if spec is None else {"yaml_body_parsed": text}


def node_pool(before: Json | None, after: Json | None, *, name: str = "training", **keys: Any) -> Json:
    """A change of a NodePool."""
    return change(f"kubectl_manifest.nodepool_{name}", *(manifest("NodePool", name, spec) for spec in (before, after)), **keys)


def node_class(before: Json | None, after: Json | None, *, name: str = "training", **keys: Any) -> Json:
    """A change of an EC2NodeClass."""
    return change(
        f"kubectl_manifest.ec2nodeclass_{name}", *(manifest("EC2NodeClass", name, spec) for spec in (before, after)), **keys
    )


@cache
def recorded() -> Json:
    """`unchanged`: the objects of the default stack that the rules read; `options`: what a plan of each option alone changes."""
    found: Json = json.loads(RECORDED.read_text())
    return found


def of_option(name: str) -> Json:
    """The plan of an option alone."""
    changed = recorded()["options"][name]
    addresses = {one["address"] for one in changed}
    return document(*changed, *(one for one in recorded()["unchanged"] if one["address"] not in addresses))


def trimmed(plan: Json) -> list[Json]:
    """The changes of a plan, with names of arguments, and with values only where the rules read them."""
    return [_trimmed(one) for one in plan["resource_changes"] if one["mode"] == "managed" and one["change"]["actions"] != ["no-op"]]


def unchanged(plan: Json) -> list[Json]:
    """What the rules read of a plan without changes."""
    kept = [one for one in plan["resource_changes"] if one["type"] in ("kubectl_manifest", "helm_release", "aws_eks_cluster")]
    return [_trimmed(one, always=READ) for one in kept]


def _trimmed(one: Json, always: tuple[str, ...] = ("yaml_body_parsed", "kind")) -> Json:
    sides = [one["change"][side] for side in ("before", "after")]
    both = all(side is not None for side in sides)
    unknown = {name: True for name, value in (one["change"]["after_unknown"] or {}).items() if _true(value)}
    names = {
        name for side in sides for name in side or {} if not both or name in always or sides[0].get(name) != sides[1].get(name)
    }
    names = {name for name in names if name in READ or (both and name not in ("yaml_body", "yaml_incluster"))}
    kept = [
        side if side is None else {name: side[name] if name in READ else label for name in sorted(names) if name in side}
        for label, side in zip(("before", "after"), sides, strict=True)
    ]
    updated = unknown if one["change"]["actions"] == ["update"] else {}
    what = {"actions": one["change"]["actions"], "before": kept[0], "after": kept[1], "after_unknown": updated}
    return {"address": one["address"], "type": one["type"], "mode": "managed", "change": what}


def _true(value: Any) -> bool:
    return (
        any(map(_true, value.values() if isinstance(value, dict) else value)) if isinstance(value, dict | list) else value is True
    )
