"""What commands print. Plain Python."""

import os
import sys
from io import TextIOWrapper
from typing import Literal, TextIO

CODES = {"red": 31, "green": 32, "yellow": 33}


def coloured(text: str, colour: Literal["red", "green", "yellow"], stream: TextIO | None) -> str:
    """A text in a colour, or as it is where `stream` is closed or not a terminal, or NO_COLOR is set (https://no-color.org)."""
    return f"\033[{CODES[colour]}m{text}\033[0m" if stream and stream.isatty() and not os.environ.get("NO_COLOR") else text


def show(text: str) -> None:
    """Print a text, also for a reader that goes away."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name in a plan may have a letter that a terminal does not show
    try:
        print(text, flush=True)
    except BrokenPipeError:  # such as of head -1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes again at its end
