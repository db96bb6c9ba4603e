"""What ends a run of `make prove` early: Terraform hears of it once, and the clean-up runs to its end."""

import io
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stacks.operations.prove import ends as module
from stacks.operations.prove.ends import REASONS, Deaf, EndedError, Ends, Terraform

ACTS = {"type": "apply_start", "hook": {}}


class Program:
    """Takes the part of a Terraform that runs: `during` happens while it does."""

    def __init__(self, lines: Any = (ACTS,), code: int = 0, during: Any = None) -> None:
        self.got: list[int] = []
        self.code, self.during, self.lines = code, during or (lambda: None), lines
        self.options: dict[str, Any] = {}

    def __call__(self, command: list[str], **options: Any) -> "Program":
        self.options = {"command": command, **options}
        return self

    def poll(self) -> int:
        self.during()
        file = self.options["stdout"]
        file.write("\n".join(line.rstrip() if isinstance(line, str) else json.dumps(line) for line in self.lines).encode())
        file.flush()
        return self.code

    def send_signal(self, number: int) -> None:
        self.got.append(number)

    def wait(self) -> int:
        return self.code


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    monkeypatch.setattr(module, "ECHO_SECONDS", 0)
    before = {number: signal.signal(number, signal.default_int_handler) for number in REASONS}  # `nohup make test` ignores some
    with Ends() as found:
        yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def terraform(ends: Ends, patch: pytest.MonkeyPatch, program: Program) -> tuple[Terraform, list[str]]:
    said: list[str] = []
    patch.setattr("subprocess.Popen", program)
    return Terraform(Path("folder"), ends, said.append), said


@pytest.mark.parametrize("number", REASONS)
def test_each_signal_ends_the_run_with_its_reason(ends: Ends, number: signal.Signals) -> None:
    with pytest.raises(EndedError, match=REASONS[number]):
        signal.raise_signal(number)


def test_a_second_signal_on_the_way_to_the_clean_up_changes_nothing(ends: Ends) -> None:
    with pytest.raises(EndedError):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    assert ends.reason == REASONS[signal.SIGTERM]


def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in REASONS]
    with Ends():
        assert [signal.getsignal(number) for number in REASONS] != before
    assert [signal.getsignal(number) for number in REASONS] == before


def test_two_ctrl_c_reach_terraform_once_and_the_run_ends_when_terraform_has(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice() -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    program = Program(during=twice)
    run, _ = terraform(ends, monkeypatch, program)
    with pytest.raises(EndedError, match="Ctrl-C"):
        run.run("apply", environment={})
    assert program.got == [signal.SIGINT]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGALRM])
def test_whatever_ends_the_run_is_a_sigint_for_terraform(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    program = Program(during=lambda: signal.raise_signal(number))
    run, _ = terraform(ends, monkeypatch, program)
    with pytest.raises(EndedError):
        run.run("apply", environment={})
    assert program.got == [signal.SIGINT]


def test_a_signal_while_terraform_starts_leaves_it_not_alone(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program()

    def start(command: list[str], **options: Any) -> Program:
        signal.raise_signal(signal.SIGINT)
        return program(command, **options)

    monkeypatch.setattr("subprocess.Popen", start)
    with pytest.raises(EndedError):
        Terraform(Path("folder"), ends, print).run("apply", environment={})
    assert program.got == [signal.SIGINT]


def test_terraform_hears_of_an_end_only_when_it_acts(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Terraform hears while it loads providers is lost, and the apply goes on."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    program = Program()
    heard_before: list[list[int]] = []

    def slow() -> int | None:
        file, looks = program.options["stdout"], len(heard_before)
        if not looks:
            signal.raise_signal(signal.SIGINT)
        heard_before.append(list(program.got))
        line: Any = ACTS if looks == 2 else {"type": "version"}
        file.write(f"{json.dumps(line)}\n".encode())
        file.flush()
        return 0 if looks == 4 else None

    monkeypatch.setattr(program, "poll", slow)
    run, _ = terraform(ends, monkeypatch, program)
    with pytest.raises(EndedError, match="Ctrl-C"):
        run.run("apply", environment={})
    assert heard_before == [[], [], [], [signal.SIGINT], [signal.SIGINT]]


def test_a_terraform_that_waits_for_a_lock_hears_of_an_end_too(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOADING_SECONDS", -1)
    program = Program([{"type": "version"}], during=lambda: signal.raise_signal(signal.SIGINT))
    run, _ = terraform(ends, monkeypatch, program)
    with pytest.raises(EndedError):
        run.run("destroy", environment={})
    assert program.got == [signal.SIGINT]


def test_terraform_has_a_session_of_its_own_so_that_the_terminal_does_not_signal_it(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program()
    run, _ = terraform(ends, monkeypatch, program)
    run.run("apply", environment={"A": "b"})
    assert program.options["start_new_session"] is True
    assert program.options["umask"] == 0o077  # a state and a plan hold secrets
    assert program.options["command"] == ["terraform", "-chdir=folder", "apply", "-json"]


def test_terraform_writes_to_a_file_which_does_not_break_if_this_program_is_killed(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program()
    run, _ = terraform(ends, monkeypatch, program)
    run.run("apply", environment={})
    assert Path(program.options["stdout"].name).parent.is_dir()  # a pipe has no name
    assert program.options["stderr"] == subprocess.STDOUT


def test_a_line_that_comes_in_two_parts_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    parts = ['{"a"', ': 1}\n{"b": 2}', "\nlast"]
    file = tmp_path / "printed"
    file.touch()

    class Slow:
        def poll(self) -> int | None:
            with file.open("a") as printed:
                printed.write(parts.pop(0))
            return None if parts else 0

    with file.open() as lines:
        assert list(filter(None, module._lines(Slow(), lines))) == ['{"a": 1}', '{"b": 2}', "last"]  # type: ignore[arg-type]


def test_what_ended_the_run_does_not_end_the_clean_up_and_a_further_ctrl_c_does(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EndedError):
        signal.raise_signal(signal.SIGINT)
    ends.forgive()
    program = Program()
    run, _ = terraform(ends, monkeypatch, program)
    assert run.run("destroy", environment={}).code == 0
    with pytest.raises(EndedError):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_is_sent_more_than_once_ends_the_run_and_not_its_clean_up(ends: Ends, number: signal.Signals) -> None:
    """`timeout` and `make` send SIGTERM both, and a terminal and its shell SIGHUP."""
    with pytest.raises(EndedError):
        signal.raise_signal(number)
    ends.forgive()
    signal.raise_signal(number)
    with pytest.raises(EndedError):
        signal.raise_signal(signal.SIGINT)


def test_a_terminal_that_closes_during_a_clean_up_ends_what_would_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.isatty", lambda _: True)
    with Ends() as ends:
        ends.forgive()
        monkeypatch.setattr("os.isatty", lambda _: False)
        with pytest.raises(EndedError, match="terminal"):
            ends.resume()


def test_a_terminal_that_closes_during_a_clean_up_ends_no_program_of_it(ends: Ends) -> None:
    ends.forgive()
    hangs_up = subprocess.run(["sh", "-c", "kill -HUP $$; echo alive"], capture_output=True, text=True, check=False)
    assert hangs_up.stdout == "alive\n"


def test_a_signal_that_nohup_has_programs_ignore_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Ends():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_deadline_is_that_of_the_clock_on_the_wall(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timers do not count while a laptop sleeps."""
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    ends.limit(3600)
    threading.Event().wait(0.03)
    later = time.time() + 3601
    monkeypatch.setattr("time.time", lambda: later)
    with pytest.raises(EndedError, match="the deadline is over"):
        threading.Event().wait(5)


def test_an_answer_that_cannot_be_read_starts_no_second_terraform_beside_the_first(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program([{"type": "apply_complete", "hook": None}])
    waited: list[int] = []

    def wait() -> int:
        waited.append(1)
        return 0

    monkeypatch.setattr(program, "wait", wait)
    run, _ = terraform(ends, monkeypatch, program)
    with pytest.raises(AttributeError):
        run.run("apply", environment={})
    assert waited


def test_a_deadline_ends_the_run_and_is_over_in_the_clean_up(ends: Ends) -> None:
    ends.limit(0.01)
    with pytest.raises(EndedError, match="the deadline is over"):
        threading.Event().wait(5)
    ends.limit(0.01)
    ends.forgive()
    threading.Event().wait(0.03)


LINES = [
    {"type": "version"},
    {"type": "planned_change", "change": {"resource": {"addr": "aws_vpc.this"}, "action": "create"}},
    {"type": "resource_drift", "change": {"resource": {"addr": "aws_eip.nat"}, "action": "update"}},
    {"type": "change_summary", "changes": {"add": 2, "change": 0, "remove": 0}},
    {"type": "apply_complete", "hook": {"resource": {"addr": "data.aws_region.this"}, "action": "read", "elapsed_seconds": 1}},
    {"type": "apply_progress", "hook": {"resource": {"addr": "aws_vpc.this"}, "action": "create", "elapsed_seconds": 10}},
    {"type": "apply_progress", "hook": {"resource": {"addr": "aws_vpc.this"}, "action": "create", "elapsed_seconds": 60}},
    {"type": "apply_complete", "hook": {"resource": {"addr": "aws_vpc.this"}, "action": "create", "elapsed_seconds": 62}},
    {
        "type": "diagnostic",
        "@level": "error",
        "diagnostic": {"address": "aws_sqs_queue.this", "summary": "creating SQS Queue", "detail": "AccessDenied"},
    },
    {"type": "diagnostic", "@level": "warn", "diagnostic": {"summary": "Check block assertion failed", "detail": "…"}},
    "panic: a provider\n",
    "[]",
]


def test_terraform_is_shown_in_a_line_per_resource_and_its_times_and_errors_are_kept(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, said = terraform(ends, monkeypatch, Program(LINES, code=1))
    outcome = run.run("apply", environment={})
    assert outcome.code == 1
    assert outcome.resources == {"aws_vpc.this": 62}
    assert outcome.changes == {"aws_vpc.this": "create"}
    assert outcome.errors == ["aws_sqs_queue.this creating SQS Queue AccessDenied"]
    assert "   1 of 2  create aws_vpc.this 62 s" in said
    assert [one for one in said if "so far" in one] == ["      create aws_vpc.this takes 60 s so far"]  # a line a minute
    assert "      panic: a provider" in said


def test_a_program_without_an_output_or_with_one_of_few_letters_goes_on() -> None:
    print("said", file=Deaf(None), flush=True)
    assert not Deaf(None).isatty()
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print("µ…", file=Deaf(ascii_only), flush=True)
    assert ascii_only.buffer.getvalue() == b"\\xb5\\u2026\n"


def test_a_reader_that_goes_away_does_not_end_a_clean_up() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise OSError(5, "Input/output error")  # a terminal that was closed

    stream = Deaf(Gone())
    print("said", file=stream, flush=False)
    stream.flush()
    assert not stream.isatty()
