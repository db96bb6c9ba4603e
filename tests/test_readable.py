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


def blocks(document: Json) -> Iterator[tuple[str, Json]]:
    """The blocks that can have comments, by their addresses; the locals are one block."""
    yield "locals", document["locals"]
    yield from ((f"module.{name}", block) for name, block in document["module"].items())
    for prefix, kinds in (("data.", document["data"]), ("", document["resource"])):
        yield from ((f"{prefix}{kind}.{name}", block) for kind, named in kinds.items() for name, block in named.items())


def comments(document: Json) -> dict[str, dict[str, str]]:
    """What stands beside CDKTF's own metadata."""
    found = {address: {k: v for k, v in block.get("//", {}).items() if k != "metadata"} for address, block in blocks(document)}
    return {address: reasons for address, reasons in found.items() if reasons}


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
    assert [name for name in document["locals"].keys() - {"//"} if not re.search(rf"local\.{name}\b", text)] == []


def test_what_a_reviewer_would_ask_is_answered_where_it_stands(document: Json) -> None:
    found = comments(document)
    assert "/20" in found["module.vpc"]["private_subnets"]
    assert "/24" in found["module.vpc"]["public_subnets"]
    assert "/24" in found["module.vpc"]["intra_subnets"]
    assert "One NAT gateway" in found["module.vpc"]["single_nat_gateway"]
    assert "opt-in" in found["locals"]["azs"]
    assert "zone ID" in found["locals"]["control_plane_azs"]
    assert "Spot" in found["locals"]["nodepool_gpu"]
    assert "destroy" in found["helm_release.karpenter"]["depends_on"]


def test_a_comment_explains_an_argument_that_is_there(document: Json) -> None:
    """At an address that nothing has, a comment alone would be a block."""
    arguments = dict(blocks(document))
    assert [
        f"{address}: {name}"
        for address, reasons in comments(document).items()
        for name in reasons
        if name not in arguments[address]
    ] == []


def test_json_documents_are_data(document: Json) -> None:
    """On one line, a policy of 5,383 characters neither reads nor diffs."""
    assert [text for text in texts(document) if text.lstrip().startswith('{"')] == []
    policies = {
        address: block.get("policy") or block["assume_role_policy"]
        for address, block in blocks(document)
        if address.startswith(("aws_iam_policy.", "aws_iam_role."))
    }
    assert policies.keys() >= {f"aws_iam_{kind}.aws_load_balancer_controller" for kind in ("policy", "role")}
    assert [address for address, text in policies.items() if not re.fullmatch(r"\$\{jsonencode\(local\.\w+\)\}", text)] == []
