"""Values as Terraform expressions."""

from pathlib import Path

import pytest
from cdktf import App, TerraformStack, TerraformVariable

from stacks.hcl.expressions import Expression, hcl


def test_an_expression_knows_its_text() -> None:
    region = Expression("var.region")
    assert (region, region.hcl) == ("${var.region}", "var.region")
    assert isinstance(region, str)
    assert f"{region}-x" == "${var.region}-x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (8, "8"),
        (1.5, "1.5"),
        ("a", '"a"'),
        ('say "a"', r'"say \"a\""'),
        ("naïve", '"naïve"'),
        ("a\nb", r'"a\nb"'),
        (Expression("var.x"), "var.x"),
        (["a", 1, Expression("var.x")], '["a", 1, var.x]'),
        (("a", ("b",)), '["a", ["b"]]'),
        ({"a": {"b": [Expression("var.x"), None]}}, '{"a" = {"b" = [var.x, null]}}'),
        ({Expression("local.name"): 1}, "{(local.name) = 1}"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_a_value_as_hcl(value: object, expected: str) -> None:
    assert hcl(value) == expected


@pytest.mark.parametrize("value", ["${a} and {b}", "${var.a}${var.b}", "${var.a}", "%{if x}y%{endif}", ["x", {"y": "${var.a}-z"}]])
def test_a_template_inside_an_expression_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"An expression must not contain the template .*\. Make the template a local"):
        hcl(value)


def test_a_token_of_cdktf_inside_an_expression_is_refused(tmp_path: Path) -> None:
    """It has no text yet: what was written would be `TfToken[...]`."""
    stack = TerraformStack(App(outdir=str(tmp_path)), "stack")
    variable = TerraformVariable(stack, "x", type="any")
    for token in (variable.string_value, variable.list_value, variable.number_value, {"a": [variable.number_value]}):
        with pytest.raises(ValueError, match="An expression must not contain"):
            hcl(token)
