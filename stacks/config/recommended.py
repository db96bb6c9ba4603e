"""The second set of default values, for new clusters: what is better than the HCL and shows in a plan. Plain Python."""

from collections.abc import Callable
from typing import Any, ParamSpec

from stacks.config.cluster import ClusterConfig
from stacks.config.storage import Ebs

RECOMMENDED: dict[str, Any] = {
    "kubernetes_version": "1.35",  # standard support until 2027-03-27
    "support_check": True,
    "karpenter_version": "1.14.1",
    "load_balancer_controller_version": "3.5.0",
    "wait_for_nodes": True,
    "registry_login": False,
    "load_balancer_controller_policy": "official",
    "gateway_endpoints": ("s3",),
    "node_traffic_all": True,
    "gpu_limit": 32,  # four p5.48xlarge
    "gpu_drift_budget": "0",
    "storage": (Ebs(storage_class="gp3"),),
    "metrics_server": True,
}

P = ParamSpec("P")


def _with_recommended(make: Callable[P, ClusterConfig]) -> Callable[P, ClusterConfig]:
    """`make` with other default values; its arguments stay as they are, for mypy and the editor."""

    def recommended(*args: P.args, **kwargs: P.kwargs) -> ClusterConfig:
        """A ClusterConfig whose fields have the recommended values where they are not given."""
        given = make(*args, **kwargs)
        values = {name: value for name, value in RECOMMENDED.items() if name not in given.unused_options()}
        return make(*args, **({"cluster_name_prefix": given.name} | values | kwargs))

    return recommended


recommended = _with_recommended(ClusterConfig)
