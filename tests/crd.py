"""A Kubernetes object against its CRD: the OpenAPI schema with unknown fields refused, and the CEL rules.

Transition rules, which compare with `oldSelf`, are asked about an update that changes nothing: on creation Kubernetes skips them.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import celpy
import jsonschema
import yaml
from celpy.adapter import json_to_cel

# What Kubernetes adds to CEL and is used in the rules: https://kubernetes.io/docs/reference/using-api/cel/
FUNCTIONS: dict[str, Any] = {
    "find": lambda text, pattern: celpy.celtypes.StringType(m[0] if (m := re.search(str(pattern), str(text))) else ""),
    "split": lambda text, by: celpy.celtypes.ListType([celpy.celtypes.StringType(p) for p in str(text).split(str(by))]),
}


@dataclass
class Crd:
    """A CRD in the version that is stored; `asked` collects the rules that an object came under."""

    file: Path
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        document = yaml.load(self.file.read_text(), Loader=yaml.CSafeLoader)
        (version,) = (one for one in document["spec"]["versions"] if one["storage"])
        self.schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
        self.kind: str = document["spec"]["names"]["kind"]
        self.name: str = document["metadata"]["name"]
        self.validator = jsonschema.Draft202012Validator(_strict(self.schema))

    def rules(self) -> list[str]:
        """All CEL rules, each with its path."""
        return [f"{path}: {rule}" for path, rule in _rules(self.schema, "")]

    def errors(self, manifest: dict[str, Any]) -> list[str]:
        """What is wrong with an object of this kind."""
        wrong = [f"{error.json_path}: {error.message}" for error in self.validator.iter_errors(manifest)]
        return wrong or list(self._broken(self.schema, manifest, ""))

    def _broken(self, schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
        for rule in schema.get("x-kubernetes-validations", []):
            self.asked.add(f"{path}: {rule['rule']}")
            if not _holds(rule["rule"], json.dumps(value)):
                yield f"{path}: {rule['message']}"
        if isinstance(value, dict):
            for key, part in value.items():
                inner = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
                if isinstance(inner, dict):
                    yield from self._broken(inner, part, f"{path}.{key}" if "properties" in schema else f"{path}.*")
        elif isinstance(value, list) and "items" in schema:
            for part in value:
                yield from self._broken(schema["items"], part, f"{path}[]")


@cache  # most versions have the same rules
def _holds(rule: str, value: str) -> bool:
    parsed = json_to_cel(json.loads(value))
    return bool(_program(rule).evaluate({"self": parsed, "oldSelf": parsed}))


@cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule), functions=FUNCTIONS)


def _rules(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    yield from ((path, rule["rule"]) for rule in schema.get("x-kubernetes-validations", []))
    for key, inner in schema.get("properties", {}).items():
        yield from _rules(inner, f"{path}.{key}")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _rules(schema["additionalProperties"], f"{path}.*")
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")


def _strict(schema: Any) -> Any:
    """The schema with unknown fields refused; only `metadata`, which Kubernetes checks itself, is left open."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    if (
        "properties" in schema
        and isinstance(schema["properties"], dict)
        and "additionalProperties" not in schema
        and schema.get("type")
    ):
        strict["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        strict.pop("type", None)
    return strict
