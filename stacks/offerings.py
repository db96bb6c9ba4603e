"""Where EC2 offers instance types, asked at plan and without a say in what is planned."""

from functools import cache

from cdktf import Token
from cdktf_cdktf_provider_aws.data_aws_ec2_instance_type_offerings import (
    DataAwsEc2InstanceTypeOfferings,
    DataAwsEc2InstanceTypeOfferingsFilter,
)

from imports.expressions import Expression
from stacks.addresses import Addressed

# A binding wants a list where an expression for one stands; the same token may stand in many stacks.
_as_list = cache(Token.as_list)


class Offerings:
    """EC2's answer for some types in all zones of the region.

    A data source at the root: one inside a `check` block is a read during apply, and a plan with it is never empty.

    Args:
        scope: the construct that asks.
        name: of the data source.
        instance_types: a list.
    """

    def __init__(self, scope: Addressed, name: str, instance_types: Expression) -> None:
        self._address = f"data.aws_ec2_instance_type_offerings.{name}"
        scope.add(
            DataAwsEc2InstanceTypeOfferings,
            self._address,
            location_type="availability-zone",
            filter=[DataAwsEc2InstanceTypeOfferingsFilter(name="instance-type", values=_as_list(instance_types))],
        )

    def includes(self, instance_type: str, zone: str) -> str:
        """Whether the zone offers the type; all are expressions without `${}`."""
        pairs = f"[for k, type in {self._address}.instance_types : [type, {self._address}.locations[k]]]"
        return f"contains({pairs}, [{instance_type}, {zone}])"
