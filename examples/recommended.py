"""A new cluster with the recommended values: everything that is better than the HCL and shows in a plan."""

from stacks.app import synthesize
from stacks.config import recommended

CLUSTERS = [
    recommended("training", region="us-west-2", gpu_instance_types=["p5.48xlarge", "p5en.48xlarge"]),
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
