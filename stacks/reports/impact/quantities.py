"""Kubernetes' quantities, such as the limits of a pool. Plain Python.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}  # powers of 10
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}  # powers of 2


def quantity(value: object) -> Decimal:
    """The number that a quantity stands for: 1k is 1000.

    Raises:
        ValueError: Kubernetes would refuse the quantity.
    """
    found = re.fullmatch(rf"([+-]?\d*\.?\d+\.?(?:[eE][+-]?\d+)?)({'|'.join((*DECIMAL, *BINARY))})", str(value))
    if not found:
        raise ValueError("not a quantity")
    number, unit = found.groups()
    return Decimal(number) * (2 ** BINARY[unit] if unit in BINARY else Decimal(10) ** DECIMAL[unit])
