"""The steps that remain for a deployed cluster: why each, what comes before it, and what it does to running jobs. Plain Python."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from stacks.knowledge.upgrade_path import (
    CONTROL_PLANE,
    CONTROLLER_RELEASE,
    KARPENTER_RELEASE,
    NODE_GROUP,
    Step,
    upgrade_path,
)
from stacks.knowledge.versions import (
    EXTENDED_SUPPORT_PRICE,
    KARPENTER_RELEASES,
    KUBERNETES,
    LOAD_BALANCER_CONTROLLER,
    LOAD_BALANCER_CONTROLLER_RELEASES,
    STANDARD_SUPPORT_PRICE,
    KubernetesVersion,
    hashes_the_ca,
    karpenter_releases,
    kubernetes_version,
    parts,
)
from stacks.operations.checks import upgrade
from stacks.operations.checks.question import Check, Question, Verdict
from stacks.reports.impact.explanation import Explanation
from stacks.reports.upgrade.deployed import Deployed
from stacks.reports.upgrade.effects import effects
from stacks.reports.upgrade.page import GROUP_RELEASE, NOTHING_KNOWN, Page

HOURS_A_MONTH = 730
MOST_BEHIND = 3  # minor versions of a kubelet: https://kubernetes.io/releases/version-skew-policy/#kubelet
MARKED = (
    "kubectl get nodeclaims -o custom-columns='NAME:.metadata.name,POOL:.metadata.labels.karpenter\\.sh/nodepool,"
    'DRIFTED:.status.conditions[?(@.type=="Drifted")].status\''
)
CRDS = "https://raw.githubusercontent.com/kubernetes-sigs/aws-load-balancer-controller/v{release}/helm/aws-load-balancer-controller/crds"
COMPARE = (
    "aws eks describe-cluster --name {name} --query cluster.certificateAuthority.data --output text | sha256sum; (kubectl -n "
    "kube-system get configmap kube-root-ca.crt -o jsonpath='{{.data.ca\\.crt}}' | base64 -w0; echo) | sha256sum"
)
FOLLOW = "Add-ons that are still at the versions for an older Kubernetes follow, and roll."
PAGE = "docs/upgrading.md#the-step-to-karpenter-112"


@dataclass(frozen=True)
class Line:
    """A sentence, and the command that it is about."""

    words: str
    command: str = ""


@dataclass(frozen=True)
class Remaining:
    """A step that remains.

    Attributes:
        step: the step.
        lacking: its fields that main.py does not have yet, when the steps before are made.
        why: the reasons.
        first: what comes before the apply.
        impact: what the apply does.
    """

    step: Step
    lacking: Mapping[str, Any]
    why: tuple[str, ...]
    first: tuple[Line, ...]
    impact: Explanation

    def edit(self) -> str:
        """The arguments of the cluster in main.py that are to be edited, as Python; "" if main.py has them."""
        pools = (f"in pool {name}, {_arguments(fields)}" for name, fields in self.step.pool_fields.items())
        return "; ".join(filter(None, [_arguments(self.lacking), *pools]))

    def made(self) -> str:
        """What main.py has already."""
        return _arguments(self.step.fields)


def remaining(
    cluster: Deployed, goal: Mapping[str, str], checks: Sequence[Check], today: date, page: Page = NOTHING_KNOWN
) -> list[Remaining]:
    """The steps that remain, in the order of docs/upgrading.md.

    Args:
        cluster: what is deployed.
        goal: the versions to reach, by the field of ClusterConfig.
        checks: what the living cluster says; a check that is missing was not asked.
        today: for the ends of support.
        page: what main.py has.
    """
    steps = upgrade_path(cluster.versions, goal)
    verdicts = {check.name: check for check in checks}
    found = []
    later = page.after(page.too_early(cluster, steps))
    for number, (step, explanation) in enumerate(zip(steps, effects(cluster, steps, page.addons or ()), strict=True)):
        why = tuple(_why(cluster, steps, number, today))
        first = tuple(_first(cluster, steps[:number], step, verdicts, page))
        found.append(Remaining(step, later.lacks(step.fields), why, first, explanation))
        later = later.after(step.fields)
    return found


def support(version: str, support_type: str, today: date) -> str:
    """What the end of support means for a control plane."""
    row = next((one for one in KUBERNETES if one.version == version), None)
    if row is None:
        return "the program's table does not have the version"
    standard, extended = row.standard_support_ends, row.extended_support_ends
    if today > extended:
        return f"extended support ended on {extended}, and EKS upgrades the cluster by itself"
    if today > standard:
        month = (EXTENDED_SUPPORT_PRICE - STANDARD_SUPPORT_PRICE) * HOURS_A_MONTH
        if support_type == "STANDARD":
            return f"standard support ended on {standard}, and EKS upgrades the cluster by itself"
        return (
            f"standard support ended on {standard}: the control plane costs ${EXTENDED_SUPPORT_PRICE:.2f} an hour instead of "
            f"${STANDARD_SUPPORT_PRICE:.2f}, ${month:.0f} more a month. Extended support ends on {extended}"
        )
    then = "then EKS upgrades the cluster by itself" if support_type == "STANDARD" else _then(row)
    return f"standard support until {standard}; {then}"


def _then(row: KubernetesVersion) -> str:
    return f"then ${EXTENDED_SUPPORT_PRICE:.2f} an hour instead of ${STANDARD_SUPPORT_PRICE:.2f}, until {row.extended_support_ends}"


def _why(cluster: Deployed, steps: Sequence[Step], number: int, today: date) -> Iterator[str]:
    step = steps[number]
    match step.subject:
        case "gpu_drift_budget":
            drifting = [str(n) for n, one in enumerate(steps, start=1) if one.drifts]
            which = f"Step{'s' if len(drifting) > 1 else ''} {_and(drifting)} make{'' if len(drifting) > 1 else 's'} nodes drift."
            yield f"{which} Without this budget Karpenter drains GPU nodes then, whatever runs there."
        case "load_balancer_controller":
            if broken := LOAD_BALANCER_CONTROLLER_RELEASES.broken.get(step.old):
                yield f"{step.old} is broken: {broken}."
            else:
                yield f"{step.new} is the release of recommended. No other step waits for this one."
        case "karpenter":
            yield from _why_karpenter(steps, number)
        case "kubernetes":
            if step.updated == (NODE_GROUP,):
                yield "EKS moved the control plane by itself, or an apply did not finish. The next apply rolls the node group."
                yield FOLLOW
                return
            yield f"For {step.old}, {support(step.old, cluster.support, today)}."
            fields = (step.fields, *step.pool_fields.values())
            if release := next((one["bottlerocket_version"] for one in fields if "bottlerocket_version" in one), ""):
                yield f"Images for Kubernetes {step.new} begin with Bottlerocket {release}."


def _why_karpenter(steps: Sequence[Step], number: int) -> Iterator[str]:
    step = steps[number]
    if runs := step.fields.get("kubernetes_version"):
        yield f"make synth refuses Karpenter {step.old} with Kubernetes {runs}, so that no other step can come first. {FOLLOW}"
    if broken := KARPENTER_RELEASES.broken.get(step.old):
        yield f"{step.old} is broken: {broken}."
    old, new = (karpenter_releases(release) for release in (step.old, step.new))
    ahead = [one.new for one in steps[number:] if one.subject == "kubernetes"]
    if old and new and (early := [one for one in ahead if parts(old.kubernetes) < parts(one) <= parts(new.kubernetes)]):
        yield f"{step.old} supports Kubernetes {old.kubernetes} at most; Kubernetes {early[0]} needs this step."
    if step.drifts and any(one.hashes_anew for one in steps[number:]):
        yield "Its node class changes here, because a node class must not change in the apply that crosses 1.12."
    if step.hashes_anew:
        yield "1.12 calculates the hash of node classes in another way, so its apply changes no node class: an apply of its own."
    elif not step.drifts:
        yield f"{step.new} is the release of recommended{f', and supports Kubernetes {new.kubernetes}' if new else ''}."


def _first(cluster: Deployed, before: Sequence[Step], step: Step, checks: Mapping[str, Check], page: Page) -> Iterator[Line]:
    """What comes before the apply of a step."""
    if step.subject == "load_balancer_controller" and _new_definitions(step):
        yield Line("Apply the CRDs of the release, which Helm does not upgrade:", _apply_definitions(step.new))
    if step.hashes_anew:
        if any(one.subject == "karpenter" for one in before):
            yield Line(
                "Wait until every NodeClaim of a GPU pool that is older than the step before is marked as drifted, even where "
                f"the budget is 0: {PAGE}",
                MARKED,
            )
        else:
            yield from _said(checks, upgrade.marked, MARKED)
        yield from _said(checks, upgrade.certificate_authority, COMPARE.format(name=cluster.name))
    if CONTROL_PLANE in step.updated:
        if before and before[-1].subject == "kubernetes":
            yield Line(f"Wait a week after Kubernetes {step.old}: EKS rolls back within seven days, and only by one version.")
        yield from _pins(page, step)
        runs = checks[upgrade.oldest.name].figure if upgrade.oldest.name in checks else ""
        if re.fullmatch(r"\d+[.]\d+", runs) and parts(step.new)[1] - parts(runs)[1] > MOST_BEHIND:
            yield Line(
                f"Replace the nodes that are more than {MOST_BEHIND} minor versions behind {step.new} (the oldest runs {runs}):",
                "kubectl get nodes -L karpenter.sh/nodepool; kubectl delete nodeclaim NAME",
            )


def _pins(page: Page, step: Step) -> Iterator[Line]:
    """What main.py pins and a version of Kubernetes may refuse."""
    must = f"must be a version for Kubernetes {step.new}"
    if page.addons is None:
        yield Line(f"addon_versions, if they are set: each {must}.")
    for addon, version in (page.addons or {}).items():
        versions = f"aws eks describe-addon-versions --kubernetes-version {step.new} --addon-name {addon}"
        yield Line(
            f"addon_versions has {addon} {version}, which {must}:",
            f"{versions} --query 'addons[].addonVersions[].addonVersion' --output text",
        )
    release = str(page.fields.get(GROUP_RELEASE) or "")
    least = kubernetes_version(step.new).bottlerocket
    if release and parts(release.partition("-")[0]) < parts(least):
        yield Line(f"{GROUP_RELEASE} must be at least {least} for Kubernetes {step.new}, or None (got {release}).")


def of_page(cluster: Deployed, steps: Sequence[Step], page: Page) -> Iterator[str]:
    """Versions in main.py that an apply would bring too early."""
    if early := page.too_early(cluster, steps):
        has = _arguments({name: page.fields[name] for name in early})
        do = f"For step 1, set {_arguments(early)}; otherwise its apply changes more than the step."
        runs = f"The cluster has {_arguments(early)}, and the next apply changes that."
        yield f"main.py has {has} (as last synthesized). {do if steps else runs}"


def to_know(cluster: Deployed) -> Iterator[str]:
    """What stands in the way of steps, or is not among them."""
    runs, known = cluster.versions.kubernetes, [row.version for row in KUBERNETES]
    if runs not in known:
        older = bool(runs) and parts(runs) < parts(known[0])
        do = (
            f"Bring the cluster to {known[0]} first, one minor version at a time"
            if older
            else "Use a newer release of this program"
        )
        yield f"make synth refuses Kubernetes {runs}, because the program knows {known[0]} to {known[-1]}. {do}."
    for address, known_version in (
        (KARPENTER_RELEASE, cluster.versions.karpenter),
        (CONTROLLER_RELEASE, cluster.versions.load_balancer_controller),
    ):
        if (found := cluster.resources.get(address)) is None:
            yield f"The state does not have {address}: an apply did not finish, and the next one installs the release of main.py."
        elif not known_version:
            yield f"{address} has version {found.values.get('version')}, which is not a release: its steps are left out."
    for address, one in cluster.resources.items():
        if one.tainted:
            yield f"{address} is tainted: an apply did not finish, and the next one replaces it. Read make plan before step 1."


def _arguments(fields: Mapping[str, object]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in fields.items())


def the_ca(cluster: Deployed, checks: Sequence[Check]) -> Iterator[str]:
    """What to compare where Karpenter 1.12 or later runs without the CA in its settings: the next apply brings it there."""
    release = cluster.versions.karpenter
    if release and hashes_the_ca(release) and not cluster.knows_the_ca:
        yield f"The next apply gives Karpenter the cluster's CA. If Karpenter had found another, nodes drift once: {PAGE}"
        for check in checks:
            if check.name == upgrade.certificate_authority.name:
                yield " ".join(filter(None, (f"{check.name}: {check.verdict}, {check.figure}.", check.do)))


def _said(checks: Mapping[str, Check], question: Question, command: str) -> Iterator[Line]:
    """What a check of the living cluster says, or else how to ask."""
    check = checks.get(question.name)
    if check is None or check.verdict is Verdict.CANNOT_BE_TOLD:
        yield Line(f"{question.name}? Look, before the apply: {PAGE}", command)
    elif check.verdict is Verdict.FAILED:
        yield Line(" ".join([f"{question.name}: failed, {check.figure}.", *check.found, check.do]))
    else:
        yield Line(f"{question.name}: {check.verdict}, {check.figure}.")


def _new_definitions(step: Step) -> bool:
    return any(row.crds and parts(step.old) < parts(row.first) <= parts(step.new) for row in LOAD_BALANCER_CONTROLLER)


def _apply_definitions(release: str) -> str:
    crds = CRDS.format(release=release)
    return f"kubectl apply --server-side --force-conflicts -f {crds}/crds.yaml -f {crds}/gateway-crds.yaml"


def _and(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
