"""Karpenter's objects: the general and the GPU node pool, each with its node class."""

from imports.expressions import Expression, hcl
from imports.kubectl import KubectlManifest

from constructs import Construct

from stacks import bottlerocket
from stacks.addresses import Addressed
from stacks.arguments import check_arguments
from stacks.karpenter import Karpenter
from stacks.manifests import NodeClass, NodePool, Requirement, Taint
from stacks.settings import Preset


class NodePools(Addressed):
    """The nodes that Karpenter may make.

    Args:
        karpenter: the controller that reads them.
        discovery: the value of the tag `karpenter.sh/discovery` on the subnets and security groups to use.
        gpu_instance_types: a list, for the GPU pool.
        gpu_capacity_type: a list of spot, on-demand, reserved.
        gpu_limit: a number of GPUs, or null.
        gpu_drift_budget: how many GPU nodes may be replaced at a time because they drifted, or null.
        preset: in `recommended`, a destroy waits until Karpenter has removed a pool's nodes.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        karpenter: Karpenter,
        discovery: Expression,
        gpu_instance_types: Expression,
        gpu_capacity_type: Expression,
        gpu_limit: Expression,
        gpu_drift_budget: Expression,
        preset: Preset,
    ) -> None:
        super().__init__(scope, id)
        check_arguments(self, locals())
        self._karpenter = karpenter
        self._wait = True if preset == "recommended" else None
        general_class = NodeClass(
            name="default", role=karpenter.node_role_name, discovery=discovery, user_data=bottlerocket.GENERAL
        )
        gpu_class = NodeClass(
            name="gpu",
            role=karpenter.node_role_name,
            discovery=discovery,
            user_data=bottlerocket.GPU,
            instance_store_policy="RAID0",
            tags={"gpu-type": "nvidia"},
        )
        general = NodePool(
            name="default",
            node_class=general_class,
            requirements=GENERAL_REQUIREMENTS,
            limits={"cpu": 1000},
            consolidate_after="30s",
        )
        limit, drift = hcl(gpu_limit), hcl(gpu_drift_budget)
        gpu = NodePool(
            name="gpu-spot",
            node_class=gpu_class,
            requirements=[
                Requirement(key="karpenter.sh/capacity-type", operator="In", values=gpu_capacity_type),
                AMD64,
                Requirement(key="node.kubernetes.io/instance-type", operator="In", values=gpu_instance_types),
            ],
            # Keeps pods that do not need a GPU off expensive nodes.
            taints=[Taint(key="nvidia.com/gpu", value="true", effect="NoSchedule")],
            labels={"gpu-type": "nvidia", "nodepool": "gpu-spot"},
            # A GPU node that came is kept for the next job: spot capacity may not come again.
            consolidate_after="1h",
            limits=f'${{{limit} == null ? null : {{"nvidia.com/gpu" = {limit}}}}}',
            # Karpenter's own 10% goes when there is any budget, and is said again for the other reasons.
            budgets=f'${{{drift} == null ? null : [{{nodes = "10%"}}, {{nodes = {drift}, reasons = ["Drifted"]}}]}}',
        )
        self._add_objects("default", general_class, general)
        self._add_objects("gpu", gpu_class, gpu)

    def _add_objects(self, name: str, node_class: NodeClass, pool: NodePool) -> None:
        """A node class after Karpenter, and its pool after it."""
        class_name, pool_name = f"ec2nodeclass_{name}", f"nodepool_{name}"
        # As locals, a manifest is data in the JSON, and Terraform's own yamlencode quotes what stands in it.
        self.add_local(class_name, node_class.manifest())
        self.add_local(pool_name, pool.manifest())
        made = self.add(
            KubectlManifest,
            f"kubectl_manifest.{class_name}",
            yaml_body=f"${{yamlencode(local.{class_name})}}",
            wait=self._wait,
            depends_on=[self._karpenter.release],
        )
        self.add(
            KubectlManifest,
            f"kubectl_manifest.{pool_name}",
            yaml_body=f"${{yamlencode({_without_nulls(f'local.{pool_name}')})}}",
            wait=self._wait,
            depends_on=[made],
        )


def _without_nulls(pool: str) -> str:
    """`pool` without the fields of its spec and of its disruption that a variable left null: Karpenter takes no null there."""
    spec = f"{{for k, v in {pool}.spec : k => v if v != null}}"
    disruption = f"{{for k, v in {pool}.spec.disruption : k => v if v != null}}"
    return f"merge({pool}, {{spec = merge({spec}, {{disruption = {disruption}}})}})"


AMD64 = Requirement(key="kubernetes.io/arch", operator="In", values=["amd64"])

GENERAL_REQUIREMENTS = (
    AMD64,
    Requirement(key="karpenter.k8s.aws/instance-category", operator="In", values=["c", "m", "r"]),
    Requirement(key="karpenter.k8s.aws/instance-cpu", operator="In", values=["4", "8", "16", "32"]),
    Requirement(key="karpenter.k8s.aws/instance-hypervisor", operator="In", values=["nitro"]),
    Requirement(key="karpenter.k8s.aws/instance-generation", operator="Gt", values=["2"]),
)
