"""Placement groups: what keeps the nodes of a pool close to each other."""

from collections.abc import Sequence

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.placement_group import PlacementGroup
from constructs import Construct

from stacks.config.common import Common
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


class PlacementGroups(Addressed):
    """A cluster placement group for each pool that has one.

    Args:
        pools: the names of the pools.

    Attributes:
        names: of the groups, known once they are there, by the name of their pool.

    Raises:
        ConfigurationError: an argument cannot be right.
    """

    def __init__(self, scope: Construct, id: str, common: Common, *, pools: Sequence[str]) -> None:
        super().__init__(scope, id)
        check_arguments(PlacementGroups, common=common, pools=pools)
        self.names: dict[str, str] = {
            pool: self.add(
                PlacementGroup,
                # Terraform's names do not begin with a digit.
                f"aws_placement_group.{'nodepool_' if pool[0].isdecimal() else ''}{pool}",
                name=f"{common.name}-{pool}",
                strategy="cluster",
                tags=common.tags,
                # Otherwise Terraform deletes a group that a pool no longer has before it changes the node class. EC2 refuses that
                # while the group has nodes, and they would stay, because the node class waits for the deletion.
                lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            ).name
            for pool in pools
        }
