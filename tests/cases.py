"""Input, and how Terraform answers: both sides of every rule.

`make test-rules` writes these cases for `terraform test`, one file a rule, with a Python that has no packages.
"""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NINE_ZONES = [f"xx-many-9{letter}" for letter in "abcdefghi"]
ZONES = {
    "us-west-2": {f"us-west-2{z}": f"usw2-az{n}" for z, n in zip("abcd", "1234", strict=True)},
    "us-east-1": {f"us-east-1{z}": f"use1-az{n}" for z, n in zip("abcdef", "124635", strict=True)},
    "us-west-1": {"us-west-1a": "usw1-az1", "us-west-1c": "usw1-az3"},
    "xx-many-9": {zone: f"xx9-az{n}" for n, zone in enumerate(NINE_ZONES)},
    "xx-one-1": {"xx-one-1a": "xx1-az1"},
}

NETWORK = "data.aws_availability_zones.available"


@dataclass(frozen=True)
class Case:
    """Variables; where Terraform objects to them, or None; and what it says, a part of it."""

    name: str
    variables: dict[str, Any]
    refused_at: str | None = None
    says: str = ""
    zones: dict[str, str] = field(default_factory=lambda: ZONES["us-west-2"])
    not_offered: dict[str, list[str]] = field(default_factory=dict)  # by data source, the zones without its types
    spot_roles: list[str] = field(default_factory=lambda: ["AWSServiceRoleForEC2Spot"])
    clusters: dict[str, str] = field(default_factory=dict)  # the EKS clusters that exist, with their versions
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)  # what AWS answers to a data source that the default lacks

    @property
    def refused(self) -> bool:
        """Whether a variable is refused by itself, which ends the plan."""
        return (self.refused_at or "").startswith("var.")


def _accepted(variable: str, *values: Any) -> list[Case]:
    return [Case(f"{_slug(value)} is accepted", {variable: value}) for value in values]


def _refused(variable: str, value: Any, says: str) -> Case:
    """Refused by the variable's own validation."""
    return Case(f"{_slug(value)} is refused", {variable: value}, f"var.{variable}", says)


def _required_of(variable: str, value: Any, says: str) -> Case:
    """Refused by a requirement."""
    return _required(f"{_slug(value)} is refused", {variable: value}, says)


def _required(name: str, variables: dict[str, Any], says: str, **answers: Any) -> Case:
    return Case(name, variables, "random_string.suffix", says, **answers)


def _runs(name: str, clusters: dict[str, str], says: str = "") -> Case:
    """The default version, 1.33, where clusters exist. The cluster of the stack is eks-spot-gpu-zz9x."""
    return Case(name, {}, "output.cluster_version" if says else None, says, clusters=clusters)


def _warned(name: str, variables: dict[str, Any], check: str, says: str, **answers: Any) -> Case:
    return Case(name, variables, f"check.{check}", says, **answers)


def _slug(value: Any) -> str:
    return json.dumps(value) if len(json.dumps(value)) < 60 else f"{json.dumps(value)[:50]} and so on"


def _sizes(low: Any, desired: Any, high: Any) -> dict[str, Any]:
    return {f"karpenter_node_{k}_size": v for k, v in (("min", low), ("desired", desired), ("max", high))}


CASES: dict[str, list[Case]] = {
    "region": [
        *_accepted("region", "us-west-2", "ap-southeast-5", "mx-central-1"),
        _refused("region", "US-West-2", 'region must be an AWS region such as us-west-2 (got "US-West-2").'),
        _refused("region", "us-west-2a", "must be an AWS region"),
        _refused("region", "oregon", 'must be an AWS region such as us-west-2 (got "oregon")'),
        _refused("region", "", 'region must be an AWS region such as us-west-2 (got "").'),
        _refused("region", "cn-north-1", 'region must be in the AWS partition aws (got "cn-north-1"). Regions that start with cn,'),
        _refused("region", "us-gov-west-1", "are in other partitions, which this program does not support yet."),
        _refused("region", "us-iso-east-1", "are in other partitions, which this program does not support yet."),
        _refused("region", "us-isob-east-1", "are in other partitions, which this program does not support yet."),
        _refused("region", "us-isof-south-1", "are in other partitions, which this program does not support yet."),
        _refused("region", "eu-isoe-west-1", "are in other partitions, which this program does not support yet."),
        _refused("region", "eusc-de-east-1", "are in other partitions, which this program does not support yet."),
    ],
    "vpc_cidr": [
        *_accepted("vpc_cidr", "10.0.0.0/16", "10.1.32.0/19", "172.31.0.0/16", "192.168.0.0/18", "100.127.0.0/16"),
        _refused("vpc_cidr", "10.0.0.0/15", 'vpc_cidr must be a /16 to /20 network (got "10.0.0.0/15"). A VPC cannot be larger'),
        _refused("vpc_cidr", "10.0.0.0/21", "must be a /16 to /20 network"),
        _refused("vpc_cidr", "10.0.0.0/8", "must be a /16 to /20 network"),
        _refused("vpc_cidr", "10.0.1.0/16", 'must not have host bits (got "10.0.1.0/16"). The network is 10.0.0.0/16.'),
        _refused("vpc_cidr", "10.0.0.0", 'must be an IPv4 network such as 10.0.0.0/16 (got "10.0.0.0").'),
        _refused("vpc_cidr", "10.0.0.300/16", "must be an IPv4 network"),
        _refused("vpc_cidr", "fd00::/16", "must be an IPv4 network"),
        _refused("vpc_cidr", "", "must be an IPv4 network"),
        _refused(
            "vpc_cidr",
            "127.16.0.0/16",
            'must not be in 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 (got "127.16.0.0/16")',
        ),
        _refused("vpc_cidr", "0.16.0.0/16", "EC2 refuses these networks for a VPC."),
        _refused("vpc_cidr", "169.254.0.0/16", "EC2 refuses these networks for a VPC."),
        _refused("vpc_cidr", "239.1.0.0/16", "EC2 refuses these networks for a VPC."),
        _warned("a public network is warned of", {"vpc_cidr": "11.0.0.0/16"}, "vpc_cidr_is_private", '(got "11.0.0.0/16")'),
        _warned("126 is warned of", {"vpc_cidr": "126.0.0.0/16"}, "vpc_cidr_is_private", "private network"),
        _warned("169.253 is warned of", {"vpc_cidr": "169.253.0.0/16"}, "vpc_cidr_is_private", "private network"),
        _warned("172.32 is warned of", {"vpc_cidr": "172.32.0.0/16"}, "vpc_cidr_is_private", "private network"),
        _warned("100.128 is warned of", {"vpc_cidr": "100.128.0.0/16"}, "vpc_cidr_is_private", "private network"),
        _warned(
            "a network without room for load balancers is warned of",
            {"vpc_cidr": "10.1.16.0/20"},
            "vpc_cidr_has_room_for_load_balancers",
            "needs a /27 with 8 free addresses.",
        ),
    ],
    "cluster_name_prefix": [
        *_accepted("cluster_name_prefix", "eks-spot-gpu", "a", "7", "Train_1", "sgx", "a" * 24),
        _refused("cluster_name_prefix", "a" * 25, "25 characters): IAM takes 38 for the name prefix"),
        _refused("cluster_name_prefix", "", 'and start with a letter or a digit (got "").'),
        _refused("cluster_name_prefix", "-gpu", "start with a letter or a digit"),
        _refused("cluster_name_prefix", "gpu.train", "must consist of letters, digits, hyphens and underscores"),
        _refused("cluster_name_prefix", "gpu train", "must consist of letters"),
        _refused("cluster_name_prefix", "sg-train", 'must not be "sg" or start with "sg-" (got "sg-train")'),
        _refused("cluster_name_prefix", "sg", 'must not be "sg" or start with "sg-" (got "sg")'),
        _refused("cluster_name_prefix", "SG", 'must not be "sg" or start with "sg-" (got "SG")'),
        Case("21 characters fit in a region of 14", {"region": "ap-southeast-2", "cluster_name_prefix": "a" * 21}),
        _required(
            "22 characters do not fit in a region of 14",
            {"region": "ap-southeast-2", "cluster_name_prefix": "a" * 22},
            f'cluster_name_prefix must have at most 21 characters in ap-southeast-2 (got "{"a" * 22}", 22 characters)',
        ),
    ],
    "gpu_instance_types": [
        *_accepted("gpu_instance_types", ["p5.48xlarge"], ["g6e.12xlarge", "p4d.24xlarge"], ["p6-b200.48xlarge", "g7e.48xlarge"]),
        _refused("gpu_instance_types", [], "gpu_instance_types must have at least one element (got [])."),
        _refused("gpu_instance_types", [None], "gpu_instance_types must not contain null (got [null])."),
        _required_of("gpu_instance_types", ["p5.48xlarge", "p5.48xlarge"], "must not contain duplicates"),
        _required_of("gpu_instance_types", ["p5"], 'must contain instance types such as p5.48xlarge (got ["p5"]).'),
        _required_of("gpu_instance_types", ["P5.48xlarge"], '(got ["P5.48xlarge"])'),
        _required_of("gpu_instance_types", [""], '(got [""])'),
        _required_of("gpu_instance_types", ["p5.48xlarge", "g4ad.xlarge"], 'must have NVIDIA GPUs (got ["g4ad.xlarge"])'),
        _required_of("gpu_instance_types", ["m5.large"], 'must have NVIDIA GPUs (got ["m5.large"])'),
        _required_of("gpu_instance_types", ["c7i.48xlarge"], 'must have NVIDIA GPUs (got ["c7i.48xlarge"])'),
        _required_of("gpu_instance_types", ["g6f.large"], 'must have whole GPUs (got ["g6f.large"])'),
        _required_of("gpu_instance_types", ["gr6f.4xlarge"], 'must have whole GPUs (got ["gr6f.4xlarge"])'),
        _required_of("gpu_instance_types", ["g5g.xlarge"], 'must have x86_64 CPUs (got ["g5g.xlarge"], which have arm64 CPUs)'),
        _required_of("gpu_instance_types", ["p6e-gb200.36xlarge"], 'must have x86_64 CPUs (got ["p6e-gb200.36xlarge"]'),
        _required_of("gpu_instance_types", ["p7-gb300.36xlarge"], 'must have x86_64 CPUs (got ["p7-gb300.36xlarge"]'),
        _required_of(
            "gpu_instance_types",
            ["g6.xlarge", "g7.2xlarge"],
            'must have GPUs that the driver of Bottlerocket supports (got ["g7.2xlarge"]): the GPU rtx-pro-4500 needs NVIDIA '
            "driver R595, and the latest Bottlerocket has R580 for Kubernetes 1.33. Without a driver a node never joins the "
            "cluster, and Karpenter buys the next one. Use other instance types.",
        ),
        _required(
            "a size that EC2 does not have is refused",
            {"gpu_instance_types": ["p5.47xlarge"]},
            'must be sizes that EC2 offers (got ["p5.47xlarge"]). The known sizes are p5.48xlarge, p5.4xlarge.',
            not_offered={"gpu": list(ZONES["us-west-2"])},
        ),
        _required(
            "a size with a typing error is refused",
            {"gpu_instance_types": ["g6.xlarg"]},
            '(got ["g6.xlarg"]). The known sizes are g6.12xlarge, g6.16xlarge, g6.24xlarge, g6.2xlarge, g6.48xlarge, g6.4xlarge,',
            not_offered={"gpu": list(ZONES["us-west-2"])},
        ),
        _warned(
            "a new size of a known family is warned of",
            {"gpu_instance_types": ["p5.24xlarge"]},
            "gpu_instance_types_are_known",
            'contains types that this program does not know: ["p5.24xlarge"]. Karpenter will use them',
        ),
        _warned(
            "a family that this program does not know is warned of",
            {"gpu_instance_types": ["p9.48xlarge"]},
            "gpu_instance_types_are_known",
            'contains types that this program does not know: ["p9.48xlarge"]. Karpenter will use them',
        ),
        Case(
            "a type that two zones offer is accepted",
            {"gpu_instance_types": ["p5.48xlarge"]},
            not_offered={"gpu": ["us-west-2a", "us-west-2b"]},
        ),
        _warned(
            "a type that one zone offers is warned of",
            {"gpu_instance_types": ["p5.48xlarge"]},
            "gpu_types_are_offered",
            "Of the network's zones (us-west-2a, us-west-2b, us-west-2c, us-west-2d), EC2 offers p5.48xlarge in us-west-2d.",
            not_offered={"gpu": ["us-west-2a", "us-west-2b", "us-west-2c"]},
        ),
        _warned(
            "a type that no zone offers is warned of",
            {"gpu_instance_types": ["p5.48xlarge"]},
            "gpu_types_are_offered",
            "EC2 offers p5.48xlarge in no zone.",
            not_offered={"gpu": list(ZONES["us-west-2"])},
        ),
    ],
    "gpu_capacity_type": [
        *_accepted("gpu_capacity_type", ["spot"], ["spot", "on-demand"], ["reserved", "on-demand", "spot"]),
        _refused("gpu_capacity_type", [], "gpu_capacity_type must have at least one element (got [])."),
        _refused("gpu_capacity_type", ["spot", None], 'must not contain null (got ["spot",null]).'),
        _required_of("gpu_capacity_type", ["spot", "spot"], "must not contain duplicates"),
        _required_of("gpu_capacity_type", ["ondemand"], 'must contain only "spot", "on-demand" and "reserved" (got ["ondemand"]).'),
        _required_of("gpu_capacity_type", ["spot", "Spot"], '(got ["Spot"])'),
        _required_of("gpu_capacity_type", ["reserved"], 'must contain "spot" or "on-demand" (got ["reserved"])'),
    ],
    "gpu_limit": [
        *_accepted("gpu_limit", None, 8, 64),
        _warned("the largest limit is accepted", {"gpu_limit": 2**31 - 1}, "gpu_limit_has_addresses", "(got 2147483647)"),
        Case("a limit whose nodes find addresses in a zone is accepted", {"gpu_limit": 327}),
        _warned(
            "a limit whose nodes do not find addresses in a zone is warned of",
            {"gpu_limit": 328},
            "gpu_limit_has_addresses",
            "(got 328). A zone has 4091 addresses for nodes and pods: 40 of 41 nodes p5.48xlarge fit, with 320 GPUs, at 100 "
            "addresses a node. Lower the limit,",
        ),
        _warned(
            "a smaller network has addresses for fewer nodes",
            {"gpu_limit": 24, "gpu_instance_types": ["p5.48xlarge", "g6e.xlarge", "g6e.4xlarge"], "vpc_cidr": "10.0.0.0/19"},
            "gpu_limit_has_addresses",
            "A zone has 507 addresses for nodes and pods: 8 of 24 nodes g6e.4xlarge fit, with 8 GPUs, at 60 addresses a node; "
            "16 of 24 nodes g6e.xlarge fit, with 16 GPUs, at 30 addresses a node. Lower",
        ),
        Case("one GPU is enough for a node of one", {"gpu_limit": 1, "gpu_instance_types": ["g6e.xlarge", "p5.48xlarge"]}),
        _warned(
            "a type that this program does not know counts as one GPU",
            {"gpu_limit": 1, "gpu_instance_types": ["p5.24xlarge"]},
            "gpu_instance_types_are_known",
            "p5.24xlarge",
        ),
        _refused("gpu_limit", 0, "gpu_limit must be a whole number of at least 1, or null for no limit (got 0)."),
        _refused("gpu_limit", -8, "(got -8)"),
        _refused("gpu_limit", 1.5, "(got 1.5)"),
        _required_of("gpu_limit", 2**31, "gpu_limit must be at most 2147483647 (got 2147483648)."),
        _required_of("gpu_limit", 7, "gpu_limit must be at least 8, the GPUs of the smallest of gpu_instance_types (got 7)"),
    ],
    "gpu_expire_after": [
        *_accepted("gpu_expire_after", None, "Never", "15m", "14m60s", "720h", "2562047h47m16s", "9223372036s"),
        _refused(
            "gpu_expire_after",
            "30d",
            'gpu_expire_after must be a duration in hours, minutes and seconds such as 720h, or Never, or null (got "30d").',
        ),
        _refused("gpu_expire_after", "never", '(got "never")'),
        _refused("gpu_expire_after", "", '(got "")'),
        _required_of(
            "gpu_expire_after",
            "14m59s",
            "gpu_expire_after must be at least 15m, the time in which a machine becomes a node, or Never to turn expiry off (got "
            '"14m59s").',
        ),
        _required_of(
            "gpu_expire_after",
            "2562047h47m17s",
            'gpu_expire_after must be at most 2562047h47m16s (got "2562047h47m17s"): Karpenter cannot read any pool while one pool '
            "has a longer duration.",
        ),
    ],
    "gpu_drift_budget": [
        *_accepted("gpu_drift_budget", None, "0", "1", "10%", "100%", "999999999"),
        _required_of(
            "gpu_drift_budget", "4294967296", 'gpu_drift_budget must have at most nine digits (got "4294967296"): Karpenter'
        ),
        _refused("gpu_drift_budget", "101%", 'such as "10%", or null (got "101%").'),
        _refused("gpu_drift_budget", "none", '(got "none")'),
        _refused("gpu_drift_budget", "-1", '(got "-1")'),
        _refused("gpu_drift_budget", "", '(got "")'),
    ],
    "karpenter_node_instance_types": [
        *_accepted("karpenter_node_instance_types", ["m5.large"], ["m6i.large", "m7a.large"], ["g4dn.xlarge"], ["t3.small"]),
        _refused("karpenter_node_instance_types", [], "must have at least one element (got [])."),
        _refused("karpenter_node_instance_types", [None], "must not contain null (got [null])."),
        _required_of("karpenter_node_instance_types", ["m5.large", "m5.large"], "must not contain duplicates"),
        _required_of("karpenter_node_instance_types", ["m5"], 'must contain instance types such as m5.large (got ["m5"]).'),
        _required_of(
            "karpenter_node_instance_types", ["m7g.large"], 'must have x86_64 CPUs, as the node group\'s AMI (got ["m7g.large"]'
        ),
        _required_of("karpenter_node_instance_types", ["c6gn.large"], '(got ["c6gn.large"], which have arm64 CPUs)'),
        _required_of("karpenter_node_instance_types", ["a1.large"], '(got ["a1.large"], which have arm64 CPUs)'),
        _required_of("karpenter_node_instance_types", ["t3.micro"], 'must have room for more than 4 pods (got ["t3.micro"])'),
        _required_of("karpenter_node_instance_types", ["m5.large", "t3a.nano"], 'more than 4 pods (got ["t3a.nano"])'),
        _required(
            "a zone without the type is refused",
            {},
            "EC2 does not offer m5.large in us-west-2d, and EKS would refuse the node group. Set "
            'karpenter_node_availability_zones = ["us-west-2a","us-west-2b","us-west-2c"] (this replaces a living node group).',
            not_offered={"node_group": ["us-west-2d"]},
        ),
        _required(
            "a region without the type is refused",
            {},
            "and EKS would refuse the node group. Choose other karpenter_node_instance_types (this",
            not_offered={"node_group": list(ZONES["us-west-2"])},
        ),
    ],
    "karpenter_node_sizes": [
        Case("2, 2 and 3 are accepted", _sizes(2, 2, 3)),
        Case("three times 2 is accepted", _sizes(2, 2, 2)),
        Case("as many as EKS can count are accepted", _sizes(2, 2, 2**31 - 1)),
        _required("0 nodes are refused", _sizes(0, 2, 3), "karpenter_node_min_size must be a whole number of at least 1 (got 0)."),
        _required("a part of a node is refused", _sizes(2, 2.5, 3), "karpenter_node_desired_size must be a whole number"),
        _required(
            "a largest size with a part of a node is refused",
            _sizes(2, 2, 2.5),
            "karpenter_node_max_size must be a whole number of at least 1 (got 2.5).",
        ),
        _required(
            "more nodes than EKS can count are refused",
            _sizes(2, 2, 3_000_000_000),
            "karpenter_node_max_size must be at most 2147483647 (got 3000000000). The default quota of EKS is 450 nodes",
        ),
        _required("too few desired nodes are refused", _sizes(3, 2, 4), "(got 2, not between 3 and 4)."),
        _required("too many desired nodes are refused", _sizes(2, 5, 4), "(got 5, not between 2 and 4)."),
        _required("a smallest size above the largest is refused", _sizes(5, 5, 4), "(got 5, not between 5 and 4)."),
        _warned("one node is warned of", _sizes(1, 2, 3), "karpenter_is_highly_available", "should be at least 2 (got 1)"),
    ],
    "availability_zones": [
        *_accepted("availability_zones", [], ["us-west-2a", "us-west-2c"], ["us-west-2d", "us-west-2b", "us-west-2a"]),
        _refused("availability_zones", ["us-west-2a", "us-west-2a"], "must not contain duplicates"),
        _refused("availability_zones", ["us-west-2a", None], 'must not contain null (got ["us-west-2a",null]).'),
        Case(
            "nine zones are refused",
            {"region": "xx-many-9", "availability_zones": NINE_ZONES},
            "var.availability_zones",
            "must have at most 8 zones (got 9)",
        ),
        _required_of(
            "availability_zones",
            ["us-west-2a", "us-west-2b", "us-west-1a"],
            'must be zones of the region (got ["us-west-1a"]). ',
        ),
        _required_of(
            "availability_zones",
            ["us-west-2a"],
            "availability_zones must have at least 2 zones where EKS supports a control plane (got 1 of us-west-2a).",
        ),
        _required(
            "a region of nine zones is refused",
            {"region": "xx-many-9"},
            "must name at most 8 zones, because vpc_cidr has no room for more (got [] in a region with 9 zones).",
            zones=ZONES["xx-many-9"],
        ),
        Case("eight of nine are accepted", {"region": "xx-many-9", "availability_zones": NINE_ZONES[:8]}, zones=ZONES["xx-many-9"]),
        _required("a region of one zone is refused", {"region": "xx-one-1"}, "(got 1 of xx-one-1a)", zones=ZONES["xx-one-1"]),
        Case("a region of two zones is accepted", {"region": "us-west-1"}, zones=ZONES["us-west-1"]),
        _required(
            "two zones of which EKS supports one are refused",
            {"region": "us-west-1"},
            "(got 1 of us-west-1b, us-west-1c)",
            zones={"us-west-1b": "usw1-az2", "us-west-1c": "usw1-az3"},
        ),
        # Which letter an account has for a zone differs: the zone ID alone counts.
        Case(
            "us-east-1e is a zone like another where its ID is not use1-az3",
            {"region": "us-east-1", "availability_zones": ["us-east-1a", "us-east-1e"]},
            zones={"us-east-1a": "use1-az1", "us-east-1e": "use1-az5"},
        ),
        _required(
            "us-east-1a is refused where its ID is use1-az3",
            {"region": "us-east-1", "availability_zones": ["us-east-1a", "us-east-1e"]},
            "(got 1 of us-east-1a, us-east-1e)",
            zones={"us-east-1a": "use1-az3", "us-east-1e": "use1-az5"},
        ),
    ],
    "karpenter_node_availability_zones": [
        *_accepted("karpenter_node_availability_zones", [], ["us-west-2a"], ["us-west-2c", "us-west-2d"]),
        _refused("karpenter_node_availability_zones", ["us-west-2a", "us-west-2a"], "must not contain duplicates"),
        _refused("karpenter_node_availability_zones", [None], "must not contain null (got [null])."),
        _required_of(
            "karpenter_node_availability_zones",
            ["us-west-2e"],
            'must be zones of the network (got ["us-west-2e"]). Its zones are us-west-2a, us-west-2b, us-west-2c, us-west-2d.',
        ),
        _required(
            "a zone that is not among those picked is refused",
            {
                "availability_zones": ["us-west-2a", "us-west-2b"],
                "karpenter_node_availability_zones": ["us-west-2c"],
            },
            'must be zones of the network (got ["us-west-2c"]). Its zones are us-west-2a, us-west-2b.',
        ),
        Case(
            "a zone without the type may be left out",
            {"karpenter_node_availability_zones": ["us-west-2a", "us-west-2b", "us-west-2c"]},
            not_offered={"node_group": ["us-west-2d"]},
        ),
    ],
    "karpenter_node_release_version": [
        *_accepted("karpenter_node_release_version", None, "1.53.0-4fc45e5a"),
        _refused("karpenter_node_release_version", "1.53.0", '1.53.0-4fc45e5a, or null for the latest (got "1.53.0").'),
        _refused("karpenter_node_release_version", "latest", '(got "latest")'),
        _refused("karpenter_node_release_version", "1.053.0-4fc45e5a", '(got "1.053.0-4fc45e5a")'),
    ],
    "addon_versions": [
        *_accepted(
            "addon_versions",
            {},
            {"coredns": "v1.12.1-eksbuild.2", "vpc-cni": None},
            {"kube-proxy": "v1.16.13-minimal-eksbuild.1"},
        ),
        *(
            _required_of("addon_versions", {"coredns": version}, f'such as v1.12.1-eksbuild.2 (got {{"coredns":"{version}"}}).')
            for version in ("1.12.1-eksbuild.2", "v1.12.1", "v1.12-eksbuild.2", "latest", "")
        ),
        _required_of(
            "addon_versions",
            {"core-dns": "v1.12.1-eksbuild.2"},
            'must name add-ons of the cluster: coredns, kube-proxy, eks-pod-identity-agent, vpc-cni (got ["core-dns"]).',
        ),
    ],
    "kubernetes_version": [
        _runs("a cluster of the version stays", {"eks-spot-gpu-zz9x": "1.33"}),
        _runs("a cluster of the version before is upgraded", {"eks-spot-gpu-zz9x": "1.32"}),
        _runs(
            "a cluster two versions before is refused",
            {"eks-spot-gpu-zz9x": "1.31", "eks-spot-gpu-abcd": "1.31"},
            'one minor version above that of the cluster (got "1.33"): cluster eks-spot-gpu-zz9x runs 1.31, and EKS does not skip '
            "versions. This program does not know Kubernetes 1.31: move the cluster to 1.33 with AWS first, one minor version at a "
            "time. If you use recommended(...) for a cluster that exists,",
        ),
        _runs(
            "a newer cluster is refused",
            {"eks-spot-gpu-zz9x": "1.34"},
            'not be below that of the cluster (got "1.33"): cluster eks-spot-gpu-zz9x runs 1.34. Set kubernetes_version to 1.34,',
        ),
        _runs(
            "a cluster that is newer than the program is refused",
            {"eks-spot-gpu-zz9x": "1.37"},
            "runs 1.37. This program does not know Kubernetes 1.37: use a newer version of the program. Within seven days",
        ),
        _runs("other clusters may have any version", {"eks-spot-gpu-abcd": "1.30", "eks-spot-gpu-zz9x-2": "1.30", "web": "1.36"}),
    ],
    "living_cluster": [
        _runs("such a cluster beside that of this state is another one", {"eks-spot-gpu-zz9x": "1.33", "training-zz9x": "1.33"}),
        _runs("a cluster with another suffix is another one", {"training-abcd": "1.33"}),
        _runs(
            "a cluster with the suffix of this state under another prefix is refused",
            {"training-zz9x": "1.33"},
            'cluster_name_prefix must stay "training" (got "eks-spot-gpu"): the cluster of this state has this prefix',
        ),
    ],
    "spot_service_linked_role": [
        Case("an account that has the role passes", {}),
        _warned(
            "an account without the role is warned of",
            {},
            "spot_service_linked_role_exists",
            "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
            spot_roles=[],
        ),
    ],
}

DEFAULTS = {"region": "us-west-2", "gpu_instance_types": ["p5.48xlarge"]}

HEADER = """\
# Written by `make test-rules` from tests/cases.py.

mock_provider "aws" {}
mock_provider "aws" {
  alias = "virginia"
}
mock_provider "helm" {}
mock_provider "kubernetes" {}
mock_provider "kubectl" {}
mock_provider "random" {}

override_module {
  target = module.vpc
  outputs = {
    vpc_id                  = "vpc-1"
    private_subnets         = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"]
    private_route_table_ids = ["r0"]
    intra_subnets           = ["i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8"]
  }
}
override_module {
  target = module.eks
  outputs = {
    cluster_name                       = "gpu"
    cluster_endpoint                   = "https://gpu.example"
    cluster_version                    = "1.33"
    cluster_certificate_authority_data = "Z3B1"
  }
}
override_resource {
  target = random_string.suffix
  values = { result = "zz9x" }
}
override_module {
  target  = module.karpenter
  outputs = { queue_name = "gpu" }
}

# What AWS answers by default:
"""


def tftest(cases: list[Case], *, expect: bool = True) -> str:
    """The cases as a `.tftest.hcl`; without `expect`, a case that Terraform objects to fails, and its words can be read."""
    usual = [line for target, values in _answers(DEFAULT).items() for line in _override(target, values)]
    return "\n".join([HEADER, *usual, "", *(_run(number, case, expect=expect) for number, case in enumerate(cases, 1))])


def _run(number: int, case: Case, *, expect: bool) -> str:
    variables = {**DEFAULTS, **case.variables}
    slug = "_".join(re.findall(r"[a-z0-9]+", case.name.lower()))
    # A cluster has its name from the first apply on. After that, a plan refuses; before, the apply.
    command = "apply" if case.clusters and not (expect and case.refused_at) else "plan"
    lines = [f"# {case.name}", f'run "case_{number}_{slug}" {{', f"  command = {command}", ""]
    lines += ["  variables {", *(f"    {name} = {json.dumps(value)}" for name, value in variables.items()), "  }"]
    # Where a variable is refused, nobody asks AWS.
    usual = _answers(DEFAULT)
    answers = {} if case.refused else _answers(case)
    for target, values in answers.items():
        if values != usual.get(target):
            lines += [f"  {line}" for line in _override(target, values)]
    if expect and case.refused_at:
        lines.append(f"  expect_failures = [{case.refused_at}]")
    return "\n".join([*lines, "}", ""])


def _answers(case: Case) -> dict[str, dict[str, Any]]:
    """What AWS answers in a case, by data source."""
    variables = {**DEFAULTS, **case.variables}
    answers: dict[str, dict[str, Any]] = {
        NETWORK: {"names": list(case.zones), "zone_ids": list(case.zones.values())},
        "data.aws_iam_roles.spot": {"names": case.spot_roles},
        "data.aws_eks_clusters.existing": {"names": list(case.clusters)},
        # One answer for all: `terraform test` has no answer of its own for an instance.
        "data.aws_eks_cluster.existing": {"version": next(iter(case.clusters.values()), "1.33")},
    }
    for name, types in (("gpu", "gpu_instance_types"), ("node_group", "karpenter_node_instance_types")):
        without = case.not_offered.get(name, [])
        pairs = [(kind, zone) for kind in variables.get(types, ["m5.large"]) for zone in case.zones if zone not in without]
        answers[f"data.aws_ec2_instance_type_offerings.{name}"] = {
            "instance_types": [kind for kind, _ in pairs],
            "locations": [zone for _, zone in pairs],
        }
    return answers | case.answers


def _override(target: str, values: dict[str, Any]) -> list[str]:
    return ["override_data {", f"  target = {target}", f"  values = {json.dumps(values)}", "}"]


DEFAULT = Case("as usual", {})


def files() -> dict[str, str]:
    """By file name, what `terraform test` runs."""
    return {f"{rule}.tftest.hcl": tftest(cases) for rule, cases in CASES.items()}


def main(folder: Path) -> None:
    """Write the cases to a folder."""
    for name, text in files().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
