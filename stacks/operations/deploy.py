"""`make plan`, `make impact` and `make apply`: Terraform in a stack's folder, with the project's variable files.

A plan is saved beside the JSON, and `make apply` applies that plan and nothing else. What a plan does to running jobs comes from
`python -m stacks.impact`, a program of its own that reads the plan from a pipe.
"""

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from stacks.config.backends import OUTPUT
from stacks.operations.deployment import JSON, DeploymentError, Stack, synthesized
from stacks.operations.record import changed_since_synthesis, changes, fingerprints
from stacks.operations.terminal import coloured

PLAN = "saved.tfplan"  # as in .gitignore: a plan holds secrets
MADE_FROM = "saved.json"  # the fingerprints of what the plan was made from
FAILED = 1  # -detailed-exitcode makes 2 of a plan with changes

# What would lead to another file than the one that `make apply` reads, or around the order of `make destroy`.
NOT_REFRESHED = ("-refresh=false", "--refresh=false")  # which the JSON of a plan does not say
REFUSED = {
    "destroy": "Karpenter could be gone before its nodes. Run: make destroy STACK={stack}",
    "out": "make plan chooses the file, so that make apply finds the plan. For another file, run Terraform itself.",
}


def main(arguments: list[str]) -> int:
    """Plan, explain or apply; returns the exit code of Terraform, or of the explanation.

    Args:
        arguments: `plan`, `impact` or `apply`, the name of the stack (empty for the only one), and further arguments for Terraform.

    Raises:
        DeploymentError: the stack, the arguments or the saved plan do not fit.
    """
    command, name, *further = arguments
    there = synthesized()
    stack = Stack.named(there[0] if not name and len(there) == 1 else name)
    for argument in further:
        option = argument.lstrip("-").partition("=")[0]
        if argument.startswith("-") and option in REFUSED:
            raise DeploymentError(f"ARGS must not contain -{option}: {REFUSED[option].format(stack=stack.folder.name)}")
    return {"plan": plan, "impact": impact, "apply": apply}[command](stack, further)


def plan(stack: Stack, further: list[str]) -> int:
    """Initialize Terraform, and save a plan. A plan that fails leaves none.

    Raises:
        DeploymentError: the JSON is not what the page would write now.
    """
    saved, record = stack.folder / PLAN, stack.folder / MADE_FROM
    saved.unlink(missing_ok=True)
    record.unlink(missing_ok=True)
    _refuse_old_json()
    if code := stack.init():
        return code
    made_from = _made_from(stack)  # before Terraform reads it
    code = stack.run("plan", *stack.variables(), f"-out={PLAN}", *further, umask=0o077)
    if code == FAILED:
        saved.unlink(missing_ok=True)  # Terraform saves incomplete plans too
    if saved.exists():
        record.write_text(json.dumps(made_from))
        print("\nWhat this plan does to running jobs:", flush=True)
        explain(stack, PLAN, further)
        print(f"\nNext: make apply STACK={stack.folder.name}")
    return code


def impact(stack: Stack, further: list[str]) -> int:
    """Explain a plan that is not kept. `--format` and `--fail-on` are for the explanation, which alone goes to stdout.

    Raises:
        DeploymentError: the JSON is not what the page would write now.
    """
    parser = ArgumentParser(prog="make impact", allow_abbrev=False)
    parser.add_argument("--format")
    parser.add_argument("--fail-on")
    options, for_terraform = parser.parse_known_args(further)
    _refuse_old_json()
    with TemporaryDirectory() as folder, redirect_stdout(sys.stderr):  # a folder that only the owner reads
        file = Path(folder, PLAN).resolve()
        run = ("plan", *stack.variables(), "-input=false", f"-out={file}", *for_terraform)
        code = stack.init() or stack.run(*run, quiet=True, umask=0o077)
        given = [f"--{name.replace('_', '-')}={value}" for name, value in vars(options).items() if value]
        return explain(stack, str(file), for_terraform, *given) if file.exists() and code != FAILED else code


def explain(stack: Stack, plan_file: str, for_terraform: list[str], *options: str) -> int:
    """Say what a saved plan does, without the plan in clear on a disk; returns the exit code of the explanation."""
    show = ["terraform", f"-chdir={stack.folder}", "show", "-json", plan_file]
    partial = [f"--incomplete={one}" for one in for_terraform if one in NOT_REFRESHED]
    program = [sys.executable, "-m", "stacks.impact", "-", *partial, *options]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(show, stdout=subprocess.PIPE) as shown:
        return subprocess.run(program, stdin=shown.stdout, env=environment, check=False).returncode


def apply(stack: Stack, further: list[str]) -> int:
    """Apply the saved plan, which is gone afterwards.

    Raises:
        DeploymentError: there is no plan, or the configuration or a variable file changed since.
    """
    saved, record = stack.folder / PLAN, stack.folder / MADE_FROM
    again = f"Run: make plan STACK={stack.folder.name}"
    if not saved.exists() or not record.exists():
        raise DeploymentError(f"There must be a plan that make plan saved (got none in {stack.folder}). {again}")
    if changed := changes(json.loads(record.read_text()), _made_from(stack)):
        raise DeploymentError(
            f"The saved plan must be newer than what it was made from ({', '.join(changed)} changed since). {again}"
        )
    try:
        code = stack.run("apply", *further, PLAN)
    finally:
        saved.unlink()
        record.unlink()
    if code:
        print(f"\nThe apply did not finish, and a plan can be applied once. {again}", file=sys.stderr)
    return code


def _made_from(stack: Stack) -> dict[str, str]:
    return fingerprints([stack.folder / JSON, *stack.variable_files()], Path())


def _refuse_old_json() -> None:
    """Refuse JSON that a failed synthesis left behind, or that is older than the page or what the page imports."""
    since = changed_since_synthesis(Path(OUTPUT), Path())
    if since is None:
        raise DeploymentError(
            f"The last synthesis must have succeeded (got no record of it in {OUTPUT}). Run: make synth, with APP=... for another "
            "file than main.py"
        )
    page, changed = since
    if changed:
        app = "" if page == "main.py" else f" APP={page}"
        raise DeploymentError(
            f"The JSON must be newer than what it was made from ({', '.join(changed)} changed since). Run: make synth{app}"
        )


def run(arguments: list[str]) -> int:
    """Run `main`; an error and Ctrl-C end with a sentence. Returns the exit code."""
    try:
        return main(arguments)
    except DeploymentError as error:
        print(coloured(str(error), "red", sys.stderr), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing was applied.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
