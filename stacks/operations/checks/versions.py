"""The versions of Kubernetes and of the controllers, against the tables of stacks/knowledge. Plain Python."""

import re
from collections.abc import Callable, Iterator, Sequence

from stacks.knowledge.versions import (
    EXTENDED_SUPPORT_PRICE,
    KARPENTER_RELEASES,
    KUBERNETES,
    LOAD_BALANCER_CONTROLLER_RELEASES,
    RELEASE,
    STANDARD_SUPPORT_PRICE,
    Releases,
    karpenter_mistake,
    kubernetes_version,
    parts,
)
from stacks.operations.checks.calls import KARPENTER_PODS, LOAD_BALANCER_CONTROLLER_PODS
from stacks.operations.checks.facts import Facts, NotKnownError, at, listed, text
from stacks.operations.checks.question import Answer, Question, Verdict, question

SOON_DAYS = 60
TAG = re.compile(rf":v?({RELEASE.pattern})(@|$)")


def _kubernetes(facts: Facts) -> str:
    """The version of the control plane.

    Raises:
        NotKnownError: EKS does not say, or the table does not have the version.
    """
    version = text(facts.answer("cluster"), "cluster", "version")
    try:
        return kubernetes_version(version).version
    except ValueError:
        raise NotKnownError(f"the program's table does not have Kubernetes {version or 'of this cluster'}") from None


@question("Kubernetes is in standard support", "cluster")
def support(facts: Facts) -> Answer:
    """After standard support, an hour of the control plane costs six times as much; after extended support, EKS upgrades."""
    version, today = text(facts.answer("cluster"), "cluster", "version"), facts.now.date()
    if re.fullmatch(r"1[.][0-9]+", version) and parts(version) < parts(KUBERNETES[0].version):
        # Supports end in the order of the versions.
        say = f"{version}, older than {KUBERNETES[0].version}, whose standard support ends on {KUBERNETES[0].standard_support_ends}"
        ended = today > KUBERNETES[0].standard_support_ends
        return Answer(
            Verdict.FAILED if ended else Verdict.CANNOT_BE_TOLD, say, do="One minor version at a time: docs/upgrading.md."
        )
    row = kubernetes_version(_kubernetes(facts))
    figure, do = f"{row.version}, until {row.standard_support_ends}", "One minor version at a time: docs/upgrading.md."
    if today > row.extended_support_ends:
        return Answer(
            Verdict.FAILED,
            f"{row.version}, extended support ended on {row.extended_support_ends}",
            ("EKS upgrades the cluster by itself.",),
            do,
        )
    if today > row.standard_support_ends:
        cost = f"The control plane costs ${EXTENDED_SUPPORT_PRICE:.2f} an hour instead of ${STANDARD_SUPPORT_PRICE:.2f}."
        return Answer(Verdict.FAILED, f"{row.version}, ended on {row.standard_support_ends}", (cost,), do)
    left = (row.standard_support_ends - today).days
    return Answer(Verdict.PASSED, figure, (f"{left} days are left: docs/upgrading.md.",) if left < SOON_DAYS else ())


def _running(facts: Facts, label: str) -> Iterator[str]:
    """The releases of the pods of a controller, by the tags of their images."""
    key, _, value = label.partition("=")
    for pod in facts.objects("pods"):
        if at(pod, "metadata", "labels", key) == value:
            images = [text(container, "image") for container in listed(pod, "spec", "containers")]
            yield next((match[1] for image in images if (match := TAG.search(image))), "")


def _release(name: str, label: str, releases: Releases, mistake: Callable[[Facts, str], str | None], *of: str) -> Question:
    @question(f"{name} is a release that works", "pods", *of)
    def ask(facts: Facts) -> Answer:
        running = sorted(set(_running(facts, label)))
        if not running:
            return Answer(Verdict.NOT_APPLICABLE, "no pods")
        if "" in running:
            return Answer(Verdict.CANNOT_BE_TOLD, "the tag of the image is not a release")
        if newer := [one for one in running if releases.newest_of(one) is None and parts(one) > parts(releases.newest[-1])]:
            return Answer(Verdict.CANNOT_BE_TOLD, f"{newer[0]} is newer than this program, which knows {releases.newest[-1]}")
        wrong = [words for release in running if (words := mistake(facts, release))]
        newest = releases.newest_of(running[-1])
        notes = (f"The program knows {newest} of this minor version.",) if newest and newest not in running else ()
        if wrong:
            return Answer(Verdict.FAILED, ", ".join(running), tuple(wrong), f"Change {releases.field}: docs/upgrading.md.")
        return Answer(Verdict.PASSED, ", ".join(running), notes)

    return ask


QUESTIONS: Sequence[Question] = (
    support,
    _release(
        "Karpenter",
        KARPENTER_PODS,
        KARPENTER_RELEASES,
        lambda facts, release: karpenter_mistake(_kubernetes(facts), release),
        "cluster",
    ),
    _release(
        "The load balancer controller",
        LOAD_BALANCER_CONTROLLER_PODS,
        LOAD_BALANCER_CONTROLLER_RELEASES,
        lambda _, release: LOAD_BALANCER_CONTROLLER_RELEASES.mistake(release),
    ),
)
