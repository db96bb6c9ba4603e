"""Where EC2 offers instance types: asked at plan, without an effect on what is planned."""

from cdktf_cdktf_provider_aws.data_aws_ec2_instance_type_offerings import (
    DataAwsEc2InstanceTypeOfferings,
    DataAwsEc2InstanceTypeOfferingsFilter,
)

from stacks.hcl.expressions import Expression
from stacks.terraform.addresses import Addressed, as_list

# The values of one filter: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html
MOST_TYPES = 200


def offered(scope: Addressed, name: str, instance_types: Expression) -> Expression:
    """EC2's answer for some types: the parallel lists `instance_types` and `locations`, a pair for each zone that offers a type.

    A data source at the root: one inside a `check` block is a read during apply, and a plan with it is never empty.

    Args:
        scope: the construct that asks.
        name: of the data source.
        instance_types: a list. EC2 takes at most `MOST_TYPES`, and `*` in them.
    """
    data = f"data.aws_ec2_instance_type_offerings.{name}"
    scope.add(
        DataAwsEc2InstanceTypeOfferings,
        data,
        location_type="availability-zone",
        filter=[DataAwsEc2InstanceTypeOfferingsFilter(name="instance-type", values=as_list(instance_types))],
    )
    return Expression(data)


def zones_by_type(scope: Addressed, name: str, *, instance_types: Expression, azs: Expression) -> Expression:
    """A local, a map: by each of the types, the zones of the network that offer the type.

    Args:
        scope: the construct that asks.
        name: of the data source, and the start of the local's name.
        instance_types: a list.
        azs: a list, the zones of the network.
    """
    data = offered(scope, name, instance_types).hcl
    pairs = f"[for k, type in {data}.instance_types : [type, {data}.locations[k]]]"
    zones = f"[for zone in {azs.hcl} : zone if contains({pairs}, [type, zone])]"
    return scope.add_local(f"{name}_type_zones", Expression(f"{{for type in distinct({instance_types.hcl}) : type => {zones}}}"))
