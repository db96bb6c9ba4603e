"""Which instance types a GPU pool may name, judged at plan."""

import json
from typing import NamedTuple

from imports.expressions import Expression, hcl

from constructs import Construct

from stacks import rules
from stacks.addresses import Addressed
from stacks.arguments import check_arguments
from stacks.catalogue import families_with_a_fraction_of_a_gpu, families_without_nvidia_gpus, gpus_by_type
from stacks.network import Network
from stacks.offerings import Offerings
from stacks.rules import Rule

# Families of Graviton and Grace CPUs: g5g, p6e-gb200.
ARM64_GPU_FAMILY = "^g[0-9]+g[a-z]*$|-gb[0-9]+$"


class _Refusal(NamedTuple):
    """Types that a GPU pool cannot use: the local that lists them, the condition on `type` and `family`, the message."""

    local: str
    condition: str
    message: str


REFUSALS = (
    _Refusal(
        "gpu_types_without_nvidia_gpus",
        "contains(local.families_without_nvidia_gpus, family)",
        "gpu_instance_types must have NVIDIA GPUs (got {types}): pods of the GPU pool request nvidia.com/gpu.",
    ),
    _Refusal(
        "gpu_types_with_a_fraction_of_a_gpu",
        f"contains({json.dumps(families_with_a_fraction_of_a_gpu())}, family)",
        "gpu_instance_types must have whole GPUs (got {types}): Karpenter counts a fraction of a GPU as 0.",
    ),
    _Refusal(
        "gpu_types_with_arm64_cpus",
        f'can(regex("{ARM64_GPU_FAMILY}", family))',
        "gpu_instance_types must have x86_64 CPUs (got {types}, which have arm64 CPUs): the GPU pool is amd64.",
    ),
)

# EC2 is asked, because it adds sizes to the families that the catalogue knows.
NOT_OFFERED = _Refusal(
    "gpu_types_of_unknown_size",
    "contains(local.gpu_families, family) && !contains(keys(local.gpus_by_type), type) && length({zones_of}[type]) == 0",
    "gpu_instance_types must be sizes that EC2 offers (got {types}). The known sizes are "
    '${{join(", ", [for type in keys(local.gpus_by_type) : type if '
    'contains([for t in local.gpu_types_of_unknown_size : split(".", t)[0]], split(".", type)[0])])}}.',
)


class GpuTypes(Addressed):
    """The rules for the instance types of a GPU pool.

    Args:
        instance_types: a list.
        limit: a number of GPUs, or null.
        network: where the nodes are.
        offering_checks: whether a plan asks EC2 where it offers the types.

    Attributes:
        requirements: what must hold before anything is created.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        instance_types: Expression,
        limit: Expression,
        network: Network,
        offering_checks: bool,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        self._types = hcl(instance_types)
        self._add_catalogue()
        self.requirements = [*rules.instance_types("gpu_instance_types", like="p5.48xlarge"), self._within(hcl(limit))]
        refusals = list(REFUSALS)
        zones_of = ""
        if offering_checks:
            refusals.append(NOT_OFFERED)
            zones_of = Offerings(self, "gpu", instance_types=instance_types, azs=network.azs).zones
        for refusal in refusals:
            self.requirements.append(self._refuse(refusal, zones_of))
        refused = ", ".join(f"local.{refusal.local}" for refusal in refusals)
        judged = self.add_local("gpu_types", f"${{setsubtract(keys(local.gpu_type_families), concat({refused}))}}")
        self._warn_of_unknown(hcl(judged))
        if offering_checks:
            self._warn_of_not_offered(hcl(judged), zones_of, hcl(network.azs))

    def _add_catalogue(self) -> None:
        """As locals: data that several rules read. Types that are misspelt have no family; another rule refuses them."""
        self.add_local("gpus_by_type", gpus_by_type())
        self.add_local("gpu_families", '${distinct([for type in keys(local.gpus_by_type) : split(".", type)[0]])}')
        self.add_local("families_without_nvidia_gpus", f'${{split(" ", "{" ".join(families_without_nvidia_gpus())}")}}')
        well_formed = f"can(regex({json.dumps(rules.INSTANCE_TYPE)}, type))"
        families = f'{{for type in distinct({self._types}) : type => split(".", type)[0] if {well_formed}}}'
        self.add_local("gpu_type_families", f"${{{families}}}")

    def _refuse(self, refusal: _Refusal, zones_of: str) -> Rule:
        condition = refusal.condition.format(zones_of=zones_of)
        self.add_local(refusal.local, f"${{[for type, family in local.gpu_type_families : type if {condition}]}}")
        return Rule(
            f"length(local.{refusal.local}) == 0",
            refusal.message.format(types=f"${{jsonencode(local.{refusal.local})}}"),
        )

    def _within(self, limit: str) -> Rule:
        """A limit below the GPUs of a node keeps Karpenter from ever launching it. A type that is not known counts as 1 GPU."""
        smallest = f"min([for type in {self._types} : lookup(local.gpus_by_type, type, 1)]...)"
        return Rule(
            f"{limit} == null ? true : {limit} >= {smallest}",
            f"gpu_limit must be at least ${{{smallest}}}, the GPUs of the smallest of gpu_instance_types (got "
            f"{rules.given('gpu_limit')}): with a lower limit Karpenter never launches a node.",
        )

    def _warn_of_unknown(self, types: str) -> None:
        unknown = self.add_local("gpu_types_unknown", f"${{setsubtract({types}, keys(local.gpus_by_type))}}")
        self.add_check(
            "gpu_instance_types_are_known",
            Rule(
                f"length({hcl(unknown)}) == 0",
                f"gpu_instance_types contains types that this program does not know: ${{jsonencode({hcl(unknown)})}}. Karpenter "
                "will use them; make sure that they have NVIDIA GPUs, an x86_64 CPU and NVMe disks.",
            ),
        )

    def _warn_of_not_offered(self, types: str, zones_of: str, azs: str) -> None:
        """Few types are offered in every zone, so that is not worth a warning; one zone or none is."""
        zones = f"distinct(flatten([for type in {types} : {zones_of}[type]]))"
        told = f'[for type in {types} : "${{type}} in ${{join(", ", coalescelist({zones_of}[type], ["no zone"]))}}"]'
        self.add_check(
            "gpu_types_are_offered",
            Rule(
                f"length({types}) == 0 ? true : length({zones}) >= min(2, length({azs})) && "
                f"alltrue([for type in {types} : length({zones_of}[type]) > 0])",
                f'Of the network\'s zones (${{join(", ", {azs})}}), EC2 offers ${{join("; ", {told})}}. '
                "GPU nodes can only launch there.",
            ),
        )
