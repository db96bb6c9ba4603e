"""A stack, seen through Terraform, kubectl and the AWS CLI, for the commands that act on a deployment."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from stacks.config.backends import OUTPUT
from stacks.config.variable_files import VARIABLE_FILES
from stacks.operations.output import keep_lock_files

STACKS = Path(OUTPUT, "stacks")
JSON = "cdk.tf.json"
PATIENCE_SECONDS = 1500  # for one answer, longer than a waiter of AWS: what hangs must not keep back a clean-up's last words

Object = dict[str, Any]

# A call that hangs must not take minutes. The AWS CLI tries again by itself.
AWS_TIMES = ("--cli-connect-timeout", "5", "--cli-read-timeout", "20")

# Nobody sees what a program asks here, and nobody turns its pages.
UNASKED = {"AWS_CLI_AUTO_PROMPT": "off", "AWS_PAGER": ""}


class DeploymentError(RuntimeError):
    """Why a command stopped before Terraform changed anything, and what to do."""


class NotDeployedError(DeploymentError):
    """The state has no cluster."""


@dataclass(frozen=True)
class DeployedCluster:
    """The cluster of a stack. `kubeconfig` is a file of its own, because the user's current context may be another cluster."""

    name: str
    region: str
    profile: list[str]
    environment: dict[str, str]  # the credentials of a role that Terraform assumes
    endpoint: str  # empty if the cluster is already removed
    protected: bool
    kubeconfig: Path

    def connect(self) -> None:
        """Write the kubeconfig, and check that it leads to the cluster in the state and not to a namesake in another account."""
        self.aws("eks", "update-kubeconfig", "--name", self.name, "--kubeconfig", str(self.kubeconfig), *AWS_TIMES)
        server = self.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").strip()
        if server != self.endpoint:
            raise DeploymentError(
                f"The cluster {self.name} that the AWS CLI finds must be the one in the state, {self.endpoint} (got {server}). "
                "Check the AWS profile and the account."
            )

    def aws(self, *arguments: str) -> str:
        """What the AWS CLI prints."""
        return _run("aws", *arguments, "--region", self.region, *self.profile, environment=self.environment)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints."""
        return _run("kubectl", *arguments, environment={**self.environment, "KUBECONFIG": str(self.kubeconfig)})

    def objects(self, kind: str) -> list[Object]:
        """The objects of a kind in all namespaces; none if the cluster does not know the kind."""
        try:
            items: list[Object] = json.loads(self.kubectl("get", kind, "--all-namespaces", "-o", "json"))["items"]
        except DeploymentError as error:
            if "the server doesn't have a resource type" in str(error):
                return []
            raise
        return items

    def instances(self) -> list[str]:
        """The EC2 instances that Karpenter launched for this cluster and that are not terminated."""
        filters = (
            f"Name=tag:kubernetes.io/cluster/{self.name},Values=owned",
            "Name=tag-key,Values=karpenter.sh/nodepool",
            "Name=instance-state-name,Values=pending,running,shutting-down,stopping,stopped",
        )
        query = ("--query", "Reservations[].Instances[].[InstanceId,InstanceType]", "--output", "json")
        return [" ".join(instance) for instance in json.loads(self.aws("ec2", "describe-instances", "--filters", *filters, *query))]


@dataclass(frozen=True)
class Stack:
    """A synthesized stack, and the project's variable files."""

    folder: Path

    @classmethod
    def named(cls, name: str, *programs: str) -> Self:
        """The stack of a name, for a command that runs Terraform and further programs.

        Raises:
            DeploymentError: the stack is not synthesized, or a program is missing.
        """
        if name not in (there := synthesized()):
            state = f"terraform.{name}.tfstate"
            hint = f" {state} is the state of such a stack: with {name} on the list of main.py, run `make synth` first."
            raise DeploymentError(
                f'STACK must be a synthesized stack (got "{name}"). There are: {", ".join(there) or "none; run `make synth`"}.'
                f"{hint if Path(state).exists() else ''}"
            )
        for program in ("terraform", *programs):
            if not shutil.which(program):
                raise DeploymentError(f"{program} must be on the PATH. Install it, and run this command again.")
        return cls(STACKS / name)

    def state(self) -> list[Object]:
        """The resources in the state; none if nothing is deployed."""
        resources: list[Object] = json.loads(self.terraform("state", "pull") or "{}").get("resources", [])
        return resources

    def pulled_state(self) -> list[Object]:
        """The same. Terraform is initialized only where that is needed, because it may load providers.

        Raises:
            DeploymentError: Terraform cannot be initialized, or cannot read the state.
        """
        try:
            return self.state()
        except DeploymentError:
            with redirect_stdout(sys.stderr):
                if self.init():
                    raise DeploymentError(f"Terraform could not be initialized in {self.folder}. See above.") from None
            return self.state()

    def cluster(self, kubeconfig: Path, session: str, state: list[Object] | None = None) -> DeployedCluster:
        """The cluster in the state. A destroy removes the outputs first and the VPC last, so name and region come from the VPC.

        Args:
            kubeconfig: where `connect` writes.
            session: the name of the session, where the stack assumes a role. CloudTrail shows the name.
            state: the resources, where they are pulled already.

        Raises:
            NotDeployedError: the state has no VPC, or one that Terraform was making when it was interrupted.
        """
        pulled = self.state() if state is None else state
        resources = {f"{r.get('module')}.{r['type']}": r["instances"][0]["attributes"] for r in pulled if _is_managed(r)}
        vpc = resources.get("module.vpc.aws_vpc")
        if not vpc or not vpc["arn"]:  # an apply that was interrupted leaves a VPC that has nothing but its id, and nothing in it
            raise NotDeployedError(f"Workspace {self.workspace()} has no VPC in its state, and so no node.")
        profile, environment = self.identity(session)
        eks = resources.get("module.eks.aws_eks_cluster", {})
        return DeployedCluster(
            name=vpc["tags"]["Name"],
            region=vpc["arn"].split(":")[3],
            profile=profile,
            environment=environment,
            endpoint=eks.get("endpoint") or "",
            protected=bool(eks.get("deletion_protection")),
            kubeconfig=kubeconfig,
        )

    def identity(self, session: str) -> tuple[list[str], dict[str, str]]:
        """The identity of the stack's AWS provider: the AWS CLI's arguments and its environment."""
        providers = json.loads((self.folder / JSON).read_text())["provider"]["aws"]
        provider = next(provider for provider in providers if "alias" not in provider)
        profile = ["--profile", provider["profile"]] if "profile" in provider else []
        if "assume_role" not in provider:
            return profile, {}
        role = provider["assume_role"][0]["role_arn"]
        command = ("aws", "sts", "assume-role", "--role-arn", role, "--role-session-name", session, *profile)
        given = json.loads(_run(*command, "--query", "Credentials", "--output", "json"))
        names = {
            "AWS_ACCESS_KEY_ID": "AccessKeyId",
            "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
            "AWS_SESSION_TOKEN": "SessionToken",
        }
        return [], {variable: given[name] for variable, name in names.items()}

    def init(self) -> int:
        """Initialize Terraform, which does nothing where nothing changed, and keep its lock file; returns its exit code."""
        code = self.run("init", "-input=false", quiet=True)
        keep_lock_files(Path(), Path(OUTPUT))
        return code

    def workspace(self) -> str:
        """The selected Terraform workspace."""
        return self.terraform("workspace", "show").strip()

    def terraform(self, *arguments: str) -> str:
        """What Terraform prints."""
        return _run("terraform", f"-chdir={self.folder}", *arguments, "-no-color")

    def run(self, *arguments: str, quiet: bool = False, umask: int = -1) -> int:
        """Print a command of Terraform and run it on the user's terminal; returns its exit code.

        Args:
            arguments: those of Terraform.
            quiet: show what Terraform prints only if it fails.
            umask: of the files that Terraform writes; -1 is the user's.
        """
        command = ["terraform", f"-chdir={self.folder}", *arguments]
        print(f"$ {shlex.join(command)}", flush=True)
        with tempfile.TemporaryFile() as printed:
            out, error = (printed, subprocess.STDOUT) if quiet else (None, None)
            environment = {"TF_IN_AUTOMATION": "1", **os.environ}  # what to run next is our sentence, and not Terraform's
            # Terraform gets the Ctrl-C too, and shuts down cleanly. From before its start, so that none ends this program alone.
            interrupt = signal.signal(signal.SIGINT, lambda *_: None)
            try:
                code = subprocess.Popen(command, stdout=out, stderr=error, env=environment, umask=umask).wait()
            finally:
                signal.signal(signal.SIGINT, interrupt)
            if quiet and code:
                printed.seek(0)
                print(printed.read().decode(errors="replace"), file=sys.stderr)
        return code

    def variable_files(self) -> list[Path]:
        """The files that the cdktf CLI reads by itself, in its order. Terraform reads only those in the stack's folder."""
        return [path for name in VARIABLE_FILES for path in sorted(Path().glob(name))]

    def variables(self) -> list[str]:
        """The variable files as arguments of Terraform."""
        return [f"-var-file={os.path.relpath(file, self.folder)}" for file in self.variable_files()]


def synthesized() -> list[str]:
    """The names of the stacks that the last synthesis wrote; `cdktf.out` may hold older ones."""
    manifest = Path(OUTPUT, "manifest.json")
    return sorted(json.loads(manifest.read_text())["stacks"]) if manifest.exists() else []


def name_of(item: Object) -> str:
    """The name of a Kubernetes object, with its namespace if it has one."""
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def _is_managed(resource: Object) -> bool:
    return bool(resource["instances"]) and resource.get("mode", "managed") == "managed"


def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    shown, given = f"`{' '.join(command[:4])} …`", {**os.environ, **UNASKED, **(environment or {})}
    try:
        run = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        raise DeploymentError(f"{shown} failed: no answer in {PATIENCE_SECONDS / 60:g} minutes") from None
    if run.returncode:
        raise DeploymentError(f"{shown} failed: {run.stderr.strip() or run.stdout.strip() or f'exit code {run.returncode}'}")
    return run.stdout
