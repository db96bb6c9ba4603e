"""Terraform expressions as Python strings.

An expression is what stands in `${}` in Terraform JSON. Constructs pass them to each other as they are written there, so that
joining two of them is plain string formatting and costs no call to CDKTF's JavaScript side.
"""

import json
from typing import TypeAlias

Expression: TypeAlias = str
"""`"${module.vpc.vpc_id}"`, or a literal string where Terraform takes either."""


def hcl(value: Expression | int) -> str:
    """What `value` is called inside another expression: `${var.region}` gives `var.region`, a literal is as JSON has it."""
    if isinstance(value, int):
        return json.dumps(value)
    inner = value[2:-1]
    if value.startswith("${") and value.endswith("}") and "${" not in inner:
        return inner
    return json.dumps(value, ensure_ascii=False)
