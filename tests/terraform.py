"""Terraform in a folder of its own, as a user has it: the JSON in `cdktf.out/stacks/<stack>`, the state in the project."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cases import DEFAULTS

NO_CHANGES, CHANGES = 0, 2  # what `terraform plan -detailed-exitcode` exits with

needs_terraform = pytest.mark.skipif(
    "RIG" not in os.environ,
    reason="needs Terraform with stub providers: `make test-terraform` with the variable RIG, as in CONTRIBUTING.md",
)
needs_modules = pytest.mark.skipif(
    os.environ.get("RIG") != "modules",
    reason="needs the sources of the modules vpc, eks and kms (RIG=modules)",
)


@dataclass(frozen=True)
class Result:
    code: int
    output: str


class Workspace:
    """A project folder with a synthesized stack, initialized."""

    def __init__(self, project: Path, stack_file: Path, stack: str = "karpenter") -> None:
        self.project = project
        self.folder = project / "cdktf.out" / "stacks" / stack
        self.folder.mkdir(parents=True)
        shutil.copy(stack_file, self.folder)
        self.state = project / f"terraform.{stack}.tfstate"
        self.run("init", "-input=false")

    def stub_modules(self) -> None:
        """Replace the modules by ones that only have their inputs and outputs. `terraform test` loads all modules for each run."""
        file = self.folder / "cdk.tf.json"
        document = json.loads(file.read_text())
        outputs = set(re.findall(r"\bmodule\.(\w+)\.(\w+)", json.dumps(document)))
        for name, module in document["module"].items():
            folder = self.folder / "modules" / name
            folder.mkdir(parents=True)
            inputs = module.keys() - {"//", "source", "version", "depends_on", "providers"}
            stub = {
                "variable": {key: {} for key in inputs},
                "output": {output: {"value": ""} for of, output in outputs if of == name},
            }
            (folder / "main.tf.json").write_text(json.dumps(stub))
            module["source"] = f"./modules/{name}"
            module.pop("version")
        file.write_text(json.dumps(document))
        self.run("init", "-input=false")

    def run(self, *arguments: str, expect: int | None = 0) -> Result:
        """Run terraform; `expect` is the exit code that it must have, None any."""
        run = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env={**os.environ, "TF_CLI_ARGS": "-no-color", "TF_IN_AUTOMATION": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert expect is None or run.returncode == expect, run.stdout[-4000:]
        return Result(run.returncode, run.stdout)

    def variables(self, **values: Any) -> None:
        """Write terraform.tfvars.json, which Terraform reads by itself: what must be given, and `values`."""
        (self.folder / "terraform.tfvars.json").write_text(json.dumps({**DEFAULTS, **values}))

    def adopt(self, reference: Path) -> None:
        """Take the variables and the state that the HCL left."""
        shutil.copy(reference / "us-west-2.tfvars", self.folder / "terraform.tfvars")
        shutil.copy(reference / "us-west-2.tfstate", self.state)

    def destroyed(self) -> list[tuple[str, str]]:
        """Destroy all; returns, in their order, what happened: apply_start or apply_complete, and the address."""
        events = map(json.loads, self.run("destroy", "-auto-approve", "-input=false", "-json").output.splitlines())
        return [
            (event["type"], event["hook"]["resource"]["addr"])
            for event in events
            if event["type"] in ("apply_start", "apply_complete") and event["hook"]["action"] == "delete"
        ]

    def plan(self) -> dict[str, Any]:
        """The plan as JSON."""
        self.run("plan", "-input=false", "-out=plan.tfplan")
        plan: dict[str, Any] = json.loads(self.run("show", "-json", "plan.tfplan").output)
        return plan
