import io

import pytest

from stacks.operations.terminal import coloured


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("Wrote it", "green", Terminal()) == "\033[32mWrote it\033[0m"


@pytest.mark.parametrize(("stream", "no_color"), [(Terminal(), "1"), (io.StringIO(), ""), (None, "")])
def test_a_file_a_closed_stream_or_no_color_gets_none(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None, no_color: str
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    assert coloured("Wrote it", "green", stream) == "Wrote it"
