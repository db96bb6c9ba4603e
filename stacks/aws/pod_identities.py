"""IAM roles of the user's own pods."""

import imports  # noqa: F401  (before cdktf: CDKTF's packages load lazily)

from cdktf import ITerraformDependable
from constructs import Construct

from stacks.aws.cluster import Cluster
from stacks.aws.pod_identity import TRUST, OwnPolicy, PodIdentity
from stacks.config.common import Common
from stacks.config.pod_identities import PodIdentity as Options
from stacks.config.pod_identities import PodIdentityOptions, escaped
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class PodIdentities(Addressed):
    """A role for each identity of the configuration.

    Args:
        cluster: where the pods run.

    Attributes:
        credentials: what pods need until they are gone: a pod that ends may write a last checkpoint.

    Raises:
        ConfigurationError: a literal argument cannot be right.
    """

    def __init__(self, scope: Construct, id: str, common: Common, *, cluster: Cluster, options: PodIdentityOptions) -> None:
        super().__init__(scope, id)
        check_arguments(PodIdentities, common=common, cluster=cluster, options=options)
        trust = self.add_json("pod_identities_trust", TRUST)
        self.credentials: list[ITerraformDependable] = []
        for identity in options.pod_identities:
            made = PodIdentity(
                self,
                common,
                cluster=cluster,
                name=identity.address,
                role=identity.words,
                trust=trust,
                account=identity.account,
                policies=identity.arns(),
                own_policy=self._own_policy(identity),
            )
            self.credentials += made.credentials

    def _own_policy(self, identity: Options) -> OwnPolicy | None:
        if not (document := identity.document()):
            return None
        text = self.add_json(f"{identity.address}_policy", escaped(document))
        return OwnPolicy(name=identity.words, description=f"For pods of the service account {identity.name}", text=text)
