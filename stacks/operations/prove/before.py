"""What is said and looked at before anything costs: the price, the rights, the quotas, what EC2 offers."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from typing import Any

import yaml

from stacks.operations.checks import capacity, examine
from stacks.operations.checks.facts import at, listed, short, text
from stacks.operations.checks.question import Answer, Check, Question, Verdict, counted
from stacks.operations.checks.reader import REFUSED, ahead
from stacks.operations.deployment import DeployedCluster, DeploymentError, Object

CLEAN_UP_MINUTES = 30  # what a clean-up may take beyond the deadline, for the bill

# What an apply and a destroy of the stack ask of AWS, a few of each service: what is refused here would end an apply half-way.
ACTIONS = (
    *("ec2:CreateVpc", "ec2:CreateSubnet", "ec2:CreateNatGateway", "ec2:AllocateAddress", "ec2:CreateSecurityGroup"),
    *("ec2:CreateLaunchTemplate", "ec2:CreateTags", "ec2:DeleteVpc", "ec2:DeleteNatGateway", "ec2:ReleaseAddress"),
    *("eks:CreateCluster", "eks:CreateNodegroup", "eks:CreateAddon", "eks:CreateAccessEntry", "eks:CreatePodIdentityAssociation"),
    *("eks:DeleteCluster", "eks:DeleteNodegroup", "iam:CreateRole", "iam:CreatePolicy", "iam:AttachRolePolicy", "iam:PassRole"),
    *("iam:DeleteRole", "iam:DeletePolicy", "kms:CreateKey", "kms:CreateAlias", "kms:ScheduleKeyDeletion"),
    *("logs:CreateLogGroup", "logs:DeleteLogGroup", "sqs:CreateQueue", "sqs:DeleteQueue", "events:PutRule", "events:DeleteRule"),
)
# EC2 says of these, without doing them, whether the caller may; a service control policy counts too.
DRY_RUNS = (("create-vpc", "--cidr-block", "10.0.0.0/16"), ("allocate-address", "--domain", "vpc"))

ASSUMED = re.compile(r"arn:[^:]+:sts::[0-9]+:assumed-role/([^/]+)/")
SPOT_ROLE = "AWSServiceRoleForEC2Spot"

# A low score is a forecast, and a proof measures: the answer is reported and stops nothing.
FORECAST = capacity.scores.name


@dataclass(frozen=True)
class Price:
    """Dollars of an hour, at list prices.

    Attributes:
        idle: without a node of Karpenter, as far as prices are known.
        pools: of the nodes that the limits of all pools allow; None if that is not known.
        left_out: what is not in the sum.
    """

    idle: float
    pools: float | None
    left_out: Sequence[str]

    @property
    def hour(self) -> float | None:
        """The most expensive hour."""
        return None if self.pools is None else self.idle + self.pools

    def at_most(self, minutes: float) -> float | None:
        """Dollars of a run with a deadline, and its clean-up."""
        return None if self.hour is None else self.hour * (minutes + CLEAN_UP_MINUTES) / 60


def synthesize(app: str, stack: str) -> Object:
    """Write the JSON of a page, and return what its summary says about a stack, with `left_out`.

    Raises:
        DeploymentError: the page has a mistake, or no such stack.
    """
    run = subprocess.run([sys.executable, "-m", "stacks", app, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise DeploymentError(f"{app} could not be synthesized. See above. Nothing was built.")
    try:
        summary = json.loads(run.stdout)
        found = {one["name"]: one for one in summary["clusters"]}
    except (ValueError, KeyError, TypeError):
        raise DeploymentError(
            f"APP must be a page that ends with synthesize(CLUSTERS), such as examples/proof.py (got {app})."
        ) from None
    if stack not in found:
        raise DeploymentError(f'STACK must be a cluster of {app} (got "{stack}"). There are: {", ".join(found)}.')
    return {**found[stack], "left_out": summary["left_out"], "prices_of": summary["prices_of"]}


def configured(app: str, stack: str) -> object:
    """The configuration of a cluster; None if the page does not list its clusters under CLUSTERS."""
    hook = sys.excepthook  # the page's import of stacks.app sets one, which ends the process
    try:
        clusters = run_path(app).get("CLUSTERS", ())
    except Exception:  # the synthesis has run the same page without an error
        return None
    finally:
        sys.excepthook = hook
    return next((one for one in clusters if getattr(one, "name", "") == stack), None)


def price_of(summary: Object) -> Price:
    """The prices of a cluster."""
    idle = summary["idle_hour_usd"]
    unknown = [name for name, usd in idle.items() if usd is None]
    return Price(sum(usd or 0 for usd in idle.values()), summary["most_expensive_hour_usd"], (*unknown, *summary["left_out"]))


def announcement(
    summary: Object, price: Price, *, account: str, region: str, state: str, minutes: float, keep: bool
) -> Iterator[str]:
    """What will be built, where, and what that costs."""
    versions = f"Kubernetes {summary['kubernetes']['version']}, Karpenter {summary['karpenter_version']}"
    pools = (f"{one['name']} (at most {_limits(one)})" for one in summary["pools"])
    yield "This builds a cluster, measures it, and " + ("keeps it:" if keep else "removes it:")
    yield f"  Cluster  {summary['name']}: {versions}, pools {', '.join(pools)}"
    yield f"  Where    account {account}, {region}"
    yield f"  State    {state}"
    if price.pools is None or price.hour is None:
        yield (
            f"  Cost     ${price.idle:.2f} an hour without nodes of Karpenter. Their highest price is not known: a pool "
            "has no limit or no price."
        )
    else:
        yield (
            f"  Cost     ${price.idle:.2f} an hour without nodes of Karpenter, and at most ${price.pools:.2f} more with them. "
            + (
                f"Kept, at most ${price.hour:.2f} an hour, without end"
                if keep
                else f"At most ${price.at_most(minutes):.2f} for {minutes:g} minutes and {CLEAN_UP_MINUTES} of clean-up"
            )
        )
    yield f"           List prices of {summary['prices_of']}. Not counted: {', '.join(price.left_out)}."


def _limits(pool: Object) -> str:
    return ", ".join(f"{most} {unit.removeprefix('nvidia.com/').upper()}" for unit, most in pool["limits"].items()) or "no limit"


# --- Checks --------------------------------------------------------------------------------------------------------------------


def checks(cluster: DeployedCluster, caller: str, plan: Object) -> list[Check]:
    """What would stop an apply, or a pod, is found before it costs."""
    pools, classes = rendered(plan, "NodePool"), rendered(plan, "EC2NodeClass")
    reading = ahead(cluster, capacity.QUESTIONS, {"nodepools": {"items": pools}, "nodeclasses": {"items": classes}})
    buys_spot = any("spot" in json.dumps(one.get("spec", {})) for one in pools)
    mine = [
        Question("The caller may build and remove", (), lambda _: _rights(cluster, caller)),
        Question("EC2 lets the caller build a network", (), lambda _: _dry_runs(cluster)),
        Question("The role for Spot exists", (), lambda _: _spot_role(cluster, buys_spot=buys_spot)),
    ]
    return [*(one.ask(reading.facts) for one in mine), *examine(reading.facts, capacity.QUESTIONS)]


def refuse(found: Sequence[Check]) -> None:
    """Stop where a check failed, other than a forecast.

    Raises:
        DeploymentError: a check failed. The message has the reasons, and what to do.
    """
    failed = [one for one in found if one.verdict is Verdict.FAILED and one.name != FORECAST]
    if failed:
        lines = [f"{one.name}: failed. {(' '.join(one.found) or one.figure).rstrip('.')}. {one.do}".rstrip() for one in failed]
        raise DeploymentError("\n".join(["The cluster would not become what the proof needs.", *lines]))


def refuse_another_plan(plan: Object, file: Path, app: str) -> None:
    """Stop where a plan is not of what was announced: a variable from elsewhere changes it, or nothing could remove it.

    Args:
        plan: what Terraform would make.
        file: the stack's JSON, whose defaults are the page's values.
        app: the page.

    Raises:
        DeploymentError: a variable has another value, or EKS would refuse the destroy.
    """
    page = json.loads(file.read_text()).get("variable", {})
    given = {name: at(one, "value") for name, one in plan.get("variables", {}).items()}
    # As text: a number in the environment is "2", and Terraform converts it later.
    if differ := [name for name, one in page.items() if name in given and str(given[name]) != str(one.get("default"))]:
        raise DeploymentError(
            f"{', '.join(differ)} must be what {app} says, because the price is that of the page (got "
            f"{', '.join(json.dumps(given[name]) for name in differ)}, from a variable file or TF_VAR_…). Set {app} instead."
        )
    modules = [plan.get("planned_values", {}).get("root_module", {})]
    while modules:
        module = modules.pop()
        modules += listed(module, "child_modules")
        if any(at(one, "values", "deletion_protection") for one in listed(module, "resources")):
            raise DeploymentError("deletion_protection must be off for a proof, which removes its cluster (got true in the plan).")


def rendered(plan: Object, kind: str) -> list[Object]:
    """The Kubernetes objects of a kind that a plan makes, as far as the plan knows them."""
    found = []
    for one in listed(plan, "planned_values", "root_module", "resources"):
        if at(one, "type") == "kubectl_manifest" and (body := text(one, "values", "yaml_body")):
            item = yaml.safe_load(body)
            if at(item, "kind") == kind:
                found.append(item)
    return found


def cluster_name(plan: Object) -> str:
    """The name of the cluster: its VPC's, as in Stack.cluster.

    Raises:
        DeploymentError: the plan has no VPC whose name is known.
    """
    for module in listed(plan, "planned_values", "root_module", "child_modules"):
        for one in listed(module, "resources"):
            if (
                text(module, "address") == "module.vpc"
                and at(one, "type") == "aws_vpc"
                and (name := text(one, "values", "tags", "Name"))
            ):
                return name
    raise DeploymentError("The plan has no VPC with a name.")


def _rights(cluster: DeployedCluster, caller: str) -> Answer:
    """IAM's own simulation. It knows the caller's policies and boundary, and of service control policies not all."""
    principal = caller
    try:
        if role := ASSUMED.match(caller):
            principal = cluster.aws("iam", "get-role", "--role-name", role[1], "--query", "Role.Arn", "--output", "text").strip()
        if caller.endswith(":root"):
            return Answer(Verdict.PASSED, "the root user, which nothing denies but a service control policy")
        query = ("--query", "EvaluationResults[?EvalDecision!='allowed'].[EvalActionName,EvalDecision]", "--output", "json")
        asked = ("--policy-source-arn", principal, "--action-names", *ACTIONS)
        denied = dict(json.loads(cluster.aws("iam", "simulate-principal-policy", *asked, *query)))
    except (DeploymentError, ValueError) as error:
        return Answer(
            Verdict.CANNOT_BE_TOLD,
            "the right iam:SimulatePrincipalPolicy is missing" if REFUSED.search(str(error)) else short(str(error), 120),
            do="An apply names what it lacks, and is then cleaned up.",
        )
    if not denied:
        return Answer(Verdict.PASSED, counted(len(ACTIONS), "action"))
    figure, explicit = (
        f"{len(denied)} of {counted(len(ACTIONS), 'action')}",
        [name for name, how in denied.items() if how == "explicitDeny"],
    )
    if explicit or len(denied) == len(ACTIONS):
        return Answer(Verdict.FAILED, figure, (f"Denied: {', '.join(explicit or denied)}.",), "Allow them.")
    found = f"Not allowed for every resource: {', '.join(denied)}. Policies may allow them for some, which IAM does not simulate."
    return Answer(Verdict.CANNOT_BE_TOLD, figure, (found,), "An apply names what it lacks, and is then cleaned up.")


def _dry_runs(cluster: DeployedCluster) -> Answer:
    refused: list[str] = []
    unknown: list[str] = []
    for name, *arguments in DRY_RUNS:
        try:
            cluster.aws("ec2", name, *arguments, "--dry-run")
        except DeploymentError as error:
            if "DryRunOperation" in str(error):
                continue
            (refused if REFUSED.search(str(error)) else unknown).append(
                f"aws ec2 {name}: {short(str(error).partition(': ')[2], 120)}"
            )
    if refused:
        return Answer(Verdict.FAILED, f"{len(refused)} of {len(DRY_RUNS)} dry runs", tuple(refused), "Allow them.")
    if unknown:
        return Answer(Verdict.CANNOT_BE_TOLD, f"{len(unknown)} of {len(DRY_RUNS)} dry runs", tuple(unknown))
    return Answer(Verdict.PASSED, f"{len(DRY_RUNS)} dry runs")


def _spot_role(cluster: DeployedCluster, *, buys_spot: bool) -> Answer:
    if not buys_spot:
        return Answer(Verdict.NOT_APPLICABLE, "no pool buys Spot")
    try:
        cluster.aws("iam", "get-role", "--role-name", SPOT_ROLE)
    except DeploymentError as error:
        if "NoSuchEntity" in str(error):
            do = "Create it once per account: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"
            return Answer(Verdict.FAILED, f"{SPOT_ROLE} does not exist", do=do)
        return Answer(Verdict.CANNOT_BE_TOLD, short(str(error), 120))
    return Answer(Verdict.PASSED, SPOT_ROLE)


def as_object(words: str) -> Any:
    """JSON that a program printed.

    Raises:
        DeploymentError: the words are not JSON.
    """
    try:
        return json.loads(words or "{}")
    except ValueError:
        raise DeploymentError(f"A program must answer in JSON (got {short(words, 80)!r}).") from None


def backend_of(file: Path) -> Any:
    """Where a stack's state is."""
    return json.loads(file.read_text()).get("terraform", {}).get("backend")
