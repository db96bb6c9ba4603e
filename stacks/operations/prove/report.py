"""What a proof writes down: a page for people, and JSON for programs. Without account numbers, unless they are asked for."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from stacks.operations.checks.question import Check, Verdict
from stacks.operations.checks.report import cell, without_accounts
from stacks.operations.deployment import DeployedCluster, DeploymentError
from stacks.operations.prove.step import Done


@dataclass
class Report:
    """A proof, from its beginning to its end.

    Attributes:
        title: the stack and the region.
        begun: when, in UTC.
        seconds: how long it took.
        ended: why it ended before its last step; "" if it did not.
        cost_at_most: dollars, for the time that it took; None if nothing was built, or if a pool has no price.
        versions: of what took part.
        before: the checks before anything was built.
        steps: what was made, in order.
        left: what is left, or what could not be told about that.
        named: what AWS or the user keeps.
    """

    title: str
    begun: datetime
    seconds: float = 0
    ended: str = ""
    cost_at_most: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    before: Sequence[Check] = ()
    steps: list[Done] = field(default_factory=list)
    left: Sequence[str] = ()
    named: Sequence[str] = ()

    @property
    def failed(self) -> bool:
        """Whether a step failed."""
        return any(one.check.verdict is Verdict.FAILED for one in self.steps)

    @property
    def unknown(self) -> list[str]:
        """What could not be told."""
        checks = [*self.before, *(one.check for one in self.steps)]
        return [f"{one.name}: {one.figure}" for one in checks if one.verdict is Verdict.CANNOT_BE_TOLD]


def write(report: Report, stack: str, *, accounts: bool) -> list[Path]:
    """Write both files; returns their paths."""
    files = {Path(f"proof.{stack}.md"): as_markdown(report), Path(f"proof.{stack}.report.json"): as_json(report)}
    for path, words in files.items():
        path.write_text(words if accounts else without_accounts(words))
    return list(files)


def as_markdown(report: Report) -> str:
    """A page for an issue or a pull request."""
    lines = [
        f"# Proof: {report.title}",
        "",
        f"{report.begun:%Y-%m-%d %H:%M} UTC, {report.seconds / 60:.0f} minutes. {_result(report)}",
        "",
    ]
    if report.cost_at_most is not None:
        lines += [f"It cost less than ${report.cost_at_most:.2f}: list prices, with every pool at its limit all the time.", ""]
    lines += ["| step | verdict | seconds | figure |", "|---|---|---|---|"]
    lines += [
        f"| {cell(one.check.name)} | {one.check.verdict} | {one.seconds:.0f} | {cell(one.check.figure)} |" for one in report.steps
    ]
    lines += ["", "## Figures", "", "| figure | value |", "|---|---|"]
    lines += [f"| {name} | {_number(value)} |" for one in report.steps for name, value in _named(one)]
    lines += [
        "",
        "## Versions",
        "",
        "| what | version |",
        "|---|---|",
        *(f"| {name} | {cell(one)} |" for name, one in report.versions.items()),
    ]
    lines += ["", "## Before anything was built", "", "| check | verdict | figure |", "|---|---|---|"]
    lines += [f"| {cell(one.name)} | {one.verdict} | {cell(one.figure)} |" for one in report.before]
    lines += _list("What could not be told", report.unknown)
    lines += _list("What is left", report.left)
    lines += _list("What AWS keeps", report.named)
    for one in report.steps:
        if one.check.found or one.check.do:
            lines += ["", f"## {one.check.name}: {one.check.verdict}", ""]
            lines += ["```text", *(line.replace("```", "") for line in one.check.found), "```"] if one.check.found else []
            lines += [f"What to do: {cell(one.check.do)}"] if one.check.do else []
            lines += [f"Looked at: `{one.check.looked_at}`"]
    return "\n".join([*lines, ""])


def as_json(report: Report) -> str:
    """The same for programs."""
    document = {
        "proof": report.title,
        "begun": report.begun.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 1),
        "result": _result(report),
        "cost_at_most_usd": report.cost_at_most,
        "versions": report.versions,
        "before": [asdict(one) for one in report.before],
        "steps": [{**asdict(one.check), "seconds": round(one.seconds, 1), "figures": one.figures} for one in report.steps],
        "could_not_be_told": report.unknown,
        "left": list(report.left),
        "named": list(report.named),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _result(report: Report) -> str:
    counts = {verdict: sum(one.check.verdict is verdict for one in report.steps) for verdict in Verdict}
    said = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number) or "no step was made"
    return f"{said}{f'. It ended early: {report.ended}' if report.ended else '.'}"


def _named(one: Done) -> list[tuple[str, float]]:
    return [(f"{one.check.name}: {name}", value) for name, value in one.figures.items()]


def _number(value: float) -> str:
    """Such as 77.71, and 0.0022 for the gigabytes of a small image."""
    return f"{value:.2f}" if abs(value) >= 0.1 or not value else f"{value:.2g}"


def _list(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {cell(one)}" for one in lines)] if lines else []


def versions(cluster: DeployedCluster, terraform: Callable[..., str]) -> dict[str, str]:
    """The versions of what takes part, as far as programs say."""
    found: dict[str, str] = {}
    readers: Sequence[Callable[[], dict[str, str]]] = (lambda: _of_terraform(terraform), lambda: _of_cluster(cluster))
    for read in readers:
        try:
            found |= read()
        except (DeploymentError, ValueError, LookupError, TypeError):
            continue
    return found


def _of_terraform(terraform: Callable[..., str]) -> dict[str, str]:
    answer = json.loads(terraform("version", "-json"))
    providers = {name.rpartition("/")[2]: version for name, version in answer.get("provider_selections", {}).items()}
    return {"Terraform": answer["terraform_version"], **{f"provider {name}": version for name, version in providers.items()}}


def _of_cluster(cluster: DeployedCluster) -> dict[str, str]:
    found = {"Kubernetes": json.loads(cluster.kubectl("get", "--raw=/version", "--request-timeout=15s"))["gitVersion"]}
    images = {
        image["image"]
        for pod in cluster.objects("pods")
        for image in pod["spec"]["containers"]
        if pod["metadata"]["namespace"] == "kube-system"
    }
    for name in ("karpenter/controller", "aws-load-balancer-controller"):
        tags = sorted(image.partition("@")[0].rpartition(":")[2] for image in images if name in image)
        found |= {name.partition("/")[0]: ", ".join(tags)} if tags else {}
    nodes = sorted({node["status"]["nodeInfo"]["osImage"] for node in cluster.objects("nodes")})
    return {**found, "nodes": ", ".join(nodes)}
