"""The AWS Load Balancer Controller. Plain Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from stacks.config.fields import Change
from stacks.config.pod_identities import ServiceAccount
from stacks.knowledge.versions import LOAD_BALANCER_CONTROLLER_RELEASES

Policy: TypeAlias = Literal["reference", "official"]

ACCOUNT = ServiceAccount("kube-system", "aws-load-balancer-controller")


@dataclass(frozen=True, kw_only=True)
class LoadBalancerControllerOptions:
    """The release of the load balancer controller, and its IAM policy."""

    load_balancer_controller_version: Annotated[str, Change.IN_PLACE] = "2.11.0"
    """AWS Load Balancer Controller release."""
    load_balancer_controller_policy: Annotated[Policy, Change.IN_PLACE] = "reference"
    """IAM policy of the load balancer controller: the HCL's, which lacks three actions, or the official policy."""

    def mistakes(self) -> Iterator[str]:
        """What is wrong between fields."""
        if mistake := LOAD_BALANCER_CONTROLLER_RELEASES.mistake(self.load_balancer_controller_version):
            yield mistake
        elif self.load_balancer_controller_policy == "reference" and self.load_balancer_controller_version != "2.11.0":
            yield (
                "load_balancer_controller_policy must be 'official' for another release than 2.11.0 (got 'reference', release "
                f"{self.load_balancer_controller_version})."
            )
