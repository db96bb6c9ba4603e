"""Colours in what commands print, where a terminal shows them. Plain Python."""

import os
from typing import Literal, TextIO

CODES = {"red": 31, "green": 32, "yellow": 33}


def coloured(text: str, colour: Literal["red", "green", "yellow"], stream: TextIO) -> str:
    """A text in a colour, or as it is where `stream` is not a terminal or NO_COLOR is set (https://no-color.org)."""
    return f"\033[{CODES[colour]}m{text}\033[0m" if stream.isatty() and not os.environ.get("NO_COLOR") else text
