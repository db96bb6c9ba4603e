"""Which instance types the reference's GPU pool may name, judged at plan."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated

from imports.expressions import Expression

from constructs import Construct

from stacks.aws.network import Network
from stacks.aws.offerings import zones_by_type
from stacks.config import rules
from stacks.config.catalogue import (
    ARM64_GPU_FAMILY,
    UNKNOWN_GPU_TYPES,
    families_with_a_fraction_of_a_gpu,
    families_without_nvidia_gpus,
    gpus_by_type,
)
from stacks.config.checks import whole
from stacks.config.gpu_drivers import NEVER_JOINS, mismatches, named, unproven_families
from stacks.config.rules import Finding, Rule
from stacks.terraform.addresses import Addressed
from stacks.terraform.arguments import check_arguments


def _types_if(condition: str) -> str:
    return f"[for type, family in local.gpu_type_families : type if {condition}]"


REFUSALS = (
    Finding(
        "gpu_types_without_nvidia_gpus",
        _types_if("contains(local.families_without_nvidia_gpus, family)"),
        "gpu_instance_types must have NVIDIA GPUs (got {found}): pods of the GPU pool request nvidia.com/gpu.",
    ),
    Finding(
        "gpu_types_with_a_fraction_of_a_gpu",
        _types_if(f"contains({json.dumps(families_with_a_fraction_of_a_gpu())}, family)"),
        "gpu_instance_types must have whole GPUs (got {found}): Karpenter counts a fraction of a GPU as 0.",
    ),
    Finding(
        "gpu_types_with_arm64_cpus",
        _types_if(f"can(regex({json.dumps(ARM64_GPU_FAMILY)}, family))"),
        "gpu_instance_types must have x86_64 CPUs (got {found}, which have arm64 CPUs): the GPU pool is amd64.",
    ),
)

# EC2 is asked, because it adds sizes to the families that the catalogue knows.
NOT_OFFERED = Finding(
    "gpu_types_of_unknown_size",
    _types_if(
        "contains(local.gpu_families, family) && !contains(keys(local.gpus_by_type), type) && "
        "length(local.gpu_type_zones[type]) == 0"
    ),
    "gpu_instance_types must be sizes that EC2 offers (got {found}). The known sizes are "
    '${join(", ", [for type in keys(local.gpus_by_type) : type if '
    'contains([for t in local.gpu_types_of_unknown_size : split(".", t)[0]], split(".", type)[0])])}.',
)


def _without_drivers(*, kubernetes: str, bottlerocket: str) -> Iterator[Finding]:
    """A rule for each GPU that the driver of the nodes' Bottlerocket does not support."""
    for mismatch in mismatches(kubernetes=kubernetes, bottlerocket=bottlerocket):
        yield Finding(
            f"gpu_types_without_a_driver_for_{mismatch.gpu.replace('-', '_')}",
            _types_if(f"contains({json.dumps(mismatch.families)}, family)"),
            f"gpu_instance_types must have GPUs that the driver of Bottlerocket supports (got {{found}}): {mismatch.why}",
        )


class GpuTypes(Addressed):
    """The rules for the instance types of the reference's GPU pool.

    Args:
        instance_types: a list.
        capacity_types: a list of spot, on-demand, reserved.
        limit: a number of GPUs, or null.
        network: where the nodes are.
        offering_checks: whether a plan asks EC2 where it offers the types.
        kubernetes_version: of the nodes.
        bottlerocket_version: of the nodes, latest or a release.

    Attributes:
        requirements: what must hold before anything is created, as preconditions.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        instance_types: Sequence[str],
        capacity_types: Sequence[str],
        limit: Annotated[float | Expression | None, whole],
        network: Network,
        offering_checks: bool = True,
        kubernetes_version: str = "1.33",
        bottlerocket_version: str = "latest",
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        types, most = self.bind("gpu_instance_types", instance_types), self.bind("gpu_limit", limit)
        self._add_catalogue(types)
        versions = {"kubernetes": kubernetes_version, "bottlerocket": bottlerocket_version}
        refusals: tuple[Finding, ...] = (*REFUSALS, *_without_drivers(**versions))
        if offering_checks:
            zones_of = zones_by_type(self, "gpu", instance_types=types, azs=network.azs)
            refusals = (*refusals, NOT_OFFERED)
        self.requirements = self.add_rules(
            *rules.gpu_capacity_type(self.bind("gpu_capacity_type", capacity_types)),
            *rules.instance_types("gpu_instance_types", types, like="p5.48xlarge"),
            rules.gpu_limit_size(most),
            self._within(types, most),
            *refusals,
        )
        refused = ", ".join(f"local.{refusal.local}" for refusal in refusals)
        judged = self.add_local("gpu_types", Expression(f"setsubtract(keys(local.gpu_type_families), concat({refused}))"))
        self._warn_of_unknown(judged)
        if unproven := unproven_families(**versions):
            self._warn_of_unproven(judged, unproven, bottlerocket_version)
        if offering_checks:
            self._warn_of_not_offered(judged, zones_of, network.azs)

    def _add_catalogue(self, types: Expression) -> None:
        """As locals: data that several rules read. Types that are misspelt have no family; another rule refuses them."""
        self.add_local("gpus_by_type", gpus_by_type())
        self.add_local("gpu_families", Expression('distinct([for type in keys(local.gpus_by_type) : split(".", type)[0]])'))
        self.add_local("families_without_nvidia_gpus", Expression(f'split(" ", "{" ".join(families_without_nvidia_gpus())}")'))
        well_formed = "!contains(local.gpu_instance_types_malformed, type)"
        self.add_local(
            "gpu_type_families",
            Expression(f'{{for type in distinct({types.hcl}) : type => split(".", type)[0] if {well_formed}}}'),
        )

    def _within(self, types: Expression, limit: Expression) -> Rule:
        """With a limit below the GPUs of a node, Karpenter never launches the node. An unknown type counts as 1 GPU."""
        smallest = self.add_local(
            "gpus_of_smallest_type", Expression(f"min([for type in {types.hcl} : lookup(local.gpus_by_type, type, 1)]...)")
        )
        return Rule(
            f"{limit.hcl} == null ? true : {limit.hcl} >= {smallest.hcl}",
            f"gpu_limit must be at least {smallest}, the GPUs of the smallest of gpu_instance_types (got {rules.shown(limit)}): "
            "with a lower limit Karpenter never launches a node.",
        )

    def _warn_of_unknown(self, types: Expression) -> None:
        unknown = self.add_local("gpu_types_unknown", Expression(f"setsubtract({types.hcl}, keys(local.gpus_by_type))"))
        self.add_check(
            "gpu_instance_types_are_known",
            Rule(
                f"length({unknown.hcl}) == 0",
                f"gpu_instance_types contains types that this program does not know: {rules.shown(unknown)}. Karpenter will use "
                f"them; {UNKNOWN_GPU_TYPES}",
            ),
        )

    def _warn_of_unproven(self, types: Expression, families: Sequence[str], bottlerocket: str) -> None:
        unproven = self.add_local(
            "gpu_types_without_a_known_driver",
            Expression(f'[for type in {types.hcl} : type if contains({json.dumps(families)}, split(".", type)[0])]'),
        )
        self.add_check(
            "gpu_types_have_a_driver",
            Rule(
                f"length({unproven.hcl}) == 0",
                f"gpu_instance_types contains types of which this program does not know whether {named(bottlerocket)} has a driver "
                f"for their GPU: {rules.shown(unproven)}. {NEVER_JOINS}",
            ),
        )

    def _warn_of_not_offered(self, types: Expression, zones_of: Expression, azs: Expression) -> None:
        """Few types are offered in every zone, so a plan warns only if a type has no zone, or all types have a single zone."""
        zones = f"distinct(flatten([for type in {types.hcl} : {zones_of.hcl}[type]]))"
        told = f'[for type in {types.hcl} : "${{type}} in ${{join(", ", coalescelist({zones_of.hcl}[type], ["no zone"]))}}"]'
        self.add_check(
            "gpu_types_are_offered",
            Rule(
                f"length({types.hcl}) == 0 ? true : length({zones}) >= min(2, length({azs.hcl})) && "
                f"alltrue([for type in {types.hcl} : length({zones_of.hcl}[type]) > 0])",
                f'Of the network\'s zones (${{join(", ", {azs.hcl})}}), EC2 offers ${{join("; ", {told})}}. '
                "GPU nodes can only launch there.",
            ),
        )
