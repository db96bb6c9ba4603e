"""Which instance types the pool gpu-spot may name, judged at plan."""

import json
from collections.abc import Mapping, Sequence

from constructs import Construct

from stacks.aws.offerings import zones_by_type
from stacks.config.node_pools import (
    GPU_LIMIT_SIZE,
    WELL_FORMED_TYPES,
    gpu_type_rules,
    limit_below,
    more_than_fit,
    nodes_that_fit,
    types_without_drivers,
)
from stacks.hcl.expressions import Expression
from stacks.hcl.rules import DISTINCT, MOST, EmptyList, Rule, shown
from stacks.knowledge.catalogue import UNKNOWN_GPU_TYPES, families_without_nvidia_gpus, gpus_by_type
from stacks.knowledge.gpu_drivers import NEVER_JOINS, named, unproven_families
from stacks.terraform.addresses import Addressed

# EC2 is asked, because it adds sizes to the families that the catalogue knows.
NOT_OFFERED = EmptyList(
    "gpu_types_of_unknown_size",
    "[for type, family in local.gpu_type_families : type if contains(local.gpu_families, family) && "
    "!contains(keys(local.gpus_by_type), type) && length(local.gpu_type_zones[type]) == 0]",
    "gpu_instance_types must be sizes that EC2 offers (got {found}). The known sizes are "
    '${join(", ", [for type in keys(local.gpus_by_type) : type if '
    'contains([for t in local.gpu_types_of_unknown_size : split(".", t)[0]], split(".", type)[0])])}.',
)


class GpuTypes(Addressed):
    """The rules for the instance types of the pool gpu-spot.

    Args:
        types: a list.
        limit: a number of GPUs, or null.
        azs: a list, the zones of the network.
        addresses_per_zone: a number.
        addresses_by_type: of a node of each type that the program knows.
        offering_checks: whether a plan asks EC2 where it offers the types.
        kubernetes_version: of the nodes.
        bottlerocket_version: of the nodes, latest or a release.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        types: Expression,
        limit: Expression,
        azs: Expression,
        addresses_per_zone: Expression,
        addresses_by_type: Mapping[str, int],
        offering_checks: bool,
        kubernetes_version: str,
        bottlerocket_version: str,
    ) -> None:
        super().__init__(scope, id)
        self._add_catalogue(types)
        versions = {"kubernetes": kubernetes_version, "bottlerocket": bottlerocket_version}
        refusals = [rule.rule(types) for rule in (*gpu_type_rules(), *types_without_drivers(**versions))]
        if offering_checks:
            zones_of = zones_by_type(self, "gpu", instance_types=types, azs=azs)
            refusals.append(NOT_OFFERED)
        self.require(
            DISTINCT.rule("gpu_instance_types", types),
            WELL_FORMED_TYPES.rule(types),
            GPU_LIMIT_SIZE.rule("gpu_limit", limit),
            self._within(types, limit),
            *refusals,
        )
        refused = ", ".join(f"local.{refusal.local}" for refusal in refusals)
        judged = self.add_local("gpu_types", Expression(f"setsubtract(keys(local.gpu_type_families), concat({refused}))"))
        self._warn_of_unknown(judged)
        self._warn_of_addresses(judged, limit, addresses_per_zone, addresses_by_type)
        if unproven := unproven_families(**versions):
            self._warn_of_unproven(judged, unproven, bottlerocket_version)
        if offering_checks:
            self._warn_of_not_offered(judged, zones_of, azs)

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
            limit_below(smallest, shown(limit)),
        )

    def _warn_of_unknown(self, types: Expression) -> None:
        unknown = self.add_local("gpu_types_unknown", Expression(f"setsubtract({types.hcl}, keys(local.gpus_by_type))"))
        self.add_check(
            "gpu_instance_types_are_known",
            Rule(
                f"length({unknown.hcl}) == 0",
                f"gpu_instance_types contains types that this program does not know: {shown(unknown)}. Karpenter will use "
                f"them; {UNKNOWN_GPU_TYPES}",
            ),
        )

    def _warn_of_addresses(self, types: Expression, limit: Expression, per_zone: Expression, by_type: Mapping[str, int]) -> None:
        """Of a limit whose nodes do not all find addresses in one zone. Types that are not known are not judged."""
        node = self.add_local("addresses_by_type", by_type)
        fitting = self.add_local(
            "gpu_nodes_that_fit_in_a_zone",
            Expression(f"{{for type, n in {node.hcl} : type => floor({per_zone.hcl} / n) if contains({types.hcl}, type)}}"),
        )
        wanted = f"floor({limit.hcl} / local.gpus_by_type[type])"
        judged = f"{limit.hcl} == null ? false : {limit.hcl} <= {MOST}"  # a requirement refuses more
        short = self.add_local(
            "gpu_types_short_of_addresses",
            Expression(f"[for type, nodes in {fitting.hcl} : type if {judged} && {wanted} > nodes]"),
        )
        told = nodes_that_fit(
            "${type}",
            fitting=f"${{{fitting.hcl}[type]}}",
            nodes=f"${{{wanted}}}",
            gpus=f"${{{fitting.hcl}[type] * local.gpus_by_type[type]}}",
            addresses=f"${{{node.hcl}[type]}}",
        )
        self.add_check(
            "gpu_limit_has_addresses",
            Rule(
                f"length({short.hcl}) == 0",
                more_than_fit("gpu_limit", shown(limit), per_zone, f'${{join("; ", [for type in {short.hcl} : "{told}"])}}'),
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
                f"for their GPU: {shown(unproven)}. {NEVER_JOINS}",
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
