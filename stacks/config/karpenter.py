"""The Karpenter controller. Plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from stacks.config.fields import Change
from stacks.config.pod_identities import ServiceAccount
from stacks.knowledge.versions import KARPENTER_RELEASES, dry_run_mistake

ACCOUNT = ServiceAccount("kube-system", "karpenter")


@dataclass(frozen=True, kw_only=True)
class KarpenterOptions:
    """The release of Karpenter, and how it is installed."""

    karpenter_version: Annotated[str, Change("U; D at 1.8 (user data)")] = "1.6.0"
    """Karpenter release. From 1.7 on, Karpenter's CRDs are a Helm release of their own, so that an upgrade brings them."""
    disable_dry_run: Annotated[bool, Change.IN_PLACE] = False
    """Do not let Karpenter try its EC2 calls with a dry run before a node class is READY, for accounts whose service control policy
    denies the dry run and allows the launch. Karpenter 1.6.2 or newer."""
    registry_login: Annotated[bool, Change.IN_PLACE] = True
    """Log in to public ECR for Karpenter's chart. Without a login, the chart is pulled anonymously: no token in the state, no
    provider for us-east-1."""
    spot_role_check: Annotated[bool, Change.NONE] = True
    """Warn at plan if the account does not have the service-linked role for Spot. Needs iam:ListRoles."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if (mistake := KARPENTER_RELEASES.mistake(self.karpenter_version)) or (
            mistake := dry_run_mistake(self.karpenter_version, disable_dry_run=self.disable_dry_run)
        ):
            yield mistake
