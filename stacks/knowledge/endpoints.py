"""AWS services with a VPC endpoint that nodes and controllers use. Plain Python.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html and
https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html, read on 2026-11-25.
"""

from typing import Literal, TypeAlias

GatewayService: TypeAlias = Literal["s3", "dynamodb"]
"""Without a charge. https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html"""

InterfaceService: TypeAlias = Literal[
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "sts",
    "sqs",
    "ssm",
    "eks",
    "eks-auth",
    "elasticloadbalancing",
    "logs",
    "ssmmessages",
    "ec2messages",
]
"""With a charge for each zone."""

INTERFACE_ENDPOINT_PRICE = 0.01
"""Dollars an hour of one in a zone, beside $0.01 a GB (us-east-1, us-west-2). https://aws.amazon.com/privatelink/pricing/"""
