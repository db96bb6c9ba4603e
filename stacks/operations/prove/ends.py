"""What may end a run early: Ctrl-C, SIGTERM, a closed terminal, the deadline. Each is a clean-up, and Terraform hears of it once.

Terraform runs in a session of its own, so that a Ctrl-C of the terminal reaches it through this program alone: a second SIGINT
would make Terraform stop at once, and lose what it is creating.
"""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import FrameType, TracebackType
from typing import IO, Any, Self, TextIO

REASONS = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "the terminal was closed",
    signal.SIGALRM: "the deadline is over",
}

POLL_SECONDS = 0.2
LOADING_SECONDS = 60  # in which Terraform loads providers, or waits for a lock
ECHO_SECONDS = 1.0  # until a signal that is sent more than once has come as often, and would end a program of the clean-up
TICK_SECONDS = 5.0  # a timer stands still while a laptop sleeps, and the bill does not, so that a clock is asked instead


class EndedError(KeyboardInterrupt):
    """The run ends early; the message says why. No `except Exception` stops it."""


@dataclass
class Ends:
    """Handles the signals as long as its `with` block runs, without those that `nohup` or a shell has the program ignore.

    Attributes:
        reason: why the run ends; "" as long as nothing ends it.
    """

    reason: str = ""
    _deadline: float = 0
    _terminal: bool = False
    _child: "subprocess.Popen[str] | None" = None
    _held: bool = False
    _listens: bool = False
    _told: bool = False
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        heard = [number for number in REASONS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._handle) for number in heard}
        self._terminal = os.isatty(0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.limit(0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def limit(self, seconds: float) -> None:
        """Set the deadline, from now; 0 for none."""
        self._deadline = time.time() + seconds
        signal.setitimer(signal.ITIMER_REAL, min(seconds, TICK_SECONDS), TICK_SECONDS)

    def forgive(self) -> None:
        """Begin the clean-up: no deadline, and what ended the run does not end the clean-up too.

        A terminal that closes, `timeout` and `make` send a signal more than once; only Ctrl-C is a person, who may mean it twice.
        What is ignored here, kubectl and the AWS CLI ignore too: a terminal that closes later does not end them.
        """
        self.limit(0)
        ended_by = {number for number, reason in REASONS.items() if reason == self.reason} - {signal.SIGINT}
        for number in {signal.SIGHUP, *ended_by}:
            signal.signal(number, signal.SIG_IGN)
        if ended_by:
            time.sleep(ECHO_SECONDS)
        self.reason, self._held = "", False

    def hold(self) -> None:
        """From here to `forgive` or `resume`, a signal is noted and raises no error: what follows must run to its end."""
        self._held = True

    def resume(self) -> None:
        """Raise errors again.

        Raises:
            EndedError: something ended the run since `hold`, or the terminal was closed since `forgive`.
        """
        self._held = False
        for number in self._before:
            signal.signal(number, self._handle)
        if self._terminal and not os.isatty(0):
            self.reason = self.reason or REASONS[signal.SIGHUP]
        if self.reason:
            raise EndedError(self.reason)

    def start(self, command: list[str], **options: Any) -> "subprocess.Popen[str]":
        """Start a program that hears of an end once, by SIGINT, when it listens."""
        self._held, self._listens, self._told = True, False, False  # a signal before it has a name would leave it running alone
        try:
            self._child = subprocess.Popen(command, start_new_session=True, text=True, errors="replace", **options)
        finally:
            self._held = False
        return self._child

    def listens(self) -> None:
        """The program hears from now on. What ended the run before is told now."""
        self._listens = True
        if self.reason:
            self._tell()

    def finished(self) -> None:
        """The program ended.

        Raises:
            EndedError: something ended the run meanwhile.
        """
        self._child = None
        if self.reason:
            raise EndedError(self.reason)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGALRM and time.time() < self._deadline:
            return
        first, self.reason = not self.reason, self.reason or REASONS[signal.Signals(number)]
        if self._held:
            return
        if self._child:
            self._tell()
        elif first:
            raise EndedError(self.reason)

    def _tell(self) -> None:
        if self._child and self._listens and not self._told:
            self._told = True
            self._child.send_signal(signal.SIGINT)


class Deaf:
    """A stream whose reader may go away: a clean-up must not end because its terminal, or `tee`, is gone, or cannot show a letter.

    `stream` is None where the program was started with a closed one.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError):
            return self._stream.write(text) if self._stream else 0
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError):
            if self._stream:
                self._stream.flush()

    def isatty(self) -> bool:
        """Whether colours show."""
        return bool(self._stream and self._stream.isatty())


@dataclass
class Outcome:
    """What a command of Terraform did.

    Attributes:
        code: its exit code.
        seconds: how long it took.
        resources: the seconds of each resource that was created or deleted, by address.
        changes: the addresses of a plan's changes, each with its action.
        errors: Terraform's errors, each with the address that it is about.
    """

    code: int
    seconds: float
    resources: dict[str, float] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Terraform:
    """Runs Terraform in a stack's folder, shows what it does in a line per resource, and keeps the times."""

    folder: Path
    ends: Ends
    say: Callable[[str], None]

    def run(self, name: str, *arguments: str, environment: dict[str, str]) -> Outcome:
        """Run a command that knows `-json`.

        Raises:
            EndedError: something ended the run. Terraform got SIGINT once, and has stopped.
        """
        command = ["terraform", f"-chdir={self.folder}", name, "-json", *arguments]
        self.say(f"$ {shlex.join(command)}")
        begun = time.monotonic()
        outcome = Outcome(0, 0)
        # To a file: if this program is killed, a pipe would break, and Terraform with it, in the middle of an apply.
        with NamedTemporaryFile() as printed, Path(printed.name).open(errors="replace") as lines:
            process = self.ends.start(
                command, stdout=printed, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment, umask=0o077
            )
            try:
                self._read(self._heard(_lines(process, lines)), outcome)
            finally:  # whatever this program cannot read, no second Terraform starts beside this one
                outcome.code, outcome.seconds = process.wait(), time.monotonic() - begun
        self.ends.finished()
        return outcome

    def _heard(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines. Terraform listens from its first action on: what it hears while it loads providers may be lost.

        Its `Context.Stop` ends what runs, and does nothing before that (internal/terraform/context.go): the apply then goes on.
        """
        begun = time.monotonic()
        for line in lines:
            if "hook" in _event(line) or time.monotonic() - begun > LOADING_SECONDS:
                self.ends.listens()
            if line:
                yield line

    def _read(self, lines: Iterator[str], outcome: Outcome) -> None:
        total = 0
        for line in lines:
            event = _event(line)
            resource = event.get("hook", event.get("change", {})).get("resource", {}).get("addr", "")
            match event.get("type"):
                case "planned_change":  # `resource_drift` is what AWS filled in, which no apply changes
                    outcome.changes[resource] = event.get("change", {}).get("action", "")
                case "change_summary":
                    total = sum(event.get("changes", {}).get(kind, 0) for kind in ("add", "change", "remove"))
                case "apply_complete" if event["hook"].get("action") != "read":
                    outcome.resources[resource] = took = float(event["hook"].get("elapsed_seconds", 0))
                    number = f"{len(outcome.resources):4}{f' of {total}' if total else ''}"
                    self.say(f"{number}  {event['hook'].get('action', '')} {resource} {took:.0f} s")
                case "apply_progress" if (so_far := int(event["hook"].get("elapsed_seconds", 0))) and so_far % 60 == 0:
                    self.say(f"      {event['hook'].get('action', '')} {resource} takes {so_far} s so far")
                case "diagnostic" if event.get("@level") == "error":
                    found = event.get("diagnostic", {})
                    words = " ".join(
                        filter(None, (found.get("address", ""), found.get("summary", ""), found.get("detail", "").strip()))
                    )
                    outcome.errors.append(words)
                    self.say(f"      {words}")
                case None if line.strip():
                    self.say(f"      {line.rstrip()}")


def _lines(process: "subprocess.Popen[str]", file: IO[str]) -> Iterator[str]:
    """What a program writes to a file, line by line, until the program ends; "" while it writes nothing."""
    rest = ""
    while True:
        ended = process.poll() is not None
        *whole, rest = (rest + file.read()).split("\n")
        yield from whole
        if ended:
            yield rest
            return
        yield ""
        time.sleep(POLL_SECONDS)


def _event(line: str) -> dict[str, Any]:
    """A line of `-json`; {} for a line that a provider or the system printed."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
