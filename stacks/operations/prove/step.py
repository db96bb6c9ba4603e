"""How a step of a proof is made: what it acts on, how it waits, and the evidence that it leaves."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from stacks.operations.checks import examine, pools
from stacks.operations.checks.facts import listed, short, text
from stacks.operations.checks.question import Answer, Check, Verdict
from stacks.operations.checks.reader import read
from stacks.operations.deployment import DeployedCluster, DeploymentError, Object
from stacks.operations.prove import pods
from stacks.operations.prove.ends import Outcome

POLL_SECONDS = 3
KUBECTL = ("--request-timeout=20s",)

LOST_LOGIN = (
    "ExpiredToken",
    "Token has expired",
    "session associated with this profile has expired",
    "security token included",
    "Unable to locate credentials",
)

Found = TypeVar("Found")


class StepError(DeploymentError):
    """Why a step failed, and what to do."""


class LoginError(DeploymentError):
    """The login is gone, and every further call would fail."""


def refuse_lost_login(error: DeploymentError) -> None:
    """Tell a lost login from other errors.

    Raises:
        LoginError: the login is gone.
    """
    if any(words in str(error) for words in LOST_LOGIN):
        raise LoginError(f"The login is gone: {short(str(error), 160)}") from None


@dataclass(frozen=True)
class Evidence(Answer):
    """What a step saw: an answer, and numbers for programs, by name with their unit."""

    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """A step that was made: its check, how long it took, and its numbers."""

    check: Check
    seconds: float
    figures: dict[str, float]


@dataclass
class Proof:
    """What the steps act on.

    Attributes:
        cluster: connected after the apply.
        terraform: runs a command of Terraform.
        config: the configuration; None where the page keeps it to itself.
        pools: the NodePools of the plan.
        plan: the file of the plan to apply.
        image: of the GPU pod.
        fis_role: the role of the fault injection; "" for none.
        connect: finds the cluster in the state and connects to it.
        output: an output of the stack, as JSON.
        say: prints a line.
        now, sleep: the clock.
    """

    cluster: DeployedCluster
    terraform: Callable[..., Outcome]
    connect: Callable[[], DeployedCluster]
    output: Callable[[str], str] = str
    config: object = None
    pools: Sequence[Object] = ()
    plan: str = ""
    image: str = pods.SMALL_IMAGE
    fis_role: str = ""
    say: Callable[[str], None] = print
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    gpu_node: str = ""

    @property
    def general_pool(self) -> Object | None:
        """The first pool that takes a pod without tolerations."""
        return next((one for one in self.pools if pods.takes_any(one)), None)

    def option(self, name: str, of: object = None) -> Any:
        """A field of the configuration, or of a pool; None where there is no such field."""
        return getattr(of or self.config, name, None)

    def wait(self, what: str, look: Callable[[], Found | None], minutes: float, why: Callable[[], str] = str) -> Found:
        """What `look` finds. A call that fails meanwhile is made again.

        Raises:
            StepError: nothing was found in time.
            LoginError: the login is gone.
        """
        end, said = self.now() + minutes * 60, ""
        while True:
            try:
                if found := look():
                    return found
                said = ""
            except DeploymentError as error:
                refuse_lost_login(error)
                if isinstance(error, StepError):
                    raise
                said = short(str(error), 200)
            if self.now() >= end:
                raise StepError(f"{what}: not after {minutes:g} minutes. {said or self._reason(why)}".rstrip())
            self.sleep(POLL_SECONDS)

    def _reason(self, why: Callable[[], str]) -> str:
        try:
            return why()
        except DeploymentError as error:
            return short(str(error), 200)

    def get(self, kind: str, name: str, namespace: str = pods.NAMESPACE) -> Object:
        """A Kubernetes object."""
        found: Object = json.loads(self.cluster.kubectl("get", kind, name, f"--namespace={namespace}", "--output=json", *KUBECTL))
        return found

    def start(self, item: Object) -> None:
        """Make an object, in place of an earlier one."""
        name, kind = item["metadata"]["name"], item["kind"].lower()
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": pods.NAMESPACE, "labels": pods.LABEL}}
        self.cluster.kubectl(
            "delete", kind, name, f"--namespace={pods.NAMESPACE}", "--ignore-not-found", "--wait=true", "--timeout=60s"
        )
        file = self.cluster.kubeconfig.with_name("objects.json")
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [space, item]}))
        self.cluster.kubectl("apply", f"--filename={file}")

    def run(self, pod: Object, *, until: Literal["Running", "Succeeded"], minutes: float) -> Object:
        """Start a pod, and wait until it is so far.

        Raises:
            StepError: it failed, or was not so far in time. The message has the pod's, and EC2's, words.
        """
        name = pod["metadata"]["name"]
        self.start(pod)

        def look() -> Object | None:
            now = self.get("pod", name)
            phase = text(now, "status", "phase")
            if phase == "Failed":
                raise StepError(f"Pod {name} failed: {pods.waits_for(now)}. {short(self.log(name))}".rstrip())
            return now if phase in (until, "Succeeded") else None

        return self.wait(f"Pod {name} is {until}", look, minutes, why=lambda: self._hangs(name))

    def _hangs(self, name: str) -> str:
        """Why a pod is not so far: its own words, and EC2's about the NodeClaims."""
        words = f"{pods.waits_for(self.get('pod', name)).rstrip('.')}."
        (check,) = examine(read(self.cluster, [pools.launches]).facts, [pools.launches])
        return " ".join([words, *check.found])

    def log(self, pod: str) -> str:
        """What a pod printed; "" if that cannot be read."""
        try:
            return self.cluster.kubectl("logs", pod, f"--namespace={pods.NAMESPACE}", *KUBECTL).strip()
        except DeploymentError:
            return ""

    def claim_of(self, node: str) -> Object | None:
        """The NodeClaim of a node."""
        claims = self.cluster.objects("nodeclaims.karpenter.sh")
        return next((one for one in claims if text(one, "status", "nodeName") == node), None)

    def pulled(self, name: str) -> pods.Pull | None:
        """The pull for a pod."""
        selector = f"--field-selector=reason=Pulled,involvedObject.name={name}"
        answer = self.cluster.kubectl("get", "events", f"--namespace={pods.NAMESPACE}", selector, "--output=json", *KUBECTL)
        return pods.pull(listed(json.loads(answer), "items"))


@dataclass(frozen=True)
class Step:
    """A step of the proof.

    Attributes:
        name: what holds if the step passes.
        looks_at: where the evidence comes from.
        make: does it.
        essential: whether nothing after it makes sense without it.
    """

    name: str
    looks_at: str
    make: Callable[[Proof], Evidence]
    essential: bool = False

    def done(self, proof: Proof) -> Done:
        """Make the step. An error is a verdict, too.

        Raises:
            LoginError: the login is gone.
        """
        begun = proof.now()
        try:
            evidence = self.make(proof)
        except LoginError:
            raise
        except StepError as error:
            evidence = Evidence(Verdict.FAILED, short(str(error), 600))
        except DeploymentError as error:
            refuse_lost_login(error)
            evidence = Evidence(Verdict.FAILED, short(str(error), 600))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            evidence = Evidence(
                Verdict.CANNOT_BE_TOLD, f"an answer has a shape that this program does not know ({type(error).__name__})"
            )
        check = Check(self.name, self.looks_at, evidence.verdict, evidence.figure, evidence.found, evidence.do)
        return Done(check, proof.now() - begun, evidence.figures)


def step(name: str, looks_at: str, *, essential: bool = False) -> Callable[[Callable[[Proof], Evidence]], Step]:
    """Make a step of a function."""
    return lambda function: Step(name, looks_at, function, essential)


def nothing(why: str) -> Evidence:
    """A step that the configuration has no use for."""
    return Evidence(Verdict.NOT_APPLICABLE, why)
