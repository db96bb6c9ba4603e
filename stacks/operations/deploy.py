"""`make plan STACK=…` and `make apply STACK=…`: Terraform in a stack's folder, with the project's variable files.

A plan is saved beside the JSON, and `make apply` applies that plan and nothing else.
"""

import os
import sys
import time
from pathlib import Path

from stacks.operations.deployment import JSON, DeploymentError, Stack, synthesized
from stacks.operations.terminal import coloured

PLAN = "saved.tfplan"  # as in .gitignore: a plan holds secrets
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
    """Initialize Terraform, which does nothing where nothing changed, and save a plan. A plan that fails leaves none."""
    saved = stack.folder / PLAN
    saved.unlink(missing_ok=True)
    if code := stack.run("init", "-input=false", quiet=True):
        return code
    begun = time.time_ns()
    code = stack.run("plan", *stack.variables(), f"-out={PLAN}", *further, umask=0o077)
    if code == FAILED:
        saved.unlink(missing_ok=True)  # Terraform saves incomplete plans too
    if saved.exists():
        os.utime(saved, ns=(begun, begun))  # what changes while Terraform plans is newer than the plan
        print(f"\nNext: make apply STACK={stack.folder.name}")
    return code


def apply(stack: Stack, further: list[str]) -> int:
    """Apply the saved plan, which is gone afterwards.

    Raises:
        DeploymentError: there is no plan, or the configuration or a variable file changed since.
    """
    saved = stack.folder / PLAN
    again = f"Run: make plan STACK={stack.folder.name}"
    if not saved.exists():
        raise DeploymentError(f"There must be a saved plan (got none in {stack.folder}). {again}")
    newer = [str(file) for file in (stack.folder / JSON, *stack.variable_files()) if _changed(file) > _changed(saved)]
    if newer:
        raise DeploymentError(
            f"The saved plan must be newer than what it was made from ({', '.join(newer)} changed since). {again}"
        )
    try:
        return stack.run("apply", *further, PLAN)
    finally:
        saved.unlink()


def _changed(file: Path) -> int:
    return file.stat().st_mtime_ns


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
