"""Input, and what is said of it: both sides of every rule.

`tests/terraform/*.tftest.hcl` are these cases for `terraform test`: `make golden` writes them, one file a rule.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("terraform")

NINE_ZONES = [f"xx-many-9{letter}" for letter in "abcdefghi"]
ZONES = {
    "us-west-2": {f"us-west-2{z}": f"usw2-az{n}" for z, n in zip("abcd", "1234", strict=True)},
    "us-east-1": {f"us-east-1{z}": f"use1-az{n}" for z, n in zip("abcdef", "124635", strict=True)},
    "us-west-1": {"us-west-1a": "usw1-az1", "us-west-1c": "usw1-az3"},
    "xx-many-9": {zone: f"xx9-az{n}" for n, zone in enumerate(NINE_ZONES)},
    "xx-one-1": {"xx-one-1a": "xx1-az1"},
}
# An account where us-west-1b is the zone that EKS has no control plane in.
UNLUCKY = {"us-west-1b": "usw1-az2", "us-west-1c": "usw1-az3"}

NETWORK = "data.aws_availability_zones.available"
SUFFIX = "random_string.suffix"


@dataclass(frozen=True)
class Case:
    """Variables; where Terraform objects to them, or None; and what it says, a part of it."""

    name: str
    variables: dict[str, Any]
    objects: str | None = None
    says: str = ""
    zones: dict[str, str] = field(default_factory=lambda: ZONES["us-west-2"])
    not_offered: dict[str, list[str]] = field(default_factory=dict)  # by data source, the zones without its types

    @property
    def refused(self) -> bool:
        """Whether a variable is refused by itself, which ends the plan."""
        return (self.objects or "").startswith("var.")


def _taken(rule: str, *values: Any) -> list[Case]:
    return [Case(f"{_slug(value)} is taken", {rule: value}) for value in values]


def _refused(rule: str, value: Any, says: str) -> Case:
    return Case(f"{_slug(value)} is refused", {rule: value}, f"var.{rule}", says)


def _slug(value: Any) -> str:
    return json.dumps(value) if len(json.dumps(value)) < 60 else f"{json.dumps(value)[:50]} and so on"


def _sizes(low: Any, desired: Any, high: Any) -> dict[str, Any]:
    return {f"karpenter_node_{k}_size": v for k, v in (("min", low), ("desired", desired), ("max", high))}


CASES: dict[str, list[Case]] = {
    "region": [
        *_taken("region", "us-west-2", "ap-southeast-5", "us-gov-west-1", "eusc-de-east-1"),
        _refused("region", "US-West-2", 'region: "US-West-2" is no AWS region; one looks like us-west-2.'),
        _refused("region", "us-west-2a", "is no AWS region"),
        _refused("region", "oregon", "is no AWS region"),
        _refused("region", "", 'region: "" is no AWS region'),
    ],
    "vpc_cidr": [
        *_taken("vpc_cidr", "10.0.0.0/16", "10.1.16.0/20", "172.31.0.0/16", "192.168.0.0/18", "100.127.0.0/16"),
        _refused("vpc_cidr", "10.0.0.0/15", "has another size than /16 to /20. AWS has no larger VPC"),
        _refused("vpc_cidr", "10.0.0.0/21", "has another size than /16 to /20"),
        _refused("vpc_cidr", "10.0.0.0/8", "has another size"),
        _refused("vpc_cidr", "10.0.1.0/16", '"10.0.1.0/16" has host bits; the network is 10.0.0.0/16.'),
        _refused("vpc_cidr", "10.0.0.0", '"10.0.0.0" is no IPv4 network; one looks like 10.0.0.0/16.'),
        _refused("vpc_cidr", "10.0.0.300/16", "is no IPv4 network"),
        _refused("vpc_cidr", "fd00::/16", "is no IPv4 network"),
        _refused("vpc_cidr", "", "is no IPv4 network"),
        Case("a public network is warned of", {"vpc_cidr": "11.0.0.0/16"}, "check.vpc_cidr_is_private", '"11.0.0.0/16" is outside'),
        Case("172.32 is warned of", {"vpc_cidr": "172.32.0.0/16"}, "check.vpc_cidr_is_private", "outside the private networks"),
        Case("100.128 is warned of", {"vpc_cidr": "100.128.0.0/16"}, "check.vpc_cidr_is_private", "outside the private networks"),
    ],
    "cluster_name_prefix": [
        *_taken("cluster_name_prefix", "eks-spot-gpu", "a", "7", "Train_1", "a" * 24),
        _refused("cluster_name_prefix", "a" * 25, "has 25 characters; 24 at most, as IAM takes 38 for the prefix -xxxx-cluster-."),
        _refused("cluster_name_prefix", "", '"" is no name for an EKS cluster'),
        _refused("cluster_name_prefix", "-gpu", "a letter or digit first"),
        _refused("cluster_name_prefix", "gpu.train", "letters, digits, hyphens and underscores"),
        _refused("cluster_name_prefix", "gpu train", "is no name for an EKS cluster"),
        _refused("cluster_name_prefix", "sg-train", "starts with sg-, which AWS keeps for ids of security groups."),
    ],
    "gpu_instance_types": [
        *_taken("gpu_instance_types", ["p5.48xlarge"], ["g6e.12xlarge", "p4d.24xlarge"], ["p6-b200.48xlarge"]),
        _refused("gpu_instance_types", [], "gpu_instance_types: [] is empty; one at least is needed."),
        _refused("gpu_instance_types", ["p5.48xlarge", "p5.48xlarge"], "names something twice."),
        _refused("gpu_instance_types", ["p5"], '["p5"] is no instance type; one looks like p5.48xlarge.'),
        _refused("gpu_instance_types", ["P5.48xlarge"], '["P5.48xlarge"] is no instance type'),
        _refused("gpu_instance_types", [""], '[""] is no instance type'),
        _refused("gpu_instance_types", ["p5.48xlarge", "g4ad.xlarge"], '["g4ad.xlarge"] has AMD GPUs'),
        _refused("gpu_instance_types", ["g6f.large"], '["g6f.large"] has a fraction of a GPU, which Karpenter counts as 0.'),
        _refused("gpu_instance_types", ["gr6f.4xlarge"], '["gr6f.4xlarge"] has a fraction of a GPU'),
        _refused("gpu_instance_types", ["g5g.xlarge"], '["g5g.xlarge"] is arm64, and this pool is amd64.'),
        Case(
            "a type that nobody here knows is warned of",
            {"gpu_instance_types": ["p9.48xlarge"]},
            "check.gpu_instance_types_are_known",
            '["p9.48xlarge"] is in no catalogue of ours. It is used all the same',
        ),
        Case(
            "zones without a type are told",
            {"gpu_instance_types": ["p5.48xlarge"]},
            "check.gpu_types_are_offered",
            "EC2 offers p5.48xlarge in us-west-2c, us-west-2d, of us-west-2a, us-west-2b, us-west-2c, us-west-2d.",
            not_offered={"gpu": ["us-west-2a", "us-west-2b"]},
        ),
        Case(
            "a region without a type is told",
            {"gpu_instance_types": ["p5.48xlarge"]},
            "check.gpu_types_are_offered",
            "EC2 offers p5.48xlarge in no zone, of us-west-2a",
            not_offered={"gpu": list(ZONES["us-west-2"])},
        ),
    ],
    "gpu_capacity_type": [
        *_taken("gpu_capacity_type", ["spot"], ["spot", "on-demand"], ["reserved", "on-demand", "spot"]),
        _refused("gpu_capacity_type", [], "gpu_capacity_type: [] is empty; one at least is needed."),
        _refused("gpu_capacity_type", ["spot", "spot"], "names something twice"),
        _refused("gpu_capacity_type", ["ondemand"], '["ondemand"] is not allowed; spot, on-demand and reserved are.'),
        _refused("gpu_capacity_type", ["spot", "Spot"], '["Spot"] is not allowed'),
    ],
    "gpu_limit": [
        *_taken("gpu_limit", None, 1, 64),
        _refused("gpu_limit", 0, "gpu_limit: 0 is no number of GPUs: a whole number, 1 at least, or null for no limit."),
        _refused("gpu_limit", -8, "gpu_limit: -8 is no number of GPUs"),
        _refused("gpu_limit", 1.5, "gpu_limit: 1.5 is no number of GPUs"),
    ],
    "gpu_drift_budget": [
        *_taken("gpu_drift_budget", None, "0", "1", "10%", "100%"),
        _refused("gpu_drift_budget", "101%", '"101%" is no budget: a number of nodes, a percentage as 10%, or null.'),
        _refused("gpu_drift_budget", "none", '"none" is no budget'),
        _refused("gpu_drift_budget", "-1", '"-1" is no budget'),
        _refused("gpu_drift_budget", "", '"" is no budget'),
    ],
    "karpenter_node_instance_types": [
        *_taken("karpenter_node_instance_types", ["m5.large"], ["m6i.large", "m7a.large"], ["g4dn.xlarge"]),
        _refused("karpenter_node_instance_types", [], "[] is empty; one at least is needed."),
        _refused("karpenter_node_instance_types", ["m5.large", "m5.large"], "names something twice"),
        _refused("karpenter_node_instance_types", ["m5"], '["m5"] is no instance type'),
        _refused("karpenter_node_instance_types", ["m7g.large"], '["m7g.large"] is arm64, and the node group is x86_64.'),
        _refused("karpenter_node_instance_types", ["c6gn.large"], '["c6gn.large"] is arm64'),
        _refused("karpenter_node_instance_types", ["a1.large"], '["a1.large"] is arm64'),
        Case(
            "a zone without the type is warned of",
            {},
            "check.node_group_types_are_offered",
            "EC2 does not offer m5.large in us-west-2d; EKS refuses a node group there.",
            not_offered={"node_group": ["us-west-2d"]},
        ),
    ],
    "karpenter_node_sizes": [
        Case("2, 2 and 3 are taken", _sizes(2, 2, 3)),
        Case("three times 2 is taken", _sizes(2, 2, 2)),
        Case(
            "0 nodes are refused",
            _sizes(0, 2, 3),
            "var.karpenter_node_min_size",
            "karpenter_node_min_size: 0 is no number of nodes",
        ),
        Case("a part of a node is refused", _sizes(2, 2.5, 3), "var.karpenter_node_desired_size", "2.5 is no number of nodes"),
        Case("fewer than none are refused", _sizes(2, 2, -1), "var.karpenter_node_max_size", "-1 is no number of nodes: a whole"),
        Case(
            "fewer desired than the least are refused", _sizes(3, 2, 4), SUFFIX, "2 is not between karpenter_node_min_size, 3, and"
        ),
        Case("more desired than the most are refused", _sizes(2, 5, 4), SUFFIX, "5 is not between karpenter_node_min_size, 2, and"),
        Case("a least above the most is refused", _sizes(5, 5, 4), SUFFIX, "karpenter_node_desired_size: 5 is not between"),
        Case(
            "one node is warned of",
            _sizes(1, 2, 3),
            "check.karpenter_is_highly_available",
            "one node alone takes Karpenter with it",
        ),
    ],
    "availability_zones": [
        *_taken("availability_zones", [], ["us-west-2a", "us-west-2c"], ["us-west-2d", "us-west-2b", "us-west-2a"]),
        _refused("availability_zones", ["us-west-2a", "us-west-2a"], "names something twice"),
        _refused("availability_zones", NINE_ZONES, "9 zones; 8 at most, or subnets would overlap."),
        Case(
            "a zone of another region is refused",
            {"availability_zones": ["us-west-2a", "us-west-1a"]},
            NETWORK,
            '["us-west-1a"] is no zone of the region; us-west-2a, us-west-2b, us-west-2c, us-west-2d are.',
        ),
        Case("one zone is refused", {"availability_zones": ["us-west-2a"]}, NETWORK, "EKS wants 2 zones for the control plane"),
        Case(
            "nine zones are refused",
            {"region": "xx-many-9"},
            NETWORK,
            "availability_zones: the region has 9 zones, and vpc_cidr has room for 8. Name those to use, of xx-many-9a",
            ZONES["xx-many-9"],
        ),
        Case("eight of nine are taken", {"region": "xx-many-9", "availability_zones": NINE_ZONES[:8]}, zones=ZONES["xx-many-9"]),
        Case("a region of one zone is refused", {"region": "xx-one-1"}, NETWORK, "and xx-one-1a has 1 where", ZONES["xx-one-1"]),
        Case("a region of two zones is taken", {"region": "us-west-1"}, zones=ZONES["us-west-1"]),
        Case(
            "two zones of which EKS has one are refused",
            {"region": "us-west-1"},
            NETWORK,
            "us-west-1b, us-west-1c has 1 where EKS has one",
            UNLUCKY,
        ),
    ],
    "karpenter_node_availability_zones": [
        *_taken("karpenter_node_availability_zones", [], ["us-west-2a"], ["us-west-2c", "us-west-2d"]),
        _refused("karpenter_node_availability_zones", ["us-west-2a", "us-west-2a"], "names something twice"),
        Case(
            "a zone outside the network is refused",
            {"karpenter_node_availability_zones": ["us-west-2e"]},
            SUFFIX,
            '["us-west-2e"] is no zone of the network; us-west-2a, us-west-2b, us-west-2c, us-west-2d are.',
        ),
        Case(
            "a zone that is not among those picked is refused",
            {
                "availability_zones": ["us-west-2a", "us-west-2b"],
                "karpenter_node_availability_zones": ["us-west-2c"],
            },
            SUFFIX,
            '["us-west-2c"] is no zone of the network; us-west-2a, us-west-2b are.',
        ),
        Case(
            "a zone without the type may be left out",
            {"karpenter_node_availability_zones": ["us-west-2a", "us-west-2b", "us-west-2c"]},
            not_offered={"node_group": ["us-west-2d"]},
        ),
    ],
}

DEFAULTS = {"region": "us-west-2", "gpu_instance_types": ["p5.48xlarge"]}

HEADER = """\
# Written by `make golden` from tests/cases.py. `make test-rules` runs it: with Terraform 1.7 or newer, without an AWS account.

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
    vpc_id          = "vpc-1"
    private_subnets = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"]
    intra_subnets   = ["i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8"]
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
override_module {
  target  = module.karpenter
  outputs = { queue_name = "gpu" }
}

# As usual, AWS answers:
"""


def tftest(cases: list[Case], *, expect: bool = True) -> str:
    """The cases as a `.tftest.hcl`; without `expect`, a case that Terraform objects to fails, and its words can be read."""
    usual = [line for target, values in _answers(DEFAULT).items() for line in _override(target, values)]
    return "\n".join([HEADER, *usual, "", *(_run(number, case, expect=expect) for number, case in enumerate(cases, 1))])


def _run(number: int, case: Case, *, expect: bool) -> str:
    variables = {**DEFAULTS, **case.variables}
    slug = "_".join(re.findall(r"[a-z0-9]+", case.name.lower()))
    lines = [f"# {case.name}", f'run "case_{number}_{slug}" {{', "  command = plan", ""]
    lines += ["  variables {", *(f"    {name} = {json.dumps(value)}" for name, value in variables.items()), "  }"]
    # Where a variable is refused, nobody asks AWS.
    usual = _answers(DEFAULT)
    answers = {} if case.refused else _answers(case)
    for target, values in answers.items():
        if values != usual[target]:
            lines += [f"  {line}" for line in _override(target, values)]
    if expect and case.objects:
        lines.append(f"  expect_failures = [{case.objects}]")
    return "\n".join([*lines, "}", ""])


def _answers(case: Case) -> dict[str, dict[str, list[str]]]:
    """What AWS answers in a case, by data source."""
    variables = {**DEFAULTS, **case.variables}
    answers = {NETWORK: {"names": list(case.zones), "zone_ids": list(case.zones.values())}}
    for name, types in (("gpu", "gpu_instance_types"), ("node_group", "karpenter_node_instance_types")):
        without = case.not_offered.get(name, [])
        pairs = [(kind, zone) for kind in variables.get(types, ["m5.large"]) for zone in case.zones if zone not in without]
        answers[f"data.aws_ec2_instance_type_offerings.{name}"] = {
            "instance_types": [kind for kind, _ in pairs],
            "locations": [zone for _, zone in pairs],
        }
    return answers


def _override(target: str, values: dict[str, list[str]]) -> list[str]:
    return ["override_data {", f"  target = {target}", f"  values = {json.dumps(values)}", "}"]


DEFAULT = Case("as usual", {})


def files() -> dict[str, str]:
    """By file name, what `terraform test` runs."""
    return {f"{rule}.tftest.hcl": tftest(cases) for rule, cases in CASES.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
