"""Terraform expressions as Python strings. Plain Python.

Constructs pass each other expressions as they appear in Terraform JSON. So joining two of them is string formatting, and costs no
call to CDKTF's JavaScript side.
"""

import json
from collections.abc import Mapping
from typing import Any


class Expression(str):
    """A Terraform expression: `Expression("var.region")` is the string `${var.region}`.

    Attributes:
        hcl: the text without `${}`, for use inside another expression.
    """

    hcl: str

    def __new__(cls, hcl: str) -> "Expression":
        """Make the expression from its text without `${}`."""
        made = super().__new__(cls, f"${{{hcl}}}")
        made.hcl = hcl
        return made

    @property
    def value(self) -> Any:
        """The expression for a field that is not a string, such as a number: of any type, as `value` of CDKTF's variables."""
        return self


def is_expression(value: object) -> bool:
    """Whether Terraform, or CDKTF at synthesis, knows the value, and Python does not."""
    if isinstance(value, str):
        return isinstance(value, Expression) or "${" in value
    if isinstance(value, list):
        return any(isinstance(part, str) and "TfToken[" in part for part in value)
    return _is_number_token(value)


def hcl(value: object) -> str:
    """A literal as HCL: null, a boolean, a number, a string, a list or an object; an expression as its text.

    Raises:
        ValueError: a string is a template (`${a} and {b}`), which has no simple text, or a value is a token of CDKTF. Make it a
            local, and refer to the local.
    """
    if isinstance(value, Expression):
        return value.hcl
    if isinstance(value, str):
        if "${" in value or "%{" in value or "TfToken[" in value:
            raise ValueError(f"An expression must not contain the template {value!r}. Make the template a local and refer to it.")
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {hcl(part)}' for key, part in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(hcl, value))}]"
    if _is_number_token(value):
        raise ValueError("An expression must not contain a number token of CDKTF. Make the token a local and refer to it.")
    return json.dumps(value)


def _key(value: object) -> str:
    """A key of an object; Terraform takes a bare reference for a name."""
    return f"({value.hcl})" if isinstance(value, Expression) else hcl(value)


def _is_number_token(value: object) -> bool:
    return isinstance(value, float) and abs(value) > 1e280  # as CDKTF encodes a number that it does not know yet
