"""`make plan STACK=…` and `make apply STACK=…`: Terraform in a stack's folder, with the project's variable files.

A plan is saved beside the JSON, and `make apply` applies that plan and nothing else.
"""

import json
import sys
from pathlib import Path

from stacks.config.backends import OUTPUT
from stacks.operations.deployment import JSON, DeploymentError, Stack, synthesized
from stacks.operations.record import changed_since_synthesis, changes, fingerprints
from stacks.operations.terminal import coloured

PLAN = "saved.tfplan"  # as in .gitignore: a plan holds secrets
MADE_FROM = "saved.json"  # the fingerprints of what the plan was made from
FAILED = 1  # -detailed-exitcode makes 2 of a plan with changes

# What would lead to another file than the one that `make apply` reads, or around the order of `make destroy`.
REFUSED = {
    "destroy": "Karpenter could be gone before its nodes. Run: make destroy STACK={stack}",
    "out": "make plan chooses the file, so that make apply finds the plan. For another file, run Terraform itself.",
}


def main(arguments: list[str]) -> int:
    """Plan or apply; returns the exit code of Terraform.

    Args:
        arguments: `plan` or `apply`, the name of the stack (empty for the only one), and further arguments for Terraform.

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
    return {"plan": plan, "apply": apply}[command](stack, further)


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
        print(f"\nNext: make apply STACK={stack.folder.name}")
    return code


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
