"""Karpenter's objects: the general and the GPU node pool, each with its node class."""

from cdktf import TerraformLocal
from constructs import Construct

from imports.expressions import Expression
from imports.kubectl import KubectlManifest
from stacks import bottlerocket
from stacks.addresses import Addressed
from stacks.karpenter import Karpenter
from stacks.manifests import NodeClass, NodePool, Requirement, Taint


class NodePools(Addressed):
    """The nodes that Karpenter may make.

    Args:
        karpenter: the controller that reads them.
        discovery: the value of the tag `karpenter.sh/discovery` on the subnets and security groups to use.
        gpu_instance_types: a list, for the GPU pool.
        gpu_capacity_type: a list of spot, on-demand, reserved.
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
    ) -> None:
        super().__init__(scope, id)
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
        gpu = NodePool(
            name="gpu-spot",
            node_class=gpu_class,
            requirements=[
                Requirement(key="karpenter.sh/capacity-type", operator="In", values=gpu_capacity_type),
                AMD64,
                Requirement(key="node.kubernetes.io/instance-type", operator="In", values=gpu_instance_types),
            ],
            # Only pods that ask for a GPU tolerate this: nothing else lands on the dear nodes.
            taints=[Taint(key="nvidia.com/gpu", value="true", effect="NoSchedule")],
            labels={"gpu-type": "nvidia", "nodepool": "gpu-spot"},
            # A GPU node that came is kept for the next job: spot capacity may not come again.
            consolidate_after="1h",
        )
        self._object("default", general_class, general, karpenter)
        self._object("gpu", gpu_class, gpu, karpenter)

    def _object(self, name: str, node_class: NodeClass, pool: NodePool, karpenter: Karpenter) -> None:
        """A node class after Karpenter, and its pool after it."""
        class_manifest, pool_manifest = f"ec2nodeclass_{name}", f"nodepool_{name}"
        # As locals, a manifest is data in the JSON, and Terraform's own yamlencode quotes what stands in it.
        self.add(TerraformLocal, f"local.{class_manifest}", node_class.manifest())
        self.add(TerraformLocal, f"local.{pool_manifest}", pool.manifest())
        made = self.add(
            KubectlManifest,
            f"kubectl_manifest.{class_manifest}",
            yaml_body=f"${{yamlencode(local.{class_manifest})}}",
            depends_on=[karpenter.release],
        )
        self.add(
            KubectlManifest,
            f"kubectl_manifest.{pool_manifest}",
            yaml_body=f"${{yamlencode(local.{pool_manifest})}}",
            depends_on=[made],
        )


AMD64 = Requirement(key="kubernetes.io/arch", operator="In", values=["amd64"])

GENERAL_REQUIREMENTS = (
    AMD64,
    Requirement(key="karpenter.k8s.aws/instance-category", operator="In", values=["c", "m", "r"]),
    Requirement(key="karpenter.k8s.aws/instance-cpu", operator="In", values=["4", "8", "16", "32"]),
    Requirement(key="karpenter.k8s.aws/instance-hypervisor", operator="In", values=["nitro"]),
    Requirement(key="karpenter.k8s.aws/instance-generation", operator="Gt", values=["2"]),
)
