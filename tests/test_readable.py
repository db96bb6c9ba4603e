"""People read the JSON beside the HCL: what is long stands once, and has a name that says what it holds."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from stacks.config import ClusterConfig, GpuPool, recommended
from tests.synthesis import Json, synth_stack

MOST_ELEMENTS, MOST_CHARACTERS = 6, 80

LITERAL_LIST = re.compile(r'\[(?:(?:"[^"]*"|\d+)(?:, )?)+\]')


def texts(value: Any) -> Iterator[str]:
    """All strings in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def lists(value: Any) -> Iterator[str]:
    """All literal lists in a value, those in expressions included."""
    if isinstance(value, str):
        yield from LITERAL_LIST.findall(value)
    elif isinstance(value, dict):
        for part in value.values():
            yield from lists(part)
    elif isinstance(value, list):
        if all(isinstance(part, str | int) for part in value):
            yield json.dumps(value)
        for part in value:
            yield from lists(part)


def expressions(text: str) -> Iterator[str]:
    """All that stands in brackets in the expressions of a text, with the brackets."""
    opened: list[int] = []
    for position, character in enumerate(text if "${" in text else ""):
        if character in "([{":
            opened.append(position)
        elif character in ")]}" and opened:
            yield text[opened.pop() : position + 1]


def twice(found: Iterator[str]) -> list[str]:
    return [text for text, times in Counter(found).items() if times > 1]


POOLS = [GpuPool(family, families=[family], limit=8, weight=weight) for family, weight in (("g6e", 1), ("g6", 2))]


@pytest.fixture(
    scope="module",
    params=[ClusterConfig("karpenter"), recommended("karpenter", gpu_pools=POOLS)],
    ids=["default", "recommended with pools"],
)
def document(request: pytest.FixtureRequest) -> Json:
    """A stack without two kinds of blocks.

    A validation may name its own variable only, and so can name no local. Each of three providers says how it logs in, as in the
    HCL.
    """
    made = synth_stack(request.param)
    return {kind: block for kind, block in made.items() if kind not in ("variable", "provider", "//")}


def test_what_is_measured_is_there(document: Json) -> None:
    assert max(map(len, lists(document))) > 40
    assert max(len(part) for text in texts(document) for part in expressions(text)) > MOST_CHARACTERS
    assert list(expressions("${f(a, [b])}")) == ["[b]", "(a, [b])", "{f(a, [b])}"]
    assert list(lists({"a": [1, 2], "b": '${contains(["x", "y"], z)}'})) == ["[1, 2]", '["x", "y"]']


def test_no_long_list_stands_twice(document: Json) -> None:
    long = (text for text in lists(document) if text.count(",") >= MOST_ELEMENTS)
    assert twice(long) == []


def test_no_long_expression_stands_twice(document: Json) -> None:
    assert twice(part for text in texts(document) for part in expressions(text) if len(part) > MOST_CHARACTERS) == []


def test_no_message_drags_a_computation_along(document: Json) -> None:
    """A message names a local; the computation is in the local."""
    rules = document["resource"]["random_string"]["suffix"]["lifecycle"]["precondition"]
    rules += [rule for check in document["check"].values() for rule in check["assert"]]
    assert [rule["error_message"] for rule in rules if "setsubtract(" in rule["error_message"]] == []


def test_every_local_is_used(document: Json) -> None:
    text = json.dumps(document)
    assert [name for name in document["locals"] if not re.search(rf"local\.{name}\b", text)] == []
