"""Whether EKS can move a cluster that exists to the Kubernetes version of the configuration: asked at plan.

EKS itself refuses the version in the middle of an apply, when other resources have changed already.
"""

from cdktf import TerraformOutput
from cdktf_cdktf_provider_aws.data_aws_eks_cluster import DataAwsEksCluster
from cdktf_cdktf_provider_aws.data_aws_eks_clusters import DataAwsEksClusters
from constructs import Construct

from stacks.config.common import Common
from stacks.config.control_plane import ControlPlane
from stacks.hcl.expressions import Expression, hcl
from stacks.hcl.rules import Rule, shown
from stacks.knowledge.versions import KUBERNETES
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments

ROLLBACK = "https://docs.aws.amazon.com/eks/latest/userguide/rollback-cluster.html"
OLDEST, NEWEST = (int(row.version.partition(".")[2]) for row in (KUBERNETES[0], KUBERNETES[-1]))


class VersionCheck(Addressed):
    """Compares the configured version with the one that the cluster runs. A cluster that does not exist may have any version.

    A cluster of another prefix with the suffix of this state is the same cluster before its prefix changed: a plan would make a
    second cluster and end the first.

    A new cluster's name is unknown at plan, and `for_each` needs known names: EKS is asked for the clusters that can have the name.

    Args:
        name_prefix: the name without the hyphen and the four random characters.
        control_plane: has the version.
        on: an output, which gets the preconditions. On the resource that makes the name they would be a cycle.

    Raises:
        ConfigurationError: a literal argument cannot be right.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        common: Common,
        *,
        name_prefix: str,
        control_plane: ControlPlane,
        on: TerraformOutput,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(VersionCheck, common=common, name_prefix=name_prefix, control_plane=control_plane)
        listed, described = Expression("data.aws_eks_clusters.existing"), Expression("data.aws_eks_cluster.existing")
        named, prefix = self.as_expression("cluster_name", common.name), self.as_expression("cluster_name_prefix", name_prefix)
        wanted = hcl(control_plane.kubernetes_version)
        self.add(DataAwsEksClusters, listed.hcl)
        ours = f'can(regex("^${{{prefix.hcl}}}-[a-z0-9]{{4}}$", name))'
        possible = self.add_local("clusters_with_the_prefix", Expression(f"[for name in {listed.hcl}.names : name if {ours}]"))
        data = self.add(DataAwsEksCluster, described.hcl, name=Expression("each.value"))
        data.add_override("for_each", Expression(f"toset({possible.hcl})"))
        running = self.add_local("running_kubernetes_version", Expression(f"try({described.hcl}[{named.hcl}].version, {wanted})"))
        steps = self.add_local("kubernetes_version_steps", Expression(f"{_minor(wanted)} - {_minor(running.hcl)}"))
        got = f"(got {wanted}): cluster {named} runs {running}"
        # Synthesis refuses a version that the program does not know, so no message may name it as the next step.
        unknown = f"This program does not know Kubernetes {running}: "
        rules = [
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
        on.add_override("precondition", [rule.block() for rule in (*rules, self._same_prefix(listed, named, prefix))])

    def _same_prefix(self, listed: Expression, named: Expression, prefix: Expression) -> Rule:
        names, suffix = f"{listed.hcl}.names", f"substr({named.hcl}, -5, -1)"
        others = f"endswith(name, {suffix}) && !contains({names}, {named.hcl})"
        before = self.add_local(
            "prefix_of_this_suffix", Expression(f'join(", ", [for name in {names} : trimsuffix(name, {suffix}) if {others}])')
        )
        return Rule(
            f'{before.hcl} == ""',
            f'cluster_name_prefix must stay "{before}" (got {shown(prefix)}): the cluster of this state has this prefix, and with '
            f'another one Terraform would end the cluster and make a second. Set cluster_name_prefix="{before}" in main.py.',
        )


def _either(condition: str, true: str, false: str) -> str:
    """One of two texts, as a template."""
    return f'${{{condition} ? "{true}" : "{false}"}}'


def _minor(version: str) -> str:
    return f'tonumber(split(".", {version})[1])'
