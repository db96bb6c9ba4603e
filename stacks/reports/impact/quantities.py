"""Quantities as Kubernetes writes them: 1k, 1500m, 1Ki. Plain Python.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

DECIMAL = {suffix: Decimal(10) ** (3 * power) for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)}
BINARY = {f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)}
SUFFIXES = DECIMAL | BINARY


def quantity(value: object) -> Decimal:
    """What a quantity stands for.

    Raises:
        ValueError: Kubernetes cannot read the quantity.
    """
    match = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?)([numkMGTPE]?|[KMGTPE]i)", str(value), re.ASCII)
    if not match:
        raise ValueError("a quantity must be a number with a suffix such as k, m or Ki")
    return Decimal(match[1]) * SUFFIXES[match[2]]
