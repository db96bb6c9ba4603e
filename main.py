"""The clusters of this project. Edit the list; `make synth` writes the Terraform JSON of each cluster."""

from stacks.app import synthesize
from stacks.config import ClusterConfig

CLUSTERS = [
    ClusterConfig("karpenter"),  # what the HCL deployed: plan says "No changes."
]

if __name__ == "__main__":
    synthesize(CLUSTERS)
