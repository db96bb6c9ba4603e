"""`make prove APP=… STACK=…`: build a cluster, measure it, and remove it again, whatever happens meanwhile.

It says what it will build and what that costs, and asks for the number of the account. Exit codes: 0 if everything was proved and
removed, 3 if a step failed, 130 if something ended the run early, 1 if nothing was built, 4 if something is left.
"""

import argparse
import json
import os
import re
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stacks.operations.checks.question import Check, Verdict
from stacks.operations.deployment import JSON, DeploymentError, Object, Stack
from stacks.operations.prove import before, cleanup, report
from stacks.operations.prove.cleanup import Left, Site
from stacks.operations.prove.ends import Deaf, EndedError, Ends, Outcome, Terraform
from stacks.operations.prove.record import SUFFIX, Record, alone, managed, path_of
from stacks.operations.prove.step import Done, Proof
from stacks.operations.prove.steps import STEPS
from stacks.operations.terminal import coloured

FAILED, NOT_BUILT, LEFT, ENDED = 3, 1, 4, 130
IMAGE = "public.ecr.aws/deep-learning-containers/vllm:server-cuda-v1"  # 10 GB and more, from a registry without limits
NOTHING = "Nothing was built."
MOST_MINUTES = 24 * 60


def main(arguments: list[str]) -> int:
    """Prove a cluster; returns the exit code.

    Raises:
        DeploymentError: nothing was built, and why.
    """
    options = _options(arguments)
    if not re.fullmatch(r"[a-z][a-z0-9-]*", options.stack):
        raise DeploymentError(f'STACK must be the name of a cluster of {options.app} (got "{options.stack}"). {NOTHING}')
    with (
        redirect_stdout(Deaf(sys.stdout)),
        redirect_stderr(Deaf(sys.stderr)),
        alone(options.stack),
        TemporaryDirectory() as folder,
        Ends() as ends,
    ):
        try:
            run = _prepare(options, Path(folder), ends)
        except EndedError as error:
            raise DeploymentError(f"{error}. {NOTHING}{_still(options.stack)}") from None
        except DeploymentError as error:
            raise DeploymentError(f"{error}{_still(options.stack)}") from None
        return run.whole()


def _still(stack: str) -> str:
    """What an earlier run left, for a run that cannot begin; "" for nothing."""
    if not (record := Record.read(stack)):
        return ""
    cost = "an unknown sum" if record.hour_usd is None else f"at most ${record.hour_usd:.2f}"
    return (
        f" {path_of(stack)} says that {record.cluster or 'a cluster'} in {record.region} is still there; it costs {cost} an hour."
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove APP=… STACK=…", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("app", help="the page that lists the cluster, such as examples/proof.py")
    parser.add_argument("stack", help="the name of the cluster in it")
    parser.add_argument("--confirm", default="", metavar="ACCOUNT", help="the number of the account, instead of asking for it")
    parser.add_argument(
        "--timeout", type=_minutes, default=90, help="minutes until the clean-up begins, whatever was made (default: 90)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the cluster when all steps were made")
    parser.add_argument("--clean-up", action="store_true", help="only remove what an earlier run left or kept")
    parser.add_argument("--image", default=IMAGE, help="the image of the GPU pod, which has nvidia-smi from NVIDIA's runtime")
    parser.add_argument("--fis-role", default="", metavar="ARN", help="a role with which AWS FIS may interrupt a Spot instance")
    parser.add_argument("--account", action="store_true", help="write account numbers to the report")
    return parser.parse_args(arguments)


def _minutes(given: str) -> float:
    """A deadline. Without one, no sum could be said."""
    try:
        if 0 < (minutes := float(given)) <= MOST_MINUTES:
            return minutes
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be minutes, more than 0 and at most {MOST_MINUTES} (got {given}). {NOTHING}")


def _prepare(options: argparse.Namespace, folder: Path, ends: Ends) -> "Run":
    """Synthesize, log in, and see that no state but an own one is there."""
    if given := sorted(name for name in os.environ if name.startswith("TF_CLI_ARGS") and name != "TF_CLI_ARGS_init"):
        raise DeploymentError(
            f"{' and '.join(given)} must not be set, because arguments that nobody sees could lead Terraform to another state. "
            f"Unset what is set, and run this command again. {NOTHING}"
        )
    summary = before.synthesize(options.app, options.stack)
    if not summary["region"]:
        raise DeploymentError(f"region must be set in {options.app} (got none): it decides where everything is built. {NOTHING}")
    config = before.configured(options.app, options.stack)
    stack = Stack.named(options.stack, "kubectl", "aws")
    if stack.init():
        raise DeploymentError(f"Terraform could not be initialized in {stack.folder}. See above. {NOTHING}")
    variables = [*stack.variables(), f"-var=region={summary['region']}"]  # last, so that neither a file nor TF_VAR_region counts
    terraform = Terraform(stack.folder, ends, _say)

    def run(command: str, *arguments: str) -> Outcome:
        planned = command == "apply" and not any(one.startswith("-target") for one in arguments)
        return terraform.run(
            command, *([] if planned else variables), *arguments, environment={**os.environ, "TF_IN_AUTOMATION": "1"}
        )

    site = Site(stack, summary["region"], folder / "kubeconfig", run, _say, time.sleep)
    caller = before.as_object(site.aws().aws("sts", "get-caller-identity", "--output", "json"))
    return Run(options, summary, config, site, ends, folder, caller["Account"], caller["Arn"])


@dataclass
class Run:
    """A run of `make prove`: what was given, and what has become of it.

    Attributes:
        options: the command's.
        summary: what the synthesis said about the cluster.
        config: its configuration.
        site: where it is built.
        ends: what may end the run early.
        folder: for the plan, which holds secrets.
        account, caller: the login's number and ARN.
        record: what is ours so far.
    """

    options: argparse.Namespace
    summary: Object
    config: object
    site: Site
    ends: Ends
    folder: Path
    account: str
    caller: str
    record: Record = field(init=False)
    begun: float = field(default_factory=time.time)
    steps: list[Done] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def whole(self) -> int:
        """Everything, in order; returns the exit code."""
        place = {
            "account": self.account,
            "region": self.site.region,
            "workspace": self.site.stack.workspace(),
            "backend": before.backend_of(self.site.stack.folder / JSON),
        }
        leftover = self._own(place)
        price = before.price_of(self.summary)
        self._announce(leftover, price)
        self._confirm()
        if leftover:
            _say(f"\nRemoving {leftover.cluster or 'what an earlier run began'} first")
            self.record = leftover
            code = self._clean(self._report())
            if code or self.options.clean_up:
                return code
            self.steps, self.begun = [], time.time()
            self.ends.resume()
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        fis = bool(self.options.fis_role)
        self.record = Record(self.options.app, self.options.stack, **place, begun=begun, hour_usd=price.hour, fis=fis)
        return self._prove()

    def _prove(self) -> int:
        """Build, measure, and remove or keep; returns the exit code."""
        self.record.write()
        written, built = self._report(), False
        try:
            try:
                self.ends.limit(self.options.timeout * 60)
                self._name()
                plan = self._plan()
                built = True
                self._measure(plan)
            finally:
                self.ends.hold()
        except (DeploymentError, EndedError) as error:
            written.ended = str(error)
        except Exception as error:  # a mistake of this program must not leave a cluster
            written.ended = f"{type(error).__name__}: {error}"
        if written.ended:
            _warn(f"{written.ended.rstrip('.')}. {'' if built else NOTHING}".rstrip())
        if self.options.keep and built and not written.ended and self.steps[0].check.verdict is Verdict.PASSED:
            return self._keep(written)
        _say("\nClean-up")
        code = self._clean(written)
        if code or not written.ended:
            return code or (FAILED if written.failed else 0)
        return ENDED if built else NOT_BUILT

    def _own(self, place: dict[str, Any]) -> Record | None:
        """The record of an earlier run; None for an empty state without a record.

        Raises:
            DeploymentError: the state is somebody else's.
        """
        record, state = Record.read(self.options.stack), self.site.state()
        if record:
            record.refuse_another_place(**place)
            cleanup.refuse_another_state(record, state)
        elif managed(state):
            name = self.options.stack
            raise DeploymentError(
                f"The state of {name} must be empty, or that of an earlier proof (got {len(managed(state))} resources, and no "
                f"{path_of(name)}). make prove leaves it alone. Give the cluster of {self.options.app} another name, or remove the "
                f"one that is there: make destroy STACK={name}"
            )
        elif self.options.clean_up:
            raise DeploymentError(f"There is no {path_of(self.options.stack)}, and so nothing to remove.")
        return record

    def _announce(self, leftover: Record | None, price: before.Price) -> None:
        if leftover:
            _say(
                f"{path_of(leftover.stack)} says that a run of {leftover.begun} {'kept' if leftover.kept else 'left'} "
                f"{leftover.cluster or 'a cluster without a name'} in {leftover.region}. It is removed first."
            )
        if not self.options.clean_up:
            where = f"workspace {self.site.stack.workspace()}, {'its own' if leftover else 'empty'}"
            for line in before.announcement(
                self.summary,
                price,
                account=self.account,
                region=self.site.region,
                state=where,
                minutes=self.options.timeout,
                keep=self.options.keep,
            ):
                _say(line)

    def _confirm(self) -> None:
        given = self.options.confirm
        if not given:
            try:
                given = input("Type the number of the account to continue: ").strip()
            except (EOFError, KeyboardInterrupt):
                print()
        if given != self.account:
            raise DeploymentError(f'The number of the account must be {self.account} (got "{given}"). {NOTHING}')

    def _name(self) -> None:
        """Create the random suffix alone, which costs nothing: the state has a lineage then, by which it is known again."""
        _say("\nBefore anything is built")
        outcome = self.site.terraform("apply", "-auto-approve", "-input=false", f"-target={SUFFIX}.suffix")
        if outcome.code:
            raise DeploymentError(outcome.errors[0] if outcome.errors else "Terraform failed. See above.")
        state = self.site.state()
        if {one.get("type") for one in managed(state)} != {SUFFIX}:
            raise DeploymentError(
                f"The state of {self.record.stack} has resources that this run did not make. They are left alone."
            )
        self.record = self.record.changed(lineage=state["lineage"])

    def _plan(self) -> Object:
        """Plan, and look at what the plan would meet."""
        file = self.folder / "proof.tfplan"
        outcome = self.site.terraform("plan", "-input=false", f"-out={file}")
        if outcome.code:
            raise DeploymentError(outcome.errors[0] if outcome.errors else "Terraform could not plan. See above.")
        plan: Object = json.loads(self.site.stack.terraform("show", "-json", str(file)))
        if wrong := {one: action for one, action in outcome.changes.items() if action not in ("create", "read")}:
            raise DeploymentError(
                f"A first plan must only create (got {', '.join(f'{action} {one}' for one, action in wrong.items())})."
            )
        before.refuse_another_plan(plan, self.site.stack.folder / JSON, self.options.app)
        self.record = self.record.changed(cluster=before.cluster_name(plan))
        self.checks = before.checks(self.site.aws(self.record.cluster), self.caller, plan)
        for one in self.checks:
            _say(f"{_shown(one)}  {one.figure}".rstrip())
        before.refuse(self.checks)
        return plan

    def _measure(self, plan: Object) -> None:
        """All steps, each with its verdict. Only an essential one that fails ends them."""
        proof = Proof(
            cluster=self.site.aws(),
            terraform=self.site.terraform,
            connect=self.site.connect,
            output=lambda name: self.site.stack.terraform("output", "-json", name),
            config=self.config,
            pools=before.rendered(plan, "NodePool"),
            plan=str(self.folder / "proof.tfplan"),
            image=self.options.image,
            fis_role=self.options.fis_role,
            say=_say,
        )
        for one in STEPS:
            _say(f"\n{one.name}")
            done = one.done(proof)
            self.steps.append(done)
            _say(f"{_shown(done.check)}  {done.check.figure}  ({done.seconds:.0f} s)")
            for line in (*done.check.found, *([f"Do: {done.check.do}"] if done.check.do else [])):
                _say(f"      {line}")
            if one.essential and done.check.verdict is not Verdict.PASSED:
                return
            self.ends.resume()  # a signal whose error did not come out of the step ends the run here
        self.versions = report.versions(proof.cluster, self.site.stack.terraform)

    def _clean(self, written: report.Report) -> int:
        """Remove what is the record's, look, and write the report; returns the exit code."""
        begun, left, why, removed = time.time(), Left(), "", False
        try:
            try:
                self.ends.forgive()
                self.record = cleanup.known(self.site, self.record)
                cleanup.remove(self.site, self.record)
                removed = True
                left = cleanup.look(self.site, self.record)
            finally:
                self.ends.hold()
        except EndedError as error:
            why = f"{error} during the clean-up"
        except DeploymentError as error:
            why = str(error)
        except Exception as error:  # whatever the mistake is, the sentence below must be said
            why = f"{type(error).__name__}: {error}"
        if why:
            left = replace(self._at_last(), unknown=(why,), costs=bool(self.record.cluster))
        elif not left.found:
            self.record.remove()
        check = Check(
            "Everything is removed, and nothing with the cluster's tag is left",
            "terraform destroy; aws ec2, elbv2 and eks describe",
            Verdict.FAILED if why or left.found else Verdict.CANNOT_BE_TOLD if left.unknown else Verdict.PASSED,
            why or "; ".join(left.found) or "; ".join(left.unknown) or self.record.cluster or "nothing was built",
        )
        took = time.time() - begun
        self.steps.append(Done(check, took, {"clean_up_s": took}))
        written.left, written.named = (*left.found, *left.unknown), left.named
        _say(f"{_shown(check)}  {check.figure}  ({took:.0f} s)")
        for line in left.named:
            _say(f"      {line}")
        self._write(written)
        if why or left.found:
            _warn(self._sentence(left, why, removed=removed))
            return LEFT
        return 0

    def _at_last(self) -> Left:
        try:
            return cleanup.once(self.site, self.record)
        except Exception:  # such as a program that is gone: what is left must be said all the same
            return Left()

    def _sentence(self, left: Left, why: str, *, removed: bool) -> str:
        """What still runs, what it costs, and the command that removes it."""
        if removed and not left.found:
            why = why.rstrip(".")
            return f"{why}. Terraform removed everything; whether AWS has deleted all of it is not known. To look: {self._again()}"
        record = self.record
        what = "; ".join(left.found) or (
            f"what the state of {record.stack} has" if record.cluster else "a random suffix in the state"
        )
        cost = "an unknown sum" if record.hour_usd is None else f"at most ${record.hour_usd:.2f}"
        # Terraform removes what is in its state; what outlived that has a command each.
        remove = self._again() if why else "; ".join([*left.commands, f"and then {self._again()}"])
        return (
            f"{why.rstrip('.')}{'. ' if why else ''}Of {record.cluster or record.stack} in {record.region} there still is: {what}. "
            f"It costs {f'{cost} an hour' if left.costs else 'nothing'}. To remove it: {remove}"
        )

    def _again(self) -> str:
        return f'make prove APP={self.options.app} STACK={self.options.stack} ARGS="--clean-up"'

    def _keep(self, written: report.Report) -> int:
        """Say what stays."""
        record = self.record.noted(kept=True)
        self._write(written)
        idle, hour = before.price_of(self.summary).idle, record.hour_usd
        most = "an unknown sum" if hour is None else f"${hour:.2f}"
        _say(
            f"\nKept: {record.cluster} in {record.region}. It costs at least ${idle:.2f} an hour, and at most {most}. "
            f"To remove it: {self._again()}"
        )
        return FAILED if written.failed else 0

    def _report(self) -> report.Report:
        return report.Report(
            f"{self.options.stack} in {self.site.region}",
            datetime.now(UTC),
            steps=self.steps,
        )

    def _write(self, written: report.Report) -> None:
        written.seconds, written.versions, written.before = time.time() - self.begun, self.versions, self.checks
        hour = before.price_of(self.summary).hour
        written.cost_at_most = hour * written.seconds / 3600 if hour is not None and len(self.steps) > 1 else None
        try:
            files = report.write(written, self.options.stack, accounts=self.options.account)
        except OSError as error:  # a full disk must not hide what is left
            _warn(f"The report could not be written: {error.strerror}")
        else:
            _say(f"\nWrote {' and '.join(map(str, files))}")


def _say(line: str) -> None:
    print(line, flush=True)


def _warn(line: str) -> None:
    print(coloured(line, "red", sys.stderr), file=sys.stderr, flush=True)


def _shown(check: Check) -> str:
    return f"{check.verdict:<15} {check.name}"


def run(arguments: list[str]) -> int:
    """Run `main`; an error ends with a sentence. Returns the exit code."""
    try:
        return main(arguments)
    except DeploymentError as error:
        print(coloured(str(error), "red", sys.stderr), file=sys.stderr)
        return NOT_BUILT
    except OSError as error:  # nothing is built before the record is on the disk
        print(coloured(f"{error.filename}: {error.strerror}. {NOTHING}", "red", sys.stderr), file=sys.stderr)
        return NOT_BUILT
    except KeyboardInterrupt:
        print(f"\nInterrupted. {NOTHING} If there is a proof.*.json, it says what an earlier run left.", file=sys.stderr)
        return ENDED
