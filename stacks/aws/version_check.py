"""Whether EKS can move a cluster that exists to the Kubernetes version of the configuration: asked at plan.

EKS itself refuses the version in the middle of an apply, when other resources have changed already.
"""

from typing import Annotated

from imports.expressions import Expression, hcl

from cdktf_cdktf_provider_aws.data_aws_eks_cluster import DataAwsEksCluster
from cdktf_cdktf_provider_aws.data_aws_eks_clusters import DataAwsEksClusters
from constructs import Construct

from stacks.config.checks import matches
from stacks.config.rules import Rule
from stacks.config.versions import KUBERNETES
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments

ROLLBACK = "https://docs.aws.amazon.com/eks/latest/userguide/rollback-cluster.html"
OLDEST, NEWEST = (int(row.version.partition(".")[2]) for row in (KUBERNETES[0], KUBERNETES[-1]))


class VersionCheck(Addressed):
    """Compares the configured version with the one that the cluster runs. A cluster that does not exist may have any version.

    A new cluster's name is unknown at plan, and `for_each` needs known names: EKS is asked for the clusters that can have the name.

    Args:
        name: the name of the cluster.
        name_prefix: the name without the hyphen and the four random characters.
        kubernetes_version: such as `1.33`.

    Attributes:
        requirements: what must hold, as preconditions of an output. On the resource that makes the name they would be a cycle.

    Raises:
        ConfigurationError: a literal argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        name_prefix: str,
        kubernetes_version: Annotated[str, matches(r"\d+\.\d+", "a version such as 1.33")],
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        listed, described = Expression("data.aws_eks_clusters.existing"), Expression("data.aws_eks_cluster.existing")
        named, prefix, wanted = (
            self.bind("cluster_name", name),
            self.bind("cluster_name_prefix", name_prefix),
            hcl(kubernetes_version),
        )
        self.add(DataAwsEksClusters, listed.hcl)
        ours = f'can(regex("^${{{prefix.hcl}}}-[a-z0-9]{{4}}$", name))'
        possible = self.add_local("clusters_with_the_prefix", Expression(f"[for name in {listed.hcl}.names : name if {ours}]"))
        data = self.add(DataAwsEksCluster, described.hcl, name=Expression("each.value"))
        data.add_override("for_each", Expression(f"toset({possible.hcl})"))
        running = self.add_local("running_kubernetes_version", Expression(f"try({described.hcl}[{named.hcl}].version, {wanted})"))
        steps = self.add_local("kubernetes_version_steps", Expression(f"{_minor(wanted)} - {_minor(running.hcl)}"))
        got = f'(got "{kubernetes_version}"): cluster {named} runs {running}'
        # Synthesis refuses a version that the program does not know, so no message may name it as the next step.
        unknown = f"This program does not know Kubernetes {running}: "
        self.requirements = [
            Rule(
                f"{steps.hcl} <= 1",
                f"kubernetes_version must be at most one minor version above that of the cluster {got}, and EKS does not skip "
                "versions. "
                + _either(
                    f"{_minor(running.hcl)} >= {OLDEST - 1}",
                    f"The next step is Kubernetes 1.${{{_minor(running.hcl)} + 1}}, after those of Karpenter: docs/upgrading.md.",
                    f"{unknown}move the cluster to 1.{OLDEST} with AWS first, one minor version at a time.",
                )
                + " If you use recommended(...) for a cluster that exists, give the versions that are deployed.",
            ),
            Rule(
                f"{steps.hcl} >= 0",
                f"kubernetes_version must not be below that of the cluster {got}. "
                + _either(
                    f"{_minor(running.hcl)} <= {NEWEST}",
                    f"Set kubernetes_version to {running}, and the other versions that are deployed: ClusterConfig(...) alone has "
                    "those of the HCL.",
                    f"{unknown}use a newer version of the program.",
                )
                + " Within seven days of an upgrade, you can roll the cluster back by one minor version "
                f"(docs/upgrading.md#the-way-back, {ROLLBACK}). Lower kubernetes_version after that.",
            ),
        ]


def _either(condition: str, true: str, false: str) -> str:
    """One of two texts, as a template."""
    return f'${{{condition} ? "{true}" : "{false}"}}'


def _minor(version: str) -> str:
    return f'tonumber(split(".", {version})[1])'
